// SPDX-License-Identifier: MIT
/* What others than its server write into the state of a device, and who can keep them from it. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "device/state_file.h"
#include "state_help.h"

/* The errno of a call by a process that is not our child. */
static int by_grandchild(int (*call)(uint32_t id))
{
	pid_t child = fork();
	int status;

	if (!child) {
		pid_t grandchild = fork();

		if (!grandchild)
			_exit(-call(ID));
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

START_TEST(marks_of_others)
{
	char name[] = "disk";
	struct device_state state;
	pid_t child;
	int status;

	ck_assert_int_eq(state_set_failed(ID, "nobody there"), -ENOENT);
	write_sample(ID, name);
	ck_assert_int_eq(state_set_failed(ID, "5 servers ended"), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_str_eq(state.failed, "5 servers ended");
	ck_assert_str_eq(state.name, name);
	ck_assert_int_eq(state.pid, getpid());
	state_free(&state);
	/* in our own hand it is nobody else's */
	ck_assert_int_eq(state_take_in_hand(ID), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_int_eq(state.in_hand, getpid());
	ck_assert(!state_in_hand(&state));
	ck_assert_str_eq(state.failed, "5 servers ended");
	child = fork();
	if (!child)
		_exit(!state_in_hand(&state));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	state_free(&state);
	/* others than our children cannot take it, unless they mean to remove it */
	ck_assert_int_eq(by_grandchild(state_take_in_hand), EBUSY);
	ck_assert_int_eq(by_grandchild(state_take_from_all), 0);
	/* in that of a process that has ended, nobody's */
	child = fork();
	if (!child)
		_exit(state_take_in_hand(ID) != 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_int_eq(state.in_hand, child);
	ck_assert(!state_in_hand(&state));
	state_free(&state);
	/* a new server's state is without */
	write_sample(ID, name);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_ptr_null(state.failed);
	ck_assert_int_eq(state.in_hand, 0);
	state_free(&state);
}
END_TEST

/* Who stands by, as long as it lives, and for the server that it was prepared beside. */
START_TEST(who_stands_by)
{
	char name[] = "disk";
	__cleanup_free char *before = NULL, *after = NULL, *given_up = NULL;
	struct device_state state;
	pid_t child = fork();
	int status;

	if (!child) {
		pause();
		_exit(1);
	}
	ck_assert_int_eq(state_set_standby(ID, getpid(), child, true), -ENOENT);
	write_sample(ID, name);
	ck_assert_int_eq(state_set_standby(ID, getppid(), child, true), -ESRCH);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_int_eq(state_standby(&state), 0);
	before = state_lasting_text(&state);
	state_free(&state);
	ck_assert_int_eq(state_set_standby(ID, getpid(), child, false), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert(!state.standby_ready);
	state_free(&state);
	ck_assert_int_eq(state_set_standby(ID, getpid(), child, true), 0);
	ck_assert_int_eq(state_take_in_hand(ID), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_int_eq(state_standby(&state), child);
	ck_assert(state.standby_ready);
	after = state_lasting_text(&state);
	ck_assert_str_eq(before, after);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(state_standby(&state), 0);
	ck_assert_int_eq(state_set_standby(ID, getpid(), child, true), -ESRCH);
	state_free(&state);
	/* what is the device's, or its server's, is another matter */
	ck_assert_int_eq(state_set_failed(ID, "5 servers ended"), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	given_up = state_lasting_text(&state);
	ck_assert_str_ne(before, given_up);
	state_free(&state);
	write_sample(ID, name);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_int_eq(state.standby, 0);
	state_free(&state);
}
END_TEST

/* The next server's option `size`, whatever else the state has. */
START_TEST(another_size)
{
	char name[] = "disk";
	struct device_state state = sample(ID, name);
	json_t *options;

	ck_assert_int_eq(state_set_size(ID, 4096), -ENOENT);
	write_sample(ID, name);
	ck_assert_int_eq(state_set_size(ID, 4096), -EBADMSG); /* it says nothing of the plugin */
	state.manifest = json_pack("{s:s}", "options", "b");  /* nor here */
	ck_assert_int_eq(state_write(&state), 0);
	ck_assert_int_eq(state_set_size(ID, 4096), -EBADMSG);
	json_decref(state.manifest);
	state.manifest = json_pack("{s:s, s:{s:I, s:b}}", "plugin", "mem", "options", "size",
				   (json_int_t)512, "huge", 0);
	for (uint64_t size = 1 << 20; size; size = size > 1 << 20 ? 0 : 3ull << 40) {
		ck_assert_int_eq(state_write(&state), 0);
		ck_assert_int_eq(state_set_size(ID, size), 0);
		json_decref(state.manifest);
		ck_assert_int_eq(state_read(ID, &state), 0);
		options = json_object_get(state.manifest, "options");
		ck_assert_uint_eq(json_integer_value(json_object_get(options, "size")), size);
		ck_assert(json_is_false(json_object_get(options, "huge")));
		state_free(&state);
		state = sample(ID, name);
		state.manifest = json_pack("{s:s, s:{s:b}}", "plugin", "mem", "options", "huge", 0);
	}
	json_decref(state.manifest);

	/* One without options. */
	state = sample(ID, name);
	state.manifest = json_pack("{s:s}", "plugin", "mem");
	ck_assert_int_eq(state_write(&state), 0);
	json_decref(state.manifest);
	ck_assert_int_eq(state_set_size(ID, 1536), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	options = json_object_get(state.manifest, "options");
	ck_assert_int_eq(json_integer_value(json_object_get(options, "size")), 1536);
	state_free(&state);
}
END_TEST

/* The device's, also under its next server, which has read it. */
START_TEST(the_manifest_it_belongs_to)
{
	json_t *asked = json_pack("{s:i, s:n}", "/device/depth", 64, "/options/key");
	struct device_state state, next;
	char name[] = "disk";

	ck_assert_int_eq(state_set_source(ID, "/srv/disk.json", asked), -ENOENT);
	write_sample(ID, name);
	ck_assert_int_eq(state_set_source(ID, "/srv/disk.json", NULL), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_str_eq(state.source, "/srv/disk.json");
	ck_assert_ptr_null(state.asked);
	state_free(&state);
	ck_assert_int_eq(state_set_source(ID, "/etc/disk.json", asked), 0);
	ck_assert_int_eq(state_set_failed(ID, "5 servers ended"), 0);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_str_eq(state.source, "/etc/disk.json");
	ck_assert(json_equal(state.asked, asked));
	next = sample(ID, name);
	next.source = state.source;
	next.asked = state.asked;
	ck_assert_int_eq(state_write(&next), 0);
	state_free(&state);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_str_eq(state.source, "/etc/disk.json");
	ck_assert(json_equal(state.asked, asked));
	ck_assert_ptr_null(state.failed);
	state_free(&state);
	json_decref(asked);
}
END_TEST

/* Everybody can open the folder and the files, and lock what is open; but not what is waited for. */
START_TEST(others_cannot_hold_the_lock)
{
	uint64_t began = now_ms();
	struct stat st;
	char path[256];
	int status, file, folder = open(dir, O_RDONLY | O_DIRECTORY);
	pid_t pid;

	ck_assert_int_ge(folder, 0);
	ck_assert_int_eq(flock(folder, LOCK_EX), 0);
	write_sample(ID, "scratch");
	in_dir(path, "900001.json");
	file = open(path, O_RDONLY);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(flock(file, LOCK_EX), 0);
	ck_assert_int_eq(state_check_name("other", UINT32_MAX), 0);
	ck_assert_int_eq(state_set_failed(ID, "it has"), 0);
	state_remove(ID, "scratch");
	ck_assert_uint_lt(now_ms() - began, STATE_LOCK_MS);
	close(file);
	close(folder);
	in_dir(path, ".lock");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	if (geteuid())
		return;
	ck_assert_int_eq(chmod(dir, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(setuid(65534) || open(path, O_RDONLY) >= 0 || errno != EACCES);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state marks");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, state_setup, state_teardown);
	tcase_add_test(tc, marks_of_others);
	tcase_add_test(tc, who_stands_by);
	tcase_add_test(tc, another_size);
	tcase_add_test(tc, the_manifest_it_belongs_to);
	tcase_add_test(tc, others_cannot_hold_the_lock);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
