// SPDX-License-Identifier: MIT
/*
 * --swap-safe: a server on which freeing memory may depend must not wait for memory to be freed. Control
 * thread, before others begin: they inherit what is set here.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "device/internal.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static const char never[] = "-1000"; /* oom_score_adj */

static int set_oom_score(void)
{
	__cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, never, sizeof(never) - 1) < 0 ? -errno : 0;
}

static int failed(const char *what, int err)
{
	log_err("--swap-safe: %s: %s%s", what, strerror(-err),
		err == -EINVAL ? "; it needs Linux 5.6"
			       : "; it needs root, or CAP_SYS_RESOURCE and CAP_IPC_LOCK");
	return err == -EINVAL ? -EOPNOTSUPP : err;
}

/* Before the first ring too: its workers are threads that inherit. What the plugin maps may be large, and
 * the device's store: that is locked as it is touched. */
int pressure_begin(struct device *d)
{
	int err;

	if (!d->cfg->swap_safe)
		return 0;
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		return failed(
			"the kernel would wait for the device in its server (PR_SET_IO_FLUSHER)",
			-errno);
	err = set_oom_score();
	if (err)
		return failed("cannot keep the out-of-memory killer away (oom_score_adj)", err);
	if (mlockall(MCL_CURRENT) || mlockall(MCL_FUTURE | MCL_ONFAULT))
		return failed("cannot lock the server's memory (mlockall)", -errno);
	return 0;
}

/* What the host makes to serve with is there from now on, all of it: stacks, rings and buffers. */
int pressure_fill(struct device *d)
{
	if (d->cfg->swap_safe && mlockall(MCL_FUTURE))
		return failed("cannot lock the memory of queues (mlockall)", -errno);
	return 0;
}

/* What comes later is not needed to serve. */
int pressure_settle(struct device *d)
{
	if (d->cfg->swap_safe && mlockall(MCL_FUTURE | MCL_ONFAULT))
		return failed("cannot lock the server's memory (mlockall)", -errno);
	return 0;
}
