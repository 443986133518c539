// SPDX-License-Identifier: MIT
/* Calls of the plugin that do not return: taken away, survived, and harmless when they do. */
#include <string.h>
#include <time.h>

#include "plane.h"

#define STORE (1u << 20)
#define SPAN (64u << 10)
#define STUCK_BELOW (64u << 10) /* calls for offsets below it wait for the gate */
#define TIMEOUT 2		/* ticks */

struct stuck {
	char mem[STORE];
	atomic_bool open;
	atomic_uint let_go;	     /* so many calls return though it is closed */
	atomic_uint stuck, returned; /* of the calls that wait */
	atomic_uint served;	     /* of the others */
	atomic_uint spoiled;	     /* calls whose buffer was another's when they went on */
	atomic_uint exits, inside;   /* calls of queue_exit(), and data calls going on in one */
};

static struct plane plane;
static struct stuck stuck;
static char data[SPAN], back[SPAN];

static void wait_at_gate(void)
{
	unsigned int n = atomic_fetch_add(&stuck.stuck, 1);
	struct timespec ms = { .tv_nsec = 1000000 };

	while (!atomic_load(&stuck.open) && n >= atomic_load(&stuck.let_go))
		nanosleep(&ms, NULL);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);

/* The host's own work on a file takes a while, too. */
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	(void)fd, (void)mode, (void)offset, (void)length;
	wait_at_gate();
	atomic_fetch_add(&stuck.returned, 1);
	return 0;
}

/* The data of a WRITE that gets stuck is pattern 31 of its offset. */
static int stuck_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
		       uint32_t flags)
{
	(void)priv;
	(void)flags;
	if (offset >= STUCK_BELOW) {
		memcpy(stuck.mem + offset, buf, length);
		atomic_fetch_add(&stuck.served, 1);
		return 0;
	}
	wait_at_gate();
	if (!plane_is_pattern(buf, 31, offset, length))
		atomic_fetch_add(&stuck.spoiled, 1);
	atomic_fetch_add(&stuck.returned, 1);
	return 0;
}

/* A READ that gets stuck writes to its buffer late. */
static int stuck_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	if (offset >= STUCK_BELOW) {
		memcpy(buf, stuck.mem + offset, length);
		atomic_fetch_add(&stuck.served, 1);
		return 0;
	}
	wait_at_gate();
	memset(buf, 0xbd, length);
	atomic_fetch_add(&stuck.returned, 1);
	return 0;
}

static int stuck_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	(void)length;
	if (offset >= STUCK_BELOW)
		return 0;
	wait_at_gate();
	atomic_fetch_add(&stuck.returned, 1);
	return 0;
}

static void stuck_exit(void *qpriv)
{
	(void)qpriv;
	atomic_fetch_add(&stuck.exits, 1);
	atomic_fetch_add(&stuck.inside, atomic_load(&stuck.stuck) - atomic_load(&stuck.returned));
}

static int mem_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){ .length = io->length,
				     .kind = UBLK_EXT_MEM,
				     .at.addr = stuck.mem + io->offset };
	return 1;
}

static const struct ublk_plugin stuck_plugin = {
	UBLK_PLUGIN_INIT(0), .name = "stuck",	   .thread_model = UBLK_THREADS_PARALLEL,
	.read = stuck_read,  .write = stuck_write, .discard = stuck_discard,
};

static void start(uint32_t model, uint16_t depth)
{
	memset(&stuck, 0, sizeof(stuck));
	plane_init(&plane, &stuck_plugin, &stuck);
	plane.dev.limits.size_bytes = STORE;
	plane.dev.io_timeout = TIMEOUT;
	plane.plugin.thread_model = model;
	plane.depth = depth;
}

/* A WRITE that gets stuck, once it is. */
static int submit_stuck(uint64_t offset)
{
	unsigned int before = atomic_load(&stuck.stuck);
	int tag;

	plane_pattern(data, 31, offset, 4096);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, offset, 4096, data);
	plane_wait_count(&stuck.stuck, before + 1);
	return tag;
}

