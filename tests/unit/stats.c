// SPDX-License-Identifier: MIT
/* Statistics: where histograms have their borders, what percentiles say, sums and differences, and
 * what readers refuse. */
#include <string.h>

#include "queue/stats.h"
#include "tap.h"

START_TEST(buckets_join_without_gap)
{
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t start = latency_bucket_start(i), end = latency_bucket_start(i + 1);

		ck_assert_uint_lt(start, end);
		ck_assert_uint_eq(latency_bucket(start), i);
		ck_assert_uint_eq(latency_bucket(end - 1), i);
		/* none but the first and last is wider than an eighth of where it starts */
		if (i && i < LATENCY_BUCKETS - 1)
			ck_assert_uint_le((end - start) * 8, start);
	}
}
END_TEST

START_TEST(borders_are_where_they_are_said_to_be)
{
	ck_assert_uint_eq(latency_bucket(0), 0);
	ck_assert_uint_eq(latency_bucket(127), 0);
	ck_assert_uint_eq(latency_bucket(128), 1);
	ck_assert_uint_eq(latency_bucket(143), 1);
	ck_assert_uint_eq(latency_bucket(144), 2);
	ck_assert_uint_eq(latency_bucket(255), 8);
	ck_assert_uint_eq(latency_bucket(256), 9);
	ck_assert_uint_eq(latency_bucket((1ull << 34) - 1), LATENCY_BUCKETS - 2);
	ck_assert_uint_eq(latency_bucket(1ull << 34), LATENCY_BUCKETS - 1);
	ck_assert_uint_eq(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	ck_assert_uint_eq(latency_bucket_start(LATENCY_BUCKETS), UINT64_MAX);
}
END_TEST

static uint64_t random_of(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 20;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* got may be off by the width of a bucket, which is an eighth. */
static void expect_near(uint64_t got, uint64_t wanted)
{
	ck_assert_msg(got + wanted / 8 + 1 >= wanted && got <= wanted + wanted / 8 + 128,
		      "%llu, wanted about %llu", (unsigned long long)got,
		      (unsigned long long)wanted);
}

START_TEST(percentiles_are_near)
{
	static const size_t sizes[] = { 1, 2, 3, 10, 100, 1000, 20000 };
	static uint64_t value[20000];
	size_t n = sizes[_i % ARRAY_SIZE(sizes)];
	uint64_t state = (uint64_t)_i + 1, sum = 0;
	struct latency latency = { 0 };
	struct latency_summary s;

	for (size_t i = 0; i < n; i++) {
		/* all magnitudes alike, from 0 to 17 s */
		value[i] = random_of(&state) & ((1ull << (random_of(&state) % 35)) - 1);
		latency_add(&latency, value[i]);
		sum += value[i];
	}
	qsort(value, n, sizeof(*value), compare);
	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.count, n);
	ck_assert_uint_eq(s.mean, sum / n);
	ck_assert_uint_eq(s.max, value[n - 1]);
	expect_near(s.p50, value[(n * 500 + 999) / 1000 - 1]);
	expect_near(s.p90, value[(n * 900 + 999) / 1000 - 1]);
	expect_near(s.p99, value[(n * 990 + 999) / 1000 - 1]);
	expect_near(s.p99_9, value[(n * 999 + 999) / 1000 - 1]);
	ck_assert(s.p50 <= s.p90 && s.p90 <= s.p99 && s.p99 <= s.p99_9 && s.p99_9 <= s.max);
}
END_TEST

START_TEST(nothing_has_no_percentiles)
{
	struct latency latency = { 0 };
	struct latency_summary s;

	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.count, 0);
	ck_assert_uint_eq(s.p99_9, 0);
}
END_TEST

START_TEST(longest_is_over_the_scale)
{
	struct latency latency = { 0 };
	struct latency_summary s;

	latency_add(&latency, 100000000000u);
	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.max, 100000000000u);
	ck_assert_uint_eq(s.p50, s.max);
}
END_TEST

