// SPDX-License-Identifier: MIT
/* Opening the file or device behind a device: its kind, its size, who may write, what we created; and
 * closing it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backing/backing.h"

#define FORMER_MS 10000 /* that a server may take to end */

const struct ublk_host *host;

int backing_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

/* The host may be one of 1.0. */
static const struct ublk_limits *made_with(const struct ublk_open_args *args)
{
	const size_t end = offsetof(struct ublk_open_args, former) + sizeof(args->former);

	return args->struct_size >= end ? args->former : NULL;
}

void backing_init(struct backing *file, struct ublk_dev *dev, const struct ublk_open_args *args,
		  const char *path, uint32_t direct)
{
	*file = (struct backing){ .dev = dev,
				  .path = path,
				  .direct_mode = (enum direct_mode)args->opts[direct].u64,
				  .recover = args->flags & UBLK_OPEN_RECOVER,
				  .beside = args->flags & UBLK_OPEN_BESIDE,
				  .read_only = args->flags & UBLK_OPEN_READ_ONLY,
				  .fd = -1 };
	if (made_with(args))
		file->former = *made_with(args);
}

void backing_say(const struct backing *file, int level, const char *fmt, ...)
{
	/* A path may be longer than a line: its end, where names differ, is what we show. */
	enum { PATH_SHOWN = 120 };
	size_t len = strlen(file->path);
	size_t cut = len > PATH_SHOWN ? len - PATH_SHOWN : 0;
	char text[380];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ublk_logf(host, file->dev, level, "%s%s: %s", cut ? "..." : "", file->path + cut, text);
}

/* Before the open: opening a FIFO waits, opening some character devices does something. */
static int check_type(const struct backing *file, const struct stat *st)
{
	const char *is = "is not a file";

	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		is = "is a directory";
	else if (S_ISCHR(st->st_mode))
		is = "is a character device";
	else if (S_ISFIFO(st->st_mode))
		is = "is a FIFO";
	else if (S_ISSOCK(st->st_mode))
		is = "is a socket";
	backing_say(file, UBLK_LOG_ERR, "%s; give the path of a regular file or a block device",
		    is);
	return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
}

static int say_cannot_open(const struct backing *file, int err)
{
	backing_say(file, UBLK_LOG_ERR, "cannot open: %s", strerror(err));
	return -err;
}

/* A block device that refused O_EXCL: a host's, or the system's? */
static int say_busy(struct backing *file)
{
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || !backing_say_if_locked(file))
		backing_say(file, UBLK_LOG_ERR,
			    "is in use by the system (mounted, swap, part of a volume or array); "
			    "release it, or serve it read-only");
	return -EBUSY;
}

static int become_read_only(struct backing *file, const char *why)
{
	file->read_only = true;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return say_cannot_open(file, errno);
	backing_say(file, UBLK_LOG_WARN, "cannot be written (%s); serving it read-only", why);
	return 0;
}

/* A process that was killed lets go of its files one by one, and of those of a ring even later. */
bool backing_wait_for_former(const struct backing *file, unsigned int *waited_ms)
{
	const struct timespec wait = { .tv_nsec = 1000000 };

	if (!file->recover || (*waited_ms)++ >= FORMER_MS)
		return false;
	nanosleep(&wait, NULL);
	return true;
}

/* O_EXCL on a block device keeps off mounts, and they us. */
static int open_existing(struct backing *file)
{
	unsigned int waited_ms = 0;
	int ro = 0;

	if (file->read_only) {
		file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
		return file->fd < 0 ? say_cannot_open(file, errno) : 0;
	}
	/* It cannot be taken over from who has it so. */
	if (file->is_block && file->beside)
		return -EBUSY;
	do
		file->fd = open(file->path, O_RDWR | O_CLOEXEC | (file->is_block ? O_EXCL : 0));
	while (file->fd < 0 && errno == EBUSY && backing_wait_for_former(file, &waited_ms));
	if (file->fd < 0) {
		if (errno == EBUSY && file->is_block)
			return say_busy(file);
		if (errno != EACCES && errno != EPERM && errno != EROFS)
			return say_cannot_open(file, errno);
		return become_read_only(file, strerror(errno));
	}
	if (file->is_block && !ioctl(file->fd, BLKROGET, &ro) && ro)
		return become_read_only(file, "the device is set read-only");
	return 0;
}

/* What was opened must be what was looked at. */
static int open_checked(struct backing *file, const struct stat *looked_at)
{
	struct stat st;
	int err = check_type(file, looked_at);

	if (err)
		return err;
	file->is_block = S_ISBLK(looked_at->st_mode);
	err = open_existing(file);
	if (err)
		return err;
	if (fstat(file->fd, &st))
		return say_cannot_open(file, errno);
	if ((st.st_mode & S_IFMT) != (looked_at->st_mode & S_IFMT)) {
		backing_say(file, UBLK_LOG_ERR,
			    "was replaced by something else while being opened");
		return -EAGAIN;
	}
	return 0;
}

