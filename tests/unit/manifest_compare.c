// SPDX-License-Identifier: MIT
/* What a manifest asks for against what a device is: which keys differ, and by which way they can change. */
#include "cli/manifest_compare.h"
#include "cli/server_files.h"
#include "config/device_manifest.h"
#include "scratch.h"
#include "tap.h"

#define HEAD "{ \"ublk_device_manifest\": \"1.0\", "
#define NOT_KNOWN NULL /* what the device was asked for */

/* Of a plugin, in part: what comparing looks at. */
static const char table[] =
	"{ \"options\": [ { \"name\": \"size\", \"type\": \"size\", \"default\": \"250G\" }, "
	"{ \"name\": \"path\", \"type\": \"path\" }, "
	"{ \"name\": \"direct\", \"type\": \"bool\", \"default\": false }, "
	"{ \"name\": \"mmap\", \"type\": \"enum\", \"default\": \"off\" }, "
	"{ \"name\": \"key\", \"type\": \"secret\" } ] }";

static void load(struct device_config *cfg, const char *text)
{
	const char *path = scratch_text("m.json", text);
	struct errors errors = { 0 };
	int err;

	device_config_init(cfg);
	err = device_manifest_load(cfg, path, &errors);
	errors_print(&errors);
	ck_assert_int_eq(err, 0);
	errors_free(&errors);
}

static json_t *parse(const char *text)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	ck_assert(!text || json);
	return json;
}

struct compared {
	struct device_config cfg;
	struct device_state state;
	struct manifest_changes changes;
	json_t *plugin;
};

static struct compared compare(const char *manifest, const char *resolved, const char *asked,
			       const char *plugin)
{
	struct compared c = { .plugin = parse(plugin) };

	c.state.manifest = parse(resolved);
	c.state.asked = parse(asked);
	load(&c.cfg, manifest);
	ck_assert_int_eq(manifest_compare(&c.changes, &c.cfg, NULL, &c.state, c.plugin), 0);
	return c;
}

static void end(struct compared *c)
{
	manifest_changes_free(&c->changes);
	device_config_free(&c->cfg);
	json_decref(c->state.manifest);
	json_decref(c->state.asked);
	json_decref(c->plugin);
}

static void check(const char *manifest, const char *resolved, const char *asked, const char *keys)
{
	const char *const plugins[] = { table, NULL };
	char text[256];

	/* known or not, the plugin changes nothing where nothing says so */
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		struct compared c = compare(manifest, resolved, asked, plugins[i]);

		ck_assert_str_eq(manifest_changes_keys(&c.changes, ALL_WAYS, text, sizeof(text)),
				 keys);
		end(&c);
	}
}

/* -- a device that was made by hand, or by an earlier version: nobody knows what was asked for */

START_TEST(resolved_alone)
{
	char resolved[1024];

	snprintf(
		resolved, sizeof(resolved),
		"{ \"plugin\": \"file\", \"options\": { \"path\": \"%s/image\", \"direct\": true, "
		"\"size\": 16777216, \"mmap\": \"on\" }, \"device\": { \"id\": 3, \"queues\": 2, "
		"\"depth\": 128, \"recovery\": \"reissue\", \"read_only\": false, \"max_io\": 524288 }, "
		"\"limits\": { \"logical_block\": 512 } }",
		scratch);
	check(HEAD
	      "\"plugin\": \"file\", \"options\": { \"path\": \"./image\", \"direct\": true, "
	      "\"size\": \"16M\", \"key\": \"x\", \"mmap\": true }, \"device\": { \"queues\": 16, "
	      "\"recovery\": \"auto\", \"id\": \"auto\", \"max_io\": \"1M\" } }",
	      resolved, NOT_KNOWN, "");
	check(HEAD "\"plugin\": \"file\", \"options\": { \"path\": \"other\", \"direct\": false, "
		   "\"size\": \"17M\", \"mmap\": \"off\" }, \"device\": { \"recovery\": \"none\", "
		   "\"read_only\": true, \"id\": 4 }, \"limits\": { \"logical_block\": \"4K\" } }",
	      resolved, NOT_KNOWN,
	      "/device/id, /device/read_only, /device/recovery, /limits/logical_block, "
	      "/options/path, /options/direct, /options/size, /options/mmap");
	/* more than there is may have been asked for; less was not granted */
	check(HEAD "\"plugin\": \"file\", \"device\": { \"queues\": 1, \"depth\": 64, \"max_io\": "
		   "\"256K\" } }",
	      resolved, NOT_KNOWN, "/device/queues, /device/depth, /device/max_io");
	/* all of it, as export writes it */
	check(HEAD "\"plugin\": \"mem\", \"options\": { \"size\": 4096 }, \"device\": { \"id\": 7, "
		   "\"queues\": 1, \"recovery\": \"none\", \"threads_per_queue\": 1, \"sandbox\": "
		   "\"full\" }, \"limits\": { \"physical_block\": 4096 }, \"cpus\": \"0-3\" }",
	      "{ \"plugin\": \"mem\", \"options\": { \"size\": 4096 }, \"device\": { \"id\": 7, "
	      "\"queues\": 1, \"recovery\": \"none\" }, \"limits\": { \"physical_block\": 4096 }, "
	      "\"cpus\": \"0-3\" }",
	      NOT_KNOWN, "");
}
END_TEST

