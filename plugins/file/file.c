// SPDX-License-Identifier: MIT
/*
 * file: a device whose bytes are in a regular file or on a block device. Here: options, the size and
 * the map; opening, locks and limits are those of every backing.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backing/backing.h"

enum { OPT_PATH, OPT_SIZE, OPT_CREATE, OPT_OFFSET, OPT_DIRECT, OPT_MMAP };
enum { MMAP_OFF, MMAP_ON }; /* as in the choices */

static const struct ublk_opt_spec file_opts[] = {
	[OPT_PATH] = { .name = "path",
		       .help = "regular file or block device",
		       .type = UBLK_OPT_PATH,
		       .flags = UBLK_OPTF_REQUIRED },
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device; default: all of the file from offset on",
		       .min = 512,
		       .type = UBLK_OPT_SIZE },
	[OPT_CREATE] = { .name = "create",
			 .help = "create the file, or extend it, to hold size bytes",
			 .def = "false",
			 .type = UBLK_OPT_BOOL },
	[OPT_OFFSET] = { .name = "offset",
			 .help = "where in the file the device begins",
			 .def = "0",
			 .type = UBLK_OPT_SIZE },
	[OPT_DIRECT] = BACKING_OPT_DIRECT,
	[OPT_MMAP] = { .name = "mmap",
		       .help = "read-only: serve the file from a mapping of it, out of the page cache",
		       .def = "off",
		       .choices = "off|on",
		       .type = UBLK_OPT_ENUM },
};

struct file_dev {
	struct backing file;
	char *mapped; /* mmap=on: the pages around what is served; else NULL */
	size_t length;
	char *first; /* the device's first byte there */
};

static int check_options(const struct backing *file)
{
	if (file->want_size % 512 || file->offset % 512) {
		backing_say(file, UBLK_LOG_ERR,
			    "%s=%" PRIu64
			    " is not a multiple of 512, the smallest block of a device",
			    file->want_size % 512 ? "size" : "offset",
			    file->want_size % 512 ? file->want_size : file->offset);
		return -EINVAL;
	}
	if (file->offset > INT64_MAX || file->want_size > INT64_MAX - file->offset) {
		backing_say(file, UBLK_LOG_ERR,
			    "offset and size reach beyond what a file can hold");
		return -EFBIG;
	}
	return 0;
}

static void file_close(void *priv)
{
	struct file_dev *fdev = priv;

	if (fdev->mapped)
		munmap(fdev->mapped, fdev->length);
	backing_close(&fdev->file);
	free(fdev);
}

/* Before the backing is opened: what else was asked for goes together with a mapping. */
static int check_mmap(struct backing *file)
{
	if (file->direct_mode == DIRECT_ON) {
		backing_say(file, UBLK_LOG_ERR,
			    "mmap=on serves it out of the page cache, which direct=on bypasses; "
			    "give one of them");
		return -EINVAL;
	}
	file->direct_mode = DIRECT_OFF;
	return 0;
}

/*
 * All of it at once, so that map() is an addition. As to advice: reading ahead is right as it is. What
 * is mapped are the file's own pages, of which huge ones are mapped as such; none are made for our sake.
 */
static int map_file(struct file_dev *fdev)
{
	struct backing *file = &fdev->file;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), before = file->offset % page;
	uint64_t length = before + file->bytes;
	void *mapped = MAP_FAILED;

	if (!file->read_only) {
		backing_say(file, UBLK_LOG_ERR,
			    "can be written, and mmap=on serves it read-only; say that the device "
			    "is to be read-only (--read-only), or leave mmap=on out");
		return -EINVAL;
	}
	errno = EFBIG;
	if (length <= SIZE_MAX)
		mapped = mmap(NULL, length, PROT_READ, MAP_SHARED, file->fd,
			      (off_t)(file->offset - before));
	if (mapped == MAP_FAILED) {
		int err = errno;

		backing_say(file, UBLK_LOG_ERR,
			    "cannot be mapped (%" PRIu64
			    " bytes): %s; leave mmap=on out to have it read",
			    length, strerror(err));
		return -err;
	}
	fdev->mapped = mapped;
	fdev->length = length;
	fdev->first = fdev->mapped + before;
	/* A core dump shall not hold the device's data. */
	madvise(mapped, length, MADV_DONTDUMP);
	return 0;
}

