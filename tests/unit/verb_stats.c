// SPDX-License-Identifier: MIT
/* The verb stats: its text word for word, its JSON, intervals, and the switch; this process plays the
 * server. */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/stats_out.h"
#include "device/state.h"
#include "device/stats_file.h"
#include "tap.h"
#include "verb_run.h"

/* High ids: no machine has nodes for them. */
#define ID 900001u

static char dir[64];
static struct stats *stats;

static void write_state(uint32_t id, char *name, int32_t pid)
{
	char node[32];
	struct device_state state = { .id = id, .name = name, .node = node };

	snprintf(node, sizeof(node), "/dev/ublkb%u", id);
	ck_assert_int_eq(state_self(&state), 0);
	if (pid)
		state.pid = pid;
	ck_assert_int_eq(state_write(&state), 0);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/ublk-host-stats-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
	log_set_level(LOG_LVL_INFO);
	ck_assert_int_eq(stats_create(ID, 2, &stats), 0);
	write_state(ID, "scratch", 0);
}

static void teardown(void)
{
	char cmd[128];

	stats_unmap(stats, 2);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

#define run(...) run_verb(verb_stats, __VA_ARGS__)

/* 20 reads of 4 KiB on queue 0, 30 on queue 1; a flush that failed. */
static void count_some(void)
{
	for (unsigned int q = 0; q < 2; q++) {
		stats->queue[q].counters.ops[UBLK_OP_READ] += 20 + 10 * q;
		stats->queue[q].counters.bytes[UBLK_OP_READ] += (20 + 10 * q) * 4096;
		stats->queue[q].counters.enters += 5;
	}
	stats->queue[0].counters.ops[UBLK_OP_FLUSH]++;
	stats->queue[0].counters.errors[UBLK_OP_FLUSH]++;
	stats->queue[0].counters.retries += 3;
}

/* As many latencies, all of 2 us but for one of 70 ms. */
static void measure_some(void)
{
	for (unsigned int q = 0; q < 2; q++) {
		stats->queue[q].session = stats->latency;
		for (unsigned int i = 0; i < 20 + 10 * q; i++)
			latency_add(&stats->queue[q].latency[UBLK_OP_READ],
				    q && !i ? 70000000 : 2000);
	}
}

START_TEST(text)
{
	count_some();
	ck_assert_int_eq(run("scratch", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text,
			 "scratch: 51 requests, 0.196 system calls per request, 3 retries\n"
			 "OPERATION  REQUESTS  BYTES   ERRORS\n"
			 "read       50        204800  0\n"
			 "write      0         0       0\n"
			 "flush      1         0       1\n");
	ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(text_of_queues)
{
	count_some();
	stats->queue[1].counters.misuse = 4;
	stats->queue[1].counters.timeouts = 5;
	ck_assert_int_eq(run("900001", "--queues", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text,
			 "scratch: 51 requests, 0.196 system calls per request, 3 retries, the "
			 "plugin broke the contract 4 times, 5 requests were taken away from it\n"
			 "QUEUE  OPERATION  REQUESTS  BYTES   ERRORS\n"
			 "all    read       50        204800  0\n"
			 "all    write      0         0       0\n"
			 "all    flush      1         0       1\n"
			 "0      read       20        81920   0\n"
			 "0      write      0         0       0\n"
			 "0      flush      1         0       1\n"
			 "1      read       30        122880  0\n"
			 "1      write      0         0       0\n");
}
END_TEST

START_TEST(text_of_latencies)
{
	count_some();
	ck_assert_int_eq(run("scratch", "--latency", "on", NULL), EXIT_DONE);
	ck_assert(stats_latency_on(stats->latency));
	ck_assert_str_eq(out.text,
			 "scratch: 51 requests, 0.196 system calls per request, 3 retries\n"
			 "OPERATION  REQUESTS  BYTES   ERRORS  MEAN  P50  P90  P99  P99.9  MAX\n"
			 "read       50        204800  0       -     -    -    -    -      -\n"
			 "write      0         0       0       -     -    -    -    -      -\n"
			 "flush      1         0       1       -     -    -    -    -      -\n");
	measure_some();
	ck_assert_int_eq(run("scratch", "--latency=off", NULL), EXIT_DONE);
	ck_assert(!stats_latency_on(stats->latency));
	ck_assert_str_eq(
		out.text,
		"scratch: 51 requests, 0.196 system calls per request, 3 retries\n"
		"OPERATION  REQUESTS  BYTES   ERRORS  MEAN    P50    P90    P99      P99.9    MAX\n"
		"read       50        204800  0       1.40ms  2.0us  2.0us  70.00ms  70.00ms  "
		"70.00ms\n"
		"write      0         0       0       -       -      -      -        -        -\n"
		"flush      1         0       1       -       -      -      -        -        -\n");
}
END_TEST

static json_t *parse(void)
{
	json_error_t error;
	json_t *json = json_loads(out.text, JSON_REJECT_DUPLICATES, &error);

	ck_assert_msg(json != NULL, "%s in: %s", error.text, out.text);
	return json;
}

START_TEST(json_of_all)
{
	json_t *json, *wanted;

	stats->latency = stats_latency_switch(0, true);
	count_some();
	measure_some();
	ck_assert_int_eq(run("--all", "--json", "--queues", NULL), EXIT_DONE);
	json = parse();
#define NONE(op)                                                                                   \
	op, "requests", 0, "bytes", 0, "errors", 0, "requests_per_second", "bytes_per_second",     \
		"latency"
#define KIND "s:{s:i, s:i, s:i, s:n, s:n, s:n}"
	wanted = json_pack("{s:{s:i, s:i, s:i, s:n, s:n, s:{s:i, s:i, s:i, s:i}}, " KIND ", " KIND
			   ", " KIND ", " KIND ", s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
			   "read", "requests", 50, "bytes", 204800, "errors", 0,
			   "requests_per_second", "bytes_per_second", "latency", "requests", 50,
			   "mean", (49 * 2000 + 70000000) / 50, "p99_9", 70000000, "max", 70000000,
			   NONE("write"), "flush", "requests", 1, "bytes", 0, "errors", 1,
			   "requests_per_second", "bytes_per_second", "latency", NONE("discard"),
			   NONE("write_zeroes"), "system_calls", 10, "rounds", 0, "polls", 0,
			   "retries", 3, "misuse", 0, "timeouts", 0, "shared_memory", 0);
	ck_assert_ptr_nonnull(wanted);
	/* Percentiles are where histograms have them, which is not the point here. */
	{
		json_t *total = json_object_get(json_array_get(json, 0), "total");
		json_t *latency = json_object_get(json_object_get(total, "read"), "latency");

		ck_assert_int_eq(json_object_size(latency), 7);
		ck_assert_int_le(json_integer_value(json_object_get(latency, "p50")), 2048);
		json_object_del(latency, "p50");
		json_object_del(latency, "p90");
		json_object_del(latency, "p99");
		ck_assert_msg(json_equal(total, wanted), "%s", json_dumps(total, JSON_INDENT(1)));
	}
	json_decref(wanted);
	wanted = json_pack("{s:i, s:s, s:b, s:b, s:n}", "id", ID, "name", "scratch", "server_alive",
			   1, "latency", 1, "seconds");
	ck_assert_int_eq(json_array_size(json), 1);
	ck_assert_int_eq(json_array_size(json_object_get(json_array_get(json, 0), "queues")), 2);
	json_object_del(json_array_get(json, 0), "queues");
	json_object_del(json_array_get(json, 0), "total");
	ck_assert(json_equal(json_array_get(json, 0), wanted));
	json_decref(wanted);
	json_decref(json);
}
END_TEST

static atomic_bool counting;

static void *count_on(void *arg)
{
	struct timespec t = { .tv_nsec = 20000000 };

	while (atomic_load(&counting)) {
		__atomic_fetch_add(&stats->queue[1].counters.ops[UBLK_OP_READ], 3,
				   __ATOMIC_RELAXED);
		nanosleep(&t, NULL);
	}
	return arg;
}

/* One line of JSON for each; what was before an interval is not in it. */
START_TEST(intervals)
{
	uint64_t sum = 0;
	pthread_t thread;
	char *line, *save;

	stats->queue[0].counters.ops[UBLK_OP_READ] = 1000000;
	atomic_store(&counting, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, count_on, NULL), 0);
	ck_assert_int_eq(run("scratch", "--interval", "1", "--count", "2", "--json", NULL),
			 EXIT_DONE);
	atomic_store(&counting, false);
	pthread_join(thread, NULL);
	line = strtok_r(out.text, "\n", &save);
	for (unsigned int i = 0; i < 2; i++) {
		json_t *json = json_loads(line ? line : "", 0, NULL), *device, *read;
		json_int_t requests;
		double seconds, rate;

		device = json_array_get(json, 0);
		read = json_object_get(json_object_get(device, "total"), "read");
		seconds = json_real_value(json_object_get(device, "seconds"));
		rate = json_real_value(json_object_get(read, "requests_per_second"));
		requests = json_integer_value(json_object_get(read, "requests"));
		ck_assert(seconds > 0.4);
		ck_assert_int_gt(requests, 0);
		ck_assert(rate * seconds > (double)requests - 0.5 &&
			  rate * seconds < (double)requests + 0.5);
		sum += (uint64_t)requests;
		json_decref(json);
		line = strtok_r(NULL, "\n", &save);
	}
	ck_assert_ptr_null(line);
	ck_assert_uint_le(sum, stats->queue[1].counters.ops[UBLK_OP_READ]);
}
END_TEST

START_TEST(text_of_intervals)
{
	struct stats *before = stats_alloc(2);
	struct stats_view view = { .id = ID,
				   .name = "scratch",
				   .server_alive = true,
				   .now = stats,
				   .before = before,
				   .seconds = 2 };

	stats->latency = stats_latency_switch(0, true);
	measure_some();
	stats_copy(before, stats, stats_size(2));
	count_some();
	latency_add(&stats->queue[1].latency[UBLK_OP_READ], 4000000);
	capture_begin(&out, STDOUT_FILENO);
	ck_assert_int_eq(stats_print(&view), 0);
	capture_end(&out);
	ck_assert_str_eq(
		out.text,
		"scratch: 51 requests in 2.0 s, 0.196 system calls per request, 3 retries\n"
		"OPERATION  IOPS  MB/S  AVERAGE  ERRORS  MEAN    P50     P90     P99     P99.9   MAX\n"
		"read       25    0.1   4K       0       4.00ms  4.19ms  4.19ms  4.19ms  4.19ms  "
		"4.19ms\n"
		"write      0     0.0   -        0       -       -       -       -       -       -\n"
		"flush      0     0.0   -        1       -       -       -       -       -       -\n");
	free(before);
}
END_TEST

/* A server that was killed leaves its last numbers. */
START_TEST(server_that_has_ended)
{
	count_some();
	stats->pid = INT32_MAX;
	write_state(ID, "scratch", INT32_MAX);
	ck_assert_int_eq(run("scratch", NULL), EXIT_DONE);
	ck_assert_ptr_nonnull(strstr(out.text, "3 retries; its server has ended\n"));
}
END_TEST

START_TEST(without_statistics)
{
	stats_remove(ID, getpid());
	ck_assert_int_eq(run("scratch", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "scratch has no statistics"));
	ck_assert_str_eq(out.text, "");
	ck_assert_int_eq(run("--all", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, "scratch: none, its server could not share them\n");
	ck_assert_int_eq(run("--all", "--json", NULL), EXIT_DONE);
	ck_assert_ptr_nonnull(strstr(out.text, "\"total\": null"));
}
END_TEST

START_TEST(no_device)
{
	state_remove(ID, "scratch");
	ck_assert_int_eq(run("scratch", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "no device is named \"scratch\""));
	ck_assert_int_eq(run("--all", NULL), EXIT_DONE);
	ck_assert_ptr_nonnull(strstr(err.text, "no devices"));
	ck_assert_int_eq(run("--all", "--json", NULL), EXIT_DONE);
	ck_assert_str_eq(out.text, "[]\n");
}
END_TEST

static void *remove_later(void *arg)
{
	struct timespec t = { .tv_nsec = 300000000 };

	nanosleep(&t, NULL);
	state_remove(ID, "scratch");
	return arg;
}

START_TEST(device_that_goes_away)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, remove_later, NULL), 0);
	ck_assert_int_eq(run("scratch", "--interval", "1", NULL), EXIT_FAILED);
	pthread_join(thread, NULL);
	ck_assert_ptr_nonnull(strstr(err.text, "no device is named \"scratch\""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verb stats");
	TCase *tc = tcase_create("stats");
	struct statfs fs;

	if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC) {
		printf("1..0 # SKIP /dev/shm is not a tmpfs\n");
		return EXIT_SUCCESS;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, text);
	tcase_add_test(tc, text_of_queues);
	tcase_add_test(tc, text_of_latencies);
	tcase_add_test(tc, json_of_all);
	tcase_add_test(tc, intervals);
	tcase_add_test(tc, text_of_intervals);
	tcase_add_test(tc, server_that_has_ended);
	tcase_add_test(tc, without_statistics);
	tcase_add_test(tc, no_device);
	tcase_add_test(tc, device_that_goes_away);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
