// SPDX-License-Identifier: MIT
/*
 * Requests whose data is in memory shared with the program, on every data path and for every
 * profile, mixed with ordinary ones; and what the driver should never say, or nobody should do.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plane.h"

#define STORE (1u << 20)
#define MEMORY (256u << 10)
#define SPAN (64u << 10)
#define PIECE (5u << 10)
#define INDEX 3 /* the driver's */

static struct {
	char *mem; /* the device's bytes, where they are in memory */
	int slot;
	uint32_t kinds[3];
	unsigned int nr_kinds;
	int map_error;
	const char *last_buf; /* that read() or write() got */
} dev;

static struct plane plane;
static struct shared_memory *memory = &plane.dev.shared[INDEX];
static int memory_fd;
static char junk[SPAN], back[SPAN];

static int shared_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	uint64_t offset = io->offset, left = io->length, length;
	uint32_t n = 0;

	(void)qpriv;
	if (dev.map_error)
		return dev.map_error;
	for (; left && n < max; offset += length, left -= length, n++) {
		length = min_of(PIECE - offset % PIECE, left);
		out[n] = (struct ublk_extent){ .length = length,
					       .kind = dev.kinds[offset / PIECE % dev.nr_kinds] };
		if (out[n].kind == UBLK_EXT_MEM)
			out[n].at.addr = dev.mem + offset;
		out[n].file = dev.slot;
		if (out[n].kind == UBLK_EXT_FD)
			out[n].at.offset = offset;
	}
	return n;
}

static const struct ublk_plugin map_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "shared",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map = shared_map,
};

static void map_memory(void)
{
	memory_fd = memfd_create("shared", MFD_CLOEXEC);
	ck_assert_int_ge(memory_fd, 0);
	ck_assert_int_eq(ftruncate(memory_fd, MEMORY), 0);
	ck_assert_int_eq(shared_memory_map(memory, memory_fd, MEMORY), 0);
}

static void begin(const struct ublk_plugin *plugin, struct path_choice choice)
{
	dev.mem = calloc(1, STORE);
	dev.nr_kinds = 0;
	dev.map_error = 0;
	ck_assert_ptr_nonnull(dev.mem);
	memset(junk, 0x5a, sizeof(junk));
	for (uint32_t kind = UBLK_EXT_FD; kind <= UBLK_EXT_ZERO; kind <<= 1)
		if (kind & choice.path->map_kinds)
			dev.kinds[dev.nr_kinds++] = kind;
	plane_init(&plane, plugin, &dev);
	plane.dev.path = choice.path;
	plane.dev.batch = choice.batch;
	plane.dev.limits.size_bytes = STORE;
	plane.dev.limits.map_kinds = plugin->map_kinds & choice.path->map_kinds;
	dev.slot = plane_file(&plane, plane_temp_file(STORE));
	map_memory();
	plane_start(&plane);
}

static void end(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	shared_memory_unmap(memory);
	close(memory_fd);
	close(plane.dev.files[dev.slot].fd);
	free(dev.mem);
}

static int32_t shared_io_at(unsigned int op, uint64_t offset, uint64_t length, uint64_t shared)
{
	struct fake_request req = {
		.tag = FAKE_ANY_TAG,
		.op_flags = (op == UBLK_OP_READ ? UBLK_IO_OP_READ : UBLK_IO_OP_WRITE) |
			    UBLK_IO_F_SHMEM_ZC,
		.nr_sectors = length >> 9,
		.start_sector = offset >> 9,
		.data = junk,
		.shared = shared,
	};
	int tag = fake_submit(plane.fake, 0, &req);

	ck_assert_int_ge(tag, 0);
	return plane_wait(&plane, 0, tag, NULL);
}

static int32_t shared_io(unsigned int op, uint64_t offset, uint64_t length, uint64_t at)
{
	return shared_io_at(op, offset, length, (uint64_t)INDEX << 32 | at);
}

static void model_write(char *model, uint64_t offset, uint64_t length, const char *from)
{
	for (uint64_t at = 0; at < length; at++)
		if (dev.kinds[(offset + at) / PIECE % dev.nr_kinds] != UBLK_EXT_ZERO)
			model[offset + at] = from[at];
}

