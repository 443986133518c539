// SPDX-License-Identifier: MIT
/* State files: written, read, removed, damaged, listed. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "state_help.h"

START_TEST(what_is_written_is_read)
{
	struct device_state in = sample(ID, "scratch"), out;

	in.manifest = json_pack("{s:s}", "plugin", "mem");
	in.files = json_pack("[{s:s}]", "disk", "8:0");
	ck_assert_int_eq(state_write(&in), 0);
	ck_assert_int_eq(state_read(ID, &out), 0);
	ck_assert_uint_eq(out.id, ID);
	ck_assert_str_eq(out.name, "scratch");
	ck_assert_str_eq(out.node, NODE);
	ck_assert_str_eq(out.plugin_path, "/lib/mem.so");
	ck_assert_str_eq(out.data_path, "copy");
	ck_assert_str_eq(out.data_path_why, "it is the only one");
	ck_assert_int_eq(out.pid, getpid());
	ck_assert_uint_eq(out.pid_start, in.pid_start);
	ck_assert(json_equal(in.manifest, out.manifest));
	ck_assert(json_equal(in.files, out.files));
	ck_assert(state_server_alive(&out));
	ck_assert(link_is("by-name/scratch", NODE));
	json_decref(in.manifest);
	json_decref(in.files);
	state_free(&out);
	ck_assert_int_eq(state_find_name("scratch", &out), 0);
	ck_assert_uint_eq(out.id, ID);
	state_free(&out);
	ck_assert_int_eq(state_find_name("scratc", &out), -ENOENT);
	ck_assert_int_eq(state_read(ID + 1, &out), -ENOENT);
}
END_TEST

START_TEST(members_may_be_absent)
{
	struct device_state in = sample(ID, "scratch"), out;

	in.plugin_path = in.data_path = in.data_path_why = NULL;
	ck_assert_int_eq(state_write(&in), 0);
	ck_assert_int_eq(state_read(ID, &out), 0);
	ck_assert_ptr_null(out.plugin_path);
	ck_assert_ptr_null(out.manifest);
	state_free(&out);
}
END_TEST

START_TEST(folders_are_made_for_everybody_to_read)
{
	char deep[128];
	struct stat st;
	mode_t mask = umask(077);

	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	setenv("UBLK_HOST_RUN_DIR", deep, 1);
	write_sample(ID, "scratch");
	umask(mask);
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0755);
	strcat(deep, "/by-name");
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0755);
	snprintf(deep, sizeof(deep), "%s/a/b/%u.json", dir, ID);
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0644);
}
END_TEST

START_TEST(folder_must_be_absolute)
{
	struct device_state state = sample(ID, "scratch");

	setenv("UBLK_HOST_RUN_DIR", "here", 1);
	ck_assert_int_eq(state_write(&state), -EINVAL);
	ck_assert_int_eq(state_read(ID, &state), -EINVAL);
	ck_assert_int_ne(access("here", F_OK), 0);
}
END_TEST

START_TEST(folder_that_cannot_be_made)
{
	struct device_state state = sample(ID, "scratch");
	char path[128];

	put("file", "", 0644);
	snprintf(path, sizeof(path), "%s/file/run", dir);
	setenv("UBLK_HOST_RUN_DIR", path, 1);
	ck_assert_int_eq(state_write(&state), -ENOTDIR);
}
END_TEST

START_TEST(removal_leaves_nothing)
{
	struct device_state out;

	write_sample(ID, "scratch");
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json"));
	ck_assert(!exists("by-name/scratch"));
	ck_assert_int_eq(state_read(ID, &out), -ENOENT);
	state_remove(ID, "scratch");
}
END_TEST

/* Its server, or who marked the state, was killed at that. */
START_TEST(removal_takes_what_is_not_whole)
{
	write_sample(ID, "scratch");
	put("900001.json.tmp", "{ half", 0600);
	put("900001.stats.tmp", "half", 0600);
	put("by-name/.900001.tmp", "a link", 0600);
	put("900002.json.tmp", "of another", 0600);
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json") && !exists("900001.json.tmp"));
	ck_assert(!exists("900001.stats.tmp") && !exists("by-name/.900001.tmp"));
	ck_assert(exists("900002.json.tmp"));
}
END_TEST

START_TEST(link_of_another_stays)
{
	char path[256];

	write_sample(ID, "scratch");
	in_dir(path, "by-name/scratch");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/ublkb5", path), 0);
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json"));
	ck_assert(link_is("by-name/scratch", "/dev/ublkb5"));
}
END_TEST

START_TEST(state_of_a_new_server_stays)
{
	struct device_state state = sample(ID, "scratch");
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	state.pid = pid;
	ck_assert_int_eq(state_pid_start(pid, &state.pid_start), 0);
	ck_assert_int_eq(state_write(&state), 0);
	state_remove(ID, "scratch");
	ck_assert(exists("900001.json"));
	ck_assert(link_is("by-name/scratch", NODE));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json"));
	ck_assert(!exists("by-name/scratch"));
}
END_TEST

