// SPDX-License-Identifier: MIT
/*
 * Control commands against a real driver, without a server: needs root and /dev/ublk-control, and
 * is skipped elsewhere.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "device/params.h"
#include "kernel/ctrl_ring.h"
#include "tap.h"

static struct ctrl *ctrl;
static uint32_t dev_id;
static char line[1024];

static struct ublksrv_ctrl_dev_info wanted(void)
{
	return (struct ublksrv_ctrl_dev_info){ .nr_hw_queues = 1,
					       .queue_depth = 16,
					       .max_io_buf_bytes = 512 << 10,
					       .dev_id = UINT32_MAX };
}

static struct ublk_params good_params(void)
{
	return (struct ublk_params){ .len = sizeof(struct ublk_params),
				     .types = UBLK_PARAM_TYPE_BASIC,
				     .basic = { .logical_bs_shift = 9,
						.physical_bs_shift = 12,
						.io_min_shift = 12,
						.io_opt_shift = 12,
						.max_sectors = 1024,
						.dev_sectors = 2048 } };
}

static void setup(void)
{
	struct ublksrv_ctrl_dev_info info = wanted();
	int ret;

	ck_assert_int_eq(ctrl_open(&ctrl), 0);
	ret = ctrl_add_dev(ctrl, &info);
	ck_assert_msg(!ret, "%s",
		      ctrl_explain(UBLK_U_CMD_ADD_DEV, UINT32_MAX, ret, line, sizeof(line)));
	dev_id = info.dev_id;
}

static void teardown(void)
{
	ctrl_set_deadline(ctrl, CTRL_DEADLINE_MS);
	ctrl_del_dev(ctrl, dev_id);
	ctrl_close(ctrl);
}

static int open_char(void)
{
	char path[32];
	int fd = -1;

	snprintf(path, sizeof(path), "/dev/ublkc%u", dev_id);
	for (int i = 0; i < 100 && fd < 0; i++) { /* udev may hold it for a moment */
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			usleep(20000);
	}
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(info_comes_back_as_granted)
{
	struct ublksrv_ctrl_dev_info info = { 0 };

	ck_assert_int_eq(ctrl_get_dev_info(ctrl, dev_id, &info), 0);
	ck_assert_uint_eq(info.dev_id, dev_id);
	ck_assert_uint_eq(info.nr_hw_queues, 1);
	ck_assert_uint_eq(info.queue_depth, 16);
	ck_assert_uint_eq(info.max_io_buf_bytes, 512 << 10);
	ck_assert_uint_eq(info.state, UBLK_S_DEV_DEAD);
	ck_assert(ctrl_is_legacy(ctrl) || info.flags & UBLK_F_CMD_IOCTL_ENCODE);
}
END_TEST

START_TEST(params_come_back_as_set)
{
	struct ublk_params params = good_params(), back;

	ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), 0);
	ck_assert_int_eq(ctrl_get_params(ctrl, dev_id, &back), 0);
	ck_assert_int_eq(memcmp(&params.basic, &back.basic, sizeof(back.basic)), 0);
	ck_assert(back.types & UBLK_PARAM_TYPE_DEVT);
	ck_assert_uint_ne(back.devt.char_major, 0);
	ck_assert_uint_eq(back.devt.disk_major, 0);
}
END_TEST

START_TEST(affinity_names_a_cpu)
{
	cpu_set_t set[8]; /* 8192 CPUs, more than any kernel is built for */

	memset(set, 0, sizeof(set));
	ck_assert_int_eq(ctrl_get_queue_affinity(ctrl, dev_id, 0, set, sizeof(set)), 0);
	ck_assert_int_ge(CPU_COUNT_S(sizeof(set), set), 1);
	ck_assert_int_eq(ctrl_get_queue_affinity(ctrl, dev_id, 1, set, sizeof(set)), -EINVAL);
}
END_TEST

START_TEST(features_are_remembered)
{
	uint64_t first = 0, second = 0;
	int ret = ctrl_get_features(ctrl, &first);

	ck_assert(!ret || ret == -EOPNOTSUPP);
	ck_assert_int_eq(ctrl_get_features(ctrl, &second), ret);
	ck_assert_uint_eq(first, second);
	ck_assert(ret || first & UBLK_F_CMD_IOCTL_ENCODE);
}
END_TEST

