// SPDX-License-Identifier: MIT
/* A process that serves a device: this one, or one in the background. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/notify.h"
#include "cli/serving.h"
#include "device/clerk.h"
#include "device/device.h"
#include "device/user.h"

/* For as long as the plugin may take to start, and for what the driver and we need. */
#define START_SPARE_SECONDS 30
#define START_END_MS 10000 /* for an interrupted server to remove what it has made */
#define KILLED_MS 2000	   /* for one that is killed to be gone */

/* Whoever waits for the device. A prepared() or ready() that returns non-zero ends it. */
struct watcher {
	int (*prepared)(int signal_fd, void *arg); /* as in struct device_request; or NULL */
	int (*ready)(const struct device *device, void *arg); /* its node is usable */
	void (*added)(uint32_t id, void *arg); /* the driver has a new device; or NULL */
	void (*stopping)(void *arg);	       /* or NULL */
	void *arg;
};

static int signals_to_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	/* Blocked before any thread starts, so that all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG for the application instead */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const struct device_request *request, const struct watcher *watcher)
{
	struct device *device;
	int err = device_bring_up(request, &device), res;

	if (err == -ETIMEDOUT)
		_exit(EXIT_FAILED); /* threads may still be in the plugin */
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	log_set_who(device_name(device));
	err = watcher->ready(device, watcher->arg);
	if (!err)
		err = device_serve(device);
	if (watcher->stopping)
		watcher->stopping(watcher->arg);
	res = device_end(device);
	if (res == -ETIMEDOUT)
		_exit(EXIT_FAILED);
	return err || res ? EXIT_FAILED : EXIT_DONE;
}

static int load_and_serve(const struct serving *serving, struct device_request *request,
			  const struct watcher *watcher)
{
	struct device_options *options = serving->options;
	const char *path = serving->former ? serving->former->plugin_path : NULL;
	__cleanup_fd int signal_fd = -1;
	struct option_values values = { 0 };
	struct plugin_dirs dirs;
	int status = EXIT_FAILED, err;

	if (plugin_dirs_init(&dirs, options->plugin_dirs, options->nr_plugin_dirs)) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	err = device_resolve(&options->cfg, &dirs, path, &request->plugin, &values);
	plugin_dirs_free(&dirs);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	request->values = &values;
	request->signal_fd = signal_fd = signals_to_fd();
	if (signal_fd < 0)
		log_err("signalfd: %m");
	else if (!serving->former || !device_check_successor(&options->cfg, request->plugin))
		status = serve(request, watcher);
	option_values_free(&values);
	plugin_free(request->plugin);
	return status;
}

/* log: of a server in the background, or NULL. With --user, a clerk before there is a plugin. */
static int resolve_and_serve(const struct serving *serving, const char *log,
			     const struct watcher *watcher)
{
	struct device_request request = { .cfg = &serving->options->cfg,
					  .former = serving->former,
					  .log = log,
					  .clerk = -1,
					  .prepared = watcher->prepared,
					  .added = watcher->added,
					  .arg = watcher->arg };
	struct run_as user;
	int status;

	if (!request.cfg->user)
		return load_and_serve(serving, &request, watcher);
	status = user_find(request.cfg->user, &user);
	if (status)
		return status == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	request.user = &user;
	request.clerk = clerk_begin();
	status = request.clerk < 0 ? EXIT_FAILED : load_and_serve(serving, &request, watcher);
	if (request.clerk >= 0)
		close(request.clerk);
	user_free(&user);
	return status;
}

static int print_node(const struct device *device, void *arg)
{
	printf("%s\n", device_node(device));
	fflush(stdout);
	notify_ready(arg);
	return 0;
}

static void tell_stopping(void *arg)
{
	notify_stopping(arg);
}

int serving_run(const struct serving *serving)
{
	struct notify notify;
	struct watcher watcher = { .ready = print_node, .stopping = tell_stopping, .arg = &notify };
	int status;

	notify_open(&notify); /* while sockets can be had */
	status = resolve_and_serve(serving, NULL, &watcher);
	notify_close(&notify);
	return status;
}

struct background {
	int fd;	  /* of the pipe to who waits for us */
	int null; /* /dev/null */
	int go_fd;
	bool supervised;
};

/* While everything can still be opened, and before there is a device to take away again. */
static int background_prepare(struct background *background, const struct device_options *options)
{
	int err = 0;

	background->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (background->null < 0) {
		log_err("/dev/null: %m");
		return -errno;
	}
	if (options->log_file)
		err = log_prepare_file(options->log_file);
	else if (!background->supervised)
		log_prepare_syslog();
	if (err)
		log_err("--log-file %s: %s", options->log_file, strerror(-err));
	return err;
}

