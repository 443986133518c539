/* SPDX-License-Identifier: MIT */
/*
 * How a service manager is told of our state: systemd's protocol of datagrams to $NOTIFY_SOCKET. Its
 * library would be loaded by every server, and lengthen each recovery. One thread.
 */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;			  /* -1: nobody wants to know */
	unsigned int watchdog_ms; /* how often notify_watchdog() has to be called; 0: never */
};

/* What the environment says; the variables are taken out of it, since they are not for children. Without
 * a manager everything below does nothing. A socket that cannot be reached is logged as a warning. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

void notify_ready(const struct notify *notify);
void notify_reloading(const struct notify *notify);
void notify_stopping(const struct notify *notify);
void notify_watchdog(const struct notify *notify);
/* One line for people. */
void notify_status(const struct notify *notify, const char *text);

#endif
