// SPDX-License-Identifier: MIT
/* Whether there is room for a device, by limits that are made up. */
#include <string.h>
#include <sys/resource.h>

#include "device/headroom.h"
#include "kernel/uapi.h"
#include "queue/queue.h"
#include "tap.h"

static struct knobs knobs;
static struct headroom_need need;
static struct finding finding;

#define has(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text)

static void setup(void)
{
	knobs = (struct knobs){ .io_uring_disabled = 0,
				.io_uring_group = -1,
				.ublks_max = 64,
				.files = 1024,
				.files_max = 4096,
				.files_open = 10,
				.locked = 64 << 10,
				.memory = { .max = KNOB_UNLIMITED } };
	need = (struct headroom_need){ .rings = 4, .depth = 128, .ring_bytes = 52 << 10 };
	memset(&finding, 0xee, sizeof(finding));
}

static void is(enum finding_level level)
{
	ck_assert_msg(finding.level == level, "level %d: %s", finding.level, finding.why);
	ck_assert_ptr_null(strchr(finding.why, '\n'));
	ck_assert_uint_gt(strlen(finding.why), 0);
	ck_assert_int_eq(!*finding.todo, level == FINDING_OK);
}

START_TEST(rings)
{
	headroom_ring(&knobs, &finding);
	is(FINDING_OK);
	knobs.io_uring_disabled = -1;
	headroom_ring(&knobs, &finding);
	is(FINDING_OK);
	knobs.io_uring_disabled = 2;
	headroom_ring(&knobs, &finding);
	is(FINDING_BAD);
	has(finding.why, "kernel.io_uring_disabled is 2");
	has(finding.todo, "io_uring_disabled=0");
	knobs.io_uring_disabled = 1;
	headroom_ring(&knobs, &finding);
	is(FINDING_BAD);
	has(finding.todo, "io_uring_group");
	knobs.cap_sys_admin = true;
	headroom_ring(&knobs, &finding);
	is(FINDING_OK);
}
END_TEST

/* Which devices count is told by what else the driver has. */
START_TEST(devices)
{
	const uint64_t old = UBLK_F_USER_COPY, recent = old | UBLK_F_SUPPORT_ZERO_COPY;

	knobs.devices = 10;
	headroom_devices(&knobs, old, &finding);
	is(FINDING_OK);
	knobs.devices = 48;
	headroom_devices(&knobs, old, &finding);
	is(FINDING_NOTE);
	knobs.devices = 64;
	headroom_devices(&knobs, old, &finding);
	is(FINDING_BAD);
	has(finding.why, "64 devices");
	has(finding.todo, "/sys/module/ublk_drv/parameters/ublks_max");
	headroom_devices(&knobs, recent, &finding);
	is(FINDING_OK);
	has(finding.why, "unprivileged");
	headroom_devices(&knobs, 0, &finding); /* the driver could not be asked */
	is(FINDING_OK);
	knobs.ublks_max = 0;
	knobs.devices = 0;
	headroom_devices(&knobs, old, &finding);
	is(FINDING_BAD);
	knobs.ublks_max = -1;
	headroom_devices(&knobs, old, &finding);
	is(FINDING_OK);
}
END_TEST

START_TEST(files)
{
	headroom_files(&knobs, &need, &finding);
	is(FINDING_OK);
	need.rings = (4096 - 10 - 16) / 2;
	headroom_files(&knobs, &need, &finding);
	is(FINDING_OK);
	need.rings++;
	headroom_files(&knobs, &need, &finding);
	is(FINDING_BAD);
	has(finding.why, "this process may have 4096");
	has(finding.todo, "LimitNOFILE=");
	knobs.files = knobs.files_max = KNOB_UNLIMITED;
	headroom_files(&knobs, &need, &finding);
	is(FINDING_OK);
}
END_TEST

START_TEST(locked)
{
	headroom_locked(&knobs, &need, 0, &finding);
	is(FINDING_OK);
	has(finding.why, "64 KiB");
	headroom_locked(&knobs, &need, -ENOMEM, &finding);
	is(FINDING_BAD);
	has(finding.why, "208 KiB of locked memory");
	has(finding.why, "64 KiB (RLIMIT_MEMLOCK)");
	has(finding.todo, "LimitMEMLOCK=");
	headroom_locked(&knobs, &need, -EMFILE, &finding);
	is(FINDING_BAD);
	ck_assert_ptr_null(strstr(finding.todo, "MEMLOCK"));
	knobs.cap_ipc_lock = true;
	headroom_locked(&knobs, &need, -ENOMEM, &finding);
	is(FINDING_BAD);
	ck_assert_ptr_null(strstr(finding.todo, "MEMLOCK"));
	headroom_locked(&knobs, &need, 0, &finding);
	is(FINDING_OK);
	has(finding.why, "not limited");
}
END_TEST

START_TEST(memory)
{
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_OK);
	knobs.memory = (struct memory_limit){ .max = 64 << 20, .file = "/c/memory.max" };
	need.buffer_bytes = 16 << 20;
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_OK);
	need.store_bytes = 1 << 30; /* sparse: it may never be full */
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_NOTE);
	has(finding.why, "/c/memory.max allows 64 MiB");
	has(finding.why, "1024 MiB for what it stores");
	has(finding.todo, "MemoryMax=");
	need.store_bytes = 0;
	need.buffer_bytes = 64 << 20;
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_NOTE);
	need.fixed_bytes = 65 << 20;
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_BAD);
	has(finding.why, "65 MiB of memory from the start");
	need.store_bytes = UINT64_MAX / 2; /* nothing overflows */
	need.fixed_bytes = 0;
	headroom_memory(&knobs, &need, &finding);
	is(FINDING_NOTE);
}
END_TEST

START_TEST(needs_of_limits)
{
	struct ublk_limits limits = {
		.max_queues = 2, .max_depth = 128, .max_io_bytes = 512 << 10, .io_scratch_bytes = 64
	};

	need = headroom_need_of(&limits, 4, true);
	ck_assert_uint_eq(need.rings, 4);
	ck_assert_uint_eq(need.depth, 128);
	ck_assert_uint_eq(need.buffer_bytes, 4ull * 128 * (512 << 10) + 4 * 128 * 4 * 64);
	/* 264 entries are 512: 64 bytes and an index for each, and two completions */
	ck_assert_uint_eq(need.ring_bytes, 512 * (64 + 4 + 32));
	ck_assert_uint_eq(headroom_need_of(&limits, 4, false).buffer_bytes, 4 * 128 * 4 * 64);
}
END_TEST

/* The kernel itself says whether rings can be had. */
START_TEST(rings_are_tried)
{
	struct ublk_limits limits = { .max_queues = 2, .max_depth = 128 };
	struct rlimit before, few = { 16, 0 };
	int err = queue_rings_try(2, 128, &limits);

	if (err == -EPERM || err == -ENOSYS)
		return; /* io_uring is not for this process */
	ck_assert_int_eq(err, 0);
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(queue_rings_try(20, 4, &limits), -EMFILE);
	ck_assert_int_eq(queue_rings_try(2, 4, &limits), 0); /* none of them was left */
	setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("room for a device");
	TCase *tc = tcase_create("headroom");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, rings);
	tcase_add_test(tc, devices);
	tcase_add_test(tc, files);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, memory);
	tcase_add_test(tc, needs_of_limits);
	tcase_add_test(tc, rings_are_tried);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
