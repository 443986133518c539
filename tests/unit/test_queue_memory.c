// SPDX-License-Identifier: MIT
/*
 * Memory of the data plane: what a plugin's mapping of a file does when the file is cut short, which
 * data paths have buffers, whose thread makes them, and what they are made of.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plane.h"

#define STORE (256u << 10)
#define IO 8192u

static struct plane plane;
static struct {
	int fd;
	char *mapped;
	uint32_t kind;
	int slot;
} dev;

/* What queues have mapped, on their own threads, that is as large as all of their tags' buffers. */
static pthread_t test_thread;
static size_t large = SIZE_MAX;
static atomic_uint mapped;
static char *_Atomic mapped_at;

void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *at = __real_mmap(addr, size, prot, flags, fd, offset);

	if (size >= large && !pthread_equal(pthread_self(), test_thread)) {
		atomic_store(&mapped_at, at);
		atomic_fetch_add(&mapped, 1);
	}
	return at;
}
static char data[IO];

static atomic_bool map_waits;

static int memory_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	while (atomic_load(&map_waits))
		usleep(100);
	*out = (struct ublk_extent){ .length = io->length, .kind = dev.kind };
	if (dev.kind == UBLK_EXT_MEM)
		out->at.addr = dev.mapped + io->offset;
	if (dev.kind == UBLK_EXT_FD) {
		out->file = dev.slot;
		out->at.offset = io->offset;
	}
	return 1;
}

static const struct ublk_plugin memory_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "memory",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map = memory_map,
};

/* As plane_pick(); false, too, if the path does not serve kind. */
static bool pick(unsigned int i, uint32_t kind, struct path_choice *choice)
{
	return plane_pick(i, choice) && choice->path->map_kinds & kind;
}

static void init(struct path_choice choice, uint32_t kind)
{
	dev.kind = kind;
	plane_init(&plane, &memory_plugin, &dev);
	plane.dev.path = choice.path;
	plane.dev.batch = choice.batch;
	plane.dev.limits.size_bytes = STORE;
	plane.dev.limits.map_kinds = kind;
}

static void start_on_mapping(struct path_choice choice)
{
	static char all[STORE];

	plane_pattern(all, 1, 0, STORE);
	dev.fd = plane_temp_file(STORE);
	ck_assert_int_eq(pwrite(dev.fd, all, STORE, 0), STORE);
	dev.mapped = mmap(NULL, STORE, PROT_READ, MAP_SHARED, dev.fd, 0);
	ck_assert_ptr_ne(dev.mapped, MAP_FAILED);
	init(choice, UBLK_EXT_MEM);
	plane.dev.limits.attrs = UBLK_DEV_READ_ONLY | UBLK_DEV_MEM_FAULTS;
	plane_start(&plane);
}

static void expect_good(uint64_t offset)
{
	memset(data, 0, sizeof(data));
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, IO, data), IO);
	ck_assert(plane_is_pattern(data, 1, offset, IO));
}

static void expect_error(uint64_t offset)
{
	int32_t res = plane_io(&plane, UBLK_OP_READ, 0, offset, IO, NULL);

	ck_assert_msg(res == -EIO || res == -EFAULT, "%d", res);
}

/* Whole reads, reads across the new end, and again what is still there: errors, and no signal. */
START_TEST(file_cut_short)
{
	struct path_choice choice;
	int tags[8];

	if (!pick(_i, UBLK_EXT_MEM, &choice))
		return;
	start_on_mapping(choice);
	for (uint64_t at = 0; at < STORE; at += IO)
		expect_good(at);
	ck_assert_int_eq(ftruncate(dev.fd, STORE / 2), 0);
	for (unsigned int round = 0; round < 20; round++) {
		expect_good(0);
		expect_error(STORE - IO);
		expect_error(STORE / 2 - IO / 2);
		expect_good(STORE / 2 - IO);
	}
	/* among others that are well */
	for (int i = 0; i < 8; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i & 1 ? STORE / 2 : 0, IO, NULL);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL) < 0, i & 1);
	ck_assert_int_eq(ftruncate(dev.fd, STORE), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, STORE - IO, IO, data), IO);
	ck_assert(plane_is_zero(data, IO));
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ], 44);
	munmap(dev.mapped, STORE);
	close(dev.fd);
}
END_TEST

static const char *const never[] = { "auto-buf-reg", "zero-copy" };

/* Does a path have buffers for extents of this kind? One that copies by itself, and of the one where
 * the server copies only files. */
static bool wants_buffers(const struct data_path *path, uint32_t kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (!strcmp(path->name, never[i]))
			return false;
	return strcmp(path->name, "user-copy") || kind == UBLK_EXT_FD;
}

