/* SPDX-License-Identifier: MIT */
/* For the tests of state files: a folder of the test's own, and sound states to put there. */
#ifndef TESTS_UNIT_STATE_HELP_H
#define TESTS_UNIT_STATE_HELP_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "device/state.h"
#include "tap.h"

/* High ids: no machine has nodes for them. */
#define ID 900001u
#define NODE "/dev/ublkb900001"

static char dir[64];

static inline void in_dir(char *buf, const char *name)
{
	snprintf(buf, 256, "%s/%s", dir, name);
}

static inline void put(const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *file;

	in_dir(path, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static inline bool exists(const char *name)
{
	struct stat st;
	char path[256];

	in_dir(path, name);
	return lstat(path, &st) == 0;
}

static inline bool link_is(const char *name, const char *target)
{
	char path[256], found[256];
	ssize_t n;

	in_dir(path, name);
	n = readlink(path, found, sizeof(found) - 1);
	if (n < 0)
		return false;
	found[n] = 0;
	return strcmp(found, target) == 0;
}

static inline void state_setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ublk-host-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
	log_set_level(LOG_LVL_ERR);
}

static inline void state_teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static inline struct device_state sample(uint32_t id, char *name)
{
	static char nodes[4][32];
	static int next;
	struct device_state state = { .id = id,
				      .name = name,
				      .plugin_path = "/lib/mem.so",
				      .data_path = "copy",
				      .data_path_why = "it is the only one" };

	state.node = nodes[next++ % 4];
	snprintf(state.node, 32, "/dev/ublkb%u", id);
	ck_assert_int_eq(state_self(&state), 0);
	return state;
}

static inline void write_sample(uint32_t id, char *name)
{
	struct device_state state = sample(id, name);

	ck_assert_int_eq(state_write(&state), 0);
}

#endif
