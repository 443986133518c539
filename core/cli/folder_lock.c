// SPDX-License-Identifier: MIT
/* One process sees to each folder of manifests. Its lock's file tells others which one that is. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/folder_lock.h"
#include "cli/manifest_folder.h"
#include "device/state_file.h"

#define MACHINE "serve.lock"
#define SUPERVISOR "serve"

/* malloc()ed; NULL, with errno. */
static char *lock_name(const char *dir)
{
	struct stat st;
	char *name;

	if (!dir)
		return strdup(MACHINE);
	if (stat(dir, &st))
		return NULL;
	if (asprintf(&name, "serve-%" PRIx64 "-%" PRIx64 ".lock", (uint64_t)st.st_dev,
		     (uint64_t)st.st_ino) < 0)
		return NULL;
	return name;
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

/* Others can see whose it is without trying to have it. */
static void sign(int fd, const char *verb)
{
	struct device_state self = { 0 };

	if (state_self(&self) || ftruncate(fd, 0) ||
	    dprintf(fd, "%s %d %" PRIu64 "\n", verb, self.pid, self.pid_start) < 0)
		log_debug("the lock's file does not tell whose it is");
}

int folder_lock(struct folder_lock *lock, const char *dir, const char *verb)
{
	__cleanup_fd int state = -1;

	*lock = (struct folder_lock){ .fd = -1 };
	state = state_open_folder(true);
	if (state < 0)
		return state;
	lock->file = lock_name(dir);
	if (!lock->file) {
		log_err("cannot look at the folder %s: %m", dir);
		return -EIO;
	}
	lock->fd = take(state, lock->file);
	if (lock->fd >= 0) {
		sign(lock->fd, verb);
		return 0;
	}
	if (lock->fd == -EWOULDBLOCK)
		log_err("another ublk-host serve, or apply, already sees to %s",
			dir ? dir : "the devices of this machine");
	else
		log_err("cannot lock %s/%s: %s", state_dir(), lock->file, strerror(-lock->fd));
	return lock->fd;
}

void folder_unlock(struct folder_lock *lock)
{
	__cleanup_fd int dir = -1;

	if (lock->fd >= 0) {
		dir = state_open_folder(false);
		if (dir >= 0)
			unlinkat(dir, lock->file, 0);
		close(lock->fd);
	}
	lock->fd = -1;
	free(lock->file);
	lock->file = NULL;
}

static pid_t supervisor_of(int dir, const char *name)
{
	struct device_state who = { 0 };
	char text[64] = "";
	__cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 ||
	    sscanf(text, SUPERVISOR " %" SCNd32 " %" SCNu64, &who.pid, &who.pid_start) != 2 ||
	    who.pid <= 0)
		return 0;
	return state_server_alive(&who) ? who.pid : 0;
}

static bool is_of_machine(const char *dir)
{
	char **folders = manifest_folders(NULL);
	struct stat st, other;
	bool found = false;

	for (size_t i = 0; folders && folders[i] && !found; i++)
		found = !stat(dir, &st) && !stat(folders[i], &other) && st.st_dev == other.st_dev &&
			st.st_ino == other.st_ino;
	manifest_folders_free(folders);
	return found;
}

pid_t folder_supervisor(const char *dir)
{
	__cleanup_fd int state = state_open_folder(false);
	__cleanup_free char *name = lock_name(dir);
	pid_t pid = state >= 0 && name ? supervisor_of(state, name) : 0;

	return pid || state < 0 || !is_of_machine(dir) ? pid : supervisor_of(state, MACHINE);
}
