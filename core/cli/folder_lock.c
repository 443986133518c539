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

/* Whose lock this was or is: verb, of 16 bytes, and the process, alive. 0: nobody's. */
static pid_t holder_of(int dir, const char *name, char verb[16])
{
	struct device_state who = { 0 };
	char text[64] = "";
	__cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 ||
	    sscanf(text, "%15[a-z] %" SCNd32 " %" SCNu64, verb, &who.pid, &who.pid_start) != 3 ||
	    who.pid <= 0)
		return 0;
	return state_server_alive(&who) ? who.pid : 0;
}

static pid_t supervisor_of(int dir, const char *name)
{
	char verb[16];
	pid_t pid = holder_of(dir, name, verb);

	return pid && !strcmp(verb, SUPERVISOR) ? pid : 0;
}

static void tell_holder(int state, const char *name, const char *dir)
{
	const char *what = dir ? dir : "the devices of this machine";
	char verb[16];
	pid_t pid = holder_of(state, name, verb);

	if (pid)
		log_err("ublk-host %s, process %d, already sees to %s", verb, pid, what);
	else
		log_err("another ublk-host serve, or apply, already sees to %s", what);
}

static bool has(const struct folder_lock *lock, const char *name)
{
	for (unsigned int i = 0; i < lock->nr; i++)
		if (!strcmp(lock->held[i].file, name))
			return true;
	return false;
}

/* dir NULL: that of the machine. 0 or -errno, logged. */
static int add(struct folder_lock *lock, int state, const char *dir, const char *verb)
{
	char *name = lock_name(dir);
	int fd;

	if (!name) {
		log_err("cannot look at the folder %s: %m", dir);
		return -EIO;
	}
	if (has(lock, name)) { /* the same folder by another name */
		free(name);
		return 0;
	}
	fd = take(state, name);
	if (fd >= 0) {
		lock->held[lock->nr].file = name;
		lock->held[lock->nr++].fd = fd;
		sign(fd, verb);
		return 0;
	}
	if (fd == -EWOULDBLOCK)
		tell_holder(state, name, dir);
	else
		log_err("cannot lock %s/%s: %s", state_dir(), name, strerror(-fd));
	free(name);
	return fd;
}

/* Those that are there: who comes for one that is made later finds the lock of the machine. */
static int add_folders(struct folder_lock *lock, int state, const char *verb)
{
	char **folders = manifest_folders(NULL);
	int err = folders ? 0 : -ENOMEM;

	for (size_t i = 0; folders && folders[i] && !err; i++)
		if (lock->nr < ARRAY_SIZE(lock->held) && !access(folders[i], F_OK))
			err = add(lock, state, folders[i], verb);
	manifest_folders_free(folders);
	return err;
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

int folder_lock(struct folder_lock *lock, const char *dir, const char *verb)
{
	__cleanup_fd int state = -1;
	int err;

	*lock = (struct folder_lock){ 0 };
	state = state_open_folder(true);
	if (state < 0)
		return state;
	err = add(lock, state, dir, verb);
	if (!err && !dir)
		return add_folders(lock, state, verb);
	if (!err && is_of_machine(dir) && supervisor_of(state, MACHINE)) {
		tell_holder(state, MACHINE, dir);
		err = -EWOULDBLOCK;
	}
	return err;
}

void folder_unlock(struct folder_lock *lock)
{
	__cleanup_fd int dir = lock->nr ? state_open_folder(false) : -1;

	while (lock->nr) {
		lock->nr--;
		if (dir >= 0)
			unlinkat(dir, lock->held[lock->nr].file, 0);
		close(lock->held[lock->nr].fd);
		free(lock->held[lock->nr].file);
	}
}

pid_t folder_supervisor(const char *dir)
{
	__cleanup_fd int state = state_open_folder(false);
	__cleanup_free char *name = lock_name(dir);
	pid_t pid = state >= 0 && name ? supervisor_of(state, name) : 0;

	return pid || state < 0 || !is_of_machine(dir) ? pid : supervisor_of(state, MACHINE);
}
