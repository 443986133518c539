// SPDX-License-Identifier: MIT
/*
 * The supervisor's loop. It does no I/O and holds nothing that a device needs: it may be killed, and the
 * next one finds everything again.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/supervisor_internal.h"

#define STATUS_NAMES 3 /* of devices that failed */

static int begin(struct supervisor *sv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sv->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sv->signal_fd < 0) {
		log_err("signalfd: %m");
		return -errno;
	}
	sv->reader = (struct manifest_reader){ .path_words = serving_path_words(),
					       .plugin_dirs = sv->options->plugin_dirs,
					       .nr_plugin_dirs = sv->options->nr_plugin_dirs };
	sv->folders = manifest_folders(sv->options->dir);
	if (!sv->reader.path_words || !sv->folders) {
		log_err("no memory");
		return -ENOMEM;
	}
	return folder_lock(&sv->lock, sv->options->dir, "serve");
}

static void end(struct supervisor *sv)
{
	for (size_t i = 0; i < sv->nr; i++)
		supervised_free(sv->all[i]);
	free(sv->all);
	if (sv->signal_fd >= 0)
		close(sv->signal_fd);
	folder_unlock(&sv->lock);
	manifest_folders_free(sv->folders);
	free(sv->reader.path_words);
	notify_close(&sv->notify);
}

/* -- what people, and a service manager, are told */

static void make_status(const struct supervisor *sv, char *text, size_t size)
{
	size_t live = 0, failed = 0, len;

	for (size_t i = 0; i < sv->nr; i++)
		live += sv->all[i]->phase == PHASE_LIVE;
	len = snprintf(text, size, "%zu of %zu devices served", live, sv->nr);
	for (size_t i = 0; i < sv->nr && len < size; i++) {
		if (sv->all[i]->phase != PHASE_FAILED)
			continue;
		if (failed++ < STATUS_NAMES)
			len += snprintf(text + len, size - len, "%s%s",
					failed == 1 ? ", failed: " : " ", sv->all[i]->name);
		else if (failed == STATUS_NAMES + 1)
			len += snprintf(text + len, size - len, " ...");
	}
	if (sv->nr_bad && len < size)
		snprintf(text + len, size - len, ", %zu wrong manifest%s", sv->nr_bad,
			 sv->nr_bad == 1 ? "" : "s");
}

static bool all_settled(const struct supervisor *sv)
{
	for (size_t i = 0; i < sv->nr; i++)
		if (!sv->all[i]->settled)
			return false;
	return true;
}

static void tell(struct supervisor *sv)
{
	char text[sizeof(sv->status)];

	make_status(sv, text, sizeof(text));
	if (strcmp(text, sv->status)) {
		strcpy(sv->status, text);
		notify_status(&sv->notify, text);
	}
	if (!sv->loaded || sv->ending || !all_settled(sv))
		return;
	sv->loaded = false;
	log_info("ready: %s", text);
	notify_ready(&sv->notify);
}

/* -- signals */

static void reload(struct supervisor *sv)
{
	log_info("reading the manifests again");
	notify_reloading(&sv->notify);
	supervisor_load(sv);
	sv->loaded = true;
}

static void stop(struct supervisor *sv, int signo)
{
	if (sv->ending) {
		log_warn("%s again: leaving at once, with devices that are not stopped",
			 strsignal(signo));
		sv->forced = true;
		return;
	}
	log_info("%s, %s", strsignal(signo),
		 sv->options->keep ? "leaving the devices to the next supervisor"
				   : "stopping all devices");
	notify_stopping(&sv->notify);
	sv->ending = true;
	for (size_t i = 0; i < sv->nr; i++)
		supervised_aim(sv->all[i], sv->options->keep ? GOAL_LEAVE : GOAL_DOWN);
}

/* For the next supervisor, which finds the devices as they are: served. */
static void leave(struct supervisor *sv, int signo)
{
	log_info("%s, leaving; the servers go on", strsignal(signo));
	notify_stopping(&sv->notify);
	sv->leaving = true;
}

