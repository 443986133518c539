// SPDX-License-Identifier: MIT
/* The null and mem backends under a mock host. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

static struct ublk_dev dev;
static long page;

/* A figure of /proc/self/smaps, or its VmFlags, for the mapping that begins at addr. */
static void smaps(const void *addr, const char *field, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool inside = false;
	char line[512];

	ck_assert_ptr_nonnull(f);
	out[0] = '\0';
	while (!out[0] && fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)addr >= from && (unsigned long)addr < to;
		else if (inside && !strncmp(line, field, strlen(field)))
			snprintf(out, size, "%s", line + strlen(field) + 1);
	}
	fclose(f);
	ck_assert_msg(out[0], "no %s in smaps", field);
}

static unsigned long used_kib(const void *addr)
{
	char text[512];

	smaps(addr, "Anonymous", text, sizeof(text));
	return strtoul(text, NULL, 10);
}

static void open_mem(const char *size, const char *huge)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");

	page = sysconf(_SC_PAGESIZE);
	ck_assert_int_eq(mock_open(&dev, mem, 0, size, huge, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(mock_start(&dev), 0);
}

static char *store(void)
{
	return mock_map(&dev, UBLK_OP_READ, 0, 512).at.addr;
}

START_TEST(null_defaults)
{
	const struct ublk_plugin *null = mock_load("plugins", "null");

	ck_assert_uint_eq(null->map_ops, UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD |
						 UBLK_OPS_WRITE_ZEROES);
	ck_assert_int_eq(mock_open(&dev, null, 0, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 250ull << 30);
	ck_assert_uint_eq(dev.limits.map_kinds, UBLK_EXT_ZERO);
	ck_assert_uint_eq(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, 0);
	ck_assert_uint_ne(dev.limits.max_discard_bytes, 0);
	mock_close(&dev, true);
}
END_TEST

START_TEST(null_fill)
{
	static const struct {
		const char *option;
		uint32_t kind;
	} fills[] = { { "fill=zero", UBLK_EXT_ZERO }, { "fill=none", UBLK_EXT_VOID } };
	static const uint8_t ops[] = { UBLK_OP_READ, UBLK_OP_WRITE, UBLK_OP_DISCARD,
				       UBLK_OP_WRITE_ZEROES };
	const struct ublk_plugin *null = mock_load("plugins", "null");

	ck_assert_int_eq(mock_open(&dev, null, 0, "size=1T", fills[_i].option, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_uint_eq(dev.limits.map_kinds, fills[_i].kind);
	for (size_t i = 0; i < sizeof(ops); i++) {
		struct ublk_extent first = mock_map(&dev, ops[i], 0, 512);
		struct ublk_extent last = mock_map(&dev, ops[i], (1ull << 40) - 65536, 65536);

		ck_assert_uint_eq(first.kind, fills[_i].kind);
		ck_assert_uint_eq(first.length, 512);
		ck_assert_uint_eq(last.kind, fills[_i].kind);
		ck_assert_uint_eq(last.length, 65536);
	}
	mock_close(&dev, true);
}
END_TEST

START_TEST(odd_size)
{
	static const char *const names[] = { "null", "mem" };
	const struct ublk_plugin *plugin = mock_load("plugins", names[_i]);

	ck_assert_int_eq(mock_open(&dev, plugin, 0, "size=1536", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 1536);
	ck_assert_int_eq(mock_limits(&dev, 4096), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "size=1536 is not a multiple"));
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "4096"));
	mock_close(&dev, false);
}
END_TEST

START_TEST(mem_maps_where_it_is)
{
	struct ublk_extent last;

	open_mem("size=64M", "huge=auto");
	ck_assert_uint_eq(dev.limits.size_bytes, 64 << 20);
	ck_assert_uint_eq(dev.limits.discard_granularity, page);
	ck_assert_uint_eq(dev.limits.attrs, 0);
	ck_assert_uint_eq(dev.limits.map_kinds, UBLK_EXT_MEM);
	last = mock_map(&dev, UBLK_OP_WRITE, (64 << 20) - 512, 512);
	ck_assert_uint_eq(last.kind, UBLK_EXT_MEM);
	ck_assert_uint_eq(last.length, 512);
	ck_assert_ptr_eq(last.at.addr, store() + (64 << 20) - 512);
	memset(last.at.addr, 0x5a, 512);
	ck_assert_int_eq(store()[(64 << 20) - 1], 0x5a);
	mock_close(&dev, true);
}
END_TEST

/* It grows in place, by kept memory and by its own; what was cut off comes back as zeroes. */
START_TEST(mem_resizes)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	const uint64_t large = 48 << 20, small = 8 << 20;
	char *before;

	page = sysconf(_SC_PAGESIZE);
	if (_i)
		mock_keep(&dev);
	ck_assert_int_eq(mock_open(&dev, mem, _i ? UBLK_OPEN_KEEP : 0, "size=16M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(mock_start(&dev), 0);
	before = mock_map(&dev, UBLK_OP_WRITE, 0, 512).at.addr;
	memset(before, 0x5a, 512);
	ck_assert_int_eq(mem->resize(dev.priv, 4096, UBLK_RESIZE_CHECK), 0); /* nothing changes */
	ck_assert_int_eq(before[0], 0x5a);
	ck_assert_int_eq(mem->resize(dev.priv, 2ull << 40, UBLK_RESIZE_CHECK), -ENOSPC);
	ck_assert_int_eq(mem->resize(dev.priv, large, 0), 0);
	ck_assert_ptr_eq(mock_map(&dev, UBLK_OP_WRITE, 0, 512).at.addr, before);
	memset(mock_map(&dev, UBLK_OP_WRITE, large - 4096, 4096).at.addr, 0x77, 4096);
	memset(mock_map(&dev, UBLK_OP_WRITE, small, 4096).at.addr, 0x77, 4096);
	ck_assert_int_eq(mem->resize(dev.priv, small + 512, 0), 0);
	ck_assert_int_eq(before[0], 0x5a);
	ck_assert_int_eq(before[small + 511], 0x77);
	ck_assert_int_eq(mem->resize(dev.priv, large, 0), 0);
	ck_assert_int_eq(before[small + 511], 0x77);
	ck_assert_int_eq(before[small + 512], 0);
	ck_assert_uint_eq(mock_map(&dev, UBLK_OP_READ, large - 4096, 4096).kind,
			  _i ? UBLK_EXT_ZERO : UBLK_EXT_MEM);
	ck_assert_int_eq(before[large - 1], 0);
	ck_assert_int_eq(mem->resize(dev.priv, 2ull << 40, 0), -ENOSPC);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "cannot grow to"));
	ck_assert_int_eq(before[0], 0x5a);
	mock_close(&dev, true);
	if (_i)
		close(dev.kept_fd);
	dev.kept_fd = 0;
}
END_TEST

/* Some kernels have no page of zeroes that all share: there a page that is read takes memory. */
static unsigned long kib_of_reading(void)
{
	volatile char *plain =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long kib;

	ck_assert_ptr_ne((void *)plain, MAP_FAILED);
	ck_assert_int_eq(*plain, 0);
	kib = used_kib((const void *)plain) ? page >> 10 : 0;
	munmap((void *)plain, page);
	return kib;
}

START_TEST(mem_is_sparse)
{
	char zero[4096] = { 0 };
	unsigned long read_kib;

	open_mem("size=256M", "huge=never");
	for (size_t at = 0; at < 256u << 20; at += 1u << 20)
		ck_assert_mem_eq(store() + at, zero, sizeof(zero));
	read_kib = kib_of_reading();
	ck_assert_uint_eq(used_kib(store()), 256 * read_kib);
	memset(store() + (8 << 20), 1, 1 << 20);
	ck_assert_uint_eq(used_kib(store()), 255 * read_kib + 1024);
	mock_close(&dev, true);
}
END_TEST

START_TEST(mem_discard_frees)
{
	open_mem("size=64M", "huge=never");
	memset(store(), 0xff, 64 << 20);
	ck_assert_uint_eq(used_kib(store()), 64 << 10);
	ck_assert_int_eq(dev.plugin->discard(dev.priv, 32 << 20, 16 << 20, 0), 0);
	ck_assert_uint_eq(used_kib(store()), 32 << 10);
	ck_assert_int_eq(store()[16 << 20], 0);
	ck_assert_int_eq((unsigned char)store()[(16 << 20) - 1], 0xff);
	ck_assert_int_eq((unsigned char)store()[48 << 20], 0xff);
	ck_assert_int_eq(dev.plugin->write_zeroes(dev.priv, 64 << 20, 0, UBLK_IOF_NOUNMAP), 0);
	ck_assert_uint_eq(used_kib(store()), 0);
	mock_close(&dev, true);
}
END_TEST

/* Every byte of the store, after a request on [at, at + length) of a store full of 0xff. */
static void check_edges(bool discard, uint64_t at, uint64_t length)
{
	uint64_t first = at, last = at + length, size = 8 * page;
	const char *found = store();

	memset(store(), 0xff, size);
	if (discard) {
		ck_assert_int_eq(dev.plugin->discard(dev.priv, length, at, 0), 0);
		first = (first + page - 1) / page * page;
		last = last / page * page;
	} else {
		ck_assert_int_eq(dev.plugin->write_zeroes(dev.priv, length, at, 0), 0);
	}
	for (uint64_t i = 0; i < size; i++)
		if (found[i] != (i >= first && i < last ? 0 : (char)0xff))
			ck_abort_msg("%s of %lu at %lu: byte %lu is %d",
				     discard ? "discard" : "zero", (unsigned long)length,
				     (unsigned long)at, (unsigned long)i, found[i]);
}

START_TEST(mem_partial_pages)
{
	char size[32];

	snprintf(size, sizeof(size), "size=%ld", 8 * sysconf(_SC_PAGESIZE));
	open_mem(size, "huge=auto");
	for (int discard = 0; discard < 2; discard++) {
		check_edges(discard, 0, 8 * page);		  /* all */
		check_edges(discard, page, page);		  /* one page */
		check_edges(discard, 512, 512);			  /* inside of a page */
		check_edges(discard, page - 512, 1024);		  /* over a border, no whole page */
		check_edges(discard, page - 512, page + 1024);	  /* a page and both sides */
		check_edges(discard, 0, page + 512);		  /* head aligned */
		check_edges(discard, 512, 2 * page - 512);	  /* tail aligned */
		check_edges(discard, 7 * page + 512, page - 512); /* to the end */
	}
	mock_close(&dev, true);
}
END_TEST

/* The last page is only partly the device's: its end must be handled, too. */
START_TEST(mem_partial_last_page)
{
	open_mem("size=4608", "huge=auto");
	memset(store(), 0xff, 4608);
	ck_assert_int_eq(dev.plugin->write_zeroes(dev.priv, 4608, 0, 0), 0);
	ck_assert_int_eq(store()[4607], 0);
	ck_assert_int_eq(dev.plugin->discard(dev.priv, 4608, 0, 0), 0);
	mock_close(&dev, true);
}
END_TEST

START_TEST(mem_huge)
{
	static const struct {
		const char *option, *has, *has_not;
	} modes[] = { { "huge=auto", " ", " hg" },
		      { "huge=never", " nh", " hg" },
		      { "huge=always", " hg", " nh" } };
	char flags[512] = " ";

	open_mem("size=16M", modes[_i].option);
	smaps(store(), "VmFlags", flags + 1, sizeof(flags) - 1);
	if (mock_lines(&dev, UBLK_LOG_WARN) == 0) { /* else: a kernel without huge pages */
		ck_assert_msg(strstr(flags, modes[_i].has), "%s", flags);
		ck_assert_msg(!strstr(flags, modes[_i].has_not), "%s", flags);
	}
	ck_assert_msg(strstr(flags, " dd"), "would be in a core dump: %s", flags);
	mock_close(&dev, true);
}
END_TEST

START_TEST(mem_too_big_to_map)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	static const char *const sizes[] = { "size=1048576T", "size=18446744073709551104" };

	/* -ENOMEM, but valgrind, which maps for us, says -EINVAL */
	ck_assert_int_lt(mock_open(&dev, mem, 0, sizes[_i], NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, _i ? sizes[1] : "size=1152921504606846976"));
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "are available"));
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
}
END_TEST