/* Numbers that no server writes lead to numbers, and nowhere else. */
START_TEST(wild_numbers_are_harmless)
{
	struct latency latency = { .sum = UINT64_MAX, .max = UINT64_MAX };
	struct latency_summary s;
	uint64_t state = 7;

	memset(latency.bucket, 0xff, sizeof(latency.bucket));
	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.count, 0);
	memset(latency.bucket, 0, sizeof(latency.bucket));
	latency.bucket[LATENCY_BUCKETS - 1] = UINT64_MAX;
	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.count, UINT64_MAX);
	for (int round = 0; round < 1000; round++) {
		for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
			latency.bucket[i] = random_of(&state) << (random_of(&state) % 20);
		latency.max = random_of(&state);
		latency_summarise(&latency, &s);
	}
	latency.max = 0;
	latency_summarise(&latency, &s);
	ck_assert_uint_eq(s.p50, 0);
}
END_TEST

/* Two queues, the second of which has done nothing in the session. */
static struct stats *sample(void)
{
	struct stats *stats = stats_alloc(2);

	ck_assert_ptr_nonnull(stats);
	stats_init(stats, 2, 7, 1, 1);
	stats->latency = 3;
	stats->queue[0].session = 3;
	stats->queue[1].session = 1;
	for (unsigned int i = 0; i < 2; i++) {
		stats->queue[i].counters.ops[UBLK_OP_WRITE] = 10 + i;
		stats->queue[i].counters.timeouts = 2 + i;
		latency_add(&stats->queue[i].latency[UBLK_OP_WRITE], 1000 + 4000 * i);
	}
	return stats;
}

START_TEST(sums_leave_out_old_latencies)
{
	struct stats *stats = sample();
	struct queue_stats sum;

	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.counters.ops[UBLK_OP_WRITE], 21);
	ck_assert_uint_eq(sum.counters.timeouts, 5);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 1000);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].sum, 1000);
	stats_of_queue(stats, 1, &sum);
	ck_assert_uint_eq(sum.counters.ops[UBLK_OP_WRITE], 11);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 0);
	stats->latency = stats_latency_switch(stats->latency, false); /* they stay */
	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 1000);
	stats->queue[1].session = 3;
	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 5000);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].sum, 6000);
	stats->latency = stats_latency_switch(stats->latency, true);
	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 0);
	free(stats);
}
END_TEST

START_TEST(never_switched_on_is_no_session)
{
	struct stats *stats = sample();
	struct queue_stats sum;

	stats->latency = stats->queue[0].session = stats->queue[1].session = 0;
	stats_sum(stats, &sum);
	ck_assert_uint_eq(sum.counters.ops[UBLK_OP_WRITE], 21);
	ck_assert_uint_eq(sum.latency[UBLK_OP_WRITE].max, 0);
	free(stats);
}
END_TEST

START_TEST(switching_begins_anew)
{
	uint32_t word = 0, on;

	ck_assert(!stats_latency_on(word));
	word = stats_latency_switch(word, false);
	ck_assert_uint_eq(word, 0);
	on = word = stats_latency_switch(word, true);
	ck_assert(stats_latency_on(word));
	word = stats_latency_switch(word, true);
	ck_assert(stats_latency_on(word) && word != on);
	word = stats_latency_switch(word, false);
	ck_assert(!stats_latency_on(word));
	ck_assert_uint_eq(stats_latency_switch(word, false), word);
	ck_assert(stats_latency_on(stats_latency_switch(UINT32_MAX, true)));
	ck_assert(!stats_latency_on(stats_latency_switch(UINT32_MAX, false)));
}
END_TEST

START_TEST(differences)
{
	struct queue_stats before = { .session = 1 }, now;
	struct latency *l = &now.latency[UBLK_OP_READ];
	struct latency_summary s;

	before.counters.ops[UBLK_OP_READ] = 5;
	before.counters.enters = 9;
	latency_add(&before.latency[UBLK_OP_READ], 5000);
	now = before;
	now.counters.ops[UBLK_OP_READ] = 7;
	now.counters.enters = 8; /* no counter goes back */
	latency_add(l, 1000);
	latency_add(l, 2000);
	stats_subtract(&now, &before);
	ck_assert_uint_eq(now.counters.ops[UBLK_OP_READ], 2);
	ck_assert_uint_eq(now.counters.enters, 0);
	latency_summarise(l, &s);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_uint_eq(s.mean, 1500);
	/* The longest of all came before: this one's is known by its bucket. */
	ck_assert_uint_eq(s.max, latency_bucket_start(latency_bucket(2000) + 1));
}
END_TEST

