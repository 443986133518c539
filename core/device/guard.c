// SPDX-License-Identifier: MIT
/*
 * A deadline for calls into the plugin on the control thread: one that never returns must not keep
 * a device half made or half gone, nor a process that cannot be interrupted.
 */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "device/internal.h"
#include "device/state.h"

#define DELETE_DEADLINE_MS 5000

/* The control thread is stuck in the plugin: what it would have cleaned up is done from here, with
 * a control ring of our own. */
static void __attribute__((noreturn)) leave(struct device *d)
{
	struct ctrl *ctrl;

	if (d->char_fd >= 0)
		close(d->char_fd);
	if (d->added && !ctrl_open(&ctrl)) {
		ctrl_set_deadline(ctrl, DELETE_DEADLINE_MS);
		if (ctrl_del_dev(ctrl, d->info.dev_id))
			log_err("%s could not be deleted; ublk-host down %u removes it", d->node,
				d->info.dev_id);
	}
	if (d->written)
		state_remove(d->info.dev_id, d->cfg->name);
	_exit(EXIT_FAILURE);
}

static void *guard_thread(void *arg)
{
	struct guard *g = arg;
	struct pollfd fds[] = { { g->done_fd, POLLIN, 0 }, { g->d->signal_fd, POLLIN, 0 } };
	/* Once the device exists, a signal is for device_serve() to see. */
	int n = poll(fds, g->d->added ? 1 : 2, g->seconds * 1000);

	if (n > 0 && fds[0].revents)
		return NULL;
	if (n > 0)
		log_err("interrupted while plugin %s was in %s", g->d->plugin->desc.name, g->what);
	else
		log_err("plugin %s has not returned from %s for %u s; giving up",
			g->d->plugin->desc.name, g->what, g->seconds);
	leave(g->d);
}

void guard_begin(struct guard *g, struct device *d, const char *what, unsigned int seconds)
{
	*g = (struct guard){ .d = d, .what = what, .seconds = seconds };
	g->done_fd = eventfd(0, EFD_CLOEXEC);
	if (g->done_fd < 0 || pthread_create(&g->thread, NULL, guard_thread, g)) {
		log_warn("no guard over plugin %s: %m", d->plugin->desc.name);
		if (g->done_fd >= 0)
			close(g->done_fd);
		g->done_fd = -1;
	}
}

void guard_end(struct guard *g)
{
	uint64_t one = 1;

	if (g->done_fd < 0)
		return;
	if (write(g->done_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(g->thread, NULL);
	close(g->done_fd);
}
