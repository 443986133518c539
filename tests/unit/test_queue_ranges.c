// SPDX-License-Identifier: MIT
/* Discards, zeroing and syncs of files: by how many ring operations, by a worker where the ring
 * cannot, and in which order where an io is files and memory. */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "plane.h"
#include "queue/internal.h"

#define SIZE (4u << 20)
#define SPAN (64u << 10)
#define NR_FILES 3
#define WAKE 1 /* the ring operation by which a worker wakes the queue */

/* Pieces of the device go to the files in turns; in memory, if its kind says so. */
struct spread {
	int fd[NR_FILES], slot[NR_FILES];
	unsigned int nr;
	uint32_t piece;
	uint32_t kinds[4]; /* of piece i of the device */
	bool backwards;	   /* no piece goes on where another one ends */
	char mem[SIZE];
	atomic_uint maps; /* calls */
	atomic_bool gate; /* open */
	atomic_uint discards;
	atomic_uint discarded;
};

static struct plane plane;
static struct spread spread;
static char data[SPAN], back[SPAN];

static int spread_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct spread *s = qpriv;
	uint64_t offset = io->offset, left = io->length;
	uint32_t n;

	atomic_fetch_add(&s->maps, 1);
	for (n = 0; left && n < max; n++) {
		uint64_t run = offset / s->piece, at = run / s->nr;
		uint64_t length = min_of(s->piece - offset % s->piece, left);

		if (s->backwards)
			at = SIZE / s->piece - 1 - at;
		out[n] = (struct ublk_extent){ .length = length, .kind = s->kinds[run % 4] };
		if (out[n].kind == UBLK_EXT_FD) {
			out[n].file = s->slot[run % s->nr];
			out[n].at.offset = at * s->piece + offset % s->piece;
		} else if (out[n].kind == UBLK_EXT_MEM) {
			out[n].at.addr = s->mem + offset;
		}
		offset += length;
		left -= length;
	}
	return n;
}

/* The first call waits at the gate. */
static int gated_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct spread *s = priv;
	struct timespec ms = { .tv_nsec = 1000000 };

	(void)flags;
	if (!atomic_fetch_add(&s->discards, 1))
		while (!atomic_load(&s->gate))
			nanosleep(&ms, NULL);
	memset(s->mem + offset, 0, length);
	atomic_fetch_add(&s->discarded, 1);
	return 0;
}

static const struct ublk_plugin spread_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "spread",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO,
	.map = spread_map,
};

static void start(unsigned int nr, uint32_t piece)
{
	memset(&spread, 0, sizeof(spread));
	spread.nr = nr;
	spread.piece = piece;
	for (unsigned int i = 0; i < 4; i++)
		spread.kinds[i] = UBLK_EXT_FD;
	plane_init(&plane, &spread_plugin, &spread);
	plane.dev.limits.size_bytes = SIZE;
	for (unsigned int f = 0; f < nr; f++) {
		spread.fd[f] = plane_temp_file(SIZE);
		spread.slot[f] = plane_file(&plane, spread.fd[f]);
	}
}

static void stop(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	for (unsigned int f = 0; f < spread.nr; f++)
		close(spread.fd[f]);
}

static void fill(void)
{
	memset(data, 0x5a, SPAN);
	for (uint64_t at = 0; at < SIZE; at += SPAN)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, at, SPAN, data), SPAN);
}

/* All of the device is 0x5a but for [from, to), which is zero. */
static void check_hole(uint64_t from, uint64_t to)
{
	for (uint64_t at = 0; at < SIZE; at += SPAN) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, at, SPAN, back), SPAN);
		for (uint64_t i = 0; i < SPAN; i++)
			if (back[i] != (at + i >= from && at + i < to ? 0 : 0x5a))
				ck_abort_msg("byte %llu is %#x", (unsigned long long)(at + i),
					     back[i] & 0xff);
	}
}

