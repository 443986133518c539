// SPDX-License-Identifier: MIT
/* TRY_STOP_DEV in a child of its own. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/wait.h>

#include "cli/try_stop.h"

#define WAIT_MS 600000u /* whatever the server waits for, it has ended by then */

/* Nothing of the parent's may stay open: who reads its output waits for the last writer. */
static void use_only(int answer)
{
	int null = open("/dev/null", O_RDWR);

	dup2(answer, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static int stop_if_free(uint32_t id)
{
	struct ublksrv_ctrl_dev_info info;
	struct ctrl *ctrl;
	int err = ctrl_open(&ctrl);

	if (err)
		return err;
	err = ctrl_get_dev_info(ctrl, id, &info); /* whose it is, and so how to speak of it */
	ctrl_set_deadline(ctrl, WAIT_MS);
	if (!err)
		err = ctrl_plain(ctrl, UBLK_U_CMD_TRY_STOP_DEV, id, 0);
	ctrl_close(ctrl);
	return err;
}

int try_stop_begin(struct try_stop *try, struct ctrl *ctrl, uint32_t id)
{
	uint64_t features = 0;
	int fds[2], err;

	*try = (struct try_stop){ .fd = -1 };
	if (!ctrl || ctrl_get_features(ctrl, &features) || !(features & UBLK_F_SAFE_STOP_DEV))
		return -EOPNOTSUPP;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	try->pid = fork();
	if (try->pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		try->pid = 0;
		return err;
	}
	if (!try->pid) {
		use_only(fds[1]);
		setsid();
		err = stop_if_free(id);
		_exit(write(STDIN_FILENO, &err, sizeof(err)) != sizeof(err));
	}
	close(fds[1]);
	try->fd = fds[0];
	return 0;
}

int try_stop_result(struct try_stop *try, unsigned int ms)
{
	struct pollfd pfd = { .fd = try->fd, .events = POLLIN };
	int err;

	if (poll(&pfd, 1, (int)ms) <= 0)
		return -EINPROGRESS;
	if (read(try->fd, &err, sizeof(err)) != sizeof(err))
		err = -EIO;
	waitpid(try->pid, NULL, 0);
	try->pid = 0;
	return err;
}

void try_stop_end(struct try_stop *try)
{
	if (try->pid)
		waitpid(try->pid, NULL, WNOHANG);
	if (try->fd >= 0)
		close(try->fd);
	*try = (struct try_stop){ .fd = -1 };
}
