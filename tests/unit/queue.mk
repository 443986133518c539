# SPDX-License-Identifier: MIT
# The data plane over requests made up in-process.
QUEUE_TESTS = \
	tests/unit/test_queue_async \
	tests/unit/test_queue_async_bad \
	tests/unit/test_queue_call \
	tests/unit/test_queue_chain \
	tests/unit/test_queue_cost \
	tests/unit/test_queue_end \
	tests/unit/test_queue_files \
	tests/unit/test_queue_forbidden \
	tests/unit/test_queue_map \
	tests/unit/test_queue_memory \
	tests/unit/test_queue_misuse \
	tests/unit/test_queue_paths \
	tests/unit/test_queue_poll \
	tests/unit/test_queue_ranges \
	tests/unit/test_queue_ring \
	tests/unit/test_queue_ring_end \
	tests/unit/test_queue_shared \
	tests/unit/test_queue_short \
	tests/unit/test_queue_stats \
	tests/unit/test_queue_leave \
	tests/unit/test_queue_size \
	tests/unit/test_queue_stuck \
	tests/unit/test_queue_taken
check_PROGRAMS += tests/unit/cost_null
dist_check_SCRIPTS += tests/unit/instructions.t
TESTS += tests/unit/instructions.t
tests_unit_cost_null_SOURCES = tests/unit/cost_null.c plugins/null.c $(PLANE)
tests_unit_cost_null_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_cost_null_CFLAGS = $(UNIT_CFLAGS)
tests_unit_cost_null_LDADD = $(UNIT_LIBS)

EXTRA_DIST += tests/unit/tsan.supp tests/unit/valgrind.supp
check_PROGRAMS += $(QUEUE_TESTS)
TESTS += $(QUEUE_TESTS)
PLANE = tests/unit/plane.c tests/unit/plane.h tests/unit/plane_async.c tests/unit/plane_async.h \
	tests/unit/plane_tools.c

tests_unit_test_queue_async_SOURCES = tests/unit/test_queue_async.c $(PLANE)
tests_unit_test_queue_async_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_async_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_async_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_async_bad_SOURCES = tests/unit/test_queue_async_bad.c $(PLANE)
tests_unit_test_queue_async_bad_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_async_bad_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_async_bad_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_call_SOURCES = tests/unit/test_queue_call.c $(PLANE)
tests_unit_test_queue_call_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_call_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_call_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_chain_SOURCES = tests/unit/test_queue_chain.c $(PLANE)
tests_unit_test_queue_chain_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_chain_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_chain_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_cost_SOURCES = tests/unit/test_queue_cost.c $(PLANE)
tests_unit_test_queue_cost_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_cost_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_cost_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_end_SOURCES = tests/unit/test_queue_end.c $(PLANE)
tests_unit_test_queue_end_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_end_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_end_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_files_SOURCES = tests/unit/test_queue_files.c $(PLANE)
tests_unit_test_queue_files_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_files_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_files_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_forbidden_SOURCES = tests/unit/test_queue_forbidden.c $(PLANE)
tests_unit_test_queue_forbidden_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_forbidden_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_forbidden_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_map_SOURCES = tests/unit/test_queue_map.c $(PLANE)
tests_unit_test_queue_map_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_map_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_map_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_memory_SOURCES = tests/unit/test_queue_memory.c $(PLANE)
tests_unit_test_queue_memory_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_memory_LDFLAGS = -Wl,--wrap=mmap,--wrap=io_uring_submit
tests_unit_test_queue_memory_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_misuse_SOURCES = tests/unit/test_queue_misuse.c $(PLANE)
tests_unit_test_queue_misuse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_misuse_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_misuse_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_paths_SOURCES = tests/unit/test_queue_paths.c $(PLANE)
tests_unit_test_queue_paths_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_paths_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_paths_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_poll_SOURCES = tests/unit/test_queue_poll.c $(PLANE)
tests_unit_test_queue_poll_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_poll_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_poll_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_ranges_SOURCES = tests/unit/test_queue_ranges.c $(PLANE)
tests_unit_test_queue_ranges_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_ranges_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_ranges_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_ring_SOURCES = tests/unit/test_queue_ring.c $(PLANE)
tests_unit_test_queue_ring_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_ring_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_ring_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_ring_end_SOURCES = tests/unit/test_queue_ring_end.c $(PLANE)
tests_unit_test_queue_ring_end_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_ring_end_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_ring_end_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_shared_SOURCES = tests/unit/test_queue_shared.c $(PLANE)
tests_unit_test_queue_shared_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_shared_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_shared_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_short_SOURCES = tests/unit/test_queue_short.c $(PLANE)
tests_unit_test_queue_short_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_short_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_short_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_stats_SOURCES = tests/unit/test_queue_stats.c $(PLANE)
tests_unit_test_queue_stats_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_stats_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_stats_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_size_SOURCES = tests/unit/test_queue_size.c $(PLANE)
tests_unit_test_queue_size_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_size_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_size_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_leave_SOURCES = tests/unit/test_queue_leave.c $(PLANE)
tests_unit_test_queue_leave_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_leave_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_leave_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_stuck_SOURCES = tests/unit/test_queue_stuck.c $(PLANE)
tests_unit_test_queue_stuck_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_stuck_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_stuck_LDFLAGS = -Wl,--wrap=fallocate
tests_unit_test_queue_stuck_LDADD = $(UNIT_LIBS)

