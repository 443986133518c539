// SPDX-License-Identifier: MIT
/* Where plugins are looked for, in which order, and what is said when there is none. */
#include "plugin/plugin.h"
#include "scratch.h"
#include "capture.h"
#include "tap.h"

static struct plugin_dirs dirs;

/* scratch/a, then scratch/b from the environment, then the installed folder. */
static void setup(void)
{
	char *extra[1];

	scratch_setup();
	scratch_dir("a", 0755);
	scratch_dir("b", 0755);
	scratch_text("a/one.so", "");
	scratch_text("b/one.so", "");
	scratch_text("b/two.so", "");
	scratch_text("b/two.json", "");
	scratch_text("a/two.json", ""); /* alone: hides nothing */
	scratch_text("b/Three.so", ""); /* no name of a plugin */
	scratch_text("b/libfour.so.1", "");
	setenv("UBLK_HOST_PLUGIN_PATH", in_scratch("b"), 1);
	extra[0] = (char *)in_scratch("a");
	ck_assert_int_eq(plugin_dirs_init(&dirs, extra, 1), 0);
}

static void teardown(void)
{
	plugin_dirs_free(&dirs);
	scratch_teardown();
}

static void finds(const char *name, const char *expected)
{
	struct capture cap;
	char *path;
	int ret;

	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_find(name, &dirs, &path);
	ck_assert_str_eq(capture_end(&cap), "");
	ck_assert_int_eq(ret, 0);
	ck_assert_str_eq(path, expected);
	free(path);
}

static void finds_none(const char *name, const char *hint)
{
	struct capture cap;
	char expected[2048];
	char *path;
	int ret;

	snprintf(expected, sizeof(expected),
		 "ublk-host: unknown plugin \"%s\"%s; found: one, two (in %s, %s, %s)\n", name,
		 hint, in_scratch("a"), in_scratch("b"), PLUGINDIR);
	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_find(name, &dirs, &path);
	ck_assert_str_eq(capture_end(&cap), expected);
	ck_assert_int_eq(ret, -ENOENT);
	ck_assert_ptr_null(path);
}

START_TEST(test_order)
{
	ck_assert_uint_eq(dirs.nr, 3);
	ck_assert_str_eq(dirs.dir[0], in_scratch("a"));
	ck_assert_str_eq(dirs.dir[1], in_scratch("b"));
	ck_assert_str_eq(dirs.dir[2], PLUGINDIR);
	finds("one", in_scratch("a/one.so"));
	finds("one.so", in_scratch("a/one.so"));
	finds("two", in_scratch("b/two.so"));
	/* a bad file of that name still is the one that was meant: no falling through */
	ck_assert_int_eq(symlink("nowhere", in_scratch("a/two.so")), 0);
	finds("two", in_scratch("a/two.so"));
}
END_TEST

START_TEST(test_paths)
{
	char cwd[512], expected[600];

	finds("/x/y.so", "/x/y.so");
	finds("/no/such/file", "/no/such/file"); /* plugin_load() says so */
	ck_assert_int_eq(chdir(scratch), 0);
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/one.so", cwd);
	finds("./one.so", expected);
	snprintf(expected, sizeof(expected), "%s/b/one.so", cwd);
	finds("b/one.so", expected);
	snprintf(expected, sizeof(expected), "%s/../one.so", cwd);
	finds("../one.so", expected);
}
END_TEST

START_TEST(test_unknown)
{
	finds_none("tow", " (did you mean \"two\"?)");
	finds_none("onee.so", " (did you mean \"one\"?)");
	finds_none("Three", "");
	finds_none("something-else", "");
	finds_none("", "");
	finds_none(".so", "");
	finds_none("..", "");
}
END_TEST

START_TEST(test_none_at_all)
{
	struct plugin_dirs none;
	struct capture cap;
	char expected[1024], *path;

	unsetenv("UBLK_HOST_PLUGIN_PATH");
	ck_assert_int_eq(plugin_dirs_init(&none, NULL, 0), 0);
	ck_assert_uint_eq(none.nr, 1);
	free(none.dir[0]);
	none.dir[0] = strdup(in_scratch("none"));
	snprintf(expected, sizeof(expected),
		 "ublk-host: unknown plugin \"one\"; there are no plugins in %s: give a path, or a "
		 "folder with --plugin-dir\n",
		 none.dir[0]);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_find("one", &none, &path), -ENOENT);
	ck_assert_str_eq(capture_end(&cap), expected);
	plugin_dirs_free(&none);
}
END_TEST

/* A folder that is there, but is not one, must not go unnoticed. */
START_TEST(test_not_a_folder)
{
	char *extra[] = { (char *)in_scratch("b/two.json") };
	struct plugin_dirs more;
	struct capture cap;
	char *path, head[1024];

	ck_assert_int_eq(plugin_dirs_init(&more, extra, 1), 0);
	snprintf(head, sizeof(head),
		 "ublk-host: warning: cannot look for plugins in %s: Not a directory\n", extra[0]);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_find("none", &more, &path), -ENOENT);
	ck_assert_msg(strstr(capture_end(&cap), head) == cap.text, "%s", cap.text);
	plugin_dirs_free(&more);
}
END_TEST