/* The queue's thread may be arming its wake-up at the same time: WAKE allows for that. */
static __attribute__((noinline, no_sanitize("thread"))) unsigned int ring_tail(void)
{
	return plane.q[0]->ring.sq.sqe_tail;
}

/* Ring operations of one io, nothing else being in flight. The fake transport needs none. */
static unsigned int ring_ops(unsigned int op, unsigned int flags, uint64_t offset, uint64_t length)
{
	unsigned int before = ring_tail();

	ck_assert_int_eq(plane_io(&plane, op, flags, offset, length, back),
			 op <= UBLK_OP_WRITE ? (int)length : 0);
	return ring_tail() - before;
}

/* Of a stripe's many chunks each file gets one operation, and none of them a worker. */
START_TEST(stripes_are_one_operation_per_file)
{
	start(NR_FILES, 8192);
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_DISCARD, 0, SPAN, 20 * SPAN), NR_FILES);
	check_hole(SPAN, 21 * SPAN);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_WRITE_ZEROES, 0, 512, SIZE - 1024), NR_FILES);
	check_hole(512, SIZE - 512);
	/* and one sync for each */
	ck_assert_uint_eq(ring_ops(UBLK_OP_WRITE_ZEROES, UBLK_IOF_FUA, 0, SIZE), 2 * NR_FILES);
	ck_assert_uint_eq(ring_ops(UBLK_OP_FLUSH, 0, 0, 0), NR_FILES);
	ck_assert_uint_eq(plane.q[0]->own_workers.nr, 0);
	stop();
}
END_TEST

/* More extents than are looked up in one go: 8192 of 512 bytes. */
START_TEST(ranges_of_very_many_extents)
{
	start(2, 512);
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_DISCARD, 0, 0, SIZE), 4);
	check_hole(0, SIZE);
	stop();
}
END_TEST

/* Nothing joins: more ranges than there is room for go by in turns. */
START_TEST(ranges_that_do_not_join)
{
	start(2, 8192);
	spread.backwards = true;
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_WRITE_ZEROES, 0, 8192, SIZE - 16384), SIZE / 8192 - 2);
	check_hole(8192, SIZE - 8192);
	stop();
}
END_TEST

/* Neighbours of an io that are neighbours in the file are one READ, one WRITE. */
START_TEST(data_joins)
{
	start(1, 512);
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_READ, 0, 0, SPAN), 1);
	ck_assert_uint_eq(ring_ops(UBLK_OP_WRITE, 0, 512, SPAN - 512), 1);
	stop();

	start(1, 4096); /* file, file, memory, memory, file ... */
	spread.kinds[2] = spread.kinds[3] = UBLK_EXT_MEM;
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_READ, 0, 0, SPAN), 4);
	ck_assert_uint_eq(ring_ops(UBLK_OP_READ, 0, 4096, 8192), 1);
	check_hole(0, 0);
	stop();
}
END_TEST

/* Extents that cannot be joined move all at once, and are asked for in a few calls. */
START_TEST(data_in_wide_windows)
{
	unsigned int before;

	start(2, 512);
	plane_start(&plane);
	fill();
	before = atomic_load(&spread.maps);
	ck_assert_uint_eq(ring_ops(UBLK_OP_READ, 0, 0, SPAN), SPAN / 512);
	ck_assert_uint_le(atomic_load(&spread.maps) - before, 4);
	check_hole(0, 0);
	before = atomic_load(&spread.maps);
	ck_assert_uint_eq(ring_ops(UBLK_OP_READ, 0, 256 * 512, 1024), 2);
	ck_assert_uint_eq(atomic_load(&spread.maps) - before, 1);
	stop();
}
END_TEST

