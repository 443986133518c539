# SPDX-License-Identifier: MIT
libcore_la_SOURCES += core/device/announce.c core/device/backend.c core/device/bring_up.c core/device/clerk.c core/device/clerk.h core/device/confine.c \
	core/device/confine.h core/device/device.h core/device/guard.c core/device/headroom.c \
	core/device/headroom.h core/device/internal.h core/device/kept_memory.c \
	core/device/kept_memory.h core/device/landlock.c core/device/leftovers.c core/device/leftovers.h \
	core/device/limits.c core/device/namespace.c core/device/params.c core/device/params.h \
	core/device/pressure.c core/device/queues.c core/device/recovery.c core/device/requests.c \
	core/device/requests.h core/device/resize.c core/device/resize_call.c \
	core/device/resolve.c core/device/seccomp.c core/device/serve.c core/device/served_files.c \
	core/device/served_files.h \
	core/device/shared_memory.c core/device/starter.c core/device/state.c core/device/state.h \
	core/device/state_file.c core/device/state_file.h core/device/state_marks.c \
	core/device/stats_file.c core/device/stats_file.h core/device/udev.c core/device/user.c core/device/user.h
