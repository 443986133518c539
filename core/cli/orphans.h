/* SPDX-License-Identifier: MIT */
/*
 * What servers have left behind: devices that nobody serves any more, of ublk-host and of any other
 * program, and files in the state folder. Found and judged here; for gc, which removes them, and
 * doctor, which tells.
 */
#ifndef CLI_ORPHANS_H
#define CLI_ORPHANS_H

#include "cli/devices.h"
#include "device/leftovers.h"

enum orphan_kind {
	ORPHAN_DEVICE,	   /* in the kernel, without a server */
	ORPHAN_STATE,	   /* of a device that is gone from the kernel */
	ORPHAN_STATISTICS, /* the rest: as in device/leftovers.h */
	ORPHAN_LINK,
	ORPHAN_MEMORY,
	ORPHAN_TEMPORARY
};

struct orphan {
	enum orphan_kind kind;
	uint32_t id;   /* DEVICE; STATE of a device */
	char *name;    /* of the device; NULL: another program's, or no device */
	char *file;    /* below state_dir(); NULL: a device, or the files of its state */
	char why[256]; /* one clause: why it is one */
	char keep
		[512]; /* one clause: why it stays unless that is insisted on, and what to do; "": it
			 * does not */
	bool waits;    /* it waits for a new server */
};

struct orphan_list {
	struct orphan *orphan;
	size_t nr;
};

/* All of them. 0 or -errno, logged. ctrl NULL: devices of other programs cannot be judged. */
int orphans_find(struct orphan_list *list, struct ctrl *ctrl);
void orphans_free(struct orphan_list *list);

/* "device", "state", "statistics", "link", "memory", "temporary file" */
const char *orphan_kind_word(enum orphan_kind kind);
/* "/dev/ublkb3 (scratch)", "/run/ublk-host/3.json". Returns buf. */
const char *orphan_label(const struct orphan *orphan, char *buf, size_t size);

/* What is known of a device beyond its view. */
struct orphan_facts {
	const char *users;	 /* of its disk, in words; "": none */
	const char *server_side; /* who has /dev/ublkcN open, in words; "": nobody */
	int64_t age;		 /* seconds since ADD_DEV; -1: not known */
};
/* Is the device one? Fills *orphan but for its name and file. Pure; for tests too. */
bool orphan_judge(const struct device_view *view, const struct orphan_facts *facts,
		  struct orphan *orphan);

#endif