START_TEST(start_without_server_times_out)
{
	struct ublk_params params = good_params();
	uint64_t start, took;
	int ret;

	ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), 0);
	ctrl_set_deadline(ctrl, 300);
	start = now_ms();
	ret = ctrl_start_dev(ctrl, dev_id, getpid());
	took = now_ms() - start;
	ck_assert_int_eq(ret, -ETIMEDOUT);
	ck_assert_uint_ge(took, 300);
	ck_assert_uint_lt(took, 1200);
	ctrl_explain(UBLK_U_CMD_START_DEV, dev_id, ret, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, "fetched"));
	/* and the ring is as good as before */
	ctrl_set_deadline(ctrl, CTRL_DEADLINE_MS);
	ck_assert_int_eq(ctrl_get_params(ctrl, dev_id, &params), 0);
	ck_assert_int_eq(ctrl_del_dev(ctrl, dev_id), 0);
	ck_assert_int_eq(ctrl_get_params(ctrl, dev_id, &params), -ENODEV);
}
END_TEST

START_TEST(begin_can_be_polled_and_cancelled)
{
	struct pollfd pfd = { .fd = ctrl_fd(ctrl), .events = POLLIN };
	struct ublk_params params = good_params();

	ck_assert_int_eq(ctrl_result(ctrl), -EINVAL);
	ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), 0);
	ck_assert_int_eq(ctrl_begin(ctrl, UBLK_U_CMD_START_DEV, dev_id, getpid()), 0);
	ck_assert_int_eq(poll(&pfd, 1, 100), 0);
	ck_assert_int_eq(ctrl_result(ctrl), -EINPROGRESS);
	ck_assert_int_eq(ctrl_get_params(ctrl, dev_id, &params), -EBUSY);
	ck_assert_int_eq(ctrl_begin(ctrl, UBLK_U_CMD_STOP_DEV, dev_id, 0), -EBUSY);
	ctrl_cancel(ctrl);
	ck_assert_int_eq(ctrl_result(ctrl), -ECANCELED);
	ck_assert_int_eq(ctrl_result(ctrl), -ECANCELED);
	/* one that ends by itself */
	ck_assert_int_eq(ctrl_begin(ctrl, UBLK_U_CMD_STOP_DEV, dev_id, 0), 0);
	ck_assert_int_eq(poll(&pfd, 1, 5000), 1);
	ck_assert_int_eq(ctrl_result(ctrl), 0);
	ctrl_cancel(ctrl); /* nothing to cancel: does nothing */
	ck_assert_int_eq(ctrl_result(ctrl), 0);
}
END_TEST

START_TEST(closing_in_mid_command_returns)
{
	struct ublk_params params = good_params();
	uint64_t start;

	ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), 0);
	ck_assert_int_eq(ctrl_begin(ctrl, UBLK_U_CMD_START_DEV, dev_id, getpid()), 0);
	start = now_ms();
	ctrl_close(ctrl);
	ck_assert_uint_lt(now_ms() - start, 1500);
	ck_assert_int_eq(ctrl_open(&ctrl), 0); /* for teardown */
}
END_TEST

START_TEST(delete_of_a_held_device_times_out)
{
	struct ublksrv_ctrl_dev_info info;
	int fd = open_char();
	int ret;

	ctrl_set_deadline(ctrl, 200);
	ret = ctrl_del_dev(ctrl, dev_id);
	ck_assert_int_eq(ret, -ETIMEDOUT);
	ctrl_explain(UBLK_U_CMD_DEL_DEV, dev_id, ret, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, "still holds /dev/ublkc"));
	close(fd);
	/* and goes by itself when it is let go of */
	for (int i = 0; i < 250 && ret != -ENODEV; i++) {
		usleep(20000);
		ret = ctrl_get_dev_info(ctrl, dev_id, &info);
	}
	ck_assert_int_eq(ret, -ENODEV);
}
END_TEST

START_TEST(errors_are_the_drivers)
{
	struct ublksrv_ctrl_dev_info info = wanted();
	struct ublk_params params = good_params();

	info.dev_id = dev_id;
	ck_assert_int_eq(ctrl_add_dev(ctrl, &info), -EEXIST);
	info = wanted();
	info.queue_depth = 0;
	ck_assert_int_eq(ctrl_add_dev(ctrl, &info), -EINVAL);
	params.basic.logical_bs_shift = 8;
	ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), -EINVAL);
	ck_assert_int_eq(ctrl_del_dev(ctrl, 1048575), -ENODEV);
	ck_assert_int_eq(ctrl_get_dev_info(ctrl, 1048575, &info), -ENODEV);
	ck_assert_int_eq(ctrl_start_dev(ctrl, dev_id, 0), -EINVAL);
	ck_assert_int_eq(ctrl_set_dev_path(ctrl, dev_id, "/nowhere"), 0);
	ck_assert_int_eq(ctrl_set_dev_path(ctrl, dev_id, NULL), 0);
	ck_assert_int_eq(ctrl_get_dev_info(ctrl, dev_id, &info), 0);
}
END_TEST

