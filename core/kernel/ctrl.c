// SPDX-License-Identifier: MIT
/*
 * The control commands, and what differs between drivers: raw or encoded opcodes, and the paths
 * that unprivileged devices want. How a command is carried out is in ctrl_ring.c.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "kernel/ctrl_ring.h"
#include "kernel/sysfs.h"

static void log_open_failure(bool ring, int err)
{
	char release[64], line[512];

	kernel_release(release, sizeof(release));
	log_err("%s", ctrl_explain_open(release, "", ring, err, line, sizeof(line)));
}

int ctrl_open(struct ctrl **out)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 };
	struct ctrl *ctrl = calloc(1, sizeof(*ctrl));
	bool ring = false;
	int err = -ENOMEM;

	*out = NULL;
	if (!ctrl)
		goto fail;
	ctrl->fd = -1;
	ctrl->deadline_ms = CTRL_DEADLINE_MS;
	ctrl->path_id = UINT32_MAX;
	ctrl->buf = calloc(1, CTRL_BUF_SIZE);
	if (!ctrl->buf)
		goto fail;
	ctrl->fd = open(UBLK_CONTROL_PATH, O_RDWR | O_CLOEXEC);
	if (ctrl->fd < 0) {
		err = -errno;
		goto fail;
	}
	ring = true;
	err = io_uring_queue_init_params(CTRL_RING_ENTRIES, &ctrl->ring, &params);
	if (err)
		goto fail;
	ctrl->ring_up = true;
	*out = ctrl;
	return 0;
fail:
	log_open_failure(ring, err);
	ctrl_close(ctrl);
	return err;
}

/* What liburing 2.3 declares and does not export. */
static int ring_register(struct io_uring *ring, unsigned int op, const void *arg, unsigned int nr)
{
	return syscall(SYS_io_uring_register, ring->ring_fd, op, arg, nr) < 0 ? -errno : 0;
}

/* A personality is the rights of who registers it, for requests that name it: its number, or -errno.
 * Restrictions are for good, from when the ring is enabled. */
static int restrict_ring(struct io_uring *ring, int fd)
{
	const struct io_uring_restriction only[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_URING_CMD },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		  .register_op = IORING_REGISTER_SYNC_CANCEL },
	};
	int personality, err = io_uring_register_files(ring, &fd, 1);

	if (err)
		return err;
	personality = io_uring_register_personality(ring);
	if (personality < 0)
		return personality;
	err = ring_register(ring, IORING_REGISTER_RESTRICTIONS, only, ARRAY_SIZE(only));
	if (!err)
		err = ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return err ? err : personality;
}

int ctrl_keep_rights(struct ctrl *ctrl)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 | IORING_SETUP_R_DISABLED };
	struct io_uring ring;
	int err = io_uring_queue_init_params(CTRL_RING_ENTRIES, &ring, &params);

	if (!err) {
		err = restrict_ring(&ring, ctrl->fd);
		if (err < 0)
			io_uring_queue_exit(&ring);
	}
	if (err < 0) {
		log_err("making a ring that commands the driver when the rights to do so are gone: %s",
			strerror(-err));
		return err;
	}
	io_uring_queue_exit(&ctrl->ring);
	ctrl->ring = ring;
	ctrl->personality = err;
	return 0;
}

void ctrl_close(struct ctrl *ctrl)
{
	if (!ctrl)
		return;
	if (ctrl->pending)
		ctrl_cancel(ctrl);
	if (ctrl->ring_up)
		io_uring_queue_exit(&ctrl->ring);
	if (ctrl->fd >= 0)
		close(ctrl->fd);
	free(ctrl->dev_path);
	/* What never came back may still write into the buffer: it stays allocated. */
	if (!ctrl->given_up)
		free(ctrl->buf);
	free(ctrl);
}

void ctrl_set_deadline(struct ctrl *ctrl, unsigned int ms)
{
	ctrl->deadline_ms = ms;
}

