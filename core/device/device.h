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

/* Find and load the plugin that cfg names and parse the options meant for it. Creates nothing.
 * -EINVAL: what the user wrote is wrong (exit status 2); another -errno: the plugin is (1). */
int device_resolve(const struct device_config *cfg, const struct plugin_dirs *dirs,
		   struct plugin **plugin, struct option_values *values);

/* From ADD_DEV to a node that can be opened. Takes cfg, plugin and values over (they stay the
 * caller's memory, unchanged until device_end(), but for cfg's members that are resolved: name, id,
 * queues, depth ...). signal_fd: a signalfd; it also interrupts a plugin that does not come
 * back from open(), or -1. On failure everything has been undone; -EINVAL: what the
 * user asked for does not fit the plugin (exit status 2); -ETIMEDOUT: see device_end(). */
int device_bring_up(struct device_config *cfg, struct plugin *plugin, struct option_values *values,
		    int signal_fd, struct device **out);

const char *device_node(const struct device *device); /* "/dev/ublkbN" */
const char *device_name(const struct device *device);

/* Serve until a signal arrives on the signalfd, the plugin gives up, or somebody else
 * stops the device. 0: a signal or somebody else; -errno: a failure. */
int device_serve(struct device *device);

/* Stop, drain, delete, free. 0, or -errno when something would not end in time: then the process
 * should leave by _exit(), as threads may still run in the plugin. */
int device_end(struct device *device);

#endif