START_TEST(differences_know_a_new_maximum)
{
	struct queue_stats before = { .session = 1 }, now;

	latency_add(&before.latency[UBLK_OP_READ], 5000);
	now = before;
	latency_add(&now.latency[UBLK_OP_READ], 5001);
	stats_subtract(&now, &before);
	ck_assert_uint_eq(now.latency[UBLK_OP_READ].max, 5001);
	now = before;
	stats_subtract(&now, &before);
	ck_assert_uint_eq(now.latency[UBLK_OP_READ].max, 0);
}
END_TEST

START_TEST(differences_over_a_new_session)
{
	struct queue_stats before = { .session = 1 }, now = { .session = 3 };
	struct latency_summary s;

	latency_add(&before.latency[UBLK_OP_READ], 5000);
	latency_add(&now.latency[UBLK_OP_READ], 4000);
	stats_subtract(&now, &before);
	latency_summarise(&now.latency[UBLK_OP_READ], &s);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.max, 4000);
}
END_TEST

START_TEST(what_is_not_sound_is_refused)
{
	struct stats *stats = sample(), good = *stats;
	size_t size = stats_size(2);

	ck_assert_ptr_null(stats_problem(stats, size, 7));
	ck_assert_ptr_nonnull(stats_problem(stats, size, 8));
	ck_assert_ptr_nonnull(stats_problem(stats, 0, 7));
	ck_assert_ptr_nonnull(stats_problem(stats, sizeof(*stats) - 1, 7));
	ck_assert_ptr_nonnull(stats_problem(stats, size - 8, 7));
	ck_assert_ptr_nonnull(stats_problem(stats, size + 8, 7));
#define refused(member, value)                                                                     \
	do {                                                                                       \
		stats->member = value;                                                             \
		ck_assert_msg(stats_problem(stats, size, 7) != NULL, #member " = " #value);        \
		memcpy(stats, &good, sizeof(good));                                                \
		ck_assert_ptr_null(stats_problem(stats, size, 7));                                 \
	} while (0)
	refused(magic[7], 'T');
	refused(version, 0);
	refused(version, STATS_VERSION + 1);
	refused(header_size, sizeof(*stats) + 8);
	refused(queue_size, sizeof(struct queue_stats) - 128);
	refused(nr_queues, 0);
	refused(nr_queues, 1);
	refused(nr_queues, 3);
	refused(nr_queues, UINT32_MAX);
	refused(pid, 0);
	refused(pid, -1);
	free(stats);
}
END_TEST

/* Nothing of one queue's shares a pair of cache lines with what another writes. */
START_TEST(blocks_are_apart)
{
	struct stats *stats = sample();

	ck_assert_uint_eq((uintptr_t)stats % STATS_ALIGN, 0);
	ck_assert_uint_eq((uintptr_t)&stats->queue[0] % STATS_ALIGN, 0);
	ck_assert_uint_eq((uintptr_t)&stats->queue[1] % STATS_ALIGN, 0);
	ck_assert_uint_ge((uintptr_t)&stats->queue[0],
			  (uintptr_t)&stats->latency + STATS_ALIGN / 2);
	free(stats);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statistics");
	TCase *tc = tcase_create("histograms");

	tcase_add_test(tc, buckets_join_without_gap);
	tcase_add_test(tc, borders_are_where_they_are_said_to_be);
	tcase_add_loop_test(tc, percentiles_are_near, 0, 35);
	tcase_add_test(tc, nothing_has_no_percentiles);
	tcase_add_test(tc, longest_is_over_the_scale);
	tcase_add_test(tc, wild_numbers_are_harmless);
	suite_add_tcase(s, tc);
	tc = tcase_create("sums");
	tcase_add_test(tc, sums_leave_out_old_latencies);
	tcase_add_test(tc, never_switched_on_is_no_session);
	tcase_add_test(tc, switching_begins_anew);
	tcase_add_test(tc, differences);
	tcase_add_test(tc, differences_know_a_new_maximum);
	tcase_add_test(tc, differences_over_a_new_session);
	suite_add_tcase(s, tc);
	tc = tcase_create("layout");
	tcase_add_test(tc, what_is_not_sound_is_refused);
	tcase_add_test(tc, blocks_are_apart);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
