// SPDX-License-Identifier: MIT
/* Sizes, suggestions, collected errors, CPU lists, paths. */
#include <fcntl.h>
#include <sys/wait.h>

#include "config/cpulist.h"
#include "config/path.h"
#include "config/size.h"
#include "config/suggest.h"
#include "config_help.h"

static void assert_size(const char *text, uint64_t want, const char *form)
{
	char buf[SIZE_TEXT_MAX];
	uint64_t bytes;

	ck_assert_int_eq(size_parse(text, &bytes), 0);
	ck_assert_uint_eq(bytes, want);
	ck_assert_str_eq(size_format(bytes, buf), form);
}

START_TEST(sizes_are_parsed_and_formatted)
{
	assert_size("0", 0, "0");
	assert_size("1", 1, "1");
	assert_size("4096", 4096, "4K");
	assert_size("512K", 512 << 10, "512K");
	assert_size("4m", 4 << 20, "4M");
	assert_size("1024M", 1ull << 30, "1G");
	assert_size("1g", 1ull << 30, "1G");
	assert_size("2T", 2ull << 40, "2T");
	assert_size("4096t", 4096ull << 40, "4096T");
	assert_size("250G", 250ull << 30, "250G");
	assert_size("1000003", 1000003, "1000003");
	assert_size("1536K", 1536 << 10, "1536K");
	assert_size("0K", 0, "0");
	assert_size("16777215T", 16777215ull << 40, "16777215T");
	assert_size("18446744073709551615", UINT64_MAX, "18446744073709551615");
}
END_TEST

START_TEST(malformed_sizes_are_refused)
{
	static const char *const bad[] = { "",	   "K",	  "4KK",  "4 K",  " 4",	  "4 ",
					   "-1",   "+1",  "4.5K", "0x10", "4KiB", "4P",
					   "four", "4\n", "1e3",  "4K4",  "12Q" };
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(size_parse(bad[i], &bytes) == -EINVAL, "\"%s\"", bad[i]);
	ck_assert_uint_eq(bytes, 77);
}
END_TEST

START_TEST(sizes_above_64_bits_are_out_of_range)
{
	static const char *const bad[] = { "18446744073709551616", "16777216T", "17179869184G",
					   "99999999999999999999999999999999" };
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(size_parse(bad[i], &bytes) == -ERANGE, "\"%s\"", bad[i]);
	ck_assert_int_eq(size_parse("99999999999999999999x", &bytes), -EINVAL);
	ck_assert_uint_eq(bytes, 77);
}
END_TEST

START_TEST(close_words_are_suggested)
{
	static const char *const words[] = { "queues", "depth",		 "id",
					     "max_io", "physical_block", "read_only" };
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "queues", "queues" },
		{ "queue", "queues" },
		{ "quueues", "queues" },
		{ "qeueus", "queues" },
		{ "Queues", "queues" },
		{ "dpeth", "depth" },
		{ "max-io", "max_io" },
		{ "maxio", "max_io" },
		{ "di", "id" },
		{ "phys", "physical_block" },
		{ "readonly", "read_only" },
		{ "ro", NULL },
		{ "colour", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "zz", NULL },
		{ "backend", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = suggest_word(cases[i].word, words, ARRAY_SIZE(words));

		ck_assert_pstr_eq(got, cases[i].want);
	}
	ck_assert_str_eq(suggest_word("of", (const char *[]){ "on", "off" }, 2), "off");
	ck_assert_ptr_null(suggest_word("x", (const char *[]){ "y" }, 1));
	ck_assert_ptr_null(suggest_word("x", NULL, 0));
}
END_TEST

