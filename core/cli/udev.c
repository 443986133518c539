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

/* Nobody but root can put another file there. */
static int give(const char *name, const struct ublksrv_ctrl_dev_info *info)
{
	const mode_t kind = name[4] == 'b' ? S_IFBLK : S_IFCHR;
	char path[NODE_PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", name);
	if (lstat(path, &st) || (st.st_mode & S_IFMT) != kind) {
		log_err("%s is not there, or not a device", path);
		return -ENODEV;
	}
	/* Nobody else's before it is the user's. */
	if (chmod(path, 0600) || lchown(path, info->owner_uid, info->owner_gid)) {
		log_err("cannot give %s to user %u: %s", path, info->owner_uid, strerror(errno));
		return -errno;
	}
	return 0;
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

static int answer(const char *name, uint32_t id, bool give_it)
{
	struct ctrl *ctrl = NULL;
	struct device_view view;
	int err = ctrl_open(&ctrl);

	if (err)
		return EXIT_FAILED;
	ctrl_set_deadline(ctrl, ASK_MS);
	err = device_view_read(&view, id, NULL, ctrl);
	ctrl_close(ctrl);
	if (err) /* it is gone again */
		return EXIT_FAILED;
	if (view.has_info && view.info.flags & UBLK_F_UNPRIVILEGED_DEV) {
		if (give_it)
			err = give(name, &view.info);
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
