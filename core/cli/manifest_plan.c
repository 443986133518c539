// SPDX-License-Identifier: MIT
/* From a folder of manifests, and the devices that there are, to what is to be done. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/folder_lock.h"
#include "cli/manifest_plan.h"
#include "cli/server_files.h"
#include "cli/serving.h"
#include "config/path.h"
#include "device/stats_file.h"
#include "plugin/plugin.h"

static struct plan_entry *add_entry(struct plan *plan)
{
	struct plan_entry *grown = reallocarray(plan->entry, plan->nr + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	plan->entry = grown;
	grown[plan->nr] = (struct plan_entry){ 0 };
	return &grown[plan->nr++];
}

static const struct plan_entry *find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->entry[i].name && !strcmp(plan->entry[i].name, name))
			return &plan->entry[i];
	return NULL;
}

/* -- what the manifests want */

static int read_file(struct plan *plan, const struct manifest_reader *reader,
		     const struct manifest_file *file, struct errors *errors)
{
	struct plan_entry *entry = add_entry(plan);
	const struct plan_entry *other;
	int err;

	if (!entry)
		return -ENOMEM;
	err = manifest_read(reader, file, &entry->options, errors);
	if (err)
		return err;
	other = find(plan, entry->options.cfg.name);
	if (other) {
		errors_add(errors, "%s: the name %s is that of %s, too", file->path,
			   entry->options.cfg.name, other->source);
		return -EEXIST;
	}
	entry->name = strdup(entry->options.cfg.name);
	entry->source = manifest_source(file);
	return entry->name && entry->source ? 0 : -ENOMEM;
}

/* 0, or -errno of the first that is wrong; all of them are told. */
static int read_files(struct plan *plan, const struct manifest_reader *reader,
		      const struct manifest_files *files)
{
	struct errors errors = { 0 };
	int err = 0;

	for (size_t i = 0; i < files->nr; i++) {
		int res = read_file(plan, reader, &files->file[i], &errors);

		if (res == -ENOMEM && !errors_count(&errors))
			log_err("%s: out of memory", files->file[i].path);
		err = err ? err : res == -EEXIST ? -EINVAL : res;
	}
	errors_print(&errors);
	errors_free(&errors);
	return err;
}

/* What only the plugin can tell: a process takes its options, and ends. */
static int check_plugins(struct plan *plan)
{
	int err = 0;

	for (size_t i = 0; i < plan->nr; i++) {
		struct plan_entry *entry = &plan->entry[i];
		int status;

		log_set_who(entry->name);
		entry->plugin_path = manifest_plugin_path(&entry->options);
		status = entry->plugin_path ? serving_check(&(struct serving){
						      .options = &entry->options, .alone = true })
					    : EXIT_USAGE;
		if (status != EXIT_DONE && err != -EINVAL)
			err = status == EXIT_USAGE ? -EINVAL : -EIO;
	}
	log_set_who(NULL);
	return err;
}

int plan_read(struct plan *plan, const char *dir, const struct manifest_reader *reader)
{
	char **folders = manifest_folders(dir);
	struct manifest_files files;
	struct stat st;
	int err;

	*plan = (struct plan){ 0 };
	plan->folder = realpath(dir, NULL);
	if (!plan->folder || stat(plan->folder, &st) || !S_ISDIR(st.st_mode)) {
		log_err("%s: expected a folder of manifests: %s", dir,
			plan->folder ? "it is none" : strerror(errno));
		manifest_folders_free(folders);
		return -EINVAL;
	}
	err = folders ? manifest_files_find(&files, folders) : -ENOMEM;
	manifest_folders_free(folders);
	if (err)
		return err;
	err = read_files(plan, reader, &files);
	manifest_files_free(&files);
	return err ? err : check_plugins(plan);
}

/* -- what there is */

