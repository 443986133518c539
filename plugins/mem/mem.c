// SPDX-License-Identifier: MIT
/*
 * mem: a RAM disk. One sparse mapping is the store, of memory that outlives the server where the host
 * has such; memory is used only where something was written, and discards and zeroing give it back.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ublk-plugin.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18: of memory that is locked, too */
#endif

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

/* Address space is set aside for a device that grows, so that its store never moves under requests. */
#define ROOM_FACTOR 16
#define ROOM_MIN (1ull << 30)
#define ROOM_ALIGN (2ull << 20) /* of the store, for huge pages */

struct mem_dev {
	struct ublk_dev *dev;
	char *store;
	uint64_t size; /* of the device */
	size_t mapped; /* size, rounded up to whole pages */
	size_t page;
	char *room;		 /* room_bytes of address space, with the store in it */
	size_t room_bytes, most; /* most: that `mapped` may become */
	int fd;			 /* of the memory that is kept, or -1 */
	uint64_t huge;		 /* HUGE_* as asked for */
	/* The store is shared with a file: a page of it that was never written takes memory as soon as
	 * it is read. So it is not read: one bit for each page, set for ever by its first WRITE. NULL:
	 * an anonymous mapping, which has the zero page for that. */
	uint64_t *written;
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

static size_t bitmap_bytes(const struct mem_dev *mem)
{
	return (mem->most / mem->page + 63) / 64 * sizeof(*mem->written);
}

static void mark_written(const struct mem_dev *mem, uint64_t offset, uint64_t length)
{
	uint64_t page = offset / mem->page, last = (offset + length - 1) / mem->page;

	for (; page <= last; page++) {
		uint64_t *word = &mem->written[page / 64], bit = 1ull << page % 64;

		if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
			__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	}
}

/* What a former server's ios have written. */
static int find_written(const struct mem_dev *mem, int fd)
{
	off_t at = 0, end;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < mem->mapped) {
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if ((uint64_t)end > mem->mapped)
			end = (off_t)mem->mapped;
		mark_written(mem, (uint64_t)at, (uint64_t)(end - at));
		at = end;
	}
	return at < 0 && errno != ENXIO ? -errno : 0;
}

static bool set_aside(struct mem_dev *mem, uint64_t most)
{
	uint64_t bytes = most + ROOM_ALIGN;
	void *room;

	if (bytes > SIZE_MAX)
		return false;
	room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return false;
	mem->room = room;
	mem->room_bytes = bytes;
	mem->most = most;
	mem->store = (char *)(((uintptr_t)room + ROOM_ALIGN - 1) & ~(uintptr_t)(ROOM_ALIGN - 1));
	return true;
}

/* Of the store. Nobody pins it, and what was read of it once may be anything. 0 or -errno. */
static int map_range(const struct mem_dev *mem, size_t from, size_t to)
{
	int flags = mem->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	char *start = mem->store + from;

	if (mmap(start, to - from, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE | MAP_FIXED,
		 mem->fd, mem->fd >= 0 ? (off_t)from : 0) == MAP_FAILED)
		return -errno;
	/* A core dump shall not hold the device's data. */
	madvise(start, to - from, MADV_DONTDUMP);
	return 0;
}

/* The host knows whether the memory has to outlive us: if it need not, private memory is better, as a
 * page that was only read stays the shared zero page and costs nothing. */
static int map_store(struct mem_dev *mem, bool recover)
{
	uint64_t room = mem->mapped * (uint64_t)ROOM_FACTOR;
	void *bits = NULL;
	int err;

	if (room / ROOM_FACTOR != mem->mapped || room < ROOM_MIN)
		room = room < ROOM_MIN ? ROOM_MIN : mem->mapped;
	if (!set_aside(mem, room) && !set_aside(mem, mem->mapped))
		return cannot_map(mem, errno);
	err = map_range(mem, 0, mem->mapped);
	if (err)
		return cannot_map(mem, -err);
	if (mem->fd < 0)
		return 0;
	bits = mmap(NULL, bitmap_bytes(mem), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bits == MAP_FAILED)
		return cannot_map(mem, errno);
	mem->written = bits;
	if (recover)
		err = find_written(mem, mem->fd);
	if (err)
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "cannot find out what of the memory was written: %s", strerror(-err));
	return err;
}

