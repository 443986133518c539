// SPDX-License-Identifier: MIT
/* Datagrams to a service manager. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/log.h"
#include "cli/notify.h"

static int open_socket(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if ((*path != '/' && *path != '@') || len < 2)
		return -EAFNOSUPPORT;
	if (len >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = 0; /* no file */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + len))
		return fd;
	close(fd);
	return -errno;
}

/* A number in the environment; 0: none. */
static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : 0;
}

void notify_open(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t pid = number_of("WATCHDOG_PID"), usec = number_of("WATCHDOG_USEC");

	*notify = (struct notify){ .fd = -1 };
	if (path && *path)
		notify->fd = open_socket(path);
	if (path && *path && notify->fd < 0) {
		log_warn("cannot tell the service manager at NOTIFY_SOCKET=%s of our state: %s",
			 path, strerror(-notify->fd));
		notify->fd = -1;
	}
	if (notify->fd >= 0 && (!pid || pid == (uint64_t)getpid()))
		notify->watchdog_ms = (unsigned int)min_of(usec / 2000, (uint64_t)3600000);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

/* write(), which servers are still allowed when they have given up what they do not need. */
static void tell(const struct notify *notify, const char *text)
{
	if (notify->fd >= 0 && write(notify->fd, text, strlen(text)) < 0)
		log_debug("telling the service manager: %m");
}

void notify_ready(const struct notify *notify)
{
	tell(notify, "READY=1");
}

void notify_reloading(const struct notify *notify)
{
	struct timespec now;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	tell(notify, text);
}

void notify_stopping(const struct notify *notify)
{
	tell(notify, "STOPPING=1");
}

void notify_watchdog(const struct notify *notify)
{
	tell(notify, "WATCHDOG=1");
}

void notify_status(const struct notify *notify, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), "STATUS=%s", text);
	tell(notify, line);
}
