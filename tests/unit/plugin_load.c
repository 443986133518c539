// SPDX-License-Identifier: MIT
/* Shared objects, good and broken, through plugin_load(): the exact words of each refusal. */
#include <dlfcn.h>
#include <sys/wait.h>

#include "config/plugin_manifest.h"
#include "config/options.h"
#include "plugin/plugin.h"
#include "scratch.h"
#include "capture.h"
#include "tap.h"

static void refused(const char *path, int err, const char *fmt, ...) __printf_like(3, 4);

/* fmt is what follows "ublk-host: "; one line. */
static void refused(const char *path, int err, const char *fmt, ...)
{
	struct capture cap;
	struct plugin *plugin;
	char text[1024], expected[1100];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(expected, sizeof(expected), "ublk-host: %s\n", text);
	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_load(path, &plugin);
	ck_assert_str_eq(capture_end(&cap), expected);
	ck_assert_int_eq(ret, err);
	ck_assert_ptr_null(plugin);
}

static struct plugin *accepted(const char *path)
{
	struct capture cap;
	struct plugin *plugin;
	int ret;

	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_load(path, &plugin);
	ck_assert_str_eq(capture_end(&cap), "");
	ck_assert_int_eq(ret, 0);
	return plugin;
}

START_TEST(test_good)
{
	struct plugin *plugin = accepted(scratch_fixture("good", "good.so"));

	ck_assert_str_eq(plugin->path, in_scratch("good.so"));
	ck_assert_str_eq(plugin->desc.name, "good");
	ck_assert_uint_eq(plugin->desc.nr_opts, 3);
	ck_assert_ptr_nonnull(plugin->desc.open);
	ck_assert_ptr_null(plugin->desc.write_zeroes);
	/* nothing of it is seen by who comes after */
	ck_assert_ptr_null(dlsym(RTLD_DEFAULT, "ublk_plugin_v1"));
	plugin_free(plugin);
	plugin_free(NULL);
}
END_TEST

START_TEST(test_relative)
{
	struct plugin *plugin;

	scratch_fixture("good", "good.so");
	ck_assert_int_eq(chdir(scratch), 0);
	plugin = accepted("good.so");
	ck_assert_ptr_nonnull(strstr(plugin->path, "/good.so"));
	ck_assert_int_eq(plugin->path[0], '/');
	ck_assert_int_eq(chdir("/"), 0); /* a daemon's place; the path must still do */
	plugin_free(accepted(plugin->path));
	plugin_free(plugin);
}
END_TEST

/* The tail of a later minor is ignored: it loads as what this host knows of it. */
START_TEST(test_future)
{
	struct plugin *plugin = accepted(scratch_fixture("future", "future.so"));

	ck_assert_uint_eq(plugin->desc.abi_minor, 7);
	ck_assert_uint_gt(plugin->desc.struct_size, sizeof(plugin->desc));
	ck_assert_ptr_nonnull(plugin->desc.map);
	plugin_free(plugin);
}
END_TEST

/* The same built by a whole header of the future: its longer table, its bits. */
START_TEST(test_newer)
{
	struct plugin *plugin = accepted(scratch_fixture("newer0", "newer0.so"));
	struct ublk_opt_spec second;

	ck_assert_uint_eq(plugin->desc.abi_minor, UBLK_PLUGIN_ABI_MINOR + 1);
	ck_assert_uint_eq(plugin->desc.flags, 0);
	ck_assert_uint_eq(plugin->desc.map_ops, UBLK_OPS_READ | UBLK_OPS_WRITE);
	ck_assert_uint_eq(plugin->desc.thread_model, UBLK_THREADS_PER_QUEUE);
	ck_assert_uint_gt(plugin->desc.opt_spec_size, sizeof(second));
	second = options_spec(plugin->desc.opts, plugin->desc.opt_spec_size, 1);
	ck_assert_str_eq(second.name, "second");
	plugin_free(plugin);
	refused(scratch_fixture("newer2", "newer2.so"), -EPROTONOSUPPORT,
		"plugin %s: needs host ABI >= 1.2; this host implements 1.1",
		in_scratch("newer2.so"));
}
END_TEST

