// SPDX-License-Identifier: MIT
/* The verbs export, diff and apply, on states that were made up: what is planned, and what is not done. */
#include <jansson.h>

#include "cli/apply.h"
#include "cli/cli.h"
#include "cli/folder_lock.h"
#include "config/device_manifest.h"
#include "schema.h"
#include "state_help.h"
#include "verb_run.h"

#define HEAD "{ \"ublk_device_manifest\": \"1.0\", \"plugin\": \"null\""

static char plugins[512], devices[256];

static void setup(void)
{
	const char *top = getenv("top_builddir");
	char *real = realpath(top ? top : ".", NULL);

	ck_assert_ptr_nonnull(real);
	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", real);
	free(real);
	setenv("UBLK_HOST_PLUGIN_PATH", plugins, 1);
	state_setup();
	in_dir(devices, "devices");
	ck_assert_int_eq(mkdir(devices, 0755), 0);
}

static void has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

static void put_manifest(const char *name, const char *members)
{
	char path[280], text[512];

	snprintf(path, sizeof(path), "devices/%s.json", name);
	snprintf(text, sizeof(text), HEAD "%s }\n", members);
	put(path, text, 0644);
}

/* A device that this process serves. folder NULL: it does not belong to a manifest. */
static void put_device(uint32_t id, const char *name, const char *folder, const char *asked)
{
	struct device_state state = sample(id, (char *)name);
	char path[600], source[400];

	snprintf(path, sizeof(path), "%s/null.so", plugins);
	snprintf(source, sizeof(source), "%s/%s.json", folder ? folder : "", name);
	state.plugin_path = path;
	state.source = folder ? source : NULL;
	state.asked = asked ? json_loads(asked, 0, NULL) : NULL;
	state.manifest = json_pack("{s:s, s:s, s:s, s:{s:I}, s:{s:i, s:i, s:i, s:s, s:b}}",
				   "ublk_device_manifest", "1.0", "name", name, "plugin", "null",
				   "options", "size", (json_int_t)16 << 20, "device", "id", (int)id,
				   "queues", 2, "depth", 128, "recovery", "none", "read_only", 0);
	ck_assert_ptr_nonnull(state.manifest);
	ck_assert_int_eq(state_write(&state), 0);
	json_decref(state.manifest);
	json_decref(state.asked);
}

#define SIZE_16M ", \"options\": { \"size\": \"16M\" }"
#define SIZE_32M ", \"options\": { \"size\": \"32M\" }"
#define ASKED "{ \"/plugin\": \"null\", \"/options/size\": null }"

/* One of each kind, and devices that are none of this folder's business. */
static void put_all(void)
{
	put_manifest("same", SIZE_16M);
	put_manifest("new", "");
	put_manifest("changed", SIZE_32M ", \"device\": { \"depth\": 64 }");
	put_device(ID, "same", devices, ASKED);
	put_device(ID + 1, "changed", devices, ASKED);
	put_device(ID + 2, "gone", devices, ASKED);
	put_device(ID + 3, "hand", NULL, NULL);
	put_device(ID + 4, "other", "/elsewhere", ASKED);
}

/* -- diff */

START_TEST(diff_tells)
{
	char expected[2048];

	put_all();
	ck_assert_int_eq(run_verb(verb_diff, devices, NULL), 1);
	ck_assert_str_eq(err.text, "");
	snprintf(expected, sizeof(expected),
		 "differs        changed  /device/depth 128 -> 64 (needs re-creation); "
		 "/options/size 16M -> 32M (live, by resize)\n"
		 "to-be-added    new      %s/new.json\n"
		 "same           same     %s/same.json\n"
		 "to-be-removed  gone     %s/gone.json is gone\n",
		 devices, devices, devices);
	ck_assert_str_eq(out.text, expected);
	ck_assert_int_eq(run_verb(verb_apply, "--dry-run", devices, NULL), 1);
	ck_assert_str_eq(out.text, expected);
}
END_TEST

