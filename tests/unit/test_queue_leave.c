// SPDX-License-Identifier: MIT
/* A device that goes on under another server: what has begun is ended, what has not is left alone. */
#include <string.h>
#include <time.h>

#include "plane.h"

#define STORE (1u << 20)
#define GATED_BELOW (64u << 10) /* writes below it wait for the gate */

struct backend {
	char mem[STORE];
	atomic_bool open;
	atomic_uint waiting, served;
	atomic_uint refusals; /* submits to answer with -EBUSY */
};

static struct plane plane;
static struct backend backend;
static char data[4096];

static void sleep_ms(unsigned int ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

static int gated_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
		       uint32_t flags)
{
	(void)priv;
	(void)flags;
	if (offset < GATED_BELOW) {
		atomic_fetch_add(&backend.waiting, 1);
		while (!atomic_load(&backend.open))
			sleep_ms(1);
	}
	memcpy(backend.mem + offset, buf, length);
	atomic_fetch_add(&backend.served, 1);
	return 0;
}

static int backend_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	memcpy(buf, backend.mem + offset, length);
	atomic_fetch_add(&backend.served, 1);
	return 0;
}

static int backend_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	atomic_fetch_add(&backend.served, 1);
	*out = (struct ublk_extent){ .length = io->length,
				     .kind = UBLK_EXT_MEM,
				     .at.addr = backend.mem + io->offset };
	return 1;
}

static const struct ublk_plugin gated = {
	UBLK_PLUGIN_INIT(0),  .name = "gated",	    .thread_model = UBLK_THREADS_PARALLEL,
	.read = backend_read, .write = gated_write,
};

static void start(const struct ublk_plugin *plugin)
{
	memset(&backend, 0, sizeof(backend));
	plane_init(&plane, plugin, &backend);
	plane.dev.limits.size_bytes = STORE;
	plane.depth = 4;
}

static void end(void)
{
	plane_wait_ended(&plane);
	plane_join(&plane);
	ck_assert(plane.joined);
	ck_assert(!atomic_load(&plane.failures));
}

/* Waits for what the plugin holds, and hands its result over; a request that comes later is not served. */
START_TEST(leaves_when_the_begun_has_ended)
{
	int tag;

	start(&gated);
	plane_start(&plane);
	plane_pattern(data, 1, 0, sizeof(data));
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, sizeof(data), data);
	plane_wait_count(&backend.waiting, 1);
	queue_ask(plane.q[0], QUEUE_ASK_LEAVE);
	plane_tick(&plane, 1); /* it has been heard */
	plane_submit(&plane, 0, UBLK_OP_READ, 0, GATED_BELOW, sizeof(data), NULL);
	sleep_ms(100);
	ck_assert(!queue_ended(plane.q[0]));
	ck_assert_uint_eq(atomic_load(&backend.served), 0);
	atomic_store(&backend.open, true);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(data));
	end();
	ck_assert_uint_eq(atomic_load(&backend.served), 1);
	ck_assert(plane_is_pattern(backend.mem, 1, 0, sizeof(data)));
}
END_TEST

/* From a driver that hands out no more, what has arrived is still served. */
START_TEST(finishes_what_has_arrived)
{
	int begun, later;

	start(&gated);
	plane_start(&plane);
	begun = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, sizeof(data), data);
	plane_wait_count(&backend.waiting, 1);
	queue_ask(plane.q[0], QUEUE_ASK_FINISH);
	plane_tick(&plane, 1);
	later = plane_submit(&plane, 0, UBLK_OP_READ, 0, GATED_BELOW, sizeof(data), NULL);
	ck_assert_int_eq(plane_wait(&plane, 0, later, NULL), sizeof(data));
	ck_assert(!queue_ended(plane.q[0]));
	atomic_store(&backend.open, true);
	ck_assert_int_eq(plane_wait(&plane, 0, begun, NULL), sizeof(data));
	end();
}
END_TEST

/* The short way and every data path: nothing in flight, so it leaves at once, and takes nothing. */
START_TEST(an_idle_queue_leaves_at_once)
{
	struct path_choice choice;
	struct ublk_plugin maps = gated;

	if (!plane_pick(_i, &choice))
		return;
	maps.map = backend_map;
	maps.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE;
	maps.map_kinds = UBLK_EXT_MEM;
	maps.read = NULL;
	maps.write = NULL;
	if (!(choice.path->map_kinds & UBLK_EXT_MEM))
		return;
	start(&maps);
	plane.dev.limits.map_kinds = UBLK_EXT_MEM;
	plane.dev.path = choice.path;
	plane.dev.batch = choice.batch;
	plane_start(&plane);
	plane_pattern(data, 2, 0, sizeof(data));
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, sizeof(data), data), sizeof(data));
	queue_ask(plane.q[0], _i % 2 ? QUEUE_ASK_LEAVE : QUEUE_ASK_FINISH);
	end();
	ck_assert_uint_eq(atomic_load(&backend.served), 1);
}
END_TEST

static int busy_submit(void *qpriv, struct ublk_io *io);
static const struct ublk_host *host = &host_services;
static struct ublk_queue *the_queue;

static int busy_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
		     void **qpriv)
{
	(void)info;
	the_queue = q;
	*qpriv = priv;
	return 0;
}

static int busy_submit(void *qpriv, struct ublk_io *io)
{
	(void)qpriv;
	if (atomic_load(&backend.refusals)) {
		atomic_fetch_sub(&backend.refusals, 1);
		atomic_fetch_add(&backend.waiting, 1);
		return -EBUSY;
	}
	atomic_fetch_add(&backend.served, 1);
	host->complete(the_queue, io, (int32_t)io->length);
	return 0;
}

/* What a plugin was too busy for has begun: it is offered again, and does not fail. */
START_TEST(the_refused_is_offered_again)
{
	const struct ublk_plugin busy = {
		UBLK_PLUGIN_INIT(0),
		.name = "busy",
		.thread_model = UBLK_THREADS_PARALLEL,
		.submit_ops = UBLK_OPS_WRITE,
		.data_modes = UBLK_DATA_MAPPED,
		.queue_init = busy_init,
		.submit = busy_submit,
	};
	int tag;

	start(&busy);
	plane.dev.limits.data_modes = UBLK_DATA_MAPPED;
	atomic_store(&backend.refusals, 50);
	plane_start(&plane);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, sizeof(data), data);
	plane_wait_count(&backend.waiting, 1);
	fake_abort_all(plane.fake);
	queue_ask(plane.q[0], QUEUE_ASK_FINISH);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(data));
	end();
	ck_assert_uint_eq(atomic_load(&backend.served), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: leaving a device");
	TCase *tc = tcase_create("paths");

	plane_need_fake();
	plane_case(s, "leave", leaves_when_the_begun_has_ended, finishes_what_has_arrived,
		   the_refused_is_offered_again);
	tcase_add_loop_test(tc, an_idle_queue_leaves_at_once, 0, (int)plane_nr_picks());
	suite_add_tcase(s, tc);
	return run_tap(s);
}
