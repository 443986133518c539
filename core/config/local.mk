# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/config/config.h core/config/size.h core/config/suggest.h \
	core/config/errors.h core/config/cpulist.h core/config/json_text.h \
	core/config/options.h core/config/device_manifest.h core/config/plugin_manifest.h
