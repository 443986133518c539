// SPDX-License-Identifier: MIT
/* What can be known of a device from outside its server. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "kernel/sysfs.h"

struct ctrl *devices_ctrl(void)
{
	struct ctrl *ctrl = NULL;

	if (access(UBLK_CONTROL_PATH, R_OK | W_OK) < 0 || ctrl_open(&ctrl) < 0)
		return NULL;
	return ctrl;
}

bool device_in_kernel(uint32_t id)
{
	return sysfs_device_entry("", id);
}

static void ask_driver(struct device_view *view, struct ctrl *ctrl)
{
	if (ctrl_get_dev_info(ctrl, view->id, &view->info) < 0)
		return;
	view->has_info = true;
	view->queues = view->info.nr_hw_queues;
	view->depth = view->info.queue_depth;
	view->params.len = sizeof(view->params);
	view->has_params = ctrl_get_params(ctrl, view->id, &view->params) == 0;
}

int64_t device_size_now(const struct device_view *view)
{
	struct sysfs_disk disk;

	return sysfs_disk("", view->id, &disk) ? view->size : (int64_t)disk.size_bytes;
}

/* Everybody may read this, where there is a disk. */
static void ask_sysfs(struct device_view *view)
{
	struct sysfs_disk disk;
	char path[64];
	uint64_t tags;

	view->has_disk = sysfs_disk("", view->id, &disk) == 0;
	if (!view->has_disk)
		return;
	view->size = (int64_t)disk.size_bytes;
	if (view->has_info)
		return;
	for (; view->queues < MAX_QUEUES; view->queues++) {
		snprintf(path, sizeof(path), "/sys/block/ublkb%" PRIu32 "/mq/%" PRIu32 "/nr_tags",
			 view->id, view->queues);
		if (sysfs_read_number("", path, &tags) < 0)
			break;
		view->depth = (uint32_t)tags;
	}
}

static void find_server(struct device_view *view)
{
	char path[40];
	uint64_t start;

	if (view->ours)
		view->server_alive = state_server_alive(&view->state);
	if (view->server_alive)
		view->pid = view->state.pid;
	else if (view->has_info && view->info.ublksrv_pid > 0)
		view->pid = view->info.ublksrv_pid;
	if (!view->pid)
		return;
	if (!view->ours)
		view->server_alive = state_pid_start(view->pid, &start) != -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/comm", view->pid);
	sysfs_read_line("", path, view->command, sizeof(view->command));
}

static enum device_condition judge(const struct device_view *view, bool in_kernel)
{
	if (!in_kernel)
		return DEVICE_GONE;
	if (!view->has_info && !view->ours)
		return DEVICE_UNKNOWN;
	if (!view->has_info)
		return view->server_alive ? DEVICE_LIVE : DEVICE_STOPPED;
	switch (view->info.state) {
	case UBLK_S_DEV_LIVE:
		return DEVICE_LIVE;
	case UBLK_S_DEV_QUIESCED:
		return DEVICE_QUIESCED;
	case UBLK_S_DEV_FAIL_IO:
		return DEVICE_FAIL_IO;
	default:
		return DEVICE_STOPPED;
	}
}

int device_view_read_any(struct device_view *view, uint32_t id, bool read_state, struct ctrl *ctrl)
{
	bool in_kernel = device_in_kernel(id);
	int err = -ENOENT;

	*view = (struct device_view){ .id = id, .size = -1 };
	if (read_state)
		err = state_read(id, &view->state);
	if (err == -ENOMEM)
		return err;
	view->ours = err == 0;
	view->unusable_state = err && err != -ENOENT;
	view->id_taken = view->ours && in_kernel && state_is_of_former(&view->state);
	in_kernel &= !view->id_taken;
	if (!view->ours && !in_kernel)
		return -ENOENT;
	if (in_kernel && ctrl)
		ask_driver(view, ctrl);
	if (in_kernel)
		ask_sysfs(view);
	find_server(view);
	view->condition = judge(view, in_kernel);
	return 0;
}

int device_view_read(struct device_view *view, uint32_t id, const char *name, struct ctrl *ctrl)
{
	int err = device_view_read_any(view, id, true, ctrl);

	if (err || !name || !strcmp(view->ours ? view->state.name : "", name))
		return err;
	device_view_free(view);
	return -ENOENT;
}

void device_view_failed(const char *verb, uint32_t id, const char *name, int err)
{
	const char *why = err == -ENOENT ? "it has just gone" : strerror(-err);

	if (name && *name)
		log_err("cannot %s %s: %s", verb, name, why);
	else
		log_err("cannot %s device %" PRIu32 ": %s", verb, id, why);
}

