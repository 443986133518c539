// SPDX-License-Identifier: MIT
/* Verb udev, run as root by the rules in etc/udev: what they need to know of a device that has just come or
 * changed, and its nodes for the user whom the driver says it belongs to. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/usage.h"
#include "kernel/sysfs.h"

#define ASK_MS 3000 /* udev waits for us */

enum { KEY_GIVE = 256 };

static const struct cli_opt opts[] = {
	{ KEY_GIVE, "give", NULL, "give the node to the device's user, if it is a user's" },
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "udev",
	.synopsis = "[--give] ublkbN|ublkcN",
	.about =
		"For udev's rules. Prints what links and further rules are made of: UBLK_HOST_NAME and\n"
		"UBLK_HOST_PLUGIN of a device of the system, or UBLK_HOST_UNPRIVILEGED=1 for one of a user.",
	.opts = opts,
};

/* "ublkb3", "ublkc3" */
static bool parse_node(const char *word, uint32_t *id)
{
	char again[16];

	if (sscanf(word, "ublk%*1[bc]%" SCNu32, id) != 1)
		return false;
	snprintf(again, sizeof(again), "ublk%c%" PRIu32, word[4], *id);
	return !strcmp(word, again);
}

/* The node itself, whatever is at its path later: a descriptor that says no more than which. Or -errno,
 * logged. */
static int find_node(const char *name)
{
	const mode_t kind = name[4] == 'b' ? S_IFBLK : S_IFCHR;
	char path[NODE_PATH_SIZE];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && (st.st_mode & S_IFMT) == kind)
		return fd;
	if (fd >= 0)
		close(fd);
	log_err("%s is not there, or not a device", path);
	return -ENODEV;
}

static int give(int node, const char *name, const struct ublksrv_ctrl_dev_info *info)
{
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	/* Nobody else's before it is the user's. */
	if (!chmod(path, 0600) &&
	    !fchownat(node, "", info->owner_uid, info->owner_gid, AT_EMPTY_PATH))
		return 0;
	err = -errno;
	log_err("cannot give /dev/%s to user %u: %s", name, info->owner_uid, strerror(-err));
	return err;
}

static void tell_name(const struct device_view *view)
{
	__cleanup_free char *plugin = device_plugin_name(view);

	if (!view->ours)
		return;
	printf("UBLK_HOST_NAME=%s\n", view->state.name);
	if (plugin)
		printf("UBLK_HOST_PLUGIN=%s\n", plugin);
}

/* -ENOENT: it is gone again. The id may be another device's by now, and so may the path of the node be. */
static int look(struct device_view *view, uint32_t id, uint64_t entry)
{
	struct ctrl *ctrl = NULL;
	int err = ctrl_open(&ctrl);

	if (err)
		return err;
	ctrl_set_deadline(ctrl, ASK_MS);
	err = device_view_read(view, id, NULL, ctrl);
	ctrl_close(ctrl);
	if (err || (entry && entry != SYSFS_ENTRY_UNKNOWN && sysfs_device_entry("", id) == entry))
		return err;
	device_view_free(view);
	return -ENOENT;
}

static int answer(const char *name, uint32_t id, bool give_it)
{
	/* In this order: what was said of a device that was there all the time is said of this node's. */
	const uint64_t entry = sysfs_device_entry("", id);
	__cleanup_fd int node = give_it ? find_node(name) : -1;
	struct device_view view;
	int err = give_it && node < 0 ? node : look(&view, id, entry);

	if (err)
		return EXIT_FAILED;
	if (view.has_info && view.info.flags & UBLK_F_UNPRIVILEGED_DEV) {
		if (give_it)
			err = give(node, name, &view.info);
		else
			puts("UBLK_HOST_UNPRIVILEGED=1");
	} else if (!give_it) {
		tell_name(&view);
	}
	device_view_free(&view);
	return err ? EXIT_FAILED : EXIT_DONE;
}

int verb_udev(int argc, char **argv)
{
	const char *value, *name = NULL;
	struct cli_args args;
	bool give_it = false;
	uint32_t id = 0;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_GIVE)
			give_it = true;
		else if (name)
			cli_stray(&args, value);
		else
			name = value;
	}
	if (!args.helped && !name)
		cli_error(&args, "name a node: ublkb3, ublkc3");
	else if (name && !parse_node(name, &id))
		cli_error(&args, "\"%s\" is not the name of a node: ublkb3, ublkc3", name);
	status = cli_finish(&args);
	return status >= 0 ? status : answer(name, id, give_it);
}
