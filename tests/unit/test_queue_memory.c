// SPDX-License-Identifier: MIT
/*
 * Memory of the data plane: what a plugin's mapping of a file does when the file is cut short, and
 * which data paths have buffers.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "plane.h"

#define STORE (256u << 10)
#define IO 8192u

static struct plane plane;
static struct {
	int fd;
	char *mapped;
	uint32_t kind;
} dev;
static char data[IO];

static int memory_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){ .length = io->length, .kind = dev.kind };
	if (dev.kind == UBLK_EXT_MEM)
		out->at.addr = dev.mapped + io->offset;
	return 1;
}

static const struct ublk_plugin memory_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "memory",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map = memory_map,
};

/* The i-th combination of a path and commands. False: there is none, or it does not serve kind. */
static bool pick(unsigned int i, uint32_t kind, struct path_choice *choice)
{
	*choice = (struct path_choice){ data_paths[i / 2], i % 2 };
	return (!choice->batch || choice->path->batch_name) && choice->path->map_kinds & kind;
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

int main(void)
{
	const int all = 2 * nr_data_paths;
	Suite *s;
	TCase *tc;

	plane_need_fake();
	s = suite_create("queue: memory");
	tc = tcase_create("memory");
	tcase_add_loop_test(tc, file_cut_short, 0, all);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
