// SPDX-License-Identifier: MIT
/* Requests of verbs to servers, by way of the statistics' file. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <time.h>

#include "device/internal.h"
#include "device/requests.h"
#include "device/stats_file.h"

#define LOOK_MS 5
#define AT(member) (offsetof(struct stats, request) + offsetof(struct stats_request, member))

/* The server's end. */
void request_answer(struct device *d)
{
	struct stats_request *request = &d->dev.stats->request;
	uint32_t asked = __atomic_load_n(&request->asked, __ATOMIC_ACQUIRE);
	char why[sizeof(request->text)] = "";

	if (!d->shared_stats || asked == request->answered)
		return;
	request->err = device_resize(d, request->size, why, sizeof(why));
	memcpy(request->text, why, sizeof(why));
	__atomic_store_n(&request->answered, asked, __ATOMIC_RELEASE);
}

int request_begin(const struct device_state *state, unsigned int ms, struct request_line *line)
{
	uint64_t until = now_ms() + ms;
	struct stats *now = NULL;
	int err;

	*line = (struct request_line){ .fd = -1, .pidfd = pidfd_open(state->pid, 0) };
	if (line->pidfd < 0 || !state_server_alive(state)) {
		log_err("cannot find the server of %s, process %d", state->name, state->pid);
		err = -ESRCH;
		goto fail;
	}
	line->fd = stats_open_for_write(state->id, &now);
	err = line->fd < 0 ? line->fd : 0;
	if (err == -ENOENT)
		log_err("the server of %s cannot be asked: it has no statistics, as %s is not in memory",
			state->name, state_dir());
	if (err)
		goto fail;
	line->size_option = now->request.size_option;
	if (now->pid != state->pid || now->pid_start != state->pid_start) {
		log_err("%s has just got another server; try again", state->name);
		err = -EAGAIN;
		goto fail;
	}
	while ((err = flock(line->fd, LOCK_EX | LOCK_NB) ? -errno : 0) && now_ms() < until)
		poll(NULL, 0, LOOK_MS);
	if (!err) {
		free(now);
		return 0;
	}
	log_err("another program asks the server of %s for something, and has not come to an end within "
		"%u ms",
		state->name, ms);
fail:
	free(now);
	request_end(line);
	return err;
}

void request_end(struct request_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	if (line->pidfd >= 0)
		close(line->pidfd);
	line->fd = line->pidfd = -1;
}

static int read_request(const struct request_line *line, struct stats_request *request)
{
	ssize_t n = pread(line->fd, request, sizeof(*request), offsetof(struct stats, request));

	return n == sizeof(*request) ? 0 : n < 0 ? -errno : -EIO;
}

static int ask(const struct request_line *line, uint64_t size, uint32_t *asked)
{
	struct stats_request request;
	int err = read_request(line, &request);

	if (err)
		return err;
	*asked = request.asked + 1;
	if (pwrite(line->fd, &size, sizeof(size), AT(size)) != sizeof(size) ||
	    pwrite(line->fd, asked, sizeof(*asked), AT(asked)) != sizeof(*asked))
		return errno ? -errno : -EIO;
	return pidfd_send_signal(line->pidfd, SIGUSR2, NULL, 0) ? -errno : 0;
}

int request_resize(struct request_line *line, uint64_t size, unsigned int ms, char *why,
		   size_t why_size)
{
	struct pollfd server = { .fd = line->pidfd, .events = POLLIN };
	uint64_t until = now_ms() + ms;
	struct stats_request request;
	uint32_t asked;
	int err = ask(line, size, &asked);

	while (!err) {
		bool ended = poll(&server, 1, LOOK_MS) > 0;

		err = read_request(line, &request);
		if (err || request.answered == asked)
			break;
		if (ended)
			err = -EPIPE;
		else if (now_ms() >= until)
			err = -ETIMEDOUT;
	}
	if (!err) /* once more: what is beside the number came before it */
		err = read_request(line, &request);
	if (err) {
		snprintf(why, why_size, "%s",
			 err == -EPIPE	     ? "its server has ended meanwhile"
			 : err == -ETIMEDOUT ? "its server has not answered in time; see its log"
					     : strerror(-err));
		return err;
	}
	request.text[sizeof(request.text) - 1] = 0;
	snprintf(why, why_size, "%s", request.text);
	return request.err;
}
