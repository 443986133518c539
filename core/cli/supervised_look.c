// SPDX-License-Identifier: MIT
/* What there is of a device, as its supervisor has to know. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/manifest_compare.h"
#include "cli/manifest_read.h"
#include "cli/supervised.h"
#include "cli/supervised_look.h"
#include "device/stats_file.h"
#include "plugin/plugin.h"

static enum seen judge(const struct device_view *view)
{
	char why[256];

	if (view->ours && view->server_alive)
		return SEEN_SERVED;
	/* Also where it is gone: who takes a device down removes its state last. */
	if (view->ours && state_in_hand(&view->state))
		return SEEN_IN_HAND;
	if (!view->ours || view->condition == DEVICE_GONE)
		return SEEN_NOTHING;
	if (view->state.failed)
		return SEEN_FAILED;
	if (!view->has_info)
		return SEEN_UNCLEAR;
	if (view->condition != DEVICE_STOPPED && device_can_recover(view, why, sizeof(why)))
		return SEEN_WAITING;
	return view->state.memory ? SEEN_FAILED : SEEN_REMAINS;
}

static enum seen look(uint32_t id, const char *name, struct device_view *view)
{
	struct ctrl *ctrl = devices_ctrl();
	int err = device_view_read(view, id, name, ctrl);
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
	seen = look(*id, name, view);
	/* Who had it in hand ended after the state was read, and may have given it a server. */
	if (seen != SEEN_NOTHING && seen != SEEN_SERVED && seen != SEEN_IN_HAND &&
	    view->state.in_hand) {
		device_view_free(view);
		seen = look(*id, name, view);
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

/* What repairs it without taking the device down, if that is one command. */
static void add_remedy(const struct supervised *s, const struct manifest_changes *changes,
		       char *text, size_t size)
{
	const struct manifest_change *change = changes->change;

	if (changes->nr == 1 && change->way == CHANGE_RESIZE)
		snprintf(text, size, "ublk-host resize %s %s", s->name,
			 json_string_value(change->wanted));
	else
		snprintf(text, size, "ublk-host down %s, and a reload, make it anew", s->name);
}

void supervised_compare(const struct supervised *s)
{
	struct manifest_changes changes = { 0 };
	struct device_state state;
	__cleanup_free char *path = manifest_plugin_path(&s->options);
	char keys[256], remedy[256];
	json_t *plugin;
	int err;

	if (state_find_name(s->name, &state))
		return;
	plugin = state.plugin_path ? plugin_manifest_of_file(state.plugin_path) : NULL;
	err = manifest_compare(&changes, &s->options.cfg, path, &state, plugin);
	if (!err && changes.nr) {
		add_remedy(s, &changes, remedy, sizeof(remedy));
		supervised_log(s, log_warn, "its manifest asks for another %s than it has: %s",
			       manifest_changes_keys(&changes, ALL_WAYS, keys, sizeof(keys)),
			       remedy);
	}
	manifest_changes_free(&changes);
	json_decref(plugin);
	state_free(&state);
}

void supervised_mark(const struct supervised *s, const struct device_state *state, bool anew)
{
	json_t *asked = anew ? manifest_asked(&s->options.cfg) : json_incref(state->asked);

	if (s->source && (anew || !state->source || strcmp(state->source, s->source)) &&
	    state_set_source(state->id, s->source, asked))
		supervised_log(s, log_debug, "its state does not tell whose it is");
	json_decref(asked);
}
