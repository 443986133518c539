// SPDX-License-Identifier: MIT
/* What a supervisor knows without a kernel: folders of manifests, what differs between two, when to start
 * a server again, and the words to a service manager. */
#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/manifest_compare.h"
#include "cli/manifest_folder.h"
#include "cli/notify.h"
#include "cli/restarts.h"
#include "config/device_manifest.h"
#include "scratch.h"
#include "tap.h"

/* -- folders */

static void put(const char *name, const char *text)
{
	FILE *file = fopen(in_scratch(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(several_folders)
{
	char *three[] = { (char *)scratch_dir("a", 0755), (char *)scratch_dir("b", 0755),
			  (char *)in_scratch("missing"), NULL };
	struct manifest_files files;

	put("a/zeta.json", "");
	put("a/.hidden.json", "");
	put("a/notes.txt", "");
	put("a/.json", "");
	put("b/zeta.json", "");
	put("b/alpha.json", "");
	put("b/masked.json", "");
	put("b/dangling.json", "");
	unlink(in_scratch("b/dangling.json"));
	ck_assert_int_eq(symlink("/dev/null", in_scratch("a/masked.json")), 0);
	ck_assert_int_eq(symlink("nowhere", in_scratch("b/dangling.json")), 0);
	ck_assert_int_eq(manifest_files_find(&files, three), 0);
	ck_assert_uint_eq(files.nr, 3);
	ck_assert_str_eq(files.file[0].base, "alpha");
	ck_assert_str_eq(files.file[1].base, "dangling"); /* reading it says what is wrong */
	ck_assert_str_eq(files.file[2].base, "zeta");
	ck_assert_str_eq(files.file[2].path, in_scratch("a/zeta.json"));
	manifest_files_free(&files);
	three[0] = three[2];
	three[1] = NULL;
	ck_assert_int_eq(manifest_files_find(&files, three), 0);
	ck_assert_uint_eq(files.nr, 0);
	manifest_files_free(&files);
}
END_TEST

START_TEST(folder_names)
{
	char **folders, cwd[PATH_MAX];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	folders = manifest_folders("some/where");
	ck_assert_str_eq(folders[0] + strlen(cwd), "/some/where");
	ck_assert_ptr_null(folders[1]);
	manifest_folders_free(folders);
	setenv("UBLK_HOST_RUN_DIR", "/run/of/mine", 1);
	folders = manifest_folders(NULL);
	ck_assert_str_eq(folders[0], SYSCONFDIR "/devices.d");
	ck_assert_str_eq(folders[1], "/run/of/mine/devices.d");
	ck_assert_str_eq(folders[2], LIBDIR "/devices.d");
	ck_assert_ptr_null(folders[3]);
	manifest_folders_free(folders);
}
END_TEST

/* -- differences */

static void load(struct device_config *cfg, const char *text)
{
	struct errors errors = { 0 };

	put("m.json", text);
	device_config_init(cfg);
	ck_assert_int_eq(device_manifest_load(cfg, in_scratch("m.json"), &errors), 0);
	errors_free(&errors);
}

static json_t *wanted_of(const char *text)
{
	struct device_config cfg;
	json_t *wanted;

	load(&cfg, text);
	wanted = manifest_wanted(&cfg);
	ck_assert_ptr_nonnull(wanted);
	device_config_free(&cfg);
	return wanted;
}

#define HEAD "{ \"ublk_device_manifest\": \"1.0\", "

static void check_differ(const char *old, const char *new, const char *keys)
{
	json_t *a = wanted_of(old), *b = wanted_of(new);
	char text[256];

	ck_assert_str_eq(manifest_differences(a, b, text, sizeof(text)), keys);
	json_decref(a);
	json_decref(b);
}

START_TEST(two_manifests)
{
	static const char old[] = HEAD "\"plugin\": \"mem\", \"options\": { \"size\": \"16M\" }, "
				       "\"device\": { \"max_io\": \"512K\", \"depth\": 64 } }";

	check_differ(old, old, "");
	/* in other words the same */
	check_differ(old,
		     HEAD "\"device\": { \"depth\": 64, \"max_io\": 524288 }, "
			  "\"options\": { \"size\": \"16M\" }, \"plugin\": \"mem\" }",
		     "");
	check_differ(old,
		     HEAD "\"plugin\": \"mem\", \"options\": { \"size\": \"32M\" }, "
			  "\"device\": { \"max_io\": \"512K\", \"read_only\": true } }",
		     "/device/read_only, /options/size, /device/depth");
	check_differ(old,
		     HEAD
		     "\"plugin\": \"null\", \"device\": { \"max_io\": \"512K\", \"depth\": 64 } }",
		     "/plugin, /options/size");
}
END_TEST

/* A manifest against the resolved one of a device that is there. */
static void check_made(const char *manifest, const char *resolved, const char *keys)
{
	json_t *state = json_loads(resolved, 0, NULL), *wanted, *made;
	struct device_config cfg;
	char text[256];

	ck_assert_ptr_nonnull(state);
	load(&cfg, manifest);
	wanted = manifest_wanted(&cfg);
	made = manifest_made(&cfg, wanted, state);
	ck_assert_ptr_nonnull(made);
	ck_assert_str_eq(manifest_differences(made, wanted, text, sizeof(text)), keys);
	json_decref(made);
	json_decref(wanted);
	json_decref(state);
	device_config_free(&cfg);
}

START_TEST(manifest_and_device)
{
	char resolved[1024];

	snprintf(resolved, sizeof(resolved),
		 "{ \"plugin\": \"file\", \"options\": { \"path\": \"%s/image\", \"direct\": true, "
		 "\"size\": 16777216 }, \"device\": { \"queues\": 2, \"depth\": 128, "
		 "\"recovery\": \"reissue\", \"read_only\": false } }",
		 scratch);
	check_made(HEAD "\"plugin\": \"file\", \"options\": { \"path\": \"./image\", \"direct\": "
			"true, \"size\": \"16M\", \"password\": \"x\" }, \"device\": { \"queues\": "
			"16, \"recovery\": \"auto\" } }",
		   resolved, "");
	check_made(HEAD "\"plugin\": \"file\", \"options\": { \"path\": \"other\", \"direct\": "
			"false, \"size\": \"17M\" }, \"device\": { \"recovery\": \"none\", "
			"\"read_only\": true } }",
		   resolved,
		   "/device/read_only, /device/recovery, /options/path, /options/direct, "
		   "/options/size");
}
END_TEST

/* -- restarts */

/* It has the size that its state tells, whatever it was made with. */
START_TEST(a_resized_device)
{
	json_t *state = json_loads("{\"options\": {\"size\": 67108864}}", 0, NULL);
	const char *const sizes[] = { "32M", "64M", "65536K" };
	char text[256];

	ck_assert_ptr_nonnull(state);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct device_config cfg;
		json_t *wanted, *made;
		char manifest[256];

		snprintf(manifest, sizeof(manifest),
			 HEAD "\"plugin\": \"mem\", \"options\": {\"size\": \"%s\"}}", sizes[i]);
		load(&cfg, manifest);
		wanted = manifest_wanted(&cfg);
		made = json_copy(wanted);
		manifest_note_size(made, &cfg, wanted, state);
		ck_assert_str_eq(manifest_differences(made, wanted, text, sizeof(text)),
				 i ? "" : "/options/size");
		json_decref(wanted);
		json_decref(made);
		device_config_free(&cfg);
	}
	json_decref(state);
}
END_TEST

START_TEST(back_off)
{
	static const unsigned int waits[] = { 0,    100,  200,	 400,	800,  1600,
					      3200, 6400, 10000, 10000, 10000 };
	struct restarts restarts;
	uint64_t now = 1000;

	restarts_init(&restarts, 0, 60000);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++, now += 10)
		ck_assert_uint_eq(restarts_ended(&restarts, now, 1, false), waits[i]);
	/* a server that lived for a while, or got on, begins a new row */
	ck_assert_uint_eq(restarts_ended(&restarts, now, RESTARTS_CALM_MS, false), 0);
	ck_assert_uint_eq(restarts_ended(&restarts, now, 0, false), 100);
	ck_assert_uint_eq(restarts_ended(&restarts, now, 1, true), 0);
	ck_assert_uint_eq(restarts_ended(&restarts, now, 1, true), 0);
}
END_TEST

START_TEST(limit)
{
	struct restarts restarts;

	restarts_init(&restarts, 3, 60000);
	ck_assert_uint_eq(restarts_ended(&restarts, 0, 1, false), 0);
	ck_assert_uint_eq(restarts_ended(&restarts, 59000, 1, false), 100);
	for (int i = 0; i < 1000; i++) /* these do not count */
		ck_assert_uint_eq(restarts_ended(&restarts, 59500, 1, true), 0);
	/* the first one is too long ago by now */
	ck_assert_uint_ne(restarts_ended(&restarts, 60000, 1, false), RESTARTS_NO_MORE);
	ck_assert_uint_eq(restarts_ended(&restarts, 60001, 1, false), RESTARTS_NO_MORE);
	/* who tries again has all of them again */
	ck_assert_uint_eq(restarts_ended(&restarts, 60002, 1, false), 0);
	restarts_init(&restarts, 1, 60000);
	ck_assert_uint_eq(restarts_ended(&restarts, 5, 1, false), RESTARTS_NO_MORE);
	/* never more than there is room for */
	restarts_init(&restarts, 1000, 60000);
	for (unsigned int i = 1; i < RESTARTS_MAX_LIMIT; i++)
		ck_assert_uint_ne(restarts_ended(&restarts, i, 1, false), RESTARTS_NO_MORE);
	ck_assert_uint_eq(restarts_ended(&restarts, 1000, 1, false), RESTARTS_NO_MORE);
}
END_TEST

/* -- notify */

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(at.sun_path));
	memcpy(at.sun_path, path, strlen(path));
	if (*path == '@')
		at.sun_path[0] = 0;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

