/* SPDX-License-Identifier: MIT */
/* One state file in a folder that is open; for state.c alone, which is what others call. */
#ifndef DEVICE_STATE_FILE_H
#define DEVICE_STATE_FILE_H

#include "device/state.h"

#define STATE_NAME_SIZE 32				   /* for the names of a file and a node */
void state_file_name(char *buf, size_t size, uint32_t id); /* "7.json" */
void state_node_name(char *buf, size_t size, uint32_t id); /* "/dev/ublkb7" */

/* 0, or -EINVAL: a member that every state has is missing. */
int state_file_check(const struct device_state *state);
/* dir: the state folder. 0 or -errno, not logged. */
int state_file_write(int dir, const struct device_state *state);
/* As state_read(); quiet: log nothing. */
int state_file_read(int dir, uint32_t id, struct device_state *state, bool quiet);

#endif
