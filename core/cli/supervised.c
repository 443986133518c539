// SPDX-License-Identifier: MIT
/* One device under a supervisor. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/supervised_internal.h"

#define LOOK_AGAIN_MS 50  /* while somebody else has it in hand */
#define ASK_AGAIN_MS 1000 /* for the driver to answer */
#define END_MS 10000	  /* for a server that was told to end while it starts */
#define LEAVE_MS 20000	  /* for one that leaves the device to the next */

struct supervised *supervised_new(char *name, char *base, const struct device_options *options,
				  const struct restarts *restarts, bool standby)
{
	struct supervised *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct supervised){ .name = name,
				  .base = base,
				  .options = *options,
				  .restarts = *restarts,
				  .at = NEVER,
				  .server = { .answer_fd = -1, .go_fd = -1 },
				  .pidfd = -1,
				  .job_fd = -1 };
	standby_init(&s->standby, s->name, standby);
	return s;
}

void supervised_forget_server(struct supervised *s)
{
	if (s->server.answer_fd >= 0)
		serving_drop(&s->server);
	if (s->pidfd >= 0)
		close(s->pidfd);
	s->server.answer_fd = s->pidfd = -1;
	s->pid = 0;
}

void supervised_free(struct supervised *s)
{
	standby_free(&s->standby);
	supervised_forget_server(s);
	if (s->job_fd >= 0)
		close(s->job_fd);
	device_options_free(&s->options);
	free(s->source);
	free(s->name);
	free(s->base);
	free(s->why);
	free(s);
}

void supervised_rest(struct supervised *s, enum supervised_phase phase)
{
	s->phase = phase;
	s->at = NEVER;
	s->settled = true;
}

void supervised_wait_until(struct supervised *s, uint64_t at)
{
	s->phase = PHASE_IDLE;
	s->at = at;
}

void supervised_fail(struct supervised *s, const char *why)
{
	char *copy = strdup(why);

	free(s->why);
	s->why = copy;
	supervised_rest(s, PHASE_FAILED);
}

/* -- starting */

void supervised_give_up(struct supervised *s, enum seen seen, const char *why)
{
	supervised_fail(s, why);
	if (seen == SEEN_NOTHING)
		supervised_log(s, log_err,
			       "given up: %s; when that is repaired, a reload tries again", why);
	else
		supervised_log(s, log_err,
			       "given up: %s; its users get errors from now on. When that is "
			       "repaired, ublk-host down %s and a reload make it anew",
			       why, s->name);
	if (seen != SEEN_NOTHING)
		supervised_job_begin(s, JOB_FAIL);
}

/* A process that is to be its server. 0 or -errno. */
static int obtain_server(struct supervised *s, const struct device_view *former)
{
	struct device_options options = { 0 };
	struct serving serving = { .options = &s->options, .who = s->name };
	int err = 0;

	if (former && standby_take(&s->standby, former, &s->server, &s->pidfd))
		return 0;
	if (former) {
		serving.former = &former->state;
		serving.options = &options;
		err = serving_of_state(&options, &former->state);
	}
	if (!err)
		err = serving_begin(&serving, &s->server);
	if (former)
		device_options_free(&options);
	if (err)
		return err;
	s->pidfd = pidfd_open(s->server.pid, 0);
	return s->pidfd < 0 ? -errno : 0;
}

/* former: a device that waits for a server. NULL: it is to be made. */
static void start(struct supervised *s, const struct device_view *former)
{
	int err;

	s->retry = s->asked_to_end = s->killed = false;
	s->server.id = -1;
	s->anew = !former;
	err = obtain_server(s, former);
	if (!err) {
		s->pid = s->server.pid;
		err = serving_tell(&s->server);
		if (err == -EPIPE) /* it has ended already: how, is told by the pidfd */
			err = 0;
	}
	if (err) {
		supervised_forget_server(s);
		supervised_give_up(s, former ? SEEN_WAITING : SEEN_NOTHING,
				   "no server could be started");
		return;
	}
	s->phase = PHASE_STARTING;
	s->at = s->usable_until = now_ms() + s->server.seconds * (uint64_t)1000;
}

static void live(struct supervised *s)
{
	supervised_rest(s, PHASE_LIVE);
	s->there = true;
	s->later_ms = 0;
	s->since = now_ms();
	standby_expect(&s->standby, s->since);
}

static void adopt(struct supervised *s, const struct device_view *view)
{
	const bool known = s->pid == view->pid;

	supervised_forget_server(s);
	s->pid = view->pid;
	s->pidfd = pidfd_open(view->pid, 0);
	if (s->pidfd < 0 || state_find_server(&view->state)) {
		supervised_forget_server(s);
		supervised_wait_until(s, now_ms() + LOOK_AGAIN_MS); /* it has just ended */
		return;
	}
	if (!s->adopted) {
		s->adopted = true;
		supervised_mark(s, &view->state, false);
		supervised_compare(s);
	}
	if (!known && !s->refused)
		supervised_log(s, log_info, "served by process %d (%s)", s->pid, view->state.node);
	live(s);
}

