// SPDX-License-Identifier: MIT
/* A process that serves a device: what this one does for it, in the foreground or not. */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "cli/cli.h"
#include "cli/notify.h"
#include "cli/serving_internal.h"
#include "device/clerk.h"
#include "device/user.h"

static int signals_to_fd(void)
{
	struct sigaction hangup = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* Of a terminal, or a session, that ends; unless it is ignored, as of nohup and in the background. */
	sigaction(SIGHUP, NULL, &hangup);
	if (hangup.sa_handler != SIG_IGN)
		sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	/* Blocked before any thread starts, so that all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG for the application instead */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const struct device_request *request, const struct watcher *watcher)
{
	struct device *device;
	int err = device_bring_up(request, &device), res;

	if (err == -ETIMEDOUT)
		_exit(EXIT_FAILED); /* threads may still be in the plugin */
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	log_set_who(device_name(device));
	err = watcher->ready(device, watcher->arg);
	log_never_wait(); /* requests of who reads it may wait for us */
	if (!err)
		err = device_serve(device);
	if (watcher->stopping)
		watcher->stopping(watcher->arg);
	res = device_end(device);
	if (res == -ETIMEDOUT)
		_exit(EXIT_FAILED);
	return err || res ? EXIT_FAILED : EXIT_DONE;
}

static int load_and_serve(const struct serving *serving, struct device_request *request,
			  const struct watcher *watcher)
{
	struct device_options *options = serving->options;
	const char *path = serving->former ? serving->former->plugin_path : NULL;
	__cleanup_fd int signal_fd = -1;
	struct option_values values = { 0 };
	struct plugin_dirs dirs;
	int status = EXIT_FAILED, err;

	if (plugin_dirs_init(&dirs, options->plugin_dirs, options->nr_plugin_dirs)) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	err = device_resolve(&options->cfg, &dirs, path, &request->plugin, &values);
	plugin_dirs_free(&dirs);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	request->values = &values;
	request->signal_fd = signal_fd = signals_to_fd();
	if (signal_fd < 0)
		log_err("signalfd: %m");
	else if (!serving->former || !device_check_successor(&options->cfg, request->plugin))
		status = serve(request, watcher);
	option_values_free(&values);
	plugin_free(request->plugin);
	return status;
}

int resolve_and_serve(const struct serving *serving, const char *log, const struct watcher *watcher)
{
	struct device_request request = { .cfg = &serving->options->cfg,
					  .former = serving->former,
					  .log = log,
					  .clerk = -1,
					  .prepared = watcher->prepared,
					  .added = watcher->added,
					  .alive = watcher->alive,
					  .alive_ms = watcher->alive_ms,
					  .arg = watcher->arg };
	struct run_as user;
	int status;

	if (!request.cfg->user)
		return load_and_serve(serving, &request, watcher);
	status = user_find(request.cfg->user, &user);
	if (status)
		return status == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	request.user = &user;
	request.clerk = clerk_begin();
	status = request.clerk < 0 ? EXIT_FAILED : load_and_serve(serving, &request, watcher);
	if (request.clerk >= 0)
		close(request.clerk);
	user_free(&user);
	return status;
}

static int print_node(const struct device *device, void *arg)
{
	printf("%s\n", device_node(device));
	fflush(stdout);
	notify_ready(arg);
	return 0;
}

static void tell_stopping(void *arg)
{
	notify_stopping(arg);
}

static void tell_alive(void *arg)
{
	notify_watchdog(arg);
}

int serving_run(const struct serving *serving)
{
	struct notify notify;
	struct watcher watcher = { .ready = print_node, .stopping = tell_stopping, .arg = &notify };
	int status;

	notify_open(&notify); /* while sockets can be had */
	if (notify.watchdog_ms)
		watcher.alive = tell_alive;
	watcher.alive_ms = notify.watchdog_ms;
	status = resolve_and_serve(serving, NULL, &watcher);
	notify_close(&notify);
	return status;
}
