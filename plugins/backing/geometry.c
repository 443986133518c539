// SPDX-License-Identifier: MIT
/*
 * What the backing is like: alignment for direct I/O, block sizes, discard, caches. Asked of the
 * kernel in the order of trust: ioctl and statx, sysfs, and at last by trying.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backing/backing.h"

/* Linux 6.1; older headers have neither the name nor the members. */
#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000u
#endif
#define STATX_DIO_MEM_ALIGN_AT 0x98
#define STATX_DIO_OFFSET_ALIGN_AT 0x9c
_Static_assert(sizeof(struct statx) == 256, "struct statx is kernel ABI");

static bool is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* A line of the request queue's folder in sysfs, of a whole disk or the disk of a partition. */
static bool queue_attr(dev_t disk, const char *name, char *text, size_t size)
{
	static const char *const where[] = { "queue", "../queue" };
	char path[128];
	bool got;
	FILE *f;

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(disk), minor(disk),
			 where[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		got = fgets(text, (int)size, f);
		fclose(f);
		if (got)
			text[strcspn(text, "\n")] = '\0';
		return got;
	}
	return false;
}

/* A number of the same folder, or fallback where this kernel or device does not tell. */
static uint64_t queue_number(dev_t disk, const char *name, uint64_t fallback)
{
	char text[32];

	return queue_attr(disk, name, text, sizeof(text)) ? strtoull(text, NULL, 10) : fallback;
}

/* A power of two that fits, or 0: what the driver cannot say it shall not say. */
static uint32_t queue_pow2(dev_t disk, const char *name)
{
	uint64_t v = queue_number(disk, name, 0);

	return is_pow2(v) && v <= (1u << 28) ? (uint32_t)v : 0;
}

/* What direct I/O needs: blocks of file (offset and length) and alignment in memory. */
struct alignment {
	uint32_t block, memory;
};

enum told { TOLD, TOLD_IMPOSSIBLE, NOT_TOLD };

static enum told align_from_statx(int fd, struct alignment *align)
{
	struct statx stx;

	memset(&stx, 0, sizeof(stx));
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) || !(stx.stx_mask & STATX_DIOALIGN))
		return NOT_TOLD;
	memcpy(&align->memory, (char *)&stx + STATX_DIO_MEM_ALIGN_AT, sizeof(align->memory));
	memcpy(&align->block, (char *)&stx + STATX_DIO_OFFSET_ALIGN_AT, sizeof(align->block));
	return align->memory && align->block ? TOLD : TOLD_IMPOSSIBLE;
}

/* Only EINVAL speaks of alignment; a read that fails otherwise will fail for the user, too. */
static bool read_passes(int fd, char *buf, size_t length)
{
	return pread(fd, buf, length, 0) >= 0 || errno != EINVAL;
}

static bool align_by_trial(int fd, struct alignment *align)
{
	enum { MAX_TRIED = 4096 };
	char *buf = aligned_alloc(MAX_TRIED, 2 * MAX_TRIED);
	bool found = false;

	if (!buf)
		return false;
	for (align->block = 512; align->block <= MAX_TRIED; align->block *= 2) {
		found = read_passes(fd, buf, align->block);
		if (found)
			break;
	}
	/* buf + memory is aligned to memory, and to nothing more. */
	if (found)
		for (align->memory = 4; align->memory < MAX_TRIED; align->memory *= 2)
			if (read_passes(fd, buf + align->memory, align->block))
				break;
	free(buf);
	return found;
}

static int align_of_block(int fd, dev_t disk, struct alignment *align)
{
	int block = 0;

	if (ioctl(fd, BLKSSZGET, &block))
		return -errno;
	align->block = (uint32_t)block;
	/* A mask. Kernels before 6.0 do not tell; a block was always enough. */
	align->memory = (uint32_t)queue_number(disk, "dma_alignment", align->block - 1) + 1;
	return 0;
}

/* Make the fd direct and find out what that needs. -errno with the reason in why. */
static int try_direct(struct backing *file, const struct stat *st, struct alignment *align,
		      char *why, size_t size)
{
	uint64_t rest = file->bytes - file->bytes % 512; /* what the device will have anyway */
	int flags = fcntl(file->fd, F_GETFL), err;

	if (flags < 0 || fcntl(file->fd, F_SETFL, flags | O_DIRECT)) {
		err = -errno;
		snprintf(why, size, "the filesystem has no direct I/O (%s)", strerror(-err));
		return err;
	}
	if (file->is_block) {
		err = align_of_block(file->fd, st->st_rdev, align);
	} else {
		enum told told = align_from_statx(file->fd, align);

		err = told == TOLD_IMPOSSIBLE ||
				      (told == NOT_TOLD && !align_by_trial(file->fd, align))
			      ? -EOPNOTSUPP
			      : 0;
	}
	if (err) {
		snprintf(why, size, "the filesystem has no direct I/O for this file");
		return err;
	}
	if (align->block > MAX_LOGICAL_BLOCK || align->memory > MAX_LOGICAL_BLOCK) {
		snprintf(why, size, "direct I/O would need blocks of %u bytes in memory of %u",
			 align->block, align->memory);
		return -EOPNOTSUPP;
	}
	if (file->former.logical_block &&
	    (align->block > file->former.logical_block || align->memory > file->former.dma_align)) {
		snprintf(
			why, size,
			"direct I/O needs blocks of %u bytes in memory of %u by now, and the device "
			"was made with %u in %u",
			align->block, align->memory, file->former.logical_block,
			file->former.dma_align);
		return -EINVAL;
	}
	if (file->offset % align->block || rest % align->block) {
		snprintf(why, size, "direct I/O needs blocks of %u bytes, and %s is no multiple",
			 align->block, file->offset % align->block ? "offset" : "the size");
		return -EINVAL;
	}
	return 0;
}

