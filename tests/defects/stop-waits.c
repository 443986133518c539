// SPDX-License-Identifier: MIT
/* Requests that are there when the device stops are kept for later. */
/* check: stop */
#include "ram.h"

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	static _Atomic unsigned int n;
	const struct ram_queue *rq = qpriv;

	/* Many at once are more than it takes. */
	if (io->offset < rq->ram->size && io->length == 512 && ++n > 40)
		return 0;
	return ram_submit(qpriv, io);
}

RAM_ASYNC("stop-waits", .submit = bad_submit);
