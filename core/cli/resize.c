// SPDX-License-Identifier: MIT
/* Verb resize: another size for a device, while it is served and used. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/resize.h"
#include "cli/usage.h"
#include "config/size.h"
#include "device/requests.h"
#include "kernel/sysfs.h"

#define OTHERS_MS 20000 /* for another program that asks this server */
#define PLUGIN_CALLS 3	/* that may take their time: asked, told, told to go back */
#define SPARE_MS 20000	/* beside that */

static const struct cli_opt opts[] = {
	{ 'f', "force", NULL, "make it smaller although it is in use" },
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "resize",
	.synopsis = "NAME|ID SIZE [OPTION]...",
	.about =
		"Gives a device another size while it is served. The plugin makes room for more; a device that\n"
		"becomes smaller loses what is beyond its new end, and is refused while somebody uses it.\n"
		"Filesystems have their own programs to take over the new size: resize2fs, xfs_growfs.",
	.opts = opts,
};

struct resize_args {
	const char *word;
	uint64_t size;
	bool force, json;
};

/* The plugin's time is that of the server's manifest. */
static unsigned int deadline_ms(const struct device_state *state)
{
	json_t *device = json_object_get(state->manifest, "device");
	json_int_t seconds = json_integer_value(json_object_get(device, "plugin_timeout"));

	if (seconds < 1 || seconds > MAX_PLUGIN_TIMEOUT)
		seconds = DEFAULT_PLUGIN_TIMEOUT;
	return (unsigned int)seconds * PLUGIN_CALLS * 1000 + SPARE_MS;
}

/* 0, or -EBUSY, logged: somebody uses what would be cut off. */
static int check_users(const struct device_view *view)
{
	struct disk_users users = { 0 };
	char text[512];
	int err = 0;

	if (disk_users_find("", view->id, &users))
		return 0;
	if (users.nr) {
		log_err("%s is %s: it is not made smaller under its users; let them go first, or --force",
			view->state.node, disk_users_text(&users, text, sizeof(text)));
		err = -EBUSY;
	}
	disk_users_free(&users);
	return err;
}

static int check(const struct device_view *view)
{
	char *remedy;

	if (device_check_known(view))
		return -EPERM;
	if (!view->ours) {
		log_err("device %" PRIu32 " is not a device of ublk-host", view->id);
		return -EPERM;
	}
	if (!view->server_alive || view->size < 0) {
		remedy = device_remedy(view);
		log_err("%s has no server that could make room%s%s", view->state.name,
			remedy ? ": " : "", remedy ? remedy : "");
		free(remedy);
		return -ESRCH;
	}
	return 0;
}

/* Nobody else changes it now: what it has may have changed while we waited for that, and a process that is about
 * to exchange its server has told it the size. */
static int check_now(struct device_view *view, uint64_t size, bool force)
{
	struct device_state now;
	int err = state_read(view->id, &now);
	bool in_hand;

	if (err == -ENOENT) /* else it is told */
		device_view_failed("resize", view->id, view->state.name, err);
	if (err)
		return err;
	in_hand = state_in_hand(&now);
	if (in_hand)
		log_err("%s cannot be resized: process %d is changing its server; try again when that has "
			"ended",
			view->state.name, now.in_hand);
	state_free(&now);
	if (in_hand)
		return -EBUSY;
	view->size = device_size_now(view);
	return size < (uint64_t)view->size && !force ? check_users(view) : 0;
}

/* The state never says less than the device has: then a next server can always serve it, whenever this one,
 * or we, may end. */
static int ask_server(const struct device_view *view, uint64_t size, struct request_line *line)
{
	const uint64_t former = (uint64_t)view->size;
	char why[256];
	int err = 0, marked = 0;

	if (line->size_option && size > former)
		marked = state_set_size(view->id, size);
	if (!marked)
		err = request_resize(line, size, deadline_ms(&view->state), why, sizeof(why));
	/* One that has ended meanwhile may have told the driver. */
	if (!marked && line->size_option && (err ? size > former : size < former))
		marked = state_set_size(view->id, err ? (uint64_t)device_size_now(view) : size);
	if (err)
		log_err("cannot resize %s: %s", view->state.name, why);
	if (marked)
		log_err("cannot write the size of %s into its state: %s", view->state.name,
			strerror(-marked));
	return err ? err : marked;
}

int resize_device(struct device_view *view, uint64_t size, bool force)
{
	struct request_line line;
	int err = check(view);

	if (!err)
		err = request_begin(&view->state, OTHERS_MS, &line);
	if (err)
		return err;
	err = check_now(view, size, force);
	if (!err)
		err = ask_server(view, size, &line);
	request_end(&line);
	return err;
}

static int print(const struct device_view *view, const struct resize_args *resize)
{
	char was[SIZE_TEXT_MAX], is[SIZE_TEXT_MAX];

	if (resize->json)
		return json_print(json_pack("{s:I, s:s, s:s, s:I, s:I}", "id", (json_int_t)view->id,
					    "name", view->state.name, "node", view->state.node,
					    "size", (json_int_t)resize->size, "former_size",
					    (json_int_t)view->size));
	printf("resized %s (%s) from %s to %s\n", view->state.name, view->state.node,
	       size_format((uint64_t)view->size, was), size_format(resize->size, is));
	return EXIT_DONE;
}

static int run(const struct resize_args *resize)
{
	struct device_view view;
	struct ctrl *ctrl = devices_ctrl();
	int err = device_find_view(&view, resize->word, "resize", ctrl);
	int status = EXIT_FAILED;

	ctrl_close(ctrl);
	if (err)
		return EXIT_FAILED;
	err = resize_device(&view, resize->size, resize->force);
	if (!err)
		status = print(&view, resize);
	else if (err == -EINVAL)
		status = EXIT_USAGE;
	device_view_free(&view);
	return status;
}

static void take_word(struct cli_args *args, struct resize_args *resize, const char **size,
		      const char *value)
{
	if (!resize->word)
		resize->word = value;
	else if (!*size)
		*size = value;
	else
		cli_stray(args, value);
}

int verb_resize(int argc, char **argv)
{
	struct resize_args resize = { 0 };
	const char *value, *size = NULL;
	struct cli_args args;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == 'f')
			resize.force = true;
		else if (key == 'j')
			resize.json = true;
		else
			take_word(&args, &resize, &size, value);
	}
	if (!size && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "%s",
			  resize.word ? "which size? Give it in " SIZE_FORMS
				      : "which device? Give its NAME or ID, and a size");
	else if (size && (size_parse(size, &resize.size) || !resize.size))
		cli_error(&args, "\"%s\" is no size: give it in " SIZE_FORMS, size);
	status = cli_finish(&args);
	return status >= 0 ? status : run(&resize);
}
