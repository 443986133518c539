# SPDX-License-Identifier: MIT
# What is data: schemas of the manifests, and sample devices.
schemadir = $(datadir)/ublk-host
dist_schema_DATA = etc/device-manifest.schema.json etc/plugin-manifest.schema.json
sampledir = $(docdir)/devices
dist_sample_DATA = etc/devices/scratch-mem.json etc/devices/image-file.json \
	etc/devices/null-bench.json

# Completion: bash looks for a file of the command's own name.
bashcompdir = $(datadir)/bash-completion/completions
nodist_bashcomp_DATA = etc/bash-completion/ublk-host
etc/bash-completion/ublk-host: etc/ublk-host.bash
	$(AM_V_GEN)$(MKDIR_P) etc/bash-completion && cp $(srcdir)/etc/ublk-host.bash $@
EXTRA_DIST += etc/ublk-host.bash
CLEANFILES += etc/bash-completion/ublk-host

# For systemd and udev. Who may make devices is the administrator's affair: that rule is a sample.
EXTRA_DIST += etc/ublk-host.service.in etc/ublk-host@.service.in etc/ublk-host.conf.in \
	etc/udev/59-ublk-host.rules.in tests/units.t
units = etc/ublk-host.service etc/ublk-host@.service
rules = etc/udev/59-ublk-host.rules
CLEANFILES += $(units) $(rules) etc/ublk-host.conf
if HAVE_UNITDIR
systemdsystemunit_DATA = $(units)
endif
if HAVE_TMPFILESDIR
tmpfiles_DATA = etc/ublk-host.conf
endif
if HAVE_UDEVRULESDIR
udevrules_DATA = $(rules)
endif
samplerulesdir = $(docdir)/udev
dist_samplerules_DATA = etc/udev/59-ublk-host-users.rules
noinst_DATA = $(units) $(rules) etc/ublk-host.conf
$(units) $(rules) etc/ublk-host.conf: Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/udev && $(SED) -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|@runstatedir[@]|$(runstatedir)|g' $(srcdir)/$@.in >$@
etc/ublk-host.service: etc/ublk-host.service.in
etc/ublk-host@.service: etc/ublk-host@.service.in
etc/ublk-host.conf: etc/ublk-host.conf.in
$(rules): $(rules).in
TESTS += tests/units.t
