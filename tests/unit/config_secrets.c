// SPDX-License-Identifier: MIT
/* Secret options: from a file or written out, and never shown. */
#include "config_options_help.h"

START_TEST(secrets_come_from_files)
{
	char folder[64], path[128], *big = calloc(1, OPTION_SECRET_MAX + 1);
	struct option_values v;
	struct errors errors = { 0 };

	enter_temporary_folder(folder);
	write_file("pw", "hunter2\n", 8);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@pw"), 0);
	ck_assert_str_eq(v.opt[PASSWORD].str, "hunter2");
	snprintf(path, sizeof(path), "%s/pw", folder);
	ck_assert_str_eq(v.secret_file[PASSWORD], path);
	option_values_free(&v);
	write_file("pw", "two\n\n", 5);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@./pw"), 0);
	ck_assert_str_eq(v.opt[PASSWORD].str, "two\n");
	option_values_free(&v);
	write_file("pw", "", 0);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@pw"), 0);
	ck_assert_str_eq(v.opt[PASSWORD].str, "");
	option_values_free(&v);
	memset(big, 's', OPTION_SECRET_MAX + 1);
	write_file("pw", big, OPTION_SECRET_MAX);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@pw"), 0);
	ck_assert_uint_eq(strlen(v.opt[PASSWORD].str), OPTION_SECRET_MAX);
	option_values_free(&v);
	write_file("pw", big, OPTION_SECRET_MAX + 1);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@pw"), -EINVAL);
	snprintf(big, 512, "--opt password: the secret's file %s is larger than 64 KiB", path);
	assert_messages(&errors, big);
	write_file("pw", "a\0b", 3);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@pw"), -EINVAL);
	snprintf(big, 512, "--opt password: the secret's file %s has a NUL byte in it", path);
	assert_messages(&errors, big);
	free(big);
	unlink("pw");
	leave_temporary_folder(folder);
}
END_TEST

START_TEST(a_secret_may_begin_with_an_at_sign)
{
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "password=@@home"), 0);
	ck_assert_str_eq(v.opt[PASSWORD].str, "@home");
	ck_assert_ptr_null(v.secret_file[PASSWORD]);
	option_values_free(&v);
	assert_wrong("password=@", "--opt password: expected @FILE with a path behind the @");
	assert_wrong("password=@/nonexistent/pw", "--opt password: cannot read the secret's file "
						  "/nonexistent/pw: No such file or directory");
	assert_wrong("password=@/usr",
		     "--opt password: cannot read the secret's file /usr: Is a directory");
	assert_wrong("password=@/dev/null", "--opt password: cannot read the secret's file "
					    "/dev/null: it is not a regular file");
}
END_TEST

/* Every way to be wrong with a secret about: it is in no message. */
START_TEST(a_secret_is_never_shown)
{
	static const char *const words[][2] = {
		{ "password=S3cr3t", "workers=0" },	 { "password=@S3cr3t-no-such", "size=x" },
		{ "password=S3cr3t", "create=nah" },	 { "pasword=S3cr3t", "size=x" },
		{ "password=S3cr3t", "nothing=S3cr3t" }, { "path_word=S3cr3t", "paths=S3cr3t" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct option_values v;
		struct errors errors = { 0 };

		ck_assert_int_eq(PARSE(&v, &errors, words[i][0], words[i][1]), -EINVAL);
		for (size_t j = 0; j < errors_count(&errors); j++) {
			if (!strstr(errors.msg[j],
				    "secret's file")) /* names the file, as it must */
				ck_assert_msg(!strstr(errors.msg[j], "S3cr3t"), "%s",
					      errors.msg[j]);
		}
		errors_free(&errors);
	}
	assert_wrong_json("password", "4711", false, true,
			  "m: expected a string or @FILE, got a "
			  "number");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config secrets");
	TCase *tc = tcase_create("secrets");

	tcase_add_test(tc, secrets_come_from_files);
	tcase_add_test(tc, a_secret_may_begin_with_an_at_sign);
	tcase_add_test(tc, a_secret_is_never_shown);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
