/* SPDX-License-Identifier: MIT */
/*
 * Control commands to /dev/ublk-control over io_uring (SQE128, ioctl encoding). Every command has
 * a deadline; none logs: ctrl_explain() makes the one message, for who decides that it is an error.
 * One thread at a time per struct ctrl.
 */
#ifndef KERNEL_CTRL_H
#define KERNEL_CTRL_H

#include "base/util.h"
#include "kernel/uapi.h"

#define UBLK_CONTROL_PATH "/dev/ublk-control"
#define CTRL_DEADLINE_MS 10000u

struct ctrl;

/* Open the control device and its ring. -ENOENT, -ENXIO, -ENODEV: no driver; -EACCES, -EPERM: no
 * permission; others from io_uring_setup. log_err()s the one clear line itself. */
int ctrl_open(struct ctrl **out);
/* Before rights are given up, and while no command is in flight: from now on commands are carried out with
 * those that the calling thread has now, and the ring can do nothing else, whoever gets hold of it. 0, or
 * -errno, logged, and nothing has changed. */
int ctrl_keep_rights(struct ctrl *ctrl);
/* NULL is allowed. Never blocks for longer than ctrl_cancel(). */
void ctrl_close(struct ctrl *ctrl);

/* Deadline of each following command in milliseconds; the default is CTRL_DEADLINE_MS. */
void ctrl_set_deadline(struct ctrl *ctrl, unsigned int ms);

/*
 * All commands return 0 or -errno; -ETIMEDOUT when the deadline passed. The command was cancelled
 * then, which some survive: a DEL_DEV goes on by itself, and if a command cannot be cancelled
 * within 1 s, the ring is given up and every later command on it fails with -EIO at once. A process
 * with such a command cannot exit before the kernel lets go of it.
 */
int ctrl_get_features(struct ctrl *ctrl, uint64_t *features); /* -EOPNOTSUPP before 6.5 */
int ctrl_add_dev(struct ctrl *ctrl, struct ublksrv_ctrl_dev_info *info); /* in: wanted (dev_id
									    UINT32_MAX: any), out: granted */
int ctrl_del_dev(struct ctrl *ctrl, uint32_t id);
int ctrl_set_params(struct ctrl *ctrl, uint32_t id, const struct ublk_params *params);
int ctrl_get_params(struct ctrl *ctrl, uint32_t id, struct ublk_params *params);
int ctrl_get_dev_info(struct ctrl *ctrl, uint32_t id, struct ublksrv_ctrl_dev_info *info);
/* mask: a cpu_set_t's bytes, size a multiple of 8, large enough for the kernel's nr_cpu_ids */
int ctrl_get_queue_affinity(struct ctrl *ctrl, uint32_t id, uint16_t qid, void *mask,
			    uint16_t size);
int ctrl_start_dev(struct ctrl *ctrl, uint32_t id, int32_t pid);
int ctrl_stop_dev(struct ctrl *ctrl, uint32_t id);
/* SHMEM_ZC: memory of whole pages, mapped shared, that requests may lie in. Its index, which
 * UNREG_BUF takes by ctrl_plain(), or -errno. A driver that serves already waits for its requests. */
int ctrl_reg_buf(struct ctrl *ctrl, uint32_t id, const void *base, uint64_t size);

/* Any command without a buffer, with its number: START_USER_RECOVERY, QUIESCE_DEV, ... */
int ctrl_plain(struct ctrl *ctrl, uint32_t cmd_op, uint32_t id, uint64_t data0);

/* The same without waiting: begin, then poll until it is no longer -EINPROGRESS. For START_DEV and
 * STOP_DEV, which wait for the queues. At most one at a time (-EBUSY); a plain command may not run
 * in between. ctrl_fd() is readable (poll) when the result is there. */
int ctrl_begin(struct ctrl *ctrl, uint32_t cmd_op, uint32_t id, uint64_t data0);
/* -EINPROGRESS, or the command's result; -EINVAL if nothing was begun. What ctrl_cancel() ended is
 * -ECANCELED, unless it ended by itself before. */
int ctrl_result(struct ctrl *ctrl);
void ctrl_cancel(struct ctrl *ctrl); /* cancel what was begun and wait for its end, 1 s at most */
int ctrl_fd(struct ctrl *ctrl);

/*
 * Commands for a device that belongs to an unprivileged user carry the path of its char device.
 * ctrl_add_dev() and ctrl_get_dev_info() find out by themselves whether a device is one and assume
 * /dev/ublkcN; this is for who knows better. NULL: no path. -ENAMETOOLONG, -ENOMEM.
 */
int ctrl_set_dev_path(struct ctrl *ctrl, uint32_t id, const char *path);

/* The driver knows raw opcodes only (before 6.4); io commands must use them too. Valid after the
 * first command about a device. */
bool ctrl_is_legacy(const struct ctrl *ctrl);

/* "ADD_DEV", "START_DEV", ... for a UBLK_U_CMD_* */
const char *ctrl_cmd_name(uint32_t cmd_op);

/* One line for a failed command: what failed, on what, why as far as the driver's rules tell, what
 * to do; names the kernel release where it may be at fault. Returns buf. id UINT32_MAX: none. */
const char *ctrl_explain(uint32_t cmd_op, uint32_t id, int err, char *buf, size_t size);

/* For tests: ctrl_explain() as on another kernel release, with files read below root; and the line
 * that ctrl_open() logs when opening the device (ring false) or its ring failed. */
const char *ctrl_explain_on(const char *release, const char *root, uint32_t cmd_op, uint32_t id,
			    int err, char *buf, size_t size);
const char *ctrl_explain_open(const char *release, const char *root, bool ring, int err, char *buf,
			      size_t size);

#endif
