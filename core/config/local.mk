# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/config/config.h core/config/config.c \
	core/config/config_keys.h core/config/config_keys.c \
	core/config/cpulist.h core/config/cpulist.c \
	core/config/device_manifest.h core/config/device_manifest.c \
	core/config/device_manifest_build.c \
	core/config/errors.h core/config/errors.c \
	core/config/given.h core/config/given.c \
	core/config/json_text.h core/config/json_text.c core/config/json_locate.c \
	core/config/json_scan.h core/config/json_scan.c \
	core/config/manifest_common.h core/config/manifest_common.c \
	core/config/option_value.h core/config/option_value.c \
	core/config/options.h core/config/options.c core/config/options_table.c \
	core/config/path.h core/config/path.c \
	core/config/plugin_manifest.h core/config/plugin_manifest.c \
	core/config/plugin_manifest_keys.h core/config/plugin_manifest_check.c \
	core/config/size.h core/config/size.c \
	core/config/suggest.h core/config/suggest.c