/* What is forked off has the folder locked from here on. */
static pid_t fork_with_lock(int *lock)
{
	char path[256];
	pid_t pid;

	in_dir(path, ".lock");
	*lock = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(*lock, 0);
	ck_assert_int_eq(flock(*lock, LOCK_EX), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid)
		close(*lock);
	return pid;
}

/* A removal that has looked, and then removes what came in between, would take a new server's. */
START_TEST(removal_waits_for_who_writes)
{
	struct device_state state;
	char from[256], to[256];
	pid_t pid, server;
	int lock, status;

	server = fork();
	if (server == 0) {
		pause();
		_exit(0);
	}
	state = sample(ID, "new");
	state.pid = server;
	ck_assert_int_eq(state_pid_start(server, &state.pid_start), 0);
	ck_assert_int_eq(state_write(&state), 0);
	in_dir(from, "900001.json");
	in_dir(to, "kept");
	ck_assert_int_eq(rename(from, to), 0);
	pid = fork_with_lock(&lock);
	if (pid == 0) {
		usleep(200000);
		_exit(rename(to, from) ? 1 : 0);
	}
	state_remove(ID, "old");
	ck_assert(exists("900001.json"));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(kill(server, SIGKILL), 0);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
}
END_TEST

/* It does not give it back. */
static pid_t holder_begin(void)
{
	int lock;
	pid_t pid = fork_with_lock(&lock);

	while (pid == 0)
		pause();
	return pid;
}

static void holder_end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(removal_does_not_wait_for_ever)
{
	pid_t pid;

	write_sample(ID, "scratch");
	pid = holder_begin();
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json"));
	holder_end(pid);
}
END_TEST

/* It may have been read before a new server wrote it. */
START_TEST(nothing_is_noted_without_the_lock)
{
	struct device_state state;
	pid_t pid;

	write_sample(ID, "scratch");
	pid = holder_begin();
	ck_assert_int_eq(state_set_failed(ID, "it has"), -ETIMEDOUT);
	ck_assert_int_eq(state_read(ID, &state), 0);
	ck_assert_ptr_null(state.failed);
	state_free(&state);
	holder_end(pid);
}
END_TEST

START_TEST(second_write_replaces)
{
	struct device_state out;

	write_sample(ID, "old");
	write_sample(ID, "new");
	ck_assert(!exists("by-name/old"));
	ck_assert(link_is("by-name/new", NODE));
	ck_assert_int_eq(state_read(ID, &out), 0);
	ck_assert_str_eq(out.name, "new");
	state_free(&out);
}
END_TEST

START_TEST(killed_writer_leaves_no_trace)
{
	struct device_state out;
	struct dirent *entry;
	int files = 0;
	DIR *d;

	put("900001.json.tmp", "{ half", 0600);
	write_sample(ID, "scratch");
	ck_assert_int_eq(state_read(ID, &out), 0);
	state_free(&out);
	d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)))
		files += *entry->d_name != '.';
	closedir(d);
	ck_assert_int_eq(files, 2); /* the state and by-name */
}
END_TEST

START_TEST(file_is_never_seen_half_written)
{
	struct device_state out;
	int i, status;
	pid_t pid;

	write_sample(ID, "scratch");
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 300; i++)
			write_sample(ID, "scratch");
		_exit(0);
	}
	for (i = 0; i < 300; i++) {
		ck_assert_int_eq(state_read(ID, &out), 0);
		state_free(&out);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static const char *const damaged[] = {
	"",
	"{",
	"[]",
	"\"text\"",
	"{}",
	"{\"ublk_device_state\":\"1.0\"}",
#define REST "\"node\":\"/dev/ublkb900001\",\"pid\":1,\"pid_start\":1}"
	"{\"ublk_device_state\":\"2.0\",\"id\":900001,\"name\":\"a\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900002,\"name\":\"a\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":\"900001\",\"name\":\"a\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"../a\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"name\":\"b\"," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"manifest\":7," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"node\":\"/dev/sda\","
	"\"pid\":1,\"pid_start\":1}",
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"node\":\"/dev/ublkb900001\","
	"\"pid\":0,\"pid_start\":1}",
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"node\":\"/dev/ublkb900001\","
	"\"pid\":-1,\"pid_start\":1}",
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"node\":\"/dev/ublkb900001\","
	"\"pid\":1,\"pid_start\":-1}",
	/* not to be cut to 32 bits, which would be process 1 */
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"node\":\"/dev/ublkb900001\","
	"\"pid\":4294967297,\"pid_start\":1}",
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"in_hand\":4294967297," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"in_hand\":-1," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"standby\":4294967297," REST,
	"{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\",\"standby\":-1," REST,
};
static const char sound[] = "{\"ublk_device_state\":\"1.0\",\"id\":900001,\"name\":\"a\"," REST;

START_TEST(damaged_file_is_told)
{
	struct device_state out;

	put("900001.json", damaged[_i], 0644);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
	ck_assert_ptr_null(out.name);
}
END_TEST

START_TEST(file_that_others_can_write_is_not_believed)
{
	struct device_state out;
	char path[256];

	put("900001.json", sound, 0644);
	ck_assert_int_eq(state_read(ID, &out), 0);
	state_free(&out);
	put("900001.json", sound, 0664);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
	put("900001.json", sound, 0646);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
	in_dir(path, "900001.json");
	if (geteuid() == 0) {
		put("900001.json", sound, 0644);
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
	}
}
END_TEST

START_TEST(only_a_regular_file_is_read)
{
	struct device_state out;
	char path[256], other[256];

	in_dir(path, "900001.json");
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG); /* and does not hang */
	ck_assert_int_eq(unlink(path), 0);
	put("other", sound, 0644);
	in_dir(other, "other");
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
}
END_TEST

