// SPDX-License-Identifier: MIT
/* An io that comes while another one is there is forgotten. */
/* check: parallel */
#include "ram.h"

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	static _Atomic unsigned int n;

	if (++n % 300 == 0)
		return 0;
	return ram_submit(qpriv, io);
}

RAM_ASYNC("io-forgotten", .submit = bad_submit);
