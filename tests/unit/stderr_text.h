/* SPDX-License-Identifier: MIT */
/* What a piece of a test writes to standard error, to be compared word for word. */
#ifndef TESTS_UNIT_STDERR_TEXT_H
#define TESTS_UNIT_STDERR_TEXT_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct stderr_text {
	int saved;
	char text[8192];
};

static inline void stderr_begin(struct stderr_text *cap)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	fflush(stderr);
	cap->saved = dup(STDERR_FILENO);
	ck_assert_int_ge(cap->saved, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	close(fd);
}

/* The text since stderr_begin(). */
static inline const char *stderr_end(struct stderr_text *cap)
{
	ssize_t n;

	fflush(stderr);
	n = pread(STDERR_FILENO, cap->text, sizeof(cap->text) - 1, 0);
	dup2(cap->saved, STDERR_FILENO);
	close(cap->saved);
	ck_assert_int_ge(n, 0);
	cap->text[n] = '\0';
	return cap->text;
}

#endif
