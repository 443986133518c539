/* SPDX-License-Identifier: MIT */
/*
 * Who sees to the devices of a folder of manifests: one supervisor, or one apply. The lock ends with the
 * process, whatever becomes of it.
 */
#ifndef CLI_FOLDER_LOCK_H
#define CLI_FOLDER_LOCK_H

#include <sys/types.h>

#include "base/util.h"

#define FOLDER_LOCKS 4 /* that of the machine, and its folders */

struct folder_lock {
	struct {
		char *file; /* in the state folder */
		int fd;
	} held[FOLDER_LOCKS];
	unsigned int nr; /* 0: nothing is held */
};

/* For this verb, "serve" or "apply". dir NULL: the folders of this machine, all of them; one of these is not
 * had by another while who has all lives. 0 or -errno, logged; also to be unlocked then. */
int folder_lock(struct folder_lock *lock, const char *dir, const char *verb);
void folder_unlock(struct folder_lock *lock);

/* The process of the supervisor that sees to the folder, alone or among those of the machine; 0: none. */
pid_t folder_supervisor(const char *dir);

#endif
