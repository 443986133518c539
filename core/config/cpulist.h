/* SPDX-License-Identifier: MIT */
/* Lists of CPUs as taskset and the kernel write them: "0-3,6". Any thread. */
#ifndef CONFIG_CPULIST_H
#define CONFIG_CPULIST_H

#include <sched.h>

#include "base/util.h"

#define CPULIST_MAX_CPU 65535u /* highest CPU number that a list may name */

struct cpulist {
	cpu_set_t *set;	 /* for CPU_*_S() with size */
	size_t size;	 /* bytes */
	unsigned int nr; /* CPUs in it, at least 1 */
};

/* 0; -EINVAL malformed (an empty list, an open or backward range, anything but digits, '-' and
 * ','); -ERANGE a CPU above CPULIST_MAX_CPU; -ENOMEM. *why (may be NULL) then is a static text to
 * end a message with, such as "a range runs backward". A CPU may be named twice. */
int cpulist_parse(const char *text, struct cpulist *list, const char **why);
void cpulist_free(struct cpulist *list);

/* The i-th CPU of the list in ascending order, i < nr. */
unsigned int cpulist_nth(const struct cpulist *list, unsigned int i);

/* The shortest form: "0-3,6"; "" for an empty set. malloc()ed, NULL: no memory. */
char *cpulist_format(const cpu_set_t *set, size_t size);

#endif