/* -- what is to be done, from what there is */

static void leave(struct supervised *s, const struct device_view *view)
{
	char why[256];

	if (!device_can_hand_over(view, why, sizeof(why))) {
		supervised_log(s, log_info, "left with its server, process %d: %s", s->pid, why);
		supervised_rest(s, PHASE_STOPPED);
		return;
	}
	if (pidfd_send_signal(s->pidfd, SIGUSR1, NULL, 0))
		supervised_log(s, log_warn, "telling process %d to leave it: %m", s->pid);
	s->phase = PHASE_LEAVING;
	s->at = now_ms() + LEAVE_MS;
}

void supervised_begin_job(struct supervised *s, enum supervised_job job)
{
	if (!supervised_job_begin(s, job))
		return;
	supervised_fail(s, "no process could be started");
	s->refused = true;
}

static void found_served(struct supervised *s, const struct device_view *view)
{
	adopt(s, view);
	if (s->phase != PHASE_LIVE)
		return;
	if (s->goal == GOAL_DOWN && !s->refused)
		supervised_begin_job(s, JOB_STOP);
	else if (s->goal == GOAL_LEAVE)
		leave(s, view);
}

static void found_failed(struct supervised *s, const struct device_view *view)
{
	supervised_fail(s, view->state.failed ? view->state.failed : "it was stopped");
	if (view->state.memory && s->goal != GOAL_LEAVE)
		supervised_log(
			s, log_warn,
			"it has failed (%s), and its memory is kept; ublk-host down %s gives "
			"it up",
			s->why, s->name);
	else if (s->goal == GOAL_DOWN || (s->goal == GOAL_UP && s->retry))
		supervised_begin_job(s, JOB_REMOVE);
}

void supervised_leave_alone(struct supervised *s)
{
	supervised_log(s, log_info, "it was stopped: left alone until a reload");
	s->there = false;
	supervised_rest(s, PHASE_STOPPED);
}

/* It may be mounted, and may well be served on: nothing is done to it that asks for more than is known. */
static void found_unclear(struct supervised *s)
{
	if (s->goal == GOAL_DOWN && !s->refused) {
		supervised_begin_job(s, JOB_STOP);
	} else if (s->goal != GOAL_UP) {
		supervised_rest(s, PHASE_STOPPED);
	} else {
		if (!s->unclear)
			supervised_log(
				s, log_warn,
				"it has no server, and the driver does not tell whether it can be "
				"served on: asking every second");
		s->unclear = s->settled = true;
		supervised_wait_until(s, now_ms() + ASK_AGAIN_MS);
	}
}

void supervised_act(struct supervised *s, enum seen seen, const struct device_view *view)
{
	s->there |= seen != SEEN_NOTHING;
	s->unclear &= seen == SEEN_UNCLEAR;
	switch (seen) {
	case SEEN_SERVED:
		found_served(s, view);
		break;
	case SEEN_IN_HAND:
		standby_drop(&s->standby);
		supervised_wait_until(s, now_ms() + LOOK_AGAIN_MS);
		break;
	case SEEN_FAILED:
		found_failed(s, view);
		break;
	case SEEN_WAITING:
		if (s->goal == GOAL_UP)
			start(s, view);
		else if (s->goal == GOAL_DOWN && !s->refused)
			supervised_begin_job(s, JOB_STOP);
		else
			supervised_rest(s, PHASE_STOPPED);
		break;
	case SEEN_UNCLEAR:
		found_unclear(s);
		break;
	case SEEN_REMAINS:
		if (s->goal == GOAL_LEAVE)
			supervised_rest(s, PHASE_STOPPED);
		else
			supervised_begin_job(s, JOB_REMOVE);
		break;
	case SEEN_NOTHING:
		if (s->goal == GOAL_UP && supervised_was_removed(s))
			supervised_leave_alone(s);
		else if (s->goal == GOAL_UP)
			start(s, NULL);
		else
			supervised_rest(s, PHASE_STOPPED);
		s->refused = false;
	}
}

void supervised_go_on(struct supervised *s)
{
	struct device_view view = { 0 };
	enum seen seen;

	s->at = NEVER;
	seen = supervised_look(s->name, &s->id, &view);
	supervised_act(s, seen, &view);
	if (seen != SEEN_NOTHING)
		device_view_free(&view);
}

/* -- a server has something to say */

static void mark_new(const struct supervised *s)
{
	struct device_state state;

	if (state_find_name(s->name, &state))
		return;
	supervised_mark(s, &state, true);
	state_free(&state);
}

static void server_answers(struct supervised *s)
{
	char node[SERVING_NODE_SIZE];
	int res = serving_answer(&s->server, node);

	if (!res)
		return;
	serving_drop(&s->server);
	s->server.answer_fd = -1;
	if (res < 0) /* its end is told by the pidfd */
		return;
	if (s->anew) {
		s->adopted = true;
		mark_new(s);
	}
	supervised_log(s, log_info, "%s %s, process %d", s->anew ? "live," : "served again,", node,
		       s->pid);
	live(s);
	if (s->goal != GOAL_UP)
		supervised_go_on(s);
}

