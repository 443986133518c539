/* SPDX-License-Identifier: MIT */
/* A process that serves a device: this one, or one in the background that it starts. For the verbs that
 * bring a server up, and the supervisor. */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include <sys/types.h>

#include "cli/device_options.h"
#include "device/state.h"

struct serving {
	struct device_options *options;
	/* A device whose server is gone, to be served on; options->cfg is its manifest. NULL: a new one. */
	const struct device_state *former;
	/* Whose messages they are, for a server in the background whose standard error a supervisor gives
	 * it for good. NULL: it writes to its log from when it is ready. */
	const char *who;
	bool alone; /* it is to have none of this process's files */
};

/* Serve in this process until the device ends. Its node is printed when it is ready. Returns the exit
 * status. */
int serving_run(const struct serving *serving);

/* The same in a process in the background. It returns when the device is ready, its node in `node`
 * (SERVING_NODE_SIZE), or with the exit status of the server, which has said why. */
#define SERVING_NODE_SIZE 64
int serving_start(const struct serving *serving, char *node);

/* The same in two steps: a process that has loaded the plugin, taken its options and done what touches
 * nothing; and its going on. What was prepared either goes on or is dropped. */
struct prepared_server {
	pid_t pid;
	int answer_fd, go_fd;
	bool successor;	       /* of a device that lives */
	unsigned int seconds;  /* that it may take to be ready */
	int64_t id;	       /* of the device that it has made; -1: none so far */
	uint64_t served_since; /* of now_ms(), when its device is ready */
};
int serving_prepare(const struct serving *serving, struct prepared_server *server);
int serving_go(struct prepared_server *server, char *node);
void serving_drop(struct prepared_server *server);
/* The first step alone, in a process that has ended when this returns: EXIT_DONE, or the exit status of what
 * cannot be served, logged. */
int serving_check(const struct serving *serving);

/* The same without waiting: answers come to answer_fd, for serving_answer(); the server goes on when it is
 * told by serving_tell(). -errno; of serving_begin(), logged. */
int serving_begin(const struct serving *serving, struct prepared_server *server);
int serving_tell(struct prepared_server *server);
/* What is there to be read. >0: the device is ready, its node in `node`; 0: nothing of interest yet;
 * -EPIPE: the server ends, or has ended, before that. */
int serving_answer(struct prepared_server *server, char *node);

/* What ends one on its way: a device that it has made goes with it, one that it is to serve on waits for the
 * next, or is served if it is too late. */
int serving_end_signal(const struct prepared_server *server);

/* Every word that --data-path takes, ended by NULL; for free(). NULL: no memory. */
const char **serving_path_words(void);

/* Options that serve a device as its state says. -errno, logged. device_options_free() in any case. */
int serving_of_state(struct device_options *options, const struct device_state *state);

#endif