START_TEST(the_closest_word_wins_and_long_ones_are_let_be)
{
	static const char *const words[] = { "depths", "depth", "dept" };
	char longer[4096], hint[SUGGEST_HINT_MAX];

	ck_assert_str_eq(suggest_word("deptj", words, 3), "depth");
	ck_assert_str_eq(suggest_word("depth", words, 3), "depth");
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_ptr_null(suggest_word(longer, words, 3));
	ck_assert_ptr_null(suggest_word("depth", (const char *[]){ longer }, 1));
	ck_assert_str_eq(suggest_hint(NULL, hint), "");
	ck_assert_str_eq(suggest_hint("depth", hint), " (did you mean \"depth\"?)");
	ck_assert_uint_lt(strlen(suggest_hint(longer, hint)), SUGGEST_HINT_MAX);
}
END_TEST

START_TEST(messages_are_one_line_and_harmless)
{
	struct errors errors = { 0 };

	errors_add(&errors, "a %s %d", "b\nc\x1b[31m\x7f", 7);
	errors_add(&errors, "%s", "gr\xc3\xbc\xc3\x9f, \xc2\x9bm");
	errors_add(&errors, "%s", "cut off \xc2");
	assert_messages(&errors, "a b\\x0ac\\x1b[31m\\x7f 7", "gr\xc3\xbc\xc3\x9f, \\x9bm",
			"cut off \xc2");
}
END_TEST

START_TEST(only_the_first_messages_are_kept)
{
	struct errors errors = { 0 };

	for (unsigned int i = 0; i < ERRORS_KEPT; i++) {
		ck_assert(!errors_full(&errors));
		errors_add(&errors, "error %u", i);
	}
	ck_assert(errors_full(&errors));
	errors_add(&errors, "one more");
	ck_assert_uint_eq(errors_count(&errors), ERRORS_KEPT + 1);
	ck_assert_str_eq(errors.msg[ERRORS_KEPT - 1], "error 19");
	errors_free(&errors);
	ck_assert_uint_eq(errors_count(&errors), 0);
	errors_add(&errors, "again");
	assert_messages(&errors, "again");
}
END_TEST

/* What errors_print() writes to standard error. */
static void printed(const struct errors *errors, char *buf, size_t size)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(fds[1], STDERR_FILENO);
	errors_print(errors);
	dup2(saved, STDERR_FILENO);
	n = read(fds[0], buf, size - 1);
	buf[max_of(n, 0)] = '\0';
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

START_TEST(printing_says_how_many_more_there_are)
{
	struct errors errors = { 0 };
	char out[8192];

	printed(&errors, out, sizeof(out));
	ck_assert_str_eq(out, "");
	errors_add(&errors, "100%%s sure");
	printed(&errors, out, sizeof(out));
	ck_assert_str_eq(out, "ublk-host: 100%s sure\n");
	while (errors_count(&errors) <= ERRORS_KEPT)
		errors_add(&errors, "e");
	printed(&errors, out, sizeof(out));
	ck_assert_ptr_nonnull(strstr(out, "ublk-host: e\nublk-host: and 1 more error\n"));
	errors_add(&errors, "e");
	printed(&errors, out, sizeof(out));
	ck_assert_ptr_nonnull(strstr(out, "ublk-host: and 2 more errors\n"));
	errors_free(&errors);
}
END_TEST

static void assert_cpus(const char *text, unsigned int nr, const char *form)
{
	struct cpulist list;
	char *again;

	ck_assert_int_eq(cpulist_parse(text, &list, NULL), 0);
	ck_assert_uint_eq(list.nr, nr);
	again = cpulist_format(list.set, list.size);
	ck_assert_str_eq(again, form);
	free(again);
	cpulist_free(&list);
}

START_TEST(cpu_lists_are_parsed_and_formatted)
{
	struct cpulist list;
	char *empty;

	assert_cpus("0", 1, "0");
	assert_cpus("0-3,6", 5, "0-3,6");
	assert_cpus("6,3,2,1,0", 5, "0-3,6");
	assert_cpus("5-5", 1, "5");
	assert_cpus("1,1,0-2", 3, "0-2");
	assert_cpus("62-65,128", 5, "62-65,128");
	assert_cpus("65535", 1, "65535");
	ck_assert_int_eq(cpulist_parse("2-4,64,7", &list, NULL), 0);
	ck_assert_uint_eq(cpulist_nth(&list, 0), 2);
	ck_assert_uint_eq(cpulist_nth(&list, 3), 7);
	ck_assert_uint_eq(cpulist_nth(&list, 4), 64);
	CPU_ZERO_S(list.size, list.set);
	empty = cpulist_format(list.set, list.size);
	ck_assert_str_eq(empty, "");
	free(empty);
	cpulist_free(&list);
}
END_TEST

