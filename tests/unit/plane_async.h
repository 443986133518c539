/* SPDX-License-Identifier: MIT */
/*
 * A backend of the async profile for tests of the data plane: a store in memory whose submit() is
 * the test's, with the usual ways of completing an io at hand.
 */
#ifndef TESTS_UNIT_PLANE_ASYNC_H
#define TESTS_UNIT_PLANE_ASYNC_H

#include "plane.h"

#define ASYNC_STORE (1u << 20)

struct async {
	char mem[ASYNC_STORE];
	struct ublk_queue *q[PLANE_QUEUES];
	int (*submit)(struct ublk_io *io);
	void (*event)(void); /* or NULL */
	pthread_mutex_t lock;
	struct ublk_io *held[4096]; /* under lock */
	unsigned int nr_held;
	atomic_uint submits, events, batches, cancels, inits, exits, off_thread;
	atomic_uint refusals; /* so many submits are refused, with refusal */
	int refusal;
	_Atomic uint32_t data_mode; /* queues start at the same time */
	int init_result;
};

extern struct plane plane;
extern struct async async;
extern const struct ublk_host *const host;

/* plane_init() with this backend. The test may change plane and async before plane_start(). */
void async_start(int (*submit)(struct ublk_io *io));
/* plane_stop(), and the plugin was treated by the rules. */
void async_stop(void);

/* For submit(): what a store does; and the result that it completes with. */
int32_t async_serve(struct ublk_io *io);
int submit_inside(struct ublk_io *io);	 /* serve and complete */
int submit_hold(struct ublk_io *io);	 /* keep it */
struct ublk_io *async_unhold(void);	 /* one that is kept, or NULL; any thread */
int submit_and_wake(struct ublk_io *io); /* keep it and wake the queue: event() completes */

/* Writes and then reads 2 KiB on all tags (64 at most) of all queues, and checks the data. */
void async_load(unsigned int rounds);

#endif
