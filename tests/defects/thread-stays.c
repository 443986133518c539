// SPDX-License-Identifier: MIT
/* A thread of each device goes on after it. */
/* check: cycles */
#include "ram.h"

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int bad_start(void *priv, const struct ublk_limits *limits)
{
	pthread_t thread;

	(void)limits;
	return -pthread_create(&thread, NULL, idle, priv);
}

RAM_CALL("thread-stays", .start = bad_start);