/* Why not; "" if the server tells nothing: then it is tried. */
static void find_sizing(struct plan_facts *facts, const struct device_view *view)
{
	__cleanup_free struct stats *stats = NULL;

	if (stats_read(&view->state, &stats))
		return;
	if (!(stats->request.sizing & STATS_SIZE_CHANGES))
		snprintf(facts->no_resize, sizeof(facts->no_resize),
			 "the plugin, or the ublk driver (UPDATE_SIZE, Linux 6.16), cannot change "
			 "the size of a device");
}

static bool is_word(const json_t *object, const char *key, const char *word)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && !strcmp(text, word);
}

const char *plan_successor_obstacle(const json_t *plugin, const json_t *device)
{
	device = json_object_get(device, "device");
	if (json_object_get(device, "recovery") && !is_word(device, "recovery", "none") &&
	    is_word(plugin, "recovery", "none"))
		return "the plugin cannot open again what a former server had open";
	if (is_word(device, "recovery", "reissue") && is_word(plugin, "recovery", "queue"))
		return "the plugin does not allow that requests are done twice";
	return NULL;
}

/* The next server refuses a plugin that cannot take over, whenever it is tried. */
static void find_successor(struct plan_facts *facts, const struct device_view *view,
			   const char *path)
{
	json_t *other = path ? plugin_manifest_of_file(path) : NULL;
	const char *why =
		plan_successor_obstacle(path ? other : facts->plugin, view->state.manifest);

	snprintf(facts->no_successor, sizeof(facts->no_successor), "%s", why ? why : "");
	json_decref(other);
}

/* path: of the plugin that is wanted. */
static void facts_find(struct plan_facts *facts, enum seen seen, const struct device_view *view,
		       const char *path)
{
	struct server_files replaced;

	*facts = (struct plan_facts){ 0 };
	if (view->state.plugin_path)
		facts->plugin = plugin_manifest_of_file(view->state.plugin_path);
	find_successor(facts, view, path);
	if (seen != SEEN_SERVED) {
		device_can_recover(view, facts->no_recover, sizeof(facts->no_recover));
		return;
	}
	replaced = server_files_replaced("", &view->state);
	facts->program_replaced = replaced.program;
	facts->plugin_replaced = replaced.plugin;
	find_sizing(facts, view);
	device_can_hand_over(view, facts->no_upgrade, sizeof(facts->no_upgrade));
}

/* Why a change cannot be made as it seemed; "": it can. */
static const char *why_not_live(const struct manifest_change *change,
				const struct plan_facts *facts)
{
	if (change->way == CHANGE_RESIZE)
		return facts->no_resize;
	if (change->way != CHANGE_UPGRADE)
		return "";
	/* with its file replaced, every upgrade takes the one that is there now */
	if (*facts->no_successor && (facts->plugin_replaced || !strcmp(change->key, "/plugin")))
		return facts->no_successor;
	return facts->no_upgrade;
}

/* What the device cannot do while it is in use, is done by making it anew. */
static int limit_ways(struct manifest_changes *changes, const struct plan_facts *facts)
{
	int err = 0;

	for (size_t i = 0; i < changes->nr && !err; i++) {
		const char *why = why_not_live(&changes->change[i], facts);

		if (*why)
			err = manifest_change_set_way(&changes->change[i], CHANGE_RECREATE, why);
	}
	return err;
}

static int judge_served(struct plan_entry *entry, const struct plan_facts *facts)
{
	int err = 0;

	if (facts->program_replaced)
		err = manifest_change_add(&entry->changes, "program", CHANGE_UPGRADE,
					  "its file was replaced");
	if (!err && facts->plugin_replaced)
		err = manifest_change_add(&entry->changes, "plugin file", CHANGE_UPGRADE,
					  "it was replaced");
	return err;
}

