// SPDX-License-Identifier: MIT
/* A thread that is detached wakes a queue which may be gone. */
/* check: cycles */
#include "ram.h"

static void bad_event(void *qpriv)
{
	(void)qpriv;
}

static void *late(void *arg)
{
	usleep(20000);
	host->wake(arg);
	return NULL;
}

static int bad_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			  void **qpriv)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, late, q))
		pthread_detach(thread);
	return ram_queue_init(priv, q, info, qpriv);
}

RAM_ASYNC("late-wake", .queue_init = bad_queue_init, .event = bad_event);
