# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/unit/kernel_ctrl
TESTS += tests/unit/kernel_ctrl
tests_unit_kernel_ctrl_SOURCES = tests/unit/kernel_ctrl.c
tests_unit_kernel_ctrl_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kernel_ctrl_CFLAGS = $(UNIT_CFLAGS)
tests_unit_kernel_ctrl_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/kernel_uapi
TESTS += tests/unit/kernel_uapi
tests_unit_kernel_uapi_SOURCES = tests/unit/kernel_uapi.c tests/unit/kernel_uapi.h \
	tests/unit/kernel_uapi_system.c
tests_unit_kernel_uapi_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kernel_uapi_CFLAGS = $(UNIT_CFLAGS)
tests_unit_kernel_uapi_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/kernel_facts
TESTS += tests/unit/kernel_facts
tests_unit_kernel_facts_SOURCES = tests/unit/kernel_facts.c tests/unit/made_up.h
tests_unit_kernel_facts_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kernel_facts_CFLAGS = $(UNIT_CFLAGS)
tests_unit_kernel_facts_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_limits
TESTS += tests/unit/device_limits
tests_unit_device_limits_SOURCES = tests/unit/device_limits.c tests/unit/device_limits_help.h \
	tests/unit/capture.h
tests_unit_device_limits_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_limits_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_limits_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_params
TESTS += tests/unit/device_params
tests_unit_device_params_SOURCES = tests/unit/device_params.c tests/unit/device_limits_help.h \
	tests/unit/capture.h
tests_unit_device_params_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_params_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_params_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/log
TESTS += tests/unit/log
tests_unit_log_SOURCES = tests/unit/log.c
tests_unit_log_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_log_CFLAGS = $(UNIT_CFLAGS)
tests_unit_log_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/served_files
TESTS += tests/unit/served_files
tests_unit_served_files_SOURCES = tests/unit/served_files.c tests/unit/capture.h tests/unit/made_up.h
tests_unit_served_files_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_served_files_CFLAGS = $(UNIT_CFLAGS)
tests_unit_served_files_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_guard
TESTS += tests/unit/device_guard
tests_unit_device_guard_SOURCES = tests/unit/device_guard.c tests/unit/capture.h
tests_unit_device_guard_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_guard_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_guard_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_confine
TESTS += tests/unit/device_confine
tests_unit_device_confine_SOURCES = tests/unit/device_confine.c tests/unit/tap.h
tests_unit_device_confine_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_confine_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_confine_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/transport_per_io
TESTS += tests/unit/transport_per_io
tests_unit_transport_per_io_SOURCES = tests/unit/transport_per_io.c tests/unit/transport_rig.c tests/unit/transport_rig.h
tests_unit_transport_per_io_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_transport_per_io_CFLAGS = $(UNIT_CFLAGS)
tests_unit_transport_per_io_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/transport_batch
TESTS += tests/unit/transport_batch
tests_unit_transport_batch_SOURCES = tests/unit/transport_batch.c tests/unit/transport_rig.c tests/unit/transport_rig.h
tests_unit_transport_batch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_transport_batch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_transport_batch_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/kernel_knobs
TESTS += tests/unit/kernel_knobs
tests_unit_kernel_knobs_SOURCES = tests/unit/kernel_knobs.c tests/unit/made_up.h
tests_unit_kernel_knobs_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kernel_knobs_CFLAGS = $(UNIT_CFLAGS)
tests_unit_kernel_knobs_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_headroom
TESTS += tests/unit/device_headroom
tests_unit_device_headroom_SOURCES = tests/unit/device_headroom.c
tests_unit_device_headroom_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_headroom_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_headroom_LDADD = $(UNIT_LIBS)
