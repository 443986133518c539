/* SPDX-License-Identifier: MIT */
/* A process that serves a device: this one, or one in the background that it starts. For run, up and
 * recover. */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include <sys/types.h>

#include "cli/device_options.h"
#include "device/state.h"

struct serving {
	struct device_options *options;
	/* A device whose server is gone, to be served on; options->cfg is its manifest. NULL: a new one. */
	const struct device_state *former;
};

/* Serve in this process until the device ends. Its node is printed when it is ready. Returns the exit
 * status. */
int serving_run(const struct serving *serving);

/* The same in a process in the background. It returns when the device is ready, its node in `node`
 * (SERVING_NODE_SIZE), or with the exit status of the server, which has said why. */
#define SERVING_NODE_SIZE 64
int serving_start(const struct serving *serving, char *node);

/* The same in two steps: a process that has loaded the plugin and taken its options, and touches nothing
 * yet; and its going on. What was prepared either goes on or is dropped. */
struct prepared_server {
	pid_t pid;
	int answer_fd, go_fd;
	unsigned int seconds; /* that it may take to be ready */
};
int serving_prepare(const struct serving *serving, struct prepared_server *server);
int serving_go(struct prepared_server *server, char *node);
void serving_drop(struct prepared_server *server);

/* Options that serve a device as its state says. -errno, logged. device_options_free() in any case. */
int serving_of_state(struct device_options *options, const struct device_state *state);

#endif
