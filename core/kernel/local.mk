# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/kernel/uapi.h core/kernel/uapi_layout.c \
	core/kernel/ctrl.h core/kernel/ctrl.c core/kernel/ctrl_ring.h core/kernel/ctrl_ring.c \
	core/kernel/bad_kernels.h core/kernel/bad_kernels.c \
	core/kernel/ctrl_explain.c core/kernel/features.h core/kernel/features.c \
	core/kernel/knobs.h core/kernel/knobs.c core/kernel/ring_probe.h core/kernel/ring_probe.c \
	core/kernel/sysfs.h core/kernel/sysfs.c core/kernel/sysfs_users.c