/* One WRITE or READ, in shared memory or not, against a model of the device and of the memory. */
static void random_io(char *model, char *mirror, uint64_t *state, bool shared)
{
	uint64_t length = (plane_random(state) % 128 + 1) * 512;
	uint64_t offset = plane_random(state) % ((STORE - length) / 512) * 512;
	uint64_t at = plane_random(state) % ((MEMORY - length) / 4 + 1) * 4;
	bool write = plane_random(state) & 1;
	char *ours = shared ? memory->base + at : back;

	if (write)
		plane_pattern(ours, 1, *state, length);
	if (shared && write)
		memcpy(mirror + at, ours, length);
	else if (shared)
		memcpy(mirror + at, model + offset, length);
	if (write)
		model_write(model, offset, length, ours);
	if (shared)
		ck_assert_int_eq(
			shared_io(write ? UBLK_OP_WRITE : UBLK_OP_READ, offset, length, at),
			(int)length);
	else
		ck_assert_int_eq(plane_io(&plane, write ? UBLK_OP_WRITE : UBLK_OP_READ, 0, offset,
					  length, back),
				 (int)length);
	ck_assert(write || shared || !memcmp(back, model + offset, length));
	ck_assert_msg(!memcmp(mirror, memory->base, MEMORY),
		      "%s: the memory is not as it should be",
		      path_choice_name((struct path_choice){ plane.dev.path, plane.dev.batch }));
}

START_TEST(mixed_with_ordinary_ones)
{
	char *model = calloc(1, STORE), *mirror = calloc(1, MEMORY);
	struct path_choice choice;
	unsigned int nr_shared = 0;
	uint64_t state = 7;

	if (plane_pick(_i, &choice)) {
		begin(&map_plugin, choice);
		for (unsigned int i = 0; i < 400; i++) {
			bool shared = plane_random(&state) % 3;

			random_io(model, mirror, &state, shared);
			nr_shared += shared;
		}
		ck_assert_uint_eq(fake_registrations(plane.fake) > 0,
				  choice.path == &path_zero_copy);
		end();
		ck_assert_uint_eq(plane.counters.shared, nr_shared);
		ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ] +
					  plane.counters.errors[UBLK_OP_WRITE],
				  0);
	}
	free(model);
	free(mirror);
}
END_TEST

/* No place but in memory of ours is believed; the tag goes on. */
START_TEST(wild_places)
{
	const uint64_t index = (uint64_t)INDEX << 32;
	const uint64_t wild[] = { 0,
				  (uint64_t)(INDEX + 1) << 32,
				  (uint64_t)MAX_SHARED_MEMORY << 32,
				  UINT64_MAX,
				  index | (MEMORY - 4096 + 4),
				  index | MEMORY,
				  index | 0xffffffff };
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	begin(&map_plugin, choice);
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		ck_assert_int_eq(shared_io_at(UBLK_OP_WRITE, 0, 4096, wild[i]), -EIO);
		ck_assert_int_eq(shared_io_at(UBLK_OP_READ, 0, 4096, wild[i]), -EIO);
	}
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, 4096, MEMORY - 4096), 4096);
	ck_assert_int_eq(shared_io(UBLK_OP_READ, 0, 4096, MEMORY - 4096), 4096);
	end();
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_WRITE], ARRAY_SIZE(wild));
	ck_assert_uint_eq(plane.counters.shared, 2);
}
END_TEST

START_TEST(errors)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	begin(&map_plugin, choice);
	dev.map_error = -ENOSPC;
	for (unsigned int i = 0; i < 40; i++) {
		ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, 4096, 0), -ENOSPC);
		ck_assert_int_eq(shared_io(UBLK_OP_READ, 0, 4096, 0), -ENOSPC);
		ck_assert_int_eq(shared_io(UBLK_OP_WRITE, STORE, 4096, 0), -EIO);
	}
	dev.map_error = 0;
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, 4096, 0), 4096);
	end();
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_WRITE], 80);
}
END_TEST

