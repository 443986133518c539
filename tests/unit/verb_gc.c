// SPDX-License-Identifier: MIT
/* The verb gc: which devices and files are left over, and that only those go, when they are to. */
#include <jansson.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "cli/cli.h"
#include "cli/orphans.h"
#include "cli/stop.h"
#include "device/stats_file.h"
#include "state_help.h"
#include "verb_run.h"

#define run(...) run_verb(verb_gc, __VA_ARGS__)

#define has(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text)

static void by_name(const char *name, const char *target)
{
	char path[256];

	in_dir(path, "by-name");
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/by-name/%s", dir, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

/* Of a server that is dead. */
static void write_dead(uint32_t id, char *name)
{
	struct device_state state = sample(id, name);

	state.pid = INT32_MAX;
	ck_assert_int_eq(state_write(&state), 0);
}

static void make_old(const char *name)
{
	const struct timeval times[2] = { { 1, 0 }, { 1, 0 } };
	char path[256];

	in_dir(path, name);
	ck_assert_int_eq(lutimes(path, times), 0);
}

/* -- devices */

static struct device_view view;
static struct orphan_facts facts;
static struct orphan orphan;

static void judge_setup(void)
{
	view = (struct device_view){ .id = 7, .condition = DEVICE_STOPPED, .has_info = true };
	facts = (struct orphan_facts){ .users = "", .server_side = "", .age = 1000 };
}

static void make_ours(void)
{
	view.ours = true;
	view.state.name = "scratch";
	view.state.pid = 77;
}

START_TEST(served_devices_are_none)
{
	view.server_alive = true;
	for (int c = DEVICE_LIVE; c <= DEVICE_UNKNOWN; c++) {
		view.condition = c;
		ck_assert(!orphan_judge(&view, &facts, &orphan));
	}
	view.server_alive = false;
	view.condition = DEVICE_LIVE; /* the driver would know */
	ck_assert(!orphan_judge(&view, &facts, &orphan));
	view.condition = DEVICE_UNKNOWN;
	ck_assert(!orphan_judge(&view, &facts, &orphan));
	/* Somebody brings it up, or takes it over. */
	facts.server_side = "open in x (pid 3)";
	view.condition = DEVICE_STOPPED;
	ck_assert(!orphan_judge(&view, &facts, &orphan));
	view.condition = DEVICE_QUIESCED;
	ck_assert(!orphan_judge(&view, &facts, &orphan));
}
END_TEST

START_TEST(dead_devices)
{
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert_int_eq(orphan.kind, ORPHAN_DEVICE);
	ck_assert_uint_eq(orphan.id, 7);
	ck_assert_str_eq(orphan.why, "nobody serves it");
	ck_assert_str_eq(orphan.keep, "");
	facts.age = 5; /* added, and not yet started? */
	ck_assert(orphan_judge(&view, &facts, &orphan));
	has(orphan.keep, "5 s old");
	make_ours(); /* then it is known that it was started */
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert_str_eq(orphan.why, "its server, process 77, is dead");
	ck_assert_str_eq(orphan.keep, "");
	facts = (struct orphan_facts){ .users = "mounted on /mnt", .server_side = "", .age = 9 };
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert_str_eq(orphan.keep, "it is in use: mounted on /mnt");
}
END_TEST

START_TEST(waiting_devices)
{
	view.condition = DEVICE_QUIESCED;
	view.info.flags = UBLK_F_USER_RECOVERY;
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert(orphan.waits);
	has(orphan.keep, "of the program that made it");
	make_ours();
	view.condition = DEVICE_FAIL_IO;
	facts.users = "mounted on /mnt";
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert(orphan.waits);
	ck_assert_str_eq(orphan.why, "its server is dead (fail-io)");
	has(orphan.keep, "ublk-host recover 7; and it is in use: mounted on /mnt");
	view.condition = DEVICE_GONE;
	ck_assert(orphan_judge(&view, &facts, &orphan));
	ck_assert_int_eq(orphan.kind, ORPHAN_STATE);
	ck_assert_str_eq(orphan.keep, "");
}
END_TEST

/* -- files */

START_TEST(nothing)
{
	char path[256];

	ck_assert_int_eq(run(NULL), EXIT_DONE);
	has(err.text, "nothing is left over");
	ck_assert_str_eq(out.text, "");
	ck_assert_int_eq(run("--json", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, "[]\n");
	snprintf(path, sizeof(path), "%s/none", dir);
	setenv("UBLK_HOST_RUN_DIR", path, 1);
	ck_assert_int_eq(run("--yes", NULL), EXIT_DONE);
	ck_assert(!exists("none"));
}
END_TEST

/* A device that is served, and whatever is not ours. */
static void put_others(void)
{
	write_sample(ID, "alive");
	put("notes.txt", "x", 0644);
	put("12.json.bak", "x", 0644);
	put("800001.stats.tmp", "x", 0644); /* somebody makes it just now */
	by_name("elsewhere", "/dev/sda");
	by_name(".800002.tmp", "/dev/ublkb800002");
}

static void check_others(void)
{
	ck_assert(exists("900001.json") && link_is("by-name/alive", NODE));
	ck_assert(exists("notes.txt") && exists("12.json.bak") && exists("800001.stats.tmp"));
	ck_assert(exists("by-name/elsewhere") && exists("by-name/.800002.tmp"));
}

static void put_leftovers(void)
{
	write_dead(900002, "gone");
	put("900003.json", "{ damaged", 0644);
	put("900004.stats", "damaged", 0644);
	put("900005.json.tmp", "x", 0644);
	make_old("900005.json.tmp");
	by_name("astray", "/dev/ublkb900006");
	by_name("alias", NODE);
	by_name(".900007.tmp", "/dev/ublkb900007");
	make_old("by-name/.900007.tmp");
}

START_TEST(files_are_told)
{
	static const struct {
		const char *kind, *file, *why;
	} lines[] = {
		{ "state", "900002.json (gone)", "its device is gone from the kernel" },
		{ "state", "900003.json", "it cannot be used, and there is no such device" },
		{ "statistics", "900004.stats", "its server is dead" },
		{ "temporary file", "900005.json.tmp", "it never became whole" },
		{ "temporary file", "by-name/.900007.tmp", "it never became whole" },
		{ "link", "by-name/alias", "the device that it leads to has another name" },
		{ "link", "by-name/astray", "it leads to a device that is gone" },
	};
	char expected[4096] = "", label[256];

	put_others();
	put_leftovers();
	ck_assert_int_eq(run(NULL), EXIT_DONE);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t len = strlen(expected);

		snprintf(label, sizeof(label), "%s/%s", dir, lines[i].file);
		snprintf(expected + len, sizeof(expected) - len, "would-remove  %-14s  %-*s  %s\n",
			 lines[i].kind, (int)(strlen(dir) + strlen("/by-name/.900007.tmp")), label,
			 lines[i].why);
	}
	ck_assert_str_eq(out.text, expected);
	has(err.text, "ublk-host gc --yes does that");
	ck_assert(exists("900002.json") && exists("900003.json") && exists("900004.stats"));
	ck_assert(exists("900005.json.tmp") && exists("by-name/astray") && exists("by-name/alias"));
	check_others();
}
END_TEST

START_TEST(files_are_removed)
{
	put_others();
	put_leftovers();
	ck_assert_int_eq(run("--yes", NULL), EXIT_DONE);
	has(out.text, "removed  state ");
	ck_assert_ptr_null(strstr(out.text, "would"));
	ck_assert(!exists("900002.json") && !exists("by-name/gone"));
	ck_assert(!exists("900003.json") && !exists("900004.stats"));
	ck_assert(!exists("900005.json.tmp") && !exists("by-name/.900007.tmp"));
	ck_assert(!exists("by-name/astray") && !exists("by-name/alias"));
	check_others();
	ck_assert_int_eq(run("--yes", NULL), EXIT_DONE);
	has(err.text, "nothing is left over");
}
END_TEST

START_TEST(as_json)
{
	json_t *json, *first;

	write_dead(900002, "gone");
	by_name("astray", "/dev/ublkb900006");
	ck_assert_int_eq(run("--dry-run", "--json", NULL), EXIT_DONE);
	json = json_loads(out.text, 0, NULL);
	ck_assert_uint_eq(json_array_size(json), 2);
	first = json_array_get(json, 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "kind")), "state");
	ck_assert_int_eq(json_integer_value(json_object_get(first, "id")), 900002);
	ck_assert_str_eq(json_string_value(json_object_get(first, "name")), "gone");
	ck_assert(json_is_null(json_object_get(first, "file")));
	ck_assert(json_is_null(json_object_get(first, "kept_because")));
	ck_assert_str_eq(json_string_value(json_object_get(first, "outcome")), "would-remove");
	first = json_array_get(json, 1);
	ck_assert(json_is_null(json_object_get(first, "id")));
	has(json_string_value(json_object_get(first, "file")), "/by-name/astray");
	json_decref(json);
}
END_TEST

