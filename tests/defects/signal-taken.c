// SPDX-License-Identifier: MIT
/* SIGPIPE is given back its meaning, for a library's sake. */
/* check: process */
#include "ram.h"

static int bad_load(const struct ublk_host *services)
{
	signal(SIGPIPE, SIG_DFL);
	return ram_load(services);
}

RAM_CALL("signal-taken", .load = bad_load);