bool ctrl_is_legacy(const struct ctrl *ctrl)
{
	return ctrl->encoding == ENC_LEGACY;
}

int ctrl_fd(struct ctrl *ctrl)
{
	return ctrl->ring.ring_fd;
}

int ctrl_set_dev_path(struct ctrl *ctrl, uint32_t id, const char *path)
{
	char *copy = NULL;

	if (path && strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (path) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
	}
	free(ctrl->dev_path);
	ctrl->dev_path = copy;
	ctrl->path_id = copy ? id : UINT32_MAX;
	return 0;
}

/*
 * Which opcodes does this driver know? GET_FEATURES is ioctl-encoded only. Without it, an encoded
 * ADD_DEV without a buffer tells: a driver that knows it (6.4) answers -EINVAL; older ones find
 * neither the opcode nor the device. It can add nothing.
 */
static int probe_encoding(struct ctrl *ctrl)
{
	const struct command probe = { .op = UBLK_U_CMD_ADD_DEV, .id = UINT32_MAX - 1 };
	int ret;

	if (ctrl->encoding != ENC_UNKNOWN)
		return 0;
	ret = ctrl_get_features(ctrl, &(uint64_t){ 0 });
	if (ret && ret != -EOPNOTSUPP)
		return ret;
	if (ret) {
		ret = ctrl_run_raw(ctrl, &probe);
		if (ret == -EIO || ret == -EBUSY || ret == -ETIMEDOUT)
			return ret;
		ctrl->encoding = ret == -EINVAL ? ENC_IOCTL : ENC_LEGACY;
	} else {
		ctrl->encoding = ENC_IOCTL;
	}
	return 0;
}

static int run(struct ctrl *ctrl, const struct command *cmd)
{
	int ret = probe_encoding(ctrl);

	return ret ? ret : ctrl_run_raw(ctrl, cmd);
}

int ctrl_get_features(struct ctrl *ctrl, uint64_t *features)
{
	const struct command cmd = { .op = UBLK_U_CMD_GET_FEATURES,
				     .id = UINT32_MAX,
				     .out = &ctrl->features,
				     .len = UBLK_FEATURES_LEN };
	int ret = ctrl->features_err;

	if (!ctrl->has_features) {
		ret = ctrl_run_raw(ctrl, &cmd);
		if (ret == -EINVAL || ret == -ENODEV || ret == -KERNEL_ENOTSUPP)
			ret = -EOPNOTSUPP;
		ctrl->has_features = !ret || ret == -EOPNOTSUPP;
		ctrl->features_err = ret;
	}
	if (!ret)
		*features = ctrl->features;
	return ret;
}

/* All further commands about an unprivileged device need its path. */
static int note_owner(struct ctrl *ctrl, const struct ublksrv_ctrl_dev_info *info)
{
	char path[32];

	if (!(info->flags & UBLK_F_UNPRIVILEGED_DEV) || ctrl->path_id == info->dev_id)
		return 0;
	snprintf(path, sizeof(path), "/dev/ublkc%u", info->dev_id);
	return ctrl_set_dev_path(ctrl, info->dev_id, path);
}

int ctrl_add_dev(struct ctrl *ctrl, struct ublksrv_ctrl_dev_info *info)
{
	const struct command cmd = { .op = UBLK_U_CMD_ADD_DEV,
				     .id = info->dev_id,
				     .in = info,
				     .out = info,
				     .len = sizeof(*info) };
	int ret;

	if (ctrl->path_id == info->dev_id)
		ctrl_set_dev_path(ctrl, info->dev_id, NULL); /* of a former device */
	ret = run(ctrl, &cmd);
	return ret ? ret : note_owner(ctrl, info);
}

int ctrl_del_dev(struct ctrl *ctrl, uint32_t id)
{
	return ctrl_plain(ctrl, UBLK_U_CMD_DEL_DEV, id, 0);
}