START_TEST(mem_more_than_memory)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	struct sysinfo info;
	char size[40];

	sysinfo(&info);
	snprintf(size, sizeof(size), "size=%lluM",
		 (((unsigned long long)info.totalram + info.totalswap) * info.mem_unit >> 20) +
			 1024);
	ck_assert_int_eq(mock_open(&dev, mem, 0, size, NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "more than this machine's memory"));
	mock_close(&dev, false);
	ck_assert_int_eq(mock_open(&dev, mem, 0, "size=1M", NULL), 0);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_WARN), 0);
	mock_close(&dev, false);
}
END_TEST

/* What was written is there for the next server, and nothing else takes memory. */
START_TEST(mem_outlives_its_server)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	struct ublk_extent e[8];
	struct ublk_io io = { .op = UBLK_OP_READ };
	struct stat st;

	page = sysconf(_SC_PAGESIZE);
	io.length = 8 * (uint64_t)page;
	mock_keep(&dev);
	ck_assert_int_eq(mock_open(&dev, mem, UBLK_OPEN_KEEP, "size=1M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.map_kinds, UBLK_EXT_MEM | UBLK_EXT_ZERO);
	ck_assert_uint_eq(mock_map(&dev, UBLK_OP_READ, 0, 8 * page).kind, UBLK_EXT_ZERO);
	e[0] = mock_map(&dev, UBLK_OP_WRITE, 2 * page + 512, page);
	ck_assert_uint_eq(e[0].kind, UBLK_EXT_MEM);
	memset(e[0].at.addr, 7, page);
	ck_assert_int_eq(mem->map(dev.priv, &io, e, 8), 3);
	ck_assert_uint_eq(e[0].kind, UBLK_EXT_ZERO);
	ck_assert_uint_eq(e[0].length, 2 * page);
	ck_assert_uint_eq(e[1].kind, UBLK_EXT_MEM);
	ck_assert_uint_eq(e[1].length, 2 * page);
	ck_assert_uint_eq(e[2].kind, UBLK_EXT_ZERO);
	ck_assert_uint_eq(e[2].length, 4 * page);
	/* no room for all: the rest is asked for again */
	ck_assert_int_eq(mem->map(dev.priv, &io, e, 2), 2);
	ck_assert_uint_eq(e[0].length + e[1].length, 4 * page);
	mock_close(&dev, false);

	ck_assert_int_eq(mock_open(&dev, mem, UBLK_OPEN_KEEP | UBLK_OPEN_RECOVER, "size=1M", NULL),
			 0);
	ck_assert_int_eq(mem->map(dev.priv, &io, e, 8), 3);
	ck_assert_uint_eq(e[1].kind, UBLK_EXT_MEM);
	ck_assert_int_eq(((char *)e[1].at.addr)[512], 7);
	ck_assert_int_eq(((char *)e[1].at.addr)[511], 0);
	ck_assert_int_eq(mem->discard(dev.priv, 2 * page, 2 * page, 0), 0);
	ck_assert_int_eq(fstat(dev.kept_fd, &st), 0);
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert_int_eq(((char *)e[1].at.addr)[512], 0);
	mock_close(&dev, false);
	close(dev.kept_fd);
}
END_TEST

/* What the former server writes while the next one has the memory open already is there as well. */
START_TEST(mem_opens_beside_a_former_server)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	const uint32_t flags = UBLK_OPEN_KEEP | UBLK_OPEN_RECOVER | UBLK_OPEN_BESIDE;
	static struct ublk_dev next;
	struct ublk_extent e;

	page = sysconf(_SC_PAGESIZE);
	ck_assert(mem->flags & UBLK_PLUGIN_OPENS_BESIDE);
	mock_keep(&dev);
	next.kept_fd = dev.kept_fd;
	ck_assert_int_eq(mock_open(&dev, mem, UBLK_OPEN_KEEP, "size=1M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(mock_open(&next, mem, flags, "size=1M", NULL), 0);
	ck_assert_int_eq(mock_limits(&next, 512), 0);
	e = mock_map(&dev, UBLK_OP_WRITE, page, page);
	memset(e.at.addr, 9, page);
	mock_close(&dev, false);
	ck_assert_int_eq(mock_start(&next), 0);
	e = mock_map(&next, UBLK_OP_READ, page, page);
	ck_assert_uint_eq(e.kind, UBLK_EXT_MEM);
	ck_assert_int_eq(*(char *)e.at.addr, 9);
	ck_assert_uint_eq(mock_map(&next, UBLK_OP_READ, 0, page).kind, UBLK_EXT_ZERO);
	mock_close(&next, true);
	close(dev.kept_fd);
}
END_TEST

START_TEST(mem_does_not_pretend_to_recover)
{
	const struct ublk_plugin *mem = mock_load("plugins", "mem");

	ck_assert_int_eq(mock_open(&dev, mem, UBLK_OPEN_RECOVER, "size=1M", NULL), -ENOENT);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "cannot recover"));
}
END_TEST

