// SPDX-License-Identifier: MIT
/*
 * mem: a RAM disk. One sparse mapping is the store, of memory that outlives the server where the host
 * has such; memory is used only where something was written, and discards and zeroing give it back.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mem/store.h"
#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_HUGE };
enum { HUGE_AUTO, HUGE_NEVER, HUGE_ALWAYS }; /* as in the choices */

static const struct ublk_opt_spec mem_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .min = 512,
		       .type = UBLK_OPT_SIZE,
		       .flags = UBLK_OPTF_REQUIRED },
	[OPT_HUGE] = { .name = "huge",
		       .help = "use transparent huge pages: as the system is set, never, or always",
		       .def = "auto",
		       .choices = "auto|never|always",
		       .type = UBLK_OPT_ENUM },
};

struct mem_dev {
	struct ublk_dev *dev;
	uint64_t size; /* of the device */
	uint64_t huge; /* HUGE_* as asked for */
	bool to_find;  /* by start(): what of the store was written */
	struct store store;
};

static const struct ublk_host *host; /* set once by load() */

static int mem_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

/* One line of /proc/meminfo, in bytes; 0 if it cannot be read. */
static uint64_t meminfo(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "re");
	size_t len = strlen(field);
	uint64_t kib = 0;
	char line[128];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, field, len) && line[len] == ':') {
			kib = strtoull(line + len + 1, NULL, 10);
			break;
		}
	}
	fclose(f);
	return kib << 10;
}

static void warn_if_too_big(const struct mem_dev *mem)
{
	uint64_t total = meminfo("MemTotal"), swap = meminfo("SwapTotal");

	if (total && mem->size > total + swap)
		ublk_logf(host, mem->dev, UBLK_LOG_WARN,
			  "size=%" PRIu64 " is more than this machine's memory and swap (%" PRIu64
			  " MiB); the server will be killed when they run out",
			  mem->size, (total + swap) >> 20);
}

static int cannot_map(const struct mem_dev *mem, int err)
{
	ublk_logf(host, mem->dev, UBLK_LOG_ERR,
		  "cannot map size=%" PRIu64 " bytes (%" PRIu64 " MiB) of memory: %s; %" PRIu64
		  " MiB are available; give a smaller size, or check vm.overcommit_memory and "
		  "ulimit -v",
		  mem->size, mem->size >> 20, strerror(err), meminfo("MemAvailable") >> 20);
	return -err;
}

/* The host knows whether the memory has to outlive us: if it need not (*fd is -1), private memory is better, as
 * a page that was only read stays the shared zero page and costs nothing. 0 or -errno, said. */
static int keep(const struct mem_dev *mem, size_t pages, uint32_t flags, int *fd)
{
	*fd = -1;
	if (!(flags & (UBLK_OPEN_KEEP | UBLK_OPEN_RECOVER)))
		return 0;
	*fd = host->keep_memory(mem->dev, "store", pages);
	if (*fd == -ENOENT)
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "cannot recover: the contents died with the old server; take the device "
			  "down and start a new one");
	return *fd < 0 ? *fd : 0;
}

static int find_written(struct mem_dev *mem)
{
	int err = store_find_written(&mem->store);

	if (err)
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "cannot find out what of the memory was written: %s", strerror(-err));
	return err;
}

static int make_store(struct mem_dev *mem, uint32_t flags)
{
	const size_t pages = store_pages(mem->size);
	int fd, err;

	if (!pages)
		return cannot_map(mem, ENOMEM);
	err = keep(mem, pages, flags, &fd);
	if (err)
		return err;
	err = store_map(&mem->store, pages, fd);
	if (err)
		return cannot_map(mem, -err);
	if (fd < 0 || !(flags & UBLK_OPEN_RECOVER))
		return 0;
	mem->to_find = flags & UBLK_OPEN_BESIDE;
	return mem->to_find ? 0 : find_written(mem);
}

static bool system_uses_huge(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	char line[64];
	bool always;

	if (!f)
		return false;
	always = fgets(line, sizeof(line), f) && strstr(line, "[always]");
	fclose(f);
	return always;
}

