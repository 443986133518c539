// SPDX-License-Identifier: MIT
/* Extents in files, on data path copy and on registered buffers: data, ends, errors, syncs, holes. */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "plane.h"

#define SIZE (4u << 20)
#define SPAN (64u << 10)
#define NR_FILES 3

/* The device is striped over nr files in runs of `piece` bytes; after `zero_from` it is ZERO. */
struct striped {
	int fd[NR_FILES], slot[NR_FILES];
	unsigned int nr;
	uint32_t piece;
	uint64_t zero_from;
	bool flush_first_only;
};

static int striped_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct striped *s = qpriv;
	uint64_t offset = io->offset, left = io->length;
	uint32_t n = 0;

	if (io->op == UBLK_OP_FLUSH) {
		out[0] = (struct ublk_extent){ .length = 1,
					       .kind = UBLK_EXT_FD,
					       .file = s->slot[0] };
		return 1;
	}
	while (left && n < max) {
		uint64_t length = s->piece - offset % s->piece, run = offset / s->piece;

		length = min_of(length, left);
		out[n] = (struct ublk_extent){ .length = length, .kind = UBLK_EXT_ZERO };
		if (offset < s->zero_from) {
			length = out[n].length = min_of(length, s->zero_from - offset);
			out[n].kind = UBLK_EXT_FD;
			out[n].file = s->slot[run % s->nr];
			out[n].at.offset = run / s->nr * s->piece + offset % s->piece;
		}
		offset += length;
		left -= length;
		n++;
	}
	return n;
}

static const struct ublk_plugin striped_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "striped",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO,
	.map = striped_map,
};

static struct plane plane;
static struct striped striped;
static char data[SPAN], back[SPAN];

/* i: the loop test's number, which is the data path's. */
static void start(unsigned int i, unsigned int nr, uint32_t piece)
{
	striped = (struct striped){ .nr = nr, .piece = piece, .zero_from = SIZE };
	plane_init(&plane, &striped_plugin, &striped);
	plane.dev.limits.size_bytes = SIZE;
	plane.dev.path = data_paths[i];
	for (unsigned int f = 0; f < nr; f++) {
		striped.fd[f] = plane_temp_file(SIZE);
		striped.slot[f] = plane_file(&plane, striped.fd[f]);
	}
}

static void stop(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	for (unsigned int f = 0; f < striped.nr; f++)
		close(striped.fd[f]);
}

static void integrity(uint64_t seed, unsigned int rounds)
{
	char *model = calloc(1, SIZE);
	uint64_t state = seed;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t length = (plane_random(&state) % 128 + 1) * 512;
		uint64_t offset = plane_random(&state) % (SIZE / 512) * 512;
		unsigned int fua = plane_random(&state) % 16 ? 0 : UBLK_IOF_FUA;

		length = min_of(length, SIZE - offset);
		if (plane_random(&state) & 1) {
			plane_pattern(data, seed, i * SPAN, length);
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, fua, offset, length, data),
					 (int)length);
			if (offset < striped.zero_from)
				memcpy(model + offset, data,
				       min_of(length, striped.zero_from - offset));
			continue;
		}
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, length, back),
				 (int)length);
		ck_assert_msg(!memcmp(back, model + offset, length),
			      "seed %llu round %u: %llu bytes at %llu differ",
			      (unsigned long long)seed, i, (unsigned long long)length,
			      (unsigned long long)offset);
	}
	free(model);
}

START_TEST(one_file_keeps_data)
{
	start(_i, 1, SIZE);
	plane_start(&plane);
	integrity(10, 1500);
	stop();
}
END_TEST

/* Runs of 3000 bytes: 22 extents in an io, at places that no block size likes. */
START_TEST(stripes_keep_data)
{
	start(_i, NR_FILES, 3000);
	plane_start(&plane);
	integrity(11, 700);
	stop();
}
END_TEST

START_TEST(files_and_nothing_mixed)
{
	start(_i, 2, 4608);
	striped.zero_from = SIZE / 2 + 1536;
	plane_start(&plane);
	integrity(12, 1500);
	stop();
}
END_TEST

START_TEST(nothing_reads_zeroes)
{
	start(_i, 1, SIZE);
	striped.zero_from = 0;
	plane_start(&plane);
	for (unsigned int i = 0; i < 100; i++) {
		memset(back, 0xee, SPAN);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, i * 512, SPAN, back), SPAN);
		ck_assert(plane_is_zero(back, SPAN));
		memset(data, 0xff, SPAN);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, i * 512, SPAN, data), SPAN);
	}
	stop();
}
END_TEST

static bool odd_tag(uint16_t tag)
{
	return tag & 1;
}