static int choose_direct(struct backing *file, const struct stat *st, struct alignment *align)
{
	char why[200];
	int err, flags;

	if (file->direct_mode == DIRECT_OFF)
		return 0;
	err = try_direct(file, st, align, why, sizeof(why));
	file->direct = !err;
	if (!err)
		return 0;
	flags = fcntl(file->fd, F_GETFL);
	if (flags >= 0)
		fcntl(file->fd, F_SETFL, flags & ~O_DIRECT);
	if (file->direct_mode == DIRECT_ON) {
		backing_say(file, UBLK_LOG_ERR, "direct=on: %s; give direct=auto or direct=off",
			    why);
		return err;
	}
	backing_say(file, UBLK_LOG_INFO, "using the page cache: %s", why);
	return 0;
}

/* Beyond the end of the file there is nothing to lose, unless a server is there that makes it longer: then what the
 * device was made with stays. */
static bool can_punch(const struct backing *file, const struct stat *st)
{
	off_t beyond = (st->st_size + 4095) & ~(off_t)4095;

	if (file->beside)
		return !file->read_only;
	/* Other errors (a full disk, a quota) are of now only. */
	return !file->read_only &&
	       (!fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, beyond, 4096) ||
		(errno != EOPNOTSUPP && errno != ENOSYS && errno != ENODEV));
}

static void probe_regular(struct backing *file, const struct stat *st)
{
	struct geometry *geo = &file->geo;
	struct statvfs fs;

	geo->logical_block = 512;
	geo->io_opt = is_pow2(st->st_blksize) ? (uint32_t)st->st_blksize : 0;
	geo->discard = can_punch(file, st);
	/* Who cannot punch does not zero in place either, as a rule; to try that would make room beyond the
	 * end of those that can. */
	geo->slow_zeroes = !geo->discard;
	if (!fstatvfs(file->fd, &fs) && is_pow2(fs.f_frsize))
		geo->discard_granularity = (uint32_t)fs.f_frsize;
	/* Direct or not: where new blocks are is metadata, and stable only after an fsync. */
	geo->volatile_cache = true;
	geo->rotational = queue_number(st->st_dev, "rotational", 0);
}

static int probe_block(struct backing *file, dev_t disk)
{
	struct geometry *geo = &file->geo;
	int logical = 0, physical = 0;
	char text[32];

	if (queue_attr(disk, "zoned", text, sizeof(text)) && !strcmp(text, "host-managed")) {
		backing_say(file, UBLK_LOG_ERR,
			    "is a host-managed zoned device, which takes no random writes; give "
			    "another device");
		return -EOPNOTSUPP;
	}
	if (ioctl(file->fd, BLKSSZGET, &logical) || ioctl(file->fd, BLKPBSZGET, &physical)) {
		int err = errno;

		backing_say(file, UBLK_LOG_ERR, "cannot ask for its block sizes: %s",
			    strerror(err));
		return -err;
	}
	/* A larger one can only be served through the page cache, where any block will do for data; the
	 * host makes whole blocks of what is discarded or zeroed. */
	geo->logical_block =
		logical > (int)MAX_LOGICAL_BLOCK ? MAX_LOGICAL_BLOCK : (uint32_t)logical;
	geo->physical_block = is_pow2((uint64_t)physical) ? (uint32_t)physical : 0;
	geo->io_min = queue_pow2(disk, "minimum_io_size");
	geo->io_opt = queue_pow2(disk, "optimal_io_size");
	geo->discard = queue_number(disk, "discard_max_bytes", 0) > 0;
	geo->discard_granularity = queue_pow2(disk, "discard_granularity");
	geo->slow_zeroes = queue_number(disk, "write_zeroes_max_bytes", 0) == 0;
	geo->rotational = queue_number(disk, "rotational", 0);
	geo->volatile_cache = !file->direct ||
			      !queue_attr(disk, "write_cache", text, sizeof(text)) ||
			      !strcmp(text, "write back");
	return 0;
}

/* What a disk can do changes while it is used: a discard or write of zeroes that failed is not offered any more, a
 * controller's battery ends. That is no reason to leave a device without a server: what the backing does not do, fails,
 * or takes its time, as it would have under the former one. But what direct I/O had made stable, the page cache has
 * not. */
static void keep_to_former(struct backing *file)
{
	const struct ublk_limits *former = &file->former;
	struct geometry *geo = &file->geo;

	if (!former->logical_block || file->read_only)
		return;
	geo->discard |= former->max_discard_bytes > 0;
	geo->slow_zeroes &= former->max_write_zeroes_bytes <= SLOW_ZEROES_MAX;
	if (!geo->volatile_cache || former->attrs & UBLK_DEV_VOLATILE_CACHE || !file->direct)
		return;
	geo->volatile_cache = false;
	backing_say(
		file, UBLK_LOG_WARN,
		"has a volatile cache by now, and had none when the device was made, which never "
		"flushes it; make the device anew to have that done");
}

int geometry_probe(struct backing *file)
{
	struct alignment align = { 0 };
	struct stat st;
	int err;

	if (fstat(file->fd, &st)) {
		err = errno;
		backing_say(file, UBLK_LOG_ERR, "cannot stat: %s", strerror(err));
		return -err;
	}
	err = choose_direct(file, &st, &align);
	if (err)
		return err;
	if (file->is_block)
		err = probe_block(file, st.st_rdev);
	else
		probe_regular(file, &st);
	if (file->direct) {
		if (align.block > file->geo.logical_block)
			file->geo.logical_block = align.block;
		file->geo.dma_align = align.memory;
	}
	if (!err)
		keep_to_former(file);
	return err;
}
