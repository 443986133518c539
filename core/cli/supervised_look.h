/* SPDX-License-Identifier: MIT */
/* What there is of a device, as its supervisor has to know. */
#ifndef CLI_SUPERVISED_LOOK_H
#define CLI_SUPERVISED_LOOK_H

#include "cli/devices.h"

enum seen {
	SEEN_NOTHING,
	SEEN_SERVED,  /* by a process that lives */
	SEEN_IN_HAND, /* somebody changes its server */
	SEEN_WAITING, /* for a server */
	SEEN_UNCLEAR, /* it has no server, and the driver does not say what else it is */
	SEEN_REMAINS, /* it cannot be served any more */
	SEEN_FAILED,  /* the same, and that is meant */
};

/* Look at the device of this name. *id: its, if there is one; view: for device_view_free(), unless
 * SEEN_NOTHING. */
enum seen supervised_look(const char *name, uint32_t *id, struct device_view *view);

/* A dead server got on: it served more requests than can have waited for it when it came. Then it is not
 * one of these that brought it down. */
bool seen_useful(const struct device_state *state);

/* "was killed by signal 11 (Segmentation fault)", of a wait status; -1: not known. Returns buf. */
const char *server_end_text(int status, char *buf, size_t size);

#endif