START_TEST(buffers_registered_by_hand)
{
	int tags[8];

	start(0, NR_FILES, 3000);
	plane.depth = 8;
	plane.need_register = odd_tag;
	plane_start(&plane);
	integrity(13, 50);
	for (unsigned int i = 0; i < 200; i++) {
		for (unsigned int t = 0; t < 8; t++) {
			plane_pattern(data, 14, (i * 8 + t) * 8192 % SIZE, 8192);
			tags[t] = plane_submit(&plane, 0, UBLK_OP_WRITE, 0,
					       (i * 8 + t) * 8192 % SIZE, 8192, data);
		}
		for (unsigned int t = 0; t < 8; t++)
			ck_assert_int_eq(plane_wait(&plane, 0, tags[t], NULL), 8192);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, i * 65536 % SIZE, 65536, back),
				 65536);
		ck_assert(plane_is_pattern(back, 14, i * 65536 % SIZE, 65536));
	}
	/* What carries no data needs no buffer. */
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, SIZE, NULL), 0);
	ck_assert_uint_ge(fake_registrations(plane.fake), 800);
	stop();
}
END_TEST

START_TEST(reading_past_the_end)
{
	start(_i, 1, SIZE);
	ck_assert_int_eq(ftruncate(striped.fd[0], SIZE / 2 + 700), 0);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, SIZE / 2 + 4096, 4096, back), -EIO);
	/* short, and then nothing more */
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, SIZE / 2, 4096, back), -EIO);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, SIZE / 2 - 4096, 4096, back), 4096);
	stop();
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ], 2);
}
END_TEST

START_TEST(full_file_system)
{
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	start(_i, 1, SIZE);
	ck_assert_int_ge(fd, 0);
	striped.slot[0] = plane_file(&plane, fd);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), -ENOSPC);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, 0, 512, data), -ENOSPC);
	stop();
	close(fd);
}
END_TEST

/* One extent of an io fails: the io does, when its other extents have come to an end. */
START_TEST(one_bad_extent)
{
	start(_i, 2, 4096);
	ck_assert_int_eq(ftruncate(striped.fd[1], 0), 0);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), -EIO);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	stop();
}
END_TEST

START_TEST(read_only_file)
{
	char path[64];
	int fd;

	start(_i, 1, SIZE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", striped.fd[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	striped.slot[0] = plane_file(&plane, fd);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), -EBADF);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	stop();
	close(fd);
}
END_TEST

/* A flush syncs every file of the plugin's, and says when one cannot be. */
START_TEST(flush_syncs_all_files)
{
	int fd = open("/proc/self/comm", O_RDWR | O_CLOEXEC);

	start(_i, _i ? NR_FILES : 1, 4096);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), 4096);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	stop();

	start(_i, 2, 4096);
	plane_file(&plane, fd); /* cannot be synced, though it is a regular file */
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), -EINVAL);
	stop();
	close(fd);
}
END_TEST

START_TEST(flush_by_map_narrows)
{
	int pipes[2];

	start(_i, 2, 4096);
	ck_assert_int_eq(pipe(pipes), 0);
	plane_file(&plane, pipes[1]);
	plane.plugin.map_ops |= UBLK_OPS_FLUSH;
	plane_start(&plane);
	memset(data, 0x5a, SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, SPAN, data), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	/* what an extent says beside the file means nothing */
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), SPAN);
	ck_assert_mem_eq(back, data, SPAN);
	stop();
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

static uint64_t allocated(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_blocks * 512ull;
}

START_TEST(discard_punches)
{
	start(_i, 1, SIZE);
	plane_start(&plane);
	memset(data, 0x5a, SPAN);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(
			plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, i * SPAN, SPAN, data), SPAN);
	ck_assert_uint_ge(allocated(striped.fd[0]), 16 * SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, SPAN, 10 * SPAN, NULL), 0);
	ck_assert_uint_lt(allocated(striped.fd[0]), 8 * SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, SPAN, SPAN, back), SPAN);
	ck_assert(plane_is_zero(back, SPAN));
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), SPAN);
	ck_assert_mem_eq(back, data, SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 11 * SPAN, SPAN, back), SPAN);
	ck_assert_mem_eq(back, data, SPAN);
	stop();
}
END_TEST

START_TEST(write_zeroes_keeps_or_punches)
{
	uint64_t full;

	start(_i, 1, SIZE);
	plane_start(&plane);
	memset(data, 0x5a, SPAN);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(
			plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, i * SPAN, SPAN, data), SPAN);
	full = allocated(striped.fd[0]);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP | UBLK_IOF_FUA,
				  512, 8 * SPAN, NULL),
			 0);
	ck_assert_uint_ge(allocated(striped.fd[0]), full);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 512, SPAN, back), SPAN);
	ck_assert(plane_is_zero(back, SPAN));
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 1024, back), 1024);
	ck_assert(back[511] == 0x5a && !back[512]);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, 0, 8 * SPAN, NULL), 0);
	ck_assert_uint_lt(allocated(striped.fd[0]), full - 4 * SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 8 * SPAN, SPAN, back), SPAN);
	ck_assert(back[511] == 0 || back[512] == 0x5a);
	stop();
}
END_TEST