int device_check_known(const struct device_view *view)
{
	char node[NODE_PATH_SIZE];

	if (view->condition != DEVICE_UNKNOWN)
		return 0;
	log_err("%s: only root can ask whose it is; try with sudo", node_block(view->id, node));
	return -EPERM;
}

void device_view_free(struct device_view *view)
{
	if (view->ours)
		state_free(&view->state);
	view->ours = false;
}

bool device_can_recover(const struct device_view *view, char *why, size_t size)
{
	const char *name = view->ours ? view->state.name : "";

	if (!view->ours)
		snprintf(why, size,
			 "it has no state file: it is not a device of ublk-host, or its "
			 "folder %s was emptied",
			 state_dir());
	else if (view->server_alive)
		snprintf(why, size, "process %d serves it", view->pid);
	else if (view->state.failed)
		snprintf(why, size, "it was given up: %s; ublk-host down %s removes it",
			 view->state.failed, name);
	else if (view->condition == DEVICE_GONE)
		snprintf(why, size,
			 "it is gone from the kernel, as after a boot; ublk-host down %s removes "
			 "what is left of it",
			 name);
	else if (view->has_info && !(view->info.flags & UBLK_F_USER_RECOVERY))
		snprintf(why, size,
			 "it was made with --recovery none; ublk-host down %s removes it", name);
	else
		return true;
	return false;
}

int device_take_in_hand(const struct device_view *view, const char *done)
{
	struct device_state now;
	int err = state_take_in_hand(view->id);

	if (err == -ETIMEDOUT) {
		log_err("device %" PRIu32
			" cannot be %s: another process keeps the lock %s/.lock; try again "
			"when that has ended",
			view->id, done, state_dir());
		return err;
	}
	if (err != -EBUSY)
		return 0;
	if (state_read(view->id, &now))
		return 0;
	log_err("device %" PRIu32
		" cannot be %s: process %d is changing its server; try again when "
		"that has ended",
		view->id, done, now.in_hand);
	state_free(&now);
	return err;
}

bool device_can_hand_over(const struct device_view *view, char *why, size_t size)
{
	if (!view->ours)
		snprintf(why, size, "it has no state file: it is not a device of ublk-host");
	else if (!view->server_alive && device_can_recover(view, why, size))
		snprintf(why, size, "it has no server: ublk-host recover %s gives it one",
			 view->state.name);
	else if (!view->server_alive)
		return false; /* why is told */
	else if (!view->has_info)
		snprintf(why, size, "the driver cannot be asked; try with sudo");
	else if (!(view->info.flags & UBLK_F_USER_RECOVERY))
		snprintf(why, size,
			 "it was made with --recovery none, and would end with its server");
	else if (view->info.flags & UBLK_F_USER_RECOVERY_FAIL_IO)
		snprintf(why, size,
			 "it was made with --recovery fail, so that its users would see errors");
	else if (!(view->info.flags & UBLK_F_QUIESCE))
		snprintf(why, size,
			 "this driver cannot be quiesced (QUIESCE, Linux 6.16), and could not tell "
			 "a server that leaves from one that is busy");
	else
		return true;
	return false;
}

char *device_remedy(const struct device_view *view)
{
	char why[256], *remedy;

	if (!view->ours || view->server_alive)
		return NULL;
	if (asprintf(&remedy, "ublk-host %s %s",
		     device_can_recover(view, why, sizeof(why)) ? "recover" : "down",
		     view->state.name) < 0)
		return NULL;
	return remedy;
}

const char *device_condition_word(const struct device_view *view)
{
	static const char *const words[] = {
		[DEVICE_LIVE] = "live",		[DEVICE_STOPPED] = "dead",
		[DEVICE_QUIESCED] = "quiesced", [DEVICE_FAIL_IO] = "fail-io",
		[DEVICE_GONE] = "gone",		[DEVICE_UNKNOWN] = "unknown",
	};

	if (view->condition == DEVICE_STOPPED && view->server_alive)
		return "stopping";
	if (view->ours && view->state.failed && !view->server_alive &&
	    view->condition != DEVICE_GONE)
		return "failed";
	return words[view->condition];
}

char *device_plugin_name(const struct device_view *view)
{
	const char *base;
	size_t len;

	if (!view->ours || !view->state.plugin_path)
		return NULL;
	base = strrchr(view->state.plugin_path, '/');
	base = base ? base + 1 : view->state.plugin_path;
	len = strlen(base);
	if (len > 3 && strcmp(base + len - 3, ".so") == 0)
		len -= 3;
	return strndup(base, len);
}
