// SPDX-License-Identifier: MIT
/* A process that serves a device in the background: what is between it and who has started it. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "cli/cli.h"
#include "cli/serving_internal.h"

struct background {
	int fd;	  /* of the pipe to who waits for us */
	int null; /* /dev/null */
	int go_fd;
	bool supervised;
	bool successor; /* of a server whose device lives */
	int *inherited; /* what else who started us had open; ended by -1. Or NULL */
};

/* An option may name one of them (@/dev/fd/63), so that they stay for a while; for good, they would keep busy
 * what they are open on, and hold its locks. */
static int *find_inherited(int answer_fd, int go_fd)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t nr = 0, room = 0;
	int *fds = NULL, *grown, fd;

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "%d", &fd) != 1 || fd <= STDERR_FILENO ||
		    fd == dirfd(dir) || fd == answer_fd || fd == go_fd)
			continue;
		if (nr + 1 >= room) {
			room = room ? 2 * room : 16;
			grown = reallocarray(fds, room, sizeof(*fds));
			if (!grown)
				break;
			fds = grown;
		}
		fds[nr++] = fd;
		fds[nr] = -1;
	}
	if (dir)
		closedir(dir);
	return fds;
}

static void close_inherited(struct background *background)
{
	for (const int *fd = background->inherited; fd && *fd >= 0; fd++)
		close(*fd);
	free(background->inherited);
	background->inherited = NULL;
}

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
	ssize_t n;
	char c;

	do {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR) {
			log_err("waiting for the word to go on: %m");
			return -EIO;
		}
		if (fds[1].revents && told_to_end(signal_fd))
			return -ECANCELED;
	} while (!fds[0].revents);
	n = read(go_fd, &c, 1);
	if (n < 0)
		log_err("reading the word to go on: %m");
	return n == 1 ? 0 : n < 0 ? -EIO : -ECANCELED;
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

/* From here on nobody reads our standard error, unless there is a supervisor. A new device that nobody waits
 * for any more goes again; one that had users before goes on. */
static int tell_ready(const struct device *device, void *arg)
{
	struct background *background = arg;
	const int last = background->supervised ? STDOUT_FILENO : STDERR_FILENO;

	if (dprintf(background->fd, SERVED "%s", device_served_since(device), device_node(device)) <
	    0) {
		log_msg(background->successor ? LOG_LVL_WARN : LOG_LVL_ERR,
			"telling that the device is ready: %m"); /* who asked for it has gone */
		if (!background->successor)
			return -EIO;
	}
	log_switch();
	if (chdir("/")) /* not before: folders for plugins may be relative */
		log_warn("chdir /: %m");
	for (int fd = STDIN_FILENO; fd <= last; fd++)
		dup2(background->null, fd);
	close_inherited(background);
	close(background->fd);
	background->fd = -1;
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

void be_server(const struct serving *serving, int fd, int go_fd)
{
	const char *log = serving->options->log_file ? serving->options->log_file : "syslog";
	struct background background = {
		.fd = fd, .go_fd = go_fd, .supervised = serving->who, .successor = serving->former
	};
	struct watcher watcher = { .prepared = wait_for_go,
				   .ready = tell_ready,
				   .added = tell_added,
				   .arg = &background };

	/* What becomes of a supervisor is nothing to us, nor is the end of a session. */
	setsid();
	signal(SIGHUP, SIG_IGN);
	if (serving->who || serving->alone)
		close_others(min_of(fd, go_fd), max_of(fd, go_fd));
	else
		background.inherited = find_inherited(fd, go_fd);
	if (serving->who) {
		log_set_who(serving->who);
		log = serving->options->log_file;
	}
	if (background_prepare(&background, serving->options))
		exit(EXIT_FAILED);
	exit(resolve_and_serve(serving, log, &watcher));
}
