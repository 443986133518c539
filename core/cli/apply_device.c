// SPDX-License-Identifier: MIT
/* Making one device what its manifest says, by the ways that the other verbs have. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/apply.h"
#include "cli/cli.h"
#include "cli/resize.h"
#include "cli/serving.h"
#include "cli/stop.h"
#include "cli/upgrade.h"
#include "config/size.h"

struct work {
	const struct apply_request *request;
	struct plan_entry *entry;
};

const char *apply_outcome_word(enum apply_outcome outcome)
{
	static const char *const words[] = {
		[APPLY_NOTHING] = "nothing", [APPLY_ADDED] = "added",
		[APPLY_CHANGED] = "changed", [APPLY_RECREATED] = "re-created",
		[APPLY_REMOVED] = "removed", [APPLY_KEPT] = "kept",
		[APPLY_LEFT] = "left",	     [APPLY_FAILED] = "failed"
	};

	return words[outcome];
}

static void tell(const struct work *work, const char *fmt, ...) __printf_like(2, 3);

static void tell(const struct work *work, const char *fmt, ...)
{
	va_list ap;

	if (work->request->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout); /* before a fork, and while the next one takes its time */
}

/* 0 or -errno, logged. */
static int read_view(const struct plan_entry *entry, struct device_view *view)
{
	struct ctrl *ctrl = devices_ctrl();
	int err = device_view_read(view, entry->id, entry->name, ctrl);

	ctrl_close(ctrl); /* before the fork: a control ring is this process's */
	if (err)
		device_view_failed("look at", entry->id, entry->name, err);
	return err;
}

/* -- a new device */

static void mark_new(const struct plan_entry *entry)
{
	json_t *asked = manifest_asked(&entry->options.cfg);
	struct device_state state;
	int err = state_find_name(entry->name, &state);

	if (!err) {
		err = state_set_source(state.id, entry->source, asked);
		state_free(&state);
	}
	if (err)
		log_warn("the state of %s does not tell that it is of %s: %s", entry->name,
			 entry->source, strerror(-err));
	json_decref(asked);
}

static enum apply_outcome add(const struct work *work)
{
	const struct serving serving = { .options = &work->entry->options, .alone = true };
	char node[SERVING_NODE_SIZE];

	if (serving_start(&serving, node) != EXIT_DONE) {
		log_err("%s was not added", work->entry->name);
		return APPLY_FAILED;
	}
	mark_new(work->entry);
	tell(work, "added %s (%s)", work->entry->name, node);
	return APPLY_ADDED;
}

/* -- changes of a device that stays */

static int put_pointer(json_t *manifest, const char *pointer, json_t *value)
{
	const char *slash = strchr(pointer + 1, '/');
	__cleanup_free char *section =
		slash ? strndup(pointer + 1, (size_t)(slash - pointer - 1)) : NULL;
	const char *key = slash ? slash + 1 : pointer + 1;
	json_t *object = slash ? json_object_get(manifest, section) : manifest;

	if (!value) {
		json_object_del(object, key); /* or it was not there */
		return 0;
	}
	if (!object && section) {
		object = json_object();
		if (json_object_set_new(manifest, section, object))
			return -ENOMEM;
	}
	return json_object_set(object, key, value) ? -ENOMEM : 0;
}

/* The device's manifest, as its next server is to have it. */
static int change_manifest(const struct manifest_changes *changes, json_t *manifest)
{
	int err = 0;

	for (size_t i = 0; i < changes->nr && !err; i++) {
		const struct manifest_change *change = &changes->change[i];

		if (change->way == CHANGE_UPGRADE && *change->key == '/' &&
		    strcmp(change->key, "/plugin"))
			err = put_pointer(manifest, change->key, change->wanted);
	}
	return err;
}

static const struct manifest_change *first_of(const struct manifest_changes *changes,
					      enum change_way way)
{
	for (size_t i = 0; i < changes->nr; i++)
		if (changes->change[i].way == way)
			return &changes->change[i];
	return NULL;
}

/* One that can take over. */
static bool other_plugin(const struct manifest_changes *changes)
{
	for (size_t i = 0; i < changes->nr; i++)
		if (!strcmp(changes->change[i].key, "/plugin"))
			return changes->change[i].way == CHANGE_UPGRADE;
	return false;
}

static bool resize(const struct work *work, const struct manifest_change *change)
{
	char was[SIZE_TEXT_MAX], is[SIZE_TEXT_MAX];
	struct device_view view;
	uint64_t size = 0;
	int err;

	if (size_parse(json_string_value(change->wanted), &size) || read_view(work->entry, &view))
		return false;
	err = resize_device(&view, size, false);
	if (!err)
		tell(work, "resized %s from %s to %s", work->entry->name,
		     size_format((uint64_t)view.size, was), size_format(size, is));
	device_view_free(&view);
	return !err;
}

static bool upgrade(const struct work *work)
{
	const struct manifest_changes *changes = &work->entry->changes;
	struct upgrade_outcome outcome = { 0 };
	struct device_view view;
	char keys[256];
	int err;

	if (read_view(work->entry, &view))
		return false;
	err = change_manifest(changes, view.state.manifest);
	if (err)
		log_err("cannot upgrade %s: %s", work->entry->name, strerror(-err));
	else
		upgrade_device(&view, other_plugin(changes) ? work->entry->plugin_path : NULL,
			       &outcome);
	if (outcome.upgraded)
		tell(work, "upgraded %s, requests waited for %" PRIu64 " ms: %s", work->entry->name,
		     outcome.pause_ms,
		     manifest_changes_keys(changes, 1u << CHANGE_UPGRADE, keys, sizeof(keys)));
	device_view_free(&view);
	return outcome.upgraded;
}

