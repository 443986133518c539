// SPDX-License-Identifier: MIT
/* A queue's end with ios in the plugin's hands, and beginnings that fail. */
#include <string.h>

#include "plane_async.h"

START_TEST(cancelled_at_stop)
{
	int tags[16];

	async_start(submit_hold);
	plane_start(&plane);
	for (unsigned int i = 0; i < 16; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * 512, 512, NULL);
	plane_wait_count(&async.submits, 16);
	ck_assert_uint_eq(queue_held(plane.q[0]), 16);
	fake_abort_all(plane.fake);
	ck_assert(!queue_ended(plane.q[0]));
	queue_ask(plane.q[0], QUEUE_ASK_CANCEL);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), -ECANCELED);
	plane_wait_ended(&plane);
	ck_assert_uint_eq(atomic_load(&async.cancels), 16);
	async_stop();
}
END_TEST

static int32_t cancel_result;

static void cancel_with(void *qpriv, struct ublk_io *io)
{
	(void)qpriv;
	atomic_fetch_add(&async.cancels, 1);
	host->complete(async.q[io->qid], io, cancel_result);
}

/* A passing error is the end of an io that was cancelled: it does not come again. */
START_TEST(cancelled_with_a_passing_error)
{
	static const struct {
		int32_t res, seen;
	} cases[] = {
		{ -EINTR, -EINTR }, { -ENOMEM, -ENOMEM }, { -EAGAIN, -EIO }, { -EBUSY, -EIO }
	};
	int tag;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		cancel_result = cases[i].res;
		async_start(submit_hold);
		plane.plugin.cancel = cancel_with;
		plane_start(&plane);
		tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 512, NULL);
		plane_wait_count(&async.submits, 1);
		if (_i) {
			queue_ask(plane.q[0], QUEUE_ASK_LEAVE);
			plane_tick(&plane, 1);
		} else {
			fake_abort_all(plane.fake);
		}
		queue_ask(plane.q[0], QUEUE_ASK_CANCEL);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), cases[i].seen);
		plane_wait_ended(&plane);
		ck_assert_uint_eq(atomic_load(&async.submits), 1);
		async_stop();
		ck_assert_uint_eq(plane.counters.retries, 0);
	}
}
END_TEST

START_TEST(abandoned_at_stop)
{
	int tags[16];

	async_start(submit_hold);
	plane_start(&plane);
	for (unsigned int i = 0; i < 16; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * 512, 512, NULL);
	plane_wait_count(&async.submits, 16);
	fake_abort_all(plane.fake);
	queue_ask(plane.q[0], QUEUE_ASK_ABANDON);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), -EIO);
	plane_wait_ended(&plane);
	async_stop();
	ck_assert_uint_eq(plane.counters.timeouts, 16);
}
END_TEST

/* What a busy plugin never took must end too, soon. */
START_TEST(busy_at_stop)
{
	int tags[16];

	async_start(submit_inside);
	async.refusal = -EBUSY;
	atomic_store(&async.refusals, UINT32_MAX);
	plane_start(&plane);
	for (unsigned int i = 0; i < 16; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * 512, 512, NULL);
	plane_wait_count(&async.submits, 16);
	fake_abort_all(plane.fake);
	queue_ask(plane.q[0], QUEUE_ASK_ABANDON);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), -EIO);
	plane_wait_ended(&plane);
	async_stop();
}
END_TEST

START_TEST(quit_with_everything_held)
{
	async_start(submit_hold);
	plane.nr_queues = 3;
	plane_start(&plane);
	for (uint16_t q = 0; q < 3; q++)
		for (unsigned int i = 0; i < 8; i++)
			plane_submit(&plane, q, UBLK_OP_READ, 0, i * 512, 512, NULL);
	plane_wait_count(&async.submits, 24);
	for (uint16_t q = 0; q < 3; q++)
		queue_ask(plane.q[q], QUEUE_ASK_QUIT);
	plane_wait_ended(&plane);
	plane_join(&plane);
	ck_assert(plane.joined);
	ck_assert_uint_eq(atomic_load(&async.exits), 3);
	ck_assert_uint_eq(async.nr_held, 24);
}
END_TEST

/* A queue that waits has asked nothing of the plugin and the driver; told to end, it never does. */
static void start_waiting(struct ublk_queue **q)
{
	struct fake_config config = { .nr_queues = 1, .depth = 4, .max_io = 4096 };

	async_start(submit_inside);
	ck_assert_int_eq(fake_create(&config, &plane.fake), 0);
	plane.dev.transport = fake_transport(plane.fake);
	plane.dev.queues_wait = true;
	ck_assert_int_eq(dev_prepare(&plane.dev), 0);
	ck_assert_int_eq(queue_start(&plane.dev, 0, NULL, 0, q), 0);
	ck_assert_int_eq(queue_wait_started(*q), 0);
	ck_assert(!queue_ended(*q));
	ck_assert_uint_eq(atomic_load(&async.inits), 0);
}

