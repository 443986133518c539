// SPDX-License-Identifier: MIT
/* Short reads and writes: the host asks for the rest, on either data path. Pipes deliver and take
 * what they like; a limit on file sizes cuts a write in two. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "plane.h"

#define SPAN (64u << 10)
#define SIZE (1u << 20)

struct shorts {
	int slot[2];
	uint32_t piece; /* extents alternate between the two files */
};

static int shorts_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct shorts *s = qpriv;
	uint64_t offset = io->offset, end = io->offset + io->length;
	uint32_t n;

	for (n = 0; n < max && offset < end; n++) {
		uint64_t length = min_of(s->piece - offset % s->piece, end - offset);

		out[n] = (struct ublk_extent){ .length = length,
					       .kind = UBLK_EXT_FD,
					       .file = s->slot[offset / s->piece % 2],
					       .at.offset = offset };
		offset += length;
	}
	return n;
}

static const struct ublk_plugin shorts_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "shorts",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_FD,
	.map = shorts_map,
};

static struct plane plane;
static struct shorts shorts;
static char data[SPAN], back[SPAN];

static void start(unsigned int path, uint32_t piece, int fd0, int fd1)
{
	plane_init(&plane, &shorts_plugin, &shorts);
	plane.dev.path = data_paths[path];
	plane.dev.limits.size_bytes = SIZE;
	shorts.piece = piece;
	shorts.slot[0] = plane_file(&plane, fd0);
	shorts.slot[1] = fd1 < 0 ? shorts.slot[0] : plane_file(&plane, fd1);
	plane_start(&plane);
}

static const size_t pieces[] = { 1, 700, 511, 3000, 1, 4097, 513, 12288, 2, 9999, 1 };

START_TEST(reads_from_a_pipe)
{
	int pipes[2];

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	start(_i, SIZE, pipes[0], -1);
	for (unsigned int round = 0; round < 20; round++) {
		int tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, SPAN, NULL);
		size_t at = 0;

		plane_pattern(data, round, 0, SPAN);
		for (unsigned int i = round; at < SPAN; i++) {
			size_t n = min_of(pieces[i % ARRAY_SIZE(pieces)], SPAN - at);

			ck_assert_int_eq(write(pipes[1], data + at, n), (ssize_t)n);
			at += n;
			if (i % 3 == 0)
				usleep(200);
		}
		ck_assert_int_eq(plane_wait(&plane, 0, tag, back), SPAN);
		ck_assert_mem_eq(data, back, SPAN);
	}
	plane_stop(&plane);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

START_TEST(writes_into_a_pipe)
{
	int pipes[2];

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(pipes[1], F_SETPIPE_SZ, 4096), 4096);
	start(_i, SIZE, pipes[1], -1);
	for (unsigned int round = 0; round < 20; round++) {
		size_t at = 0;
		int tag;

		plane_pattern(data, round, 0, SPAN);
		tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, SPAN, data);
		for (unsigned int i = round; at < SPAN; i++) {
			ssize_t n = read(pipes[0], back + at,
					 min_of(pieces[i % ARRAY_SIZE(pieces)], SPAN - at));

			ck_assert_int_gt(n, 0);
			at += n;
		}
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), SPAN);
		ck_assert_mem_eq(data, back, SPAN);
	}
	plane_stop(&plane);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

/* The other end goes away in the middle of an io. */
START_TEST(pipe_ends)
{
	int pipes[2], tag;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	start(_i, SIZE, pipes[0], -1);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, SPAN, NULL);
	ck_assert_int_eq(write(pipes[1], data, 1234), 1234);
	close(pipes[1]);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	plane_stop(&plane);
	close(pipes[0]);

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(pipes[1], F_SETPIPE_SZ, 4096), 4096);
	start(_i, SIZE, pipes[1], -1);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, SPAN, data);
	ck_assert_int_eq(read(pipes[0], back, 1234), 1234);
	close(pipes[0]);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EPIPE);
	plane_stop(&plane);
	close(pipes[1]);
}
END_TEST

/* Windows of extents that are short one by one, from two pipes: the io goes window by window, so
 * each pipe must have what its extents of a window want. */
START_TEST(short_extents_of_one_window)
{
	int a[2], b[2], tag;
	char from_a[SPAN], from_b[SPAN];

	ck_assert_int_eq(pipe2(a, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(b, O_CLOEXEC), 0);
	start(_i, SPAN / 2, a[0], b[0]);
	for (unsigned int round = 0; round < 10; round++) {
		plane_pattern(from_a, 2 * round, 0, SPAN / 2);
		plane_pattern(from_b, 2 * round + 1, 0, SPAN / 2);
		tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, SPAN, NULL);
		for (size_t at = 0; at < SPAN / 2; at += 1024) {
			ck_assert_int_eq(write(b[1], from_b + at, 1024), 1024);
			ck_assert_int_eq(write(a[1], from_a + at, 1023), 1023);
			ck_assert_int_eq(write(a[1], from_a + at + 1023, 1), 1);
		}
		ck_assert_int_eq(plane_wait(&plane, 0, tag, back), SPAN);
		ck_assert_mem_eq(back, from_a, SPAN / 2);
		ck_assert_mem_eq(back + SPAN / 2, from_b, SPAN / 2);
	}
	plane_stop(&plane);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}
END_TEST

/* A short write is no success (rule 14 of the driver would make it one). */
START_TEST(write_cut_by_a_limit)
{
	struct rlimit limit = { 100000, 100000 };
	int fd = plane_temp_file(0);

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	start(_i, SIZE, fd, -1);
	plane_pattern(data, 5, 0, SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, SPAN, data), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, SPAN, SPAN, data), -EFBIG);
	ck_assert_int_eq(pread(fd, back, SPAN, SPAN), 100000 - SPAN);
	ck_assert_mem_eq(data, back, 100000 - SPAN);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_WRITE], 1);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const both[] = { reads_from_a_pipe, writes_into_a_pipe, pipe_ends,
				      short_extents_of_one_window, write_cut_by_a_limit };
	Suite *s = suite_create("queue: short reads and writes");
	TCase *tc = tcase_create("both paths");

	plane_need_fake();
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		tcase_add_loop_test(tc, both[i], 0, (int)nr_data_paths);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
