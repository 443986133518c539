// SPDX-License-Identifier: MIT
/* From the text of --user to numbers. Before the plugin is loaded: looking names up may load libraries. */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

#include "base/log.h"
#include "device/user.h"

/* False: it is a name. -1 is no id: to the kernel it means "as it is". */
static bool is_number(const char *text, uint32_t *number)
{
	unsigned long long n;

	if (!*text || text[strspn(text, "0123456789")] || strlen(text) > 10)
		return false;
	n = strtoull(text, NULL, 10);
	*number = (uint32_t)n;
	return n < UINT32_MAX;
}

static int find_group(const char *name, gid_t *gid)
{
	const struct group *entry = getgrnam(name);

	if (entry)
		*gid = entry->gr_gid;
	else if (!is_number(name, gid))
		return -EINVAL;
	return 0;
}

static int set_groups(struct run_as *user, int nr)
{
	gid_t *groups = reallocarray(user->groups, nr, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	user->groups = groups;
	user->nr_groups = nr;
	return 0;
}

/* As initgroups() would have it. */
static int list_groups(struct run_as *user, const char *name)
{
	int err, nr = 16;

	do {
		err = set_groups(user, nr);
		if (err)
			return err;
	} while (getgrouplist(name, user->gid, user->groups, &nr) < 0 && nr > user->nr_groups);
	user->nr_groups = nr;
	if (nr <= NGROUPS_MAX)
		return 0;
	log_err("--user %s: it is in %d groups, and a process can be in %d", name, nr, NGROUPS_MAX);
	return -EINVAL;
}

static int find(const char *name, const char *group, struct run_as *user)
{
	const struct passwd *entry = getpwnam(name);
	uint32_t number;
	int err;

	if (!entry && is_number(name, &number)) {
		entry = getpwuid(number);
		user->uid = number;
		if (!entry && !group) {
			log_err("--user %s: there is no such user, so that its group has to be given: "
				"--user %s:GROUP",
				name, name);
			return -EINVAL;
		}
	} else if (!entry) {
		log_err("--user %s: there is no such user on this machine", name);
		return -EINVAL;
	}
	if (entry) {
		user->uid = entry->pw_uid;
		user->gid = entry->pw_gid;
	}
	if (!group)
		return list_groups(user, entry->pw_name);
	if (find_group(group, &user->gid)) {
		log_err("--user %s:%s: there is no such group on this machine", name, group);
		return -EINVAL;
	}
	err = set_groups(user, 1);
	if (!err)
		user->groups[0] = user->gid;
	return err;
}

int user_find(const char *text, struct run_as *user)
{
	__cleanup_free char *name = strdup(text);
	char *group = name ? strchr(name, ':') : NULL;
	int err = -ENOMEM;

	*user = (struct run_as){ 0 };
	if (geteuid()) {
		log_err("--user %s: only root can serve as another user: leave it away", text);
		return -EINVAL;
	}
	if (group)
		*group++ = 0;
	if (name)
		err = find(name, group, user);
	if (!err && !user->uid) {
		log_err("--user %s: that is root, who serves anyway: leave it away", text);
		err = -EINVAL;
	}
	if (err == -ENOMEM)
		log_err("no memory");
	if (err)
		user_free(user);
	return err;
}

void user_free(struct run_as *user)
{
	free(user->groups);
	*user = (struct run_as){ 0 };
}