START_TEST(huge_file_is_not_read)
{
	struct device_state out;
	char path[256];

	put("900001.json", sound, 0644);
	in_dir(path, "900001.json");
	ck_assert_int_eq(truncate(path, 1ll << 40), 0);
	ck_assert_int_eq(state_read(ID, &out), -EBADMSG);
}
END_TEST

struct seen {
	uint32_t id[8];
	int nr, stop_after;
};

static int see(const struct device_state *state, void *arg)
{
	struct seen *seen = arg;

	seen->id[seen->nr++] = state->id;
	return seen->nr == seen->stop_after ? 42 : 0;
}

START_TEST(all_are_visited_in_order)
{
	struct seen seen = { .nr = 0 }, first = { .stop_after = 1 };
	struct device_state out;

	ck_assert_int_eq(state_for_each(see, &seen), 0);
	write_sample(900010, "ten");
	write_sample(900009, "nine");
	write_sample(1000000, "million");
	put("900011.json", "{ damaged", 0644);
	put("900012.json.bak", sound, 0644);
	put("x.json", sound, 0644);
	put(".json", sound, 0644);
	ck_assert_int_eq(state_for_each(see, &seen), -EBADMSG); /* told of what it passed over */
	ck_assert_int_eq(seen.nr, 3);
	ck_assert_uint_eq(seen.id[0], 900009);
	ck_assert_uint_eq(seen.id[1], 900010);
	ck_assert_uint_eq(seen.id[2], 1000000);
	ck_assert_int_eq(state_for_each(see, &first), 42);
	ck_assert_int_eq(first.nr, 1);
	ck_assert_int_eq(state_find_name("eleven", &out), -EBADMSG); /* it may be that one's */
	ck_assert_int_eq(state_find_name("nine", &out), 0);
	ck_assert_uint_eq(out.id, 900009);
	state_free(&out);
}
END_TEST

START_TEST(no_folder_is_no_devices)
{
	struct seen seen = { .nr = 0 };
	struct device_state out;
	char path[128];

	snprintf(path, sizeof(path), "%s/nothing", dir);
	setenv("UBLK_HOST_RUN_DIR", path, 1);
	ck_assert_int_eq(state_for_each(see, &seen), 0);
	ck_assert_int_eq(seen.nr, 0);
	ck_assert_int_eq(state_find_name("a", &out), -ENOENT);
	state_remove(ID, "a");
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, state_setup, state_teardown);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, members_may_be_absent);
	tcase_add_test(tc, folders_are_made_for_everybody_to_read);
	tcase_add_test(tc, folder_must_be_absolute);
	tcase_add_test(tc, folder_that_cannot_be_made);
	tcase_add_test(tc, removal_leaves_nothing);
	tcase_add_test(tc, removal_takes_what_is_not_whole);
	tcase_add_test(tc, link_of_another_stays);
	tcase_add_test(tc, state_of_a_new_server_stays);
	tcase_add_test(tc, removal_waits_for_who_writes);
	tcase_add_test(tc, removal_does_not_wait_for_ever);
	tcase_add_test(tc, nothing_is_noted_without_the_lock);
	tcase_add_test(tc, second_write_replaces);
	tcase_add_test(tc, killed_writer_leaves_no_trace);
	tcase_add_test(tc, file_is_never_seen_half_written);
	tcase_add_loop_test(tc, damaged_file_is_told, 0, ARRAY_SIZE(damaged));
	tcase_add_test(tc, file_that_others_can_write_is_not_believed);
	tcase_add_test(tc, only_a_regular_file_is_read);
	tcase_add_test(tc, huge_file_is_not_read);
	tcase_add_test(tc, all_are_visited_in_order);
	tcase_add_test(tc, no_folder_is_no_devices);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
