// SPDX-License-Identifier: MIT
/* When a server that ended gets a successor. */
#include <string.h>

#include "cli/restarts.h"

void restarts_init(struct restarts *restarts, unsigned int limit, unsigned int window_ms)
{
	*restarts = (struct restarts){ .limit = min_of(limit, RESTARTS_MAX_LIMIT),
				       .window_ms = window_ms };
}

static void forget_old(struct restarts *restarts, uint64_t now)
{
	unsigned int old = 0;

	while (old < restarts->nr && now - restarts->end[old] >= restarts->window_ms)
		old++;
	restarts->nr -= old;
	memmove(restarts->end, restarts->end + old, restarts->nr * sizeof(*restarts->end));
}

unsigned int restarts_ended(struct restarts *restarts, uint64_t now, uint64_t lived_ms, bool useful)
{
	unsigned int wait;

	if (useful || lived_ms >= RESTARTS_CALM_MS)
		restarts->delay_ms = 0;
	forget_old(restarts, now);
	if (!useful && restarts->limit) {
		restarts->end[restarts->nr++] = now;
		if (restarts->nr >= restarts->limit) {
			restarts_init(restarts, restarts->limit, restarts->window_ms);
			return RESTARTS_NO_MORE;
		}
	}
	wait = restarts->delay_ms;
	restarts->delay_ms = wait ? min_of(wait * 2, RESTARTS_LAST_MS) : RESTARTS_FIRST_MS;
	return wait;
}