static void end_waiting(struct ublk_queue *q)
{
	queue_ask(q, QUEUE_ASK_QUIT);
	ck_assert(queue_join(q));
	ck_assert(queue_ended(q));
	queue_free(q);
	dev_unprepare(&plane.dev);
	free(plane.dev.stats);
	fake_destroy(plane.fake);
	plane.dev.queues_wait = false;
}

START_TEST(a_queue_waits_for_its_device)
{
	struct ublk_queue *q;

	start_waiting(&q);
	plane.dev.stats = stats_alloc(1); /* which come with the device */
	ck_assert_ptr_nonnull(plane.dev.stats);
	queue_ask(q, QUEUE_ASK_GO);
	ck_assert_int_eq(queue_wait_started(q), 0);
	ck_assert_uint_eq(atomic_load(&async.inits), 1);
	end_waiting(q);
	ck_assert_uint_eq(atomic_load(&async.exits), 1);
}
END_TEST

START_TEST(a_queue_whose_device_does_not_come)
{
	struct ublk_queue *q;

	start_waiting(&q);
	end_waiting(q);
	ck_assert_uint_eq(atomic_load(&async.inits), 0);
	ck_assert_uint_eq(atomic_load(&async.exits), 0);
}
END_TEST

START_TEST(queue_init_fails)
{
	struct fake_config config = { .nr_queues = 1, .depth = 4, .max_io = 4096 };
	static const int results[][2] = { { -ENODEV, -ENODEV }, { 5, -EIO } };

	for (unsigned int i = 0; i < ARRAY_SIZE(results); i++) {
		struct ublk_queue *q = NULL;

		async_start(submit_inside);
		async.init_result = results[i][0];
		ck_assert_int_eq(fake_create(&config, &plane.fake), 0);
		plane.dev.transport = fake_transport(plane.fake);
		plane.dev.stats = stats_alloc(1);
		ck_assert_ptr_nonnull(plane.dev.stats);
		ck_assert_int_eq(dev_prepare(&plane.dev), 0);
		ck_assert_int_eq(queue_start(&plane.dev, 0, NULL, 0, &q), 0);
		ck_assert_int_eq(queue_wait_started(q), results[i][1]);
		ck_assert(queue_join(q));
		ck_assert(queue_ended(q));
		queue_free(q);
		ck_assert_uint_eq(atomic_load(&async.exits), 0);
		dev_unprepare(&plane.dev);
		free(plane.dev.stats);
		fake_destroy(plane.fake);
	}
}
END_TEST

static atomic_int cpu;

static int note_cpu(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
		    void **qpriv)
{
	(void)q;
	*qpriv = priv;
	atomic_store(&cpu, info->cpu);
	return 0;
}

/* Served elsewhere than on CPUs that this process has not, and the plugin is told so. */
START_TEST(no_such_cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(CPU_SETSIZE - 1, &cpus);
	async_start(submit_inside);
	plane.plugin.queue_init = note_cpu;
	plane.plugin.queue_exit = NULL;
	plane.cpus = &cpus;
	plane_start(&plane);
	ck_assert_int_eq(atomic_load(&cpu), -1);
	plane_stop(&plane);
}
END_TEST

START_TEST(backend_lost)
{
	async_start(submit_inside);
	plane_start(&plane);
	host->dev_fail(&plane.dev, -ENOTCONN, "the peer is gone");
	ck_assert_uint_eq(atomic_load(&plane.failures), 1);
	ck_assert_int_eq(atomic_load(&plane.failed_err), -ENOTCONN);
	host->dev_fail(&plane.dev, 7, NULL);
	ck_assert_int_eq(atomic_load(&plane.failed_err), -EIO);
	atomic_store(&plane.failures, 0);
	async_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: ends");
	TCase *tc = tcase_create("ways");

	plane_need_fake();
	tcase_add_loop_test(tc, cancelled_with_a_passing_error, 0, 2);
	suite_add_tcase(s, tc);
	plane_case(s, "end", cancelled_at_stop, abandoned_at_stop, busy_at_stop,
		   quit_with_everything_held, a_queue_waits_for_its_device,
		   a_queue_whose_device_does_not_come, queue_init_fails, no_such_cpu, backend_lost);
	return run_tap(s);
}
