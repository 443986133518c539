// SPDX-License-Identifier: MIT
/* One device under a supervisor: its server has ended, or a child that saw to it. */
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/supervised_internal.h"
#include "device/leftovers.h"

#define LATER_FIRST_MS 10000u
#define LATER_LAST_MS 300000u

static void reap(struct supervised *s)
{
	if (waitpid(s->pid, &s->status, WNOHANG) != s->pid)
		s->status = -1;
	supervised_forget_server(s);
}

/* What it is made from may come later, as a disk or a filesystem of the network does. Nobody uses the device yet, so
 * that nothing is lost by trying. */
static void put_off(struct supervised *s, const char *why)
{
	const bool first = !s->later_ms;

	supervised_fail(s, why);
	s->later_ms = first ? LATER_FIRST_MS : min_of(2 * s->later_ms, LATER_LAST_MS);
	s->at = now_ms() + s->later_ms;
	if (first)
		supervised_log(s, log_err,
			       "it cannot be made: %s; that is tried again in %u s, and then ever "
			       "later",
			       why, s->later_ms / 1000);
}

/* A device that is wanted, and has lost its server, or could not get one. */
static void succeed(struct supervised *s, enum seen seen, const struct device_view *view,
		    const char *how, uint64_t lived_ms)
{
	bool useful = lived_ms && seen != SEEN_NOTHING && seen_useful(&view->state);
	/* Crashes are another matter. */
	bool unmade = !lived_ms && seen == SEEN_NOTHING && s->status >= 0 && WIFEXITED(s->status);
	unsigned int wait = RESTARTS_NO_MORE;
	char why[256];

	if (!unmade || !s->later_ms)
		wait = restarts_ended(&s->restarts, now_ms(), lived_ms, useful);
	s->settled = true;
	if (wait == RESTARTS_NO_MORE) {
		snprintf(why, sizeof(why), "%u servers ended within %u s, the last one %s",
			 s->restarts.limit, s->restarts.window_ms / 1000, how);
		if (unmade)
			put_off(s, why);
		else
			supervised_give_up(s, seen, why);
	} else if (wait) {
		supervised_log(s, log_warn, "its server %s; the next one in %u ms", how, wait);
		supervised_wait_until(s, now_ms() + wait);
	} else {
		supervised_act(s, seen, view);
		supervised_log(s, log_warn, "its server %s%s%s", how,
			       useful ? ", after many requests" : "",
			       s->unclear ? "" : "; the next one is on its way");
	}
}

bool supervised_was_removed(const struct supervised *s)
{
	struct device_state state;
	int err;

	if (!s->there)
		return false;
	err = state_find_name(s->name, &state); /* a server that dies leaves it */
	if (!err)
		state_free(&state);
	return err == -ENOENT;
}

/* lived 0: it never was ready. */
static void after_end(struct supervised *s, uint64_t lived)
{
	const int status = s->status;
	bool clean = lived && (status < 0 || (WIFEXITED(status) && !WEXITSTATUS(status)));
	struct device_view view = { 0 };
	enum seen seen = supervised_look(s->name, &s->id, &view);
	char how[80];

	if (!lived && s->anew)
		leftovers_remove_of(s->server.id, s->server.pid);
	if (lived && !clean && WIFEXITED(status))
		s->there = false; /* it has failed, and removed what it could */
	server_end_text(status, how, sizeof(how));
	if (s->goal != GOAL_UP || seen == SEEN_SERVED || seen == SEEN_IN_HAND ||
	    seen == SEEN_FAILED) {
		supervised_act(s, seen, &view);
	} else if (seen == SEEN_NOTHING && (clean || supervised_was_removed(s))) {
		supervised_leave_alone(s);
	} else if (!lived && status >= 0 && WIFEXITED(status) &&
		   WEXITSTATUS(status) == EXIT_USAGE) {
		supervised_give_up(s, seen, "its manifest is wrong");
	} else {
		succeed(s, seen, &view, how, lived);
	}
	if (seen != SEEN_NOTHING)
		device_view_free(&view);
}

/* A server that was killed before it wrote a state file leaves a device that nobody knows. */
static bool left_unknown(const struct supervised *s)
{
	struct device_state state;

	if (s->server.id < 0 || !device_in_kernel((uint32_t)s->server.id))
		return false;
	if (state_read((uint32_t)s->server.id, &state))
		return true;
	state_free(&state);
	return false;
}

void supervised_server_ended(struct supervised *s)
{
	const bool starting = s->phase == PHASE_STARTING;

	s->at = NEVER;
	reap(s);
	if (starting && left_unknown(s)) {
		s->id = (uint32_t)s->server.id;
		supervised_begin_job(s, JOB_CLEAN);
	} else {
		after_end(s, starting ? 0 : max_of(now_ms() - s->since, (uint64_t)1));
	}
}

void supervised_job_ended(struct supervised *s)
{
	bool well = supervised_job_result(s);

	if (well && s->job != JOB_FAIL)
		s->there = false;
	if (s->pid && s->job == JOB_STOP)
		reap(s);
	if (s->job == JOB_FAIL) {
		supervised_rest(s, PHASE_FAILED);
		if (s->goal == GOAL_DOWN)
			supervised_go_on(s);
	} else if (well && s->job == JOB_STOP && s->goal != GOAL_UP) {
		supervised_log(s, log_info, "stopped");
		supervised_rest(s, PHASE_STOPPED);
	} else if (s->job == JOB_CLEAN) {
		after_end(s, 0);
	} else if (well || s->job == JOB_STOP) {
		s->refused = !well;
		supervised_go_on(s);
	} else {
		supervised_fail(s, "what is left of it cannot be removed");
		s->refused = true;
	}
}