/* What is written before the node, each in one piece. */
#define PREPARED '.'
#define ADDED "+%" PRIu32 "\n"
#define SERVED "=%" PRIu64 "\n" /* since when, of now_ms() */

/* There is no device yet that a signal could be about: one that is to end us does so now, and not when we
 * serve; others are forgotten. */
static bool told_to_end(int signal_fd)
{
	struct signalfd_siginfo si;
	bool end = false;

	while (read(signal_fd, &si, sizeof(si)) == sizeof(si))
		end |= si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT;
	return end;
}

/* -ECANCELED: who prepared us wants nothing of us, or has gone. */
static int wait_for_word(int go_fd, int signal_fd)
{
	struct pollfd fds[] = { { go_fd, POLLIN, 0 }, { signal_fd, POLLIN, 0 } };
	char c;

	do {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR) {
			log_err("waiting for the word to go on: %m");
			return -EIO;
		}
		if (fds[1].revents && told_to_end(signal_fd))
			return -ECANCELED;
	} while (!fds[0].revents);
	return read(go_fd, &c, 1) == 1 ? 0 : -ECANCELED;
}

static int wait_for_go(int signal_fd, void *arg)
{
	struct background *background = arg;
	const char c = PREPARED;
	int err;

	if (write(background->fd, &c, 1) != 1) {
		log_err("telling that the server is prepared: %m");
		return -EIO;
	}
	err = wait_for_word(background->go_fd, signal_fd);
	if (err)
		return err;
	close(background->go_fd);
	background->go_fd = -1;
	return 0;
}

static void tell_added(uint32_t id, void *arg)
{
	const struct background *background = arg;

	if (dprintf(background->fd, ADDED, id) < 0)
		log_debug("telling that there is a device: %m");
}

/* From here on nobody reads our standard error, unless there is a supervisor. */
static int tell_ready(const struct device *device, void *arg)
{
	struct background *background = arg;
	const int last = background->supervised ? STDOUT_FILENO : STDERR_FILENO;

	if (dprintf(background->fd, SERVED "%s", device_served_since(device), device_node(device)) <
	    0) {
		log_err("telling that the device is ready: %m"); /* who asked for it has gone */
		return -EIO;
	}
	log_switch();
	if (chdir("/")) /* not before: folders for plugins may be relative */
		log_warn("chdir /: %m");
	for (int fd = STDIN_FILENO; fd <= last; fd++)
		dup2(background->null, fd);
	close(background->fd);
	background->fd = -1;
	return 0;
}