static void serves(unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		plane_pattern(data, 32, i, 4096);
		ck_assert_int_eq(
			plane_io(&plane, UBLK_OP_WRITE, 0, STUCK_BELOW + i * 4096, 4096, data),
			4096);
		ck_assert_int_eq(
			plane_io(&plane, UBLK_OP_READ, 0, STUCK_BELOW + i * 4096, 4096, back),
			4096);
		ck_assert_mem_eq(data, back, 4096);
	}
}

/* The tag of each goes on at once, with memory that the stuck call does not know. */
START_TEST(stuck_calls_are_taken_away)
{
	start(UBLK_THREADS_PARALLEL, 1);
	plane_start(&plane);
	for (unsigned int i = 0; i < 5; i++) {
		int tag = submit_stuck(i * 4096);

		ck_assert(!fake_is_done(plane.fake, 0, tag));
		plane_tick(&plane, TIMEOUT);
		ck_assert(!fake_is_done(plane.fake, 0, tag));
		plane_tick(&plane, 1);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
		serves(3);
	}
	ck_assert_uint_eq(queue_held(plane.q[0]), 0);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 5);
	serves(5);
	plane_stop(&plane);
	ck_assert_uint_eq(atomic_load(&stuck.spoiled), 0);
	ck_assert_uint_eq(plane.counters.timeouts, 5);
}
END_TEST

/* What a stuck READ writes at last is not in anybody's data. */
START_TEST(late_reads_spoil_nothing)
{
	int tag;

	start(UBLK_THREADS_PARALLEL, 1);
	plane_start(&plane);
	for (unsigned int i = 0; i < 3; i++) {
		tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, SPAN, NULL);
		plane_wait_count(&stuck.stuck, i + 1);
		plane_tick(&plane, TIMEOUT + 1);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	}
	memset(stuck.mem, 0x42, STORE);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, STUCK_BELOW, SPAN, NULL);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 3);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, back), SPAN);
	for (unsigned int i = 0; i < SPAN; i++)
		ck_assert_int_eq(back[i], 0x42);
	plane_stop(&plane);
}
END_TEST

/* One worker, and it is stuck: what queues behind it has not begun, and never may. */
START_TEST(what_waits_behind_is_not_run_late)
{
	int first, second;

	start(UBLK_THREADS_PER_QUEUE, 4);
	plane_start(&plane);
	first = submit_stuck(0);
	plane_pattern(data, 33, 0, 4096);
	second = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, STUCK_BELOW, 4096, data);
	plane_tick(&plane, TIMEOUT + 2);
	ck_assert_int_eq(plane_wait(&plane, 0, first, NULL), -EIO);
	ck_assert_int_eq(plane_wait(&plane, 0, second, NULL), -EIO);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 1);
	serves(1);
	ck_assert_uint_eq(atomic_load(&stuck.served), 2);
	plane_stop(&plane);
	ck_assert_uint_eq(atomic_load(&stuck.spoiled), 0);
}
END_TEST

/* A queue full of calls that are each as slow as they may be: those at the end wait for long, and that is
 * not the plugin's doing. */
START_TEST(waiting_for_slow_calls_is_no_timeout)
{
	int tags[6];

	start(UBLK_THREADS_PER_QUEUE, ARRAY_SIZE(tags));
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(tags); i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * 4096, 4096, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(tags); i++) {
		plane_wait_count(&stuck.stuck, i + 1);
		plane_tick(&plane, TIMEOUT);
		atomic_store(&stuck.let_go, i + 1);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(tags); i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), 4096);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 0);
}
END_TEST

