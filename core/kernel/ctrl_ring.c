// SPDX-License-Identifier: MIT
/*
 * One control command at a time through an io_uring, with a deadline. The command's buffer belongs
 * to the ring, not to the caller: one that outlives its deadline never writes into others' memory.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "kernel/ctrl_ring.h"

#define CANCEL_MS 1000u
#define NO_QUEUE UINT16_MAX
#define KERNEL_ERESTARTSYS 512 /* seen when a cancelled command was waiting */

/* The path that goes in front of a command's payload, or NULL. */
static const char *command_path(const struct ctrl *ctrl, const struct command *cmd, char *buf,
				size_t size)
{
	if (ctrl->dev_path && ctrl->path_id == cmd->id)
		return ctrl->dev_path;
	if (!cmd->with_path)
		return NULL;
	snprintf(buf, size, "/dev/ublkc%u", cmd->id);
	return buf;
}

/* The driver reads no more than it may; the host's answer must fit beside the path. */
static int fill_payload(struct ctrl *ctrl, const struct command *cmd,
			struct ublksrv_ctrl_cmd *payload)
{
	char deflt[32];
	const char *path = command_path(ctrl, cmd, deflt, sizeof(deflt));
	size_t path_len = path ? strlen(path) + 1 : 0;

	if (path_len + cmd->len > CTRL_BUF_SIZE)
		return -EMSGSIZE;
	memset(ctrl->buf, 0, path_len + cmd->len);
	if (path)
		memcpy(ctrl->buf, path, path_len);
	if (cmd->in)
		memcpy(ctrl->buf + path_len, cmd->in, cmd->len);
	*payload = (struct ublksrv_ctrl_cmd){
		.dev_id = cmd->id,
		.queue_id = NO_QUEUE,
		.len = path_len + cmd->len,
		.addr = path_len + cmd->len ? (uintptr_t)ctrl->buf : 0,
		.data = { cmd->data0 },
		.dev_path_len = path_len,
	};
	return 0;
}

/* Commands that may sleep go to a kernel worker at once: older drivers do not ask for it, and would
 * hold this thread past any deadline. */
static bool may_sleep(uint32_t op)
{
	return op != UBLK_U_CMD_GET_FEATURES && op != UBLK_U_CMD_GET_DEV_INFO &&
	       op != UBLK_U_CMD_GET_QUEUE_AFFINITY;
}

/* -EAGAIN is the kernel being short of memory: worth some patience. */
static int submit_ring(struct io_uring *ring)
{
	int tries = 100;
	int ret;

	do {
		ret = io_uring_submit(ring);
		if (ret == -EAGAIN)
			usleep(1000);
	} while ((ret == -EINTR || ret == -EAGAIN) && --tries);
	return ret;
}

int ctrl_submit(struct ctrl *ctrl, const struct command *cmd)
{
	struct ublksrv_ctrl_cmd payload;
	struct io_uring_sqe *sqe;
	int ret;

	if (ctrl->given_up)
		return -EIO;
	if (ctrl->pending)
		return -EBUSY;
	ret = fill_payload(ctrl, cmd, &payload);
	if (ret)
		return ret;
	sqe = io_uring_get_sqe(&ctrl->ring);
	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ctrl->personality ? 0 : ctrl->fd;
	sqe->flags =
		(ctrl->personality ? IOSQE_FIXED_FILE : 0) | (may_sleep(cmd->op) ? IOSQE_ASYNC : 0);
	sqe->personality = ctrl->personality;
	sqe->cmd_op = ctrl->encoding == ENC_LEGACY ? _IOC_NR(cmd->op) : cmd->op;
	sqe->user_data = ++ctrl->serial;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	ret = submit_ring(&ctrl->ring);
	if (ret < 0) {
		ctrl->given_up = true; /* the SQE would go out with the next one */
		return ret;
	}
	ctrl->pending = true;
	return 0;
}

/* Take the command's completion if it is there. */
bool ctrl_reap(struct ctrl *ctrl, int *res)
{
	struct io_uring_cqe *cqe;
	bool found = false;

	while (!found && !io_uring_peek_cqe(&ctrl->ring, &cqe)) {
		found = cqe->user_data == ctrl->serial;
		if (found)
			*res = cqe->res;
		io_uring_cqe_seen(&ctrl->ring, cqe);
	}
	if (found)
		ctrl->pending = false;
	return found;
}

/* 0: *res is the command's result. -ETIME: it is still running after ms. */
static int wait_end(struct ctrl *ctrl, unsigned int ms, int *res)
{
	uint64_t end = now_ms() + ms;

	for (;;) {
		struct __kernel_timespec ts;
		struct io_uring_cqe *cqe;
		uint64_t now;
		int ret;

		if (ctrl_reap(ctrl, res))
			return 0;
		now = now_ms();
		if (now >= end)
			return -ETIME;
		ts.tv_sec = (end - now) / 1000;
		ts.tv_nsec = (end - now) % 1000 * 1000000;
		ret = io_uring_wait_cqe_timeout(&ctrl->ring, &cqe, &ts);
		if (ret && ret != -ETIME && ret != -EINTR && ret != -EAGAIN)
			return ret;
	}
}

/* The result of a command that was cancelled, or ended by itself just before. */
static int cancelled_result(int res)
{
	switch (-res) {
	case EINTR:
	case ECANCELED:
	case EAGAIN:
	case KERNEL_ERESTARTSYS:
		return -ECANCELED;
	default:
		return res;
	}
}

int ctrl_cancel_and_wait(struct ctrl *ctrl, int *res)
{
	struct io_uring_sync_cancel_reg reg = {
		.addr = ctrl->serial,
		.timeout = { .tv_sec = CANCEL_MS / 1000, .tv_nsec = CANCEL_MS % 1000 * 1000000 },
	};
	uint64_t end = now_ms() + CANCEL_MS;
	uint64_t now;
	int ret;

	/* Waits for the command's end. What it answers does not matter: the command's completion is
	 * what counts, and -ENOENT means that it is there. */
	(void)io_uring_register_sync_cancel(&ctrl->ring, &reg);
	now = now_ms();
	ret = wait_end(ctrl, now < end ? end - now : 0, res);
	if (ret)
		ctrl->given_up = true;
	else
		*res = cancelled_result(*res);
	return ret;
}

int ctrl_run_raw(struct ctrl *ctrl, const struct command *cmd)
{
	char deflt[32];
	const char *path;
	int ret, res;

	ret = ctrl_submit(ctrl, cmd);
	if (ret)
		return ret;
	ret = wait_end(ctrl, ctrl->deadline_ms, &res);
	if (ret) {
		ret = ctrl_cancel_and_wait(ctrl, &res);
		if (ret)
			return -ETIMEDOUT;
		if (res == -ECANCELED)
			return -ETIMEDOUT;
	}
	if (res >= 0 && cmd->out) {
		path = command_path(ctrl, cmd, deflt, sizeof(deflt));
		memcpy(cmd->out, ctrl->buf + (path ? strlen(path) + 1 : 0), cmd->len);
	}
	return res;
}
