// SPDX-License-Identifier: MIT
/* JSON texts: what is refused and where the message points; where values stand. */
#include <fcntl.h>
#include <sys/stat.h>

#include "config/json_text.h"
#include "config_help.h"

static void assert_refused_bytes(const char *text, size_t len, const char *message)
{
	struct errors errors = { 0 };
	struct json_text jt;

	ck_assert_int_eq(json_text_parse(&jt, "a.json", text, len, &errors), -EINVAL);
	ck_assert_ptr_null(jt.root);
	assert_messages(&errors, message);
}

static void assert_refused(const char *text, const char *message)
{
	assert_refused_bytes(text, strlen(text), message);
}

START_TEST(syntax_errors_point_at_the_token)
{
	assert_refused("{\n \"a\": tru }", "a.json:2:7: not JSON: invalid token near 'tru'");
	assert_refused("{\"a\":1,}", "a.json:1:8: not JSON: string or '}' expected near '}'");
	assert_refused("{\"a\"\n  \"a very long string that is long\"}",
		       "a.json:2:3: not JSON: ':' expected");
	assert_refused("{\"a\":\"x\\q\"}", "a.json:1:9: not JSON: invalid escape near '\"x\\q'");
	assert_refused("{\"a\":\"xyz\ny\"}",
		       "a.json:1:9: not JSON: unexpected newline near '\"xyz'");
	assert_refused("{\"a\":01}", "a.json:1:6: not JSON: invalid token near '0'");
	assert_refused("[1 2]", "a.json:1:4: not JSON: ']' expected near '2'");
	assert_refused("{}\n x", "a.json:2:2: not JSON: end of file expected near 'x'");
	assert_refused("{a:1}", "a.json:1:2: not JSON: string or '}' expected near 'a'");
	assert_refused("// c\n{}", "a.json:1:1: not JSON: '[' or '{' expected near '/'");
	assert_refused("{\"gr\xc3\xbc\xc3\x9f\": nul}",
		       "a.json:1:10: not JSON: invalid token near 'nul'");
	assert_refused("\"text\"", "a.json:1:1: not JSON: '[' or '{' expected near '\"text\"'");
}
END_TEST

START_TEST(a_text_that_ends_too_early_points_at_its_end)
{
	assert_refused("{\"a\":1", "a.json:1:7: not JSON: '}' expected near end of file");
	assert_refused("{\n\"a\": [1,\n", "a.json:3:1: not JSON: ']' expected near end of file");
	assert_refused("{\n \"a\": \"open\n",
		       "a.json:2:11: not JSON: unexpected newline near '\"open'");
	assert_refused("{\n \"a\": \"open",
		       "a.json:2:7: not JSON: premature end of input near '\"open'");
	assert_refused("", "a.json:1:1: the file is empty");
	assert_refused(" \n\t\r\n", "a.json:1:1: the file is empty");
}
END_TEST

