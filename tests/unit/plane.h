/* SPDX-License-Identifier: MIT */
/*
 * The data plane under test: a device built by hand around a plugin table of the test's, with queues
 * over the fake transport. The test's thread plays the application and the control thread.
 */
#ifndef TESTS_UNIT_PLANE_H
#define TESTS_UNIT_PLANE_H

#include <stdatomic.h>

#include "queue/queue.h"
#include "tap.h"
#include "transport/fake.h"

#define PLANE_QUEUES 8
#define PLANE_PATIENCE_MS 20000 /* a result that takes longer will not come */

struct plane {
	struct ublk_dev dev;
	struct ublk_plugin plugin; /* a copy: a test may change it before plane_start() */
	uint16_t nr_queues, depth; /* the driver's queues, times dev.threads_per_queue are q[] */
	const cpu_set_t *cpus;	   /* of every queue's thread; or NULL */
	bool (*need_register)(uint16_t tag); /* tags whose pages are registered by hand; or NULL */
	struct fake *fake;
	struct ublk_queue *q[PLANE_QUEUES];
	struct queue_counters counters; /* of all queues, after plane_stop() */
	struct queue_stats stats;	/* the same with their latencies */
	bool joined;			/* after plane_stop(): no worker was lost */
	atomic_uint failures;		/* calls of dev.failed */
	atomic_int failed_err;
};

/* One queue, depth 16, 64 KiB per request, 16 MiB, data path copy. A kernel that cannot run the fake
 * transport ends the test program as skipped. */
void plane_init(struct plane *p, const struct ublk_plugin *plugin, void *priv);
/* A slot for fd, as the plugin would ask for in open(). */
int plane_file(struct plane *p, int fd);
void plane_start(struct plane *p);
/* Stop, join, add up the counters, and check that the protocol was kept and nothing failed. */
void plane_stop(struct plane *p);
/* The same in two parts, for tests of stopping itself. */
void plane_wait_ended(struct plane *p);
void plane_join(struct plane *p);

/* A device in pieces that are in a file, in memory, or nowhere, in turns. */
struct plane_pieces {
	char *mem;
	int slot; /* of the file */
	uint32_t piece;
	uint32_t kinds[4]; /* UBLK_EXT_*, of the pieces by number */
};
/* What map() of such a device answers. */
int plane_map_pieces(const struct plane_pieces *pieces, const struct ublk_io *io,
		     struct ublk_extent *out, uint32_t max);

/* Requests in bytes; op is a UBLK_OP_*, flags UBLK_IOF_*. The tag, or the test fails. */
int plane_submit(struct plane *p, uint16_t qid, unsigned int op, unsigned int flags,
		 uint64_t offset, uint64_t length, const void *data);
/* The result that the application gets. data: a READ's, or NULL. */
int32_t plane_wait(struct plane *p, uint16_t qid, int tag, void *data);
/* Both, on queue 0. data: read into or written from. */
int32_t plane_io(struct plane *p, unsigned int op, unsigned int flags, uint64_t offset,
		 uint64_t length, void *data);
/* A passing second, n times, for queue 0; returns when its thread has seen the last one. */
void plane_tick(struct plane *p, unsigned int n);
/* Wait until *value is at least `wanted`, or the test fails. */
void plane_wait_count(const atomic_uint *value, unsigned int wanted);

/* Broken rules that running queues have counted by now. */
uint64_t plane_misuse(const struct plane *p);
/* They are exactly so many, at once or a moment later: a result may be out before its counter. */
void plane_expect_misuse(const struct plane *p, uint64_t wanted);

/* Repeatable bytes: those at position pos of stream `seed`. */
void plane_pattern(void *buf, uint64_t seed, uint64_t pos, size_t length);
bool plane_is_pattern(const void *buf, uint64_t seed, uint64_t pos, size_t length);
bool plane_is_zero(const void *buf, size_t length);
/* A small generator with the state in the test's hands. */
uint32_t plane_random(uint64_t *state);

/* An unlinked temporary file of `size` bytes in $TMPDIR or /tmp. */
int plane_temp_file(uint64_t size);

/* A suite of one file's tests; run it with run_tap(). */
#define plane_case(suite, name, ...)                                                               \
	do {                                                                                       \
		const TTest *const plane_tests[] = { __VA_ARGS__ };                                \
		TCase *plane_tc = tcase_create(name);                                              \
		for (size_t plane_i = 0; plane_i < ARRAY_SIZE(plane_tests); plane_i++)             \
			tcase_add_test(plane_tc, plane_tests[plane_i]);                            \
		suite_add_tcase(suite, plane_tc);                                                  \
	} while (0)

/* The i-th combination of a data path and commands (per io, batch), of so many. False: that path has no
 * such commands. */
unsigned int plane_nr_picks(void);
bool plane_pick(unsigned int i, struct path_choice *choice);
/* Whether valgrind runs this: it makes every wait of the queue's a poll. */
bool plane_on_valgrind(void);
/* Ends the program as skipped, saying why, where the fake transport cannot run. */
void plane_need_fake(void);

#endif
