# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/kernel/uapi.h core/kernel/uapi_layout.c core/kernel/ctrl.h
