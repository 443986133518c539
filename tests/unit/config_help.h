/* SPDX-License-Identifier: MIT */
/* For the tests of core/config: whole messages compared, and files to read. */
#ifndef TESTS_UNIT_CONFIG_HELP_H
#define TESTS_UNIT_CONFIG_HELP_H

#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "tap.h"

/* The messages are exactly these; all are freed. */
#define assert_messages(errors, ...)                                                               \
	do {                                                                                       \
		const char *const _want[] = { __VA_ARGS__ };                                       \
		size_t _nr = sizeof(_want) / sizeof(_want[0]);                                     \
		for (size_t _msg = 0; _msg < _nr && _msg < errors_count(errors); _msg++)           \
			ck_assert_str_eq((errors)->msg[_msg], _want[_msg]);                        \
		if (errors_count(errors) > _nr)                                                    \
			ck_abort_msg("also: %s", (errors)->msg[_nr]);                              \
		ck_assert_uint_eq(errors_count(errors), _nr);                                      \
		errors_free(errors);                                                               \
	} while (0)

#define assert_silent(errors)                                                                      \
	do {                                                                                       \
		if (errors_count(errors))                                                          \
			ck_abort_msg("unexpected: %s", (errors)->msg[0]);                          \
	} while (0)

/* A folder of this test's own, where it is from then on; emptied by the caller. */
static inline void enter_temporary_folder(char path[64])
{
	snprintf(path, 64, "%s", "/tmp/ublk-host-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chdir(path), 0);
}

static inline void leave_temporary_folder(const char *path)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

static inline void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

#endif
