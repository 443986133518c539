// SPDX-License-Identifier: MIT
/*
 * A deadline for calls into the plugin: one that never returns must not keep a device half made or
 * half gone, nor a process that cannot be interrupted. One thread watches call after call: to make one for
 * each takes longer than most calls.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "device/internal.h"

#define DELETE_DEADLINE_MS 2000

/* As it was when it began: the device is the control thread's. */
struct call {
	unsigned int nr; /* 0: there is none */
	uint64_t until;
	bool added, live;
};

struct guard {
	struct device *d;
	pthread_t thread;
	int changed_fd;	      /* eventfd: a call has begun or ended, or there will be none */
	pthread_mutex_t lock; /* around the rest */
	struct call call;
	unsigned int calls;
	bool end;
	char what[32]; /* "open", "queue_init of queue 4095" */
};

/* The control thread is stuck, so what it would have cleaned up is done from here, with a control
 * ring of our own. A queue's thread that is stuck keeps /dev/ublkcN open in its ring: the driver
 * waits for that, and the exit is what ends it. */
static void __attribute__((noreturn)) leave(struct device *d)
{
	struct ctrl *ctrl = d->spare_ctrl;
	char why[512];
	int err;

	if (d->char_fd >= 0)
		close(d->char_fd);
	/* One that lived before us waits for the next server. */
	d->handed_over |= d->former && !d->live;
	if (d->added && !d->handed_over && (ctrl || !ctrl_open(&ctrl))) {
		ctrl_set_deadline(ctrl, DELETE_DEADLINE_MS);
		if (d->kernel.unprivileged)
			ctrl_set_dev_path(ctrl, d->info.dev_id, d->char_node);
		err = ctrl_del_dev(ctrl, d->info.dev_id);
		if (err && err != -ETIMEDOUT && err != -ENODEV)
			log_err("%s; ublk-host down %u removes it",
				ctrl_explain(UBLK_U_CMD_DEL_DEV, d->info.dev_id, err, why,
					     sizeof(why)),
				d->info.dev_id);
	}
	device_forget(d);
	_exit(EXIT_FAILURE);
}

/* Milliseconds of the plugin's time that are left, at most `most`. */
static int time_left(const struct call *call, uint64_t most)
{
	uint64_t now = now_ms();

	return call->until > now ? (int)min_of(call->until - now, most) : 0;
}

/* The call did not end in time, or a signal wants it to; or it has just ended. */
static void judge(struct guard *g, unsigned int nr, bool interrupted)
{
	const struct device *d = g->d;

	pthread_mutex_lock(&g->lock); /* from here on the call cannot end any more */
	if (g->call.nr != nr || g->end) {
		pthread_mutex_unlock(&g->lock);
		return;
	}
	if (interrupted)
		log_err("interrupted while plugin %s was in %s", d->plugin->desc.name, g->what);
	else
		log_err("plugin %s has not returned from %s within %u s (--plugin-timeout); "
			"leaving without it",
			d->plugin->desc.name, g->what, d->cfg->plugin_timeout);
	leave(g->d);
}

/* Until something has changed, or the call has to be judged. 0 or -errno. */
static int watch(struct guard *g, const struct call *call)
{
	struct pollfd fds[] = { { g->changed_fd, POLLIN, 0 }, { g->d->signal_fd, POLLIN, 0 } };
	/* Of a device that is there already, signals are for device_serve(). */
	int n = poll(fds, call->nr && !call->live ? 2 : 1,
		     call->nr ? time_left(call, INT32_MAX) : -1);
	bool interrupted = n > 0 && !fds[0].revents;
	uint64_t count;

	/* A plugin that is only slow gets the chance to end the device in good order. */
	if (interrupted && call->added)
		n = poll(fds, 1, time_left(call, GUARD_GRACE_MS));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n > 0 && fds[0].revents)
		return read(g->changed_fd, &count, sizeof(count)) < 0 ? -errno : 0;
	judge(g, call->nr, interrupted);
	return 0;
}

static void *guard_thread(void *arg)
{
	struct guard *g = arg;
	struct call call;
	int err = 0;
	bool end;

	do {
		pthread_mutex_lock(&g->lock);
		call = g->call;
		end = g->end;
		pthread_mutex_unlock(&g->lock);
		if (!end)
			err = watch(g, &call);
	} while (!end && !err);
	if (err) /* no deadlines then, but no false alarm either */
		log_warn("no deadline for plugin %s: %s", g->d->plugin->desc.name, strerror(-err));
	return NULL;
}

void guard_new_time(struct device *d)
{
	d->plugin_until = now_ms() + d->cfg->plugin_timeout * (uint64_t)1000;
}

/* False: its thread does not hear of what has changed. */
static bool tell(struct guard *g)
{
	const uint64_t one = 1;

	return write(g->changed_fd, &one, sizeof(one)) == sizeof(one);
}

static struct guard *guard_make(struct device *d)
{
	struct guard *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return NULL;
	g->d = d;
	g->changed_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&g->lock, NULL);
	err = g->changed_fd < 0 ? errno : pthread_create(&g->thread, NULL, guard_thread, g);
	if (!err)
		return g;
	if (g->changed_fd >= 0)
		close(g->changed_fd);
	pthread_mutex_destroy(&g->lock);
	free(g);
	errno = err;
	return NULL;
}

void guard_begin(struct device *d, const char *what, ...)
{
	char text[sizeof(d->guard->what)];
	struct guard *g;
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (!d->guard)
		d->guard = guard_make(d);
	g = d->guard;
	if (!g) {
		log_warn("no deadline for %s of plugin %s: %m", text, d->plugin->desc.name);
		return;
	}
	pthread_mutex_lock(&g->lock);
	strcpy(g->what, text);
	g->call = (struct call){ ++g->calls, d->plugin_until, d->added, d->live };
	pthread_mutex_unlock(&g->lock);
	if (!tell(g))
		log_warn("no deadline for %s of plugin %s: %m", text, d->plugin->desc.name);
}

void guard_end(struct device *d)
{
	struct guard *g = d->guard;

	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->call.nr = 0;
	pthread_mutex_unlock(&g->lock);
	tell(g); /* else it sees that itself when the time is over */
}

void guard_drop(struct device *d)
{
	struct guard *g = d->guard;

	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->end = true;
	pthread_mutex_unlock(&g->lock);
	if (!tell(g))
		pthread_cancel(g->thread); /* it waits in poll(), without the lock */
	pthread_join(g->thread, NULL);
	close(g->changed_fd);
	pthread_mutex_destroy(&g->lock);
	free(g);
	d->guard = NULL;
}