static void heard(int fd, const char *text)
{
	char buf[1024];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	if (!text) {
		ck_assert_int_lt(n, 0);
		return;
	}
	ck_assert_int_ge(n, 0);
	buf[n] = 0;
	ck_assert_str_eq(buf, text);
}

START_TEST(notify_words)
{
	struct notify notify;
	unsigned long long usec;
	char name[64], text[512], end;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "@ublk-host-test-%d", getpid());
	fd = listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	snprintf(text, sizeof(text), "%d", getpid());
	setenv("WATCHDOG_PID", text, 1);
	notify_open(&notify);
	ck_assert_int_ge(notify.fd, 0);
	ck_assert_uint_eq(notify.watchdog_ms, 1500);
	/* not for children */
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
	notify_ready(&notify);
	heard(fd, "READY=1");
	notify_stopping(&notify);
	heard(fd, "STOPPING=1");
	notify_watchdog(&notify);
	heard(fd, "WATCHDOG=1");
	notify_status(&notify, "2 of 3 devices served");
	heard(fd, "STATUS=2 of 3 devices served");
	notify_reloading(&notify);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = 0;
	ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu%c", &usec, &end), 1);
	ck_assert_uint_gt(usec, 0);
	notify_close(&notify);
	close(fd);
}
END_TEST