tests_unit_test_queue_taken_SOURCES = tests/unit/test_queue_taken.c $(PLANE)
tests_unit_test_queue_taken_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_taken_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_taken_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/path_choice
TESTS += tests/unit/path_choice
tests_unit_path_choice_SOURCES = tests/unit/path_choice.c
tests_unit_path_choice_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_path_choice_CFLAGS = $(UNIT_CFLAGS)
tests_unit_path_choice_LDADD = $(UNIT_LIBS)

# A whole device, and the whole host, with a driver that the test plays.
FAKE_DRIVER = tests/unit/fake_driver.c tests/unit/fake_driver.h tests/unit/plane_tools.c
FAKE_DRIVER_WRAPS = -Wl,--wrap=ctrl_open,--wrap=ctrl_keep_rights,--wrap=ctrl_close,--wrap=ctrl_set_deadline,--wrap=ctrl_is_legacy \
	-Wl,--wrap=ctrl_get_features,--wrap=ctrl_add_dev,--wrap=ctrl_set_params,--wrap=ctrl_get_params \
	-Wl,--wrap=ctrl_get_dev_info,--wrap=ctrl_get_queue_affinity,--wrap=ctrl_del_dev,--wrap=ctrl_plain \
	-Wl,--wrap=ctrl_begin,--wrap=ctrl_result,--wrap=ctrl_cancel,--wrap=ctrl_fd \
	-Wl,--wrap=transport_kernel_init,--wrap=sysfs_wait_node,--wrap=sysfs_devices,--wrap=sysfs_disk \
	-Wl,--wrap=sysfs_device_entry,--wrap=disk_users_find,--wrap=knobs_privileged,--wrap=open,--wrap=stat,--wrap=access
check_PROGRAMS += tests/unit/device_life tests/unit/fake_host
TESTS += tests/unit/device_life
dist_check_SCRIPTS += tests/unit/verbs.t
TESTS += tests/unit/verbs.t
tests_unit_device_life_SOURCES = tests/unit/device_life.c tests/unit/device_life_help.h \
	$(FAKE_DRIVER) tests/unit/plane.h tests/unit/state_help.h
tests_unit_device_life_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_device_life_CFLAGS = $(UNIT_CFLAGS)
tests_unit_device_life_LDFLAGS = $(FAKE_DRIVER_WRAPS)
tests_unit_device_life_LDADD = $(UNIT_LIBS)

tests_unit_fake_host_SOURCES = core/main.c $(FAKE_DRIVER)
tests_unit_fake_host_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_fake_host_CFLAGS = $(UNIT_CFLAGS)
tests_unit_fake_host_LDFLAGS = $(FAKE_DRIVER_WRAPS)
tests_unit_fake_host_LDADD = $(UNIT_LIBS)
