/* SPDX-License-Identifier: MIT */
/* What a process that serves a device, and who starts it, share. */
#ifndef CLI_SERVING_INTERNAL_H
#define CLI_SERVING_INTERNAL_H

#include <inttypes.h>

#include "cli/serving.h"
#include "device/device.h"

/* Whoever waits for the device. A prepared() or ready() that returns non-zero ends it. */
struct watcher {
	int (*prepared)(int signal_fd, void *arg); /* as in struct device_request; or NULL */
	int (*ready)(const struct device *device, void *arg); /* its node is usable */
	void (*added)(uint32_t id, void *arg); /* the driver has a new device; or NULL */
	void (*stopping)(void *arg);	       /* or NULL */
	void (*alive)(void *arg); /* every alive_ms at most, while it is served; or NULL */
	unsigned int alive_ms;
	void *arg;
};

/* serving.c */
/* log: of a server in the background, or NULL. With --user, a clerk before there is a plugin. Returns the exit
 * status. */
int resolve_and_serve(const struct serving *serving, const char *log,
		      const struct watcher *watcher);

/* serving_background.c: this process, which was forked for it; the pipes to and from who waits for it. */
void be_server(const struct serving *serving, int answer_fd, int go_fd) __attribute__((noreturn));

/* What is written before the node, each in one piece. */
#define PREPARED '.'
#define ADDED "+%" PRIu32 "\n"
#define SERVED "=%" PRIu64 "\n" /* since when, of now_ms() */

#endif
