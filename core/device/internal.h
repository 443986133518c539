/* SPDX-License-Identifier: MIT */
/* What the files that make, serve and end a device share. */
#ifndef DEVICE_INTERNAL_H
#define DEVICE_INTERNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "device/device.h"
#include "kernel/ctrl.h"
#include "kernel/sysfs.h"
#include "queue/queue.h"

struct device {
	struct ublk_dev dev; /* the data plane's part: first, so that plugins' pointers are ours */
	struct transport transport;
	struct ctrl *ctrl;
	struct device_config *cfg;
	struct plugin *plugin;
	struct option_values *values;
	const char *path_name, *path_why;  /* the data path's, and why it is this one */
	struct path_kernel kernel;	   /* what it offers */
	struct ublksrv_ctrl_dev_info info; /* as granted */
	char node[NODE_PATH_SIZE], char_node[NODE_PATH_SIZE];
	int char_fd;
	int signal_fd; /* the caller's signalfd, or -1 */
	struct ublk_queue **queues;
	unsigned int nr_started;
	atomic_int fail_err; /* first dev_fail() */
	int fail_fd;	     /* eventfd: told by dev_fail() */

	/* how far bring-up got, for the way back */
	bool opened, added, started_plugin, prepared, live, written;
};

/* guard.c: around calls into the plugin. When it does not return in time, or a signal arrives before
 * there is a device, the process says so, cleans up and exits. */
struct guard {
	struct device *d;
	const char *what;
	unsigned int seconds;
	int done_fd;
	pthread_t thread;
};
void guard_begin(struct guard *g, struct device *d, const char *what, unsigned int seconds);
void guard_end(struct guard *g);
#define GUARD_OPEN_SECONDS                                                                         \
	50 /* of load, open, get_limits and start together: under up's patience */
#define GUARD_CLOSE_SECONDS 20

/* resolve.c */
void limits_offer(const struct device_config *cfg, const struct ublk_plugin *desc,
		  struct ublk_limits *limits);
void limits_settle(const struct device_config *cfg, const struct ublk_plugin *desc,
		   struct ublk_limits *limits);
bool device_fua_ok(const struct ublk_plugin *desc, const struct ublk_limits *limits);

#endif