/* Whatever rings are known to lack, workers do, and the same comes of it. */
START_TEST(workers_do_what_rings_lack)
{
	start(NR_FILES, 12288);
	for (unsigned int f = 0; f < NR_FILES; f++)
		atomic_store(&plane.dev.files[spread.slot[f]].ring_lacks, 7);
	plane_start(&plane);
	fill();
	ck_assert_uint_le(ring_ops(UBLK_OP_DISCARD, 0, SPAN, 20 * SPAN), WAKE);
	check_hole(SPAN, 21 * SPAN);
	fill();
	ck_assert_uint_le(ring_ops(UBLK_OP_WRITE_ZEROES, UBLK_IOF_FUA, 0, SIZE), NR_FILES + WAKE);
	check_hole(0, SIZE);
	fill();
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, SPAN, SPAN, NULL),
			 0);
	check_hole(SPAN, 2 * SPAN);
	ck_assert_uint_ge(plane.q[0]->own_workers.nr, 1);
	stop();
}
END_TEST

/* tmpfs punches, but has no zeroing in place: found out once, and kept in mind. */
START_TEST(rings_learn_what_they_lack)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	start(1, SIZE);
	spread.slot[0] = plane_file(&plane, fd);
	plane_start(&plane);
	fill();
	ck_assert_uint_eq(ring_ops(UBLK_OP_WRITE_ZEROES, 0, SPAN, SPAN), 1);
	ck_assert_uint_eq(ring_ops(UBLK_OP_DISCARD, 0, 2 * SPAN, SPAN), 1);
	ck_assert_uint_eq(plane.q[0]->own_workers.nr, 0);
	ck_assert_uint_le(ring_ops(UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, 3 * SPAN, SPAN),
			  1 + WAKE);
	check_hole(SPAN, 4 * SPAN);
	ck_assert_uint_eq(plane.q[0]->own_workers.nr, 1);
	ck_assert_uint_le(ring_ops(UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, 4 * SPAN, SPAN), WAKE);
	check_hole(SPAN, 5 * SPAN);
	stop();
	close(fd);
}
END_TEST

#define LARGE_BLOCK (16u << 10)

/* A disk of such blocks, which goes with its descriptor; -1: not here (no root, an old kernel). */
static int make_disk(void)
{
	struct loop_config config = { .block_size = LARGE_BLOCK,
				      .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), disk = -1;
	int block = LARGE_BLOCK; /* of its page cache, which was made for what it was before */
	char path[32];

	config.fd = (uint32_t)plane_temp_file(SIZE);
	for (int attempt = 0; ctl >= 0 && attempt < 10; attempt++) {
		snprintf(path, sizeof(path), "/dev/loop%d", ioctl(ctl, LOOP_CTL_GET_FREE));
		disk = open(path, O_RDWR | O_CLOEXEC);
		if (disk < 0 ||
		    (!ioctl(disk, LOOP_CONFIGURE, &config) && !ioctl(disk, BLKBSZSET, &block)))
			break;
		close(disk); /* another was faster: again */
		disk = -1;
	}
	close(ctl);
	close((int)config.fd);
	return disk;
}

/* A disk refuses what is no whole block of its own: of a discard the ends stay, zeroes are written there.
 * Done to a file that is said to have such blocks, and, where there can be one, to such a disk. */
START_TEST(blocks_larger_than_the_device_has)
{
	const uint64_t from = LARGE_BLOCK + 4096, length = 3 * LARGE_BLOCK;
	int disk = _i ? make_disk() : -1;
	unsigned int lacks;

	if (_i && disk < 0) {
		fprintf(stderr, "# no disk of large blocks: this has proved nothing\n");
		return;
	}
	start(1, SIZE);
	if (_i)
		spread.slot[0] = plane_file(&plane, disk);
	else
		plane.dev.files[spread.slot[0]].block = LARGE_BLOCK;
	plane_start(&plane);
	for (unsigned int flags = 0; flags <= UBLK_IOF_NOUNMAP; flags += UBLK_IOF_NOUNMAP) {
		fill();
		ring_ops(UBLK_OP_WRITE_ZEROES, flags, from, length);
		check_hole(from, from + length);
		fill();
		ring_ops(UBLK_OP_WRITE_ZEROES, flags, from, 4096);
		check_hole(from, from + 4096);
	}
	ck_assert_uint_eq(plane.q[0]->own_workers.nr, 1);
	ring_ops(UBLK_OP_DISCARD, 0, 0, LARGE_BLOCK); /* some kernels' rings have none */
	lacks = plane.dev.files[spread.slot[0]].ring_lacks;
	fill();
	ring_ops(UBLK_OP_DISCARD, 0, from, 8192); /* no block at all */
	check_hole(0, 0);
	ring_ops(UBLK_OP_DISCARD, 0, from, length);
	check_hole(2 * LARGE_BLOCK, 4 * LARGE_BLOCK);
	ck_assert_uint_eq(plane.dev.files[spread.slot[0]].ring_lacks, lacks);
	stop();
	if (_i)
		close(disk);
}
END_TEST

