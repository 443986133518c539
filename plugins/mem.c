// SPDX-License-Identifier: MIT
/*
 * mem: a RAM disk. One sparse anonymous mapping is the store; memory is used only where something
 * was written, and discards and zeroing give it back.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
	char *store;
	uint64_t size; /* of the device */
	size_t mapped; /* size, rounded up to whole pages */
	size_t page;
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

static int map_store(struct mem_dev *mem)
{
	void *store;
	int err;

	if (mem->size > SIZE_MAX - mem->page) {
		err = ENOMEM;
	} else {
		mem->mapped = (mem->size + mem->page - 1) & ~(mem->page - 1);
		/* Private: a page that was only read stays the shared zero page and costs nothing. */
		store = mmap(NULL, mem->mapped, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (store != MAP_FAILED) {
			mem->store = store;
			return 0;
		}
		err = errno;
	}
	ublk_logf(host, mem->dev, UBLK_LOG_ERR,
		  "cannot map size=%" PRIu64 " bytes (%" PRIu64 " MiB) of memory: %s; %" PRIu64
		  " MiB are available; give a smaller size, or check vm.overcommit_memory and "
		  "ulimit -v",
		  mem->size, mem->size >> 20, strerror(err), meminfo("MemAvailable") >> 20);
	return -err;
}

static void set_huge(const struct mem_dev *mem, uint64_t huge)
{
	if (huge == HUGE_AUTO)
		return;
	if (!madvise(mem->store, mem->mapped,
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
	struct mem_dev *mem;
	int err;

	if (args->flags & UBLK_OPEN_RECOVER) {
		ublk_logf(host, dev, UBLK_LOG_ERR,
			  "cannot recover: the contents died with the old server; take the device "
			  "down and start a new one");
		return -EOPNOTSUPP;
	}
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->dev = dev;
	mem->size = args->opts[OPT_SIZE].u64;
	mem->page = (size_t)sysconf(_SC_PAGESIZE);
	err = map_store(mem);
	if (err) {
		free(mem);
		return err;
	}
	set_huge(mem, args->opts[OPT_HUGE].u64);
	/* A core dump shall not hold the device's data. */
	madvise(mem->store, mem->mapped, MADV_DONTDUMP);
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
	limits->discard_granularity = (uint32_t)mem->page;
	return 0;
}

static void mem_close(void *priv)
{
	struct mem_dev *mem = priv;

	munmap(mem->store, mem->mapped);
	free(mem);
}

static int mem_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct mem_dev *mem = qpriv;

	(void)max; /* one is always enough */
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = mem->store + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
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
static int give_back(char *start, char *end)
{
	return start < end && madvise(start, (size_t)(end - start), MADV_DONTNEED) ? -errno : 0;
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
	return give_back(page_ceil(mem, start), page_floor(mem, end));
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
	return give_back(first, last);
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
	.map_kinds = UBLK_EXT_MEM,
	.load = mem_load,
	.open = mem_open,
	.get_limits = mem_get_limits,
	.close = mem_close,
	.map = mem_map,
	.discard = mem_discard,
	.write_zeroes = mem_write_zeroes,
};
