/* SPDX-License-Identifier: MIT */
/*
 * What outlives a server process: one JSON file per device in the runtime folder, and the links by
 * name. Enough to find, stop and (later) recover a device without its command line.
 */
#ifndef DEVICE_STATE_H
#define DEVICE_STATE_H

#include <jansson.h>

#include "config/config.h"

/* RUNSTATEDIR as built, or $UBLK_HOST_RUN_DIR (secure_getenv). */
const char *state_dir(void);

struct device_state {
	uint32_t id;
	char *name;
	char *node;	   /* /dev/ublkbN */
	char *plugin_path; /* absolute */
	char *data_path;   /* the one in use, and why: "auto-buf-reg" */
	int32_t pid;	   /* of the server */
	uint64_t
		pid_start; /* its start time, field 22 of /proc/PID/stat: tells a reused pid apart */
	json_t *manifest;  /* the resolved device manifest, as one could feed to --manifest */
};

/* Write DIR/ID.json (temporary file, then rename) and the link DIR/by-name/NAME -> node. Called
 * when the device is ready. 0 or -errno, logged. Secrets are not written: a secret option is
 * written as its @FILE form or left out. */
int state_write(const struct device_state *state);
/* Remove both; a link that is another's stays. No message if they are gone. */
void state_remove(uint32_t id, const char *name);

/* -ENOENT: no such device. A file that is damaged: -EBADMSG, logged. Free with state_free(). */
int state_read(uint32_t id, struct device_state *state);
int state_find_name(const char *name, struct device_state *state);
void state_free(struct device_state *state);
/* Call fn for each state file, in order of id. Stops when fn returns non-zero and returns that. */
int state_for_each(int (*fn)(const struct device_state *state, void *arg), void *arg);

/* The process that wrote it is still the one: alive and with the same start time. */
bool state_server_alive(const struct device_state *state);
int state_self(struct device_state *state); /* fill pid and pid_start of this process */

#endif