/* An unprivileged user's device, first as that user, then as root. */
START_TEST(unprivileged_devices_get_their_path)
{
	const uid_t nobody = 65534;
	struct ublksrv_ctrl_dev_info info = wanted(), back;
	struct ublk_params params = good_params();
	struct ctrl *other;
	char path[32];
	int ret;

	ck_assert_int_eq(ctrl_open(&other), 0);
	ck_assert_int_eq(setresuid(nobody, nobody, 0), 0);
	ck_assert_int_eq(ctrl_add_dev(other, &info), -EPERM);
	info.flags = UBLK_F_UNPRIVILEGED_DEV;
	ret = ctrl_add_dev(other, &info);
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	if (ret == -EPERM) /* an older driver: root's only */
		goto out;
	ck_assert_int_eq(ret, 0);
	ck_assert(info.flags & UBLK_F_UNPRIVILEGED_DEV);
	ck_assert_uint_eq(info.owner_uid, nobody);
	snprintf(path, sizeof(path), "/dev/ublkc%u", info.dev_id);
	ck_assert_int_eq(chown(path, nobody, -1), 0); /* as a udev rule does */

	ck_assert_int_eq(setresuid(nobody, nobody, 0), 0);
	ck_assert_int_eq(ctrl_set_params(other, info.dev_id, &params), 0);
	ck_assert_int_eq(ctrl_get_params(other, info.dev_id, &params), 0);
	ck_assert_uint_eq(params.basic.dev_sectors, 2048);
	ck_assert_int_eq(ctrl_get_dev_info(ctrl, dev_id, &back), -EPERM); /* root's */
	ck_assert_int_eq(setresuid(0, 0, 0), 0);

	ck_assert_int_eq(ctrl_get_dev_info(ctrl, info.dev_id, &back), 0);
	ck_assert_uint_eq(back.owner_uid, nobody);
	ck_assert_int_eq(ctrl_get_params(ctrl, info.dev_id, &params), 0);
	ck_assert_int_eq(ctrl_del_dev(ctrl, info.dev_id), 0);
out:
	ctrl_close(other);
}
END_TEST

/* A ring that keeps its rights commands the driver for who has none any more, and does nothing else. */
START_TEST(rights_are_kept)
{
	const uid_t nobody = 65534;
	struct ublksrv_ctrl_dev_info info = wanted();
	struct ctrl *kept;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(ctrl_open(&kept), 0);
	/* what is known of the driver stays known: commands of queues have the same opcodes */
	kept->encoding = ENC_LEGACY;
	ck_assert_int_eq(ctrl_keep_rights(kept), 0);
	ck_assert(ctrl_is_legacy(kept));
	kept->encoding = ENC_UNKNOWN;
	ck_assert_int_eq(setresuid(nobody, nobody, 0), 0);
	ck_assert_int_eq(ctrl_add_dev(ctrl, &info), -EPERM);
	ck_assert_int_eq(ctrl_add_dev(kept, &info), 0);
	ck_assert_int_eq(ctrl_del_dev(kept, info.dev_id), 0);
	for (int i = 0; i < 3; i++) {
		sqe = io_uring_get_sqe(&kept->ring);
		if (i == 0)
			io_uring_prep_nop(sqe);
		else if (i == 1)
			io_uring_prep_openat(sqe, AT_FDCWD, "/etc/shadow", O_RDONLY, 0);
		else /* a command, to a file that is not the driver's */
			io_uring_prep_rw(IORING_OP_URING_CMD, sqe, kept->fd, NULL, 0, 0);
		sqe->personality = kept->personality;
		ck_assert_int_eq(io_uring_submit_and_wait(&kept->ring, 1), 1);
		ck_assert_int_eq(io_uring_wait_cqe(&kept->ring, &cqe), 0);
		ck_assert_int_eq(cqe->res, -EACCES);
		io_uring_cqe_seen(&kept->ring, cqe);
	}
	ck_assert_int_eq(io_uring_register_personality(&kept->ring), -EACCES);
	ck_assert_int_eq(io_uring_register_files_update(&kept->ring, 0, &kept->fd, 1), -EACCES);
	ctrl_close(kept);
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
}
END_TEST