/* Of [from, to) of the store. */
static void set_huge(const struct mem_dev *mem, size_t from, size_t to)
{
	uint64_t huge = mem->huge;

	/* The system's setting is for private memory; of what is kept, it is the setting of the mount
	 * that it is asked for. */
	if (huge == HUGE_AUTO && (!mem->store.written || !system_uses_huge()))
		return;
	if (huge == HUGE_AUTO)
		huge = HUGE_ALWAYS;
	if (!madvise(mem->store.bytes + from, to - from,
		     huge == HUGE_ALWAYS ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return;
	/* A kernel without huge pages does what huge=never asks for. */
	if (huge == HUGE_ALWAYS)
		ublk_logf(host, mem->dev, UBLK_LOG_WARN,
			  "huge=always: no huge pages: %s; going on with small ones",
			  strerror(errno));
}

static void mem_close(void *priv)
{
	struct mem_dev *mem = priv;

	store_unmap(&mem->store);
	free(mem);
}

static int mem_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct mem_dev *mem = calloc(1, sizeof(*mem));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->dev = dev;
	mem->huge = args->opts[OPT_HUGE].u64;
	mem->size = args->opts[OPT_SIZE].u64;
	mem->store.fd = -1;
	err = make_store(mem, args->flags);
	if (err) {
		mem_close(mem);
		return err;
	}
	set_huge(mem, 0, mem->store.mapped);
	warn_if_too_big(mem);
	*priv = mem;
	return 0;
}

static int mem_start(void *priv, const struct ublk_limits *final_limits)
{
	struct mem_dev *mem = priv;

	(void)final_limits;
	return mem->to_find ? find_written(mem) : 0;
}

static int mem_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct mem_dev *mem = priv;

	if (mem->size % limits->logical_block) {
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "size=%" PRIu64 " is not a multiple of the logical block, %u bytes; "
			  "give another size or logical block",
			  mem->size, limits->logical_block);
		return -EINVAL;
	}
	limits->size_bytes = mem->size;
	limits->map_kinds = UBLK_EXT_MEM | (mem->store.written ? UBLK_EXT_ZERO : 0);
	limits->discard_granularity = (uint32_t)mem->store.page;
	return 0;
}

static int no_room(const struct mem_dev *mem, uint64_t size)
{
	ublk_logf(host, mem->dev, UBLK_LOG_ERR,
		  "cannot grow to %" PRIu64
		  " bytes: there is address space for %zu; take the device "
		  "down, and make it anew with that size",
		  size, mem->store.most);
	return -ENOSPC;
}

static int mem_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct mem_dev *mem = priv;
	size_t pages = store_pages(size), former = mem->store.mapped;
	int err = 0;

	if (!pages || pages > mem->store.most)
		return no_room(mem, size);
	if (flags & UBLK_RESIZE_CHECK)
		return 0;
	if (size < mem->size)
		err = store_cut(&mem->store, size);
	else if (pages > former)
		err = store_grow(&mem->store, pages);
	if (err)
		return err;
	mem->size = size;
	if (pages > former)
		set_huge(mem, former, pages);
	warn_if_too_big(mem);
	return 0;
}

/* Runs of pages that were written, and of such that were not, in turns. */
static int map_read(const struct mem_dev *mem, const struct ublk_io *io, struct ublk_extent *out,
		    uint32_t max)
{
	const struct store *store = &mem->store;
	uint64_t at = io->offset, end = io->offset + io->length, page = at / store->page;
	uint32_t n = 0;

	while (at < end && n < max) {
		bool written = store_was_written(store, page);
		uint64_t next;

		do
			next = ++page * store->page;
		while (next < end && store_was_written(store, page) == written);
		next = next < end ? next : end;
		out[n++] = (struct ublk_extent){ .length = next - at,
						 .at.addr = store->bytes + at,
						 .kind = written ? UBLK_EXT_MEM : UBLK_EXT_ZERO };
		at = next;
	}
	return (int)n;
}

static int mem_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct mem_dev *mem = qpriv;

	if (mem->store.written && io->op == UBLK_OP_READ)
		return map_read(mem, io, out, max);
	if (mem->store.written)
		store_mark_written(&mem->store, io->offset, io->length);
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = mem->store.bytes + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
}

static uint64_t page_floor(const struct mem_dev *mem, uint64_t offset)
{
	return offset & ~(uint64_t)(mem->store.page - 1);
}

static uint64_t page_ceil(const struct mem_dev *mem, uint64_t offset)
{
	return page_floor(mem, offset + mem->store.page - 1);
}

/* Bytes beside whole pages keep their contents: a discard promises nothing. */
static int mem_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct mem_dev *mem = priv;

	(void)flags;
	return store_give_back(&mem->store, page_ceil(mem, offset),
			       page_floor(mem, offset + length));
}

/*
 * UBLK_IOF_NOUNMAP asks that later writes of the range cannot fail for want of space. Here nothing
 * is ever reserved, and filling the memory with zeroes could get the server killed at once: the
 * pages are given back all the same.
 */
static int mem_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct mem_dev *mem = priv;
	uint64_t end = offset + length;
	uint64_t first = page_ceil(mem, offset), last = page_floor(mem, end);
	char *bytes = mem->store.bytes;

	(void)flags;
	if (first >= last) {
		memset(bytes + offset, 0, length);
		return 0;
	}
	memset(bytes + offset, 0, first - offset);
	memset(bytes + last, 0, end - last);
	return store_give_back(&mem->store, first, last);
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "mem",
	.version = PACKAGE_VERSION,
	.description = "RAM disk that uses memory only where it was written",
	.opts = mem_opts,
	.nr_opts = sizeof(mem_opts) / sizeof(mem_opts[0]),
	.opt_spec_size = sizeof(mem_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE,
	.map_kinds = UBLK_EXT_MEM | UBLK_EXT_ZERO,
	.load = mem_load,
	.open = mem_open,
	.get_limits = mem_get_limits,
	.start = mem_start,
	.resize = mem_resize,
	.close = mem_close,
	.map = mem_map,
	.discard = mem_discard,
	.write_zeroes = mem_write_zeroes,
};
