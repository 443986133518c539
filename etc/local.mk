# SPDX-License-Identifier: MIT
# What is data: schemas of the manifests, and sample devices.
schemadir = $(datadir)/ublk-host
dist_schema_DATA = etc/device-manifest.schema.json etc/plugin-manifest.schema.json
sampledir = $(docdir)/devices
dist_sample_DATA = etc/devices/scratch-mem.json etc/devices/image-file.json \
	etc/devices/null-bench.json
