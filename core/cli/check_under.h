/* SPDX-License-Identifier: MIT */
/* `check` once more: under a tool that looks at memory, or with another heap. For check.c. */
#ifndef CLI_CHECK_UNDER_H
#define CLI_CHECK_UNDER_H

enum check_under { UNDER_NONE, UNDER_VALGRIND, UNDER_ASAN };

/* UNDER_NONE: there is no such tool. */
enum check_under check_under_of(const char *word);
/* Replaces the process: the same arguments without --under. Returns the exit status if it cannot. */
int check_under_run(enum check_under under, int argc, char **argv);

/* Replaces the process by itself with a heap that gives back at once what is freed, unless it has one: or what
 * the C library keeps for later would pass for leaks. Returns if that is so, or cannot be had. */
void check_plain_heap(int argc, char **argv);

#endif
