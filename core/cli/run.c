// SPDX-License-Identifier: MIT
/* Verbs run and up: serve one device, in the foreground or as a daemon. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/device_options.h"
#include "device/device.h"
#include "queue/path.h"

/* up waits for as long as the plugin may take to start, and for what the driver and we need. */
#define UP_SPARE_SECONDS 30
#define UP_END_MS 10000 /* for an interrupted server to remove what it has made */

/* Called with the node when it is usable; non-zero ends the device. */
typedef int (*ready_fn)(const char *node, void *arg);

static int signals_to_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* Blocked before any thread starts, so that all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG for the application instead */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(struct device_options *options, struct plugin *plugin,
		 struct option_values *values, ready_fn ready, void *arg)
{
	__cleanup_fd int signal_fd = signals_to_fd();
	struct device *device;
	int err, res;

	if (signal_fd < 0) {
		log_err("signalfd: %m");
		return EXIT_FAILED;
	}
	err = device_bring_up(&options->cfg, plugin, values, signal_fd, &device);
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

static int resolve_and_serve(struct device_options *options, ready_fn ready, void *arg)
{
	struct option_values values = { 0 };
	struct plugin *plugin = NULL;
	struct plugin_dirs dirs;
	int status, err;

	if (plugin_dirs_init(&dirs, options->plugin_dirs, options->nr_plugin_dirs)) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	err = device_resolve(&options->cfg, &dirs, &plugin, &values);
	plugin_dirs_free(&dirs);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	status = serve(options, plugin, &values, ready, arg);
	option_values_free(&values);
	plugin_free(plugin);
	return status;
}

static const char **path_words(void)
{
	const char **words = calloc(2 * nr_data_paths + 2, sizeof(*words));
	unsigned int n = 0;

	if (!words)
		return NULL;
	words[n++] = "auto";
	for (unsigned int i = 0; i < nr_data_paths; i++) {
		words[n++] = data_paths[i]->name;
		if (data_paths[i]->batch_name)
			words[n++] = data_paths[i]->batch_name;
	}
	return words;
}

static int run_ready(const char *node, void *arg)
{
	(void)arg;
	printf("%s\n", node);
	fflush(stdout);
	return 0;
}

int verb_run(int argc, char **argv)
{
	__cleanup_free const char **words = path_words();
	struct device_options options;
	int status = device_options_parse(&options, DEVICE_VERB_RUN, words, argc, argv);

	if (status < 0) {
		log_set_level(options.level);
		status = resolve_and_serve(&options, run_ready, NULL);
	}
	device_options_free(&options);
	return status;
}

struct up_pipe {
	const struct device_options *options;
	int fd;
};

/* From here on nobody reads our standard error. */
static int up_ready(const char *node, void *arg)
{
	struct up_pipe *up = arg;
	int null, err = 0;

	if (up->options->log_file)
		err = log_to_file(up->options->log_file);
	else
		log_to_syslog();
	if (err) {
		log_err("--log-file %s: %s", up->options->log_file, strerror(-err));
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
	if (write(up->fd, node, strlen(node)) < 0)
		return -errno; /* who asked for the device has gone */
	close(up->fd);
	up->fd = -1;
	return 0;
}

/* The daemon's answer: its node, or its exit status. */
static int up_wait(int fd, pid_t daemon, unsigned int seconds)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	char node[64];
	int status;
	ssize_t n;

	n = poll(&pfd, 1, (int)seconds * 1000);
	if (n <= 0) {
		log_err("the device is not usable after %u s; stopping its server (process %d)",
			seconds, daemon);
		kill(daemon, SIGTERM);
		poll(&pfd, 1, UP_END_MS); /* its end closes the pipe */
		kill(daemon, SIGKILL);
		return EXIT_FAILED;
	}
	n = read(fd, node, sizeof(node));
	if (n > 0) {
		printf("%.*s\n", (int)n, node);
		return EXIT_DONE;
	}
	if (waitpid(daemon, &status, 0) == daemon && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status); /* it has said why */
	log_err("the server ended before the device was usable%s",
		WIFSIGNALED(status) ? ": killed by a signal" : "");
	return EXIT_FAILED;
}

/* Fork first of all: the driver ties a device to the process and its memory (rule 23). */
static int up_fork(struct device_options *options)
{
	struct up_pipe up = { .options = options };
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		log_err("pipe: %m");
		return EXIT_FAILED;
	}
	pid = fork();
	if (pid < 0) {
		log_err("fork: %m");
		return EXIT_FAILED;
	}
	if (pid) {
		close(fds[1]);
		status = up_wait(fds[0], pid, options->cfg.plugin_timeout + UP_SPARE_SECONDS);
		close(fds[0]);
		return status;
	}
	close(fds[0]);
	setsid();
	up.fd = fds[1];
	status = resolve_and_serve(options, up_ready, &up);
	if (up.fd >= 0)
		close(up.fd);
	return status;
}

int verb_up(int argc, char **argv)
{
	__cleanup_free const char **words = path_words();
	struct device_options options;
	int status = device_options_parse(&options, DEVICE_VERB_UP, words, argc, argv);

	if (status < 0) {
		log_set_level(options.level);
		status = up_fork(&options);
	}
	device_options_free(&options);
	return status;
}
