// SPDX-License-Identifier: MIT
/* Stopping a device from outside. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/stop.h"
#include "kernel/sysfs.h"

#define TICK_MS 50
#define STANDBY_TICK_MS 5
#define STANDBY_MS 2000	      /* for a server that stands by to let go of what it has open */
#define PROGRESS_MS 2000      /* after this long, say what we wait for */
#define KILL_MS 5000	      /* a killed process is gone by then, or stuck in the kernel */
#define STOP_MIN_MS 5000u     /* STOP_DEV gets this much, however late it is */
#define DELETE_MS 2000u	      /* DEL_DEV takes effect at once, then waits for the last user */
#define PASSING_USER_TRIES 20 /* udev looks into a new disk for a moment */
#define TRY_TRIES 3	      /* of the driver, which sees users that we do not */
#define TRY_MS 1000	      /* it refuses at once, or waits for requests */

static void pause_ms(unsigned int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

const char *stop_outcome_word(enum stop_outcome outcome)
{
	static const char *const words[] = {
		[STOP_PENDING] = "pending", [STOP_DONE] = "stopped",  [STOP_REMOVED] = "removed",
		[STOP_KILLED] = "killed",   [STOP_TIDIED] = "tidied", [STOP_FAILED] = "failed",
	};

	return words[outcome];
}

/* The device that we began with is no longer there; another may have its id by now. */
static bool is_gone(const struct stop *stop)
{
	const uint64_t entry = sysfs_device_entry("", stop->id);

	return stop->gone || !entry ||
	       (entry != SYSFS_ENTRY_UNKNOWN && stop->entry != SYSFS_ENTRY_UNKNOWN &&
		entry != stop->entry);
}

/* What the kernel itself holds, it does not always tell of: filesystems of several disks, their journals, targets
 * that export it. Only of a disk that is served, as to open it may read from it. */
static bool is_held(const struct stop *stop)
{
	char node[NODE_PATH_SIZE];
	int fd =
		stop->served ? open(node_block(stop->id, node), O_RDONLY | O_EXCL | O_CLOEXEC) : -1;

	if (fd >= 0)
		close(fd);
	return stop->served && fd < 0 && errno == EBUSY;
}

/* False, logged: somebody uses the disk. A process that has it open may be udev's, which soon
 * leaves; a mount does not. */
static bool is_free(const struct stop *stop)
{
	struct disk_users users = { 0 };
	char text[512];
	bool passing = true, held = false;
	int tries, err = 0;
	size_t i, nr = 0;

	if (stop->force)
		return true;
	for (tries = 0; passing; tries++) {
		if (tries)
			pause_ms(TICK_MS);
		disk_users_free(&users);
		err = disk_users_find("", stop->id, &users);
		nr = err ? 0 : users.nr;
		for (i = 0, passing = nr > 0; i < nr; i++)
			passing &= users.user[i].kind == DISK_OPEN;
		held = !nr && !err && is_held(stop);
		passing &= tries < PASSING_USER_TRIES - 1;
		passing |= (nr || held) && now_ms() < stop->free_until;
	}
	if (err && err != -ENODEV)
		log_err("cannot tell whether %s is in use: %s; ublk-host down --force stops it anyway",
			stop->label, strerror(-err));
	if (nr || held)
		log_err("%s is in use: %s; end that first, or ublk-host down --force stops it under "
			"its users",
			stop->label,
			held ? "the kernel holds it (a filesystem of several disks, its journal, "
			       "a target)"
			     : disk_users_text(&users, text, sizeof(text)));
	disk_users_free(&users);
	return !nr && !held && (!err || err == -ENODEV);
}

static int unseen_user(const struct stop *stop)
{
	log_err("%s is in use: the driver says that it is open, but by whom cannot be seen from here; "
		"ublk-host down --force stops it under its users",
		stop->label);
	return -EBUSY;
}

/* Who is about to lose it: then the driver cannot delete it at once. */
static bool has_users(const struct stop *stop, const struct device_view *view)
{
	struct disk_users users = { 0 };
	char name[NODE_PATH_SIZE];
	size_t nr;

	snprintf(name, sizeof(name), "ublkb%" PRIu32, stop->id);
	if (view->has_disk ? disk_users_find("", stop->id, &users)
			   : disk_users_named("", name, &users))
		return false;
	nr = users.nr;
	disk_users_free(&users);
	return nr > 0;
}

/* A device without a state file of ours: 0, or -EPERM, logged. */
static int check_foreign(const struct stop *stop, const struct device_view *view)
{
	if (device_check_known(view))
		return -EPERM;
	if (stop->force)
		return 0;
	if (view->unusable_state && (view->server_alive || view->condition != DEVICE_STOPPED)) {
		log_err("%s: whose it is cannot be told without its state file; --force stops it "
			"anyway",
			stop->label);
		return -EPERM;
	}
	if (view->server_alive) {
		log_err("%s belongs to another program, process %d (%s): stop it there, or with "
			"--force here",
			stop->label, view->pid, *view->command ? view->command : "?");
		return -EPERM;
	}
	if (view->condition == DEVICE_QUIESCED || view->condition == DEVICE_FAIL_IO) {
		log_err("%s belongs to another program, whose server is dead but may come back "
			"(%s); --force removes it",
			stop->label, device_condition_word(view));
		return -EPERM;
	}
	log_info("%s has no server and no state file: removing it", stop->label);
	return 0;
}

/* The pid may have been given to another process since the state file was read: with the
 * descriptor in hand, what /proc says is said of the process that it stands for. */
static int find_server(struct stop *stop, const struct device_state *state)
{
	int err;

	stop->pid = state->pid;
	stop->pidfd = pidfd_open(state->pid, 0);
	if (stop->pidfd < 0 && errno != ESRCH)
		return -errno;
	err = stop->pidfd < 0 ? -ESRCH : state_find_server(state);
	if (err && stop->pidfd >= 0) {
		close(stop->pidfd);
		stop->pidfd = -1;
	}
	return err == -ESRCH ? 0 : err;
}

static int ask_server(const struct stop *stop)
{
	int err;

	if (stop->pidfd < 0 || pidfd_send_signal(stop->pidfd, SIGTERM, NULL, 0) == 0 ||
	    errno == ESRCH)
		return 0;
	err = -errno;
	log_err("cannot stop %s: signalling its server, process %d: %s%s", stop->label, stop->pid,
		strerror(-err), err == -EPERM ? "; it is another user's, try with sudo" : "");
	return err;
}

static void find_standby(struct stop *stop)
{
	struct device_state state;

	if (state_read(stop->id, &state))
		return;
	stop->standby = state.standby;
	stop->standby_start = state.standby_start;
	state_free(&state);
}

static int begin(struct stop *stop, const struct device_view *view, struct ctrl *ctrl)
{
	int err = 0;

	stop->gone = view->condition == DEVICE_GONE;
	stop->served = view->condition == DEVICE_LIVE && view->server_alive;
	if (stop->gone && !view->server_alive) {
		state_remove(stop->id, stop->name);
		stop->outcome = STOP_TIDIED;
		return 0;
	}
	if (!view->ours)
		err = check_foreign(stop, view);
	if (!err && !stop->gone && !is_free(stop))
		err = -EBUSY;
	stop->in_use = !err && !stop->gone && stop->force && has_users(stop, view);
	if (!err && !stop->gone && view->ours) {
		/* Its end is meant: no supervisor is to recover it. */
		state_take_from_all(stop->id);
		find_standby(stop); /* as from now on there is no new one */
	}
	if (err || !view->ours || !view->server_alive)
		return err;
	err = find_server(stop, &view->state);
	if (err)
		log_err("cannot stop %s: its server, process %d: %s", stop->label, stop->pid,
			strerror(-err));
	else if (!stop->force && view->has_disk)
		stop->trying = !try_stop_begin(&stop->try, ctrl, stop->id);
	return err;
}

void stop_begin(struct stop *stop, uint32_t id, const char *name, bool force, uint64_t free_until,
		struct ctrl *ctrl)
{
	char node[NODE_PATH_SIZE];
	struct device_view view;
	int err;

	*stop = (struct stop){ .id = id,
			       .pidfd = -1,
			       .force = force,
			       .free_until = free_until,
			       .entry = sysfs_device_entry("", id),
			       .try = { .fd = -1 } };
	err = device_view_read(&view, id, name, ctrl);
	if (err) {
		device_view_failed("stop", id, name, err);
		stop->outcome = STOP_FAILED;
		return;
	}
	node_block(id, node);
	if (view.ours)
		stop->name = strdup(view.state.name);
	if (view.ours && asprintf(&stop->label, "%s (%s)", view.state.name, node) < 0)
		stop->label = NULL;
	if (!view.ours)
		stop->label = strdup(node);
	if (!stop->label || (view.ours && !stop->name)) {
		log_err("cannot stop %s: out of memory", node);
		err = -ENOMEM;
	} else {
		err = begin(stop, &view, ctrl);
	}
	if (err)
		stop->outcome = STOP_FAILED;
	device_view_free(&view);
}

/* -EBUSY, logged: somebody has it open. One that we do not see may be passing, as udev is: then the
 * driver is asked again. */
static int try_result(struct stop *stop, struct ctrl *ctrl)
{
	for (int i = 0; i < TRY_TRIES; i++) {
		if (try_stop_result(&stop->try, TRY_MS) != -EBUSY)
			return 0;
		if (!is_free(stop))
			return -EBUSY;
		try_stop_end(&stop->try);
		if (try_stop_begin(&stop->try, ctrl, stop->id))
			return 0; /* it is left to the server */
	}
	return unseen_user(stop);
}

void stop_ask(struct stop *stop, struct ctrl *ctrl)
{
	int err = 0;

	if (stop->outcome != STOP_PENDING || stop->asked)
		return;
	stop->asked = true;
	if (stop->trying)
		err = try_result(stop, ctrl);
	if (!err)
		err = ask_server(stop);
	if (err)
		stop->outcome = STOP_FAILED;
}

/* True: the server has ended. */
static bool wait_server(struct stop *stop, uint64_t began, uint64_t deadline)
{
	struct pollfd pfd = { .fd = stop->pidfd, .events = POLLIN };
	uint64_t now;

	for (;;) {
		if (poll(&pfd, 1, TICK_MS) > 0)
			return true;
		now = now_ms();
		if (now >= deadline)
			return false;
		if (!stop->told && now >= began + PROGRESS_MS) {
			log_info("waiting for process %d to stop %s", stop->pid, stop->label);
			stop->told = true;
		}
	}
}

static int kill_server(const struct stop *stop)
{
	struct pollfd pfd = { .fd = stop->pidfd, .events = POLLIN };

	log_warn("%s has not stopped in time: killing its server, process %d", stop->label,
		 stop->pid);
	if (pidfd_send_signal(stop->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) {
		log_err("cannot kill process %d: %s", stop->pid, strerror(errno));
		return -errno;
	}
	if (poll(&pfd, 1, KILL_MS) > 0)
		return 0;
	log_err("process %d does not end although it was killed: it is stuck in the kernel, see "
		"/proc/%d/stack",
		stop->pid, stop->pid);
	return -ETIMEDOUT;
}

static int failed(const struct stop *stop, uint32_t op, int err)
{
	char why[512];

	log_err("%s", ctrl_explain(op, stop->id, err, why, sizeof(why)));
	return err;
}

/* Once its nodes are gone the device is, though DEL_DEV still waits for a forgotten mount. */
static int delete_device(const struct stop *stop, struct ctrl *ctrl)
{
	int err;

	if (is_gone(stop))
		return 0;
	ctrl_set_deadline(ctrl, DELETE_MS);
	/* It would wait for its users; but an unprivileged device knows no other way. */
	err = stop->in_use ? ctrl_plain(ctrl, UBLK_U_CMD_DEL_DEV_ASYNC, stop->id, 0) : -EINVAL;
	if (err && err != -ENODEV) {
		err = ctrl_del_dev(ctrl, stop->id);
		if (!err)
			return 0;
	}
	if (err == -ENODEV)
		return 0;
	if (err && !is_gone(stop))
		return failed(stop, UBLK_U_CMD_DEL_DEV, err);
	log_info("%s is removed; its id stays taken until its last user lets go of it",
		 stop->label);
	return 0;
}

/* Without a server; one that waits for the next may still have users. */
static int stop_device(const struct stop *stop, struct ctrl *ctrl)
{
	uint32_t op = UBLK_U_CMD_TRY_STOP_DEV;
	uint64_t features = 0;
	int err;

	if (stop->force || stop->outcome == STOP_KILLED || ctrl_get_features(ctrl, &features) ||
	    !(features & UBLK_F_SAFE_STOP_DEV))
		op = UBLK_U_CMD_STOP_DEV;
	for (int i = 0; i < TRY_TRIES; i++) {
		if (is_gone(stop))
			return 0;
		err = ctrl_plain(ctrl, op, stop->id, 0);
		if (!err || err == -ENODEV) /* there is no disk, or no device either */
			return 0;
		if (err != -EBUSY || op == UBLK_U_CMD_STOP_DEV)
			return failed(stop, op, err);
		if (!is_free(stop))
			return err;
	}
	return unseen_user(stop);
}

static int remove_device(const struct stop *stop, uint64_t deadline, struct ctrl **ctrl)
{
	uint64_t now = now_ms();
	int err = 0;

	if (!*ctrl)
		err = ctrl_open(ctrl);
	if (err)
		return err;
	ctrl_set_deadline(
		*ctrl, max_of(deadline > now ? (unsigned int)(deadline - now) : 0u, STOP_MIN_MS));
	err = stop_device(stop, *ctrl);
	return err ? err : delete_device(stop, *ctrl);
}

/* Until the server has ended, one way or another. -errno: it has not, logged. */
static int end_server(struct stop *stop, uint64_t deadline)
{
	if (wait_server(stop, now_ms(), deadline)) {
		stop->outcome = STOP_DONE;
		return 0;
	}
	if (!stop->force) {
		log_err("%s has not stopped in time, and process %d still serves it: see its log, "
			"wait, or use --force",
			stop->label, stop->pid);
		return -ETIMEDOUT;
	}
	stop->outcome = STOP_KILLED;
	return kill_server(stop);
}

/* Its supervisor sees the device end, too, and has it end: what its plugin has open shall be free when we
 * say that the device is stopped. */
static void wait_standby(const struct stop *stop)
{
	const struct device_state state = { .standby = stop->standby,
					    .standby_start = stop->standby_start };
	uint64_t until = now_ms() + STANDBY_MS;

	while (state_standby(&state)) {
		if (now_ms() >= until) {
			log_warn("process %d still stands by to serve %s", stop->standby,
				 stop->label);
			return;
		}
		pause_ms(STANDBY_TICK_MS);
	}
}

void stop_finish(struct stop *stop, uint64_t deadline, struct ctrl **ctrl)
{
	int err = 0;

	stop_ask(stop, *ctrl);
	if (stop->outcome != STOP_PENDING)
		return;
	if (stop->pidfd >= 0)
		err = end_server(stop, deadline);
	if (!err && !is_gone(stop)) {
		if (stop->outcome != STOP_KILLED)
			stop->outcome = STOP_REMOVED;
		err = remove_device(stop, deadline, ctrl);
	} else if (!err && stop->outcome == STOP_PENDING) {
		stop->outcome = STOP_DONE;
	}
	if (!err && stop->name)
		state_remove(stop->id, stop->name);
	if (!err)
		wait_standby(stop);
	if (err)
		stop->outcome = STOP_FAILED;
}

void stop_free(struct stop *stop)
{
	try_stop_end(&stop->try);
	if (stop->pidfd >= 0)
		close(stop->pidfd);
	free(stop->name);
	free(stop->label);
}

enum stop_outcome stop_one(uint32_t id, const char *name, bool force, unsigned int ms)
{
	struct ctrl *ctrl = devices_ctrl();
	enum stop_outcome outcome;
	struct stop stop;

	stop_begin(&stop, id, name, force, 0, ctrl);
	stop_ask(&stop, ctrl);
	stop_finish(&stop, now_ms() + ms, &ctrl);
	outcome = stop.outcome;
	stop_free(&stop);
	ctrl_close(ctrl);
	return outcome;
}