START_TEST(test_symbols)
{
	const char *path = scratch_fixture("no-symbol", "no-symbol.so");

	refused(path, -ENOEXEC, "plugin %s: not a ublk-host plugin (no symbol ublk_plugin_v1)",
		path);
	path = scratch_fixture("v2", "v2.so");
	refused(path, -ENOEXEC, "plugin %s: built for plugin ABI 2.x; this host implements 1.1",
		path);
	path = scratch_fixture("function", "function.so");
	refused(path, -ENOEXEC,
		"plugin %s: not a ublk-host plugin: its symbol ublk_plugin_v1 is not a struct "
		"ublk_plugin",
		path);
	path = scratch_fixture("short-symbol", "short-symbol.so");
	refused(path, -EINVAL, "plugin %s: impossible struct_size 4096: its symbol has 240 bytes",
		path);
	path = scratch_fixture("major", "major.so");
	refused(path, -EPROTONOSUPPORT,
		"plugin %s: built for plugin ABI 2.5; this host implements 1.1", path);
}
END_TEST

/* A dependency's descriptor is not the plugin's. */
START_TEST(test_borrowed)
{
	const char *good = scratch_fixture("good", "good.so");
	const char *path = scratch_fixture("borrowed", "borrowed.so");

	refused(path, -ENOEXEC,
		"plugin %s: not a ublk-host plugin: the symbol ublk_plugin_v1 is from %s, which it "
		"is linked to",
		path, good);
}
END_TEST

START_TEST(test_linker)
{
	const char *path = scratch_fixture("undefined", "undefined.so");

	refused(path, -ELIBBAD,
		"plugin %s: cannot be loaded: undefined symbol: nobody_has_this_function", path);
}
END_TEST

START_TEST(test_name)
{
	const char *path = scratch_fixture("other-name", "other-name.so");
	struct plugin *plugin;

	refused(path, -EINVAL,
		"plugin %s: calls itself \"another\"; the file must have that name: another.so",
		path);
	plugin_free(accepted(scratch_fixture("other-name", "another.so")));
	plugin_free(accepted(scratch_fixture("other-name", "another")));
	/* a versioned file is found by its link, and by the path that was kept of it */
	scratch_fixture("good", "good-1.2.so");
	ck_assert_int_eq(symlink("good-1.2.so", in_scratch("good.so")), 0);
	plugin = accepted(in_scratch("good.so"));
	plugin_free(accepted(plugin->path));
	plugin_free(plugin);
	path = in_scratch("good-1.2.so");
	refused(path, -EINVAL,
		"plugin %s: calls itself \"good\"; the file must have that name: good.so", path);
}
END_TEST

START_TEST(test_file)
{
	const char *path = in_scratch("none.so");

	refused(path, -ENOENT, "plugin %s: No such file or directory", path);
	path = scratch_dir("dir.so", 0755);
	refused(path, -EINVAL, "plugin %s: a directory, not a regular file", path);
	path = scratch_text("text.so", "hello");
	refused(path, -ENOEXEC, "plugin %s: not an ELF shared object", path);
	path = in_scratch("dangling.so");
	ck_assert_int_eq(symlink("nowhere", path), 0);
	refused(path, -ENOENT, "plugin %s: a symbolic link to a file that does not exist", path);
}
END_TEST

START_TEST(test_options)
{
	const char *path = scratch_fixture("bad-option", "bad-option.so");

	refused(path, -EINVAL, "plugin %s: option \"size\" is there twice", path);
}
END_TEST

/* plugin_load()'s result for a user without rights; 0 where the build is out of that user's reach. */
static int load_as_user(const char *path)
{
	struct plugin *plugin;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(12345, 12345, 12345) || access(path, R_OK))
			_exit(0);
		_exit(-plugin_load(path, &plugin));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* With privileges, what others can write is refused; without, it is the caller's own affair. */
START_TEST(test_privileges)
{
	const char *dir = scratch_dir("sub", 0755);
	const char *path = scratch_fixture("good", "sub/good.so");

	if (geteuid() != 0)
		return;
	set_mode(path, 0666);
	refused(path, -EPERM,
		"plugin %s: refused with privileges: the file good.so has mode 0666: everyone "
		"could put other code there; take the right to write away, or install the plugin "
		"where only root can write",
		path);
	set_mode(path, 0644);
	set_mode(dir, 01777);
	refused(path, -EPERM,
		"plugin %s: refused with privileges: folder %s has mode 1777: everyone could put "
		"other code there; take the right to write away, or install the plugin where only "
		"root can write",
		path, dir);
	set_mode(scratch, 0755);
	ck_assert_int_eq(load_as_user(path), 0);
}
END_TEST

/* Below a folder that others can exchange, plugins go by descriptors: each must still be itself,
 * although the linker knows libraries by name and descriptors are used again. */
