// SPDX-License-Identifier: MIT
/* The call profile: results, FUA, retries, thread models. What never returns: test_queue_stuck.c. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "plane.h"
#include "queue/internal.h"

#define STORE (1u << 20)
#define SPAN (64u << 10)

struct caller {
	char mem[STORE];
	int result;	    /* of every call that is not served */
	atomic_uint left;   /* so many calls get result; the rest is served */
	atomic_uint calls;  /* all of them */
	atomic_uint inside; /* plugin functions running now */
	atomic_uint most;   /* and at most so far */
	unsigned int meet;  /* a call waits until so many are inside */
	bool linger;	    /* a call takes a moment */
	uint64_t busy_until_ms;
	_Atomic(char) order[64]; /* one letter per call, under no lock: for serial tests */
	atomic_uint nr_order;
	atomic_uint last_flags;
};

static struct plane plane;
static struct caller caller;
static char data[SPAN], back[SPAN];

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void enter(struct caller *c)
{
	unsigned int n = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);

	while (n > most && !atomic_compare_exchange_weak(&c->most, &most, n))
		;
	for (int i = 0; i < 5000 && atomic_load(&c->most) < c->meet; i++)
		sleep_ms(1);
	if (c->linger)
		sleep_ms(1);
}

static int leave(struct caller *c, char letter, uint32_t flags)
{
	unsigned int left = atomic_load(&c->left);
	unsigned int at = atomic_fetch_add(&c->nr_order, 1);

	atomic_fetch_add(&c->calls, 1);
	c->last_flags = flags;
	if (at < sizeof(c->order) - 1)
		c->order[at] = letter;
	atomic_fetch_sub(&c->inside, 1);
	if (!left)
		return 0;
	atomic_store(&c->left, left - 1);
	return c->result;
}

static int caller_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct caller *c = priv;

	enter(c);
	if (offset == STORE - 512 && now_ms() < c->busy_until_ms) {
		atomic_fetch_sub(&c->inside, 1);
		return -EAGAIN;
	}
	memcpy(buf, c->mem + offset, length);
	return leave(c, 'R', flags);
}

static int caller_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
			uint32_t flags)
{
	struct caller *c = priv;

	enter(c);
	memcpy(c->mem + offset, buf, length);
	return leave(c, flags & UBLK_IOF_FUA ? 'w' : 'W', flags);
}

static int caller_flush(void *priv)
{
	enter(priv);
	return leave(priv, 'F', 0);
}

static int caller_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)length;
	(void)offset;
	enter(priv);
	return leave(priv, 'D', flags);
}

static int caller_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct caller *c = priv;

	enter(c);
	memset(c->mem + offset, 0, length);
	return leave(c, 'Z', flags);
}

static int caller_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct caller *c = qpriv;

	(void)max;
	enter(c);
	*out = (struct ublk_extent){ .length = io->length,
				     .kind = UBLK_EXT_MEM,
				     .at.addr = c->mem + io->offset };
	atomic_fetch_sub(&c->inside, 1);
	return 1;
}

static const struct ublk_plugin caller_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "caller",
	.thread_model = UBLK_THREADS_PARALLEL,
	.read = caller_read,
	.write = caller_write,
	.flush = caller_flush,
	.discard = caller_discard,
	.write_zeroes = caller_zeroes,
};

static void start(uint32_t flags)
{
	memset(&caller, 0, sizeof(caller));
	plane_init(&plane, &caller_plugin, &caller);
	plane.dev.limits.size_bytes = STORE;
	plane.plugin.flags = flags;
}

/* _i: 0 on workers, 1 (UBLK_PLUGIN_NONBLOCKING) inline. */

START_TEST(keeps_data)
{
	char *model = calloc(1, STORE);
	uint64_t state = 21;

	start(_i);
	plane_start(&plane);
	for (unsigned int i = 0; i < 500; i++) {
		uint64_t length = (plane_random(&state) % 128 + 1) * 512;
		uint64_t offset = plane_random(&state) % ((STORE - SPAN) / 512) * 512;

		if (plane_random(&state) & 1) {
			plane_pattern(data, 21, i * SPAN, length);
			memcpy(model + offset, data, length);
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, offset, length, data),
					 (int)length);
		} else {
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, length, back),
					 (int)length);
			ck_assert(!memcmp(back, model + offset, length));
		}
	}
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	free(model);
}
END_TEST

START_TEST(every_operation)
{
	start(_i);
	plane_start(&plane);
	memset(caller.mem, 1, STORE);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 512, data), 512);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, STORE, NULL), 0);
	ck_assert_int_eq(
		plane_io(&plane, UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, 512, STORE - 512, NULL),
		0);
	ck_assert_uint_eq(caller.last_flags, UBLK_IOF_NOUNMAP);
	ck_assert(plane_is_zero(caller.mem, STORE));
	plane_stop(&plane);
	ck_assert_str_eq((const char *)caller.order, "RWFDZ");
	for (unsigned int op = 0; op < NR_OPS; op++)
		ck_assert_uint_eq(plane.counters.ops[op], 1);
}
END_TEST

