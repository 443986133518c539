/* SPDX-License-Identifier: MIT */
/*
 * A folder of a test's own, in the build tree and not in /tmp: what may be loaded with privileges
 * depends on who can write in a file's folder. Everything fails the test that cannot be done.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[256];

static inline void scratch_setup(void)
{
	const char *top = getenv("top_builddir");
	char *real = realpath(top ? top : ".", NULL);

	ck_assert_ptr_nonnull(real);
	snprintf(scratch, sizeof(scratch), "%s/tests/scratch-XXXXXX", real);
	free(real);
	ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void scratch_teardown(void)
{
	nftw(scratch, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* scratch/NAME, in one of many buffers that are used in turn. */
static inline const char *in_scratch(const char *name)
{
	static char bufs[64][512];
	static unsigned int next;
	char *buf = bufs[next++ % 64];

	snprintf(buf, sizeof(bufs[0]), "%s/%s", scratch, name);
	return buf;
}

static inline const char *scratch_dir(const char *name, mode_t mode)
{
	const char *path = in_scratch(name);

	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

/* Out of line: gcc with UBSan otherwise takes the check of chmod()'s argument for a doubt of ours. */
static __attribute__((noinline, unused)) void set_mode(const char *path, mode_t mode)
{
	ck_assert_int_eq(chmod(path, mode), 0);
}

static inline const char *scratch_file(const char *name, const void *data, size_t size)
{
	const char *path = in_scratch(name);
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
	return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
	return scratch_file(name, text, strlen(text));
}

/* The bytes of a fixture that was built: tests/plugins/load/NAME.so. malloc()ed. */
static inline char *fixture_bytes(const char *name, size_t *size)
{
	const char *top = getenv("top_builddir");
	char path[512];
	struct stat st;
	char *bytes;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/plugins/load/%s.so", top ? top : ".", name);
	file = fopen(path, "r");
	ck_assert_msg(file && !fstat(fileno(file), &st), "no fixture %s", path);
	*size = (size_t)st.st_size;
	bytes = malloc(*size);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

/* Put a copy of a fixture at scratch/AS. */
static inline const char *scratch_fixture(const char *name, const char *as)
{
	size_t size;
	char *bytes = fixture_bytes(name, &size);
	const char *path = scratch_file(as, bytes, size);

	free(bytes);
	return path;
}

#endif
