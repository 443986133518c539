// SPDX-License-Identifier: MIT
/*
 * Verb upgrade: a device's server is replaced by one of this program, or of another plugin, under the
 * users of the device. If the new one does not come up, one of the old program and plugin does.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/serving.h"
#include "cli/upgrade.h"
#include "cli/usage.h"
#include "device/requests.h"
#include "plugin/plugin.h"

#define RESIZE_MS 20000 /* for a resize that is under way */
#define LEAVE_MS 20000	/* for the old server to end what it has begun */

#define UNIT_PREFIX "ublk-host@"

enum { KEY_PLUGIN = 256 };

static const struct cli_opt opts[] = {
	{ KEY_PLUGIN, "plugin", "FILE", "serve it by this plugin from now on" },
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "upgrade",
	.synopsis = "NAME|ID [--plugin FILE] [OPTION]...",
	.about =
		"Replaces the server of a device by one of this program and of the plugin as they are now,\n"
		"while the device is in use. Requests wait meanwhile, none fails. If the new server does not\n"
		"come up, one of the old program and plugin does.",
	.opts = opts,
};

struct upgrade_args {
	const char *word, *plugin;
	bool json;
};

/* What it takes to start the old server again: its program may be gone from the disk. */
struct old_server {
	int pidfd, exe;
};

/* systemd follows the process that it has started, and no other that takes its place. The unit is the last part of
 * the process's control group. */
static void tell_of_unit(const struct device_view *view)
{
	char path[40], line[512];
	const char *unit;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", view->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		unit = strrchr(line, '/');
		if (!unit || strncmp(unit, "/" UNIT_PREFIX, sizeof(UNIT_PREFIX)))
			continue;
		log_warn("%s ends with its server, and does not look after the next one; systemctl "
			 "restart %s gives the device a new server that it does look after",
			 unit + 1, unit + 1);
		break;
	}
	if (file)
		fclose(file);
}

static int old_server_find(struct old_server *old, const struct device_view *view)
{
	char path[40];
	int err;

	*old = (struct old_server){ .exe = -1 };
	old->pidfd = pidfd_open(view->pid, 0);
	err = old->pidfd < 0 ? -errno : state_find_server(&view->state);
	if (err) {
		log_err("cannot find process %d: %s", view->pid, strerror(-err));
		return err;
	}
	tell_of_unit(view);
	/* Also of a program that is no longer on the disk. */
	snprintf(path, sizeof(path), "/proc/%d/exe", view->pid);
	old->exe = open(path, O_RDONLY | O_CLOEXEC);
	if (old->exe < 0)
		log_warn("the old program cannot be kept for the way back: %s: %m", path);
	return 0;
}

static void old_server_free(struct old_server *old)
{
	if (old->pidfd >= 0)
		close(old->pidfd);
	if (old->exe >= 0)
		close(old->exe);
}

/* The old program gives the device a server, as its state still says. */
static bool restore(const struct old_server *old, uint32_t id)
{
	char word[16];
	char *const argv[] = { (char *)"ublk-host", (char *)"recover", word, NULL };
	int status;
	pid_t pid;

	if (old->exe < 0)
		return false;
	snprintf(word, sizeof(word), "%" PRIu32, id);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO); /* our output is our own */
		fexecve(old->exe, argv, environ);
		_exit(EXIT_FAILED);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == EXIT_DONE;
}

/* 0: the old server is about to end, or has ended. */
static int ask_to_leave(const struct old_server *old, const struct device_view *view)
{
	if (!pidfd_send_signal(old->pidfd, SIGUSR1, NULL, 0) || errno == ESRCH)
		return 0;
	log_err("cannot ask process %d to leave the device: %m", view->pid);
	return -errno;
}

/* It has until `until`, of now_ms(). */
static bool has_left(const struct old_server *old, const struct device_view *view, uint64_t until)
{
	struct pollfd pfd = { .fd = old->pidfd, .events = POLLIN };
	uint64_t now = now_ms();

	if (poll(&pfd, 1, until > now ? (int)(until - now) : 0) > 0)
		return true;
	log_err("process %d does not leave the device within %d s; it goes on serving it, or hangs: "
		"see its log",
		view->pid, LEAVE_MS / 1000);
	return false;
}

/* Exchange them. The new server is prepared and waits; the pause begins with the word to the old one. That
 * it has let go is what the driver tells the new one, sooner than its end could be seen here. */
static int exchange(struct prepared_server *server, struct old_server *old,
		    const struct device_view *view, struct upgrade_outcome *outcome)
{
	char node[SERVING_NODE_SIZE];
	uint64_t began = now_ms();

	if (ask_to_leave(old, view)) {
		serving_drop(server);
		return EXIT_FAILED;
	}
	outcome->upgraded = serving_go(server, node) == EXIT_DONE;
	if (outcome->upgraded) {
		outcome->pause_ms = server->served_since - began;
		return EXIT_DONE;
	}
	if (!has_left(old, view, began + LEAVE_MS))
		return EXIT_FAILED;
	log_warn("the new server does not come up; starting the old program again");
	outcome->restored = restore(old, view->id);
	if (!outcome->restored)
		log_err("%s has no server now, and its requests wait: ublk-host recover %s",
			view->state.name, view->state.name);
	outcome->pause_ms = now_ms() - began;
	return EXIT_FAILED;
}