START_TEST(diff_as_json)
{
	json_t *json, *first, *change;

	put_all();
	ck_assert_int_eq(run_verb(verb_diff, "--json", devices, NULL), 1);
	json = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_uint_eq(json_array_size(json), 4);
	first = json_array_get(json, 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "name")), "changed");
	ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "differs");
	has(json_string_value(json_object_get(first, "manifest")), "/devices/changed.json");
	ck_assert_uint_eq(json_array_size(json_object_get(first, "changes")), 2);
	change = json_array_get(json_object_get(first, "changes"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(change, "key")), "/device/depth");
	ck_assert_int_eq(json_integer_value(json_object_get(change, "is")), 128);
	ck_assert_int_eq(json_integer_value(json_object_get(change, "wanted")), 64);
	ck_assert_str_eq(json_string_value(json_object_get(change, "way")), "re-creation");
	ck_assert(json_is_false(json_object_get(change, "live")));
	ck_assert(json_is_null(json_object_get(change, "why")));
	ck_assert_ptr_null(json_object_get(first, "outcome"));
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(json, 2), "changes")), 0);
	json_decref(json);
}
END_TEST

START_TEST(all_the_same)
{
	put_manifest("same", SIZE_16M);
	put_device(ID, "same", NULL, NULL);
	put_device(ID + 3, "hand", NULL, NULL);
	ck_assert_int_eq(run_verb(verb_diff, devices, NULL), EXIT_DONE);
	ck_assert_int_eq(run_verb(verb_apply, "--prune", "--recreate", devices, NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, "");
	has(err.text, "nothing to do");
	ck_assert_int_eq(run_verb(verb_apply, "-j", devices, NULL), EXIT_DONE);
	has(out.text, "\"outcome\": \"nothing\"");
	ck_assert(exists("900001.json") && exists("900004.json"));
}
END_TEST

/* -- wrong input */

static void check_wrong(const char *part)
{
	int (*const verbs[])(int, char **) = { verb_diff, verb_apply };
	char before[32];

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		ck_assert_int_eq(run_verb(verbs[i], devices, NULL), EXIT_USAGE);
		ck_assert_str_eq(out.text, "");
		has(err.text, part);
		snprintf(before, sizeof(before), "%u.json", ID);
		ck_assert(exists(before));
	}
}

START_TEST(wrong_manifests)
{
	char path[280];

	put_all();
	put_manifest("wrong", ", \"devise\": 3");
	check_wrong("/devices/wrong.json:1:52: /devise: unknown key (did you mean \"device\"?)");
	put_manifest("wrong", ", \"options\": { \"sise\": 3 }");
	check_wrong("/options/sise: plugin null has no option \"sise\"");
	put("devices/wrong.json", "{ \"ublk_device_manifest\": \"1.0\", \"plugin\": \"nul\" }",
	    0644);
	check_wrong("unknown plugin \"nul\" (did you mean \"null\"?)");
	put_manifest("wrong", ", \"name\": \"same\"");
	check_wrong("wrong.json: the name same is that of");
	in_dir(path, "devices/wrong.json");
	unlink(path);
	put_manifest("no name", "");
	check_wrong("its device needs a \"name\"");
	in_dir(path, "devices/no name.json");
	unlink(path);
	ck_assert_int_eq(run_verb(verb_diff, devices, NULL), 1);
	snprintf(devices, sizeof(devices), "%s/nowhere", dir);
	check_wrong("expected a folder of manifests");
	snprintf(devices, sizeof(devices), "%s/900001.json", dir);
	check_wrong("expected a folder of manifests: it is none");
}
END_TEST

/* -- what apply does not do */

START_TEST(not_without_being_asked)
{
	char line[400];

	put_manifest("changed", SIZE_16M ", \"device\": { \"depth\": 64 }");
	put_device(ID + 1, "changed", devices, ASKED);
	put_device(ID + 2, "gone", devices, ASKED);
	ck_assert_int_eq(run_verb(verb_apply, devices, NULL), EXIT_FAILED);
	has(out.text,
	    "left changed: /device/depth 128 -> 64 (needs re-creation); --recreate does that\n");
	snprintf(line, sizeof(line), "kept gone: %s/gone.json is gone; --prune removes it\n",
		 devices);
	has(out.text, line);
	put_manifest("changed", SIZE_16M); /* what is only kept is no failure */
	ck_assert_int_eq(run_verb(verb_apply, "--json", devices, NULL), EXIT_DONE);
	has(out.text, "\"outcome\": \"kept\"");
	ck_assert(exists("900002.json") && exists("900003.json"));
}
END_TEST

