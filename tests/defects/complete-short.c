// SPDX-License-Identifier: MIT
/* Long requests are completed with what was done of them at once. */
/* check: boundaries */
#include "ram.h"

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	struct ram_queue *rq = qpriv;
	int32_t res = ram_result(rq->ram, io);

	host->complete(rq->q, io, res > 262144 ? 262144 : res);
	return 0;
}

RAM_ASYNC("complete-short", .submit = bad_submit);