/* The one that is called last is given its time like the first one, and no more. */
START_TEST(a_clock_for_each_call)
{
	int first, second;

	start(UBLK_THREADS_PER_QUEUE, 2);
	plane_start(&plane);
	first = submit_stuck(0);
	second = plane_submit(&plane, 0, UBLK_OP_READ, 0, 4096, 4096, NULL);
	plane_tick(&plane, TIMEOUT);
	atomic_store(&stuck.let_go, 1);
	ck_assert_int_eq(plane_wait(&plane, 0, first, NULL), 4096);
	plane_wait_count(&stuck.stuck, 2);
	plane_tick(&plane, TIMEOUT);
	ck_assert(!fake_is_done(plane.fake, 0, second));
	plane_tick(&plane, 1);
	ck_assert_int_eq(plane_wait(&plane, 0, second, NULL), -EIO);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 2);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 1);
}
END_TEST

static int file_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){
		.length = io->length, .kind = UBLK_EXT_FD, .file = 1, .at.offset = io->offset
	};
	return 1;
}

/* What the host itself does to files takes as long as it takes, and the plugin's only worker is free. */
START_TEST(own_work_keeps_no_call_waiting)
{
	int fd = plane_temp_file(STORE), tag;

	start(UBLK_THREADS_PER_QUEUE, 4);
	plane.plugin.map = file_map;
	plane.plugin.map_ops = UBLK_OPS_DISCARD;
	plane.plugin.map_kinds = plane.dev.limits.map_kinds = UBLK_EXT_FD;
	ck_assert_int_eq(plane_file(&plane, fd), 1);
	atomic_store(&plane.dev.files[1].ring_lacks, 7); /* a worker has to */
	plane_start(&plane);
	tag = plane_submit(&plane, 0, UBLK_OP_DISCARD, 0, 0, STORE, NULL);
	plane_wait_count(&stuck.stuck, 1);
	serves(1);
	plane_tick(&plane, TIMEOUT + 2);
	serves(1);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	atomic_store(&stuck.open, true);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 0);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 0);
	close(fd);
}
END_TEST

START_TEST(stuck_range_functions)
{
	int tag;

	start(UBLK_THREADS_PARALLEL, 2);
	plane.plugin.map = mem_map;
	plane.plugin.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD;
	plane.plugin.map_kinds = plane.dev.limits.map_kinds = UBLK_EXT_MEM;
	plane.plugin.read = NULL;
	plane.plugin.write = NULL;
	plane_start(&plane);
	tag = plane_submit(&plane, 0, UBLK_OP_DISCARD, 0, 0, 4096, NULL);
	plane_wait_count(&stuck.stuck, 1);
	ck_assert_uint_eq(queue_held(plane.q[0]), 1);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	serves(3);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, STUCK_BELOW, 4096, NULL), 0);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 1);
	serves(3);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 1);
}
END_TEST

/* The queue's thread wants to call the plugin, whose model forbids it while a call runs. */
START_TEST(model_forbids_while_stuck)
{
	int tag;

	start(UBLK_THREADS_PER_QUEUE, 4);
	plane.plugin.map = mem_map;
	plane.plugin.map_ops = UBLK_OPS_READ;
	plane.plugin.map_kinds = plane.dev.limits.map_kinds = UBLK_EXT_MEM;
	plane.plugin.read = NULL;
	plane.dev.io_timeout = 1; /* a real second, once */
	plane_start(&plane);
	tag = submit_stuck(0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), -EIO);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), -EIO);
	plane_tick(&plane, 2);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 1);
	serves(2);
	plane_stop(&plane);
}
END_TEST

/* The call returns when the queue has ended, and before it is joined. */
START_TEST(returns_during_the_end)
{
	int tag;

	start(UBLK_THREADS_PARALLEL, 2);
	plane_start(&plane);
	tag = submit_stuck(0);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	tag = submit_stuck(4096); /* with a buffer of its own, if it is the same tag */
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	fake_abort_all(plane.fake);
	plane_wait_ended(&plane);
	atomic_store(&stuck.open, true);
	plane_join(&plane);
	ck_assert(plane.joined);
	ck_assert_uint_eq(atomic_load(&stuck.returned), 2);
	ck_assert_uint_eq(atomic_load(&stuck.spoiled), 0);
}
END_TEST

