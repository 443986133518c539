// SPDX-License-Identifier: MIT
/*
 * Who uses a disk: mounts (of every mount namespace that we can see), swap, devices on top, and
 * processes that have its node open.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kernel/sysfs.h"

#define NAMESPACES_MAX 256u
#define NAME_SIZE 64

/* The disk itself and each partition. */
struct part {
	dev_t devt;
	char name[NAME_SIZE]; /* "ublkb3p1" */
};

struct search {
	const char *root;
	struct disk_users *users;
	bool by_name;	    /* there is nothing but the name of parts[0] to go by */
	struct part *parts; /* [0] is the disk */
	size_t nr_parts;
	char *seen[NAMESPACES_MAX]; /* mount namespaces that have been read */
	size_t nr_seen;
};

static int add_part(struct search *s, const char *dir, const char *name)
{
	char path[PATH_MAX], line[32];
	unsigned int maj, min;
	struct part *grown;
	int err;

	snprintf(path, sizeof(path), "%s/dev", dir);
	err = sysfs_read_line(s->root, path, line, sizeof(line));
	if (err || sscanf(line, "%u:%u", &maj, &min) != 2)
		return err ? err : -EBADMSG;
	grown = reallocarray(s->parts, s->nr_parts + 1, sizeof(*s->parts));
	if (!grown)
		return -ENOMEM;
	s->parts = grown;
	grown += s->nr_parts++;
	grown->devt = makedev(maj, min);
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	return 0;
}

static int find_parts(struct search *s, uint32_t id)
{
	char disk[NAME_SIZE], prefix[NAME_SIZE], dir[PATH_MAX];
	struct dirent *entry;
	DIR *d;
	int err;

	snprintf(disk, sizeof(disk), "ublkb%u", id);
	snprintf(prefix, sizeof(prefix), "ublkb%up", id);
	snprintf(dir, sizeof(dir), "/sys/block/%s", disk);
	err = add_part(s, dir, disk);
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	snprintf(dir, sizeof(dir), "%s/sys/block/%s", s->root, disk);
	d = opendir(dir);
	if (!d)
		return -errno;
	while (err != -ENOMEM && (entry = readdir(d)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix))) {
			snprintf(dir, sizeof(dir), "/sys/block/%s/%s", disk, entry->d_name);
			err = add_part(s, dir, entry->d_name); /* one that just went is no matter */
		}
	closedir(d);
	return err == -ENOMEM ? err : 0;
}

static int add_user(struct search *s, enum disk_user_kind kind, const struct part *part, pid_t pid,
		    const char *what)
{
	struct disk_users *users = s->users;
	struct disk_user *user;

	if (users->nr == DISK_USERS_MAX) {
		users->more++;
		return 0;
	}
	user = &users->user[users->nr];
	*user = (struct disk_user){
		.kind = kind, .what = strdup(what), .node = strdup(part->name), .pid = pid
	};
	if (!user->what || !user->node) {
		free(user->what);
		free(user->node);
		return -ENOMEM;
	}
	users->nr++;
	return 0;
}

/* "/dev/ublkb3p1 (deleted)": of a node, or of a partition, that there may be no more. */
static const struct part *part_of_name(const struct search *s, const char *path)
{
	size_t len = strlen(s->parts[0].name);

	if (strncmp(path, "/dev/", 5) || strncmp(path + 5, s->parts[0].name, len))
		return NULL;
	return path[5 + len] && path[5 + len] != ' ' && path[5 + len] != 'p' ? NULL : &s->parts[0];
}

/* A path that may be a node of ours, under whatever name. Where we cannot look, its name decides. */
static const struct part *part_of_path(const struct search *s, const char *path)
{
	struct statx st;

	if (s->by_name)
		return part_of_name(s, path);
	/* Do not sync: the path may be on a network server that does not answer. */
	if (!statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st)) {
		for (size_t i = 0; S_ISBLK(st.stx_mode) && i < s->nr_parts; i++)
			if (makedev(st.stx_rdev_major, st.stx_rdev_minor) == s->parts[i].devt)
				return &s->parts[i];
		return NULL;
	}
	if (strncmp(path, "/dev/", 5))
		return NULL;
	for (size_t i = 0; i < s->nr_parts; i++)
		if (!strcmp(path + 5, s->parts[i].name))
			return &s->parts[i];
	return NULL;
}

/* The kernel writes blanks and backslashes as \040 and so on. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && isdigit((unsigned char)text[1]) &&
		    isdigit((unsigned char)text[2]) && isdigit((unsigned char)text[3])) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": by number, or by source for
 * file systems that have numbers of their own (btrfs). */
