// SPDX-License-Identifier: MIT
/* The one place that writes messages. Its state is the only global state outside main. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/log.h"

#define PATIENCE_MS 100

static struct {
	pthread_mutex_t lock;
	enum log_level level;
	bool syslog;
	int fd;
	bool next_syslog; /* after log_switch() */
	int next_fd;
	bool never_wait;
	unsigned int dropped; /* lines since the last that was written */
	char who[64];
	unsigned int count[LOG_LVL_DEBUG + 1];
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.level = LOG_LVL_INFO,
		.fd = STDERR_FILENO,
		.next_fd = STDERR_FILENO };

static _Thread_local struct {
	char *buf;
	size_t size;
} log_echoed;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_state.level, level, __ATOMIC_RELAXED);
}

bool log_wants(enum log_level level)
{
	return level <= __atomic_load_n(&log_state.level, __ATOMIC_RELAXED);
}

void log_set_who(const char *who)
{
	pthread_mutex_lock(&log_state.lock);
	snprintf(log_state.who, sizeof(log_state.who), "%s", who ? who : "");
	pthread_mutex_unlock(&log_state.lock);
}

int log_prepare_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	log_state.next_fd = fd;
	log_state.next_syslog = false;
	return 0;
}

void log_prepare_syslog(void)
{
	openlog("ublk-host", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_state.next_fd = -1;
	log_state.next_syslog = true;
}

bool log_uses_socket(void)
{
	return log_state.syslog || log_state.next_syslog;
}

void log_switch(void)
{
	pthread_mutex_lock(&log_state.lock);
	if (log_state.fd > STDERR_FILENO && log_state.fd != log_state.next_fd)
		close(log_state.fd);
	log_state.fd = log_state.next_fd;
	log_state.syslog = log_state.next_syslog;
	pthread_mutex_unlock(&log_state.lock);
}

void log_never_wait(void)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.never_wait = true;
	pthread_mutex_unlock(&log_state.lock);
}

/* A line fits where poll() says that something does: into a pipe by its definition, into a socket as it is short. */
static bool has_room(void)
{
	struct pollfd pfd = { log_state.fd, POLLOUT, 0 };

	/* Who reads may only be slow. */
	return !log_state.never_wait || poll(&pfd, 1, log_state.dropped ? 0 : PATIENCE_MS);
}

static int put_time(char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	return snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			now.tv_nsec / 1000000);
}

/* One write() a line, so that lines of several threads and processes do not mix. */
static void put_line(enum log_level level, const char *text)
{
	static const char *const names[] = {
		[LOG_LVL_WARN] = "warning: ", [LOG_LVL_DEBUG] = "debug: "
	};
	char line[2400];
	int len = 0;

	if (!has_room()) {
		log_state.dropped++;
		return;
	}
	if (log_state.fd != STDERR_FILENO)
		len = put_time(line, sizeof(line));
	len += snprintf(line + len, sizeof(line) - len, "ublk-host: %s%s%s%s\n", log_state.who,
			*log_state.who ? ": " : "", names[level] ? names[level] : "", text);
	if (len >= (int)sizeof(line)) {
		len = sizeof(line);
		line[len - 1] = '\n';
	}
	if (log_state.dropped) {
		dprintf(log_state.fd,
			"ublk-host: warning: %u messages are lost, as nobody read them\n",
			log_state.dropped);
		log_state.dropped = 0;
	}
	if (write(log_state.fd, line, len) < 0)
		return; /* nowhere left to say so */
}

void log_echo(char *buf, size_t size)
{
	if (buf)
		*buf = 0;
	log_echoed.buf = buf;
	log_echoed.size = size;
}

unsigned int log_count(enum log_level level)
{
	unsigned int n;

	pthread_mutex_lock(&log_state.lock);
	n = log_state.count[level];
	pthread_mutex_unlock(&log_state.lock);
	return n;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char text[2048];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (level == LOG_LVL_ERR && log_echoed.buf && !*log_echoed.buf)
		snprintf(log_echoed.buf, log_echoed.size, "%s", text);
	pthread_mutex_lock(&log_state.lock);
	log_state.count[level]++;
	if (log_state.syslog)
		syslog(level, "%s%s%s", log_state.who, *log_state.who ? ": " : "", text);
	else
		put_line(level, text);
	pthread_mutex_unlock(&log_state.lock);
	errno = saved;
}