static bool recover(const struct work *work)
{
	struct device_options options = { 0 };
	char node[SERVING_NODE_SIZE];
	struct device_view view;
	int status = EXIT_FAILED;

	if (read_view(work->entry, &view))
		return false;
	if (!device_take_in_hand(&view, "recovered")) {
		if (!serving_of_state(&options, &view.state))
			status = serving_start(&(struct serving){ .options = &options,
								  .former = &view.state,
								  .alone = true },
					       node);
		if (status != EXIT_DONE)
			state_let_go(view.id);
	}
	if (status == EXIT_DONE)
		tell(work, "recovered %s (%s)", work->entry->name, node);
	device_options_free(&options);
	device_view_free(&view);
	return status == EXIT_DONE;
}

/* In the order of the ways: a device is served before it is resized, and upgraded with its size. */
static bool change_live(const struct work *work)
{
	const struct manifest_changes *changes = &work->entry->changes;
	const struct manifest_change *size = first_of(changes, CHANGE_RESIZE);

	if (first_of(changes, CHANGE_RECOVER) && !recover(work))
		return false;
	if (size && !resize(work, size))
		return false;
	return !first_of(changes, CHANGE_UPGRADE) || upgrade(work);
}

/* -- down and up */

/* The new device could not be had: what was there comes back, as far as its plugin keeps it. */
static void restore(const struct work *work, const struct device_state *state)
{
	struct device_options options = { 0 };
	char node[SERVING_NODE_SIZE];
	int status = EXIT_FAILED;

	if (!serving_of_state(&options, state)) {
		free(options.cfg.plugin);
		options.cfg.plugin = strdup(state->plugin_path);
		if (options.cfg.plugin)
			status = serving_start(
				&(struct serving){ .options = &options, .alone = true }, node);
	}
	if (status == EXIT_DONE) {
		if (state->source)
			state_set_source(state->id, state->source, state->asked);
		log_warn("%s (%s) is as it was made before", work->entry->name, node);
	} else {
		log_err("%s is gone: neither as it is wanted nor as it was could it be made",
			work->entry->name);
	}
	device_options_free(&options);
}

static enum apply_outcome recreate(const struct work *work)
{
	struct plan_entry *entry = work->entry;
	const struct serving serving = { .options = &entry->options, .alone = true };
	enum apply_outcome outcome = APPLY_FAILED;
	struct prepared_server server;
	char node[SERVING_NODE_SIZE];
	struct device_view view;

	if (read_view(entry, &view))
		return APPLY_FAILED;
	if (serving_prepare(&serving, &server) != EXIT_DONE) {
		log_err("%s is served as before", entry->name);
		goto out;
	}
	if (stop_one(entry->id, entry->name, false, STOP_DEFAULT_MS) == STOP_FAILED) {
		serving_drop(&server);
		goto out;
	}
	if (serving_go(&server, node) == EXIT_DONE) {
		mark_new(entry);
		tell(work, "re-created %s (%s)", entry->name, node);
		outcome = APPLY_RECREATED;
	} else {
		restore(work, &view.state);
	}
out:
	device_view_free(&view);
	return outcome;
}

static void tell_left(const struct work *work)
{
	const struct manifest_changes *changes = &work->entry->changes;

	for (size_t i = 0; i < changes->nr; i++) {
		__cleanup_free char *text = NULL;

		if (changes->change[i].way != CHANGE_RECREATE)
			continue;
		text = plan_change_text(&changes->change[i]);
		tell(work, "left %s: %s; --recreate does that", work->entry->name,
		     text ? text : changes->change[i].key);
	}
}

static enum apply_outcome change(const struct work *work)
{
	const bool anew = manifest_changes_way(&work->entry->changes) == CHANGE_RECREATE;

	if (anew && work->request->recreate)
		return recreate(work);
	if (!change_live(work))
		return APPLY_FAILED;
	if (!anew)
		return APPLY_CHANGED;
	tell_left(work);
	return APPLY_LEFT;
}

static enum apply_outcome remove_device(const struct work *work)
{
	struct plan_entry *entry = work->entry;
	enum stop_outcome outcome;

	if (!work->request->prune) {
		tell(work, "kept %s: %s is gone; --prune removes it", entry->name, entry->source);
		return APPLY_KEPT;
	}
	outcome = stop_one(entry->id, entry->name, false, STOP_DEFAULT_MS);
	if (outcome == STOP_FAILED)
		return APPLY_FAILED;
	tell(work, "removed %s", entry->name);
	return APPLY_REMOVED;
}

enum apply_outcome apply_device(const struct apply_request *request, struct plan_entry *entry)
{
	const struct work work = { request, entry };

	if (entry->kind == PLAN_SAME)
		return APPLY_NOTHING;
	if (entry->supervisor) {
		log_err("%s is left to ublk-host serve, process %d, which sees to it from %s",
			entry->name, entry->supervisor, entry->other);
		return APPLY_LEFT;
	}
	if (entry->in_hand) {
		log_err("%s gets another server just now, by another program; try again",
			entry->name);
		return APPLY_FAILED;
	}
	switch (entry->kind) {
	case PLAN_ADD:
		return add(&work);
	case PLAN_REMOVE:
		return remove_device(&work);
	default:
		return change(&work);
	}
}
