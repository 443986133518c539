// SPDX-License-Identifier: MIT
/* Which files a device is served from, as its state has it: the path of an image may lead to another by the
 * time that a next server opens it, and the bytes of that are not the device's. Control thread. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device/internal.h"
#include "device/served_files.h"

/* Filesystems that make up the number of a file when they look at it, so that it may have another next time:
 * FAT, exFAT, FUSE, SMB (two versions), vboxsf. */
static const uint32_t numbers_made_up[] = { 0x4d44,	0x2011bab0, 0x65735546,
					    0xff534d42, 0xfe534d42, 0x786f4256 };

static bool has_numbers(const struct statfs *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers_made_up); i++)
		if ((uint32_t)fs->f_type == numbers_made_up[i])
			return false;
	return true;
}

static int set_disk(json_t *file, dev_t disk)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", major(disk), minor(disk));
	return json_object_set_new(file, "disk", json_string(text));
}

/* The number and when it was made, as a number is given again once a file is gone; where: the filesystem by its
 * own id and its disk, as either may be missing, or the same for a copy. */
static int describe_regular(int fd, const struct stat *st, json_t *file)
{
	struct statfs fs;
	struct statx stx;
	char text[48];
	uint64_t id = 0;
	int err = 0;

	if (fstatfs(fd, &fs))
		return -errno;
	if (!has_numbers(&fs))
		return -ENOTSUP;
	err |= json_object_set_new(file, "inode", json_integer((json_int_t)st->st_ino));
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) && stx.stx_mask & STATX_BTIME) {
		snprintf(text, sizeof(text), "%lld.%09u", (long long)stx.stx_btime.tv_sec,
			 stx.stx_btime.tv_nsec);
		err |= json_object_set_new(file, "made", json_string(text));
	}
	memcpy(&id, &fs.f_fsid, sizeof(id));
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
	if (id)
		err |= json_object_set_new(file, "filesystem", json_string(text));
	/* One without a disk may have another number once it is mounted again. */
	if (major(st->st_dev))
		err |= set_disk(file, st->st_dev);
	return err ? -ENOMEM : 0;
}

/* NULL: no memory; null: a file that no path leads to, or that cannot be told from others. */
static json_t *describe(int fd)
{
	json_t *file = json_object();
	struct stat st;
	int err = -ENOTSUP;

	if (!file)
		return NULL;
	if (!fstat(fd, &st)) {
		if (S_ISBLK(st.st_mode))
			err = set_disk(file, st.st_rdev) ? -ENOMEM : 0;
		else if (S_ISREG(st.st_mode) && st.st_nlink)
			err = describe_regular(fd, &st, file);
	}
	if (!err)
		return file;
	json_decref(file);
	return err == -ENOMEM ? NULL : json_null();
}

json_t *served_files(const struct ublk_dev *dev)
{
	json_t *files = json_array();
	int err = files ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < dev->nr_files && !err; i++)
		if (dev->files[i].by_plugin)
			err = json_array_append_new(files, describe(dev->files[i].fd));
	if (!err)
		return files;
	json_decref(files);
	return NULL;
}

/* Absent on both sides is the same. */
static bool same(const json_t *was, const json_t *is, const char *key)
{
	const json_t *a = json_object_get(was, key), *b = json_object_get(is, key);

	return !a == !b && (!a || json_equal(a, b));
}

static bool disk_is_gone(const char *root, const json_t *file)
{
	const char *disk = json_string_value(json_object_get(file, "disk"));
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/dev/block", root);
	if (!disk || access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "%s/sys/dev/block/%s", root, disk);
	return access(path, F_OK) && errno == ENOENT;
}

enum served_file served_file_compare(const char *root, const json_t *was, const json_t *is)
{
	if (!json_is_object(was) || !json_is_object(is))
		return SERVED_FILE_SAME;
	if (!same(was, is, "inode") || !same(was, is, "made"))
		return SERVED_FILE_OTHER;
	if (same(was, is, "filesystem") && same(was, is, "disk"))
		return SERVED_FILE_SAME;
	return disk_is_gone(root, was) ? SERVED_FILE_MOVED : SERVED_FILE_OTHER;
}

static void path_of(int fd, char path[PATH_MAX])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = 0;
}

int served_files_check(const struct ublk_dev *dev, const json_t *former, const char *node)
{
	json_t *now = served_files(dev), *is;
	unsigned int slot = 0;
	char path[PATH_MAX];
	int err = now ? 0 : -ENOMEM;
	size_t i;

	if (err)
		log_err("no memory to compare the files of %s", node);
	/* Another plugin may have its bytes in more or fewer files: who knows what is what? */
	if (err || json_array_size(now) != json_array_size(former))
		goto out;
	json_array_foreach(now, i, is)
	{
		enum served_file file = served_file_compare("", json_array_get(former, i), is);

		while (!dev->files[++slot].by_plugin)
			;
		if (file == SERVED_FILE_SAME)
			continue;
		path_of(dev->files[slot].fd, path);
		if (file == SERVED_FILE_MOVED) {
			log_warn("%s: the disk that had %s is gone; it is taken for the same on "
				 "another",
				 node, path);
			continue;
		}
		log_err("%s cannot be recovered: %s is another file than the one that it was served "
			"from; put that back in its place, or make the device anew",
			node, path);
		err = -ESTALE;
		break;
	}
out:
	json_decref(now);
	return err;
}