START_TEST(test_pinned)
{
	struct plugin *first, *second;

	if (geteuid() != 0)
		return;
	scratch_dir("outer", 0777);
	scratch_dir("outer/x", 0755);
	scratch_dir("outer/y", 0755);
	first = accepted(scratch_fixture("good", "outer/x/good.so"));
	second = accepted(scratch_fixture("good", "outer/y/good.so"));
	ck_assert_ptr_ne(first->handle, second->handle);
	plugin_free(first);
	plugin_free(second);
}
END_TEST

static void write_manifest(const struct plugin *plugin)
{
	json_t *json = plugin_manifest_build(&plugin->desc, "good.so");

	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(json_dump_file(json, in_scratch("good.json"), JSON_INDENT(2)), 0);
	json_decref(json);
}

START_TEST(test_manifest)
{
	const char *path = scratch_fixture("good", "good.so");
	struct plugin *plugin = accepted(path);
	struct plugin changed = *plugin, *built;
	struct capture cap;
	int ret;

	write_manifest(plugin);
	plugin_free(accepted(path));
	changed.desc.version = "0.9";
	write_manifest(&changed);
	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_load(path, &built);
	capture_end(&cap);
	ck_assert_int_eq(ret, -ESTALE);
	ck_assert_msg(strstr(cap.text, "good.json:") && strstr(cap.text, "stale manifest") &&
			      strstr(cap.text, "\"0.9\"") && strstr(cap.text, "\"1.0\""),
		      "%s", cap.text);
	scratch_text("good.json", "{ nonsense");
	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_load(path, &built);
	capture_end(&cap);
	ck_assert_int_lt(ret, 0);
	ck_assert_msg(strstr(cap.text, "good.json:1:"), "%s", cap.text);
	/* a build makes a new one whatever the old one says */
	ck_assert_int_eq(plugin_load_built(path, &built), 0);
	plugin_free(built);
	plugin_free(plugin);
}
END_TEST

START_TEST(test_inspect)
{
	const char *path = scratch_fixture("good", "good.so");
	struct plugin_entry entry = { .name = "good", .path = path, .has_so = true };
	struct plugin *plugin; /* another file: one that is mapped must not be cut */
	struct plugin changed;
	struct plugin_info info;
	char manifest[512];

	scratch_dir("mapped", 0755);
	plugin = accepted(scratch_fixture("good", "mapped/good.so"));
	changed = *plugin;
	snprintf(manifest, sizeof(manifest), "%s", in_scratch("good.json"));
	entry.manifest = manifest;
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_ptr_null(info.manifest);
	ck_assert_ptr_null(info.problem);
	plugin_info_free(&info);

	write_manifest(plugin);
	entry.has_manifest = true;
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_ptr_null(info.problem);
	ck_assert_str_eq(json_string_value(json_object_get(info.manifest, "version")), "1.0");
	plugin_info_free(&info);

	changed.desc.version = "12.34.56";
	write_manifest(&changed);
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_str_eq(info.problem, "stale manifest: good.so has no \"12.34.56\"");
	plugin_info_free(&info);

	changed = *plugin;
	changed.desc.name = "other";
	write_manifest(&changed);
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_str_eq(info.problem, "its manifest is about \"other\"");
	plugin_info_free(&info);

	changed = *plugin;
	changed.desc.min_host_minor = 3;
	write_manifest(&changed);
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_str_eq(info.problem, "needs host ABI >= 1.3; this host implements 1.1");
	plugin_info_free(&info);

	write_manifest(plugin);
	ck_assert_int_eq(truncate(path, 5000), 0);
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_msg(!strncmp(info.problem, "truncated: ", 11), "%s", info.problem);
	plugin_info_free(&info);

	unlink(path);
	entry.has_so = false;
	ck_assert_int_eq(plugin_inspect(&entry, &info), 0);
	ck_assert_str_eq(info.problem, "there is no good.so beside its manifest");
	plugin_info_free(&info);
	plugin_free(plugin);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin_load");
	TCase *tc = tcase_create("load");

	tcase_add_checked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_relative);
	tcase_add_test(tc, test_future);
	tcase_add_test(tc, test_newer);
	tcase_add_test(tc, test_symbols);
	tcase_add_test(tc, test_borrowed);
	tcase_add_test(tc, test_linker);
	tcase_add_test(tc, test_name);
	tcase_add_test(tc, test_file);
	tcase_add_test(tc, test_options);
	tcase_add_test(tc, test_privileges);
	tcase_add_test(tc, test_pinned);
	tcase_add_test(tc, test_manifest);
	tcase_add_test(tc, test_inspect);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_tap(suite());
}
