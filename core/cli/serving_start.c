// SPDX-License-Identifier: MIT
/* Starting a process that serves a device in the background, and waiting for it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/serving_internal.h"

/* For as long as the plugin may take to start, and for what the driver and we need. */
#define START_SPARE_SECONDS 30
#define START_END_MS 10000 /* for an interrupted server to remove what it has made */
#define KILLED_MS 2000	   /* for one that is killed to be gone */

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

int serving_end_signal(const struct prepared_server *server)
{
	return server->successor ? SIGUSR1 : SIGTERM;
}

/* It gets time to remove what it has made. */
static void stop_server(const struct prepared_server *server)
{
	kill(server->pid, serving_end_signal(server));
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
		.successor = serving->former,
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