START_TEST(numbers_and_escapes_out_of_range_are_refused)
{
	assert_refused("{\"a\": 123456789012345678901234567890}",
		       "a.json:1:7: not JSON: too big integer");
	assert_refused("{\"a\": 1e999}", "a.json:1:7: not JSON: real number overflow near '1e999'");
	assert_refused("{\"a\": \"\\ud800\"}",
		       "a.json:1:7: not JSON: invalid Unicode '\\uD800' near '\"\\ud800\"'");
	assert_refused("{\"a\": \"\\u0000\"}",
		       "a.json:1:7: not JSON: \\u0000 is not allowed without "
		       "JSON_ALLOW_NUL near '\"\\u0000\"'");
	assert_refused("{\"\\u0000\": 1}", "a.json:1:2: not JSON: NUL byte in object key not "
					   "supported near '\"\\u0000\"'");
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_named_where_they_stand)
{
	assert_refused("{\n  \"n\": \"gr\xc3\xbc\xff\"}",
		       "a.json:2:12: byte 0xff is not valid UTF-8 text");
	assert_refused("{\"a\": \"\xc3(\"}", "a.json:1:8: byte 0xc3 is not valid UTF-8 text");
	assert_refused("\x80{}", "a.json:1:1: byte 0x80 is not valid UTF-8 text");
	assert_refused("{\"\xc0\xaf\": 1}", "a.json:1:3: byte 0xc0 is not valid UTF-8 text");
	assert_refused("{\"\xed\xa0\x80\": 1}", "a.json:1:3: byte 0xed is not valid UTF-8 text");
	assert_refused("{\"\xf4\x90\x80\x80\": 1}",
		       "a.json:1:3: byte 0xf4 is not valid UTF-8 text");
	assert_refused("{\"\xe0\x80\x80\": 1}", "a.json:1:3: byte 0xe0 is not valid UTF-8 text");
	assert_refused("{\"\xfe", "a.json:1:3: byte 0xfe is not valid UTF-8 text");
	assert_refused("{}\n\xe2\x82", "a.json:2:1: byte 0xe2 is not valid UTF-8 text");
	assert_refused_bytes("{\n\0}", 4, "a.json:2:1: byte 0x00 is not valid UTF-8 text");
	assert_refused("\xef\xbb\xbf{}", "a.json:1:1: begins with a byte order mark: save it "
					 "without one");
}
END_TEST

START_TEST(every_duplicate_key_is_reported)
{
	static const char text[] = "{\n"
				   "  \"a\": 1,\n"
				   "  \"b\": { \"c\": [ { \"d\": 1,\n"
				   "    \"d\": 2 } ] },\n"
				   "  \"\\u0061\": \"x:,{}\",\n"
				   "  \"e\": {}, \"f\": [], \"a\": 3\n"
				   "}";
	struct errors errors = { 0 };
	struct json_text jt;

	ck_assert_int_eq(json_text_parse(&jt, "a.json", text, strlen(text), &errors), -EINVAL);
	assert_messages(&errors, "a.json:4:5: duplicate key \"d\", as in line 3",
			"a.json:5:3: duplicate key \"a\", as in line 2",
			"a.json:6:21: duplicate key \"a\", as in line 2");
}
END_TEST

START_TEST(a_duplicate_before_a_syntax_error_does_not_hide_it)
{
	assert_refused("{\"a\":1,\n\"a\":2,\n]}",
		       "a.json:3:1: not JSON: string or '}' expected near ']'");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	size_t depth = 300000;
	char *text = malloc(2 * depth + 1);
	struct errors errors = { 0 };
	struct json_text jt;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\0';
	ck_assert_int_eq(json_text_parse(&jt, "a.json", text, 2 * depth, &errors), -EINVAL);
	assert_messages(&errors, "a.json:1:2049: not JSON: maximum parsing depth reached near '['");
	/* as deep as it may be, with a duplicate at the bottom */
	memset(text, '[', 2040);
	strcpy(text + 2040, "{\"k\":1,\"k\":2}");
	memset(text + 2040 + 13, ']', 2040);
	ck_assert_int_eq(json_text_parse(&jt, "a.json", text, 2040 + 13 + 2040, &errors), -EINVAL);
	assert_messages(&errors, "a.json:1:2048: duplicate key \"k\", as in line 1");
	free(text);
}
END_TEST

static const char sample[] = "{\n"
			     "  \"plugin\" : \"fi\\\"le\",\n"
			     "  \"queues\": {\n"
			     "    \"count\": \"four\", \"x\": [1, {\"y\": 2}, true, [ ]]\n"
			     "  },\n"
			     "  \"a/b\": 1, \"m~n\": {\"\": -2.5e3}, \"gr\xc3\xbc\": null,\n"
			     "  \"\\u0065sc\\n\": [\n"
			     "    {\"}\": \"]\"}\n"
			     "  ], \"empty\": {}\n"
			     "}\n";

