// SPDX-License-Identifier: MIT
/* The process behind clerk.h, and its server's side of the connection. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/whole.h"
#include "device/clerk.h"
#include "device/confine.h"
#include "device/internal.h"
#include "device/kept_memory.h"
#include "device/state_file.h"
#include "device/stats_file.h"

#define ANSWER_MS 12000	       /* the folder's lock is waited for STATE_WRITE_LOCK_MS */
#define MESSAGE_MAX (4u << 20) /* as of a state file */

enum word { NOTE, WRITE, WRITE_NEW, FORGET };

struct message {
	uint32_t word;
	uint32_t size; /* of the text that follows */
};

/* -- the clerk */

struct clerk {
	int fd;
	pid_t server;
	enum { NEW, NOTED, WRITTEN, DONE } stage; /* it never goes back */
	uint32_t id;
	json_t *memory;
	char *name; /* of what was written */
};

static int take_note(struct clerk *clerk, const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, 0, NULL);
	json_int_t id = -1;

	int err = json_unpack(json, "{s:I, s?O}", "id", &id, "memory", &clerk->memory);

	json_decref(json);
	if (err || id < 0 || id > UINT32_MAX)
		return -EBADMSG;
	clerk->id = (uint32_t)id;
	clerk->stage = NOTED;
	return 0;
}

/* Nobody reads our messages from here on, and who has started the server must not wait for us. */
static void leave_terminal(void)
{
	__cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
}

static int write_state(struct clerk *clerk, const char *text, size_t size, bool is_new)
{
	struct device_state state;
	int err = state_file_parse(&state, text, size, clerk->id);

	if (err)
		return err;
	err = state.pid == clerk->server ? state_write(&state) : -EPERM;
	if (!err) {
		clerk->stage = WRITTEN;
		clerk->name = state.name;
		state.name = NULL;
		if (is_new)
			udev_tell_name(state.node);
	}
	state_free(&state);
	leave_terminal();
	return err;
}

static int forget(struct clerk *clerk)
{
	kept_memory_remove(clerk->memory);
	if (clerk->stage == WRITTEN)
		state_remove_for(clerk->id, clerk->name, clerk->server);
	else
		stats_remove(clerk->id, clerk->server);
	clerk->stage = DONE;
	return 0;
}

static int do_word(struct clerk *clerk, const struct message *message, const char *text)
{
	switch (message->word) {
	case NOTE:
		return clerk->stage == NEW ? take_note(clerk, text, message->size) : -EPERM;
	case WRITE:
	case WRITE_NEW:
		return clerk->stage == NOTED
			       ? write_state(clerk, text, message->size, message->word == WRITE_NEW)
			       : -EPERM;
	case FORGET:
		return clerk->stage == NOTED || clerk->stage == WRITTEN ? forget(clerk) : -EPERM;
	}
	return -EPERM;
}

static bool serve_one(struct clerk *clerk)
{
	struct message message;
	__cleanup_free char *text = NULL;
	int32_t answer;

	if (read_whole(clerk->fd, &message, sizeof(message)) || message.size > MESSAGE_MAX)
		return false;
	text = malloc(max_of(message.size, 1u));
	if (!text || read_whole(clerk->fd, text, message.size))
		return false;
	answer = do_word(clerk, &message, text);
	return !write_whole(clerk->fd, &answer, sizeof(answer));
}

/* It ends with its server, whatever is sent to all processes of a group or a unit before. */
static __attribute__((noreturn)) void be_clerk(int fd, pid_t server)
{
	struct clerk clerk = { .fd = fd, .server = server };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "ublk-clerk");
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, fd - 1, 0);
	close_range(fd + 1, ~0u, 0);
	if (chdir("/")) /* or it would hold a mount */
		log_debug("chdir /: %m");
	if (!confine_rights() && !confine_thread())
		while (serve_one(&clerk))
			;
	_exit(EXIT_SUCCESS);
}

/* -- its server's side */

int clerk_begin(void)
{
	pid_t server = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		log_err("socketpair: %m");
		return -errno;
	}
	pid = fork();
	if (!pid)
		be_clerk(pair[1], server);
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	log_err("fork: %m");
	close(pair[0]);
	return -EAGAIN;
}

static bool wait_answer(int fd)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	uint64_t until = now_ms() + ANSWER_MS, now;
	int n;

	do {
		now = now_ms();
		n = now < until ? poll(&pfd, 1, (int)(until - now)) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static int ask(int fd, enum word word, const char *text)
{
	const struct message message = { .word = word, .size = text ? strlen(text) : 0 };
	int32_t answer;

	if (!write_whole(fd, &message, sizeof(message)) && !write_whole(fd, text, message.size) &&
	    wait_answer(fd) && !read_whole(fd, &answer, sizeof(answer)))
		return answer;
	log_err("the process that keeps the device's files for its server does not answer, or has "
		"ended");
	return -EPIPE;
}

int clerk_note(int fd, uint32_t id, const json_t *memory)
{
	json_t *json = json_pack("{s:I, s:O*}", "id", (json_int_t)id, "memory", (json_t *)memory);
	__cleanup_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text ? ask(fd, NOTE, text) : -ENOMEM;
}

int clerk_write(int fd, const struct device_state *state, bool is_new)
{
	__cleanup_free char *text = state_file_text(state);

	return text ? ask(fd, is_new ? WRITE_NEW : WRITE, text) : -ENOMEM;
}

int clerk_forget(int fd)
{
	return ask(fd, FORGET, NULL);
}