START_TEST(malformed_cpu_lists_say_why)
{
	static const struct {
		const char *text, *why;
		int err;
	} cases[] = {
		{ "", "it is empty", -EINVAL },
		{ "0-", "it ends where a CPU number is expected", -EINVAL },
		{ "0,", "it ends where a CPU number is expected", -EINVAL },
		{ ",0", "a CPU number is expected on both sides of \"-\" and \",\"", -EINVAL },
		{ "0,,1", "a CPU number is expected on both sides of \"-\" and \",\"", -EINVAL },
		{ "-1", "a CPU number is expected on both sides of \"-\" and \",\"", -EINVAL },
		{ "all", "a CPU number is expected on both sides of \"-\" and \",\"", -EINVAL },
		{ "3-1", "a range runs backward", -EINVAL },
		{ "1-2-3", "only digits, \"-\" and \",\" may stand in a list of CPUs", -EINVAL },
		{ "1 2", "only digits, \"-\" and \",\" may stand in a list of CPUs", -EINVAL },
		{ "0-3:2", "only digits, \"-\" and \",\" may stand in a list of CPUs", -EINVAL },
		{ "65536", "the highest CPU number is 65535", -ERANGE },
		{ "0-99999999999999999999", "the highest CPU number is 65535", -ERANGE },
	};
	struct cpulist list;
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(cpulist_parse(cases[i].text, &list, &why), cases[i].err);
		ck_assert_str_eq(why, cases[i].why);
		ck_assert_ptr_null(list.set);
		cpulist_free(&list);
	}
}
END_TEST

static void assert_absolute(const char *folder, const char *path, const char *want)
{
	char *got = path_absolute(folder, path);

	ck_assert_pstr_eq(got, want);
	free(got);
}

START_TEST(paths_are_made_absolute)
{
	char *folder;

	assert_absolute("/a/b", "c", "/a/b/c");
	assert_absolute("/a/b", "./c/d", "/a/b/c/d");
	assert_absolute("/a/b", ".//./c", "/a/b/c");
	assert_absolute("/a/b", "../c", "/a/b/../c");
	assert_absolute("/a/b", "/c", "/c");
	assert_absolute("/", "c", "/c");
	assert_absolute(NULL, "/c", "/c");
	assert_absolute(NULL, "c", NULL);
	ck_assert_int_eq(chdir("/usr"), 0);
	folder = path_folder("lib/x.json");
	ck_assert_str_eq(folder, "/usr/lib");
	free(folder);
	folder = path_folder("x.json");
	ck_assert_str_eq(folder, "/usr");
	free(folder);
	folder = path_folder("/x.json");
	ck_assert_str_eq(folder, "/");
	free(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config basics");
	TCase *tc = tcase_create("basics");

	tcase_add_test(tc, sizes_are_parsed_and_formatted);
	tcase_add_test(tc, malformed_sizes_are_refused);
	tcase_add_test(tc, sizes_above_64_bits_are_out_of_range);
	tcase_add_test(tc, close_words_are_suggested);
	tcase_add_test(tc, the_closest_word_wins_and_long_ones_are_let_be);
	tcase_add_test(tc, messages_are_one_line_and_harmless);
	tcase_add_test(tc, only_the_first_messages_are_kept);
	tcase_add_test(tc, printing_says_how_many_more_there_are);
	tcase_add_test(tc, cpu_lists_are_parsed_and_formatted);
	tcase_add_test(tc, malformed_cpu_lists_say_why);
	tcase_add_test(tc, paths_are_made_absolute);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