START_TEST(values_and_keys_are_located)
{
	static const struct {
		const char *pointer;
		bool key;
		unsigned int line, col;
	} cases[] = {
		{ "", false, 1, 1 },
		{ "/plugin", false, 2, 14 },
		{ "/plugin", true, 2, 3 },
		{ "/queues", false, 3, 13 },
		{ "/queues/count", false, 4, 14 },
		{ "/queues/count", true, 4, 5 },
		{ "/queues/x/0", false, 4, 28 },
		{ "/queues/x/1/y", false, 4, 37 },
		{ "/queues/x/1/y", true, 4, 32 },
		{ "/queues/x/2", false, 4, 41 },
		{ "/queues/x/2", true, 4, 41 },
		{ "/queues/x/3", false, 4, 47 },
		{ "/a~1b", false, 6, 10 },
		{ "/m~0n/", false, 6, 25 },
		{ "/m~0n/", true, 6, 21 },
		{ "/gr\xc3\xbc", false, 6, 41 },
		{ "/gr\xc3\xbc", true, 6, 34 },
		{ "/esc\n", true, 7, 3 },
		{ "/esc\n/0/}", false, 8, 11 },
		{ "/empty", false, 9, 15 },
	};
	struct errors errors = { 0 };
	struct json_text jt;
	struct json_pos pos;

	ck_assert_int_eq(json_text_parse(&jt, "a.json", sample, strlen(sample), &errors), 0);
	assert_silent(&errors);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_msg(!json_text_locate(&jt, cases[i].pointer, cases[i].key, &pos), "%s",
			      cases[i].pointer);
		ck_assert_msg(pos.line == cases[i].line && pos.col == cases[i].col, "%s: %u:%u",
			      cases[i].pointer, pos.line, pos.col);
	}
	json_text_free(&jt);
}
END_TEST

START_TEST(what_is_not_there_is_not_located)
{
	static const char *const missing[] = {
		"/nope",	  "/queues/nope",	  "/plugin/x",	  "/queues/x/4",
		"/queues/x/-1",	  "/queues/x/",		  "/queues/x/00", "/queues/x/1x",
		"/empty/x",	  "/queues/x/3/0",	  "/a/b",	  "plugin",
		"/queues/count/", "/queues/x/9999999999",
	};
	struct errors errors = { 0 };
	struct json_text jt;
	struct json_pos pos;
	char *where;

	ck_assert_int_eq(json_text_parse(&jt, "a.json", sample, strlen(sample), &errors), 0);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		ck_assert_msg(json_text_locate(&jt, missing[i], false, &pos) == -ENOENT, "%s",
			      missing[i]);
	where = json_text_where(&jt, "/queues/deep/deeper", true);
	ck_assert_str_eq(where, "a.json:3:13: /queues/deep/deeper");
	free(where);
	where = json_text_where(&jt, "/nope", false);
	ck_assert_str_eq(where, "a.json:1:1: /nope");
	free(where);
	json_text_error(&jt, "", false, &errors, "expected %s", "more");
	json_text_error(&jt, "/plugin", true, &errors, "wrong");
	json_text_free(&jt);
	assert_messages(&errors, "a.json:1:1: expected more", "a.json:2:3: /plugin: wrong");
}
END_TEST

START_TEST(a_tree_without_text_has_no_positions)
{
	json_t *root = json_pack("{s:i}", "a", 1);
	struct errors errors = { 0 };
	struct json_text jt;
	struct json_pos pos;

	ck_assert_int_eq(json_text_wrap(&jt, "state of 3", root), 0);
	json_decref(root);
	ck_assert_int_eq(json_text_locate(&jt, "/a", false, &pos), -ENOENT);
	json_text_error(&jt, "/a", false, &errors, "wrong");
	json_text_free(&jt);
	assert_messages(&errors, "state of 3: /a: wrong");
}
END_TEST

START_TEST(pointers_are_escaped)
{
	char *pointer = json_pointer_join("/options", "a/b~c");

	ck_assert_str_eq(pointer, "/options/a~1b~0c");
	free(pointer);
	pointer = json_pointer_join("", "");
	ck_assert_str_eq(pointer, "/");
	free(pointer);
}
END_TEST