static int keep_refused(struct ublk_dev *of, const char *name, uint64_t size)
{
	(void)of;
	(void)name;
	(void)size;
	return -EPERM; /* which is -1 */
}

/* No memory at all is not memory that need not be kept. */
START_TEST(mem_fails_without_the_kept_memory)
{
	static const uint32_t flags[] = { UBLK_OPEN_KEEP, UBLK_OPEN_RECOVER,
					  UBLK_OPEN_KEEP | UBLK_OPEN_RECOVER };
	const struct ublk_plugin *mem = mock_load("plugins", "mem");
	static struct ublk_host refusing;

	refusing = mock_host;
	refusing.keep_memory = keep_refused;
	ck_assert_int_eq(mem->load(&refusing), 0);
	ck_assert_int_eq(mock_open(&dev, mem, flags[_i], "size=1M", NULL), -EPERM);
	ck_assert_int_eq(mock_open(&dev, mem, 0, "size=1M", NULL), 0);
	mock_close(&dev, false);
}
END_TEST

#define ROUNDS 20000

static void *discarder(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		dev.plugin->discard(dev.priv, 3 * page, page - 512, 0);
	return NULL;
}

/* Blocks beside a discarded range, in its first and last page, are written all the while. */
START_TEST(mem_discard_spares_neighbours)
{
	pthread_t thread;
	char *before, *after;

	open_mem("size=1M", "huge=auto");
	before = store() + page - 1024;
	after = store() + 4 * page - 512;
	ck_assert_int_eq(pthread_create(&thread, NULL, discarder, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		before[i % 512] = (char)i;
		after[i % 512] = (char)i;
		ck_assert_int_eq(((volatile char *)before)[i % 512], (char)i);
		ck_assert_int_eq(((volatile char *)after)[i % 512], (char)i);
	}
	pthread_join(thread, NULL);
	mock_close(&dev, true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backends_memory");
	TCase *null = tcase_create("null"), *mem = tcase_create("mem");

	tcase_add_test(null, null_defaults);
	tcase_add_loop_test(null, null_fill, 0, 2);
	tcase_add_loop_test(null, odd_size, 0, 2);
	tcase_add_test(mem, mem_maps_where_it_is);
	tcase_add_loop_test(mem, mem_resizes, 0, 2);
	tcase_add_test(mem, mem_is_sparse);
	tcase_add_test(mem, mem_discard_frees);
	tcase_add_test(mem, mem_partial_pages);
	tcase_add_test(mem, mem_partial_last_page);
	tcase_add_loop_test(mem, mem_huge, 0, 3);
	tcase_add_loop_test(mem, mem_too_big_to_map, 0, 2);
	tcase_add_test(mem, mem_more_than_memory);
	tcase_add_test(mem, mem_outlives_its_server);
	tcase_add_test(mem, mem_opens_beside_a_former_server);
	tcase_add_test(mem, mem_does_not_pretend_to_recover);
	tcase_add_loop_test(mem, mem_fails_without_the_kept_memory, 0, 3);
	tcase_add_test(mem, mem_discard_spares_neighbours);
	suite_add_tcase(suite, null);
	suite_add_tcase(suite, mem);
	return run_tap(suite);
}
