// SPDX-License-Identifier: MIT
/* A device that gets another size while it is served. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "plane.h"

#define BEGIN (1u << 20) /* its size at first */
#define LESS (256u << 10)
#define MORE (2u << 20)
#define AT (512u << 10) /* beyond LESS */

struct backend {
	char mem[MORE];
	atomic_bool open;
	atomic_uint waiting;
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
	atomic_fetch_add(&backend.waiting, 1);
	while (!atomic_load(&backend.open))
		sleep_ms(1);
	memcpy(backend.mem + offset, buf, length);
	return 0;
}

static int backend_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){ .length = io->length,
				     .kind = UBLK_EXT_MEM,
				     .at.addr = backend.mem + io->offset };
	return 1;
}

/* Reads go the short way, writes wait for the gate. */
static const struct ublk_plugin plugin = {
	UBLK_PLUGIN_INIT(0),	  .name = "sized",	     .thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ, .map_kinds = UBLK_EXT_MEM, .map = backend_map,
	.write = gated_write,
};

static void start(uint16_t nr_queues)
{
	memset(&backend, 0, sizeof(backend));
	plane_init(&plane, &plugin, &backend);
	plane.dev.limits.size_bytes = BEGIN;
	plane.dev.limits.map_kinds = UBLK_EXT_MEM;
	plane.nr_queues = nr_queues;
	plane_start(&plane);
}

static int set_size(uint64_t size, unsigned int ms)
{
	return dev_set_size(&plane.dev, plane.q, plane.nr_queues, size, ms);
}

static int32_t io_at(uint16_t qid, unsigned int op, uint64_t offset)
{
	int tag = plane_submit(&plane, qid, op, 0, offset, sizeof(data), data);

	return plane_wait(&plane, qid, tag, op == UBLK_OP_READ ? data : NULL);
}

START_TEST(requests_end_where_the_device_does)
{
	start(2);
	atomic_store(&backend.open, true);
	for (uint16_t qid = 0; qid < 2; qid++) {
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, BEGIN - 4096), 4096);
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, BEGIN), -EIO);
	}
	ck_assert_int_eq(set_size(MORE, 5000), 0);
	for (uint16_t qid = 0; qid < 2; qid++) {
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, MORE - 4096), 4096);
		ck_assert_int_eq(io_at(qid, UBLK_OP_WRITE, MORE - 4096), 4096);
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, MORE), -EIO);
		ck_assert_int_eq(io_at(qid, UBLK_OP_WRITE, MORE - 2048), -EIO);
	}
	ck_assert_int_eq(set_size(LESS, 5000), 0);
	for (uint16_t qid = 0; qid < 2; qid++) {
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, LESS - 4096), 4096);
		ck_assert_int_eq(io_at(qid, UBLK_OP_READ, LESS), -EIO);
		ck_assert_int_eq(io_at(qid, UBLK_OP_WRITE, LESS - 2048), -EIO);
	}
	plane_stop(&plane);
}
END_TEST

static void *open_soon(void *arg)
{
	sleep_ms(100);
	atomic_store(&backend.open, true);
	return arg;
}

/* What has begun beyond a new end is waited for; if that takes too long, the size stays. */
START_TEST(what_is_beyond_is_waited_for)
{
	pthread_t opener;
	int tag;

	start(1);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, AT, sizeof(data), data);
	plane_wait_count(&backend.waiting, 1);
	ck_assert_int_eq(set_size(LESS, 50), -ETIMEDOUT);
	ck_assert_int_eq(io_at(0, UBLK_OP_READ, BEGIN - 4096), 4096);
	ck_assert_int_eq(pthread_create(&opener, NULL, open_soon, NULL), 0);
	ck_assert_int_eq(set_size(LESS, 5000), 0);
	ck_assert(atomic_load(&backend.open));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(data));
	pthread_join(opener, NULL);
	plane_stop(&plane);
}
END_TEST

/* What is in flight below it is not. */
START_TEST(what_is_below_is_not)
{
	int tag;

	start(1);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, LESS - 4096, sizeof(data), data);
	plane_wait_count(&backend.waiting, 1);
	ck_assert_int_eq(set_size(LESS, 5000), 0);
	ck_assert(!atomic_load(&backend.open));
	atomic_store(&backend.open, true);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(data));
	plane_stop(&plane);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_size");

	plane_need_fake();
	plane_case(suite, "size", requests_end_where_the_device_does, what_is_beyond_is_waited_for,
		   what_is_below_is_not);
	return run_tap(suite);
}
