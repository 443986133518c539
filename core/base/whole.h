/* SPDX-License-Identifier: MIT */
/* Reading and writing all of it, whatever a system call does at once. Any thread. */
#ifndef BASE_WHOLE_H
#define BASE_WHOLE_H

#include "base/util.h"

/* 0 or -errno; -EIO: a call that does nothing. */
static inline int write_whole(int fd, const void *buf, size_t size)
{
	while (size) {
		ssize_t n = write(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		size -= (size_t)n;
	}
	return 0;
}

/* 0 or -errno; -ENODATA: it ends before. */
static inline int read_whole(int fd, void *buf, size_t size)
{
	while (size) {
		ssize_t n = read(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		buf = (char *)buf + n;
		size -= (size_t)n;
	}
	return 0;
}

#endif
