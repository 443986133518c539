// SPDX-License-Identifier: MIT
/* Judges the files of the state folder, one by one. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "device/leftovers.h"
#include "device/state_file.h"
#include "device/stats_file.h"
#include "kernel/sysfs.h"

#define BY_NAME "by-name/"
#define MEMORY "memory/"     /* see kept_memory.c */
#define TEMPORARY_SECONDS 10 /* a server makes its files in a moment */

/* "12.json" with suffix ".json": 12. */
static bool id_of(const char *file, const char *suffix, uint32_t *id)
{
	size_t digits = strspn(file, "0123456789");

	*id = strtoul(file, NULL, 10);
	return digits > 0 && digits <= 7 && !strcmp(file + digits, suffix);
}

static bool is_old(int dir, const char *file)
{
	struct stat st;

	return !fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) &&
	       time(NULL) - st.st_mtime > TEMPORARY_SECONDS;
}

static bool has_state(int dir, uint32_t id, struct device_state *state)
{
	return state_file_read(dir, id, state, true) == 0;
}

static const char *judge_state(int dir, uint32_t id)
{
	struct device_state state;

	if (has_state(dir, id, &state)) {
		state_free(&state);
		return NULL;
	}
	return sysfs_device_entry("", id) ? NULL : "it cannot be used, and there is no such device";
}

static const char *judge_statistics(int dir, uint32_t id)
{
	struct device_state state;

	if (has_state(dir, id, &state)) {
		state_free(&state);
		return NULL;
	}
	return stats_in_use_at(dir, id) ? NULL : "its server is dead";
}

/* A server writes its state before the link, and removes the link first. */
static const char *judge_link(int dir, const char *file)
{
	struct device_state state;
	char target[STATE_NAME_SIZE];
	const char *why = NULL;
	uint32_t id;
	ssize_t n = readlinkat(dir, file, target, sizeof(target) - 1);

	target[max_of(n, 0)] = '\0';
	if (strncmp(target, "/dev/ublkb", 10) || !id_of(target + 10, "", &id))
		return NULL; /* not one of ours */
	if (!has_state(dir, id, &state))
		return sysfs_device_entry("", id) ? NULL : "it leads to a device that is gone";
	if (strcmp(state.name, file + strlen(BY_NAME)))
		why = "the device that it leads to has another name";
	state_free(&state);
	return why;
}

/* Some device's state has the file among its memory; or is damaged, so that it may. */
static bool is_named(int dir, const char *name)
{
	struct dirent **entries;
	int nr = scandirat(dir, ".", &entries, NULL, NULL);
	bool named = nr < 0;

	for (int i = 0; i < nr; i++) {
		struct device_state state;
		const char *key;
		json_t *file;
		uint32_t id;

		if (id_of(entries[i]->d_name, ".json", &id) && !named) {
			named = !has_state(dir, id, &state) && sysfs_device_entry("", id);
			json_object_foreach(state.memory, key, file)
			{
				named |= !strcmp(json_string_value(file) ?: "", name);
			}
			state_free(&state);
		}
		free(entries[i]);
	}
	if (nr >= 0)
		free(entries);
	return named;
}

/* "PID.START.NAME", of the server that made it: it writes its state later. */
static const char *judge_memory(int dir, const char *name, pid_t *maker)
{
	struct device_state server = { 0 };
	int pid, end = 0;
	unsigned long long start;

	if (sscanf(name, "%d.%llu.%n", &pid, &start, &end) != 2 || !end)
		return NULL;
	*maker = server.pid = pid;
	server.pid_start = start;
	if (state_server_alive(&server) || is_named(dir, name))
		return NULL;
	return "no device has it, and its server is dead";
}

/* "12.json.tmp", "12.stats.tmp", "by-name/.12.tmp" */
static bool is_temporary(const char *file, uint32_t *id)
{
	static const char link[] = BY_NAME ".";

	return id_of(file, ".json.tmp", id) || id_of(file, ".stats.tmp", id) ||
	       (!strncmp(file, link, strlen(link)) && id_of(file + strlen(link), ".tmp", id));
}

