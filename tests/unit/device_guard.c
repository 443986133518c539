// SPDX-License-Identifier: MIT
/* The deadline over the plugin's calls: each test is a process that gets stuck, or does not. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "capture.h"
#include "config/config.h"
#include "device/internal.h"
#include "device/state.h"
#include "tap.h"

#define ID 900001u /* no machine has it */
#define LONG_MS 60000
#define SHORT_MS 200

static struct device_config cfg;
static struct plugin plugin;
static struct device d;
static struct capture cap;

static void setup(void)
{
	sigset_t set;

	device_config_init(&cfg);
	plugin.desc.name = "stuck";
	d = (struct device){ .cfg = &cfg, .plugin = &plugin, .char_fd = -1 };
	d.info.dev_id = ID;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	d.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ck_assert_int_ge(d.signal_fd, 0);
}

static void write_state(void)
{
	struct device_state state = { .id = ID, .name = cfg.name, .node = "/dev/ublkb900001" };

	if (state_self(&state) || state_write(&state))
		_exit(41);
}

/* A process whose plugin takes `call_ms` of the `time_ms` that it has. Its exit status: 42 if it went
 * on after the call. cap.text is what it said. */
static int call(unsigned int call_ms, unsigned int time_ms, bool interrupt)
{
	int status;
	pid_t pid;

	capture_begin(&cap, STDERR_FILENO);
	pid = fork();
	if (pid == 0) {
		d.plugin_until = now_ms() + time_ms;
		if (d.written)
			write_state();
		if (interrupt)
			kill(getpid(), SIGTERM);
		guard_begin(&d, "queue_init of queue %u", 3);
		usleep(call_ms * 1000);
		guard_end(&d);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	capture_end(&cap);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define said(part) ck_assert_msg(strstr(cap.text, part), "no \"%s\" in: %s", part, cap.text)

START_TEST(a_call_that_returns_is_let_alone)
{
	ck_assert_int_eq(call(0, LONG_MS, false), 42);
	ck_assert_str_eq(cap.text, "");
}
END_TEST

START_TEST(a_call_that_does_not_is_left)
{
	cfg.plugin_timeout = 7;
	ck_assert_int_eq(call(LONG_MS, SHORT_MS, false), EXIT_FAILURE);
	said("plugin stuck has not returned from queue_init of queue 3 within 7 s");
}
END_TEST

/* What the plugin has used up before counts. */
START_TEST(no_time_is_left)
{
	ck_assert_int_eq(call(LONG_MS, 0, false), EXIT_FAILURE);
	said("plugin stuck has not returned");
}
END_TEST

/* One thread for all of them: it forgets those that have returned, their signals too, and sees the next. */
START_TEST(call_after_call)
{
	pid_t pid;
	int status;

	capture_begin(&cap, STDERR_FILENO);
	pid = fork();
	if (pid == 0) {
		d.plugin_until = now_ms() + SHORT_MS;
		for (unsigned int i = 0; i < 200; i++) {
			guard_begin(&d, "open");
			guard_end(&d);
		}
		guard_drop(&d);
		guard_drop(&d);
		d.live = true;
		kill(getpid(), SIGTERM);
		guard_begin(&d, "stop");
		guard_end(&d);
		usleep(2 * SHORT_MS * 1000); /* none of ours */
		d.plugin_until = now_ms() + SHORT_MS;
		guard_begin(&d, "close");
		usleep(LONG_MS * 1000);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	capture_end(&cap);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
	said("plugin stuck has not returned from close within");
}
END_TEST

START_TEST(a_signal_ends_it_before_there_is_a_device)
{
	ck_assert_int_eq(call(LONG_MS, LONG_MS, true), EXIT_FAILURE);
	said("interrupted while plugin stuck was in queue_init of queue 3");
}
END_TEST

START_TEST(a_slow_call_may_return_when_there_is_one)
{
	d.added = true;
	ck_assert_int_eq(call(GUARD_GRACE_MS / 10, LONG_MS, true), 42);
	ck_assert_str_eq(cap.text, "");
}
END_TEST

START_TEST(the_grace_after_a_signal_is_short)
{
	uint64_t begin = now_ms();

	d.added = true;
	ck_assert_int_eq(call(LONG_MS, LONG_MS, true), EXIT_FAILURE);
	said("interrupted while plugin stuck was in");
	ck_assert_uint_ge(now_ms() - begin, GUARD_GRACE_MS);
	ck_assert_uint_lt(now_ms() - begin, LONG_MS);
}
END_TEST

START_TEST(the_grace_ends_with_the_time)
{
	d.added = true;
	ck_assert_int_eq(call(LONG_MS, SHORT_MS, true), EXIT_FAILURE);
	said("interrupted while plugin stuck was in");
}
END_TEST

/* The plugin of a device that ends keeps its time: it may be saving what it holds. */
START_TEST(a_signal_does_not_hurry_the_end)
{
	d.added = d.live = true;
	ck_assert_int_eq(call(SHORT_MS, LONG_MS, true), 42);
	ck_assert_int_eq(call(LONG_MS, SHORT_MS, true), EXIT_FAILURE);
	said("has not returned");
}
END_TEST

START_TEST(the_state_file_goes_too)
{
	char dir[] = "/tmp/ublk-host-guard-XXXXXX", path[64];
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
	snprintf(path, sizeof(path), "%s/%u.json", dir, ID);
	cfg.name = strdup("stuck");
	d.added = d.live = true;
	ck_assert_int_eq(call(0, LONG_MS, false), 42);
	ck_assert_int_ne(stat(path, &st), 0);
	d.written = true;
	ck_assert_int_eq(call(0, LONG_MS, false), 42);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(call(LONG_MS, SHORT_MS, false), EXIT_FAILURE);
	ck_assert_int_ne(stat(path, &st), 0);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device guard");
	TCase *tc = tcase_create("guard");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_call_that_returns_is_let_alone);
	tcase_add_test(tc, a_call_that_does_not_is_left);
	tcase_add_test(tc, no_time_is_left);
	tcase_add_test(tc, call_after_call);
	tcase_add_test(tc, a_signal_ends_it_before_there_is_a_device);
	tcase_add_test(tc, a_slow_call_may_return_when_there_is_one);
	tcase_add_test(tc, the_grace_after_a_signal_is_short);
	tcase_add_test(tc, the_grace_ends_with_the_time);
	tcase_add_test(tc, a_signal_does_not_hurry_the_end);
	tcase_add_test(tc, the_state_file_goes_too);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
