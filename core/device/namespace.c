// SPDX-License-Identifier: MIT
/*
 * A mount namespace for the server. In its parent's it would be one of those that a mount of its own
 * device waits for; and a copy of the parent's mounts would hold each of them, so that no filesystem of
 * the machine would ever be really unmounted before the server ends. So it gets a namespace with next
 * to nothing in it: what is mounted, unmounted and opened outside is none of its business.
 *
 * Files that are open already are not touched: they are in the mounts of before, which therefore are
 * busy for umount(8), as they should be.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "device/confine.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define FOLDERS_MAX 8
#define STAGE "/dev" /* a folder that there is, to build on */

/* What is kept visible, with what is mounted below it: memory that outlives servers, or the files of
 * /dev in a container. */
struct view {
	const char *folder;
	int fd;
	unsigned int flags;
};

static int make_folders(const char *path)
{
	char part[PATH_MAX];
	size_t n = 0;

	do {
		n += strcspn(path + n + 1, "/") + 1;
		snprintf(part, sizeof(part), ".%.*s", (int)n, path);
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
	} while (path[n]);
	return 0;
}

static int views_open(struct view *views, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		views[i].fd = open_tree(AT_FDCWD, views[i].folder,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | views[i].flags);
		if (views[i].fd < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Below the current folder. */
static int views_attach(const struct view *views, unsigned int nr)
{
	char at[PATH_MAX];

	for (unsigned int i = 0; i < nr; i++) {
		int err = views[i].fd < 0 ? 0 : make_folders(views[i].folder);

		if (err)
			return err;
		if (views[i].fd < 0)
			continue;
		snprintf(at, sizeof(at), ".%s", views[i].folder);
		if (move_mount(views[i].fd, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH))
			return -errno;
	}
	return 0;
}

/* The new root is over the old one: that off. What the kept mounts came from tells them no more. */
static int settle_root(void)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (umount2(".", MNT_DETACH) || chdir("/") ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
		return -errno;
	return 0;
}

static int replace_tree(struct view *views, unsigned int nr)
{
	int err = views_open(views, nr);
	bool staged = false;

	if (!err && mount("ublk-host", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "size=64k,mode=755"))
		err = -errno;
	staged = !err;
	if (!err && chdir(STAGE))
		err = -errno;
	if (!err)
		err = views_attach(views, nr);
	if (!err && syscall(SYS_pivot_root, ".", "."))
		err = -errno;
	staged = staged && err;
	if (!err)
		err = settle_root();
	/* Whoever takes the device away again looks at its node, below the stage. */
	if (err && staged && (chdir("/") || umount2(STAGE, MNT_DETACH)))
		log_debug("the stage of the namespace stays: %m");
	for (unsigned int i = 0; i < nr; i++)
		if (views[i].fd >= 0)
			close(views[i].fd);
	return err;
}

int namespace_enter(bool keep_tree, const char *const *folders)
{
	struct view views[FOLDERS_MAX + 3] = { { "/dev", -1, AT_RECURSIVE },
					       { "/proc", -1, 0 },
					       { "/sys", -1, 0 } };
	unsigned int nr = 3;
	int err = 0;

	if (unshare(CLONE_NEWNS))
		err = -errno;
	if (err == -EPERM) {
		log_debug("no mount namespace of the server's own: %s", strerror(-err));
		return 0;
	}
	for (; *folders && nr < ARRAY_SIZE(views); folders++)
		if (**folders)
			views[nr++] = (struct view){ *folders, -1, AT_RECURSIVE };
	/* What is done outside comes in, so that it can be undone there; not the other way. */
	if (!err && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		err = -errno;
	if (!err && !keep_tree)
		err = replace_tree(views, nr);
	if (err)
		log_err("cannot make a mount namespace for the server: %s; --sandbox off serves "
			"without",
			strerror(-err));
	return err;
}
