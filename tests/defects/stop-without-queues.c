// SPDX-License-Identifier: MIT
/* stop() takes for granted that there was a queue. */
/* check: queue-failure */
#include "ram.h"

static int *queues; /* how many there are; made by the first */

static int bad_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			  void **qpriv)
{
	if (info->qid == 0)
		queues = calloc(1, sizeof(*queues));
	return ram_queue_init(priv, q, info, qpriv);
}

static void bad_stop(void *priv)
{
	(void)priv;
	*(volatile int *)queues = 0;
	free(queues);
	queues = NULL;
}

RAM_ASYNC("stop-without-queues", .queue_init = bad_queue_init, .stop = bad_stop);
