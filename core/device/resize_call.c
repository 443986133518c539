// SPDX-License-Identifier: MIT
/*
 * The plugin's resize(), on a thread of its own: the control thread goes on with its ticks, and does not hang
 * with a plugin that does not come back. Such a call is remembered.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "device/internal.h"

/* Its thread's, until done_fd is readable. */
struct resize_call {
	const struct ublk_plugin *desc;
	void *priv;
	uint64_t size;
	uint32_t flags;
	int res, done_fd;
	pthread_t thread;
	char said[RESIZE_WHY_SIZE]; /* the plugin's own words */
};

static void *call_thread(void *arg)
{
	struct resize_call *call = arg;
	uint64_t one = 1;

	log_echo(call->said, sizeof(call->said));
	call->res = call->desc->resize(call->priv, call->size, call->flags);
	log_echo(NULL, 0);
	if (write(call->done_fd, &one, sizeof(one)) < 0)
		log_err("telling the end of resize: %m");
	return NULL;
}

static void call_free(struct resize_call *call)
{
	if (call->done_fd >= 0)
		close(call->done_fd);
	free(call);
}

/* False: it is still in the plugin after ms. */
static bool call_wait(struct device *d, const struct resize_call *call, uint64_t ms)
{
	struct pollfd pfd = { .fd = call->done_fd, .events = POLLIN };
	uint64_t until = now_ms() + ms, now;

	for (;;) {
		now = now_ms();
		if (poll(&pfd, 1, (int)min_of(until > now ? until - now : 0, device_tick_ms(d))) >
		    0)
			return true;
		if (now >= until)
			return false;
		device_tick(d);
	}
}

bool resize_is_stuck(struct device *d)
{
	if (!d->resize_call || !call_wait(d, d->resize_call, 0))
		return d->resize_call;
	pthread_join(d->resize_call->thread, NULL);
	call_free(d->resize_call);
	d->resize_call = NULL;
	return false;
}

/* NULL, with errno. */
static struct resize_call *call_begin(const struct device *d, uint64_t size, uint32_t flags)
{
	struct resize_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct resize_call){ .desc = &d->plugin->desc,
				      .priv = d->dev.priv,
				      .size = size,
				      .flags = flags,
				      .done_fd = eventfd(0, EFD_CLOEXEC) };
	if (call->done_fd >= 0) {
		errno = pthread_create(&call->thread, NULL, call_thread, call);
		if (!errno)
			return call;
	}
	call_free(call);
	return NULL;
}

static int call_result(const struct resize_call *call, char why[RESIZE_WHY_SIZE])
{
	int res = call->res;

	snprintf(why, RESIZE_WHY_SIZE, "%s", call->said);
	if (res > 0 || res < -4095) {
		snprintf(why, RESIZE_WHY_SIZE,
			 "plugin %s: resize() returned %d, which is neither 0 nor an errno",
			 call->desc->name, res);
		return -EIO;
	}
	if (res && !*why)
		snprintf(why, RESIZE_WHY_SIZE, "plugin %s cannot change the size: %s",
			 call->desc->name, strerror(-res));
	return res;
}

int resize_ask_plugin(struct device *d, uint64_t size, uint32_t flags, char why[RESIZE_WHY_SIZE])
{
	struct resize_call *call = call_begin(d, size, flags);
	int res;

	if (!call) {
		res = errno ? -errno : -ENOMEM;
		snprintf(why, RESIZE_WHY_SIZE, "no thread for the plugin's resize(): %s",
			 strerror(-res));
		return res;
	}
	if (!call_wait(d, call, d->cfg->plugin_timeout * (uint64_t)1000)) {
		d->resize_call = call;
		snprintf(why, RESIZE_WHY_SIZE,
			 "plugin %s has not returned from resize() within %u s (--plugin-timeout)",
			 d->plugin->desc.name, d->cfg->plugin_timeout);
		return -ETIMEDOUT;
	}
	pthread_join(call->thread, NULL);
	res = call_result(call, why);
	call_free(call);
	return res;
}