/* One mapping for each queue, by its thread, where the path needs buffers, and none where not. */
START_TEST(buffers_where_needed)
{
	struct path_choice choice;

	dev.mapped = calloc(1, STORE);
	for (uint32_t kind = UBLK_EXT_FD; kind <= UBLK_EXT_VOID; kind <<= 1) {
		if (!pick(_i, kind, &choice))
			continue;
		init(choice, kind);
		plane.nr_queues = 3;
		dev.slot = plane_file(&plane, plane_temp_file(STORE));
		large = (size_t)plane.depth * plane.dev.limits.max_io_bytes;
		atomic_store(&mapped, 0);
		plane_start(&plane);
		ck_assert_msg(atomic_load(&mapped) == (wants_buffers(choice.path, kind) ? 3 : 0),
			      "%s, kind %u: %u", path_choice_name(choice), kind,
			      atomic_load(&mapped));
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, IO, data), IO);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, IO, data), IO);
		plane_stop(&plane);
		close(plane.dev.files[dev.slot].fd);
	}
	free(dev.mapped);
}
END_TEST

static int read_nothing(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)offset;
	(void)flags;
	memset(buf, 0, length);
	return 0;
}

/* Workers fill buffers on any CPU: the memory is to be the queue's node's all the same. */
START_TEST(buffers_for_workers)
{
	static const struct path_choice copy = { &path_copy, false };
	cpu_set_t cpus;
	int policy = -1;

	init(copy, 0);
	plane.plugin.map_ops = 0;
	plane.plugin.read = read_nothing;
	plane.dev.limits.map_kinds = 0;
	pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	plane.cpus = &cpus;
	large = (size_t)plane.depth * plane.dev.limits.max_io_bytes;
	plane_start(&plane);
	ck_assert_ptr_nonnull(mapped_at);
	/* Its middle is left when the ends are cut off. */
	if (!syscall(SYS_get_mempolicy, &policy, NULL, 0, mapped_at + large / 2, MPOL_F_ADDR))
		ck_assert_int_eq(policy, MPOL_PREFERRED);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, IO, data), IO);
	plane_stop(&plane);
	plane.cpus = NULL;
}
END_TEST

/* KiB of this process that a file of /proc/self has behind a name. */
static unsigned long own_kib(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	unsigned long kib = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kib = strtoul(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static unsigned long huge_kib(void)
{
	return own_kib("/proc/self/smaps_rollup", "AnonHugePages:");
}

/* Whether the system has huge pages at the moment. */
static bool huge_pages_to_be_had(size_t page)
{
	unsigned long before = huge_kib(), after;
	char *at, *aligned;

	if (!page || plane_on_valgrind())
		return false;
	at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, MAP_FAILED);
	aligned = at + (-(uintptr_t)at & (page - 1));
	madvise(aligned, page, MADV_HUGEPAGE);
	*(volatile char *)aligned = 1;
	after = huge_kib();
	munmap(at, 2 * page);
	return after > before;
}

#define LARGE_STORE (4u << 20)
#define LARGE_IO (512u << 10)

static void read_all(uint32_t length)
{
	static char back[LARGE_IO];
	int tags[16];

	for (unsigned int i = 0; i < 16; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i % 8 * LARGE_IO, length, NULL);
	for (unsigned int i = 0; i < 16; i++) {
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], back), (int)length);
		ck_assert(plane_is_pattern(back, 2, i % 8 * LARGE_IO, length));
	}
}

/* A file of pattern 2. False: it cannot be opened for direct I/O, here, and shall be. */
static bool init_on_file(bool direct)
{
	static const struct path_choice copy = { &path_copy, false };
	static char all[LARGE_STORE];

	init(copy, UBLK_EXT_FD);
	plane.dev.limits.size_bytes = LARGE_STORE;
	plane.dev.limits.max_io_bytes = LARGE_IO;
	dev.fd = plane_temp_file(LARGE_STORE);
	plane_pattern(all, 2, 0, LARGE_STORE);
	ck_assert_int_eq(pwrite(dev.fd, all, LARGE_STORE, 0), LARGE_STORE);
	if (direct && fcntl(dev.fd, F_SETFL, O_DIRECT)) {
		close(dev.fd);
		return false;
	}
	dev.slot = plane_file(&plane, dev.fd);
	return true;
}

/* Large direct ios have their buffers made of huge pages; small ones, and buffered ones, do not. */
START_TEST(huge_pages)
{
	bool direct = _i;
	unsigned long before;

	if (!init_on_file(direct))
		return;
	plane_start(&plane);
	if (huge_pages_to_be_had(plane.dev.huge_page)) {
		before = huge_kib();
		read_all(4096);
		read_all(65536);
		ck_assert_uint_eq(huge_kib(), before);
		read_all(LARGE_IO);
		read_all(LARGE_IO);
		ck_assert_uint_eq(huge_kib() > before, direct);
		read_all(4096);
	}
	plane_stop(&plane);
	close(dev.fd);
}
END_TEST

static unsigned long pinned_kib(void)
{
	return own_kib("/proc/self/status", "VmPin:");
}