/* gc, a plan and a supervisor's job know what a device was called when they found it. */
START_TEST(devices_are_of_a_name)
{
	static const struct {
		const char *name;
		int err;
	} looks[] = { { "now", 0 }, { NULL, 0 }, { "former", -ENOENT }, { "", -ENOENT } };
	struct device_view seen;

	write_dead(900004, "now");
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		ck_assert_int_eq(device_view_read(&seen, 900004, looks[i].name, NULL),
				 looks[i].err);
		ck_assert_int_eq(seen.ours, !looks[i].err);
		device_view_free(&seen);
	}
	ck_assert_int_eq(device_view_read(&seen, 900005, "", NULL), -ENOENT);
	ck_assert_int_eq(stop_one(900004, "former", true, 1000), STOP_FAILED);
	ck_assert_int_eq(stop_one(900004, "", true, 1000), STOP_FAILED);
	ck_assert(exists("900004.json"));
	ck_assert_int_eq(stop_one(900004, "now", true, 1000), STOP_TIDIED);
	ck_assert(!exists("900004.json"));
}
END_TEST

/* What has become a device's in the meantime stays. */
START_TEST(judged_again_before_it_goes)
{
	put("900004.stats", "damaged", 0644);
	write_sample(900004, "back");
	ck_assert_int_eq(leftover_remove("900004.stats"), -EBUSY);
	ck_assert_int_eq(leftover_remove("by-name/back"), -EBUSY);
	ck_assert_int_eq(leftover_remove("900004.json"), -EBUSY);
	ck_assert(exists("900004.stats") && exists("900004.json"));
	/* Who has the folder's lock knows that nobody makes it just now, however young it is. */
	put("900006.json.tmp", "{ half", 0600);
	ck_assert_int_eq(leftover_remove("900006.json.tmp"), 0);
	ck_assert(!exists("900006.json.tmp"));
}
END_TEST

