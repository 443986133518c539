// SPDX-License-Identifier: MIT
/* Messages where nobody reads them. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tap.h"

static int saved, ends[2];

static void setup(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
}

static void teardown(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void fill(void)
{
	static const char full[4096];
	int flags = fcntl(ends[1], F_GETFL);

	ck_assert_int_eq(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK), 0);
	while (write(ends[1], full, sizeof(full)) > 0)
		;
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, flags), 0);
}

/* All that is in the pipe; its end is what matters. */
static const char *drain(void)
{
	static char text[1 << 17];
	struct pollfd pfd = { ends[0], POLLIN, 0 };
	size_t len = 0;

	while (poll(&pfd, 1, 0) > 0) {
		ssize_t n = read(ends[0], text + len, sizeof(text) - 1 - len);

		ck_assert_int_gt(n, 0);
		len += (size_t)n;
	}
	text[len] = 0;
	for (size_t i = 0; i < len; i++)
		text[i] = text[i] ? text[i] : '.';
	return text;
}

START_TEST(nobody_is_waited_for)
{
	uint64_t began = now_ms();

	log_never_wait();
	fill();
	for (int i = 0; i < 500; i++)
		log_err("line %d", i);
	ck_assert_uint_lt(now_ms() - began, 5000);
	ck_assert_uint_eq(log_count(LOG_LVL_ERR), 500);
	ck_assert_ptr_null(strstr(drain(), "line"));
	log_err("line 500");
	ck_assert_str_eq(drain(), "ublk-host: warning: 500 messages are lost, as nobody read them\n"
				  "ublk-host: line 500\n");
	log_err("line 501");
	ck_assert_str_eq(drain(), "ublk-host: line 501\n");
}
END_TEST

START_TEST(a_file_takes_all)
{
	char path[] = "/tmp/ublk-host-log-XXXXXX", text[256];
	int fd = mkstemp(path);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	log_never_wait();
	ck_assert_int_eq(log_prepare_file(path), 0);
	log_switch();
	log_err("one");
	log_err("two");
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = 0;
	ck_assert_ptr_nonnull(strstr(text, "one\n"));
	ck_assert_ptr_nonnull(strstr(text, "two\n"));
	close(fd);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("messages");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_is_waited_for);
	tcase_add_test(tc, a_file_takes_all);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
