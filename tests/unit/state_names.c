// SPDX-License-Identifier: MIT
/* Devices by name, the folder of their states, and whether the server that a state tells of is alive. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "state_help.h"

static const char *const bad_names[] = { "",	 ".",  "..",   ".hidden", "a/b",      "/a", "a b",
					 "a\nb", "-a", "a\tb", "\x7f",	  "\x1b[31m", "12" };

START_TEST(odd_name_is_refused)
{
	struct device_state state = sample(ID, (char *)bad_names[_i]);

	ck_assert(!state_name_valid(bad_names[_i]));
	ck_assert_int_eq(state_check_name(bad_names[_i], UINT32_MAX), -EINVAL);
	ck_assert_int_eq(state_write(&state), -EINVAL);
	ck_assert(!exists("900001.json"));
	ck_assert(!exists("by-name"));
}
END_TEST

START_TEST(name_has_a_limit)
{
	char name[STATE_MAX_NAME + 2];

	memset(name, 'a', sizeof(name));
	name[STATE_MAX_NAME] = 0;
	ck_assert(state_name_valid(name));
	write_sample(ID, name);
	name[STATE_MAX_NAME] = 'a';
	name[STATE_MAX_NAME + 1] = 0;
	ck_assert(!state_name_valid(name));
	ck_assert(state_name_valid("mem-0"));
	ck_assert(state_name_valid("a.b_c"));
}
END_TEST

START_TEST(name_in_use_is_refused)
{
	struct device_state second = sample(900002, "scratch");

	write_sample(ID, "scratch");
	ck_assert_int_eq(state_check_name("scratch", UINT32_MAX), -EEXIST);
	ck_assert_int_eq(state_check_name("scratch", ID), 0);
	ck_assert_int_eq(state_check_name("scratch2", UINT32_MAX), 0);
	ck_assert_int_eq(state_write(&second), -EEXIST);
	ck_assert(!exists("900002.json"));
	ck_assert(link_is("by-name/scratch", NODE));
}
END_TEST

START_TEST(name_of_a_gone_device_is_free)
{
	struct device_state dead = sample(ID, "scratch"), out;

	dead.pid_start--;
	ck_assert_int_eq(state_write(&dead), 0);
	write_sample(900002, "scratch");
	ck_assert(link_is("by-name/scratch", "/dev/ublkb900002"));
	ck_assert(!exists("900001.json"));
	ck_assert_int_eq(state_find_name("scratch", &out), 0);
	ck_assert_uint_eq(out.id, 900002);
	state_free(&out);
}
END_TEST

START_TEST(live_server_is_preferred)
{
	struct device_state dead = sample(ID, "first"), out;
	char text[512];

	/* two files of one name cannot be made through state_write() */
	snprintf(text, sizeof(text),
		 "{\"ublk_device_state\":\"1.0\",\"id\":900000,\"name\":\"first\",\"node\":"
		 "\"/dev/ublkb900000\",\"pid\":%d,\"pid_start\":%llu}",
		 getpid(), (unsigned long long)dead.pid_start);
	dead.pid_start--;
	ck_assert_int_eq(state_write(&dead), 0);
	put("900000.json", text, 0644);
	ck_assert_int_eq(state_find_name("first", &out), 0);
	ck_assert_uint_eq(out.id, 900000);
	state_free(&out);
}
END_TEST

START_TEST(reused_pid_is_not_alive)
{
	struct device_state state = sample(ID, "scratch");

	ck_assert(state_server_alive(&state));
	state.pid_start++;
	ck_assert(!state_server_alive(&state));
}
END_TEST

/* Who has no descriptor left cannot tell; then it is taken to be. */
START_TEST(what_cannot_be_told_is_alive)
{
	char name[] = "disk";
	struct device_state state = sample(ID, name);
	struct rlimit before, none;
	uint64_t start;
	bool alive;
	int err, found;

	ck_assert(state_server_alive(&state));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = state_pid_start(getpid(), &start);
	alive = state_server_alive(&state);
	found = state_find_server(&state);
	setrlimit(RLIMIT_NOFILE, &before);
	ck_assert_int_eq(err, -EMFILE);
	ck_assert(alive);
	ck_assert_int_eq(found, -EMFILE); /* but not to be signalled */
}
END_TEST

START_TEST(ended_process_is_not_alive)
{
	struct device_state state = { 0 };
	siginfo_t info;
	uint64_t start;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	state.pid = pid;
	ck_assert_int_eq(state_pid_start(pid, &state.pid_start), 0);
	ck_assert(state_server_alive(&state));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	/* a zombie: its parent has not waited yet */
	ck_assert_int_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(state_pid_start(pid, &start), -ESRCH);
	ck_assert(!state_server_alive(&state));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(!state_server_alive(&state));
}
END_TEST

/* Root's is the built-in one, a user's in the user's own folder, and what is set stays. */
START_TEST(users_have_a_folder_of_their_own)
{
	char was[128];

	snprintf(was, sizeof(was), "%s", getenv("UBLK_HOST_RUN_DIR"));
	setenv("XDG_RUNTIME_DIR", "/run/user/65534", 1);
	state_choose_dir();
	ck_assert_str_eq(state_dir(), was);
	unsetenv("UBLK_HOST_RUN_DIR");
	if (!geteuid()) {
		state_choose_dir();
		ck_assert_str_eq(state_dir(), RUNSTATEDIR);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	setenv("XDG_RUNTIME_DIR", "not/absolute", 1);
	state_choose_dir();
	ck_assert_str_eq(state_dir(), RUNSTATEDIR);
	setenv("XDG_RUNTIME_DIR", "/run/user/65534", 1);
	state_choose_dir();
	ck_assert_str_eq(state_dir(), "/run/user/65534/ublk-host");
	if (!getuid())
		ck_assert_int_eq(seteuid(0), 0);
	setenv("UBLK_HOST_RUN_DIR", was, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state names");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, state_setup, state_teardown);
	tcase_add_loop_test(tc, odd_name_is_refused, 0, ARRAY_SIZE(bad_names));
	tcase_add_test(tc, name_has_a_limit);
	tcase_add_test(tc, name_in_use_is_refused);
	tcase_add_test(tc, name_of_a_gone_device_is_free);
	tcase_add_test(tc, live_server_is_preferred);
	tcase_add_test(tc, reused_pid_is_not_alive);
	tcase_add_test(tc, ended_process_is_not_alive);
	tcase_add_test(tc, what_cannot_be_told_is_alive);
	tcase_add_test(tc, users_have_a_folder_of_their_own);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
