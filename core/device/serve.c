// SPDX-License-Identifier: MIT
/*
 * A running device's control thread: waits for a reason to stop, ticks for the watchdogs, and then
 * takes everything down, in the order that the driver needs and within deadlines.
 */
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#include "device/clerk.h"
#include "device/internal.h"
#include "device/kept_memory.h"
#include "device/stats_file.h"

#define TICK_MS 1000u
#define CANCEL_AFTER_MS 3000	/* plugin->cancel() for what it holds */
#define ABANDON_AFTER_MS 6000	/* take it away */
#define QUIT_MIN_MS 8000	/* --plugin-timeout is over: leave without the driver's consent */
#define GIVE_UP_MS 10000	/* after that */
#define DELETE_DEADLINE_MS 5000 /* for the last one to let go: a mount may not for long */

static void ask_all(struct device *d, unsigned int bits)
{
	for (unsigned int i = 0; i < d->nr_started; i++)
		if (!queue_ended(d->queues[i]))
			queue_ask(d->queues[i], bits);
}

unsigned int device_tick_ms(const struct device *d)
{
	return d->request->alive ? min_of(TICK_MS, d->request->alive_ms) : TICK_MS;
}

/* Queues whose plugin holds nothing are left asleep. */
void device_tick(struct device *d)
{
	if (d->request->alive)
		d->request->alive(d->request->arg);
	for (unsigned int i = 0; i < d->nr_started; i++)
		if (!queue_ended(d->queues[i]) && queue_held(d->queues[i]))
			queue_ask(d->queues[i], QUEUE_ASK_TICK);
}

static bool all_ended(const struct device *d)
{
	for (unsigned int i = 0; i < d->nr_started; i++)
		if (!queue_ended(d->queues[i]))
			return false;
	return true;
}

static bool any_broken(const struct device *d)
{
	for (unsigned int i = 0; i < d->nr_started; i++)
		if (queue_is_broken(d->queues[i]))
			return true;
	return false;
}

/* The last that holds it, after the queues' rings: the driver ends then what they have not completed. */
static void close_char(struct device *d)
{
	if (d->char_fd >= 0)
		close(d->char_fd);
	d->char_fd = -1;
}

static void drain_fd(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; /* nonblocking: nothing there */
}

int device_serve(struct device *d)
{
	struct pollfd fds[] = { { d->signal_fd, POLLIN, 0 },
				{ d->fail_fd, POLLIN, 0 },
				{ d->dev.notify_fd, POLLIN, 0 } };
	uint64_t next_tick = now_ms() + device_tick_ms(d);

	for (;;) {
		uint64_t now = now_ms();
		int n;

		if (now >= next_tick) {
			device_tick(d);
			next_tick = now + device_tick_ms(d);
		}
		n = poll(fds, ARRAY_SIZE(fds), next_tick - now);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (fds[0].revents) {
			struct signalfd_siginfo si;

			if (read(d->signal_fd, &si, sizeof(si)) != sizeof(si))
				continue;
			if (si.ssi_signo == SIGUSR2) {
				request_answer(d);
				continue;
			}
			if (si.ssi_signo == SIGUSR1 && recovery_hand_over(d))
				continue;
			if (si.ssi_signo != SIGUSR1)
				log_info("%s, stopping", strsignal(si.ssi_signo));
			return 0;
		}
		if (fds[1].revents)
			return atomic_load(&d->fail_err);
		if (fds[2].revents) {
			drain_fd(d->dev.notify_fd);
			if (!all_ended(d))
				continue;
			log_info(
				"the device was stopped from outside"); /* by `ublk-host down`, mostly */
			return 0;
		}
	}
}

/* Until no queue serves any more. What a plugin holds may have to be taken away. -ETIMEDOUT: it would
 * not. */
