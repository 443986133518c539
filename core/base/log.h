/* SPDX-License-Identifier: MIT */
/* Messages for people: standard error, a file or syslog. Any thread may log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/util.h"

/* syslog's values, and those of UBLK_LOG_* in ublk-plugin.h */
enum log_level { LOG_LVL_ERR = 3, LOG_LVL_WARN = 4, LOG_LVL_INFO = 6, LOG_LVL_DEBUG = 7 };

/* Messages above this level are dropped. Default: INFO. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* A line's head is "ublk-host: ", or "ublk-host: WHO: " when who is set (a device's name).
 * who is copied; NULL takes it off. */
void log_set_who(const char *who);
/* One line about it: log_about(name, log_warn, "...", ...). */
#define log_about(who, log, ...)                                                                   \
	do {                                                                                       \
		log_set_who(who);                                                                  \
		log(__VA_ARGS__);                                                                  \
		log_set_who(NULL);                                                                 \
	} while (0)

/* Where lines will go, once log_switch() is called; until then they go where they went. Default:
 * standard error. A file is appended to, and told the time of each line. 0 or -errno. */
int log_prepare_file(const char *path);
void log_prepare_syslog(void);
void log_switch(void);
/* From here on no thread waits for long where nobody reads what is logged (a full pipe): such lines are dropped, and
 * counted in the next that is not. It may be that who reads waits for us. Not of syslog. */
void log_never_wait(void);
/* Do lines, or will they, go to a local socket (syslog's)? */
bool log_uses_socket(void);

void log_msg(enum log_level level, const char *fmt, ...) __printf_like(2, 3);

/* The first error that this thread logs from here on is written to buf as well, without a head, for who is told
 * of it elsewhere; until then buf is "". NULL: no more. */
void log_echo(char *buf, size_t size);

/* How many messages of this level there were so far: tells whether somebody has explained. */
unsigned int log_count(enum log_level level);

#define log_err(...) log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
