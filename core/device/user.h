/* SPDX-License-Identifier: MIT */
/* Who a server becomes with --user: found while the names of users can still be looked up. */
#ifndef DEVICE_USER_H
#define DEVICE_USER_H

#include <sys/types.h>

#include "base/util.h"

struct run_as {
	uid_t uid; /* not 0 */
	gid_t gid;
	gid_t *groups; /* all of them */
	int nr_groups;
};

/* "USER" or "USER:GROUP", names or numbers. A user has the groups that the system's tables say; with a
 * group that is named, that one alone. A number that is not in the table needs one. 0; -EINVAL: there is
 * no such user, or it is root, or we are not; -ENOMEM. Logged. Free with user_free(). */
int user_find(const char *text, struct run_as *user);
void user_free(struct run_as *user);

#endif
