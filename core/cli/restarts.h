/* SPDX-License-Identifier: MIT */
/*
 * When a server that ended gets a successor: at once the first time, then ever later, and not at all
 * after too many ends in too short a time. No clock is read here. One thread.
 */
#ifndef CLI_RESTARTS_H
#define CLI_RESTARTS_H

#include "base/util.h"

#define RESTARTS_MAX_LIMIT 100u
#define RESTARTS_FIRST_MS 100u	/* before the second successor; then twice as long each time */
#define RESTARTS_LAST_MS 10000u /* at most */
#define RESTARTS_CALM_MS 10000u /* a server that has lived for so long begins a new row */

struct restarts {
	unsigned int limit;	/* ends that are too many; 0: there is no such number */
	unsigned int window_ms; /* in this time */
	unsigned int delay_ms;	/* before the next successor */
	unsigned int nr;
	uint64_t end[RESTARTS_MAX_LIMIT]; /* the last nr of them */
};

void restarts_init(struct restarts *restarts, unsigned int limit, unsigned int window_ms);

#define RESTARTS_NO_MORE UINT32_MAX
/* A server ended at `now` (milliseconds), after lived_ms, of which 0: it never was ready. Returns how long
 * to wait, in milliseconds, or RESTARTS_NO_MORE. useful: it got on before it ended, so that this one does
 * not count, and a successor will get on too. */
unsigned int restarts_ended(struct restarts *restarts, uint64_t now, uint64_t lived_ms,
			    bool useful);

#endif