/* The path is a link, and where it leads there is nothing: what is missing there. */
static bool leads_nowhere(const struct backing *file, char missing[PATH_MAX])
{
	struct stat st;

	/* glibc leaves the part that does not exist. */
	return !lstat(file->path, &st) && S_ISLNK(st.st_mode) && !realpath(file->path, missing);
}

/* 0 if a file may be created; else said why not. Never at the end of a link: what is removed again
 * after a failure would be the link. */
static int check_create(const struct backing *file)
{
	char missing[PATH_MAX] = "";

	if (leads_nowhere(file, missing))
		backing_say(
			file, UBLK_LOG_ERR,
			"is a symbolic link that leads nowhere: there is no %s; correct the link, "
			"or create that",
			missing);
	else if (!file->can_create)
		backing_say(file, UBLK_LOG_ERR, "does not exist");
	else if (!file->create)
		backing_say(
			file, UBLK_LOG_ERR,
			"does not exist; correct the path, or give create=true and size= to have "
			"it created");
	else if (!file->want_size)
		backing_say(file, UBLK_LOG_ERR,
			    "does not exist, and create=true needs size= as well");
	else if (file->read_only)
		backing_say(file, UBLK_LOG_ERR,
			    "does not exist, and a read-only device cannot create it");
	else if (!strncmp(file->path, "/dev/", 5) && strncmp(file->path, "/dev/shm/", 9))
		backing_say(file, UBLK_LOG_ERR,
			    "there is no such device, and no file will be created in /dev");
	else
		return 0;
	return -ENOENT;
}

static int create_backing(struct backing *file)
{
	struct stat st;
	int err = check_create(file);

	if (err)
		return err;
	/* O_EXCL: what we did not create we must not remove later. */
	file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file->fd >= 0) {
		file->created = true;
		return 0;
	}
	err = errno;
	if (err == EEXIST && !stat(file->path, &st))
		return open_checked(file, &st); /* created by another in this moment */
	backing_say(file, UBLK_LOG_ERR, "cannot create: %s",
		    err == ENOENT ? "its folder does not exist" : strerror(err));
	return -err;
}

/* End of the file behind a regular file's device, extended if create=true allows it. */
static int fit_regular(struct backing *file, uint64_t *end)
{
	uint64_t need = file->offset + file->want_size;
	struct stat st;
	int err;

	if (fstat(file->fd, &st))
		return say_cannot_open(file, errno);
	*end = (uint64_t)st.st_size;
	/* A device that was about to grow when its server ended still has its former size, which is in whole
	 * blocks whatever the file has. */
	if (file->recover && need > *end && *end > file->offset)
		file->want_size = 0;
	if (!file->want_size || file->offset + file->want_size <= *end)
		return 0;
	if (!file->create || file->read_only) {
		backing_say(file, UBLK_LOG_ERR,
			    "has %" PRIu64 " bytes, but offset and size need %" PRIu64 "; %s", *end,
			    need,
			    file->read_only ? "it cannot be extended read-only"
					    : "give create=true to extend it, or a smaller size");
		return -EINVAL;
	}
	if (ftruncate(file->fd, (off_t)need)) {
		err = errno;
		backing_say(file, UBLK_LOG_ERR, "cannot extend to %" PRIu64 " bytes: %s", need,
			    strerror(err));
		return -err;
	}
	file->grown = !file->created;
	file->old_size = *end;
	backing_say(file, UBLK_LOG_INFO, "%s %" PRIu64 " bytes",
		    file->grown ? "extended to" : "created with", need);
	*end = need;
	return 0;
}

static int fit_block(struct backing *file, uint64_t *end)
{
	if (ioctl(file->fd, BLKGETSIZE64, end))
		return say_cannot_open(file, errno);
	if (file->want_size && file->offset + file->want_size > *end) {
		backing_say(file, UBLK_LOG_ERR,
			    "the device has %" PRIu64 " bytes, but offset and size need %" PRIu64,
			    *end, file->offset + file->want_size);
		return -EINVAL;
	}
	return 0;
}

