// SPDX-License-Identifier: MIT
/* A READ that went well is completed with 0, as in the call profile. */
/* check: boundaries */
#include "ram.h"

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	struct ram_queue *rq = qpriv;

	host->complete(rq->q, io, ram_do(rq->ram, io));
	return 0;
}

RAM_ASYNC("complete-zero", .submit = bad_submit);
