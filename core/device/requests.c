// SPDX-License-Identifier: MIT
/* Requests of verbs to servers, by way of the statistics' file. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "device/internal.h"
#include "device/requests.h"
#include "device/state_file.h"
#include "device/stats_file.h"

#define LOOK_MS 5
#define AT(member) (offsetof(struct stats, request) + offsetof(struct stats_request, member))

/* The server's end. */
void request_answer(struct device *d)
{
	struct stats_request *request = &d->dev.stats->request;
	uint32_t asked = __atomic_load_n(&request->asked, __ATOMIC_ACQUIRE);
	char why[RESIZE_WHY_SIZE] = "";

	if (!d->shared_stats || asked == request->answered)
		return;
	request->err = device_resize(d, request->size, why);
	memcpy(request->text, why, sizeof(why));
	__atomic_store_n(&request->answered, asked, __ATOMIC_RELEASE);
}

static int open_lock(void)
{
	__cleanup_fd int dir = state_open_folder(false);

	return dir < 0 ? dir : state_lock_open(dir, O_RDWR);
}

/* A byte for each device, so that they do not wait for each other. 0 or -errno, logged. */
static int lock_line(struct request_line *line, uint32_t id, const char *name, unsigned int ms)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = id, .l_len = 1 };
	uint64_t until = now_ms() + ms;
	int err;

	line->lock = open_lock();
	while (line->lock < 0 || fcntl(line->lock, F_OFD_SETLK, &lock)) {
		err = line->lock < 0 ? line->lock : -errno;
		if (err == -EWOULDBLOCK && now_ms() < until) {
			poll(NULL, 0, LOOK_MS);
			continue;
		}
		if (err == -EWOULDBLOCK)
			log_err("another program asks the server of %s for something, and has not "
				"come to an end within %u s",
				name, ms / 1000);
		else
			log_err("cannot lock the statistics of %s: %s", name, strerror(-err));
		return err;
	}
	return 0;
}

static int find_server(const struct device_state *state, struct request_line *line)
{
	__cleanup_free struct stats *now = NULL;

	if (line->pidfd < 0 || state_find_server(state)) {
		log_err("cannot find the server of %s, process %d", state->name, state->pid);
		return -ESRCH;
	}
	line->fd = stats_open_for_write(state->id, &now);
	if (line->fd == -ENOENT)
		log_err("the server of %s cannot be asked: it has no statistics, as %s is not in memory",
			state->name, state_dir());
	if (line->fd < 0)
		return line->fd;
	line->size_option = now->request.sizing & STATS_SIZE_OPTION;
	if (now->pid == state->pid && now->pid_start == state->pid_start)
		return 0;
	log_err("%s has just got another server; try again", state->name);
	return -EAGAIN;
}

int request_begin(const struct device_state *state, unsigned int ms, struct request_line *line)
{
	int err;

	*line = (struct request_line){ .fd = -1, .lock = -1, .pidfd = pidfd_open(state->pid, 0) };
	err = find_server(state, line);
	if (!err)
		err = lock_line(line, state->id, state->name, ms);
	if (err)
		request_end(line);
	return err;
}

void request_end(struct request_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	if (line->lock >= 0)
		close(line->lock);
	if (line->pidfd >= 0)
		close(line->pidfd);
	line->fd = line->lock = line->pidfd = -1;
}

int request_await(const struct device_state *state, unsigned int ms)
{
	struct request_line line = { .lock = -1, .pidfd = -1 };
	__cleanup_free struct stats *now = NULL;
	int err = 0;

	line.fd = stats_open_for_write(state->id, &now);
	if (line.fd >= 0) /* else nobody can ask for anything */
		err = lock_line(&line, state->id, state->name, ms);
	request_end(&line);
	return err;
}

static int read_request(const struct request_line *line, struct stats_request *request)
{
	ssize_t n = pread(line->fd, request, sizeof(*request), offsetof(struct stats, request));

	return n == sizeof(*request) ? 0 : n < 0 ? -errno : -EIO;
}

static int write_request(const struct request_line *line, size_t at, const void *word, size_t size)
{
	ssize_t n = pwrite(line->fd, word, size, (off_t)at);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int ask(const struct request_line *line, uint64_t size, uint32_t *asked)
{
	struct stats_request request;
	int err = read_request(line, &request);

	if (err)
		return err;
	*asked = request.asked + 1;
	err = write_request(line, AT(size), &size, sizeof(size));
	if (!err) /* what tells the server, last */
		err = write_request(line, AT(asked), asked, sizeof(*asked));
	if (!err && pidfd_send_signal(line->pidfd, SIGUSR2, NULL, 0))
		err = -errno;
	return err;
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