START_TEST(notify_elsewhere)
{
	struct notify notify;
	char path[64];
	int fd;

	/* a file; short, as paths of sockets have to be */
	snprintf(path, sizeof(path), "/tmp/ublk-host-test-%d", getpid());
	fd = listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* not for us */
	notify_open(&notify);
	ck_assert_uint_eq(notify.watchdog_ms, 0);
	notify_ready(&notify);
	heard(fd, "READY=1");
	notify_close(&notify);
	unlink(path);
	close(fd);
	/* nobody */
	notify_open(&notify);
	ck_assert_int_eq(notify.fd, -1);
	notify_ready(&notify);
	/* nobody there, and what is no address */
	setenv("NOTIFY_SOCKET", path, 1);
	notify_open(&notify);
	ck_assert_int_eq(notify.fd, -1);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	notify_open(&notify);
	ck_assert_int_eq(notify.fd, -1);
	notify_status(&notify, "x");
	notify_close(&notify);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervisor");
	TCase *files = tcase_create("manifests"), *rest = tcase_create("rest");

	tcase_add_checked_fixture(files, scratch_setup, scratch_teardown);
	tcase_add_test(files, several_folders);
	tcase_add_test(files, folder_names);
	tcase_add_test(files, two_manifests);
	tcase_add_test(files, manifest_and_device);
	tcase_add_test(files, a_resized_device);
	tcase_add_test(rest, back_off);
	tcase_add_test(rest, limit);
	tcase_add_test(rest, notify_words);
	tcase_add_test(rest, notify_elsewhere);
	suite_add_tcase(suite, files);
	suite_add_tcase(suite, rest);
	return run_tap(suite);
}
