/* SPDX-License-Identifier: MIT */
/* What can be said about a plugin's file without running any of it. Plugin room and its tests. */
#ifndef PLUGIN_FILE_H
#define PLUGIN_FILE_H

#include <sys/stat.h>

#include "base/util.h"

/* Whom a plugin's file and its folders must be safe from. */
struct file_trust {
	bool strict; /* false: we have no more rights than who put the file there; nothing to guard */
	uid_t owner; /* beside root, who may own them */
};

/* From this process's user and capabilities. */
struct file_trust file_trust_of_process(void);

/* A file that passed the checks, and how to load that file and no other. */
struct plugin_file {
	char *load_path; /* for dlopen() */
	struct stat st;
	bool pinned; /* load_path goes through dir_fd, which must stay open once it was loaded */
	int dir_fd;
};

/* Check the file that path (absolute) leads to. why: room for one line, filled on errors.
 * 0 or -errno, not logged: a listing shows it, a load logs it. On success, file is to be
 * released. */
int file_check(const char *path, const struct file_trust *trust, struct plugin_file *file,
	       char *why, size_t why_size);
void plugin_file_release(struct plugin_file *file);

#endif
