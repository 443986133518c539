// SPDX-License-Identifier: MIT
/* One supervisor for each folder of manifests. The lock ends with the process, whatever becomes of it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/supervisor_internal.h"
#include "device/state_file.h"

static char *lock_name(const struct supervisor *sv)
{
	struct stat st;
	char *name;
	int n;

	if (!sv->options->dir)
		return strdup("serve.lock");
	if (stat(sv->options->dir, &st))
		return NULL;
	n = asprintf(&name, "serve-%" PRIx64 "-%" PRIx64 ".lock", (uint64_t)st.st_dev,
		     (uint64_t)st.st_ino);
	return n < 0 ? NULL : name;
}

/* The file may have been removed by its last holder just before we had it. */
static bool is_still(int dir, const char *name, int fd)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == there.st_ino;
}

static int take(int dir, const char *name)
{
	int fd, err;

	for (;;) {
		fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			err = -errno;
			close(fd);
			return err;
		}
		if (is_still(dir, name, fd))
			return fd;
		close(fd);
	}
}

int supervisor_lock(struct supervisor *sv)
{
	__cleanup_fd int dir = state_open_folder(true);

	if (dir < 0)
		return dir;
	sv->lock = lock_name(sv);
	if (!sv->lock) {
		log_err("cannot look at the folder %s: %m", sv->options->dir);
		return -EIO;
	}
	sv->lock_fd = take(dir, sv->lock);
	if (sv->lock_fd == -EWOULDBLOCK)
		log_err("another ublk-host serve already sees to %s",
			sv->options->dir ? sv->options->dir : "the devices of this machine");
	else if (sv->lock_fd < 0)
		log_err("cannot lock %s/%s: %s", state_dir(), sv->lock, strerror(-sv->lock_fd));
	return min_of(sv->lock_fd, 0);
}

void supervisor_unlock(struct supervisor *sv)
{
	__cleanup_fd int dir = -1;

	if (sv->lock_fd >= 0) {
		dir = state_open_folder(false);
		if (dir >= 0)
			unlinkat(dir, sv->lock, 0);
		close(sv->lock_fd);
	}
	sv->lock_fd = -1;
	free(sv->lock);
	sv->lock = NULL;
}