/* What may be in a folder that cannot be looked into is not "unknown". */
START_TEST(test_unreachable_folder)
{
	char *extra[] = { (char *)in_scratch("loop") };
	struct plugin_dirs more;
	struct capture cap;
	char *path, text[1024];

	ck_assert_int_eq(symlink("loop", extra[0]), 0);
	ck_assert_int_eq(plugin_dirs_init(&more, extra, 1), 0);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_find("none", &more, &path), -ELOOP);
	snprintf(text, sizeof(text), "ublk-host: cannot look for plugin none in %s: %s\n", extra[0],
		 strerror(ELOOP));
	ck_assert_str_eq(capture_end(&cap), text);
	ck_assert_ptr_null(path);

	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_find("two", &more, &path), 0);
	snprintf(text, sizeof(text),
		 "ublk-host: warning: cannot look for plugin two in %s: %s; taking %s\n", extra[0],
		 strerror(ELOOP), path);
	ck_assert_str_eq(capture_end(&cap), text);
	free(path);
	plugin_dirs_free(&more);
}
END_TEST

START_TEST(test_environment)
{
	char *extra[] = { "rel/", "./rel", "", "/", "rel/./", "." };
	struct capture cap;
	struct plugin_dirs more;
	char cwd[512], expected[600];

	ck_assert_int_eq(chdir(scratch), 0);
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	scratch_dir("rel", 0755);
	setenv("UBLK_HOST_PLUGIN_PATH", "::/no/x//:rel:/no/y::/no/x", 1);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_dirs_init(&more, extra, 6), 0);
	ck_assert_str_eq(capture_end(&cap), "");
	snprintf(expected, sizeof(expected), "%s/rel", cwd);
	ck_assert_uint_eq(more.nr, 6); /* each once, an empty one never */
	ck_assert_str_eq(more.dir[0], expected);
	ck_assert_str_eq(more.dir[1], "/");
	ck_assert_str_eq(more.dir[2], cwd);
	ck_assert_str_eq(more.dir[3], "/no/x");
	ck_assert_str_eq(more.dir[4], "/no/y");
	ck_assert_str_eq(more.dir[5], PLUGINDIR);
	plugin_dirs_free(&more);
	ck_assert_ptr_null(more.dir);
}
END_TEST

/* A folder that was named on the command line and is not there is a slip of the hand. */
START_TEST(test_missing_folder)
{
	char *extra[] = { "/no/such/folder" };
	struct capture cap;
	struct plugin_dirs more;

	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(plugin_dirs_init(&more, extra, 1), 0);
	ck_assert_str_eq(capture_end(&cap),
			 "ublk-host: warning: no plugins in --plugin-dir /no/such/folder: No such "
			 "file or directory\n");
	plugin_dirs_free(&more);
}
END_TEST

struct seen {
	char text[2048];
	int stop_after;
};

static int see(const struct plugin_entry *entry, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s%s %s %s\n", entry->name,
		 entry->has_so ? "so" : "", entry->has_manifest ? "json" : "",
		 entry->path + strlen(scratch), entry->shadowed_by ? "shadowed" : "");
	ck_assert_int_eq(strncmp(entry->manifest, entry->path, strlen(entry->path) - 3), 0);
	if (entry->shadowed_by)
		ck_assert_str_eq(entry->shadowed_by, in_scratch("a/one.so"));
	return seen->stop_after && !--seen->stop_after ? 42 : 0;
}

START_TEST(test_for_each)
{
	struct seen seen = { .text = "" };

	ck_assert_int_eq(plugin_for_each(&dirs, see, &seen), 0);
	ck_assert_str_eq(seen.text, "one so /a/one.so \n"
				    "one so /b/one.so shadowed\n"
				    "two json /a/two.so \n"
				    "two sojson /b/two.so \n");
	seen = (struct seen){ .stop_after = 2 };
	ck_assert_int_eq(plugin_for_each(&dirs, see, &seen), 42);
	ck_assert_int_eq(seen.stop_after, 0);
}
END_TEST

START_TEST(test_many)
{
	struct seen seen = { .text = "" };
	char name[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "a/p%02d.so", i);
		scratch_text(name, "");
	}
	seen.stop_after = 43;
	ck_assert_int_eq(plugin_for_each(&dirs, see, &seen), 42);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin_find");
	TCase *tc = tcase_create("find");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_unknown);
	tcase_add_test(tc, test_none_at_all);
	tcase_add_test(tc, test_not_a_folder);
	tcase_add_test(tc, test_unreachable_folder);
	tcase_add_test(tc, test_environment);
	tcase_add_test(tc, test_missing_folder);
	tcase_add_test(tc, test_for_each);
	tcase_add_test(tc, test_many);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_tap(suite());
}
