// SPDX-License-Identifier: MIT
/* An io is completed in submit(), and once more. */
/* check: boundaries */
#include "ram.h"

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	struct ram_queue *rq = qpriv;
	int32_t res = ram_result(rq->ram, io);

	host->complete(rq->q, io, res);
	if (io->op == UBLK_OP_READ)
		host->complete(rq->q, io, res);
	return 0;
}

RAM_ASYNC("complete-twice", .submit = bad_submit);