/* -1: the memory need not outlive us. < -1: -errno, said. */
static int keep(const struct mem_dev *mem, uint32_t flags)
{
	int fd;

	if (!(flags & (UBLK_OPEN_KEEP | UBLK_OPEN_RECOVER)))
		return -1;
	fd = host->keep_memory(mem->dev, "store", mem->mapped);
	if (fd == -ENOENT)
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "cannot recover: the contents died with the old server; take the device "
			  "down and start a new one");
	return fd;
}

static void unmap_store(struct mem_dev *mem)
{
	if (mem->room)
		munmap(mem->room, mem->room_bytes);
	if (mem->written)
		munmap(mem->written, bitmap_bytes(mem));
	if (mem->fd >= 0)
		close(mem->fd);
	free(mem);
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
	if (huge == HUGE_AUTO && (!mem->written || !system_uses_huge()))
		return;
	if (huge == HUGE_AUTO)
		huge = HUGE_ALWAYS;
	if (!madvise(mem->store + from, to - from,
		     huge == HUGE_ALWAYS ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return;
	/* A kernel without huge pages does what huge=never asks for. */
	if (huge == HUGE_ALWAYS)
		ublk_logf(host, mem->dev, UBLK_LOG_WARN,
			  "huge=always: no huge pages: %s; going on with small ones",
			  strerror(errno));
}

static int mem_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct mem_dev *mem = calloc(1, sizeof(*mem));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->dev = dev;
	mem->fd = -1;
	mem->huge = args->opts[OPT_HUGE].u64;
	mem->size = args->opts[OPT_SIZE].u64;
	mem->page = (size_t)sysconf(_SC_PAGESIZE);
	if (mem->size > (uint64_t)INT64_MAX - mem->page) {
		err = cannot_map(mem, ENOMEM);
		free(mem);
		return err;
	}
	mem->mapped = (mem->size + mem->page - 1) & ~(mem->page - 1);
	mem->fd = keep(mem, args->flags);
	err = mem->fd < -1 ? mem->fd : map_store(mem, args->flags & UBLK_OPEN_RECOVER);
	if (err) {
		unmap_store(mem);
		return err;
	}
	set_huge(mem, 0, mem->mapped);
	warn_if_too_big(mem);
	*priv = mem;
	return 0;
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
	limits->map_kinds = UBLK_EXT_MEM | (mem->written ? UBLK_EXT_ZERO : 0);
	limits->discard_granularity = (uint32_t)mem->page;
	return 0;
}

/*
 * Give the whole pages of [start, end) back; the next read finds zeroes.
 *
 * No lock: the kernel takes a page out of the mapping atomically, and only pages that lie wholly in
 * the range go, so no other byte is touched. A READ or WRITE of the same bytes that is in flight
 * has no order with this request; whichever way it goes, it sees old data, zeroes, or its own. What
 * would break this is a long-lived pin on the store's pages (a registered buffer): the pin would
 * keep the old page and the mapping get a new one. Nobody pins them: an extent is valid for one io.
 */
static int give_back(const struct mem_dev *mem, char *start, char *end)
{
	size_t length = (size_t)(end - start);
	int failed;

	if (start >= end)
		return 0;
	if (mem->fd >= 0)
		failed = fallocate(mem->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   start - mem->store, (off_t)length);
	else
		failed = madvise(start, length, MADV_DONTNEED) &&
			 (errno != EINVAL || madvise(start, length, MADV_DONTNEED_LOCKED));
	return failed ? -errno : 0;
}

/* Bytes beside whole pages stay, but must not come back as anything else. */
static int cut_off(struct mem_dev *mem, uint64_t size, size_t mapped)
{
	memset(mem->store + size, 0, mapped - size);
	if (mem->fd < 0)
		return give_back(mem, mem->store + mapped, mem->store + mem->mapped);
	if (ftruncate(mem->fd, (off_t)mapped))
		return -errno;
	for (size_t page = mapped / mem->page; page < mem->mapped / mem->page; page++)
		__atomic_fetch_and(&mem->written[page / 64], ~(1ull << page % 64),
				   __ATOMIC_RELAXED);
	return 0;
}

static int add_room(struct mem_dev *mem, uint64_t size, size_t mapped)
{
	int err = 0;

	if (mapped > mem->most) {
		ublk_logf(host, mem->dev, UBLK_LOG_ERR,
			  "cannot grow to %" PRIu64
			  " bytes: there is address space for %zu; take the "
			  "device down, and make it anew with that size",
			  size, mem->most);
		return -ENOSPC;
	}
	if (mem->fd >= 0 && ftruncate(mem->fd, (off_t)mapped))
		err = -errno;
	if (!err)
		err = map_range(mem, mem->mapped, mapped);
	if (!err)
		set_huge(mem, mem->mapped, mapped);
	return err;
}

static int mem_resize(void *priv, uint64_t size)
{
	struct mem_dev *mem = priv;
	size_t mapped = (size + mem->page - 1) & ~(mem->page - 1);
	int err = 0;

	if (size < mem->size)
		err = cut_off(mem, size, mapped);
	else if (mapped > mem->mapped)
		err = add_room(mem, size, mapped);
	if (err)
		return err;
	mem->size = size;
	mem->mapped = mapped;
	warn_if_too_big(mem);
	return 0;
}

static void mem_close(void *priv)
{
	unmap_store(priv);
}

static bool was_written(const struct mem_dev *mem, uint64_t page)
{
	return __atomic_load_n(&mem->written[page / 64], __ATOMIC_RELAXED) >> page % 64 & 1;
}

/* Runs of pages that were written, and of such that were not, in turns. */
static int map_read(const struct mem_dev *mem, const struct ublk_io *io, struct ublk_extent *out,
		    uint32_t max)
{
	uint64_t at = io->offset, end = io->offset + io->length, page = at / mem->page;
	uint32_t n = 0;

	while (at < end && n < max) {
		bool written = was_written(mem, page);
		uint64_t next;

		do
			next = ++page * mem->page;
		while (next < end && was_written(mem, page) == written);
		next = next < end ? next : end;
		out[n++] = (struct ublk_extent){ .length = next - at,
						 .at.addr = mem->store + at,
						 .kind = written ? UBLK_EXT_MEM : UBLK_EXT_ZERO };
		at = next;
	}
	return (int)n;
}

static int mem_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct mem_dev *mem = qpriv;

	if (mem->written && io->op == UBLK_OP_READ)
		return map_read(mem, io, out, max);
	if (mem->written)
		mark_written(mem, io->offset, io->length);
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = mem->store + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
}

