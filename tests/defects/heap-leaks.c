// SPDX-License-Identifier: MIT
/* Each queue leaves the memory of its state. */
/* check: cycles */
#include "ram.h"

static void bad_queue_exit(void *qpriv)
{
	(void)qpriv;
}

RAM_ASYNC("heap-leaks", .queue_exit = bad_queue_exit);