/* -- a device that tells what it was made of */

#define MEM "\"plugin\": \"mem\", \"options\": { \"size\": \"16M\" }"
#define MEM_RESOLVED "{ \"plugin\": \"mem\", \"options\": { \"size\": 16777216 }, "

START_TEST(with_what_was_asked)
{
	static const char resolved[] = MEM_RESOLVED
		"\"device\": { \"id\": 0, \"queues\": 2, \"depth\": 128, \"max_io\": 524288, "
		"\"recovery\": \"reissue\", \"read_only\": true } }";
	static const char asked[] = "{ \"/plugin\": \"mem\", \"/options/size\": null, "
				    "\"/device/queues\": 16, \"/device/read_only\": false }";

	/* granted less; and read-only by the plugin's will */
	check(HEAD MEM ", \"device\": { \"queues\": 16, \"read_only\": false } }", resolved, asked,
	      "");
	check(HEAD MEM ", \"device\": { \"queues\": 8, \"read_only\": false, \"depth\": 128 } }",
	      resolved, asked, "/device/queues");
	check(HEAD MEM ", \"device\": { \"queues\": 16, \"depth\": 256, \"recovery\": \"auto\" } }",
	      resolved, asked, "/device/depth");
	/* nothing is said of it any more: the default; which of read_only is what was asked for */
	check(HEAD MEM " }", resolved, asked, "/device/queues");
	check(HEAD MEM " }", resolved,
	      "{ \"/device/depth\": 128, \"/device/id\": 0, \"/device/recovery\": \"auto\" }", "");
	check(HEAD MEM " }", resolved, "{ \"/device/recovery\": \"reissue\" }", "/device/recovery");
	check(HEAD MEM ", \"device\": { \"recovery\": \"auto\" } }", resolved,
	      "{ \"/device/recovery\": \"reissue\" }", "/device/recovery");
	check(HEAD "\"plugin\": \"mem\" }", resolved, asked, "/options/size, /device/queues");
}
END_TEST

/* What is the server's alone counts whoever asked for it, and is the default where nobody does. */
START_TEST(of_the_server)
{
	static const char resolved[] = MEM_RESOLVED
		"\"device\": { \"poll_us\": 50, \"io_timeout\": 30, \"sandbox\": \"off\", "
		"\"plugin_timeout\": 30, \"swap_safe\": false }, \"cpus\": \"none\" }";
	static const char keys[] = "/device/poll_us, /device/sandbox, /cpus";

	check(HEAD MEM
	      ", \"device\": { \"poll_us\": 50, \"sandbox\": \"off\" }, \"cpus\": \"none\" }",
	      resolved, NOT_KNOWN, "");
	check(HEAD MEM " }", resolved, NOT_KNOWN, keys);
	check(HEAD MEM " }", resolved, "{ \"/cpus\": \"auto\" }", keys);
	check(HEAD MEM ", \"device\": { \"sandbox\": \"full\" } }",
	      MEM_RESOLVED "\"device\": { \"poll_us\": 0 }, \"cpus\": \"auto\" }",
	      "{ \"/device/sandbox\": \"off\" }", "");
	check(HEAD MEM " }", MEM_RESOLVED "\"device\": { \"user\": \"nobody\" } }", NOT_KNOWN,
	      "/device/user");
	check(HEAD MEM ", \"device\": { \"user\": \"nobody\" } }", MEM_RESOLVED "\"device\": {} }",
	      "{ }", "/device/user");
}
END_TEST

