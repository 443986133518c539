// SPDX-License-Identifier: MIT
/* doctor: nodes, folders, plugins, and what servers have left behind. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cli/doctor.h"
#include "cli/orphans.h"
#include "device/state.h"
#include "kernel/ctrl.h"

/* The type of the filesystem that is mounted there; "": none is. The last one counts. */
static void mounted_type(const char *root, const char *where, char *type, size_t size)
{
	char path[PATH_MAX], at[256], *line = NULL, *rest;
	size_t room = 0;
	FILE *f;

	*type = '\0';
	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0) {
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %*s %255s", at) != 1 || strcmp(at, where))
			continue;
		snprintf(type, size, "%.*s", (int)strcspn(rest + 3, " \n"), rest + 3);
	}
	free(line);
	if (f)
		fclose(f);
}

static bool is_there(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return !access(full, F_OK);
}

void check_nodes(struct doctor *doctor)
{
	char type[32];

	mounted_type(doctor->root, "/dev", type, sizeof(type));
	if (!strcmp(type, "devtmpfs"))
		doctor_say(doctor, "nodes", FINDING_OK, NULL,
			   "/dev is a devtmpfs, so the kernel makes the nodes of devices");
	else if (is_there(doctor->root, "/run/udev/control"))
		doctor_say(doctor, "nodes", FINDING_OK, NULL, "udev makes the nodes of devices");
	else
		doctor_say(doctor, "nodes", FINDING_BAD,
			   "mount a devtmpfs on /dev, or give this container the machine's /dev",
			   "/dev is not a devtmpfs and there is no udev: no node of a device would "
			   "appear");
}

