/* SPDX-License-Identifier: MIT */
/*
 * What a verb asks of a server that serves: both ends. The words are in the device's statistics, which both
 * have mapped or open, and SIGUSR2 tells the server to look there: so that a server that has given up its
 * rights needs no socket. One request at a time; the lock is the verbs' own, on a file that
 * nobody but root, or whose folder it is, can have open.
 */
#ifndef DEVICE_REQUESTS_H
#define DEVICE_REQUESTS_H

#include "device/state.h"

/* A verb's end: begin, ask, end. */
struct request_line {
	int fd;	  /* of the statistics; -1: none */
	int lock; /* for as long as it is open */
	int pidfd;
	bool size_option; /* the size is the plugin's option `size` */
};

/* To the server of this state, waiting at most ms for another verb. 0 or -errno, logged; then there is
 * nothing to end. */
int request_begin(const struct device_state *state, unsigned int ms, struct request_line *line);
void request_end(struct request_line *line);
/* Wait for a verb that is asking for something. 0; or -errno, logged: it has not ended within ms. */
int request_await(const struct device_state *state, unsigned int ms);

/* Give the device another size. 0, or -errno with why, a line for people; within ms. */
int request_resize(struct request_line *line, uint64_t size, unsigned int ms, char *why,
		   size_t why_size);

#endif
