// SPDX-License-Identifier: MIT
/* The file of a device's statistics, in a folder of the test's own on a tmpfs. */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/log.h"
#include "device/state.h"
#include "device/stats_file.h"
#include "tap.h"

/* High ids: no machine has nodes for them. */
#define ID 900001u
#define FILE_NAME "900001.stats"
#define QUEUES 3u

static char dir[64];

static void in_dir(char *buf, const char *name)
{
	snprintf(buf, 256, "%s/%s", dir, name);
}

static bool exists(const char *name)
{
	struct stat st;
	char path[256];

	in_dir(path, name);
	return lstat(path, &st) == 0;
}

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/ublk-host-stats-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
	log_set_level(LOG_LVL_ERR);
}

static void teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct stats *create(void)
{
	struct stats *stats = NULL;

	ck_assert_int_eq(stats_create(ID, QUEUES, &stats), 0);
	ck_assert_ptr_nonnull(stats);
	return stats;
}

/* A sound file, not mapped. */
static void put(void)
{
	stats_unmap(create(), QUEUES);
}

static int read_id(uint32_t id, struct stats **copy)
{
	struct device_state state = { .id = id };

	ck_assert_int_eq(state_self(&state), 0);
	return stats_read(&state, copy);
}

static int read_it(void)
{
	struct stats *copy = (void *)dir;
	int err = read_id(ID, &copy);

	ck_assert(err ? !copy : !!copy);
	free(copy);
	return err;
}

START_TEST(what_is_counted_is_read)
{
	struct stats *stats = create(), *copy;
	char path[256];
	struct stat st;

	in_dir(path, FILE_NAME);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(st.st_size, stats_size(QUEUES));
	ck_assert_int_ge(st.st_blocks * 512, st.st_size); /* nothing is left to be allocated */
	stats->queue[QUEUES - 1].counters.bytes[UBLK_OP_READ] = 4096;
	ck_assert_int_eq(read_id(ID, &copy), 0);
	ck_assert_uint_eq(copy->id, ID);
	ck_assert_int_eq(copy->pid, getpid());
	ck_assert_uint_eq(copy->nr_queues, QUEUES);
	ck_assert_uint_eq(copy->queue[QUEUES - 1].counters.bytes[UBLK_OP_READ], 4096);
	stats->queue[QUEUES - 1].counters.bytes[UBLK_OP_READ] = 8192;
	ck_assert_uint_eq(copy->queue[QUEUES - 1].counters.bytes[UBLK_OP_READ], 4096);
	free(copy);
	stats_unmap(stats, QUEUES);
}
END_TEST

START_TEST(whatever_the_umask_is)
{
	mode_t mask = umask(077);
	struct stat st;
	char path[256];

	put();
	umask(mask);
	in_dir(path, FILE_NAME);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0644);
}
END_TEST

START_TEST(latencies_are_switched_from_outside)
{
	struct stats *stats = create();
	uint32_t first;

	ck_assert(!stats_latency_on(stats->latency));
	ck_assert_int_eq(stats_set_latency(ID, true), 0);
	ck_assert(stats_latency_on(stats->latency));
	first = stats->latency;
	ck_assert_int_eq(stats_set_latency(ID, true), 0);
	ck_assert(stats_latency_on(stats->latency));
	ck_assert_uint_ne(stats->latency, first);
	ck_assert_int_eq(stats_set_latency(ID, false), 0);
	ck_assert(!stats_latency_on(stats->latency));
	ck_assert_int_eq(stats_set_latency(ID + 1, true), -ENOENT);
	stats_unmap(stats, QUEUES);
}
END_TEST