/* Have the options of the device serve by another plugin. 0 or -errno, logged. */
static int set_plugin(struct device_options *options, struct device_state *state,
		      const char *plugin)
{
	struct plugin_dirs dirs;
	char *path = NULL, *name;
	int err;

	if (!plugin)
		return 0;
	if (plugin_dirs_init(&dirs, NULL, 0))
		return -ENOMEM;
	err = plugin_find(plugin, &dirs, &path);
	plugin_dirs_free(&dirs);
	name = err ? NULL : strdup(path);
	if (!err && !name)
		err = -ENOMEM;
	if (err) {
		free(path);
		return err;
	}
	free(state->plugin_path);
	state->plugin_path = path;
	free(options->cfg.plugin);
	options->cfg.plugin = name;
	return 0;
}

/* One of whom it would not know the size. A resize that is under way ends first; none begins while the device is
 * in hand. */
static int await_resize(const struct device_view *view)
{
	int err = request_await(&view->state, RESIZE_MS);

	if (!err && device_size_now(view) != view->size) {
		log_err("%s was resized just now; try again", view->state.name);
		err = -EAGAIN;
	}
	return err;
}

int upgrade_device(struct device_view *view, const char *plugin, struct upgrade_outcome *outcome)
{
	struct device_options options = { 0 };
	struct prepared_server server;
	struct old_server old = { .pidfd = -1, .exe = -1 };
	int status = EXIT_FAILED;
	char why[256];

	if (!device_can_hand_over(view, why, sizeof(why))) {
		log_err("device %" PRIu32 " cannot be upgraded: %s", view->id, why);
		return EXIT_FAILED;
	}
	if (device_take_in_hand(view, "upgraded"))
		return EXIT_FAILED;
	if (await_resize(view) || serving_of_state(&options, &view->state))
		goto out;
	if (set_plugin(&options, &view->state, plugin)) {
		status = EXIT_USAGE;
		goto out;
	}
	if (old_server_find(&old, view))
		goto out;
	status = serving_prepare(
		&(struct serving){ .options = &options, .former = &view->state, .alone = true },
		&server);
	if (status == EXIT_DONE)
		status = exchange(&server, &old, view, outcome);
	else
		log_err("%s is served as before", view->state.name);
out:
	if (status != EXIT_DONE)
		state_let_go(view->id);
	old_server_free(&old);
	device_options_free(&options);
	return status;
}

/* An object: id, name, upgraded, restored (the old program serves again), pause_ms. */
static json_t *to_json(const struct device_view *view, const struct upgrade_outcome *outcome)
{
	return json_pack("{s:I, s:s?, s:b, s:b, s:I}", "id", (json_int_t)view->id, "name",
			 view->ours ? view->state.name : NULL, "upgraded", outcome->upgraded,
			 "restored", outcome->restored, "pause_ms", (json_int_t)outcome->pause_ms);
}

static int run(const struct upgrade_args *upgrade)
{
	struct upgrade_outcome outcome = { 0 };
	struct device_view view;
	struct ctrl *ctrl = devices_ctrl();
	int err = device_find_view(&view, upgrade->word, "upgrade", ctrl);
	int status;

	ctrl_close(ctrl); /* before the fork: a control ring is this process's */
	if (err)
		return EXIT_FAILED;
	status = upgrade_device(&view, upgrade->plugin, &outcome);
	if (upgrade->json)
		status = max_of((int)json_print(to_json(&view, &outcome)), status);
	else if (outcome.upgraded)
		printf("upgraded %s, requests waited for %" PRIu64 " ms\n", view.state.name,
		       outcome.pause_ms);
	else if (outcome.restored)
		printf("restored %s, requests waited for %" PRIu64 " ms\n", view.state.name,
		       outcome.pause_ms);
	device_view_free(&view);
	return status;
}

int verb_upgrade(int argc, char **argv)
{
	struct upgrade_args upgrade = { 0 };
	struct cli_args args;
	const char *value;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_PLUGIN) {
			if (upgrade.plugin)
				cli_error(&args, "--plugin is given twice");
			upgrade.plugin = value;
		} else if (key == 'j') {
			upgrade.json = true;
		} else {
			if (upgrade.word)
				cli_stray(&args, value);
			upgrade.word = value;
		}
	}
	if (!upgrade.word && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which device? Give its NAME or ID");
	status = cli_finish(&args);
	return status >= 0 ? status : run(&upgrade);
}