/* A range over several files and nothing, each piece at its place. */
START_TEST(ranges_over_stripes)
{
	start(_i, NR_FILES, 12288);
	striped.zero_from = SIZE / 2;
	plane_start(&plane);
	memset(data, 0x5a, SPAN);
	for (unsigned int i = 0; i < SIZE / SPAN; i++)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, i * SPAN, SPAN, data), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, SPAN, SIZE - SPAN, NULL), 0);
	for (unsigned int i = 0; i < SIZE / SPAN; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, i * SPAN, SPAN, back), SPAN);
		ck_assert(i ? plane_is_zero(back, SPAN) : !memcmp(back, data, SPAN));
	}
	stop();
}
END_TEST

/* What a file cannot do is done the next best way; what it cannot do at all is said. */
START_TEST(ranges_of_what_has_none)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	start(_i, 1, SIZE);
	striped.slot[0] = plane_file(&plane, fd);
	plane_start(&plane);
	ck_assert_int_lt(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, SPAN, NULL), 0);
	stop();
	close(fd);
}
END_TEST

/* Deep load with every tag busy: 64 tags on registered buffers and on copies. */
START_TEST(all_tags_busy)
{
	int tags[64];

	start(_i, NR_FILES, 3000);
	plane.depth = 64;
	plane.dev.limits.max_io_bytes = 16384;
	plane_start(&plane);
	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int t = 0; t < 64; t++) {
			plane_pattern(data, round, t * 16384, 16384);
			tags[t] = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, t * 16384, 16384, data);
		}
		for (unsigned int t = 0; t < 64; t++)
			ck_assert_int_eq(plane_wait(&plane, 0, tags[t], NULL), 16384);
		for (unsigned int t = 0; t < 64; t++)
			tags[t] = plane_submit(&plane, 0, UBLK_OP_READ, 0, t * 16384, 16384, NULL);
		for (unsigned int t = 0; t < 64; t++) {
			ck_assert_int_eq(plane_wait(&plane, 0, tags[t], back), 16384);
			ck_assert(plane_is_pattern(back, round, t * 16384, 16384));
		}
	}
	stop();
}
END_TEST

/* What a plugin may register does not depend on whether the data path takes one of its own. */
/* What a plugin has for its own operations has nothing that could be made stable. */
START_TEST(flush_syncs_no_sockets)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	start(_i, 1, SIZE);
	ck_assert_uint_eq(dev_synced_files(&plane.dev), 1);
	plane_file(&plane, fd);
	ck_assert_uint_eq(dev_synced_files(&plane.dev), 1);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	stop();
	close(fd);
}
END_TEST

START_TEST(as_many_files_as_there_may_be)
{
	int slot = 0;

	start(_i, 1, SIZE);
	striped.zero_from = SIZE / 2;
	while (plane.dev.nr_files < 255)
		slot = plane_file(&plane, striped.fd[0]);
	ck_assert_int_eq(slot, 254);
	plane.dev.open_phase = true;
	ck_assert_int_eq(host_services.file_register(&plane.dev, striped.fd[0]), -EMFILE);
	plane.dev.open_phase = false;
	striped.slot[0] = slot;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, SIZE / 2 - SPAN, SPAN, data), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, SIZE / 2, SPAN, back), SPAN);
	ck_assert(plane_is_zero(back, SPAN));
	stop();
}
END_TEST

int main(void)
{
	const TTest *const both[] = {
		one_file_keeps_data,	 stripes_keep_data,
		files_and_nothing_mixed, nothing_reads_zeroes,
		reading_past_the_end,	 full_file_system,
		one_bad_extent,		 read_only_file,
		flush_syncs_all_files,	 flush_by_map_narrows,
		discard_punches,	 write_zeroes_keeps_or_punches,
		ranges_over_stripes,	 ranges_of_what_has_none,
		all_tags_busy,		 as_many_files_as_there_may_be,
		flush_syncs_no_sockets,
	};
	Suite *s = suite_create("queue: files");
	TCase *tc = tcase_create("both paths");

	plane_need_fake();
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		tcase_add_loop_test(tc, both[i], 0, (int)nr_data_paths);
	suite_add_tcase(s, tc);
	plane_case(s, "auto-buf-reg", buffers_registered_by_hand);
	return run_tap(s);
}