int ctrl_set_params(struct ctrl *ctrl, uint32_t id, const struct ublk_params *params)
{
	const struct command cmd = {
		.op = UBLK_U_CMD_SET_PARAMS, .id = id, .in = params, .len = sizeof(*params)
	};

	return run(ctrl, &cmd);
}

int ctrl_get_params(struct ctrl *ctrl, uint32_t id, struct ublk_params *params)
{
	const struct command cmd = { .op = UBLK_U_CMD_GET_PARAMS,
				     .id = id,
				     .in = params,
				     .out = params,
				     .len = sizeof(*params) };

	*params = (struct ublk_params){ .len = sizeof(*params) };
	return run(ctrl, &cmd);
}

int ctrl_get_dev_info(struct ctrl *ctrl, uint32_t id, struct ublksrv_ctrl_dev_info *info)
{
	struct command cmd = {
		.op = UBLK_U_CMD_GET_DEV_INFO, .id = id, .out = info, .len = sizeof(*info)
	};
	int ret = run(ctrl, &cmd);

	/* An unprivileged device answers -EINVAL without its path, even to root; another's device
	 * answers -EPERM to a user, and so does ours before we have shown its path. */
	if (ret == -EPERM || ret == -EINVAL) {
		int second;

		cmd.op = UBLK_U_CMD_GET_DEV_INFO2;
		cmd.with_path = true;
		second = run(ctrl, &cmd);
		if (second != -EOPNOTSUPP && second != -KERNEL_ENOTSUPP)
			ret = second;
	}
	return ret ? ret : note_owner(ctrl, info);
}

int ctrl_get_queue_affinity(struct ctrl *ctrl, uint32_t id, uint16_t qid, void *mask, uint16_t size)
{
	const struct command cmd = { .op = UBLK_U_CMD_GET_QUEUE_AFFINITY,
				     .id = id,
				     .data0 = qid,
				     .out = mask,
				     .len = size };

	return run(ctrl, &cmd);
}

int ctrl_start_dev(struct ctrl *ctrl, uint32_t id, int32_t pid)
{
	return ctrl_plain(ctrl, UBLK_U_CMD_START_DEV, id, pid);
}

int ctrl_stop_dev(struct ctrl *ctrl, uint32_t id)
{
	return ctrl_plain(ctrl, UBLK_U_CMD_STOP_DEV, id, 0);
}

int ctrl_reg_buf(struct ctrl *ctrl, uint32_t id, const void *base, uint64_t size)
{
	const struct ublk_shmem_buf_reg reg = { .addr = (uintptr_t)base, .len = size };
	const struct command cmd = {
		.op = UBLK_U_CMD_REG_BUF, .id = id, .in = &reg, .len = sizeof(reg)
	};

	return run(ctrl, &cmd);
}

int ctrl_plain(struct ctrl *ctrl, uint32_t cmd_op, uint32_t id, uint64_t data0)
{
	const struct command cmd = { .op = cmd_op, .id = id, .data0 = data0 };

	return run(ctrl, &cmd);
}

int ctrl_begin(struct ctrl *ctrl, uint32_t cmd_op, uint32_t id, uint64_t data0)
{
	const struct command cmd = { .op = cmd_op, .id = id, .data0 = data0 };
	int ret = probe_encoding(ctrl);

	ctrl->have_result = false;
	return ret ? ret : ctrl_submit(ctrl, &cmd);
}

int ctrl_result(struct ctrl *ctrl)
{
	if (ctrl->have_result)
		return ctrl->result;
	if (ctrl->given_up)
		return -EIO;
	if (!ctrl->pending)
		return -EINVAL;
	if (!ctrl_reap(ctrl, &ctrl->result))
		return -EINPROGRESS;
	ctrl->have_result = true;
	return ctrl->result;
}

void ctrl_cancel(struct ctrl *ctrl)
{
	if (ctrl->pending && !ctrl->given_up)
		ctrl->have_result = !ctrl_cancel_and_wait(ctrl, &ctrl->result);
}