/* -- options */

START_TEST(options_by_the_table)
{
	static const char resolved[] =
		"{ \"plugin\": \"file\", \"options\": { \"direct\": true } }";
	struct compared c;

	/* not given, and the default is as good; one that is not */
	c = compare(HEAD
		    "\"plugin\": \"file\", \"options\": { \"direct\": true, \"mmap\": \"off\", "
		    "\"size\": \"256000M\" } }",
		    resolved, "{ \"/options/direct\": null }", table);
	ck_assert_uint_eq(c.changes.nr, 0);
	end(&c);
	c = compare(HEAD "\"plugin\": \"file\", \"options\": { \"mmap\": \"on\" } }", resolved,
		    "{ \"/options/direct\": null }", table);
	ck_assert_uint_eq(c.changes.nr, 2);
	ck_assert_str_eq(c.changes.change[0].key, "/options/mmap");
	ck_assert_ptr_null(c.changes.change[0].is);
	ck_assert_str_eq(json_string_value(c.changes.change[0].wanted), "on");
	ck_assert_str_eq(c.changes.change[1].key, "/options/direct");
	ck_assert_ptr_null(c.changes.change[1].wanted);
	ck_assert_int_eq(c.changes.change[1].way, CHANGE_RECREATE);
	end(&c);
	/* is as the default is, which the table and the state may write each in its way */
	c = compare(HEAD "\"plugin\": \"file\" }",
		    "{ \"plugin\": \"file\", \"options\": { \"size\": 268435456000 } }",
		    "{ \"/options/size\": null }", table);
	ck_assert_uint_eq(c.changes.nr, 0);
	end(&c);
	c = compare(HEAD "\"plugin\": \"file\" }",
		    "{ \"plugin\": \"file\", \"options\": { \"size\": 268435456001 } }",
		    "{ \"/options/size\": null }", table);
	ck_assert_uint_eq(c.changes.nr, 1);
	end(&c);
	c = compare(HEAD "\"plugin\": \"file\" }",
		    "{ \"plugin\": \"file\", \"options\": { \"direct\": false } }",
		    "{ \"/options/direct\": null }", table);
	ck_assert_uint_eq(c.changes.nr, 0);
	end(&c);
}
END_TEST

static void check_secret_by(const char *table_text, const char *value, const char *is,
			    const char *asked, bool differs)
{
	char manifest[256], resolved[512];
	struct compared c;
	char text[CHANGE_TEXT_MAX];

	snprintf(manifest, sizeof(manifest),
		 HEAD "\"plugin\": \"x\", \"options\": { \"key\": \"%s\" } }", value);
	snprintf(resolved, sizeof(resolved), "{ \"plugin\": \"x\", \"options\": { %s%s%s } }",
		 is ? "\"key\": \"" : "", is ? is : "", is ? "\"" : "");
	c = compare(manifest, resolved, asked, table_text);
	ck_assert_uint_eq(c.changes.nr, differs);
	for (size_t i = 0; i < c.changes.nr; i++) {
		const struct manifest_change *change = &c.changes.change[i];

		ck_assert(change->hidden && !change->is && !change->wanted);
		ck_assert_str_eq(change_value_text(change, change->wanted, text), "(not shown)");
	}
	end(&c);
}

static void check_secret(const char *value, const char *is, const char *asked, bool differs)
{
	check_secret_by(table, value, is, asked, differs);
}

START_TEST(secrets)
{
	char file[300];

	/* one that was written out cannot be seen */
	check_secret("hush", NULL, NOT_KNOWN, false);
	check_secret("hush", NULL, "{ \"/options/key\": null }", false);
	check_secret("hush", NULL, "{ }", true); /* there was none */
	snprintf(file, sizeof(file), "@%s/key", scratch);
	check_secret("@key", file, NOT_KNOWN, false);
	check_secret(file, file, NOT_KNOWN, false);
	check_secret("@other", file, NOT_KNOWN, true);
	check_secret("hush", file, NOT_KNOWN, true);
}
END_TEST