static int check_mount(struct search *s, char *line, pid_t pid)
{
	char *rest, *field[5], *source;
	const struct part *part = NULL;
	unsigned int maj, min;

	rest = strstr(line, " - ");
	if (!rest)
		return 0;
	*rest = '\0';
	strtok_r(rest + 3, " \n", &rest);
	source = strtok_r(NULL, " \n", &rest);
	field[0] = strtok_r(line, " ", &rest);
	for (size_t i = 1; i < ARRAY_SIZE(field); i++)
		field[i] = field[i - 1] ? strtok_r(NULL, " ", &rest) : NULL;
	if (!source || !field[4] || sscanf(field[2], "%u:%u", &maj, &min) != 2)
		return 0;
	unescape(source);
	unescape(field[4]);
	for (size_t i = 0; i < s->nr_parts && !part; i++)
		if (s->parts[i].devt == makedev(maj, min))
			part = &s->parts[i];
	if (!part && (!maj || s->by_name) && *source == '/')
		part = part_of_path(s, source);
	return part ? add_user(s, DISK_MOUNTED, part, pid, field[4]) : 0;
}

static int check_swap(struct search *s, char *line, pid_t pid)
{
	const struct part *part;

	(void)pid;
	line[strcspn(line, " \t\n")] = '\0';
	unescape(line);
	part = part_of_path(s, line);
	return part ? add_user(s, DISK_SWAP, part, 0, line) : 0;
}

/* Calls fn for each line of a file; a file that is not there, or not for us, has none. */
static int for_each_line(struct search *s, const char *path,
			 int (*fn)(struct search *s, char *line, pid_t pid), pid_t pid)
{
	char full[PATH_MAX], *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", s->root, path);
	f = fopen(full, "re");
	if (!f)
		return 0;
	while (!err && getline(&line, &size, f) > 0)
		err = fn(s, line, pid);
	free(line);
	fclose(f);
	return err;
}

