# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	core/cli/cli.c core/cli/cli.h \
	core/cli/device_options.c core/cli/device_options.h \
	core/cli/run.c \
	core/cli/usage.c core/cli/usage.h \
	$(NULL)