/* -- from outside */

void supervised_retry(struct supervised *s)
{
	s->retry = true;
	s->refused = false;
	if (s->phase == PHASE_IDLE || s->phase == PHASE_STOPPED || s->phase == PHASE_FAILED) {
		restarts_init(&s->restarts, s->restarts.limit, s->restarts.window_ms);
		s->settled = s->there = false;
		s->later_ms = 0;
		supervised_go_on(s);
	} else if (s->phase == PHASE_LIVE) {
		supervised_compare(s);
	} else if (s->phase == PHASE_STARTING && !s->asked_to_end) {
		s->at = s->usable_until; /* it may not have been wanted for a while */
	}
}

static void ask_to_end(struct supervised *s)
{
	s->asked_to_end = true;
	s->at = now_ms() + END_MS;
	pidfd_send_signal(s->pidfd, serving_end_signal(&s->server), NULL, 0);
}

/* One stands by as long as the device is to be served on. */
static void tend_standby(struct supervised *s, uint64_t now)
{
	struct standby *standby = &s->standby;

	if (s->goal != GOAL_UP ||
	    (s->phase != PHASE_LIVE && s->phase != PHASE_STARTING && s->phase != PHASE_IDLE))
		standby_drop(standby);
	else if (s->phase == PHASE_LIVE && standby->phase == STANDBY_NONE && standby->at == NEVER &&
		 !standby->pointless)
		standby_expect(standby, now);
}

void supervised_aim(struct supervised *s, enum supervised_goal goal)
{
	s->goal = goal;
	s->refused = s->settled = false;
	if (s->phase == PHASE_STARTING && goal != GOAL_UP && s->anew && !s->asked_to_end)
		ask_to_end(s);
	else if (s->phase == PHASE_STARTING && goal != GOAL_UP) /* its users are asked about then */
		s->at = min_of(s->at, now_ms() + END_MS);
	else if (s->phase != PHASE_STARTING && s->phase != PHASE_JOB && s->phase != PHASE_LEAVING)
		supervised_go_on(s);
	tend_standby(s, now_ms());
}

bool supervised_rests(const struct supervised *s)
{
	if (s->goal != GOAL_UP && !standby_rests(&s->standby))
		return false;
	return s->phase == PHASE_STOPPED || s->phase == PHASE_FAILED ||
	       (s->phase == PHASE_LIVE && (s->goal == GOAL_UP || s->refused));
}

unsigned int supervised_fds(const struct supervised *s, struct pollfd fds[SUPERVISED_FDS])
{
	unsigned int n = 0;

	if (s->phase == PHASE_JOB)
		fds[n++] = (struct pollfd){ s->job_fd, POLLIN, 0 };
	else if (s->server.answer_fd >= 0)
		fds[n++] = (struct pollfd){ s->server.answer_fd, POLLIN, 0 };
	if (s->phase != PHASE_JOB && s->pidfd >= 0)
		fds[n++] = (struct pollfd){ s->pidfd, POLLIN, 0 };
	return n + standby_fds(&s->standby, fds + n);
}

void supervised_woken(struct supervised *s, const struct pollfd *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (!fds[i].revents)
			continue;
		/* What it says comes before its end. */
		if (fds[i].fd == s->job_fd)
			supervised_job_ended(s);
		else if (fds[i].fd == s->server.answer_fd)
			server_answers(s);
		else if (fds[i].fd != s->pidfd)
			standby_woken(&s->standby, fds + i, nr - i);
		else if (s->server.answer_fd < 0)
			supervised_server_ended(s);
		return;
	}
}

/* What was under way until s->at has not come to an end. */
static void overdue(struct supervised *s, uint64_t now)
{
	s->at = NEVER;
	if (s->phase == PHASE_IDLE || s->phase == PHASE_FAILED) {
		supervised_go_on(s);
	} else if (s->phase == PHASE_STARTING && !s->asked_to_end) {
		supervised_log(s, log_err,
			       "it is not usable in time; stopping its server (process %d)",
			       s->pid);
		ask_to_end(s);
	} else if (s->phase == PHASE_STARTING && !s->killed) {
		s->killed = true;
		s->at = now + END_MS;
		pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
	} else if (s->phase == PHASE_STARTING) {
		supervised_log(s, log_err,
			       "given up: process %d does not end, although it was killed: it is "
			       "stuck in the kernel",
			       s->pid);
		supervised_forget_server(s);
		supervised_fail(s, "its server is stuck in the kernel");
		s->refused = true;
	} else if (s->phase == PHASE_LEAVING) {
		supervised_log(s, log_warn, "process %d does not leave it", s->pid);
		supervised_rest(s, PHASE_STOPPED);
	}
}

void supervised_tick(struct supervised *s, uint64_t now)
{
	if (now >= s->at)
		overdue(s, now);
	tend_standby(s, now);
	standby_tick(&s->standby, now);
}

uint64_t supervised_next(const struct supervised *s)
{
	return min_of(s->at, s->standby.at);
}