/* Without a table, or with another version's, what it does not know may be a secret: wherever it is from. */
START_TEST(what_may_be_a_secret)
{
	static const char other[] =
		"{ \"options\": [ { \"name\": \"path\", \"type\": \"path\" } ] }";
	const char *const tables[] = { NULL, other };
	struct compared c;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		check_secret_by(tables[i], "hush", NULL, "{ }", true);
		check_secret_by(tables[i], "hush", "@/etc/key", NOT_KNOWN, true);
		check_secret_by(tables[i], "hush", "@/etc/key", "{ \"/options/key\": null }", true);
		check_secret_by(tables[i], "@/etc/other", "@/etc/key", NOT_KNOWN, true);
		check_secret_by(tables[i], "hush", "plain", NOT_KNOWN, true);
	}
	/* nor does the table of the plugin that there is tell of the one that is wanted */
	c = compare(HEAD "\"plugin\": \"y\", \"options\": { \"path\": \"hush\" } }",
		    "{ \"plugin\": \"x\", \"options\": { \"path\": \"/a\" } }", NOT_KNOWN, table);
	ck_assert_uint_eq(c.changes.nr, 2);
	ck_assert(!c.changes.change[0].hidden && c.changes.change[0].wanted);
	ck_assert(c.changes.change[1].hidden && !c.changes.change[1].wanted);
	end(&c);
}
END_TEST

/* -- ways */

START_TEST(ways)
{
	static const struct {
		const char *key;
		enum change_way way;
	} expected[] = {
		{ "/plugin", CHANGE_UPGRADE },
		{ "/device/depth", CHANGE_RECREATE },
		{ "/device/read_only", CHANGE_RECREATE },
		{ "/device/io_timeout", CHANGE_UPGRADE },
		{ "/device/plugin_timeout", CHANGE_UPGRADE },
		{ "/device/poll_us", CHANGE_UPGRADE },
		{ "/device/sandbox", CHANGE_UPGRADE },
		{ "/device/swap_safe", CHANGE_UPGRADE },
		{ "/device/user", CHANGE_UPGRADE },
		{ "/data_path", CHANGE_RECREATE },
		{ "/cpus", CHANGE_UPGRADE },
		{ "/options/size", CHANGE_RESIZE },
		{ "/options/huge", CHANGE_RECREATE },
	};
	struct compared c = compare(
		HEAD
		"\"plugin\": \"null\", \"options\": { \"size\": \"32M\", \"huge\": \"never\" }, "
		"\"device\": { \"poll_us\": 1, \"io_timeout\": 1, \"plugin_timeout\": 1, "
		"\"sandbox\": \"off\", \"swap_safe\": true, \"user\": \"nobody\", \"read_only\": true, \"depth\": 1 }, "
		"\"cpus\": \"none\", \"data_path\": \"copy\" }",
		MEM_RESOLVED
		"\"device\": { \"poll_us\": 0, \"io_timeout\": 30, \"plugin_timeout\": 30, "
		"\"swap_safe\": false, \"read_only\": false, \"depth\": 128 }, "
		"\"cpus\": \"auto\", \"data_path\": \"auto\" }",
		"{ }", "{ \"options\": [ { \"name\": \"huge\", \"type\": \"enum\" } ] }");
	char text[CHANGE_TEXT_MAX];

	ck_assert_uint_eq(c.changes.nr, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		ck_assert_str_eq(c.changes.change[i].key, expected[i].key);
		ck_assert_int_eq(c.changes.change[i].way, expected[i].way);
	}
	ck_assert_int_eq(manifest_changes_way(&c.changes), CHANGE_RECREATE);
	ck_assert_str_eq(change_value_text(&c.changes.change[11], c.changes.change[11].is, text),
			 "16M");
	ck_assert_str_eq(
		change_value_text(&c.changes.change[11], c.changes.change[11].wanted, text), "32M");
	ck_assert_str_eq(change_value_text(&c.changes.change[2], c.changes.change[2].wanted, text),
			 "true");
	ck_assert_str_eq(change_value_text(&c.changes.change[1], NULL, text), "(default)");
	end(&c);
}
END_TEST

