// SPDX-License-Identifier: MIT
/*
 * A deadline for calls into the plugin: one that never returns must not keep a device half made or
 * half gone, nor a process that cannot be interrupted.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "device/internal.h"

#define DELETE_DEADLINE_MS 2000

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
static int time_left(const struct device *d, uint64_t most)
{
	uint64_t now = now_ms();

	return d->plugin_until > now ? (int)min_of(d->plugin_until - now, most) : 0;
}

static void *guard_thread(void *arg)
{
	struct guard *g = arg;
	const struct device *d = g->d;
	struct pollfd fds[] = { { g->done_fd, POLLIN, 0 }, { d->signal_fd, POLLIN, 0 } };
	/* Of a device that is there already, signals are for device_serve(). */
	int n = poll(fds, d->live ? 1 : 2, time_left(d, INT32_MAX));
	bool interrupted = n > 0 && !fds[0].revents;

	if (n < 0) { /* no deadline then, but no false alarm either */
		log_warn("no deadline for %s of plugin %s: %m", g->what, d->plugin->desc.name);
		return NULL;
	}

	/* A plugin that is only slow gets the chance to end the device in good order. */
	if (interrupted && d->added)
		n = poll(fds, 1, time_left(d, GUARD_GRACE_MS));
	if (n > 0 && fds[0].revents)
		return NULL;
	if (interrupted)
		log_err("interrupted while plugin %s was in %s", d->plugin->desc.name, g->what);
	else
		log_err("plugin %s has not returned from %s within %u s (--plugin-timeout); "
			"leaving without it",
			d->plugin->desc.name, g->what, d->cfg->plugin_timeout);
	leave(g->d);
}

void guard_new_time(struct device *d)
{
	d->plugin_until = now_ms() + d->cfg->plugin_timeout * (uint64_t)1000;
}

void guard_begin(struct guard *g, struct device *d, const char *what, ...)
{
	va_list ap;

	*g = (struct guard){ .d = d };
	va_start(ap, what);
	vsnprintf(g->what, sizeof(g->what), what, ap);
	va_end(ap);
	g->done_fd = eventfd(0, EFD_CLOEXEC);
	if (g->done_fd >= 0) {
		errno = pthread_create(&g->thread, NULL, guard_thread, g);
		if (!errno)
			return;
	}
	log_warn("no deadline for %s of plugin %s: %m", g->what, d->plugin->desc.name);
	if (g->done_fd >= 0)
		close(g->done_fd);
	g->done_fd = -1;
}

void guard_end(struct guard *g)
{
	uint64_t one = 1;

	if (g->done_fd < 0)
		return;
	if (write(g->done_fd, &one, sizeof(one)) != sizeof(one))
		pthread_cancel(g->thread); /* it waits in poll() */
	pthread_join(g->thread, NULL);
	close(g->done_fd);
}