static void assert_not_loaded(const char *path, int want, const char *message)
{
	struct errors errors = { 0 };
	struct json_text jt;

	ck_assert_int_eq(json_text_load(&jt, path, &errors), want);
	ck_assert_ptr_null(jt.root);
	assert_messages(&errors, message);
}

START_TEST(only_regular_files_of_sane_size_are_read)
{
	char folder[64], *big = malloc(JSON_TEXT_MAX + 1);
	struct errors errors = { 0 };
	struct json_text jt;

	enter_temporary_folder(folder);
	assert_not_loaded("none.json", -ENOENT,
			  "none.json: cannot read it: No such file or directory");
	assert_not_loaded(".", -EISDIR, ".: expected a regular file, this is a folder");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	assert_not_loaded("fifo", -EINVAL, "fifo: expected a regular file, this is a FIFO");
	ck_assert_int_eq(symlink("/dev/null", "masked"), 0);
	assert_not_loaded("masked", -EINVAL,
			  "masked: expected a regular file, this is a character device");
	memset(big, ' ', JSON_TEXT_MAX + 1);
	memcpy(big, "{}", 2);
	write_file("big", big, JSON_TEXT_MAX + 1);
	assert_not_loaded("big", -EFBIG, "big: larger than 1 MiB, which no manifest is");
	ck_assert_int_eq(json_text_parse(&jt, "m", big, JSON_TEXT_MAX + 1, &errors), -EFBIG);
	assert_messages(&errors, "m: larger than 1 MiB, which no manifest is");
	write_file("big", big, JSON_TEXT_MAX);
	ck_assert_int_eq(json_text_load(&jt, "big", &errors), 0);
	assert_silent(&errors);
	ck_assert_uint_eq(jt.len, JSON_TEXT_MAX);
	json_text_free(&jt);
	free(big);
	write_file("empty", "", 0);
	assert_not_loaded("empty", -EINVAL, "empty:1:1: the file is empty");
	unlink("empty");
	unlink("big");
	unlink("masked");
	unlink("fifo");
	leave_temporary_folder(folder);
}
END_TEST

/* Cut and damage a text in every place: nothing may crash, and each refusal says something. */
START_TEST(damaged_texts_are_refused_with_one_message)
{
	static const char damage[] = { '"', '\\', '{', '}', '[', ',', '\x01', '\xc3', '\0' };
	char text[sizeof(sample)];
	struct errors errors = { 0 };
	struct json_text jt;

	for (size_t len = 0; len < strlen(sample) - 1; len++) {
		int err = json_text_parse(&jt, "a.json", sample, len, &errors);

		ck_assert_int_eq(err, -EINVAL);
		ck_assert_uint_eq(errors_count(&errors), 1);
		errors_free(&errors);
	}
	for (size_t at = 0; at < strlen(sample); at++) {
		for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
			memcpy(text, sample, sizeof(sample));
			text[at] = damage[i];
			if (json_text_parse(&jt, "a.json", text, strlen(sample), &errors))
				ck_assert_uint_ge(errors_count(&errors), 1);
			else
				json_text_free(&jt);
			errors_free(&errors);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config json");
	TCase *tc = tcase_create("json");

	tcase_add_test(tc, syntax_errors_point_at_the_token);
	tcase_add_test(tc, a_text_that_ends_too_early_points_at_its_end);
	tcase_add_test(tc, numbers_and_escapes_out_of_range_are_refused);
	tcase_add_test(tc, bytes_that_are_not_utf8_are_named_where_they_stand);
	tcase_add_test(tc, every_duplicate_key_is_reported);
	tcase_add_test(tc, a_duplicate_before_a_syntax_error_does_not_hide_it);
	tcase_add_test(tc, deep_nesting_is_refused);
	tcase_add_test(tc, values_and_keys_are_located);
	tcase_add_test(tc, what_is_not_there_is_not_located);
	tcase_add_test(tc, a_tree_without_text_has_no_positions);
	tcase_add_test(tc, pointers_are_escaped);
	tcase_add_test(tc, only_regular_files_of_sane_size_are_read);
	tcase_add_test(tc, damaged_texts_are_refused_with_one_message);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
