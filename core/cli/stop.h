/* SPDX-License-Identifier: MIT */
/*
 * Stopping a device from outside: it must be free, then the server is asked, then, if that is wanted,
 * killed, and what is left is taken from the kernel. In steps, so that many devices can stop at once.
 */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include "cli/devices.h"
#include "cli/try_stop.h"

enum stop_outcome {
	STOP_PENDING, /* begun */
	STOP_DONE,    /* the server ended and took the device with it */
	STOP_REMOVED, /* there was no server, or it died: we removed the device */
	STOP_KILLED,  /* we killed the server and removed the device */
	STOP_TIDIED,  /* the device was gone already: its state file was removed */
	STOP_FAILED   /* why has been logged */
};

/* "stopped", "removed", "killed", "tidied", "failed" */
const char *stop_outcome_word(enum stop_outcome outcome);

struct stop {
	uint32_t id;
	char *name;  /* NULL: a foreign device */
	char *label; /* "scratch (/dev/ublkb3)" */
	int pidfd;   /* of the server that was asked; -1: none */
	int32_t pid;
	int32_t standby; /* that is to serve it next; 0: none. Its start time: */
	uint64_t standby_start;
	uint64_t entry; /* of sysfs_device_entry(): the same id may come back as another device */
	struct try_stop try; /* under way */
	bool trying, asked;  /* TRY_STOP_DEV was begun; the server was told to stop */
	bool gone;	     /* from the kernel, when we began: the id, if taken, is another's */
	bool served;	     /* it is live, and its server, too */
	bool in_use;	     /* and is to be stopped all the same */
	bool force, told;
	uint64_t free_until; /* of now_ms(): so long users are waited for */
	enum stop_outcome outcome;
};

/* Look at device id, refuse what must be refused, and begin to stop it. Blocks for a second
 * at most, or, while it has users, until free_until (of now_ms(); 0: they are not waited for). name: as for
 * device_view_read(). ctrl: the control device, or NULL. Free with stop_free(). */
void stop_begin(struct stop *stop, uint32_t id, const char *name, bool force, uint64_t free_until,
		struct ctrl *ctrl);
/* Unless its users keep it from being stopped, which is found out by now: ask its server. Blocks for
 * some seconds at most. stop_finish() does it where it was not done; it is for who stops many. */
void stop_ask(struct stop *stop, struct ctrl *ctrl);
/* Wait for its end until the deadline (of now_ms()), then do what is to be done. *ctrl is
 * opened when it is needed. Does nothing unless it is pending. */
void stop_finish(struct stop *stop, uint64_t deadline_ms, struct ctrl **ctrl);
void stop_free(struct stop *stop);

/* All of it, for one device, which gets ms. */
#define STOP_DEFAULT_MS 30000u
enum stop_outcome stop_one(uint32_t id, const char *name, bool force, unsigned int ms);

#endif