static int for_each_entry(struct search *s, const char *path,
			  int (*fn)(struct search *s, const char *name, void *arg), void *arg)
{
	char full[PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	snprintf(full, sizeof(full), "%s%s", s->root, path);
	dir = opendir(full);
	if (!dir)
		return 0;
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = fn(s, entry->d_name, arg);
	closedir(dir);
	return err;
}

static int add_holder(struct search *s, const char *name, void *arg)
{
	char path[PATH_MAX], dm[128], what[256];

	snprintf(path, sizeof(path), "/sys/block/%s/dm/name", name);
	if (sysfs_read_line(s->root, path, dm, sizeof(dm)))
		snprintf(what, sizeof(what), "%.200s", name);
	else
		snprintf(what, sizeof(what), "%s (%.100s)", dm, name);
	return add_user(s, DISK_HELD, arg, 0, what);
}

/* Loop devices hold a file, which is no holder to the kernel. */
static int check_loop(struct search *s, const char *name, void *arg)
{
	char path[PATH_MAX], file[PATH_MAX];
	const struct part *part;

	(void)arg;
	if (strncmp(name, "loop", 4))
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (sysfs_read_line(s->root, path, file, sizeof(file)))
		return 0;
	part = part_of_path(s, file);
	return part ? add_user(s, DISK_HELD, part, 0, name) : 0;
}

static int find_holders(struct search *s)
{
	char path[PATH_MAX];
	int err = 0;

	for (size_t i = 0; i < s->nr_parts && !err; i++) {
		snprintf(path, sizeof(path), "/sys/block/%s%s%s/holders", s->parts[0].name,
			 i ? "/" : "", i ? s->parts[i].name : "");
		err = for_each_entry(s, path, add_holder, &s->parts[i]);
	}
	return err ? err : for_each_entry(s, "/sys/block", check_loop, NULL);
}

/* The mounts of a process's mount namespace, unless they have been read. */
static int check_namespace(struct search *s, const char *pid, void *arg)
{
	char path[PATH_MAX], full[PATH_MAX + 64], ns[64];
	ssize_t len;

	(void)arg;
	if (!isdigit((unsigned char)*pid) && strcmp(pid, "self"))
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	snprintf(full, sizeof(full), "%s%s", s->root, path);
	len = readlink(full, ns, sizeof(ns) - 1);
	if (len < 0 && strcmp(pid, "self"))
		return 0;
	ns[len > 0 ? len : 0] = '\0';
	for (size_t i = 0; i < s->nr_seen; i++)
		if (!strcmp(s->seen[i], ns))
			return 0;
	if (s->nr_seen < NAMESPACES_MAX) {
		s->seen[s->nr_seen] = strdup(ns);
		if (!s->seen[s->nr_seen])
			return -ENOMEM;
		s->nr_seen++;
	}
	snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	return for_each_line(s, path, check_mount, atoi(pid));
}

struct open_search {
	const char *pid;
	const struct part *part; /* out */
};

static int check_fd(struct search *s, const char *name, void *arg)
{
	struct open_search *open_s = arg;
	char link[PATH_MAX], target[PATH_MAX];
	const struct part *part;
	ssize_t len;

	if (open_s->part)
		return 0;
	snprintf(link, sizeof(link), "%s/proc/%s/fd/%s", s->root, open_s->pid, name);
	part = s->by_name ? NULL : part_of_path(s, link);
	if (!part && (s->by_name || access(link, F_OK))) {
		len = readlink(link, target, sizeof(target) - 1);
		if (len > 0) {
			target[len] = '\0';
			part = part_of_path(s, target);
		}
	}
	open_s->part = part;
	return 0;
}

static int check_process(struct search *s, const char *pid, void *arg)
{
	struct open_search open_s = { .pid = pid };
	char path[PATH_MAX], comm[64];
	int err;

	(void)arg;
	if (!isdigit((unsigned char)*pid) || atoi(pid) == getpid())
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	err = for_each_entry(s, path, check_fd, &open_s);
	if (err || !open_s.part)
		return err;
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if (sysfs_read_line(s->root, path, comm, sizeof(comm)))
		snprintf(comm, sizeof(comm), "?");
	return add_user(s, DISK_OPEN, open_s.part, atoi(pid), comm);
}

/* Once s->parts is there; err: of making it. */
static int find_users(struct search *s, int err)
{
	if (!err)
		err = check_namespace(s, "self", NULL);
	if (!err)
		err = for_each_entry(s, "/proc", check_namespace, NULL);
	if (!err)
		err = for_each_line(s, "/proc/swaps", check_swap, 0);
	if (!err && !s->by_name)
		err = find_holders(s);
	if (!err)
		err = for_each_entry(s, "/proc", check_process, NULL);
	for (size_t i = 0; i < s->nr_seen; i++)
		free(s->seen[i]);
	free(s->parts);
	if (err)
		disk_users_free(s->users);
	return err;
}

int disk_users_find(const char *root, uint32_t id, struct disk_users *users)
{
	struct search s = { .root = root, .users = users };
	int err = -ENOMEM;

	*users = (struct disk_users){ .user = calloc(DISK_USERS_MAX, sizeof(*users->user)) };
	if (users->user)
		err = find_parts(&s, id);
	return find_users(&s, err);
}

int disk_users_named(const char *root, const char *name, struct disk_users *users)
{
	struct search s = { .root = root, .users = users, .by_name = true };

	*users = (struct disk_users){ .user = calloc(DISK_USERS_MAX, sizeof(*users->user)) };
	s.parts = calloc(1, sizeof(*s.parts));
	if (s.parts) {
		s.nr_parts = 1;
		snprintf(s.parts->name, sizeof(s.parts->name), "%s", name);
	}
	return find_users(&s, users->user && s.parts ? 0 : -ENOMEM);
}

void disk_users_free(struct disk_users *users)
{
	for (size_t i = 0; i < users->nr; i++) {
		free(users->user[i].what);
		free(users->user[i].node);
	}
	free(users->user);
	*users = (struct disk_users){ 0 };
}

static int user_text(const struct disk_user *user, char *buf, size_t size)
{
	switch (user->kind) {
	case DISK_MOUNTED:
		if (user->pid)
			return snprintf(buf, size, "mounted on %s in the mount namespace of pid %d",
					user->what, user->pid);
		return snprintf(buf, size, "mounted on %s", user->what);
	case DISK_SWAP:
		return snprintf(buf, size, "used as swap");
	case DISK_HELD:
		return snprintf(buf, size, "held by %s", user->what);
	case DISK_OPEN:
	default:
		return snprintf(buf, size, "open in %s (pid %d)", user->what, user->pid);
	}
}

const char *disk_users_text(const struct disk_users *users, char *buf, size_t size)
{
	char one[PATH_MAX + 64];
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < users->nr && len < size; i++) {
		user_text(&users->user[i], one, sizeof(one));
		len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "", one);
	}
	if (users->more && len < size)
		snprintf(buf + len, size - len, ", and %zu more", users->more);
	return buf;
}