/* NULL: it is none. locked: nobody makes a file just now. */
static const char *why_left(int dir, const char *file, bool locked, struct leftover *leftover)
{
	uint32_t id;

	leftover->kind = LEFTOVER_TEMPORARY;
	if (is_temporary(file, &id)) {
		leftover->id = id;
		return locked || is_old(dir, file) ? "it never became whole" : NULL;
	}
	leftover->kind = LEFTOVER_LINK;
	if (!strncmp(file, BY_NAME, strlen(BY_NAME)))
		return judge_link(dir, file);
	leftover->kind = LEFTOVER_MEMORY;
	if (!strncmp(file, MEMORY, strlen(MEMORY)))
		return judge_memory(dir, file + strlen(MEMORY), &leftover->pid);
	leftover->kind = id_of(file, ".json", &id) ? LEFTOVER_STATE : LEFTOVER_STATISTICS;
	if (leftover->kind == LEFTOVER_STATISTICS && !id_of(file, ".stats", &id))
		return NULL;
	leftover->id = id;
	return leftover->kind == LEFTOVER_STATE ? judge_state(dir, id) : judge_statistics(dir, id);
}

static bool judge(int dir, const char *file, bool locked, struct leftover *leftover)
{
	*leftover = (struct leftover){ .file = file, .id = -1 };
	leftover->why = why_left(dir, file, locked, leftover);
	return leftover->why;
}

struct walk {
	int dir;
	bool locked;
	int (*fn)(const struct leftover *leftover, void *arg);
	void *arg;
};

/* below: "", BY_NAME or MEMORY, which is for root */
static int walk_below(const struct walk *walk, const char *below)
{
	struct dirent **entries;
	int nr = scandirat(walk->dir, *below ? below : ".", &entries, NULL, alphasort), ret = 0;
	char file[320];

	if (nr < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	for (int i = 0; i < nr; i++) {
		struct leftover leftover;

		snprintf(file, sizeof(file), "%s%s", below, entries[i]->d_name);
		free(entries[i]);
		if (!ret && judge(walk->dir, file, walk->locked, &leftover))
			ret = walk->fn(&leftover, walk->arg);
	}
	free(entries);
	return ret;
}

static int walk_all(const struct walk *walk)
{
	int ret = walk_below(walk, "");

	if (!ret)
		ret = walk_below(walk, MEMORY);
	return ret ? ret : walk_below(walk, BY_NAME);
}

int leftovers_for_each(int (*fn)(const struct leftover *leftover, void *arg), void *arg)
{
	__cleanup_fd int dir = state_open_folder(false);
	const struct walk walk = { .dir = dir, .fn = fn, .arg = arg };

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	return walk_all(&walk);
}

int leftover_remove(const char *file)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;
	struct leftover leftover;

	if (dir < 0)
		return dir;
	lock = state_lock_folder(dir, STATE_LOCK_MS); /* it may just get its device */
	if (!judge(dir, file, lock >= 0, &leftover))
		return -EBUSY;
	return unlinkat(dir, file, 0) && errno != ENOENT ? -errno : 0;
}

struct dead_server {
	int dir;
	int64_t id;
	pid_t pid;
};

static int remove_own(const struct leftover *leftover, void *arg)
{
	const struct dead_server *server = arg;
	const bool of_id =
		leftover->kind == LEFTOVER_STATISTICS || leftover->kind == LEFTOVER_TEMPORARY;

	if (leftover->pid == server->pid || (of_id && leftover->id == server->id))
		unlinkat(server->dir, leftover->file, 0);
	return 0;
}

void leftovers_remove_of(int64_t id, pid_t pid)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;
	struct dead_server server = { dir, id, pid };
	struct walk walk = { .dir = dir, .fn = remove_own, .arg = &server };

	if (dir < 0)
		return;
	lock = state_lock_folder(dir, STATE_LOCK_MS);
	walk.locked = lock >= 0;
	walk_all(&walk);
}