static int file_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct file_dev *fdev = calloc(1, sizeof(*fdev));
	bool mapped = args->opts[OPT_MMAP].u64 == MMAP_ON;
	struct backing *file;
	int err;

	if (!fdev)
		return -ENOMEM;
	file = &fdev->file;
	backing_init(file, dev, args, args->opts[OPT_PATH].str, OPT_DIRECT);
	file->want_size = args->opts[OPT_SIZE].u64;
	file->can_create = true;
	file->create = args->opts[OPT_CREATE].u64 && !(args->flags & UBLK_OPEN_RECOVER);
	file->offset = args->opts[OPT_OFFSET].u64;
	err = check_options(file);
	if (!err && mapped)
		err = check_mmap(file);
	if (!err)
		err = backing_open(file, 0);
	if (!err && mapped)
		err = map_file(fdev);
	if (err)
		file_close(fdev);
	else
		*priv = fdev;
	return err;
}

/* The device's size in whole blocks, or 0 after saying why there is none. */
static uint64_t whole_blocks(const struct backing *file, uint32_t block)
{
	uint64_t rest = file->bytes % block;

	if (file->offset % block || (file->want_size && rest)) {
		backing_say(file, UBLK_LOG_ERR,
			    "%s=%" PRIu64 " is not a multiple of the logical block, %u bytes",
			    file->offset % block ? "offset" : "size",
			    file->offset % block ? file->offset : file->bytes, block);
		return 0;
	}
	if (rest == file->bytes) {
		backing_say(file, UBLK_LOG_ERR,
			    "has %" PRIu64
			    " bytes to serve, less than one block of %u; give size= and "
			    "create=true to extend it",
			    file->bytes, block);
		return 0;
	}
	if (rest)
		backing_say(file, UBLK_LOG_WARN,
			    "its last %" PRIu64
			    " bytes are not a whole block of %u; the device ends "
			    "before them",
			    rest, block);
	return file->bytes - rest;
}

static int file_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct file_dev *fdev = priv;

	backing_limits(&fdev->file, 1, limits);
	limits->map_kinds = fdev->mapped ? UBLK_EXT_MEM : UBLK_EXT_FD;
	/* Who cuts the file short takes its pages out of the mapping. */
	limits->attrs |= fdev->mapped ? UBLK_DEV_MEM_FAULTS : 0;
	limits->size_bytes = whole_blocks(&fdev->file, limits->logical_block);
	return limits->size_bytes ? 0 : -EINVAL;
}

static int file_start(void *priv, const struct ublk_limits *final_limits)
{
	struct file_dev *fdev = priv;

	(void)final_limits;
	/* From here on it holds a user's data: keep it. */
	fdev->file.created = fdev->file.grown = false;
	return backing_start(&fdev->file);
}

static int map_in_memory(const struct file_dev *fdev, const struct ublk_io *io,
			 struct ublk_extent *out)
{
	if (io->op == UBLK_OP_FLUSH)
		return 0; /* nothing of it was ever written */
	if (io->op != UBLK_OP_READ)
		return -EROFS;
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = fdev->first + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
}

static int file_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct file_dev *fdev = qpriv;
	const struct backing *file = &fdev->file;

	(void)max; /* one is always enough */
	if (fdev->mapped)
		return map_in_memory(fdev, io, out);
	*out = (struct ublk_extent){ .length = io->op == UBLK_OP_FLUSH ? 1 : io->length,
				     .at.offset = file->offset + io->offset,
				     .kind = UBLK_EXT_FD,
				     .file = file->slot };
	return 1;
}

static int file_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct file_dev *fdev = priv;

	/* What is mapped cannot follow, and is for reading. */
	if (fdev->mapped) {
		backing_say(&fdev->file, UBLK_LOG_ERR,
			    "is mapped (mmap=on), and such a device keeps its size");
		return -EOPNOTSUPP;
	}
	return backing_resize(&fdev->file, size, flags);
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "file",
	.version = PACKAGE_VERSION,
	.description = "A regular file or block device, or a part of it",
	.opts = file_opts,
	.nr_opts = sizeof(file_opts) / sizeof(file_opts[0]),
	.opt_spec_size = sizeof(file_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD |
		   UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM,
	.load = backing_load,
	.open = file_open,
	.get_limits = file_get_limits,
	.start = file_start,
	.resize = file_resize,
	.close = file_close,
	.map = file_map,
};
