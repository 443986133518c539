// SPDX-License-Identifier: MIT
/* Finds what servers have left behind, and tells it from what only looks like it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "cli/orphans.h"
#include "kernel/sysfs.h"

/* A device that its server has not started yet looks like one that lost it. Between ADD_DEV and the
 * opening of its node a server may prepare its backing, but not for long. */
#define YOUNG_SECONDS 60

const char *orphan_kind_word(enum orphan_kind kind)
{
	static const char *const words[] = {
		[ORPHAN_DEVICE] = "device",	    [ORPHAN_STATE] = "state",
		[ORPHAN_STATISTICS] = "statistics", [ORPHAN_LINK] = "link",
		[ORPHAN_MEMORY] = "memory",	    [ORPHAN_TEMPORARY] = "temporary file",
	};

	return words[kind];
}

const char *orphan_label(const struct orphan *orphan, char *buf, size_t size)
{
	char node[NODE_PATH_SIZE];

	node_block(orphan->id, node);
	if (orphan->file)
		snprintf(buf, size, "%s/%s", state_dir(), orphan->file);
	else if (orphan->kind == ORPHAN_STATE)
		snprintf(buf, size, "%s/%" PRIu32 ".json (%s)", state_dir(), orphan->id,
			 orphan->name ? orphan->name : "?");
	else if (orphan->name)
		snprintf(buf, size, "%s (%s)", node, orphan->name);
	else
		snprintf(buf, size, "%s", node);
	return buf;
}

/* The driver tells the state; that of a device without a disk fits three cases. */
static bool judge_stopped(const struct device_view *view, const struct orphan_facts *facts,
			  struct orphan *orphan)
{
	if (view->ours) {
		snprintf(orphan->why, sizeof(orphan->why), "its server, process %d, is dead",
			 view->state.pid);
		return true;
	}
	snprintf(orphan->why, sizeof(orphan->why), "nobody serves it");
	if (facts->age >= 0 && facts->age < YOUNG_SECONDS)
		snprintf(orphan->keep, sizeof(orphan->keep),
			 "it is %" PRId64
			 " s old and may be about to start: look again in a minute",
			 facts->age);
	return true;
}

static void judge_waiting(const struct device_view *view, struct orphan *orphan)
{
	orphan->waits = view->info.flags & UBLK_F_USER_RECOVERY;
	snprintf(orphan->why, sizeof(orphan->why), "its server is dead (%s)",
		 device_condition_word(view));
	if (orphan->waits && view->ours)
		snprintf(orphan->keep, sizeof(orphan->keep),
			 "it waits for a new server: ublk-host recover %" PRIu32, view->id);
	else if (orphan->waits)
		snprintf(orphan->keep, sizeof(orphan->keep),
			 "it waits for a new server, of the program that made it");
}

bool orphan_judge(const struct device_view *view, const struct orphan_facts *facts,
		  struct orphan *orphan)
{
	*orphan = (struct orphan){ .kind = ORPHAN_DEVICE, .id = view->id };
	/* Whoever holds its server's side brings it up, or takes it over, or down. */
	if (view->server_alive || *facts->server_side)
		return false;
	switch (view->condition) {
	case DEVICE_GONE:
		orphan->kind = ORPHAN_STATE;
		snprintf(orphan->why, sizeof(orphan->why), "its device is gone from the kernel");
		return true;
	case DEVICE_STOPPED:
		judge_stopped(view, facts, orphan);
		break;
	case DEVICE_QUIESCED:
	case DEVICE_FAIL_IO:
		judge_waiting(view, orphan);
		break;
	case DEVICE_LIVE:
	case DEVICE_UNKNOWN:
	default:
		return false;
	}
	if (*facts->users) {
		size_t len = strlen(orphan->keep);

		snprintf(orphan->keep + len, sizeof(orphan->keep) - len, "%sit is in use: %s",
			 len ? "; and " : "", facts->users);
	}
	return true;
}

/* Its node was made when it was added. udev renews its time at each event: then it only looks younger. */
static void tell_age(const struct device_view *view, struct orphan_facts *facts)
{
	char node[NODE_PATH_SIZE];
	struct stat added;

	if (!stat(node_char(view->id, node), &added))
		facts->age = max_of(time(NULL) - added.st_mtime, (time_t)0);
}

static void tell_users(const struct device_view *view, char *disk, char *server_side, size_t size)
{
	struct disk_users users;
	char name[NODE_PATH_SIZE];
	int err;

	snprintf(name, sizeof(name), "ublkb%" PRIu32, view->id);
	err = view->has_disk ? disk_users_find("", view->id, &users)
			     : disk_users_named("", name, &users);
	snprintf(disk, size, "%s", err ? strerror(-err) : "");
	if (!err)
		disk_users_text(&users, disk, size);
	disk_users_free(&users);
	snprintf(name, sizeof(name), "ublkc%" PRIu32, view->id);
	err = disk_users_named("", name, &users);
	snprintf(server_side, size, "%s", err ? strerror(-err) : "");
	if (!err)
		disk_users_text(&users, server_side, size);
	disk_users_free(&users);
}

static struct orphan *add(struct orphan_list *list, const struct orphan *orphan)
{
	struct orphan *grown = reallocarray(list->orphan, list->nr + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	list->orphan = grown;
	grown[list->nr] = *orphan;
	return &grown[list->nr++];
}

static int look_at(struct orphan_list *list, const struct device_view *view)
{
	char users[256] = "", server_side[256] = "";
	struct orphan_facts facts = { .users = users, .server_side = server_side, .age = -1 };
	struct orphan orphan, *added;

	if (view->server_alive) /* looking at all processes takes its time */
		return 0;
	if (view->condition != DEVICE_GONE) {
		tell_users(view, users, server_side, sizeof(users));
		tell_age(view, &facts);
	}
	if (!orphan_judge(view, &facts, &orphan))
		return 0;
	added = add(list, &orphan);
	if (added && view->ours)
		added->name = strdup(view->state.name);
	return added && (added->name || !view->ours) ? 0 : -ENOMEM;
}

static int add_leftover(const struct leftover *leftover, void *arg)
{
	static const enum orphan_kind kinds[] = {
		[LEFTOVER_STATE] = ORPHAN_STATE,	 [LEFTOVER_STATISTICS] = ORPHAN_STATISTICS,
		[LEFTOVER_LINK] = ORPHAN_LINK,		 [LEFTOVER_MEMORY] = ORPHAN_MEMORY,
		[LEFTOVER_TEMPORARY] = ORPHAN_TEMPORARY,
	};
	const struct orphan orphan = { .kind = kinds[leftover->kind] };
	struct orphan *added = add(arg, &orphan);

	if (!added)
		return -ENOMEM;
	snprintf(added->why, sizeof(added->why), "%s", leftover->why);
	added->file = strdup(leftover->file);
	return added->file ? 0 : -ENOMEM;
}

int orphans_find(struct orphan_list *list, struct ctrl *ctrl)
{
	struct device_list devices;
	int err;

	*list = (struct orphan_list){ 0 };
	err = device_list_read(&devices, ctrl);
	if (err)
		return err;
	for (size_t i = 0; i < devices.nr && !err; i++)
		err = look_at(list, &devices.view[i]);
	device_list_free(&devices);
	if (!err)
		err = leftovers_for_each(add_leftover, list);
	if (err) {
		log_err("cannot look for what is left over: %s", strerror(-err));
		orphans_free(list);
	}
	return err;
}

void orphans_free(struct orphan_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->orphan[i].name);
		free(list->orphan[i].file);
	}
	free(list->orphan);
	*list = (struct orphan_list){ 0 };
}
