// SPDX-License-Identifier: MIT
/* flush() says that all is stable, and has written nothing. */
/* check: durable with path */
#include "ram.h"

static int bad_flush(void *priv)
{
	(void)priv;
	return 0;
}

RAM_CALL("flush-lie", .flush = bad_flush);