int plan_judge(struct plan_entry *entry, enum seen seen, const struct device_view *view,
	       const struct plan_facts *facts)
{
	int err;

	if (seen == SEEN_NOTHING) {
		entry->kind = PLAN_ADD;
		return 0;
	}
	entry->in_hand = seen == SEEN_IN_HAND;
	err = manifest_compare(&entry->changes, &entry->options.cfg, entry->plugin_path,
			       &view->state, facts->plugin);
	if (!err && (seen == SEEN_WAITING || seen == SEEN_UNCLEAR)) /* recover asks again */
		err = manifest_change_add(&entry->changes, "server", CHANGE_RECOVER,
					  seen == SEEN_WAITING ? "it waits for one"
							       : "it has none");
	else if (!err && (seen == SEEN_REMAINS || seen == SEEN_FAILED))
		err = manifest_change_add(&entry->changes, "server", CHANGE_RECREATE,
					  facts->no_recover);
	else if (!err)
		err = judge_served(entry, facts);
	entry->kind = entry->changes.nr ? PLAN_DIFFERS : PLAN_SAME;
	return err ? err : limit_ways(&entry->changes, facts);
}

/* Whose it is, if not this folder's. */
static int find_supervisor(const struct plan *plan, struct plan_entry *entry,
			   const struct device_state *state)
{
	__cleanup_free char *folder = state->source ? path_folder(state->source) : NULL;

	if (!state->source)
		return 0;
	if (!folder)
		return -ENOMEM;
	if (!strcmp(folder, plan->folder))
		return 0;
	entry->supervisor = folder_supervisor(folder);
	entry->other = folder;
	folder = NULL;
	return 0;
}

static int look_at(struct plan *plan, struct plan_entry *entry)
{
	struct plan_facts facts = { 0 };
	struct device_view view;
	enum seen seen = supervised_look(entry->name, &entry->id, &view);
	int err;

	if (seen != SEEN_NOTHING)
		facts_find(&facts, seen, &view, entry->plugin_path);
	err = plan_judge(entry, seen, &view, &facts);
	json_decref(facts.plugin);
	if (seen == SEEN_NOTHING)
		return err;
	if (!err)
		err = find_supervisor(plan, entry, &view.state);
	device_view_free(&view);
	return err;
}

/* A device that is there, came from here, and is in none of the manifests. */
static int add_removal(const struct device_state *state, void *arg)
{
	__cleanup_free char *folder = state->source ? path_folder(state->source) : NULL;
	struct plan *plan = arg;
	struct plan_entry *entry;
	struct device_view view;
	enum seen seen;
	uint32_t id;

	if (!folder || strcmp(folder, plan->folder) || find(plan, state->name))
		return 0;
	seen = supervised_look(state->name, &id, &view);
	if (seen == SEEN_NOTHING)
		return 0;
	device_view_free(&view);
	entry = add_entry(plan);
	if (!entry)
		return -ENOMEM;
	entry->kind = PLAN_REMOVE;
	entry->id = id;
	entry->in_hand = seen == SEEN_IN_HAND;
	entry->name = strdup(state->name);
	entry->source = strdup(state->source);
	return entry->name && entry->source ? 0 : -ENOMEM;
}

int plan_look(struct plan *plan)
{
	const size_t wanted = plan->nr;
	int err = 0;

	for (size_t i = 0; i < wanted && !err; i++)
		err = look_at(plan, &plan->entry[i]);
	if (!err)
		err = state_for_each(add_removal, plan);
	if (err == -EBADMSG) /* told; nothing is known of that device */
		err = 0;
	if (err)
		log_err("cannot look at the devices: %s", strerror(-err));
	return err;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++) {
		struct plan_entry *entry = &plan->entry[i];

		free(entry->name);
		free(entry->source);
		free(entry->plugin_path);
		free(entry->other);
		device_options_free(&entry->options);
		manifest_changes_free(&entry->changes);
	}
	free(plan->entry);
	free(plan->folder);
	*plan = (struct plan){ 0 };
}

bool plan_is_done(const struct plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->entry[i].kind != PLAN_SAME)
			return false;
	return true;
}