/* The file is cut short: what touches it fails, the rest and the server go on. */
START_TEST(memory_that_is_gone)
{
	struct path_choice choice;
	char data[4096] = { 1 };

	if (!plane_pick(_i, &choice))
		return;
	begin(&map_plugin, choice);
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, SPAN, 0), SPAN);
	ck_assert_int_eq(ftruncate(memory_fd, 4096), 0);
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, 4096, 0), 4096);
	ck_assert_int_lt(shared_io(UBLK_OP_WRITE, 0, SPAN, 4096), 0);
	ck_assert_int_lt(shared_io(UBLK_OP_READ, 0, SPAN, 4096), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), 4096);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	ck_assert(dev.kinds[0] == UBLK_EXT_ZERO || !memcmp(data, back, 4096));
	end();
}
END_TEST

/* ---- call ---- */

static int call_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	dev.last_buf = buf;
	memcpy(buf, dev.mem + offset, length);
	return 0;
}

static int call_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	dev.last_buf = buf;
	memcpy(dev.mem + offset, buf, length);
	return 0;
}

static bool page_aligned(const void *at)
{
	return !((uintptr_t)at % (uintptr_t)sysconf(_SC_PAGESIZE));
}

/* What does not begin with a page is copied: functions may hand their memory on to direct I/O. */
static void in_the_middle_of_a_page(void)
{
	const uint64_t at = 2 * SPAN + 512, length = SPAN / 2;

	memset(memory->base, 0x33, MEMORY);
	plane_pattern(memory->base + at, 4, 0, length);
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 8192, length, at), (int)length);
	ck_assert(page_aligned(dev.last_buf));
	ck_assert(plane_is_pattern(dev.mem + 8192, 4, 0, length));
	memset(memory->base + at, 0x33, length);
	ck_assert_int_eq(shared_io(UBLK_OP_READ, 8192, length, at), (int)length);
	ck_assert(page_aligned(dev.last_buf));
	ck_assert(plane_is_pattern(memory->base + at, 4, 0, length));
	for (uint64_t i = 0; i < MEMORY; i++)
		ck_assert((i >= at && i < at + length) || memory->base[i] == 0x33);
}

/* Plain functions get the shared memory itself, on whichever thread they run. */
START_TEST(call_profile)
{
	struct ublk_plugin plugin = { UBLK_PLUGIN_INIT(0), .name = "call",
				      .thread_model = UBLK_THREADS_PARALLEL, .read = call_read,
				      .write = call_write };
	struct path_choice choice;

	if (!plane_pick(_i / 2, &choice) || choice.path->data_mode != UBLK_DATA_MAPPED)
		return;
	plugin.flags = _i % 2 ? UBLK_PLUGIN_NONBLOCKING : 0;
	begin(&plugin, choice);
	plane_pattern(memory->base, 3, 0, SPAN);
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 4096, SPAN, 0), SPAN);
	ck_assert_ptr_eq(dev.last_buf, memory->base);
	ck_assert(plane_is_pattern(dev.mem + 4096, 3, 0, SPAN));
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 4096, SPAN, back), SPAN);
	ck_assert_ptr_ne(dev.last_buf, memory->base);
	ck_assert(plane_is_pattern(back, 3, 0, SPAN));
	ck_assert_int_eq(shared_io(UBLK_OP_READ, 4096, SPAN, 2 * SPAN), SPAN);
	ck_assert_ptr_eq(dev.last_buf, memory->base + 2 * SPAN);
	ck_assert(plane_is_pattern(memory->base + 2 * SPAN, 3, 0, SPAN));
	in_the_middle_of_a_page();
	end();
	ck_assert_uint_eq(plane.counters.shared, 2);
}
END_TEST

/* ---- async ---- */

static struct ublk_queue *queue;
static struct ublk_io *held;
static atomic_uint nr_held;

static int hold_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
		     void **qpriv)
{
	(void)priv;
	(void)info;
	(void)qpriv;
	queue = q;
	return 0;
}

static int hold(void *qpriv, struct ublk_io *io)
{
	(void)qpriv;
	dev.last_buf = io->buf;
	if (io->offset) { /* these it keeps */
		held = io;
		atomic_fetch_add(&nr_held, 1);
	} else {
		host_services.complete(queue, io, (int32_t)io->length);
	}
	return 0;
}

static const struct ublk_plugin async_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "async",
	.thread_model = UBLK_THREADS_PARALLEL,
	.data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.queue_init = hold_init,
	.submit = hold,
};