/* The device stops and a call does not: its io is taken away, its worker left behind. */
START_TEST(never_returns)
{
	int tag;

	start(UBLK_THREADS_PARALLEL, 2);
	plane_start(&plane);
	tag = submit_stuck(0);
	fake_abort_all(plane.fake);
	queue_ask(plane.q[0], QUEUE_ASK_CANCEL); /* nothing to a call */
	queue_ask(plane.q[0], QUEUE_ASK_ABANDON);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	plane_wait_ended(&plane);
	plane_join(&plane);
	ck_assert(!plane.joined);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 1);
	ck_assert_uint_eq(atomic_load(&stuck.spoiled), 0);
}
END_TEST

/* QUIT leaves jobs that nobody has begun: they are dropped, not run behind everybody's back. */
static void *open_soon(void *arg)
{
	usleep(300000);
	atomic_store(&stuck.open, true);
	return arg;
}

/* One call is stuck, the next waits, and the queue has taken it. */
static void start_and_quit(void (*queue_exit)(void *qpriv))
{
	start(UBLK_THREADS_PER_QUEUE, 4);
	plane.plugin.queue_exit = queue_exit;
	plane_start(&plane);
	submit_stuck(0);
	plane_submit(&plane, 0, UBLK_OP_WRITE, 0, STUCK_BELOW, 4096, data);
	plane_tick(&plane, 1);
	queue_ask(plane.q[0], QUEUE_ASK_QUIT);
}

START_TEST(quit_drops_what_waits)
{
	pthread_t opener;

	start_and_quit(NULL);
	plane_wait_ended(&plane);
	/* while the join waits for the worker, which must not find the other call then */
	ck_assert_int_eq(pthread_create(&opener, NULL, open_soon, NULL), 0);
	plane_join(&plane);
	pthread_join(opener, NULL);
	ck_assert(plane.joined);
	ck_assert_uint_eq(atomic_load(&stuck.served), 0);
}
END_TEST

START_TEST(no_call_comes_after_queue_exit)
{
	pthread_t opener;

	start_and_quit(stuck_exit);
	ck_assert_int_eq(pthread_create(&opener, NULL, open_soon, NULL), 0);
	plane_wait_ended(&plane);
	ck_assert_uint_eq(atomic_load(&stuck.exits), 1);
	ck_assert_uint_eq(atomic_load(&stuck.inside), 0);
	plane_join(&plane);
	pthread_join(opener, NULL);
	ck_assert(plane.joined);
	ck_assert_uint_eq(atomic_load(&stuck.served), 0);
}
END_TEST

/* Then nothing else is called either, also if it does return before the device has ended. */
START_TEST(no_queue_exit_while_a_call_is_stuck)
{
	start_and_quit(stuck_exit);
	plane_wait_ended(&plane);
	atomic_store(&stuck.open, true);
	plane_wait_count(&stuck.returned, 1);
	plane_join(&plane);
	ck_assert(!plane.joined);
	ck_assert_uint_eq(atomic_load(&stuck.exits), 0);
	ck_assert_uint_eq(atomic_load(&stuck.served), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: stuck calls");

	plane_need_fake();
	plane_case(s, "calls", stuck_calls_are_taken_away, late_reads_spoil_nothing,
		   what_waits_behind_is_not_run_late, waiting_for_slow_calls_is_no_timeout,
		   a_clock_for_each_call, own_work_keeps_no_call_waiting, stuck_range_functions,
		   model_forbids_while_stuck);
	plane_case(s, "end", returns_during_the_end, never_returns, quit_drops_what_waits,
		   no_call_comes_after_queue_exit, no_queue_exit_while_a_call_is_stuck);
	return run_tap(s);
}
