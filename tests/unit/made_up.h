/* SPDX-License-Identifier: MIT */
/* A made-up /sys, /proc and /dev, for what reads the kernel's files below a root. */
#ifndef TESTS_UNIT_MADE_UP_H
#define TESTS_UNIT_MADE_UP_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static inline void path_of(const char *path, char *full, size_t size)
{
	snprintf(full, size, "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
}

static inline void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	path_of(path, full, sizeof(full));
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static inline void put_link(const char *path, const char *target)
{
	char full[512];

	path_of(path, full, sizeof(full));
	ck_assert_int_eq(symlink(target, full), 0);
}

static inline int made_up_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void made_up_setup(void)
{
	snprintf(root, sizeof(root), "/tmp/ublk-host-made-up.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static inline void made_up_teardown(void)
{
	nftw(root, made_up_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