START_TEST(fua_is_write_and_flush)
{
	start(_i);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, 0, 512, data), 512);
	plane_stop(&plane);
	ck_assert_str_eq((const char *)caller.order, "wF");

	start(_i);
	plane.dev.limits.attrs = UBLK_DEV_FUA;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, 0, 512, data), 512);
	plane_stop(&plane);
	ck_assert_str_eq((const char *)caller.order, "w");

	/* A write that failed is not flushed; a flush that fails fails the write. */
	start(_i);
	caller.result = -ENOSPC;
	atomic_store(&caller.left, 1);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, 0, 512, data), -ENOSPC);
	plane_stop(&plane);
	ck_assert_str_eq((const char *)caller.order, "w");

	start(_i);
	plane.plugin.flush = NULL;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, 0, 512, data), 512);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	plane_stop(&plane);
	ck_assert_str_eq((const char *)caller.order, "w");
}
END_TEST

START_TEST(results)
{
	static const struct {
		int result;
		int32_t seen;
		bool misuse;
	} cases[] = {
		{ -ENOSPC, -ENOSPC, false }, { -EROFS, -EROFS, false }, { -EIO, -EIO, false },
		{ -4095, -4095, false },     { 1, -EIO, true },		{ 512, -EIO, true },
		{ -4096, -EIO, true },	     { INT32_MIN, -EIO, true }, { INT32_MAX, -EIO, true },
	};
	uint64_t misuse = 0;

	start(_i);
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		for (unsigned int op = 0; op < NR_OPS; op++) {
			caller.result = cases[i].result;
			atomic_store(&caller.left, 1);
			misuse += cases[i].misuse;
			ck_assert_int_eq(
				plane_io(&plane, op, 0, 0, op == UBLK_OP_FLUSH ? 0 : 512, data),
				cases[i].seen);
			plane_expect_misuse(&plane, misuse);
		}
	plane_stop(&plane);
}
END_TEST

START_TEST(passing_errors_are_tried_again)
{
	static const int passing[] = { -EAGAIN, -ENOMEM, -EBUSY, -EINTR };

	start(_i);
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(passing); i++) {
		caller.result = passing[i];
		atomic_store(&caller.left, 15);
		plane_pattern(data, 22, i * 512, 512);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, i * 512, 512, data), 512);
		ck_assert(plane_is_pattern(caller.mem + i * 512, 22, i * 512, 512));
	}
	plane_stop(&plane);
	ck_assert_uint_ge(plane.counters.retries, 15 * ARRAY_SIZE(passing));
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_WRITE], 0);
}
END_TEST

/* For ever is not passing, and the application must not see EAGAIN. */
START_TEST(an_error_that_never_passes)
{
	start(_i);
	caller.result = -EAGAIN;
	atomic_store(&caller.left, UINT32_MAX);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), -EIO);
	plane_stop(&plane);
}
END_TEST

/* The host's patience is time, however fast other requests make the queue go round. */
START_TEST(patience_on_a_busy_queue)
{
	int waiting;

	start(UBLK_PLUGIN_NONBLOCKING);
	caller.busy_until_ms = now_ms() + 700;
	plane_start(&plane);
	waiting = plane_submit(&plane, 0, UBLK_OP_READ, 0, STORE - 512, 512, NULL);
	while (now_ms() < caller.busy_until_ms)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
	ck_assert_int_eq(plane_wait(&plane, 0, waiting, back), 512);
	plane_stop(&plane);
	if (plane.counters.loops < 4000) /* under valgrind, or a sanitizer */
		fprintf(stderr, "# only %llu rounds: this has proved nothing\n",
			(unsigned long long)plane.counters.loops);
}
END_TEST

/* All tags at once, calls that take a millisecond. */
static unsigned int overlap(uint32_t model, uint32_t flags, bool with_map)
{
	int tags[16];

	start(flags);
	caller.linger = true;
	plane.plugin.thread_model = model;
	if (with_map) {
		plane.plugin.map = caller_map;
		plane.plugin.map_ops = UBLK_OPS_READ;
		plane.plugin.map_kinds = plane.dev.limits.map_kinds = UBLK_EXT_MEM;
		plane.plugin.read = NULL;
	}
	plane_start(&plane);
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < 16; i++)
			tags[i] = plane_submit(&plane, 0, i & 1 ? UBLK_OP_READ : UBLK_OP_WRITE,
					       i & 2 ? UBLK_IOF_FUA : 0, i * 4096, 4096, data);
		for (unsigned int i = 0; i < 16; i++)
			ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), 4096);
	}
	plane_stop(&plane);
	return atomic_load(&caller.most);
}

START_TEST(models_keep_calls_apart)
{
	ck_assert_uint_eq(overlap(UBLK_THREADS_SERIAL, 0, false), 1);
	ck_assert_uint_eq(overlap(UBLK_THREADS_PER_QUEUE, 0, false), 1);
	ck_assert_uint_eq(overlap(UBLK_THREADS_SERIAL, 0, true), 1);
	ck_assert_uint_eq(overlap(UBLK_THREADS_PER_QUEUE, 0, true), 1);
	ck_assert_uint_eq(overlap(UBLK_THREADS_PARALLEL, UBLK_PLUGIN_NONBLOCKING, true), 1);
	ck_assert_uint_gt(overlap(UBLK_THREADS_PARALLEL, 0, false), 1);
}
END_TEST

