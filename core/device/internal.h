/* SPDX-License-Identifier: MIT */
/* What the files that make, serve and end a device share. */
#ifndef DEVICE_INTERNAL_H
#define DEVICE_INTERNAL_H

#include <jansson.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/log.h"
#include "device/device.h"
#include "device/state.h"
#include "kernel/ctrl.h"
#include "kernel/sysfs.h"
#include "queue/queue.h"

/* Which file it is, by whatever name. */
struct file_id {
	dev_t dev;
	ino_t ino;
};

struct device {
	struct ublk_dev dev; /* the data plane's part: first, so that plugins' pointers are ours */
	struct transport transport;
	struct ctrl *ctrl;
	struct ctrl *spare_ctrl;	      /* guard.c's, made while one can be opened; or NULL */
	const struct device_request *request; /* while it comes up */
	struct device_config *cfg;
	struct plugin *plugin;
	struct option_values *values;
	const struct device_state
		*former; /* the device is another server's, who is gone or will go; or NULL */
	const char *log_target; /* for the state: where a background server's messages go */
	uint64_t recovery_began, old_gone, served_since; /* of now_ms() */
	uint64_t recovery_flags;			 /* that the device is made with */
	int clerk;					 /* clerk.h, or -1 */
	json_t *kept;			   /* memory that outlives us, as in the state */
	const char *path_name, *path_why;  /* the data path's, and why it is this one */
	struct path_kernel kernel;	   /* what it offers */
	struct ublksrv_ctrl_dev_info info; /* as granted */
	char node[NODE_PATH_SIZE], char_node[NODE_PATH_SIZE];
	int char_fd;
	uint64_t entry;		 /* of sysfs_device_entry(): ids are reused */
	int signal_fd;		 /* the caller's signalfd, or -1 */
	uint64_t plugin_until;	 /* of now_ms(): when the plugin must have started, or stopped */
	struct starter *starter; /* or NULL */
	struct guard *guard;	 /* guard.c's; or NULL */
	struct ublk_queue **queues;
	unsigned int nr_started;
	struct resize_call *resize_call;	      /* that has not come back, or NULL */
	struct file_id shared_ids[MAX_SHARED_MEMORY]; /* of dev.shared */
	unsigned int nr_registered;		      /* of these, with the driver */
	atomic_int fail_err;			      /* first dev_fail() */
	int fail_fd;				      /* eventfd: told by dev_fail() */

	/* how far bring-up got, for the way back */
	bool told, loaded, opened, added, started_plugin, prepared, live, written;
	bool shared_stats; /* dev.stats is in a file */
	bool clerk_asked;  /* the device's files are his to keep */
	bool handed_over;  /* the device goes on without us: neither stopped nor deleted */
	bool quiesced;	   /* handed_over: the driver hands out no more requests */
};

/* guard.c: around calls into the plugin that the control thread makes or waits for. When they have
 * not come back at plugin_until, the process says so, cleans up and exits. A signal does the same
 * while the device comes up: at once before it exists, after GUARD_GRACE_MS when it does. */
#define GUARD_GRACE_MS 3000
void guard_begin(struct device *d, const char *what, ...) __printf_like(2, 3);
void guard_end(struct device *d);
/* No more of them for now: the thread, which has the rights of when it was made, ends. */
void guard_drop(struct device *d);
/* The plugin's time begins: what it does from here on takes --plugin-timeout at most. */
void guard_new_time(struct device *d);

/* bring_up.c: says why a control command failed, and returns err. */
int ctrl_failed(uint32_t cmd, uint32_t id, int err);

/* starter.c: 0 or -errno, logged. What is run by it has the rights of when it began; without one, it is the
 * caller who runs it. Once: step NULL ends it. */
int starter_begin(struct device *d);
int starter_run(struct device *d, int (*step)(struct device *d));

/* queues.c: steps of bring-up, 0 or -errno, logged. Those that were started, nr_started, are to be ended.
 * Before the device's file is open, or not at all: threads, memory and rings. */
int queues_prepare(struct device *d);
int queues_start(struct device *d);

/* announce.c: steps of bring-up, 0 or -errno, logged: into the configuration, for the state and info; and the
 * state. */
int resolve_config(struct device *d);
int announce(struct device *d);

/* backend.c: 0 or -errno, logged. */
int backend_open(struct device *d);
/* While a former server may serve: d->opened tells whether the plugin can do that. */
int backend_open_beside(struct device *d);
int backend_start(struct device *d);
void backend_close(struct device *d);

/* recovery.c. Steps of bring-up, 0 or -errno, logged: what becomes of the device when its server is
 * gone, before open(); and, for a device that lives, what takes the place of ADD_DEV. */
int recovery_settle(struct device *d);
int recovery_begin(struct device *d); /* waits for the driver to be rid of the old server */
int recovery_adopt(struct device *d);
/* Adopted while the former server served, which is gone now: it still is that device. */
int recovery_confirm(struct device *d);
/* Asked to leave the device to another server. 0: it is to be left, by device_end(); -errno, logged: it
 * stays with us. */
int recovery_hand_over(struct device *d);
/* The data plane's keep_memory(). */
int recovery_memory(struct ublk_dev *dev, const char *name, uint64_t size);

/* shared_memory.c, in this order: 0, or -errno, logged. Undoing what was not done does nothing. */
int shared_open(struct device *d);
int shared_register(struct device *d);	  /* after ADD_DEV, before START_DEV */
void shared_unregister(struct device *d); /* after the last queue, before DEL_DEV */
void shared_close(struct device *d);	  /* after the plugin */

/* headroom.c: refuse, before the device exists, what the limits of this machine do not allow. 0 or
 * -errno, logged. */
int headroom_check(struct device *d);

/* pressure.c, --swap-safe, in this order: before anything, before the queues, after them. 0 or -errno,
 * logged. */
int pressure_begin(struct device *d);
int pressure_fill(struct device *d);
int pressure_settle(struct device *d);

/* confine.c: what is not needed any more is given up, in two steps, before and after other threads
 * begin. 0 or -errno, logged. --sandbox off: nothing is. */
int confine_begin(struct device *d); /* before the plugin's start(): this thread and its children */
int confine_calls(struct device *d); /* the device is there: every thread */

/* udev.c. A user's device: wait until udev has given this user the node. 0, or -ETIMEDOUT, logged. */
int udev_wait_given(const struct device *d, const char *node);
/* The state tells the name of the device at node now, for udev's links. */
void udev_tell_name(const char *node);

/* resize.c: 0, or -errno with why, for people. Then the device is as it was, unless the plugin is stuck. */
#define RESIZE_WHY_SIZE STATS_TEXT_SIZE
int device_resize(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE]);

/* resize_call.c: 0 or -errno, with why; flags: UBLK_RESIZE_*. -ETIMEDOUT: the call goes on. */
int resize_ask_plugin(struct device *d, uint64_t size, uint32_t flags, char why[RESIZE_WHY_SIZE]);
/* Is a call still in the plugin? Then that must not be stopped, nor asked again. */
bool resize_is_stuck(struct device *d);

/* requests.c: a verb may have asked for something. */
void request_answer(struct device *d);

/* serve.c: for who keeps the control thread, once in device_tick_ms(). */
unsigned int device_tick_ms(const struct device *d);
void device_tick(struct device *d);
/* Remove what tells others of the device. */
void device_forget(const struct device *d);

#endif