/* Memory that outlives servers is a device's as long as a state names it. */
START_TEST(kept_memory)
{
	struct device_state state = sample(900002, "ram"), self = { 0 };
	char path[256], starting[64];

	in_dir(path, "memory");
	mkdir(path, 0700);
	ck_assert_int_eq(state_self(&self), 0);
	snprintf(starting, sizeof(starting), "memory/%d.%llu.store", self.pid,
		 (unsigned long long)self.pid_start);
	put(starting, "x", 0600); /* by a server that has no state yet */
	put("memory/2147483647.1.store", "x", 0600);
	put("memory/2147483647.2.store", "x", 0600);
	put("memory/notes", "x", 0600);
	state.memory = json_pack("{s:s}", "store", "2147483647.1.store");
	ck_assert_int_eq(state_write(&state), 0);
	json_decref(state.memory);
	ck_assert_int_eq(run("--yes", NULL), EXIT_DONE);
	has(out.text, "/memory/2147483647.2.store  no device has it");
	ck_assert(!exists("memory/2147483647.2.store"));
	ck_assert(exists("memory/2147483647.1.store") && exists(starting));
	ck_assert(exists("memory/notes"));
}
END_TEST

/* A supervisor knows that it is dead, however young the files are. */
START_TEST(of_a_dead_server)
{
	char path[256];

	in_dir(path, "memory");
	mkdir(path, 0700);
	put_others();
	put("900005.json.tmp", "{ half", 0600);
	put("900005.stats.tmp", "half", 0600);
	put("900005.stats", "damaged", 0644);
	by_name(".900005.tmp", "/dev/ublkb900005");
	put("memory/2147483647.1.store", "x", 0600);
	put("memory/2147483646.1.store", "x", 0600);
	leftovers_remove_of(900005, 2147483647);
	ck_assert(!exists("900005.json.tmp") && !exists("900005.stats.tmp"));
	ck_assert(!exists("900005.stats") && !exists("by-name/.900005.tmp"));
	ck_assert(!exists("memory/2147483647.1.store") && exists("memory/2147483646.1.store"));
	check_others();
	leftovers_remove_of(-1, 2147483647);
	check_others();
}
END_TEST

START_TEST(statistics_of_a_server_that_starts)
{
	struct stats *stats;

	log_set_level(LOG_LVL_ERR);
	if (stats_create(ID, 1, &stats))
		return; /* not in memory here */
	ck_assert_int_eq(run("--yes", NULL), EXIT_DONE);
	ck_assert(exists("900001.stats"));
	stats_unmap(stats, 1);
}
END_TEST

START_TEST(wrong_usage)
{
	ck_assert_int_eq(run("--yes", "--dry-run", NULL), EXIT_USAGE);
	has(err.text, "exclude each other");
	ck_assert_int_eq(run("scratch", NULL), EXIT_USAGE);
	has(err.text, "unexpected argument");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verb_gc");
	TCase *tc = tcase_create("devices");

	tcase_add_checked_fixture(tc, judge_setup, NULL);
	tcase_add_test(tc, served_devices_are_none);
	tcase_add_test(tc, dead_devices);
	tcase_add_test(tc, waiting_devices);
	suite_add_tcase(s, tc);
	tc = tcase_create("files");
	tcase_add_checked_fixture(tc, state_setup, state_teardown);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, files_are_told);
	tcase_add_test(tc, files_are_removed);
	tcase_add_test(tc, as_json);
	tcase_add_test(tc, devices_are_of_a_name);
	tcase_add_test(tc, judged_again_before_it_goes);
	tcase_add_test(tc, kept_memory);
	tcase_add_test(tc, of_a_dead_server);
	tcase_add_test(tc, statistics_of_a_server_that_starts);
	tcase_add_test(tc, wrong_usage);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
