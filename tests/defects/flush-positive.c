// SPDX-License-Identifier: MIT
/* flush() returns what fsync() would have: a number that is no negative errno. */
/* check: flush */
#include "ram.h"

static int bad_flush(void *priv)
{
	return ram_flush(priv) ? -1 : 1;
}

RAM_CALL("flush-positive", .flush = bad_flush);
