// SPDX-License-Identifier: MIT
/*
 * Keeps two hosts off one file. An open-file-description lock over the whole file: it goes with the
 * fd, is inherited by nobody, and meets the locks of other programs that use fcntl() (qemu does).
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing/backing.h"

/* Does this line of /proc/PID/fdinfo/FD tell of a lock on the inode?
 * "lock:	1: OFDLCK  ADVISORY  WRITE -1 fe:00:1234 0 EOF" */
static bool is_lock_on(const char *line, ino_t ino)
{
	char want[32];

	if (strncmp(line, "lock:", 5))
		return false;
	if (!strstr(line, "OFDLCK") && !strstr(line, "POSIX"))
		return false;
	snprintf(want, sizeof(want), ":%ju ", (uintmax_t)ino);
	return strstr(line, want);
}

/* The lock's device may be written differently from st_dev (btrfs): ask the file itself. */
static bool fd_holds_lock(int proc, const char *pid, const char *fd, const struct stat *st)
{
	char path[600], line[256];
	struct stat other;
	bool found = false;
	FILE *f;
	int info;

	snprintf(path, sizeof(path), "%s/fdinfo/%s", pid, fd);
	info = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return false;
	f = fdopen(info, "r");
	if (!f) {
		close(info);
		return false;
	}
	while (!found && fgets(line, sizeof(line), f))
		found = is_lock_on(line, st->st_ino);
	fclose(f);
	snprintf(path, sizeof(path), "%s/fd/%s", pid, fd);
	return found && !fstatat(proc, path, &other, 0) && other.st_ino == st->st_ino &&
	       other.st_dev == st->st_dev;
}

static bool process_holds_lock(int proc, const char *pid, const struct stat *st)
{
	struct dirent *entry;
	bool found = false;
	char path[300];
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/fdinfo", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			found = fd_holds_lock(proc, pid, entry->d_name, st);
	closedir(dir);
	return found;
}

/* F_OFD_GETLK does not tell who holds such a lock, and /proc/locks neither: look at every open file
 * that we may look at. 0: not found. */
static long lock_holder(int locked_fd)
{
	struct dirent *entry;
	long holder = 0;
	struct stat st;
	DIR *proc;

	if (fstat(locked_fd, &st))
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 0;
	while (!holder && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    process_holds_lock(dirfd(proc), entry->d_name, &st))
			holder = strtol(entry->d_name, NULL, 10);
	closedir(proc);
	return holder;
}

static void say_locked(const struct backing *file)
{
	const char *what = file->read_only ? "is being written" : "is in use";
	long holder = lock_holder(file->fd);
	char who[48];

	if (holder)
		snprintf(who, sizeof(who), "process %ld", holder);
	else
		snprintf(who, sizeof(who), "another process");
	backing_say(file, UBLK_LOG_ERR, "%s by %s, which holds a lock on it; stop that one first",
		    what, who);
}

bool backing_say_if_locked(const struct backing *file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(file->fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return false;
	say_locked(file);
	return true;
}

int backing_lock(const struct backing *file)
{
	struct flock lock = { .l_type = file->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	unsigned int waited_ms = 0;
	bool locked;

	do {
		if (!fcntl(file->fd, F_OFD_SETLK, &lock))
			return 0;
		locked = errno == EAGAIN || errno == EACCES;
	} while (locked && backing_wait_for_former(file, &waited_ms));
	if (locked) {
		say_locked(file);
		return -EBUSY;
	}
	/* Some network filesystems have no locks; refusing them would help nobody. */
	backing_say(file, UBLK_LOG_WARN,
		    "cannot be locked: %s; make sure that nothing else writes to it",
		    strerror(errno));
	return 0;
}
