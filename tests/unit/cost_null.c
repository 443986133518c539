// SPDX-License-Identifier: MIT
/*
 * The load that tests/unit/instructions.t counts the instructions of: full queues of 4 KiB reads and
 * writes on null (fill=none) over the fake transport, then as many commits by the real one, which
 * the fake stands in for. Arguments: per-io|batch REQUESTS. Not a test of its own.
 */
#include <stdio.h>
#include <string.h>

#include "plane.h"
#include "queue/internal.h"

#define DEPTH 64
#define LENGTH 4096u

extern const struct ublk_plugin ublk_plugin_v1; /* plugins/null.c */

static struct plane plane;
static bool batch;
static unsigned int requests;

static void load(void)
{
	for (unsigned int done = 0; done < requests; done += DEPTH) {
		struct fake_request reqs[DEPTH];
		int32_t res;

		for (unsigned int i = 0; i < DEPTH; i++)
			reqs[i] = (struct fake_request){
				.tag = i,
				.op_flags = i & 1 ? UBLK_IO_OP_WRITE : UBLK_IO_OP_READ,
				.nr_sectors = LENGTH >> 9,
				.start_sector = (done + i) * (LENGTH >> 9) % 16384,
			};
		ck_assert_int_eq(fake_submit_many(plane.fake, 0, reqs, DEPTH), DEPTH);
		for (unsigned int i = 0; i < DEPTH; i++) {
			ck_assert_int_eq(fake_wait(plane.fake, 0, i, PLANE_PATIENCE_MS, &res, NULL),
					 0);
			ck_assert_int_eq(res, LENGTH);
		}
	}
}

/* What the driver's transport does per io where the fake has a function of its own to call. (Batch
 * commands are collected by the same code with both.) */
static __attribute__((noinline)) void commit_for_real(void)
{
	struct transport t;
	struct io_uring ring;
	struct transport_queue tq = { .transport = &t,
				      .ring = &ring,
				      .depth = DEPTH,
				      .commit_op = UBLK_U_IO_COMMIT_AND_FETCH_REQ };
	struct tag_addr addr = { .head = transport_head(&tq, 0, 0) };

	transport_kernel_init(&t, -1, false, UBLK_F_SUPPORT_ZERO_COPY, 1, DEPTH);
	ck_assert_int_eq(io_uring_queue_init(2 * DEPTH, &ring, 0), 0);
	for (unsigned int done = 0; done < requests; done += DEPTH) {
		for (unsigned int i = 0; i < DEPTH; i++)
			transport_commit(&tq, i, LENGTH, &addr);
		ring.sq.sqe_head = ring.sq.sqe_tail = 0; /* nothing goes to the kernel */
	}
	io_uring_queue_exit(&ring);
}

START_TEST(cost)
{
	struct ublk_plugin null = ublk_plugin_v1;
	const struct ublk_opt opts[] = { { .u64 = 1u << 30 }, { .u64 = 1 } };
	const struct ublk_open_args args = {
		.struct_size = sizeof(args), .nr_opts = 2, .opt_size = sizeof(opts[0]), .opts = opts
	};
	void *priv;

	ck_assert_int_eq(null.open(NULL, &args, &priv), 0);
	plane_init(&plane, &null, priv);
	plane.dev.path = &path_zero_copy;
	plane.dev.batch = batch;
	plane.dev.limits.map_kinds = UBLK_EXT_VOID;
	plane.depth = DEPTH;
	plane_start(&plane);
	load();
	plane_stop(&plane);
	null.close(priv);
	if (!batch)
		commit_for_real();
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("cost");
	TCase *tc = tcase_create("cost");
	SRunner *runner = srunner_create(s);
	int failed;

	batch = argc == 3 && !strcmp(argv[1], "batch");
	requests = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (!requests) {
		fprintf(stderr, "usage: cost_null per-io|batch REQUESTS\n");
		return EXIT_FAILURE;
	}
	tcase_add_test(tc, cost);
	suite_add_tcase(s, tc);
	srunner_set_fork_status(runner, CK_NOFORK); /* one process for callgrind to look at */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
