// SPDX-License-Identifier: MIT
/* What there is of a device, as its supervisor has to know. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/manifest_compare.h"
#include "cli/supervised.h"
#include "cli/supervised_look.h"
#include "device/stats_file.h"

static enum seen judge(const struct device_view *view)
{
	char why[256];

	if (view->ours && view->server_alive)
		return SEEN_SERVED;
	if (!view->ours || view->condition == DEVICE_GONE)
		return SEEN_NOTHING;
	if (state_in_hand(&view->state))
		return SEEN_IN_HAND;
	if (view->state.failed)
		return SEEN_FAILED;
	if (view->condition != DEVICE_STOPPED && device_can_recover(view, why, sizeof(why)))
		return SEEN_WAITING;
	return view->state.memory ? SEEN_FAILED : SEEN_REMAINS;
}

static enum seen look(uint32_t id, struct device_view *view)
{
	struct ctrl *ctrl = devices_ctrl();
	int err = device_view_read(view, id, ctrl);
	enum seen seen;

	ctrl_close(ctrl);
	if (err)
		return SEEN_NOTHING;
	seen = judge(view);
	if (seen == SEEN_NOTHING)
		device_view_free(view);
	return seen;
}

enum seen supervised_look(const char *name, uint32_t *id, struct device_view *view)
{
	struct device_state state;
	enum seen seen;

	if (state_find_name(name, &state))
		return SEEN_NOTHING;
	*id = state.id;
	state_free(&state);
	seen = look(*id, view);
	/* Who had it in hand ended after the state was read, and may have given it a server. */
	if (seen != SEEN_NOTHING && seen != SEEN_SERVED && seen != SEEN_IN_HAND &&
	    view->state.in_hand) {
		device_view_free(view);
		seen = look(*id, view);
	}
	return seen;
}

bool seen_useful(const struct device_state *state)
{
	const json_t *device = json_object_get(state->manifest, "device");
	json_int_t queues = json_integer_value(json_object_get(device, "queues"));
	json_int_t depth = json_integer_value(json_object_get(device, "depth"));
	__cleanup_free struct stats *stats = NULL;
	struct queue_stats sum;
	uint64_t served = 0;

	if (stats_read(state, &stats))
		return false;
	stats_sum(stats, &sum);
	for (unsigned int op = 0; op < NR_OPS; op++)
		served += sum.counters.ops[op];
	return queues > 0 && depth > 0 && served > (uint64_t)(queues * depth);
}

const char *server_end_text(int status, char *buf, size_t size)
{
	if (status < 0)
		snprintf(buf, size, "ended");
	else if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "ended with status %d", WEXITSTATUS(status));
	return buf;
}

void supervised_compare(struct supervised *s)
{
	struct device_state state;
	char keys[256];

	if (!s->made)
		return;
	if (!state_find_name(s->name, &state)) {
		manifest_note_size(s->made, &s->options.cfg, s->wanted, state.manifest);
		state_free(&state);
	}
	if (*manifest_differences(s->made, s->wanted, keys, sizeof(keys)))
		supervised_log(
			s, log_warn,
			"its manifest asks for another %s than it was made with: ublk-host down "
			"%s, and a reload, make it anew",
			keys, s->name);
}
