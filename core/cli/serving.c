// SPDX-License-Identifier: MIT
/* A process that serves a device: this one, or one in the background. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/serving.h"
#include "config/device_manifest.h"
#include "device/device.h"

/* For as long as the plugin may take to start, and for what the driver and we need. */
#define START_SPARE_SECONDS 30
#define START_END_MS 10000 /* for an interrupted server to remove what it has made */

/* Called with the node when it is usable; non-zero ends the device. */
typedef int (*ready_fn)(const char *node, void *arg);

static int signals_to_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	/* Blocked before any thread starts, so that all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG for the application instead */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const struct device_request *request, ready_fn ready, void *arg)
{
	struct device *device;
	int err = device_bring_up(request, &device), res;

	if (err == -ETIMEDOUT)
		_exit(EXIT_FAILED); /* threads may still be in the plugin */
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	log_set_who(device_name(device));
	err = ready(device_node(device), arg);
	if (!err)
		err = device_serve(device);
	res = device_end(device);
	if (res == -ETIMEDOUT)
		_exit(EXIT_FAILED);
	return err || res ? EXIT_FAILED : EXIT_DONE;
}

/* log: of a server in the background, or NULL. */
static int resolve_and_serve(const struct serving *serving, const char *log, ready_fn ready,
			     void *arg)
{
	struct device_options *options = serving->options;
	struct option_values values = { 0 };
	struct device_request request = {
		.cfg = &options->cfg, .values = &values, .former = serving->former, .log = log
	};
	const char *path = serving->former ? serving->former->plugin_path : NULL;
	__cleanup_fd int signal_fd = -1;
	struct plugin_dirs dirs;
	int status, err;

	if (plugin_dirs_init(&dirs, options->plugin_dirs, options->nr_plugin_dirs)) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	err = device_resolve(&options->cfg, &dirs, path, &request.plugin, &values);
	plugin_dirs_free(&dirs);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	request.signal_fd = signal_fd = signals_to_fd();
	status = EXIT_FAILED;
	if (signal_fd < 0)
		log_err("signalfd: %m");
	else
		status = serve(&request, ready, arg);
	option_values_free(&values);
	plugin_free(request.plugin);
	return status;
}

static int print_node(const char *node, void *arg)
{
	(void)arg;
	printf("%s\n", node);
	fflush(stdout);
	return 0;
}

int serving_run(const struct serving *serving)
{
	return resolve_and_serve(serving, NULL, print_node, NULL);
}

struct background {
	const struct device_options *options;
	int fd; /* of the pipe to who waits for us */
};

/* From here on nobody reads our standard error. */
static int tell_ready(const char *node, void *arg)
{
	struct background *background = arg;
	int null, err = 0;

	if (background->options->log_file)
		err = log_to_file(background->options->log_file);
	else
		log_to_syslog();
	if (err) {
		log_err("--log-file %s: %s", background->options->log_file, strerror(-err));
		return err;
	}
	if (chdir("/")) /* not before: folders for plugins may be relative */
		log_warn("chdir /: %m");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	close(null);
	if (write(background->fd, node, strlen(node)) < 0)
		return -errno; /* who asked for the device has gone */
	close(background->fd);
	background->fd = -1;
	return 0;
}

/* The server's answer: its node, or its exit status. */
static int wait_ready(int fd, pid_t server, unsigned int seconds, char *node)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	int status;
	ssize_t n;

	n = poll(&pfd, 1, (int)seconds * 1000);
	if (n <= 0) {
		log_err("the device is not usable after %u s; stopping its server (process %d)",
			seconds, server);
		kill(server, SIGTERM);
		poll(&pfd, 1, START_END_MS); /* its end closes the pipe */
		kill(server, SIGKILL);
		return EXIT_FAILED;
	}
	n = read(fd, node, SERVING_NODE_SIZE - 1);
	if (n > 0) {
		node[n] = 0;
		return EXIT_DONE;
	}
	if (waitpid(server, &status, 0) == server && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status); /* it has said why */
	log_err("the server ended before the device was usable%s",
		WIFSIGNALED(status) ? ": killed by a signal" : "");
	return EXIT_FAILED;
}

static __attribute__((noreturn)) void be_server(const struct serving *serving, int fd)
{
	const char *log = serving->options->log_file ? serving->options->log_file : "syslog";
	struct background background = { .options = serving->options, .fd = fd };

	setsid();
	exit(resolve_and_serve(serving, log, tell_ready, &background));
}

/* Fork first of all: the driver ties a device to the process and its memory (rule 23). */
int serving_start(const struct serving *serving, char *node)
{
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		log_err("pipe: %m");
		return EXIT_FAILED;
	}
	fflush(stdout); /* or it would come twice */
	pid = fork();
	if (pid < 0) {
		log_err("fork: %m");
		close(fds[0]);
		close(fds[1]);
		return EXIT_FAILED;
	}
	if (!pid) {
		close(fds[0]);
		be_server(serving, fds[1]);
	}
	close(fds[1]);
	status = wait_ready(fds[0], pid, serving->options->cfg.plugin_timeout + START_SPARE_SECONDS,
			    node);
	close(fds[0]);
	return status;
}

int serving_of_state(struct device_options *options, const struct device_state *state)
{
	struct errors errors = { 0 };
	struct json_text jt;
	int err;

	*options = (struct device_options){ .level = LOG_LVL_INFO };
	device_config_init(&options->cfg);
	if (!state->manifest || !state->plugin_path) {
		log_err("%s cannot be served on: its state file does not say how", state->name);
		return -EINVAL;
	}
	err = json_text_wrap(&jt, state->name, state->manifest);
	if (!err) {
		err = device_manifest_read(&options->cfg, &jt, NULL, &errors);
		json_text_free(&jt);
	}
	if (!err && state->log && *state->log == '/') {
		options->log_file = strdup(state->log);
		err = options->log_file ? 0 : -ENOMEM;
	}
	if (err && !errors_count(&errors))
		log_err("%s cannot be served on: %s", state->name, strerror(-err));
	errors_print(&errors);
	errors_free(&errors);
	return err;
}
