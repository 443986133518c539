// SPDX-License-Identifier: MIT
/* All devices that there are, and the one that a word means. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "config/errors.h"
#include "config/suggest.h"
#include "kernel/knobs.h"
#include "kernel/sysfs.h"

/* What there is to look at: one entry for each source that knows the id. */
struct found {
	uint32_t id;
	bool has_state;
};

struct found_list {
	struct found *found;
	size_t nr;
};

static int add_found(struct found_list *list, uint32_t id, bool has_state)
{
	struct found *grown = reallocarray(list->found, list->nr + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->found = grown;
	list->found[list->nr++] = (struct found){ .id = id, .has_state = has_state };
	return 0;
}

static int add_state(const struct device_state *state, void *arg)
{
	return add_found(arg, state->id, true);
}

/* By id; with a state file first. */
static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->id != y->id)
		return x->id > y->id ? 1 : -1;
	return (int)y->has_state - (int)x->has_state;
}

static int find_all(struct found_list *list)
{
	__cleanup_free uint32_t *ids = NULL;
	size_t i, kept = 0, nr = 0;
	int err;

	err = sysfs_devices("", &ids, &nr);
	for (i = 0; i < nr && !err; i++)
		err = add_found(list, ids[i], false);
	if (!err)
		err = state_for_each(add_state, list);
	if (err == -EBADMSG) /* told; the device is there all the same */
		err = 0;
	if (err || !list->nr)
		return err;
	qsort(list->found, list->nr, sizeof(*list->found), compare_found);
	for (i = 0; i < list->nr; i++)
		if (!kept || list->found[kept - 1].id != list->found[i].id)
			list->found[kept++] = list->found[i];
	list->nr = kept;
	return 0;
}

static int list_add(struct device_list *list, uint32_t id, bool read_state, struct ctrl *ctrl)
{
	int err = device_view_read_any(&list->view[list->nr], id, read_state, ctrl);

	if (!err && list->view[list->nr].condition == DEVICE_UNKNOWN && !knobs_privileged())
		list->hidden++;
	else if (!err)
		list->nr++;
	return err == -ENOENT ? 0 : err; /* it went away just now */
}

int device_list_read(struct device_list *list, struct ctrl *ctrl)
{
	struct found_list all = { 0 };
	int err = find_all(&all);
	size_t i;

	*list = (struct device_list){ 0 };
	if (!err && all.nr) {
		list->view = calloc(2 * all.nr, sizeof(*list->view));
		err = list->view ? 0 : -ENOMEM;
	}
	for (i = 0; i < all.nr && !err; i++) {
		err = list_add(list, all.found[i].id, all.found[i].has_state, ctrl);
		if (!err && list->nr && list->view[list->nr - 1].id_taken)
			err = list_add(list, all.found[i].id, false, ctrl);
	}
	free(all.found);
	if (err) {
		log_err("cannot list the devices: %s", strerror(-err));
		device_list_free(list);
	}
	return err;
}

void device_list_free(struct device_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		device_view_free(&list->view[i]);
	free(list->view);
	*list = (struct device_list){ 0 };
}

struct closest {
	struct suggest suggest;
	char *best;
};

static int offer_name(const struct device_state *state, void *arg)
{
	struct closest *closest = arg;
	char *copy;

	suggest_offer(&closest->suggest, state->name);
	if (closest->suggest.best != state->name)
		return 0;
	copy = strdup(state->name);
	free(closest->best);
	closest->suggest.best = closest->best = copy;
	return copy ? 0 : -ENOMEM;
}

static void no_such_name(const char *word)
{
	struct closest closest = { .best = NULL };
	char hint[SUGGEST_HINT_MAX];
	struct errors errors = { 0 };

	suggest_begin(&closest.suggest, word);
	if (state_for_each(offer_name, &closest) == -ENOMEM)
		closest.best = NULL;
	/* the collector makes control characters visible */
	errors_add(&errors, "no device is named \"%s\"%s; ublk-host list shows what there is", word,
		   suggest_hint(closest.best, hint));
	errors_print(&errors);
	errors_free(&errors);
	free(closest.best);
}

/* "7", "ublkb7", "/dev/ublkb7" */
static bool word_is_id(const char *word, uint32_t *id)
{
	unsigned long value;
	size_t len;

	if (strncmp(word, "/dev/", 5) == 0)
		word += 5;
	if (strncmp(word, "ublkb", 5) == 0)
		word += 5;
	len = strspn(word, "0123456789");
	if (!len || word[len] || len > 9)
		return false;
	value = strtoul(word, NULL, 10);
	*id = (uint32_t)value;
	return true;
}

int device_find(const char *word, uint32_t *id, const char **name)
{
	struct device_state state;
	int err = state_find_name(word, &state);

	*name = err ? NULL : word;
	if (err == 0) {
		*id = state.id;
		state_free(&state);
		return 0;
	}
	if ((err == -ENOENT || err == -EBADMSG) && word_is_id(word, id)) {
		err = state_read(*id, &state);
		if (err == 0)
			state_free(&state);
		if (err == 0 || device_in_kernel(*id))
			return 0;
		if (err == -ENOENT)
			log_err("there is no device %u; ublk-host list shows what there is", *id);
		return err;
	}
	if (err == -ENOENT)
		no_such_name(word);
	if (err == -EBADMSG)
		log_err("whether a device is named \"%s\" cannot be told without that file; ublk-host "
			"list shows what there is: give the id, /dev/ublkbID",
			word);
	return err;
}

int device_find_state(struct device_state *state, const char *word, const char *verb, uint32_t *id)
{
	const char *name;
	int err = device_find(word, id, &name);

	if (err)
		return err;
	err = state_read(*id, state);
	if (!err && name && strcmp(state->name, name)) {
		state_free(state);
		err = -ENOENT;
	}
	if (err == -ENOENT && !name)
		return -ENXIO;
	if (err && err != -EBADMSG) /* which has been told */
		device_view_failed(verb, *id, name, err);
	return err;
}

int device_find_view(struct device_view *view, const char *word, const char *verb,
		     struct ctrl *ctrl)
{
	const char *name;
	uint32_t id;
	int err = device_find(word, &id, &name);

	if (err)
		return err;
	err = device_view_read(view, id, name, ctrl);
	if (err)
		device_view_failed(verb, id, name, err);
	return err;
}
