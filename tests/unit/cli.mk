# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/unit/state
TESTS += tests/unit/state
tests_unit_state_SOURCES = tests/unit/state.c tests/unit/state_help.h
tests_unit_state_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_state_CFLAGS = $(UNIT_CFLAGS)
tests_unit_state_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_user
TESTS += tests/unit/device_user
tests_unit_device_user_SOURCES = tests/unit/device_user.c tests/unit/state_help.h
tests_unit_device_user_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_user_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_user_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/device_kept_memory
TESTS += tests/unit/device_kept_memory
tests_unit_device_kept_memory_SOURCES = tests/unit/device_kept_memory.c tests/unit/state_help.h
tests_unit_device_kept_memory_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_kept_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_kept_memory_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/state_names
TESTS += tests/unit/state_names
tests_unit_state_names_SOURCES = tests/unit/state_names.c tests/unit/state_help.h
tests_unit_state_names_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_state_names_CFLAGS = $(UNIT_CFLAGS)
tests_unit_state_names_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/state_marks
TESTS += tests/unit/state_marks
tests_unit_state_marks_SOURCES = tests/unit/state_marks.c tests/unit/state_help.h
tests_unit_state_marks_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_state_marks_CFLAGS = $(UNIT_CFLAGS)
tests_unit_state_marks_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/device_requests
TESTS += tests/unit/device_requests
tests_unit_device_requests_SOURCES = tests/unit/device_requests.c tests/unit/capture.h tests/unit/tap.h
tests_unit_device_requests_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_requests_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_requests_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/stats tests/unit/stats_file tests/unit/verb_stats
TESTS += tests/unit/stats tests/unit/stats_file tests/unit/verb_stats
tests_unit_stats_SOURCES = tests/unit/stats.c tests/unit/tap.h
tests_unit_stats_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_stats_CFLAGS = $(UNIT_CFLAGS)
tests_unit_stats_LDADD = $(UNIT_LIBS)
tests_unit_stats_file_SOURCES = tests/unit/stats_file.c tests/unit/tap.h
tests_unit_stats_file_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_stats_file_CFLAGS = $(UNIT_CFLAGS)
tests_unit_stats_file_LDADD = $(UNIT_LIBS)
tests_unit_verb_stats_SOURCES = tests/unit/verb_stats.c tests/unit/capture.h tests/unit/verb_run.h tests/unit/tap.h
tests_unit_verb_stats_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_verb_stats_CFLAGS = $(UNIT_CFLAGS)
tests_unit_verb_stats_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/verb_doctor tests/unit/verb_gc
TESTS += tests/unit/verb_doctor tests/unit/verb_gc
tests_unit_verb_doctor_SOURCES = tests/unit/verb_doctor.c tests/unit/capture.h tests/unit/made_up.h tests/unit/tap.h
tests_unit_verb_doctor_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_verb_doctor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_verb_doctor_LDADD = $(UNIT_LIBS)
tests_unit_verb_gc_SOURCES = tests/unit/verb_gc.c tests/unit/capture.h tests/unit/verb_run.h tests/unit/state_help.h
tests_unit_verb_gc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_verb_gc_CFLAGS = $(UNIT_CFLAGS)
tests_unit_verb_gc_LDADD = $(UNIT_LIBS)

TESTS += tests/unit/cli.t tests/unit/new_plugin.t
EXTRA_DIST += tests/unit/cli.t tests/unit/new_plugin.t

check_PROGRAMS += tests/unit/supervisor
TESTS += tests/unit/supervisor
tests_unit_supervisor_SOURCES = tests/unit/supervisor.c tests/unit/scratch.h tests/unit/tap.h
tests_unit_supervisor_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_supervisor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_supervisor_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/manifest_compare
TESTS += tests/unit/manifest_compare
tests_unit_manifest_compare_SOURCES = tests/unit/manifest_compare.c tests/unit/scratch.h tests/unit/tap.h
tests_unit_manifest_compare_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_manifest_compare_CFLAGS = $(UNIT_CFLAGS)
tests_unit_manifest_compare_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/verb_apply
TESTS += tests/unit/verb_apply
tests_unit_verb_apply_SOURCES = tests/unit/verb_apply.c tests/unit/capture.h tests/unit/verb_run.h tests/unit/schema.h \
	tests/unit/state_help.h
tests_unit_verb_apply_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_verb_apply_CFLAGS = $(UNIT_CFLAGS)
tests_unit_verb_apply_LDADD = $(UNIT_LIBS)
EXTRA_tests_unit_verb_apply_DEPENDENCIES = tests/plugins/load/stamp