/* True: it has ended. */
static bool wait_end(const struct prepared_server *server, unsigned int ms)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	uint64_t until = now_ms() + ms;

	while (!waitpid(server->pid, NULL, WNOHANG)) {
		if (now_ms() >= until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/* It gets time to remove what it has made. */
static void stop_server(const struct prepared_server *server)
{
	kill(server->pid, SIGTERM);
	if (wait_end(server, START_END_MS))
		return;
	kill(server->pid, SIGKILL);
	if (!wait_end(server, KILLED_MS))
		log_err("process %d does not end although it was killed: it is stuck in the kernel",
			server->pid);
}

/* The status of one that ended without an answer; not EXIT_DONE. */
static int early_end(const struct prepared_server *server)
{
	int status = 0;

	if (waitpid(server->pid, &status, 0) == server->pid && WIFEXITED(status) &&
	    WEXITSTATUS(status))
		return WEXITSTATUS(status); /* it has said why */
	log_err("the server ended before the device was usable%s",
		WIFSIGNALED(status) ? ": killed by a signal" : "");
	return EXIT_FAILED;
}

/* Bytes of the server's answer, in text; or 0, and *status is how it ended, which is not EXIT_DONE. */
static ssize_t wait_answer(const struct prepared_server *server, char *text, size_t size,
			   int *status)
{
	struct pollfd pfd = { server->answer_fd, POLLIN, 0 };
	int ready = poll(&pfd, 1, (int)server->seconds * 1000);
	ssize_t n = ready > 0 ? read(server->answer_fd, text, size) : ready;

	if (n > 0)
		return n;
	if (n < 0)
		log_err("waiting for the server: %m");
	else if (!ready)
		log_err("the device is not usable after %u s; stopping its server (process %d)",
			server->seconds, server->pid);
	if (n == 0 && ready) {
		*status = early_end(server);
		return 0;
	}
	stop_server(server);
	*status = EXIT_FAILED;
	return 0;
}

/* A supervisor's files, or apply's: its lock among them. */
static void close_others(unsigned int first, unsigned int second)
{
	if (first > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, first - 1, 0);
	if (second > first + 1)
		close_range(first + 1, second - 1, 0);
	close_range(second + 1, ~0u, 0);
}

static __attribute__((noreturn)) void be_server(const struct serving *serving, int fd, int go_fd)
{
	const char *log = serving->options->log_file ? serving->options->log_file : "syslog";
	struct background background = { .fd = fd, .go_fd = go_fd, .supervised = serving->who };
	struct watcher watcher = { .prepared = wait_for_go,
				   .ready = tell_ready,
				   .added = tell_added,
				   .arg = &background };

	setsid(); /* what becomes of a supervisor is nothing to us */
	if (serving->who || serving->alone)
		close_others(min_of(fd, go_fd), max_of(fd, go_fd));
	if (serving->who) {
		log_set_who(serving->who);
		log = serving->options->log_file;
	}
	if (background_prepare(&background, serving->options))
		exit(EXIT_FAILED);
	exit(resolve_and_serve(serving, log, &watcher));
}

/* Fork first of all: the driver ties a device to the process and its memory (rule 23). */
int serving_begin(const struct serving *serving, struct prepared_server *server)
{
	int answer[2], go[2];

	if (pipe2(answer, O_CLOEXEC)) {
		log_err("pipe: %m");
		return -errno;
	}
	if (pipe2(go, O_CLOEXEC)) {
		log_err("pipe: %m");
		close(answer[0]);
		close(answer[1]);
		return -EMFILE;
	}
	signal(SIGPIPE, SIG_IGN); /* a server that has ended is told nothing */
	fflush(stdout);		  /* or it would come twice */
	*server = (struct prepared_server){
		.pid = fork(),
		.id = -1,
		.answer_fd = answer[0],
		.go_fd = go[1],
		.seconds = serving->options->cfg.plugin_timeout + START_SPARE_SECONDS,
	};
	if (!server->pid) {
		close(answer[0]);
		close(go[1]);
		be_server(serving, answer[1], go[0]);
	}
	close(answer[1]);
	close(go[0]);
	if (server->pid > 0)
		return 0;
	log_err("fork: %m");
	serving_drop(server);
	return -EAGAIN;
}

int serving_tell(struct prepared_server *server)
{
	return write(server->go_fd, "", 1) == 1 ? 0 : -errno;
}

/* The node in what the server wrote, or "". */
static const char *take_notes(struct prepared_server *server, const char *text)
{
	uint32_t id;

	text += *text == PREPARED;
	if (sscanf(text, ADDED, &id) == 1) {
		server->id = id;
		text = strchr(text, '\n') + 1;
	}
	if (sscanf(text, SERVED, &server->served_since) == 1)
		text = strchr(text, '\n') + 1;
	return text;
}

int serving_answer(struct prepared_server *server, char *node)
{
	char text[SERVING_NODE_SIZE];
	ssize_t n = read(server->answer_fd, text, sizeof(text) - 1);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (n == 0)
		return -EPIPE;
	text[n] = 0;
	strcpy(node, take_notes(server, text));
	return *node ? 1 : 0;
}

int serving_prepare(const struct serving *serving, struct prepared_server *server)
{
	int status = EXIT_FAILED;
	char prepared;

	if (serving_begin(serving, server))
		return EXIT_FAILED;
	if (wait_answer(server, &prepared, 1, &status) == 1)
		return EXIT_DONE;
	serving_drop(server);
	return status;
}

int serving_go(struct prepared_server *server, char *node)
{
	char text[SERVING_NODE_SIZE];
	int status = EXIT_FAILED;
	ssize_t n;

	if (serving_tell(server)) {
		log_err("telling the server to go on: %m");
		serving_drop(server); /* which it takes as the word to end */
		return EXIT_FAILED;
	}
	do {
		n = wait_answer(server, text, sizeof(text) - 1, &status);
		text[n] = 0;
		strcpy(node, take_notes(server, text));
	} while (n > 0 && !*node);
	serving_drop(server);
	return n > 0 ? EXIT_DONE : status;
}

void serving_drop(struct prepared_server *server)
{
	close(server->answer_fd);
	close(server->go_fd);
	server->answer_fd = server->go_fd = -1;
}

int serving_check(const struct serving *serving)
{
	struct prepared_server server;
	int status = serving_prepare(serving, &server);

	if (status != EXIT_DONE)
		return status;
	serving_drop(&server); /* which it takes as the word to end */
	waitpid(server.pid, NULL, 0);
	return EXIT_DONE;
}

int serving_start(const struct serving *serving, char *node)
{
	struct prepared_server server;
	int status = serving_prepare(serving, &server);

	return status == EXIT_DONE ? serving_go(&server, node) : status;
}
