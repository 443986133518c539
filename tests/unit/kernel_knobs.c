// SPDX-License-Identifier: MIT
/* The limits that administrators set: read from a made-up system, and explained when they are hit. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>

#include "kernel/bad_kernels.h"
#include "kernel/ctrl.h"
#include "kernel/knobs.h"
#include "made_up.h"
#include "tap.h"

static char line[1024];
static struct knobs knobs;

#define has(text) ck_assert_msg(strstr(line, text) != NULL, "no \"%s\" in: %s", text, line)
#define lacks(text) ck_assert_msg(strstr(line, text) == NULL, "\"%s\" in: %s", text, line)

static void ring_failure(int err)
{
	knob_ring_failure("6.1.0-9", root, err, line, sizeof(line));
	ck_assert_ptr_null(strchr(line, '\n'));
}

static void put_status(const char *caps)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "Name:\tx\nGid:\t100 100 100 100\nGroups:\t7 27\nCapEff:\t%s\n", caps);
	put("/proc/self/status", text);
}

static void put_limits(const char *files, const char *most, const char *locked)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "Limit                     Soft Limit           Hard Limit           Units\n"
		 "Max open files            %s   %s    files\n"
		 "Max locked memory         %s   8388608    bytes\n",
		 files, most, locked);
	put("/proc/self/limits", text);
}

START_TEST(nothing_is_no_limit)
{
	knobs_read(root, &knobs);
	ck_assert_int_eq(knobs.io_uring_disabled, -1);
	ck_assert_int_eq(knobs.io_uring_group, -1);
	ck_assert_int_eq(knobs.ublks_max, -1);
	ck_assert_uint_eq(knobs.devices, 0);
	ck_assert_uint_eq(knobs.memory.max, KNOB_UNLIMITED);
	ck_assert_str_eq(knobs.memory.file, "");
	ck_assert(!knobs_forbid_ring(&knobs));
	ck_assert(!knobs.cap_sys_admin && !knobs.cap_ipc_lock);
}
END_TEST

START_TEST(all_is_read)
{
	put("/proc/sys/kernel/io_uring_disabled", "1\n");
	put("/proc/sys/kernel/io_uring_group", "27\n");
	put("/sys/module/ublk_drv/parameters/ublks_max", "0\n");
	put("/sys/class/ublk-char/ublkc0/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkc5/dev", "1:1\n");
	put("/proc/self/fd/0", "");
	put("/proc/self/fd/1", "");
	put("/proc/self/fd/7", "");
	put_status("0000000000204000");
	put_limits("256", "1024", "unlimited");
	knobs_read(root, &knobs);
	ck_assert_int_eq(knobs.io_uring_disabled, 1);
	ck_assert_int_eq(knobs.io_uring_group, 27);
	ck_assert_int_eq(knobs.ublks_max, 0);
	ck_assert_uint_eq(knobs.devices, 2);
	ck_assert_uint_eq(knobs.files_open, 3);
	ck_assert_uint_eq(knobs.files, 256);
	ck_assert_uint_eq(knobs.files_max, 1024);
	ck_assert_uint_eq(knobs.locked, KNOB_UNLIMITED);
	ck_assert(knobs.cap_sys_admin);
	ck_assert(knobs.cap_ipc_lock);
	ck_assert(knobs.in_io_uring_group);
}
END_TEST

START_TEST(who_may_have_a_ring)
{
	put_status("0000000000000000");
	put("/proc/sys/kernel/io_uring_disabled", "1\n");
	put("/proc/sys/kernel/io_uring_group", "28\n");
	knobs_read(root, &knobs);
	ck_assert(knobs_forbid_ring(&knobs));
	put("/proc/sys/kernel/io_uring_group", "-1\n");
	knobs_read(root, &knobs);
	ck_assert(knobs_forbid_ring(&knobs));
	ring_failure(-EPERM);
	has("kernel.io_uring_disabled is 1");
	has("kernel.io_uring_group");
	put("/proc/sys/kernel/io_uring_group", "100\n");
	knobs_read(root, &knobs);
	ck_assert(!knobs_forbid_ring(&knobs));
	put("/proc/sys/kernel/io_uring_group", "-1\n");
	put_status("0000000000200000");
	knobs_read(root, &knobs);
	ck_assert(!knobs_forbid_ring(&knobs));
	ring_failure(-EPERM); /* it was something else then */
	has("seccomp");
	put("/proc/sys/kernel/io_uring_disabled", "2\n");
	knobs_read(root, &knobs);
	ck_assert(knobs_forbid_ring(&knobs));
	ring_failure(-EPERM);
	has("sysctl kernel.io_uring_disabled=0");
}
END_TEST

static void put_cgroup(const char *top, const char *group)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "22 1 0:21 / /proc rw - proc proc rw\n"
		 "30 1 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		 "31 1 0:30 %s /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
		 top);
	put("/proc/self/mountinfo", text);
	snprintf(text, sizeof(text), "3:memory:/old\n0::%s\n", group);
	put("/proc/self/cgroup", text);
}