/* By name or by path, a plugin is its file. */
START_TEST(plugins_are_files)
{
	struct device_state state = { .plugin_path = "/lib/mem.so" };
	struct manifest_changes changes;
	struct device_config cfg;

	state.manifest = parse("{ \"plugin\": \"/lib/mem.so\" }");
	load(&cfg, HEAD "\"plugin\": \"mem\" }");
	ck_assert_int_eq(manifest_compare(&changes, &cfg, "/lib/mem.so", &state, NULL), 0);
	ck_assert_uint_eq(changes.nr, 0);
	manifest_changes_free(&changes);
	ck_assert_int_eq(manifest_compare(&changes, &cfg, "/opt/mem.so", &state, NULL), 0);
	ck_assert_uint_eq(changes.nr, 1);
	ck_assert_str_eq(json_string_value(changes.change[0].is), "/lib/mem.so");
	ck_assert_str_eq(json_string_value(changes.change[0].wanted), "/opt/mem.so");
	manifest_changes_free(&changes);
	device_config_free(&cfg);
	json_decref(state.manifest);
}
END_TEST

/* What a manifest gave, without what may be a secret; the name is no difference. */
START_TEST(what_was_asked)
{
	json_t *asked, *expected = parse("{ \"/plugin\": \"mem\", \"/device/depth\": 64, "
					 "\"/options/size\": null, \"/options/key\": null }");
	struct device_config cfg;

	load(&cfg, HEAD "\"name\": \"x\", \"plugin\": \"mem\", \"device\": { \"depth\": 64 }, "
			"\"options\": { \"size\": \"16M\", \"key\": \"hush\" } }");
	asked = manifest_asked(&cfg);
	ck_assert(json_equal(asked, expected));
	json_decref(asked);
	json_decref(expected);
	device_config_free(&cfg);
}
END_TEST

/* -- files that were replaced */

static void put_proc(const char *exe, const char *maps)
{
	char link[300];

	snprintf(link, sizeof(link), "%s/proc/77/exe", scratch);
	unlink(link);
	ck_assert_int_eq(symlink(exe, link), 0);
	scratch_text("proc/77/maps", maps);
}

START_TEST(replaced_files)
{
	struct device_state state = { .pid = 77 };
	struct server_files files = server_files_replaced(scratch, &state);
	char line[600];

	ck_assert(!files.program && !files.plugin);
	scratch_dir("proc", 0755);
	scratch_dir("proc/77", 0755);
	state.plugin_path = (char *)scratch_text("mem.so", "x");
	snprintf(line, sizeof(line),
		 "7f0-7f1 r-xp 00001000 08:01 99   /lib/other.so (deleted)\n"
		 "7f2-7f3 r-xp 00001000 08:01 99   %s\n7f4-7f5 rw-p 00000000 00:00 0 \n",
		 state.plugin_path);
	put_proc("/sbin/ublk-host", line);
	files = server_files_replaced(scratch, &state);
	ck_assert(!files.program && !files.plugin);
	snprintf(line, sizeof(line), "7f2-7f3 r-xp 00001000 08:01 99   %s (deleted)\n",
		 state.plugin_path);
	put_proc("/sbin/ublk-host (deleted)", line);
	files = server_files_replaced(scratch, &state);
	ck_assert(files.program && files.plugin);
	unlink(state.plugin_path); /* there is nothing to go on with */
	files = server_files_replaced(scratch, &state);
	ck_assert(files.program && !files.plugin);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest compare");
	TCase *tc = tcase_create("differences");

	tcase_add_checked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_test(tc, resolved_alone);
	tcase_add_test(tc, with_what_was_asked);
	tcase_add_test(tc, of_the_server);
	tcase_add_test(tc, options_by_the_table);
	tcase_add_test(tc, secrets);
	tcase_add_test(tc, what_may_be_a_secret);
	tcase_add_test(tc, ways);
	tcase_add_test(tc, plugins_are_files);
	tcase_add_test(tc, what_was_asked);
	tcase_add_test(tc, replaced_files);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