START_TEST(nothing_there)
{
	char path[128];

	ck_assert_int_eq(read_it(), -ENOENT);
	snprintf(path, sizeof(path), "%s/nothing", dir);
	setenv("UBLK_HOST_RUN_DIR", path, 1);
	ck_assert_int_eq(read_it(), -ENOENT);
	stats_remove(ID, getpid());
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(leftovers_are_replaced)
{
	char path[256];
	struct stats *old = create(), *copy;

	old->queue[0].counters.enters = 77;
	in_dir(path, FILE_NAME ".tmp");
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	put();
	ck_assert(!exists(FILE_NAME ".tmp"));
	ck_assert_int_eq(read_id(ID, &copy), 0);
	ck_assert_uint_eq(copy->queue[0].counters.enters, 0);
	ck_assert_uint_eq(old->queue[0].counters.enters, 77); /* it has its own memory */
	free(copy);
	stats_unmap(old, QUEUES);
}
END_TEST

START_TEST(damaged_file_is_told)
{
	size_t size = stats_size(QUEUES);
	char path[256];
	int fd;

	in_dir(path, FILE_NAME);
	put();
	ck_assert_int_eq(truncate(path, size - 8), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	ck_assert_int_eq(stats_set_latency(ID, true), -EBADMSG);
	ck_assert_int_eq(truncate(path, 12), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	put();
	ck_assert_int_eq(truncate(path, size + 1), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	ck_assert_int_eq(truncate(path, 1ll << 40), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	put();
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "\xff\xff\xff\xff", 4, offsetof(struct stats, nr_queues)), 4);
	close(fd);
	ck_assert_int_eq(read_it(), -EBADMSG);
	put();
	ck_assert_int_eq(read_it(), 0);
}
END_TEST

START_TEST(file_of_another_id_is_not_believed)
{
	char from[256], to[256];
	struct stats *copy = NULL;

	put();
	in_dir(from, FILE_NAME);
	in_dir(to, "900002.stats");
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_int_eq(read_id(ID + 1, &copy), -EBADMSG);
	ck_assert_ptr_null(copy);
}
END_TEST

START_TEST(statistics_of_another_server_are_none)
{
	struct device_state state = { .id = ID };
	struct stats *copy = NULL;

	put();
	ck_assert_int_eq(state_self(&state), 0);
	state.pid_start++;
	ck_assert_int_eq(stats_read(&state, &copy), -ENOENT);
	state.pid_start--;
	state.pid++;
	ck_assert_int_eq(stats_read(&state, &copy), -ENOENT);
	ck_assert_ptr_null(copy);
}
END_TEST

START_TEST(file_that_others_can_write_is_not_believed)
{
	char path[256];

	in_dir(path, FILE_NAME);
	put();
	ck_assert_int_eq(chmod(path, 0664), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	ck_assert_int_eq(chmod(path, 0646), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
	ck_assert_int_eq(stats_set_latency(ID, true), -EBADMSG);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(read_it(), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		ck_assert_int_eq(read_it(), -EBADMSG);
	}
}
END_TEST

START_TEST(only_a_regular_file_is_read)
{
	char path[256], other[256];

	put();
	in_dir(path, FILE_NAME);
	in_dir(other, "other");
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_lt(read_it(), 0);
	ck_assert_int_lt(stats_set_latency(ID, true), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	ck_assert_int_eq(read_it(), -EBADMSG); /* and does not hang */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(read_it(), -EBADMSG);
}
END_TEST

static void write_state(pid_t pid)
{
	struct device_state state = { .id = ID, .name = "scratch", .node = "/dev/ublkb900001" };

	state.pid = pid;
	ck_assert_int_eq(state_pid_start(pid, &state.pid_start), 0);
	ck_assert_int_eq(state_write(&state), 0);
}

START_TEST(removed_with_the_state)
{
	put();
	write_state(getpid());
	ck_assert(exists(FILE_NAME));
	state_remove(ID, "scratch");
	ck_assert(!exists(FILE_NAME));
	put();
	stats_remove(ID, getpid());
	ck_assert(!exists(FILE_NAME));
	stats_remove(ID, getpid());
}
END_TEST

/* A server that ends late does not take the file of the one that has its id by now. */
START_TEST(file_of_a_new_server_stays)
{
	int status, pipes[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(pipes), 0);
	write_state(getpid());
	pid = fork();
	if (pid == 0) {
		put();
		if (write(pipes[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	stats_remove(ID, getpid());
	ck_assert(exists(FILE_NAME));
	state_remove(ID, "scratch");
	ck_assert(!exists("900001.json"));
	ck_assert(exists(FILE_NAME));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	stats_remove(ID, getpid());
	ck_assert(!exists(FILE_NAME));
}
END_TEST

/* What nobody can believe is nobody's. */
START_TEST(damaged_file_is_removed)
{
	char path[256];

	put();
	in_dir(path, FILE_NAME);
	ck_assert_int_eq(truncate(path, 5), 0);
	stats_remove(ID, getpid());
	ck_assert(!exists(FILE_NAME));
}
END_TEST

/* Written back to a disk, mapped counters would hold up the queues. */
START_TEST(not_on_a_disk)
{
	char disk[] = "/var/tmp/ublk-host-stats-XXXXXX";
	struct stats *stats = (void *)dir;
	unsigned int warned;

	if (is_tmpfs("/var/tmp"))
		return;
	log_set_level(LOG_LVL_WARN);
	warned = log_count(LOG_LVL_WARN);
	ck_assert_ptr_nonnull(mkdtemp(disk));
	setenv("UBLK_HOST_RUN_DIR", disk, 1);
	ck_assert_int_eq(stats_create(ID, QUEUES, &stats), -EOPNOTSUPP);
	ck_assert_ptr_null(stats);
	ck_assert_uint_eq(log_count(LOG_LVL_WARN), warned + 1);
	ck_assert_int_eq(rmdir(disk), 0); /* nothing was left in it */
}
END_TEST

/* A full tmpfs is noticed when the file is made, not by the queue that counts. */
START_TEST(larger_than_what_is_there)
{
	struct stats *stats = NULL;
	struct statfs fs;

	ck_assert_int_eq(statfs(dir, &fs), 0);
	if (!fs.f_blocks || fs.f_blocks * fs.f_bsize > stats_size(UINT32_MAX))
		return;
	ck_assert_int_lt(stats_create(ID, UINT32_MAX, &stats), 0);
	ck_assert_ptr_null(stats);
	ck_assert(!exists(FILE_NAME));
	ck_assert(!exists(FILE_NAME ".tmp"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statistics in a file");
	TCase *tc = tcase_create("file");

	if (!is_tmpfs("/dev/shm")) {
		printf("1..0 # SKIP /dev/shm is not a tmpfs\n");
		return EXIT_SUCCESS;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_counted_is_read);
	tcase_add_test(tc, whatever_the_umask_is);
	tcase_add_test(tc, latencies_are_switched_from_outside);
	tcase_add_test(tc, nothing_there);
	tcase_add_test(tc, leftovers_are_replaced);
	tcase_add_test(tc, damaged_file_is_told);
	tcase_add_test(tc, file_of_another_id_is_not_believed);
	tcase_add_test(tc, statistics_of_another_server_are_none);
	tcase_add_test(tc, file_that_others_can_write_is_not_believed);
	tcase_add_test(tc, only_a_regular_file_is_read);
	tcase_add_test(tc, removed_with_the_state);
	tcase_add_test(tc, file_of_a_new_server_stays);
	tcase_add_test(tc, damaged_file_is_removed);
	tcase_add_test(tc, not_on_a_disk);
	tcase_add_test(tc, larger_than_what_is_there);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