static bool folder_has_rules(const char *root, const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		found = dot && !strcmp(dot, ".rules") && strstr(entry->d_name, "ublk");
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool has_rules(const char *root)
{
	static const char *const folders[] = { "/etc/udev/rules.d", "/run/udev/rules.d",
					       "/usr/local/lib/udev/rules.d",
					       "/usr/lib/udev/rules.d", "/lib/udev/rules.d" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (folder_has_rules(root, folders[i]))
			return true;
	return false;
}

/* Devices of ordinary users: the driver's word, the control node, and the nodes of their devices. */
void check_users(struct doctor *doctor)
{
	bool rules = has_rules(doctor->root);
	char path[PATH_MAX];
	struct stat st;
	bool open_to_all;

	snprintf(path, sizeof(path), "%s%s", doctor->root, UBLK_CONTROL_PATH);
	open_to_all = !stat(path, &st) && st.st_mode & 006;
	if (!*doctor->host.reason && !(doctor->host.features & UBLK_F_UNPRIVILEGED_DEV))
		doctor_say(doctor, "users", FINDING_OK, NULL,
			   "devices are for root: the driver has no unprivileged ones");
	else if (open_to_all && !rules)
		doctor_say(
			doctor, "users", FINDING_NOTE,
			"install the rules for udev (59-ublk-host.rules), which give the nodes of a "
			"device to its user, or take the rights to " UBLK_CONTROL_PATH " away",
			"every user may open " UBLK_CONTROL_PATH
			", but there is no udev rule for the nodes of their devices");
	else if (rules)
		doctor_say(doctor, "users", FINDING_OK, NULL,
			   "there are udev rules for ublk; " UBLK_CONTROL_PATH " is %s",
			   open_to_all ? "open to every user" : "not open to every user");
	else
		doctor_say(doctor, "users", FINDING_OK, NULL,
			   "devices are for root: there is no udev rule that gives them to users");
}

/* The nearest folder above that exists can be written. */
static bool can_be_made(const char *path)
{
	__cleanup_free char *copy = strdup(path);
	char *at = copy;

	while (at && access(at, F_OK) && strcmp(at, "/"))
		at = dirname(at);
	return at && !access(at, W_OK | X_OK);
}

static void check_folder_there(struct doctor *doctor, const char *dir, const struct stat *st)
{
	struct statfs fs;

	if (!S_ISDIR(st->st_mode)) {
		doctor_say(doctor, "state-folder", FINDING_BAD, "remove it", "%s is not a folder",
			   dir);
	} else if ((st->st_uid && st->st_uid != geteuid()) ||
		   (st->st_mode & 022 && !(st->st_mode & S_ISVTX))) {
		doctor_say(doctor, "state-folder", FINDING_BAD, "give it to root, with mode 0755",
			   "%s belongs to user %u and has mode %04o: others could change what is "
			   "there",
			   dir, st->st_uid, st->st_mode & 07777);
	} else if (st->st_mode & 022) {
		doctor_say(doctor, "state-folder", FINDING_NOTE, "give it mode 0755",
			   "%s has mode %04o: others can put files there, which stand in the way",
			   dir, st->st_mode & 07777);
	} else if (access(dir, W_OK | X_OK)) {
		doctor_say(doctor, "state-folder", geteuid() ? FINDING_NOTE : FINDING_BAD,
			   geteuid() ? "run as root, or set UBLK_HOST_RUN_DIR to a folder of yours"
				     : "have it on a filesystem that can be written",
			   "%s cannot be written: %s", dir, strerror(errno));
	} else if (statfs(dir, &fs) ||
		   ((uint32_t)fs.f_type != TMPFS_MAGIC && (uint32_t)fs.f_type != RAMFS_MAGIC)) {
		doctor_say(doctor, "state-folder", FINDING_NOTE,
			   "mount a tmpfs there, or set UBLK_HOST_RUN_DIR to a folder on one",
			   "%s is not in memory: devices have no statistics, and it is not emptied "
			   "by a boot",
			   dir);
	} else {
		doctor_say(doctor, "state-folder", FINDING_OK, NULL,
			   "%s can be written, and is in memory", dir);
	}
}

void check_state_folder(struct doctor *doctor)
{
	const char *dir = state_dir();
	struct stat st;

	if (*dir != '/')
		doctor_say(doctor, "state-folder", FINDING_BAD, "set it to an absolute path",
			   "UBLK_HOST_RUN_DIR is \"%s\"", dir);
	else if (!stat(dir, &st))
		check_folder_there(doctor, dir, &st);
	else if (errno != ENOENT)
		doctor_say(doctor, "state-folder", FINDING_BAD, NULL, "%s: %s", dir,
			   strerror(errno));
	else if (can_be_made(dir))
		doctor_say(doctor, "state-folder", FINDING_OK, NULL,
			   "%s is made with the first device", dir);
	else
		doctor_say(doctor, "state-folder", geteuid() ? FINDING_NOTE : FINDING_BAD,
			   "run as root, or set UBLK_HOST_RUN_DIR to a folder of yours",
			   "%s is not there, and cannot be made by this user", dir);
}

struct plugin_count {
	struct doctor *doctor;
	unsigned int good, bad;
};

static int count_plugin(const struct plugin_entry *entry, void *arg)
{
	struct plugin_count *count = arg;
	struct plugin_info info;
	int err;

	if (entry->shadowed_by)
		return 0;
	err = plugin_inspect(entry, &info);
	if (!err && info.problem) {
		count->bad++;
		doctor_say(count->doctor, "plugins", entry->has_so ? FINDING_BAD : FINDING_NOTE,
			   "put it right, or remove it; ublk-host plugins shows all", "%s: %s",
			   entry->has_so ? entry->path : entry->manifest, info.problem);
	} else if (!err) {
		count->good++;
	}
	plugin_info_free(&info);
	return err;
}

void check_plugins(struct doctor *doctor)
{
	const struct plugin_dirs *dirs = &doctor->host.dirs;
	struct plugin_count count = { .doctor = doctor };
	const char *last = dirs->nr ? dirs->dir[dirs->nr - 1] : "";

	if (plugin_for_each(dirs, count_plugin, &count) < 0)
		doctor->no_memory = true;
	else if (!count.good && !count.bad)
		doctor_say(doctor, "plugins", FINDING_BAD,
			   "install some, or name their folder with --plugin-dir",
			   "there are none in %s%s", last,
			   dirs->nr > 1 ? ", nor in the other folders" : "");
	else if (!count.bad)
		doctor_say(doctor, "plugins", FINDING_OK, NULL, "%u that can be used, in %s%s",
			   count.good, last, dirs->nr > 1 ? " and other folders" : "");
}

/* A device has users, or data, that wait: that is bad. Files do no harm. */
static void tell_device(struct doctor *doctor, const struct orphan *orphan)
{
	char label[400], todo[384];

	if (orphan->waits && orphan->name)
		snprintf(todo, sizeof(todo),
			 "`ublk-host recover %s` brings it back, `ublk-host down %s` removes it",
			 orphan->name, orphan->name);
	else if (orphan->waits)
		snprintf(todo, sizeof(todo), "start its program again");
	else if (orphan->name)
		snprintf(todo, sizeof(todo), "`ublk-host down %s` removes it", orphan->name);
	else
		snprintf(todo, sizeof(todo), "`ublk-host gc` tells more, and removes it");
	doctor_say(doctor, "leftovers", FINDING_BAD, todo, "%s: %s",
		   orphan_label(orphan, label, sizeof(label)), orphan->why);
}

void check_leftovers(struct doctor *doctor)
{
	struct orphan_list list;
	size_t files = 0;

	if (orphans_find(&list, doctor->ctrl) < 0) {
		doctor_say(doctor, "leftovers", FINDING_NOTE, NULL, "they could not be looked for");
		return;
	}
	for (size_t i = 0; i < list.nr; i++) {
		if (list.orphan[i].kind == ORPHAN_DEVICE)
			tell_device(doctor, &list.orphan[i]);
		else
			files++;
	}
	if (files)
		doctor_say(doctor, "leftovers", FINDING_NOTE, "`ublk-host gc --yes` removes them",
			   "files of devices that are gone: %zu", files);
	else if (!list.nr)
		doctor_say(
			doctor, "leftovers", FINDING_OK, NULL, "%s",
			doctor->ctrl || doctor->control_err == -ENOENT
				? "there are none"
				: "there are none of ublk-host's; only root sees those of others");
	orphans_free(&list);
}