START_TEST(not_against_a_supervisor)
{
	struct folder_lock lock;
	char other[256], line[128];

	put_manifest("changed", SIZE_16M ", \"device\": { \"depth\": 64 }");
	in_dir(other, "other");
	ck_assert_int_eq(mkdir(other, 0755), 0);
	put_device(ID + 1, "changed", other, ASKED);
	/* another folder's device, whose supervisor lives */
	ck_assert_int_eq(folder_lock(&lock, other, "serve"), 0);
	ck_assert_int_eq(run_verb(verb_apply, "--recreate", devices, NULL), EXIT_FAILED);
	snprintf(line, sizeof(line),
		 "changed is left to ublk-host serve, process %d, which sees to it "
		 "from ",
		 getpid());
	has(err.text, line);
	folder_unlock(&lock);
	/* which has ended */
	ck_assert_int_eq(run_verb(verb_apply, devices, NULL), EXIT_FAILED);
	has(out.text, "left changed: /device/depth");
	/* this folder's own */
	ck_assert_int_eq(folder_lock(&lock, devices, "serve"), 0);
	ck_assert_int_eq(run_verb(verb_apply, "--recreate", devices, NULL), EXIT_FAILED);
	snprintf(line, sizeof(line), "ublk-host serve, process %d, sees to ", getpid());
	has(err.text, line);
	ck_assert_str_eq(out.text, "");
	ck_assert_int_eq(run_verb(verb_diff, devices, NULL), 1);
	folder_unlock(&lock);
	/* and another apply, which is not to be told anything */
	ck_assert_int_eq(folder_lock(&lock, devices, "apply"), 0);
	ck_assert_int_eq(run_verb(verb_apply, "--recreate", devices, NULL), EXIT_FAILED);
	snprintf(line, sizeof(line), "ublk-host apply, process %d, already sees to ", getpid());
	has(err.text, line);
	folder_unlock(&lock);
	ck_assert(exists("900002.json"));
}
END_TEST

/* -- ways, by what the device can do */

static void judge_plugin(struct plan_entry *entry, const char *plugin, enum seen seen,
			 const struct plan_facts *facts)
{
	struct device_view view = { .id = 7, .ours = true };
	struct errors errors = { 0 };

	*entry = (struct plan_entry){ 0 };
	put_manifest("m", SIZE_32M ", \"device\": { \"poll_us\": 10 }");
	ck_assert_int_eq(
		device_options_of_manifest(&entry->options, "devices/m.json", NULL, &errors), 0);
	view.state.manifest = json_pack("{s:s, s:{s:I}, s:{s:i}}", "plugin", plugin, "options",
					"size", (json_int_t)16 << 20, "device", "poll_us", 0);
	ck_assert_int_eq(plan_judge(entry, seen, &view, facts), 0);
	json_decref(view.state.manifest);
}

static void judge(struct plan_entry *entry, enum seen seen, const struct plan_facts *facts)
{
	judge_plugin(entry, "null", seen, facts);
}

static const struct manifest_change *find_change(const struct plan_entry *entry, const char *key)
{
	for (size_t i = 0; i < entry->changes.nr; i++)
		if (!strcmp(entry->changes.change[i].key, key))
			return &entry->changes.change[i];
	ck_abort_msg("no change of %s", key);
}

static void done(struct plan_entry *entry)
{
	device_options_free(&entry->options);
	manifest_changes_free(&entry->changes);
}

