/* SPDX-License-Identifier: MIT */
/*
 * One device's life: brought up from what the user asked for, served, stopped, deleted. Control
 * thread only. Every function that fails has logged the one message that says why.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include "config/config.h"
#include "config/options.h"
#include "plugin/plugin.h"

struct device;
struct device_state;
struct run_as;

/* All of it stays the caller's, until device_end(). */
struct device_request {
	struct device_config *cfg; /* its members that are resolved change: name, id, queues ... */
	struct plugin *plugin;
	struct option_values *values;
	/* A signalfd, or -1: SIGUSR1 hands the device over, SIGUSR2 tells of a request in the statistics, any
	 * other signal stops it. It also interrupts a plugin that does not come back from open(). */
	int signal_fd;
	/* Who the server becomes before the plugin's start(), with a clerk, the connection to who keeps its
	 * files (clerk.h); NULL: it stays who it is, and clerk is -1. */
	const struct run_as *user;
	int clerk;
	const char *log; /* where messages go when it is ready: a file, "syslog"; NULL: stay */
	/* A device whose server is gone, or goes after prepared(), to be served on; cfg is its manifest. NULL: a
	 * new one. */
	const struct device_state *former;
	/* Called once, when all is ready that can be while a former server serves, and before anything is made
	 * of a new device: non-zero ends it. With arg. Or NULL. */
	int (*prepared)(int signal_fd, void *arg);
	/* Told the id of a new device as soon as the driver has it, for who has to remove it if this process
	 * is killed before there is a state file; with arg. Or NULL. */
	void (*added)(uint32_t id, void *arg);
	/* While it is served, called every alive_ms at most, unless the control thread hangs; with arg. Or NULL. */
	void (*alive)(void *arg);
	unsigned int alive_ms;
	void *arg;
};

/* Find and load the plugin that cfg names (path NULL), or that of a path, and parse the options meant
 * for it. Creates nothing.
 * -EINVAL: what the user wrote is wrong (exit status 2); another -errno: the plugin is (1). */
int device_resolve(const struct device_config *cfg, const struct plugin_dirs *dirs,
		   const char *path, struct plugin **plugin, struct option_values *values);

/* Whether the plugin can go on with a device that another server had, which cfg (its manifest) tells.
 * 0, or -EOPNOTSUPP, logged. Nothing of the plugin's is called. */
int device_check_successor(const struct device_config *cfg, const struct plugin *plugin);

/* From ADD_DEV, or from a device that has lost its server, to a node that is served. On failure
 * everything has been undone, but a device that was there is; -EINVAL: what the user asked for does
 * not fit the plugin (exit status 2); -ETIMEDOUT: see device_end(). */
int device_bring_up(const struct device_request *request, struct device **out);

const char *device_node(const struct device *device); /* "/dev/ublkbN" */
const char *device_name(const struct device *device);
uint64_t device_served_since(const struct device *device); /* of now_ms() */

/* Serve until a signal arrives on the signalfd, the plugin gives up, or somebody else
 * stops the device. 0: a signal or somebody else; -errno: a failure. */
int device_serve(struct device *device);

/* Stop, drain, delete, free; a device that was handed over is only left. 0, or -errno when something would
 * not end in time: then the process should leave by _exit(), as threads may still run in the plugin. */
int device_end(struct device *device);

#endif
