/* SPDX-License-Identifier: MIT */
/*
 * Files in the state folder that belong to nobody: what a server that was killed, or a file that was
 * damaged, leaves behind. A state file that can be read is a device's, and not looked at here.
 */
#ifndef DEVICE_LEFTOVERS_H
#define DEVICE_LEFTOVERS_H

#include <sys/types.h>

#include "base/util.h"

enum leftover_kind {
	LEFTOVER_STATE,	     /* N.json that cannot be used, without a device N */
	LEFTOVER_STATISTICS, /* N.stats without a state, whose server is dead */
	LEFTOVER_LINK,	     /* by-name/NAME that leads to no device of that name */
	LEFTOVER_MEMORY,     /* memory/FILE that no state names, whose server is dead */
	LEFTOVER_TEMPORARY   /* of a file that never became whole */
};

struct leftover {
	enum leftover_kind kind;
	const char *file; /* below state_dir(): "by-name/scratch" */
	const char *why;  /* one clause */
	int64_t id;	  /* of the device whose file it is, or was to be; -1: unknown */
	pid_t pid;	  /* of the server that made it, for memory; 0: any other */
};

/* Calls fn for each, until it returns other than 0, which is returned. -errno, logged; no folder is
 * none. */
int leftovers_for_each(int (*fn)(const struct leftover *leftover, void *arg), void *arg);

/* Remove it, if it still is one. 0 or -errno, not logged; -EBUSY: it no longer is. */
int leftover_remove(const char *file);
/* At once, and silently: what a dead server left that had not written its state yet. id: of its device;
 * -1: it had none. */
void leftovers_remove_of(int64_t id, pid_t pid);

#endif