static void take_signals(struct supervisor *sv)
{
	struct signalfd_siginfo si;

	while (read(sv->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGUSR1 && !sv->ending)
			leave(sv, (int)si.ssi_signo);
		else if (si.ssi_signo != SIGHUP)
			stop(sv, (int)si.ssi_signo);
		else if (!sv->ending)
			reload(sv);
	}
}

/* -- the loop */

/* Those whose manifest is gone. One that could not be stopped is seen to as before, until a reload. */
static void drop_unlisted(struct supervisor *sv)
{
	size_t kept = 0;

	for (size_t i = 0; i < sv->nr; i++) {
		struct supervised *s = sv->all[i];
		const bool done = !s->listed && s->goal == GOAL_DOWN && supervised_rests(s);

		if (done && !s->refused) {
			supervised_free(s);
			continue;
		}
		if (done && s->phase == PHASE_STOPPED) /* without a server, with users */
			supervised_aim(s, GOAL_UP);
		else if (done)
			s->goal = GOAL_UP;
		sv->all[kept++] = s;
	}
	sv->nr = kept;
}

static bool all_rest(const struct supervisor *sv)
{
	for (size_t i = 0; i < sv->nr; i++)
		if (!supervised_rests(sv->all[i]))
			return false;
	return true;
}

static int wait_ms(const struct supervisor *sv)
{
	uint64_t now = now_ms(), until = NEVER;

	if (sv->notify.watchdog_ms)
		until = sv->next_watchdog;
	for (size_t i = 0; i < sv->nr; i++)
		until = min_of(until, supervised_next(sv->all[i]));
	if (until == NEVER)
		return -1;
	return until > now ? (int)min_of(until - now, (uint64_t)3600000) : 0;
}

static void watchdog(struct supervisor *sv)
{
	if (!sv->notify.watchdog_ms || now_ms() < sv->next_watchdog)
		return;
	notify_watchdog(&sv->notify);
	sv->next_watchdog = now_ms() + sv->notify.watchdog_ms;
}

static int round_of(struct supervisor *sv)
{
	__cleanup_free struct pollfd *fds = calloc(sv->nr + 1, SUPERVISED_FDS * sizeof(*fds));
	size_t n = 1, at = 1;

	if (!fds)
		return -ENOMEM;
	fds[0] = (struct pollfd){ sv->signal_fd, POLLIN, 0 };
	for (size_t i = 0; i < sv->nr; i++)
		n += supervised_fds(sv->all[i], fds + n);
	if (poll(fds, n, wait_ms(sv)) < 0 && errno != EINTR)
		return -errno;
	for (size_t i = 0; i < sv->nr; i++) {
		struct pollfd unused[SUPERVISED_FDS];
		unsigned int nr = supervised_fds(sv->all[i], unused);

		supervised_woken(sv->all[i], fds + at, nr);
		supervised_tick(sv->all[i], now_ms());
		at += nr;
	}
	if (fds[0].revents)
		take_signals(sv);
	return 0;
}

static int serve(struct supervisor *sv)
{
	int err = supervisor_load(sv);

	sv->loaded = true;
	while (!err) {
		if (!sv->ending)
			drop_unlisted(sv);
		tell(sv);
		watchdog(sv);
		if (sv->leaving)
			return 0;
		if (sv->forced || (sv->ending && all_rest(sv)))
			break;
		err = round_of(sv);
	}
	if (err)
		log_err("the supervisor cannot go on: %s; the devices stay served", strerror(-err));
	for (size_t i = 0; i < sv->nr && !err; i++)
		if (sv->forced || sv->all[i]->phase == PHASE_LIVE || sv->all[i]->refused)
			err = -EBUSY;
	return err;
}

int supervisor_run(const struct supervisor_options *options)
{
	struct supervisor sv = { .options = options, .signal_fd = -1 };
	int err;

	notify_open(&sv.notify);
	err = begin(&sv);
	if (!err)
		err = serve(&sv);
	end(&sv);
	return err ? EXIT_FAILED : EXIT_DONE;
}