START_TEST(ways_of_a_device)
{
	struct plan_facts facts = { 0 };
	struct plan_entry entry;

	ck_assert_int_eq(chdir(dir), 0);
	judge(&entry, SEEN_NOTHING, &facts);
	ck_assert_int_eq(entry.kind, PLAN_ADD);
	done(&entry);
	judge(&entry, SEEN_SERVED, &facts);
	ck_assert_int_eq(entry.kind, PLAN_DIFFERS);
	ck_assert_int_eq(find_change(&entry, "/options/size")->way, CHANGE_RESIZE);
	ck_assert_int_eq(find_change(&entry, "/device/poll_us")->way, CHANGE_UPGRADE);
	ck_assert_int_eq(manifest_changes_way(&entry.changes), CHANGE_UPGRADE);
	done(&entry);
	judge(&entry, SEEN_WAITING, &facts);
	ck_assert_int_eq(find_change(&entry, "server")->way, CHANGE_RECOVER);
	done(&entry);
	judge(&entry, SEEN_IN_HAND, &facts);
	ck_assert(entry.in_hand);
	done(&entry);
	strcpy(facts.no_recover, "it was given up");
	judge(&entry, SEEN_FAILED, &facts);
	ck_assert_int_eq(find_change(&entry, "server")->way, CHANGE_RECREATE);
	ck_assert_str_eq(find_change(&entry, "server")->why, "it was given up");
	done(&entry);
	facts = (struct plan_facts){ .program_replaced = true, .plugin_replaced = true };
	judge(&entry, SEEN_SERVED, &facts);
	ck_assert_int_eq(find_change(&entry, "program")->way, CHANGE_UPGRADE);
	ck_assert_int_eq(find_change(&entry, "plugin file")->way, CHANGE_UPGRADE);
	done(&entry);
	strcpy(facts.no_upgrade, "it was made with --recovery none");
	strcpy(facts.no_resize, "the driver cannot");
	judge(&entry, SEEN_SERVED, &facts);
	ck_assert_uint_eq(entry.changes.nr, 4);
	for (size_t i = 0; i < entry.changes.nr; i++)
		ck_assert_int_eq(entry.changes.change[i].way, CHANGE_RECREATE);
	ck_assert_str_eq(find_change(&entry, "/options/size")->why, "the driver cannot");
	ck_assert_str_eq(find_change(&entry, "program")->why, "it was made with --recovery none");
	done(&entry);
}
END_TEST

/* An upgrade to a plugin that cannot take over would fail, whenever it is tried. */
START_TEST(plugins_that_cannot_take_over)
{
	static const struct {
		const char *plugin, *device;
		bool can;
	} pairs[] = {
		{ "reissue", "reissue", true }, { "queue", "reissue", false },
		{ "none", "reissue", false },	{ "queue", "queue", true },
		{ "none", "queue", false },	{ "none", "none", true },
	};
	struct plan_facts facts = { .program_replaced = true };
	struct plan_entry entry;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		json_t *plugin = json_pack("{s:s}", "recovery", pairs[i].plugin);
		json_t *device = json_pack("{s:{s:s}}", "device", "recovery", pairs[i].device);

		ck_assert_int_eq(!plan_successor_obstacle(plugin, device), pairs[i].can);
		ck_assert_ptr_null(plan_successor_obstacle(NULL, device));
		json_decref(plugin);
		json_decref(device);
	}
	ck_assert_int_eq(chdir(dir), 0);
	strcpy(facts.no_successor, "it does not recover");
	judge_plugin(&entry, "mem", SEEN_SERVED, &facts);
	ck_assert_int_eq(find_change(&entry, "/plugin")->way, CHANGE_RECREATE);
	ck_assert_str_eq(find_change(&entry, "/plugin")->why, "it does not recover");
	ck_assert_int_eq(find_change(&entry, "program")->way, CHANGE_UPGRADE);
	ck_assert_int_eq(find_change(&entry, "/device/poll_us")->way, CHANGE_UPGRADE);
	done(&entry);
	facts.plugin_replaced = true; /* no next server gets the former file */
	judge(&entry, SEEN_SERVED, &facts);
	ck_assert_int_eq(find_change(&entry, "plugin file")->way, CHANGE_RECREATE);
	ck_assert_int_eq(find_change(&entry, "program")->way, CHANGE_RECREATE);
	done(&entry);
	judge_plugin(&entry, "mem", SEEN_WAITING, &facts);
	ck_assert_int_eq(find_change(&entry, "/plugin")->way, CHANGE_RECREATE);
	done(&entry);
}
END_TEST

/* -- export */

static void put_exported(uint32_t id, const char *plugin, const char *path, json_t *options)
{
	struct device_state state = sample(id, "scratch");

	state.plugin_path = (char *)path;
	state.manifest =
		json_pack("{s:s, s:s, s:s, s:o, s:{s:i, s:s}, s:s}", "ublk_device_manifest", "1.0",
			  "name", "scratch", "plugin", plugin, "options", options, "device", "id",
			  (int)id, "recovery", "reissue", "cpus", "auto");
	ck_assert_ptr_nonnull(state.manifest);
	ck_assert_int_eq(state_write(&state), 0);
	json_decref(state.manifest);
}

