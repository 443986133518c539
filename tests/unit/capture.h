/* SPDX-License-Identifier: MIT */
/* What a piece of a test writes to standard output or error, to be compared word for word. */
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct capture {
	int fd, saved;
	char text[16384];
};

static inline void capture_begin(struct capture *cap, int fd)
{
	int file = memfd_create("capture", MFD_CLOEXEC);

	ck_assert_int_ge(file, 0);
	fflush(NULL);
	cap->fd = fd;
	cap->saved = dup(fd);
	ck_assert_int_ge(cap->saved, 0);
	ck_assert_int_ge(dup2(file, fd), 0);
	close(file);
}

/* The text since capture_begin(). */
static inline const char *capture_end(struct capture *cap)
{
	ssize_t n;

	fflush(NULL);
	n = pread(cap->fd, cap->text, sizeof(cap->text) - 1, 0);
	dup2(cap->saved, cap->fd);
	close(cap->saved);
	ck_assert_int_ge(n, 0);
	cap->text[n] = '\0';
	return cap->text;
}

#endif