static int leave_and_drain(struct device *d)
{
	uint64_t start = now_ms(), passed;
	bool cancelled = false, quitting = false;

	if (!d->live) /* it never was ours: the queues have nothing to end */
		ask_all(d, QUEUE_ASK_QUIT);
	else
		ask_all(d, d->quiesced ? QUEUE_ASK_FINISH : QUEUE_ASK_LEAVE);
	while (!all_ended(d)) {
		struct pollfd pfd = { d->dev.notify_fd, POLLIN, 0 };

		passed = now_ms() - start;
		if (passed > CANCEL_AFTER_MS && !cancelled) {
			ask_all(d, QUEUE_ASK_CANCEL);
			cancelled = true;
		}
		if (passed > ABANDON_AFTER_MS && !quitting) {
			log_warn("plugin %s does not end its requests; they are left to the next "
				 "server",
				 d->plugin->desc.name);
			ask_all(d, QUEUE_ASK_QUIT);
			quitting = true;
		}
		if (passed > ABANDON_AFTER_MS + GIVE_UP_MS)
			return -ETIMEDOUT;
		poll(&pfd, 1, 200);
		drain_fd(d->dev.notify_fd);
	}
	return 0;
}

/* STOP_DEV waits for the requests in flight, so the queues and their plugin must come to an end
 * meanwhile, by persuasion and then by force. */
static int stop_and_drain(struct device *d)
{
	const uint64_t quit_ms =
		max_of(d->cfg->plugin_timeout * (uint64_t)1000, (uint64_t)QUIT_MIN_MS);
	uint64_t start = now_ms(), passed;
	bool stopped = false, cancelled = false, quitting = false;
	int err = ctrl_begin(d->ctrl, UBLK_U_CMD_STOP_DEV, d->info.dev_id, 0);

	for (;;) {
		struct pollfd fds[] = { { ctrl_fd(d->ctrl), POLLIN, 0 },
					{ d->dev.notify_fd, POLLIN, 0 } };

		if (!err && !stopped) {
			int res = ctrl_result(d->ctrl);

			stopped = res != -EINPROGRESS;
			if (stopped)
				err = res;
		}
		if ((stopped || err) && all_ended(d))
			return err == -ENODEV ? 0 : err;
		passed = now_ms() - start;
		if (passed > CANCEL_AFTER_MS && !cancelled) {
			ask_all(d, QUEUE_ASK_CANCEL);
			cancelled = true;
		}
		/* Again and again: an io may have been on its way to the plugin. */
		if (passed > ABANDON_AFTER_MS)
			ask_all(d, QUEUE_ASK_ABANDON);
		if (!quitting && (passed > quit_ms || any_broken(d))) {
			if (passed > quit_ms)
				log_err("%s does not stop after %u s; leaving it without a server",
					d->node, (unsigned int)(quit_ms / 1000));
			ask_all(d, QUEUE_ASK_QUIT);
			quitting = true;
		}
		if (quitting && all_ended(d))
			close_char(d);
		if (passed > quit_ms + GIVE_UP_MS) {
			ctrl_cancel(d->ctrl);
			return -ETIMEDOUT;
		}
		poll(fds, ARRAY_SIZE(fds), 200);
		drain_fd(d->dev.notify_fd);
	}
}

/* Somebody else has deleted it, and our id may be that of another device by now. */
static bool is_deleted(const struct device *d)
{
	const uint64_t entry = sysfs_device_entry("", d->info.dev_id);

	return d->entry && entry != SYSFS_ENTRY_UNKNOWN && entry != d->entry;
}

static int delete_device(struct device *d)
{
	char why[512];
	int err;

	if (is_deleted(d))
		return 0;
	ctrl_set_deadline(d->ctrl, DELETE_DEADLINE_MS);
	err = ctrl_del_dev(d->ctrl, d->info.dev_id);
	if (err == -ETIMEDOUT) {
		log_warn("%s is deleted, but somebody still holds it: a mount, or an open file",
			 d->node);
		return 0;
	}
	if (err == -EACCES && d->kernel.unprivileged)
		log_err("%s stays: it was not given to this user, who cannot delete it either; root does, by "
			"ublk-host down %u",
			d->char_node, d->info.dev_id);
	else if (err && err != -ENODEV)
		log_err("%s",
			ctrl_explain(UBLK_U_CMD_DEL_DEV, d->info.dev_id, err, why, sizeof(why)));
	return err == -ENODEV ? 0 : err;
}

