/* SPDX-License-Identifier: MIT */
/*
 * A server that stands by: prepared beside the one that serves a device, as far as its plugin allows, so that
 * it goes on at a word when that one is dead. For a supervisor, which tells it what becomes of the device.
 * Nothing here waits.
 */
#ifndef CLI_STANDBY_H
#define CLI_STANDBY_H

#include <poll.h>
#include <sys/stat.h>

#include "cli/devices.h"
#include "cli/serving.h"

enum standby_phase {
	STANDBY_NONE,
	STANDBY_PREPARING,
	STANDBY_READY,
	STANDBY_ENDING, /* it was dropped */
};

struct standby {
	const char *name; /* of the device; the caller's */
	uint32_t id;
	bool wanted; /* devices of this supervisor get one */
	enum standby_phase phase;
	uint64_t at;	/* of now_ms(): when to go on at the latest */
	uint64_t after; /* the same, for when the one that was dropped has ended */
	struct prepared_server server;
	int pidfd;
	bool killed;	   /* STANDBY_ENDING, with force */
	bool pointless;	   /* such a device can have none */
	unsigned int wait; /* ms before the next, after one that ended by itself */
	/* What it was prepared for. */
	char *state;
	int64_t size;
	struct stat plugin;
};

void standby_init(struct standby *standby, const char *name, bool wanted);
void standby_free(struct standby *standby);

/* The device has a server, or another one than before: have one that stands by, in a while. */
void standby_expect(struct standby *standby, uint64_t now);
/* Have none any more. It ends by itself, which takes a moment. */
void standby_drop(struct standby *standby);
/* The device has lost its server. True: the one that stands by becomes its next; it has yet to be told to go
 * on. It, and its pidfd, are the caller's. False: there is none for the device as it is now. */
bool standby_take(struct standby *standby, const struct device_view *view,
		  struct prepared_server *server, int *pidfd);

/* There is none, or one that is stuck in the kernel. */
bool standby_rests(const struct standby *standby);
/* What to wait for: 0..2 entries; and what came of it. */
#define STANDBY_FDS 2
unsigned int standby_fds(const struct standby *standby, struct pollfd fds[STANDBY_FDS]);
void standby_woken(struct standby *standby, const struct pollfd *fds, unsigned int nr);
/* It is time; called at any time. */
void standby_tick(struct standby *standby, uint64_t now);

#endif
