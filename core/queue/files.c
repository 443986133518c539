// SPDX-License-Identifier: MIT
/*
 * DISCARD and WRITE_ZEROES of a range of a file or block device where the ring does not do it
 * (range.c): the calls block, so they run on worker threads. What the file cannot do is done the
 * next best way.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "queue/internal.h"

#define ZERO_CHUNK (256u << 10)

static int punch(int fd, uint64_t offset, uint64_t length)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(fd, mode, offset, length) ? -errno : 0;
}

static int zero_range(int fd, uint64_t offset, uint64_t length)
{
	int mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

	return fallocate(fd, mode, offset, length) ? -errno : 0;
}

static int block_ioctl(int fd, unsigned long what, uint64_t offset, uint64_t length)
{
	uint64_t range[2] = { offset, length };

	return ioctl(fd, what, range) ? -errno : 0;
}

/* Page-aligned zeroes, as O_DIRECT wants them. */
static int write_zeroes(int fd, uint64_t offset, uint64_t length)
{
	void *zeroes = mmap(NULL, ZERO_CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = 0;

	if (zeroes == MAP_FAILED)
		return -errno;
	while (length && !err) {
		ssize_t n = pwrite(fd, zeroes, min_of(length, (uint64_t)ZERO_CHUNK), offset);

		if (n > 0) {
			offset += n;
			length -= n;
		} else if (n == 0) {
			err = -EIO;
		} else if (errno != EINTR) {
			err = -errno;
		}
	}
	munmap(zeroes, ZERO_CHUNK);
	return err;
}

static int zero_blocks(const struct dev_file *file, uint64_t offset, uint64_t length, bool keep)
{
	int err = -EOPNOTSUPP;

	/* On a block device, punching is write-zeroes that may unmap; ZERO_RANGE may not. */
	if (!keep)
		err = punch(file->fd, offset, length);
	if (err == -EOPNOTSUPP)
		err = zero_range(file->fd, offset, length);
	if (err == -EOPNOTSUPP && file->is_block)
		err = block_ioctl(file->fd, BLKZEROOUT, offset, length);
	if (err == -EOPNOTSUPP || err == -ENOTTY)
		err = write_zeroes(file->fd, offset, length);
	return err;
}

/* Parts of blocks are written. */
static int zeroes_op(const struct dev_file *file, uint64_t offset, uint64_t length, bool keep)
{
	uint64_t end = offset + length, from = round_up_to(offset, file->block);
	uint64_t to = end - end % file->block;
	int err = 0;

	if (from >= to)
		return write_zeroes(file->fd, offset, length);
	if (offset < from)
		err = write_zeroes(file->fd, offset, from - offset);
	if (!err)
		err = zero_blocks(file, from, to - from, keep);
	if (!err && to < end)
		err = write_zeroes(file->fd, to, end - to);
	return err;
}

int file_range_op(const struct dev_file *file, unsigned int op, uint64_t offset, uint64_t length,
		  uint32_t flags)
{
	if (op == UBLK_OP_WRITE_ZEROES)
		return zeroes_op(file, offset, length, flags & UBLK_IOF_NOUNMAP);
	if (file->is_block)
		return block_ioctl(file->fd, BLKDISCARD, offset, length);
	return punch(file->fd, offset, length);
}
