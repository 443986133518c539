/* SPDX-License-Identifier: MIT */
/*
 * Between ctrl.c, which knows the commands, and ctrl_ring.c, which has one of them carried out with
 * a deadline. Nobody else includes this.
 */
#ifndef KERNEL_CTRL_RING_H
#define KERNEL_CTRL_RING_H

#include <liburing.h>

#include "kernel/ctrl.h"

#define CTRL_RING_ENTRIES 4
#define CTRL_BUF_SIZE UINT16_MAX /* a command's length has 16 bits */
#define KERNEL_ENOTSUPP 524	 /* what old drivers answer to an unknown opcode */

enum encoding { ENC_UNKNOWN, ENC_IOCTL, ENC_LEGACY };

struct ctrl {
	int fd;
	struct io_uring ring;
	bool ring_up;
	uint16_t personality; /* 0: the process's rights; else the driver is file 0 */
	bool pending;	      /* a command is in flight: user_data serial */
	bool given_up;	      /* one did not come back: nothing works any more */
	bool have_result;     /* of what was begun */
	bool has_features;    /* features and features_err are known */
	enum encoding encoding;
	uint64_t serial;
	uint64_t features;
	int features_err;
	int result;
	unsigned int deadline_ms;
	uint32_t path_id; /* the device that dev_path is about */
	char *dev_path;
	char *buf; /* CTRL_BUF_SIZE bytes: path, then payload */
};

struct command {
	uint32_t op; /* UBLK_U_CMD_* */
	uint32_t id;
	uint64_t data0;
	const void *in; /* payload to the driver, len bytes */
	void *out;	/* payload from the driver, len bytes */
	uint16_t len;
	bool with_path; /* the path goes in front whoever owns the device */
};

/* Start a command. -EIO: the ring was given up. -EBUSY: another one is in flight. */
int ctrl_submit(struct ctrl *ctrl, const struct command *cmd);
/* Take the command's result if it is there. */
bool ctrl_reap(struct ctrl *ctrl, int *res);
/* 0: *res is the command's result, -ECANCELED unless it ended by itself. Otherwise it has not come
 * back within a second, and the ring is given up. */
int ctrl_cancel_and_wait(struct ctrl *ctrl, int *res);
/* All of it: start, wait for the deadline at most, cancel. The command's result. */
int ctrl_run_raw(struct ctrl *ctrl, const struct command *cmd);

#endif