static int fit_size(struct backing *file)
{
	uint64_t end;
	int err = file->is_block ? fit_block(file, &end) : fit_regular(file, &end);

	if (err)
		return err;
	if (!end) {
		backing_say(file, UBLK_LOG_ERR,
			    file->is_block     ? "the device has no size (no medium?)"
			    : file->can_create ? "is empty; give size= and create=true to extend it"
					       : "is empty");
		return -EINVAL;
	}
	if (file->offset >= end) {
		backing_say(file, UBLK_LOG_ERR,
			    "offset=%" PRIu64 " is beyond its end at %" PRIu64 " bytes",
			    file->offset, end);
		return -EINVAL;
	}
	file->bytes = file->want_size ? file->want_size : end - file->offset;
	if (file->bytes < file->unit) {
		backing_say(file, UBLK_LOG_ERR,
			    "has %" PRIu64 " bytes, less than one chunk of %" PRIu64, file->bytes,
			    file->unit);
		return -EINVAL;
	}
	if (file->unit)
		file->bytes -= file->bytes % file->unit;
	return 0;
}

static int open_any(struct backing *file)
{
	struct stat st;
	int err;

	if (file->path[0] != '/') {
		backing_say(file, UBLK_LOG_ERR, "is not an absolute path");
		return -EINVAL;
	}
	if (!stat(file->path, &st))
		err = open_checked(file, &st);
	else if (errno == ENOENT)
		err = create_backing(file);
	else
		err = say_cannot_open(file, errno);
	if (err)
		return err;
	err = file->beside ? 0 : backing_lock(file);
	if (err) {
		file->created = false; /* whoever holds the lock uses it now */
		return err;
	}
	return fit_size(file);
}

/* By whatever name. Before the open, or it would be our own lock that keeps us off. */
static bool is_open_already(const struct backing *file, const char *path)
{
	struct stat ours, other;

	if (stat(path, &other) || fstat(file->fd, &ours))
		return false;
	if (file->is_block)
		return S_ISBLK(other.st_mode) && ours.st_rdev == other.st_rdev;
	return ours.st_ino == other.st_ino && ours.st_dev == other.st_dev;
}

int backing_open(struct backing *files, uint32_t nth)
{
	struct backing *file = &files[nth];
	int err;

	for (uint32_t i = 0; i < nth; i++)
		if (is_open_already(&files[i], file->path)) {
			backing_say(file, UBLK_LOG_ERR, "is a part of the device already, as %s",
				    files[i].path);
			return -EINVAL;
		}
	err = open_any(file);
	if (!err)
		err = geometry_probe(file);
	if (err)
		return err;
	file->slot = host->file_register(file->dev, file->fd);
	if (file->slot < 0)
		backing_say(file, UBLK_LOG_ERR, "the host cannot use the file: %s",
			    strerror(-file->slot));
	return file->slot < 0 ? file->slot : 0;
}

int backing_start(const struct backing *file)
{
	return file->beside ? backing_lock(file) : 0;
}

static int end_of(const struct backing *file, uint64_t *end)
{
	struct stat st;

	if (file->is_block)
		return ioctl(file->fd, BLKGETSIZE64, end) ? -errno : 0;
	if (fstat(file->fd, &st))
		return -errno;
	*end = (uint64_t)st.st_size;
	return 0;
}

/* A block device may have grown since it was opened. */
static int make_room(const struct backing *file, uint64_t bytes, bool check)
{
	uint64_t need = file->offset + bytes, end;
	int err = end_of(file, &end);

	if (err || need <= end)
		return err;
	if (bytes > INT64_MAX - file->offset)
		return -EFBIG;
	if (file->is_block)
		return -ENOSPC;
	if (file->read_only)
		return -EROFS;
	return !check && ftruncate(file->fd, (off_t)need) ? -errno : 0;
}

int backing_resize(struct backing *file, uint64_t bytes, uint32_t flags)
{
	bool check = flags & UBLK_RESIZE_CHECK;
	int err = make_room(file, bytes, check);

	if (err)
		backing_say(file, UBLK_LOG_ERR, "cannot be made %" PRIu64 " bytes large: %s",
			    file->offset + bytes,
			    file->is_block && err == -ENOSPC ? "the disk is smaller"
							     : strerror(-err));
	else if (!check)
		file->bytes = bytes;
	return err;
}

/* Nothing has been served: remove what we created, shrink what we extended. */
static void backing_undo(struct backing *file)
{
	struct stat ours, there;

	if (file->grown && ftruncate(file->fd, (off_t)file->old_size))
		backing_say(file, UBLK_LOG_WARN, "cannot be shrunk back to %" PRIu64 " bytes: %s",
			    file->old_size, strerror(errno));
	/* Not if another file has taken the name meanwhile. */
	if (file->created && !fstat(file->fd, &ours) && !lstat(file->path, &there) &&
	    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev && unlink(file->path))
		backing_say(file, UBLK_LOG_WARN, "cannot be removed again: %s", strerror(errno));
	file->created = file->grown = false;
}

void backing_close(struct backing *file)
{
	backing_undo(file);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}
