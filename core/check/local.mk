# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/check/bench.c core/check/check.h core/check/data.c core/check/kit.c core/check/kit.h \
	core/check/life.c core/check/lives.c core/check/model.c core/check/ops.c \
	core/check/request.c core/check/run.c core/check/services.c core/check/shim.c \
	core/check/shim.h core/check/tools.c