/* A driver without GET_FEATURES (6.4) is told from one that knows raw opcodes only. */
START_TEST(encoding_is_found_without_features)
{
	struct ublksrv_ctrl_dev_info info;

	ctrl->has_features = true;
	ctrl->features_err = -EOPNOTSUPP;
	ctrl->encoding = ENC_UNKNOWN;
	ck_assert_int_eq(ctrl_get_dev_info(ctrl, dev_id, &info), 0);
	ck_assert_int_eq(ctrl->encoding, ENC_IOCTL);
}
END_TEST

/* Raw opcodes, where this kernel still takes them. */
START_TEST(raw_opcodes_work_where_they_exist)
{
	struct ublksrv_ctrl_dev_info info = { 0 };
	struct ublk_params params = good_params();
	int ret;

	ctrl->encoding = ENC_LEGACY;
	ret = ctrl_get_dev_info(ctrl, dev_id, &info);
	if (ret != -EOPNOTSUPP) {
		ck_assert_int_eq(ret, 0);
		ck_assert_uint_eq(info.dev_id, dev_id);
		ck_assert_int_eq(ctrl_set_params(ctrl, dev_id, &params), 0);
		ck_assert_int_eq(ctrl_del_dev(ctrl, dev_id), 0);
	}
	ctrl->encoding = ENC_IOCTL;
}
END_TEST

/* Limits at the borders of what limits_check() allows: the driver must agree. */
START_TEST(limits_that_pass_are_accepted)
{
	static const uint32_t blocks[] = { 512, 4096 }, physicals[] = { 4096, 256 << 20 },
			      max_ios[] = { 64 << 10, 32 << 20 }, aligns[] = { 1, 4, 8, 4096 };
	static const uint64_t discards[] = { 0, 512, 4096, UINT64_MAX };
	struct ublksrv_ctrl_dev_info info = wanted();
	struct device_config cfg;
	struct ublk_params params;

	device_config_init(&cfg);
	info.max_io_buf_bytes = 32 << 20;
	ck_assert_int_eq(ctrl_add_dev(ctrl, &info), 0);
	for (unsigned int i = 0; i < 2 * 2 * 2 * 4 * 4 * 4; i++) {
		struct ublk_limits limits = {
			.struct_size = sizeof(limits),
			.attrs = i & 15,
			.size_bytes = i & 1 ? 4096 : INT64_MAX - 4095,
			.logical_block = blocks[i & 1],
			.physical_block = physicals[i >> 1 & 1],
			.max_io_bytes = max_ios[i >> 2 & 1],
			.dma_align = aligns[i >> 3 & 3],
			.discard_granularity = 512,
			.max_discard_bytes = discards[i >> 5 & 3],
			.max_write_zeroes_bytes = discards[i >> 7 & 3],
			.max_queues = 1,
			.max_depth = 16,
		};

		ck_assert_int_eq(limits_check("border", &limits, &cfg), 0);
		params_build(&limits, true, &params);
		ck_assert_int_eq(ctrl_set_params(ctrl, info.dev_id, &params), 0);
	}
	ck_assert_int_eq(ctrl_del_dev(ctrl, info.dev_id), 0);
	device_config_free(&cfg);
}
END_TEST

int main(void)
{
	Suite *suite;
	TCase *tc;

	if (access(UBLK_CONTROL_PATH, R_OK | W_OK) || geteuid()) {
		puts("1..0 # SKIP needs root and " UBLK_CONTROL_PATH);
		return 0;
	}
	suite = suite_create("kernel/ctrl on a real driver");
	tc = tcase_create("no server");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, info_comes_back_as_granted);
	tcase_add_test(tc, params_come_back_as_set);
	tcase_add_test(tc, affinity_names_a_cpu);
	tcase_add_test(tc, features_are_remembered);
	tcase_add_test(tc, start_without_server_times_out);
	tcase_add_test(tc, begin_can_be_polled_and_cancelled);
	tcase_add_test(tc, closing_in_mid_command_returns);
	tcase_add_test(tc, delete_of_a_held_device_times_out);
	tcase_add_test(tc, errors_are_the_drivers);
	tcase_add_test(tc, unprivileged_devices_get_their_path);
	tcase_add_test(tc, rights_are_kept);
	tcase_add_test(tc, encoding_is_found_without_features);
	tcase_add_test(tc, raw_opcodes_work_where_they_exist);
	tcase_add_test(tc, limits_that_pass_are_accepted);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