/* What was printed is a manifest, of this plugin. */
static void check_manifest(const char *plugin)
{
	json_t *schema = schema_load("device-manifest.schema.json");
	json_t *json = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	struct errors errors = { 0 };
	struct device_config cfg;
	char path[256];

	ck_assert_msg(schema_accepts(schema, schema, json), "%s", out.text);
	json_object_set_new(json, "nonsense", json_true());
	ck_assert(!schema_accepts(schema, schema, json));
	json_decref(json);
	json_decref(schema);
	put("exported.json", out.text, 0644);
	in_dir(path, "exported.json");
	device_config_init(&cfg);
	ck_assert_int_eq(device_manifest_load(&cfg, path, &errors), 0);
	ck_assert_str_eq(cfg.name, "scratch");
	ck_assert_str_eq(cfg.plugin, plugin);
	ck_assert_int_eq(cfg.id, ID);
	ck_assert_str_eq(cfg.recovery, "reissue");
	device_config_free(&cfg);
	errors_free(&errors);
}

START_TEST(export_tells)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/null.so", plugins);
	put_exported(ID, "null", path, json_pack("{s:i}", "size", 4096));
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	check_manifest("null");
	ck_assert_int_eq(run_verb(verb_export, "900001", NULL), EXIT_DONE);
	check_manifest("null");
	/* a name that leads elsewhere by now, and a plugin that was given by path */
	put_exported(ID, "mem", path, json_pack("{s:i}", "size", 4096));
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	check_manifest(path);
	put_exported(ID, path, path, json_object());
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	check_manifest(path);
}
END_TEST

START_TEST(export_of_secrets)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/../../tests/plugins/load/secret.so", plugins);
	put_exported(ID, path, path, json_pack("{s:s}", "pool", "tank"));
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	has(err.text, "scratch: option key is a secret and is not shown: add \"key\": \"@FILE\" to "
		      "\"options\"\n");
	has(err.text, "scratch: option token is a secret and is not shown: if it was given, add "
		      "\"token\": \"@FILE\" to \"options\"\n");
	ck_assert_ptr_null(strstr(err.text, "pool"));
	check_manifest(path);
	put_exported(ID, path, path,
		     json_pack("{s:s, s:s}", "key", "@/etc/key", "token", "@/etc/t"));
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	check_manifest(path);
	put_exported(ID, "/nowhere/x.so", "/nowhere/x.so", json_object());
	ck_assert_int_eq(run_verb(verb_export, "scratch", NULL), EXIT_DONE);
	has(err.text, "it is not known which options are secret");
	check_manifest("/nowhere/x.so");
}
END_TEST

START_TEST(export_of_what_is_not_there)
{
	ck_assert_int_eq(run_verb(verb_export, "nothing", NULL), EXIT_FAILED);
	has(err.text, "no device is named \"nothing\"");
	write_sample(ID, "bare");
	ck_assert_int_eq(run_verb(verb_export, "bare", NULL), EXIT_FAILED);
	has(err.text, "bare cannot be exported: its state file does not say what it was made of");
	ck_assert_str_eq(out.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verb_apply");
	TCase *tc = tcase_create("folders"), *export = tcase_create("export");

	tcase_add_checked_fixture(tc, setup, state_teardown);
	tcase_set_timeout(tc, 30); /* plugins are loaded by processes of their own */
	tcase_add_test(tc, diff_tells);
	tcase_add_test(tc, diff_as_json);
	tcase_add_test(tc, all_the_same);
	tcase_add_test(tc, wrong_manifests);
	tcase_add_test(tc, not_without_being_asked);
	tcase_add_test(tc, not_against_a_supervisor);
	tcase_add_test(tc, ways_of_a_device);
	tcase_add_test(tc, plugins_that_cannot_take_over);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(export, setup, state_teardown);
	tcase_add_test(export, export_tells);
	tcase_add_test(export, export_of_secrets);
	tcase_add_test(export, export_of_what_is_not_there);
	suite_add_tcase(suite, export);
	return run_tap(suite);
}