/* Who wants memory gets the shared one; who wants a registered buffer finds the same pages there. */
START_TEST(async_profile)
{
	struct path_choice choice;
	bool mapped;

	if (!plane_pick(_i, &choice) || !choice.path->data_mode)
		return;
	mapped = choice.path->data_mode == UBLK_DATA_MAPPED;
	begin(&async_plugin, choice);
	ck_assert_int_eq(shared_io(UBLK_OP_READ, 0, 4096, 8192), 4096);
	ck_assert_ptr_eq(dev.last_buf, mapped ? memory->base + 8192 : NULL);
	ck_assert_int_eq(shared_io(UBLK_OP_WRITE, 0, 4096, 8192), 4096);
	ck_assert_ptr_eq(dev.last_buf, mapped ? memory->base + 8192 : NULL);
	end();
	ck_assert_uint_eq(plane.counters.shared, mapped ? 2 : 0);
}
END_TEST

/* One that is held too long is taken away, and the tag's own buffer serves the next. */
START_TEST(taken_away)
{
	struct fake_request req = { .tag = 0,
				    .op_flags = UBLK_IO_OP_READ | UBLK_IO_F_SHMEM_ZC,
				    .nr_sectors = 8,
				    .start_sector = 8,
				    .shared = (uint64_t)INDEX << 32 };

	begin(&async_plugin, (struct path_choice){ &path_copy, false });
	plane.dev.io_timeout = 1;
	for (unsigned int i = 0; i < 2; i++) {
		atomic_store(&nr_held, 0);
		ck_assert_int_eq(fake_submit(plane.fake, 0, &req), 0);
		plane_wait_count(&nr_held, 1);
		ck_assert_ptr_eq(held->buf, memory->base);
		plane_tick(&plane, 3);
		ck_assert_int_eq(plane_wait(&plane, 0, 0, NULL), -EIO);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
		ck_assert(dev.last_buf && dev.last_buf != memory->base);
	}
	end();
	ck_assert_uint_eq(plane.counters.timeouts, 2);
}
END_TEST

/* ---- the mapping ---- */

START_TEST(mapping)
{
	struct shared_memory a, b;
	int fd = memfd_create("a", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 8192), 0);
	ck_assert_int_eq(shared_memory_map(&a, fd, 8192), 0);
	ck_assert_int_eq(shared_memory_map(&b, fd, 8192), 0);
	b.base[5000] = 'x';
	ck_assert_int_eq(a.base[5000], 'x');
	/* more than there is */
	shared_memory_unmap(&b);
	ck_assert_int_lt(shared_memory_map(&b, fd, 16384), 0);
	shared_memory_unmap(&b);
	ck_assert_int_eq(a.base[5000], 'x');
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	a.base[100] = 'y';
	ck_assert(!atomic_load(&a.lost));
	a.base[5000] = 'z';
	ck_assert(atomic_load(&a.lost));
	ck_assert_int_eq(a.base[100], 0);
	shared_memory_unmap(&a);
	shared_memory_unmap(&a);
	close(fd);
}
END_TEST

static void touch_beyond(void)
{
	struct shared_memory a;
	int fd = memfd_create("a", MFD_CLOEXEC);
	volatile char *other;

	signal(SIGBUS, SIG_DFL); /* a sanitizer has its own */
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(shared_memory_map(&a, fd, 4096), 0);
	other = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	(void)other[4096];
}

/* A SIGBUS of any other memory ends the process as ever. */
START_TEST(other_bus_errors)
{
	touch_beyond();
}
END_TEST

int main(void)
{
	const int all = plane_nr_picks();
	Suite *s;
	TCase *tc;

	plane_need_fake();
	s = suite_create("queue: shared memory");
	tc = tcase_create("shared");
	tcase_add_loop_test(tc, mixed_with_ordinary_ones, 0, all);
	tcase_add_loop_test(tc, wild_places, 0, all);
	tcase_add_loop_test(tc, errors, 0, all);
	tcase_add_loop_test(tc, call_profile, 0, 2 * all);
	tcase_add_loop_test(tc, async_profile, 0, all);
	tcase_add_test(tc, taken_away);
	/* Valgrind has not all registers when a fault is handled, and so cannot go on after it. */
	if (!plane_on_valgrind()) {
		tcase_add_loop_test(tc, memory_that_is_gone, 0, all);
		tcase_add_test(tc, mapping);
	}
	tcase_add_test_raise_signal(tc, other_bus_errors, SIGBUS);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
