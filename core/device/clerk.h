/* SPDX-License-Identifier: MIT */
/*
 * A process that keeps the files about one device for its server, which with --user may not write to the
 * state folder. It does what one server has to have done, once, and ends with it: a server that is used
 * by somebody else can forge no other device's state, nor its own later on.
 */
#ifndef DEVICE_CLERK_H
#define DEVICE_CLERK_H

#include "device/state.h"

/* Before the plugin is loaded and before any thread begins. The server's end of a connection, or -errno,
 * logged. Closing it ends the clerk, who leaves everything as it is. */
int clerk_begin(void);

/* Each once, in this order, 0 or -errno; that there is no clerk any more is logged here, all else by him.
 * memory, which may be NULL: the device's, as in its state. Any thread, one at a time. */
int clerk_note(int fd, uint32_t id, const json_t *memory);
/* state_write(), for a new device with udev_tell_name(). */
int clerk_write(int fd, const struct device_state *state, bool is_new);
/* Remove all that tells of the device, and its memory. */
int clerk_forget(int fd);

#endif