START_TEST(the_narrowest_memory_limit_counts)
{
	put_cgroup("/", "/a.slice/b.slice/c.service");
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, KNOB_UNLIMITED);
	put("/sys/fs/cgroup/a.slice/b.slice/c.service/memory.max", "max\n");
	put("/sys/fs/cgroup/a.slice/b.slice/memory.max", "1048576\n");
	put("/sys/fs/cgroup/a.slice/memory.max", "2097152\n");
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, 1048576);
	ck_assert_str_eq(knobs.memory.file, "/sys/fs/cgroup/a.slice/b.slice/memory.max");
	put("/sys/fs/cgroup/a.slice/memory.max", "4096\n");
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, 4096);
	put_cgroup("/", "/");
	put("/sys/fs/cgroup/memory.max", "8192\n"); /* of a container, seen from inside */
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, 8192);
	ck_assert_str_eq(knobs.memory.file, "/sys/fs/cgroup/memory.max");
}
END_TEST

START_TEST(a_part_of_the_hierarchy)
{
	put_cgroup("/pod", "/pod/inner");
	put("/sys/fs/cgroup/inner/memory.max", "16384\n");
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, 16384);
	put_cgroup("/pod", "/elsewhere");
	knobs_read(root, &knobs);
	ck_assert_uint_eq(knobs.memory.max, KNOB_UNLIMITED);
}
END_TEST

START_TEST(failures_name_the_knob)
{
	put_status("0000000000000000");
	put_limits("20", "20", "65536");
	ring_failure(-ENOMEM);
	has("may lock 64 KiB");
	has("LimitMEMLOCK=");
	put_status("0000000000004000"); /* CAP_IPC_LOCK: that limit is not ours */
	ring_failure(-ENOMEM);
	lacks("LimitMEMLOCK=");
	put_cgroup("/", "/a");
	put("/sys/fs/cgroup/a/memory.max", "1048576\n");
	ring_failure(-ENOMEM);
	has("/sys/fs/cgroup/a/memory.max");
	has("MemoryMax=");
	ring_failure(-EMFILE);
	has("20 files open");
	has("LimitNOFILE=");
	ring_failure(-ENFILE);
	has("fs.file-max");
	ring_failure(-ENOSYS);
	has("CONFIG_IO_URING");
	ring_failure(-EINVAL);
	has("6.1.0-9 is too old");
	ring_failure(-EDOM);
	has(strerror(EDOM));
	knob_file_failure(root, -EACCES, line, sizeof(line));
	ck_assert_str_eq(line, strerror(EACCES));
	ctrl_explain_open("6.1.0-9", root, false, -EMFILE, line, sizeof(line));
	has("/dev/ublk-control");
	has("LimitNOFILE=");
}
END_TEST

/* When no file can be opened, there is none to read limits from. */
START_TEST(no_file_left)
{
	struct rlimit none = { 0, 0 }, before;

	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_lt(open("/dev/null", O_RDONLY), 0);
	ck_assert_int_eq(errno, EMFILE);
	knob_file_failure("", -EMFILE, line, sizeof(line));
	setrlimit(RLIMIT_NOFILE, &before);
	has("may have 0 files open");
}
END_TEST

START_TEST(bad_kernels_have_a_source)
{
	static const char *const risky[] = { "6.7.0", "6.8.0-137-generic", "6.12.95+deb12-amd64",
					     "6.14", "6.14.5" };
	static const char *const sound[] = { "6.1.0-18-amd64", "6.6.99", "6.14.6", "6.15.0",
					     "6.18.4",	       "7.3.4",	 "5.15.0", "" };
	static const char *const bad[] = { "6.18.4", "6.18.5-arch1-1", "6.17.0-1015-azure",
					   "6.17.0-1017-aws" };
	static const char *const good[] = {
		"6.18.6",	  "6.18.44-fc", "6.18.50", "6.17.0-5-generic",
		"6.17.1-1-azure", "6.12.9",	""
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct bad_kernel *found = bad_kernel_find(bad[i]);

		ck_assert_msg(found != NULL, "%s", bad[i]);
		ck_assert_int_eq(strncmp(found->source, "https://", 8), 0);
		ck_assert_uint_gt(strlen(found->what), 0);
		ck_assert_uint_gt(strlen(found->remedy), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(bad_kernel_find(good[i]) == NULL, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(risky); i++)
		ck_assert_msg(risky_kernel_find(risky[i]) != NULL, "%s", risky[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sound); i++)
		ck_assert_msg(risky_kernel_find(sound[i]) == NULL, "%s", sound[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits that administrators set");
	TCase *tc = tcase_create("knobs");

	tcase_add_checked_fixture(tc, made_up_setup, made_up_teardown);
	tcase_add_test(tc, nothing_is_no_limit);
	tcase_add_test(tc, all_is_read);
	tcase_add_test(tc, who_may_have_a_ring);
	tcase_add_test(tc, the_narrowest_memory_limit_counts);
	tcase_add_test(tc, a_part_of_the_hierarchy);
	tcase_add_test(tc, failures_name_the_knob);
	tcase_add_test(tc, no_file_left);
	tcase_add_test(tc, bad_kernels_have_a_source);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
