// SPDX-License-Identifier: MIT
/* --user: who that is, and the process that keeps the device's files for a server that is not root's. */
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "capture.h"
#include "device/clerk.h"
#include "device/user.h"
#include "state_help.h"

static struct capture cap;

/* -- users */

static void refused(const char *text, const char *why)
{
	struct run_as user;
	const char *said;

	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(user_find(text, &user), -EINVAL);
	said = capture_end(&cap);
	ck_assert_msg(strstr(said, why), "%s", said);
	ck_assert_ptr_null(user.groups);
}

START_TEST(users_that_are_none)
{
	if (geteuid()) {
		refused("nobody", "only root can serve as another user");
		return;
	}
	refused("no-such-user", "--user no-such-user: there is no such user on this machine");
	refused("no-such-user:0", "there is no such user on this machine");
	refused("4294967295:1", "there is no such user on this machine");
	refused("99999999999:1", "there is no such user on this machine");
	refused("3999999999", "its group has to be given: --user 3999999999:GROUP");
	refused("3999999999:no-such-group", "there is no such group on this machine");
	refused("root", "that is root, who serves anyway");
	refused("0:1", "that is root, who serves anyway");
}
END_TEST

START_TEST(users)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct run_as user;
	char text[32];
	uid_t uid;
	gid_t gid;

	if (geteuid() || !nobody)
		return;
	uid = nobody->pw_uid;
	gid = nobody->pw_gid;
	ck_assert_int_eq(user_find("nobody", &user), 0);
	ck_assert_uint_eq(user.uid, uid);
	ck_assert_uint_eq(user.gid, gid);
	ck_assert_int_ge(user.nr_groups, 1);
	user_free(&user);

	snprintf(text, sizeof(text), "%u", uid);
	ck_assert_int_eq(user_find(text, &user), 0);
	ck_assert_uint_eq(user.uid, uid);
	ck_assert_uint_eq(user.gid, gid);
	user_free(&user);

	ck_assert_int_eq(user_find("3999999999:3999999998", &user), 0);
	ck_assert_uint_eq(user.uid, 3999999999u);
	ck_assert_uint_eq(user.gid, 3999999998u);
	ck_assert_int_eq(user.nr_groups, 1);
	ck_assert_uint_eq(user.groups[0], 3999999998u);
	user_free(&user);

	ck_assert_int_eq(user_find("nobody:root", &user), 0);
	ck_assert_uint_eq(user.gid, 0);
	user_free(&user);
}
END_TEST

/* -- the clerk */

static bool of_us(const char *file)
{
	char path[256];
	struct stat st;

	in_dir(path, file);
	return !stat(path, &st) && st.st_uid == geteuid();
}

/* With its server's end of the connection. */
static void ended(int fd)
{
	int status;

	close(fd);
	ck_assert_int_gt(wait(&status), 0);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

START_TEST(keeps_the_files)
{
	struct device_state state = sample(ID, "ram"), back;
	int fd = clerk_begin();

	ck_assert_int_ge(fd, 0);
	put("900001.stats", "", 0644);
	ck_assert_int_eq(clerk_note(fd, ID, NULL), 0);
	ck_assert_int_eq(clerk_write(fd, &state, false), 0);
	ck_assert(of_us("900001.json"));
	ck_assert(link_is("by-name/ram", NODE));
	ck_assert_int_eq(state_read(ID, &back), 0);
	ck_assert_int_eq(back.pid, getpid());
	state_free(&back);
	ck_assert_int_eq(clerk_forget(fd), 0);
	ck_assert(!exists("900001.json"));
	ck_assert(!exists("900001.stats"));
	ck_assert(!exists("by-name/ram"));
	ended(fd);
}
END_TEST

/* What comes up and fails has no state yet. */
START_TEST(forgets_what_was_not_written)
{
	int fd = clerk_begin();

	ck_assert_int_eq(clerk_note(fd, ID, NULL), 0);
	put("900001.stats", "", 0644);
	ck_assert_int_eq(clerk_forget(fd), 0);
	ck_assert(!exists("900001.stats"));
	ended(fd);
}
END_TEST

/* A device that goes on without its server keeps all of it. */
START_TEST(ends_with_its_server)
{
	struct device_state state = sample(ID, "ram");
	int fd = clerk_begin();

	ck_assert_int_eq(clerk_note(fd, ID, NULL), 0);
	ck_assert_int_eq(clerk_write(fd, &state, false), 0);
	ended(fd);
	ck_assert(exists("900001.json"));
	ck_assert(exists("by-name/ram"));
}
END_TEST

/* Once each, in order, about one device and its own server. */
START_TEST(does_no_more_than_that)
{
	struct device_state state = sample(ID, "ram"), other = sample(ID + 1, "ram"),
			    foreign = sample(ID, "ram");
	int fd = clerk_begin();

	foreign.pid = 1;
	ck_assert_int_eq(clerk_write(fd, &state, false), -EPERM);
	ck_assert_int_eq(clerk_forget(fd), -EPERM);
	ck_assert_int_eq(clerk_note(fd, ID, NULL), 0);
	ck_assert_int_eq(clerk_note(fd, ID + 1, NULL), -EPERM);
	ck_assert_int_eq(clerk_write(fd, &other, false), -EBADMSG);
	ck_assert_int_eq(clerk_write(fd, &foreign, false), -EPERM);
	ck_assert(!exists("900001.json") && !exists("900002.json"));
	ck_assert_int_eq(clerk_write(fd, &state, false), 0);
	state.plugin_path = "/tmp/evil.so";
	ck_assert_int_eq(clerk_write(fd, &state, false), -EPERM);
	ck_assert_int_eq(clerk_forget(fd), 0);
	ck_assert_int_eq(clerk_forget(fd), -EPERM);
	ck_assert_int_eq(clerk_write(fd, &state, false), -EPERM);
	/* nor does it begin anew, with what is another device's */
	write_sample(ID + 1, "other");
	ck_assert_int_eq(clerk_note(fd, ID + 1, NULL), -EPERM);
	ck_assert_int_eq(clerk_forget(fd), -EPERM);
	ck_assert(exists("900002.json"));
	ended(fd);
}
END_TEST

/* Gone, or silent: the server says so, within its time. */
START_TEST(is_missed)
{
	struct device_state state = sample(ID, "ram");
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	for (int gone = 0; gone < 2; gone++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		if (gone)
			close(pair[1]);
		capture_begin(&cap, STDERR_FILENO);
		ck_assert_int_eq(clerk_write(pair[0], &state, false), -EPIPE);
		ck_assert_ptr_nonnull(strstr(capture_end(&cap), "does not answer, or has ended"));
		close(pair[0]);
		if (!gone)
			close(pair[1]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device_user");
	TCase *tc = tcase_create("user");

	tcase_set_timeout(tc, 30); /* one is waited for */
	tcase_add_checked_fixture(tc, state_setup, state_teardown);
	tcase_add_test(tc, users_that_are_none);
	tcase_add_test(tc, users);
	tcase_add_test(tc, keeps_the_files);
	tcase_add_test(tc, forgets_what_was_not_written);
	tcase_add_test(tc, ends_with_its_server);
	tcase_add_test(tc, does_no_more_than_that);
	tcase_add_test(tc, is_missed);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