/* A plugin's function is stuck in an io that is also files: when the io is taken away, nothing of
 * it is still to come for the files, nor for memory that the function has not been called for. */
START_TEST(nothing_comes_late)
{
	int tag;

	start(1, SPAN);
	spread.kinds[0] = UBLK_EXT_MEM; /* memory, file, memory, file ... */
	spread.kinds[2] = UBLK_EXT_MEM;
	plane.plugin.discard = gated_discard;
	plane.dev.io_timeout = 2;
	plane_start(&plane);
	fill();
	tag = plane_submit(&plane, 0, UBLK_OP_DISCARD, 0, 0, 8 * SPAN, NULL);
	plane_wait_count(&spread.discards, 1);
	plane_tick(&plane, 3);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	fill();
	atomic_store(&spread.gate, true);
	plane_wait_count(&spread.discarded, 1);
	usleep(50000);
	ck_assert_uint_eq(atomic_load(&spread.discards), 1);
	check_hole(0, SPAN); /* what the call was about, and that is the plugin's affair */
	/* the tag has new memory for ranges */
	fill();
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, SIZE, NULL), 0);
	check_hole(0, SIZE);
	stop();
	ck_assert_uint_eq(plane.counters.timeouts, 1);
}
END_TEST

/* What the host does to memory by itself is not the plugin's to lose. */
START_TEST(zeroing_by_the_host_is_not_watched)
{
	start(1, SPAN);
	spread.kinds[0] = UBLK_EXT_MEM;
	plane.dev.io_timeout = 1;
	plane_start(&plane);
	fill();
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, 512, 16 * SPAN, NULL), 0);
	check_hole(512, 16 * SPAN + 512);
	/* with nothing to call, a discard leaves memory as it is */
	fill();
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, SPAN, NULL), 0);
	check_hole(0, 0);
	stop();
	ck_assert_uint_eq(plane.counters.timeouts, 0);
}
END_TEST

static int wrong_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)length;
	(void)flags;
	return offset ? 7 : -ENOSPC;
}

START_TEST(results_of_memory_functions)
{
	start(1, SPAN);
	spread.kinds[0] = spread.kinds[2] = UBLK_EXT_MEM;
	plane.plugin.discard = wrong_discard;
	if (_i)
		plane.plugin.flags = UBLK_PLUGIN_NONBLOCKING;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, 8 * SPAN, NULL), -ENOSPC);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, SPAN, SPAN, NULL), 0);
	plane_expect_misuse(&plane, 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, SPAN, 2 * SPAN, NULL), -EIO);
	plane_expect_misuse(&plane, 1);
	plane_stop(&plane);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: ranges");
	TCase *tc = tcase_create("functions");

	plane_need_fake();
	plane_case(s, "joined", stripes_are_one_operation_per_file, ranges_of_very_many_extents,
		   ranges_that_do_not_join, data_joins, data_in_wide_windows);
	plane_case(s, "workers", workers_do_what_rings_lack, rings_learn_what_they_lack);
	plane_case(s, "memory", nothing_comes_late, zeroing_by_the_host_is_not_watched);
	tcase_add_loop_test(tc, blocks_larger_than_the_device_has, 0, 2);
	tcase_add_loop_test(tc, results_of_memory_functions, 0, 2);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