static void log_counters(const struct device *d)
{
	struct queue_stats all;
	const struct queue_counters *sum = &all.counters;
	uint64_t ops = 0, errors = 0;

	stats_sum(d->dev.stats, &all);
	for (unsigned int op = 0; op < NR_OPS; op++) {
		ops += sum->ops[op];
		errors += sum->errors[op];
	}
	log_info("served %llu reads, %llu writes, %llu flushes, %llu discards, %llu write-zeroes; "
		 "%llu failed, %llu retries, %llu system calls (%.3f per io)",
		 (unsigned long long)sum->ops[UBLK_OP_READ],
		 (unsigned long long)sum->ops[UBLK_OP_WRITE],
		 (unsigned long long)sum->ops[UBLK_OP_FLUSH],
		 (unsigned long long)sum->ops[UBLK_OP_DISCARD],
		 (unsigned long long)sum->ops[UBLK_OP_WRITE_ZEROES], (unsigned long long)errors,
		 (unsigned long long)sum->retries, (unsigned long long)sum->enters,
		 ops ? (double)sum->enters / ops : 0.0);
	if (sum->misuse || sum->timeouts)
		log_warn(
			"plugin %s broke the contract %llu times; %llu ios were taken away from it",
			d->plugin->desc.name, (unsigned long long)sum->misuse,
			(unsigned long long)sum->timeouts);
}

void device_forget(const struct device *d)
{
	if (d->handed_over)
		return;
	if (d->clerk_asked) {
		clerk_forget(d->clerk);
		return;
	}
	kept_memory_remove(d->kept);
	if (d->written)
		state_remove(d->info.dev_id, d->cfg->name);
	else if (d->shared_stats)
		stats_remove(d->info.dev_id, getpid());
}

static void close_stats(struct device *d)
{
	if (d->shared_stats)
		stats_unmap(d->dev.stats, d->info.nr_hw_queues);
	else
		free(d->dev.stats);
}

int device_end(struct device *d)
{
	bool joined = true;
	int err = 0, res = 0;

	starter_run(d, NULL);
	if (d->handed_over)
		err = leave_and_drain(d);
	else if (d->added && d->nr_started)
		err = stop_and_drain(d);
	if (d->live)
		log_counters(d);
	if (err != -ETIMEDOUT || all_ended(d))
		for (unsigned int i = 0; i < d->nr_started; i++)
			joined &= queue_join(d->queues[i]);
	else
		joined = false;
	joined &= !resize_is_stuck(d);
	/* When the device's file is closed, the driver has a next server go on, whose plugin finds this one gone. */
	if (joined && d->handed_over)
		backend_close(d);
	close_char(d);
	/* With a thread still in the plugin, its memory must stay as it is. */
	if (joined) {
		backend_close(d);
		for (unsigned int i = 0; i < d->nr_started; i++)
			queue_free(d->queues[i]);
	}
	/* Nor is a driver asked to wait for requests that do not end. */
	if (joined)
		shared_unregister(d);
	if (d->added && !d->handed_over) {
		res = delete_device(d);
		err = err ? err : res;
	}
	if (!res) /* or what is left tells of a device that is still there */
		device_forget(d);
	ctrl_close(d->ctrl);
	ctrl_close(d->spare_ctrl);
	if (!joined) {
		log_err("plugin %s has not returned from a call: leaving without it",
			d->plugin->desc.name);
		return err ? err : -ETIMEDOUT;
	}
	guard_drop(d);
	shared_close(d);
	if (d->prepared)
		dev_unprepare(&d->dev);
	close_stats(d);
	close(d->fail_fd);
	close(d->dev.notify_fd);
	json_decref(d->kept);
	free(d->queues);
	free(d);
	return err;
}
