// SPDX-License-Identifier: MIT
/* What a supervisor knows without a kernel: folders of manifests, who sees to them, when to start a server
 * again, and the words to a service manager. */
#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "capture.h"
#include "cli/folder_lock.h"
#include "cli/manifest_folder.h"
#include "cli/notify.h"
#include "cli/restarts.h"
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

START_TEST(one_for_each_folder)
{
	const char *dir = scratch_dir("devices", 0755);
	struct folder_lock lock, second;
	int status;
	pid_t child;

	setenv("UBLK_HOST_RUN_DIR", scratch_dir("run", 0755), 1);
	ck_assert_int_eq(folder_supervisor(dir), 0);
	ck_assert_int_eq(folder_lock(&lock, dir, "serve"), 0);
	ck_assert_int_eq(folder_supervisor(dir), getpid());
	ck_assert_int_eq(folder_supervisor(in_scratch("run/../devices")), getpid());
	ck_assert_int_eq(folder_supervisor(scratch), 0);
	ck_assert_int_eq(folder_lock(&second, dir, "serve"), -EWOULDBLOCK);
	folder_unlock(&second);
	ck_assert_int_eq(folder_supervisor(dir), getpid());
	folder_unlock(&lock);
	ck_assert_int_eq(folder_supervisor(dir), 0);
	/* that of the machine is another, and a folder of the machine's is among it */
	scratch_dir("run/devices.d", 0755);
	ck_assert_int_eq(folder_lock(&lock, NULL, "serve"), 0);
	ck_assert_int_eq(folder_supervisor(dir), 0);
	ck_assert_int_eq(folder_supervisor(in_scratch("run/devices.d")), getpid());
	folder_unlock(&lock);
	ck_assert_int_eq(folder_supervisor(in_scratch("run/devices.d")), 0);
	/* a holder that was killed is none */
	child = fork();
	if (!child)
		_exit(folder_lock(&lock, dir, "serve") != 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(folder_supervisor(dir), 0);
	ck_assert_int_eq(folder_lock(&lock, dir, "serve"), 0);
	ck_assert_int_eq(folder_supervisor(dir), getpid());
	folder_unlock(&lock);
	ck_assert_int_lt(folder_lock(&lock, in_scratch("nowhere"), "serve"), 0);
	folder_unlock(&lock);
	ck_assert_int_eq(folder_supervisor(in_scratch("nowhere")), 0);
}
END_TEST

/* All folders of the machine, or one of them: whoever comes second does not get what the first one has. */
START_TEST(one_for_the_machine)
{
	const char *dir;
	struct folder_lock lock, second;
	struct capture cap;
	char line[256];

	scratch_dir("run", 0755);
	dir = scratch_dir("run/devices.d", 0755);
	setenv("UBLK_HOST_RUN_DIR", in_scratch("run"), 1);
	ck_assert_int_eq(folder_lock(&lock, NULL, "serve"), 0);
	ck_assert_int_eq(folder_lock(&second, dir, "serve"), -EWOULDBLOCK);
	folder_unlock(&second);
	ck_assert_int_eq(folder_lock(&second, dir, "apply"), -EWOULDBLOCK);
	folder_unlock(&second);
	ck_assert_int_eq(folder_supervisor(dir), getpid());
	folder_unlock(&lock);
	ck_assert_int_eq(folder_lock(&lock, dir, "apply"), 0);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(folder_lock(&second, NULL, "serve"), -EWOULDBLOCK);
	snprintf(line, sizeof(line), "ublk-host: ublk-host apply, process %d, already sees to %s\n",
		 getpid(), dir);
	ck_assert_str_eq(capture_end(&cap), line);
	folder_unlock(&second); /* with all that it has got */
	ck_assert_int_eq(folder_supervisor(dir), 0);
	folder_unlock(&lock);
	/* one that is made later */
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(folder_lock(&lock, NULL, "serve"), 0);
	scratch_dir("run/devices.d", 0755);
	ck_assert_int_eq(folder_lock(&second, dir, "serve"), -EWOULDBLOCK);
	folder_unlock(&second);
	folder_unlock(&lock);
	ck_assert_int_eq(folder_lock(&lock, dir, "serve"), 0);
	folder_unlock(&lock);
}
END_TEST

/* -- restarts */

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
	tcase_add_test(files, one_for_each_folder);
	tcase_add_test(files, one_for_the_machine);
	tcase_add_test(rest, back_off);
	tcase_add_test(rest, limit);
	tcase_add_test(rest, notify_words);
	tcase_add_test(rest, notify_elsewhere);
	suite_add_tcase(suite, files);
	suite_add_tcase(suite, rest);
	return run_tap(suite);
}
