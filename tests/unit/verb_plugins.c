// SPDX-License-Identifier: MIT
/* The verb plugins: its table, its page about one plugin, its JSON, and the dump for builds. */
#include <jansson.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "plugin/plugin.h"
#include "scratch.h"
#include "tap.h"
#include "verb_run.h"

static void setup(void)
{
	scratch_setup();
	setenv("UBLK_HOST_PLUGIN_PATH", scratch, 1);
}

#define run(...) run_verb(verb_plugins, __VA_ARGS__)

static int dump(const char *path)
{
	int status;

	capture_begin(&out, STDOUT_FILENO);
	capture_begin(&err, STDERR_FILENO);
	status = cli_dump_plugin(path);
	capture_end(&err);
	capture_end(&out);
	return status;
}

/* good.so and the manifest that the dump made of it. */
static void put_good(void)
{
	ck_assert_int_eq(dump(scratch_fixture("good", "good.so")), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	scratch_text("good.json", out.text);
}

static void has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

START_TEST(test_dump)
{
	const char *path = scratch_fixture("good", "good.so");
	struct plugin *plugin;
	json_t *json;

	ck_assert_int_eq(dump(path), EXIT_DONE);
	json = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(json_string_value(json_object_get(json, "name")), "good");
	ck_assert_str_eq(json_string_value(json_object_get(json, "library")), "good.so");
	json_decref(json);
	scratch_text("first.json", out.text);
	scratch_text("good.json", "{ something old");
	ck_assert_int_eq(dump(path), EXIT_DONE);
	scratch_text("good.json", out.text);
	ck_assert_int_eq(plugin_load(path, &plugin), 0); /* it is about this file */
	plugin_free(plugin);
	{
		struct capture again = out;

		ck_assert_int_eq(dump(path), EXIT_DONE);
		ck_assert_str_eq(out.text, again.text);
	}
	set_mode(path, 0666); /* a build is not what the check of writers is for */
	ck_assert_int_eq(dump(path), EXIT_DONE);
	ck_assert_int_eq(dump(scratch_fixture("v2", "v2.so")), EXIT_FAILED);
	ck_assert_str_eq(out.text, "");
	has(err.text, "built for plugin ABI 2.x");
}
END_TEST

START_TEST(test_table)
{
	char expected[4096], none[512];

	put_good();
	scratch_fixture("v2", "v2.so");
	scratch_text("text.so", "hello");
	scratch_text("lone.json", "{}");
	ck_assert_int_eq(run(NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	snprintf(none, sizeof(none), "%s/lone.json", scratch);
	snprintf(expected, sizeof(expected),
		 "NAME  VERSION  PROFILE  %-*s  DESCRIPTION\n"
		 "good  1.0      map      %s/good.so    Fixture good\n"
		 "lone  -        -        %s  cannot be used: there is no lone.so beside its "
		 "manifest\n"
		 "text  -        -        %s/text.so    cannot be used: not an ELF shared object\n"
		 "v2    -        -        %s/v2.so      (no manifest)\n",
		 (int)strlen(none), "FILE", scratch, none, scratch, scratch);
	ck_assert_str_eq(out.text, expected);
}
END_TEST

START_TEST(test_hidden_and_stale)
{
	put_good();
	scratch_dir("other", 0755);
	scratch_fixture("good", "other/good.so");
	ck_assert_int_eq(run("--plugin-dir", in_scratch("other"), NULL), EXIT_DONE);
	has(out.text, "other/good.so  (no manifest)\n");
	has(out.text, "hidden by ");
	scratch_text("other/good.json", "{\n  \"name\": 3 }");
	ck_assert_int_eq(run("--plugin-dir", in_scratch("other"), NULL), EXIT_DONE);
	has(out.text, "other/good.json:");
}
END_TEST

START_TEST(test_page)
{
	char expected[2048];

	put_good();
	snprintf(expected, sizeof(expected),
		 "good 1.0 - Fixture good\n"
		 "\n"
		 "File:        %s\n"
		 "ABI:         1.1\n"
		 "Threads:     parallel\n"
		 "Recovery:    none\n"
		 "Extents:     zero\n"
		 "Operations:  read (map), write (map)\n"
		 "\n"
		 "Options, each given as --opt NAME=VALUE:\n"
		 "  size=SIZE         Size of the device; 512 or more; default 1M\n"
		 "  mode=auto|on|off  How; default auto\n"
		 "  path=PATH         Where; required\n",
		 in_scratch("good.so"));
	ck_assert_int_eq(run("good", NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	ck_assert_str_eq(out.text, expected);
	/* the same without a manifest, from the plugin itself, and by path */
	unlink(in_scratch("good.json"));
	ck_assert_int_eq(run("good.so", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, expected);
	ck_assert_int_eq(run(in_scratch("good.so"), NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, expected);
	scratch_fixture("future", "future.so");
	ck_assert_int_eq(run("future", NULL), EXIT_DONE);
	has(out.text, "\nIt takes no options.\n");
}
END_TEST

/* With a manifest, none of the plugin's code is run; without one, its constructors are. */
START_TEST(test_page_runs_nothing)
{
	const char *path = scratch_fixture("constructor", "constructor.so");
	pid_t child = fork();
	int status;

	if (!child) {
		if (dump(path) == EXIT_DONE && !strcmp(err.text, "it was loaded\n"))
			scratch_text("constructor.json", out.text);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(!access(in_scratch("constructor.json"), F_OK));
	ck_assert_int_eq(run("constructor", NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	has(out.text, "constructor 1.0 - Fixture constructor\n");
	ck_assert_int_eq(run("constructor", "--json", NULL), EXIT_DONE);
	ck_assert_int_eq(run(NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "");
	unlink(in_scratch("constructor.json"));
	ck_assert_int_eq(run("constructor", NULL), EXIT_DONE);
	ck_assert_str_eq(err.text, "it was loaded\n");
}
END_TEST

START_TEST(test_page_of_broken)
{
	put_good();
	scratch_text("text.so", "hello");
	scratch_fixture("v2", "v2.so");
	ck_assert_int_eq(run("text", NULL), EXIT_FAILED);
	has(err.text, "/text.so: not an ELF shared object\n");
	ck_assert_int_eq(run("v2", NULL), EXIT_FAILED);
	has(err.text, "/v2.so: built for plugin ABI 2.x; this host implements 1.1\n");
	ck_assert_int_eq(run("godo", NULL), EXIT_FAILED);
	has(err.text,
	    "unknown plugin \"godo\" (did you mean \"good\"?); found: good, text, v2 (in ");
	ck_assert_int_eq(run("./none.so", NULL), EXIT_FAILED);
	has(err.text, "/none.so: No such file or directory\n");
	ck_assert_str_eq(out.text, "");
}
END_TEST

START_TEST(test_json)
{
	json_t *json, *list, *entry;

	put_good();
	scratch_text("text.so", "hello");
	ck_assert_int_eq(run("--json", NULL), EXIT_DONE);
	json = json_loads(out.text, 0, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "searched"), 0)),
			 scratch);
	list = json_object_get(json, "plugins");
	ck_assert_uint_eq(json_array_size(list), 2);
	entry = json_array_get(list, 0);
	ck_assert_str_eq(json_string_value(json_object_get(entry, "name")), "good");
	ck_assert(json_is_null(json_object_get(entry, "problem")));
	ck_assert(json_is_null(json_object_get(entry, "shadowed_by")));
	ck_assert_uint_eq(
		json_array_size(json_object_get(json_object_get(entry, "manifest"), "options")), 3);
	entry = json_array_get(list, 1);
	ck_assert_str_eq(json_string_value(json_object_get(entry, "problem")),
			 "not an ELF shared object");
	ck_assert(json_is_null(json_object_get(entry, "manifest")));
	json_decref(json);

	ck_assert_int_eq(run("good", "--json", NULL), EXIT_DONE);
	json = json_loads(out.text, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "path")), in_scratch("good.so"));
	json_decref(json);
}
END_TEST

START_TEST(test_usage)
{
	char text[512];

	ck_assert_int_eq(run("a", "b", NULL), EXIT_USAGE);
	has(err.text, "unexpected argument \"b\"");
	ck_assert_int_eq(run("--jsno", NULL), EXIT_USAGE);
	has(err.text, "did you mean --json?");
	ck_assert_int_eq(run("--plugin-dir", NULL), EXIT_USAGE);
	ck_assert_int_eq(run("--help", NULL), EXIT_DONE);
	ck_assert_msg(!strncmp(out.text, "Usage: ublk-host plugins [NAME] [OPTION...]\n", 44), "%s",
		      out.text);
	ck_assert_int_eq(run("--plugin-dir", scratch_dir("empty", 0755), NULL), EXIT_DONE);
	snprintf(text, sizeof(text), "There are no plugins in:\n  %s\n  %s\n", in_scratch("empty"),
		 scratch);
	has(out.text, text);
}
END_TEST

/* Neither in a table nor in a message may the name of a folder command the terminal. */
START_TEST(test_controls)
{
	const struct plugin_entry lone = { .name = "\x1b[31m" };
	struct plugin_info info;

	scratch_dir("\xc2\x9b"
		    "31m",
		    0755);
	scratch_text("\xc2\x9b"
		     "31m/text.so",
		     "hello");
	ck_assert_int_eq(run("--plugin-dir",
			     in_scratch("\xc2\x9b"
					"31m"),
			     NULL),
			 EXIT_DONE);
	has(out.text, "/?31m/text.so");
	ck_assert_ptr_null(strstr(out.text, "\xc2\x9b"));
	ck_assert_int_eq(plugin_inspect(&lone, &info), 0);
	ck_assert_str_eq(info.problem, "there is no \\x1b[31m.so beside its manifest");
	plugin_info_free(&info);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("verb_plugins");
	TCase *tc = tcase_create("plugins");

	tcase_add_checked_fixture(tc, setup, scratch_teardown);
	tcase_add_test(tc, test_dump);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_hidden_and_stale);
	tcase_add_test(tc, test_page);
	tcase_add_test(tc, test_page_runs_nothing);
	tcase_add_test(tc, test_page_of_broken);
	tcase_add_test(tc, test_json);
	tcase_add_test(tc, test_controls);
	tcase_add_test(tc, test_usage);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_tap(suite());
}