static char *page_floor(const struct mem_dev *mem, char *p)
{
	return mem->store + ((size_t)(p - mem->store) & ~(mem->page - 1));
}

static char *page_ceil(const struct mem_dev *mem, char *p)
{
	return page_floor(mem, p + mem->page - 1);
}

/* Bytes beside whole pages keep their contents: a discard promises nothing. */
static int mem_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct mem_dev *mem = priv;
	char *start = mem->store + offset, *end = start + length;

	(void)flags;
	return give_back(mem, page_ceil(mem, start), page_floor(mem, end));
}

/*
 * UBLK_IOF_NOUNMAP asks that later writes of the range cannot fail for want of space. Here nothing
 * is ever reserved, and filling the memory with zeroes could get the server killed at once: the
 * pages are given back all the same.
 */
static int mem_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct mem_dev *mem = priv;
	char *start = mem->store + offset, *end = start + length;
	char *first = page_ceil(mem, start), *last = page_floor(mem, end);

	(void)flags;
	if (first >= last) {
		memset(start, 0, length);
		return 0;
	}
	memset(start, 0, (size_t)(first - start));
	memset(last, 0, (size_t)(end - last));
	return give_back(mem, first, last);
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
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE,
	.map_kinds = UBLK_EXT_MEM | UBLK_EXT_ZERO,
	.load = mem_load,
	.open = mem_open,
	.get_limits = mem_get_limits,
	.resize = mem_resize,
	.close = mem_close,
	.map = mem_map,
	.discard = mem_discard,
	.write_zeroes = mem_write_zeroes,
};