/* Callbacks that no io leads to: woken, at the end of a round, and by ring operations of the plugin's own
 * that go on and on. */
enum beside { EVENT, BATCH_END, CQE, NR_BESIDE };

static atomic_uint beside; /* calls of them */

static void caller_beside(void *qpriv)
{
	struct caller *c = qpriv;

	enter(c);
	atomic_fetch_sub(&c->inside, 1);
	atomic_fetch_add(&beside, 1);
}

static void start_nop(void)
{
	struct io_uring_sqe *sqe;

	if (!host_services.sqe_get(plane.q[0], 1, &sqe)) /* cleared: a NOP */
		host_services.sqe_commit(plane.q[0], sqe, NULL, 0);
}

static void caller_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
		       uint32_t flags)
{
	(void)io, (void)cookie, (void)res, (void)flags;
	caller_beside(qpriv);
	start_nop();
}

static void caller_nop(void *qpriv)
{
	(void)qpriv;
	start_nop();
}

static unsigned int overlap_beside(uint32_t model, enum beside what)
{
	start(0);
	atomic_store(&beside, 0);
	caller.linger = true;
	plane.plugin.thread_model = model;
	plane.plugin.event = what == EVENT ? caller_beside : what == CQE ? caller_nop : NULL;
	plane.plugin.batch_end = what == BATCH_END ? caller_beside : NULL;
	plane.plugin.cqe = what == CQE ? caller_cqe : NULL;
	plane.dev.limits.background_sqes = 1;
	plane_start(&plane);
	for (unsigned int i = 0; i < 100; i++) {
		int tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 4096, NULL);

		host_services.wake(plane.q[0]);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
	}
	plane_stop(&plane);
	ck_assert_uint_gt(atomic_load(&beside), 0);
	return atomic_load(&caller.most);
}

START_TEST(models_keep_callbacks_apart_from_calls)
{
	ck_assert_uint_eq(overlap_beside(UBLK_THREADS_SERIAL, _i), 1);
	ck_assert_uint_eq(overlap_beside(UBLK_THREADS_PER_QUEUE, _i), 1);
}
END_TEST

/* Who has nothing but functions has one worker, and does not pay for a lock. */
START_TEST(calls_alone_need_no_lock)
{
	start(0);
	plane.plugin.thread_model = UBLK_THREADS_SERIAL;
	plane_start(&plane);
	ck_assert_ptr_null(plane.q[0]->call_lock);
	plane_stop(&plane);
}
END_TEST

/* Calls that wait for one another: as many run as there may be workers. */
START_TEST(parallel_calls_meet)
{
	int tags[CALL_WORKERS_MAX];

	start(0);
	plane_start(&plane);
	/* first one alone, so that a worker idles: the others must not queue behind it */
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
	sleep_ms(20);
	caller.meet = CALL_WORKERS_MAX;
	for (unsigned int i = 0; i < CALL_WORKERS_MAX; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * 512, 512, NULL);
	for (unsigned int i = 0; i < CALL_WORKERS_MAX; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), 512);
	ck_assert_uint_eq(atomic_load(&caller.most), CALL_WORKERS_MAX);
	plane_stop(&plane);
}
END_TEST

START_TEST(many_calls_on_many_queues)
{
	start(_i);
	plane.nr_queues = 4;
	plane_start(&plane);
	for (unsigned int i = 0; i < 300; i++) {
		int tags[4][8];

		for (uint16_t qid = 0; qid < 4; qid++)
			for (unsigned int t = 0; t < 8; t++)
				tags[qid][t] = plane_submit(&plane, qid, UBLK_OP_WRITE, 0,
							    (qid * 8 + t) * 4096, 4096, data);
		for (uint16_t qid = 0; qid < 4; qid++)
			for (unsigned int t = 0; t < 8; t++)
				ck_assert_int_eq(plane_wait(&plane, qid, tags[qid][t], NULL), 4096);
	}
	plane_stop(&plane);
	ck_assert_uint_eq(atomic_load(&caller.calls), 300 * 32);
}
END_TEST

int main(void)
{
	const TTest *const both[] = { keeps_data,
				      every_operation,
				      fua_is_write_and_flush,
				      results,
				      passing_errors_are_tried_again,
				      an_error_that_never_passes,
				      many_calls_on_many_queues };
	Suite *s = suite_create("queue: call");
	TCase *tc = tcase_create("workers and inline");

	plane_need_fake();
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		tcase_add_loop_test(tc, both[i], 0, 2);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, models_keep_callbacks_apart_from_calls, 0, NR_BESIDE);
	plane_case(s, "threads", models_keep_calls_apart, calls_alone_need_no_lock,
		   parallel_calls_meet, patience_on_a_busy_queue);
	return run_tap(s);
}