/* As tag_buffers_can_register(): a user's locked memory is left alone. */
static bool may_lock(void)
{
	struct rlimit lock;

	return !geteuid() || (!getrlimit(RLIMIT_MEMLOCK, &lock) && lock.rlim_cur == RLIM_INFINITY);
}

/* Of any length, many at a time, over each other in the buffers and never on the device. */
static void rewrite_all(unsigned int rounds)
{
	static char from[8][LARGE_IO], back[LARGE_IO];
	static const uint32_t lengths[] = { 4096, 512 << 10, 16384, 65536, 4096, 256 << 10, 12288 };
	int tags[8];

	for (unsigned int n = 0; n < rounds; n++) {
		uint32_t length[8];

		for (unsigned int i = 0; i < 8; i++) {
			length[i] = lengths[(n * 5 + i * 3) % ARRAY_SIZE(lengths)];
			plane_pattern(from[i], n + 3, i * LARGE_IO, length[i]);
			tags[i] = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, i * LARGE_IO, length[i],
					       from[i]);
		}
		for (unsigned int i = 0; i < 8; i++)
			ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), (int)length[i]);
		for (unsigned int i = 0; i < 8; i++)
			tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * LARGE_IO, length[i],
					       NULL);
		for (unsigned int i = 0; i < 8; i++) {
			ck_assert_int_eq(plane_wait(&plane, 0, tags[i], back), (int)length[i]);
			ck_assert(plane_is_pattern(back, n + 3, i * LARGE_IO, length[i]));
		}
	}
}

/* Buffers of direct ios are the ring's, and their pages pinned, as far as ios have needed them. */
START_TEST(buffers_registered)
{
	bool direct = _i;
	unsigned long before, small;

	if (!init_on_file(direct))
		return;
	plane_start(&plane);
	before = pinned_kib();
	read_all(4096);
	small = pinned_kib() - before;
	ck_assert_uint_le(small, direct ? plane.depth * 4 : 0);
	ck_assert_uint_eq(small > 0, direct && may_lock());
	rewrite_all(50);
	plane_stop(&plane);
	close(dev.fd);
}
END_TEST

/* No more than some may be locked: the rest is not registered, and works. */
START_TEST(buffers_refused)
{
	const struct rlimit limit = { 512 << 10, 512 << 10 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (!init_on_file(true))
		return;
	ck_assert_int_eq(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_IPC_LOCK);
	caps[0].permitted &= ~(1u << CAP_IPC_LOCK);
	ck_assert_int_eq(syscall(SYS_capset, &header, caps), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	plane_start(&plane);
	read_all(4096);
	rewrite_all(20);
	ck_assert_uint_le(pinned_kib(), limit.rlim_cur >> 10);
	ck_assert_uint_eq(pinned_kib() > 0, !geteuid());
	plane_stop(&plane);
	close(dev.fd);
}
END_TEST

static atomic_bool submits_nothing; /* a moment in which the kernel takes no more */

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
	return atomic_load(&submits_nothing) ? -EBUSY : __real_io_uring_submit(ring);
}

/* Buffers do not leave the ring while something is queued that names them: in one round small ios, and
 * then a large one, whose buffer shares their huge page. */
START_TEST(buffers_named)
{
	static char back[LARGE_IO];
	int tags[8];

	if (!init_on_file(true))
		return;
	plane_start(&plane);
	read_all(4096);
	for (unsigned int round = 0; round < 8; round++) {
		atomic_store(&map_waits, true);
		atomic_store(&submits_nothing, true);
		for (unsigned int i = 0; i < 8; i++)
			tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * LARGE_IO,
					       i == 7 ? LARGE_IO : 4096, NULL);
		usleep(2000); /* the first is in map() then, and the others come all at once */
		atomic_store(&map_waits, false);
		for (unsigned int i = 0; i < 8; i++) {
			int length = i == 7 ? LARGE_IO : 4096;

			ck_assert_int_eq(plane_wait(&plane, 0, tags[i], back), length);
			ck_assert(plane_is_pattern(back, 2, i * LARGE_IO, length));
		}
		atomic_store(&submits_nothing, false);
	}
	plane_stop(&plane);
	close(dev.fd);
}
END_TEST

int main(void)
{
	const int all = plane_nr_picks();
	Suite *s;
	TCase *tc;

	test_thread = pthread_self();
	plane_need_fake();
	s = suite_create("queue: memory");
	tc = tcase_create("memory");
	tcase_add_loop_test(tc, file_cut_short, 0, all);
	tcase_add_loop_test(tc, buffers_where_needed, 0, all);
	tcase_add_test(tc, buffers_for_workers);
	tcase_add_loop_test(tc, huge_pages, 0, 2);
	tcase_add_loop_test(tc, buffers_registered, 0, 2);
	tcase_add_test(tc, buffers_refused);
	tcase_add_test(tc, buffers_named);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
