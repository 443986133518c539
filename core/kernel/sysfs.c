// SPDX-License-Identifier: MIT
/* Devices, disks and nodes as the kernel's files tell them. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "kernel/sysfs.h"

#define PATH_SIZE 512

const char *node_block(uint32_t id, char buf[NODE_PATH_SIZE])
{
	snprintf(buf, NODE_PATH_SIZE, "/dev/ublkb%u", id);
	return buf;
}

const char *node_char(uint32_t id, char buf[NODE_PATH_SIZE])
{
	snprintf(buf, NODE_PATH_SIZE, "/dev/ublkc%u", id);
	return buf;
}

int sysfs_read_line(const char *root, const char *path, char *buf, size_t size)
{
	char full[PATH_SIZE];
	ssize_t len;
	int fd, err;

	buf[0] = '\0';
	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	buf[len > 0 ? len : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return err;
}

int sysfs_read_number(const char *root, const char *path, uint64_t *value)
{
	char line[64], *end;
	int err = sysfs_read_line(root, path, line, sizeof(line));

	if (err)
		return err;
	errno = 0;
	*value = strtoull(line, &end, 10);
	return errno || end == line || *end || !isdigit((unsigned char)*line) ? -EBADMSG : 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* "ublkc12" -> 12 */
static bool parse_device_name(const char *name, uint32_t *id)
{
	unsigned long value;
	char *end;

	if (strncmp(name, "ublkc", 5) || !isdigit((unsigned char)name[5]))
		return false;
	value = strtoul(name + 5, &end, 10);
	*id = value;
	return !*end && value < UINT32_MAX;
}

int sysfs_devices(const char *root, uint32_t **ids, size_t *nr)
{
	char path[PATH_SIZE];
	size_t room = 0;
	struct dirent *entry;
	uint32_t id, *grown;
	DIR *dir;
	int err = 0;

	*ids = NULL;
	*nr = 0;
	snprintf(path, sizeof(path), "%s/sys/class/ublk-char", root);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (!parse_device_name(entry->d_name, &id))
			continue;
		if (*nr == room) {
			room = room ? 2 * room : 16;
			grown = reallocarray(*ids, room, sizeof(**ids));
			if (!grown) {
				err = -ENOMEM;
				break;
			}
			*ids = grown;
		}
		(*ids)[(*nr)++] = id;
	}
	closedir(dir);
	if (err) {
		free(*ids);
		*ids = NULL;
		*nr = 0;
	} else if (*nr) {
		qsort(*ids, *nr, sizeof(**ids), by_number);
	}
	return err;
}

uint64_t sysfs_device_entry(const char *root, uint32_t id)
{
	char path[PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "%s/sys/class/ublk-char/ublkc%" PRIu32, root, id);
	if (!stat(path, &st))
		return st.st_ino;
	return errno == ENOENT || errno == ENOTDIR ? 0 : SYSFS_ENTRY_UNKNOWN;
}

static int disk_number(const char *root, uint32_t id, const char *attr, uint64_t *value)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/sys/block/ublkb%u/%s", id, attr);
	return sysfs_read_number(root, path, value);
}

static int disk_devt(const char *root, uint32_t id, dev_t *devt)
{
	char path[PATH_SIZE], line[32];
	unsigned int maj, min;
	int err;

	snprintf(path, sizeof(path), "/sys/block/ublkb%u/dev", id);
	err = sysfs_read_line(root, path, line, sizeof(line));
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	if (sscanf(line, "%u:%u", &maj, &min) != 2)
		return -EBADMSG;
	*devt = makedev(maj, min);
	return 0;
}

int sysfs_disk(const char *root, uint32_t id, struct sysfs_disk *disk)
{
	uint64_t sectors, read_only, logical, physical;
	int err = disk_devt(root, id, &disk->devt);

	if (err)
		return err;
	err = disk_number(root, id, "size", &sectors);
	if (!err)
		err = disk_number(root, id, "ro", &read_only);
	if (!err)
		err = disk_number(root, id, "queue/logical_block_size", &logical);
	if (!err)
		err = disk_number(root, id, "queue/physical_block_size", &physical);
	if (err)
		return err == -ENOENT ? -ENODEV : err; /* it went away in between */
	disk->size_bytes = sectors << 9;
	disk->read_only = read_only;
	disk->logical_block = logical;
	disk->physical_block = physical;
	return 0;
}

/* NULL: the node is there. Otherwise what is in the way. */
static const char *node_hindrance(const char *root, uint32_t id)
{
	char node[NODE_PATH_SIZE], path[PATH_SIZE];
	struct stat st;
	dev_t devt;

	if (disk_devt(root, id, &devt))
		return "the kernel has no such disk";
	snprintf(path, sizeof(path), "%s%s", root, node_block(id, node));
	if (stat(path, &st))
		return "it does not exist; /dev must be a devtmpfs, or have udev make its nodes";
	if (!S_ISBLK(st.st_mode))
		return "something that is not a block device is in its place; remove that";
	if (st.st_rdev != devt)
		return "a stale node with other device numbers is in its place; remove that";
	return NULL;
}

int sysfs_wait_node(const char *root, uint32_t id, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	char node[NODE_PATH_SIZE];
	const char *hindrance;
	unsigned int nap = 500; /* microseconds */

	while ((hindrance = node_hindrance(root, id))) {
		if (now_ms() >= end) {
			log_err("%s did not appear within %u ms: %s", node_block(id, node), ms,
				hindrance);
			return -ETIMEDOUT;
		}
		usleep(nap);
		nap = min_of(2 * nap, 20000u);
	}
	return 0;
}

const char *kernel_release(char *buf, size_t size)
{
	struct utsname uts;

	snprintf(buf, size, "%s", uname(&uts) ? "unknown" : uts.release);
	return buf;
}

/* "0-3,6" -> how many, and the highest + 1. False: not such a list. */
static bool parse_cpu_list(const char *list, unsigned int *count, unsigned int *end)
{
	*count = *end = 0;
	while (*list) {
		unsigned long first, last;
		char *rest;

		if (!isdigit((unsigned char)*list))
			return false;
		first = last = strtoul(list, &rest, 10);
		if (*rest == '-' && isdigit((unsigned char)rest[1]))
			last = strtoul(rest + 1, &rest, 10);
		if (last < first || last > 65535 || (*rest && *rest != ','))
			return false;
		*count += last - first + 1;
		*end = max_of(*end, (unsigned int)last + 1);
		list = *rest ? rest + 1 : rest;
	}
	return *count > 0;
}

unsigned int sysfs_cpus_online(const char *root)
{
	unsigned int count, end;
	char line[4096];
	long n;

	sysfs_read_line(root, "/sys/devices/system/cpu/online", line, sizeof(line));
	if (parse_cpu_list(line, &count, &end))
		return count;
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? n : 1;
}

unsigned int sysfs_nr_cpu_ids(const char *root)
{
	unsigned int count, end;
	char line[4096];
	long n;

	sysfs_read_line(root, "/sys/devices/system/cpu/possible", line, sizeof(line));
	if (parse_cpu_list(line, &count, &end))
		return end;
	n = sysconf(_SC_NPROCESSORS_CONF);
	return n > 0 ? n : 1;
}

unsigned int sysfs_ublks_max(const char *root)
{
	uint64_t value;

	if (sysfs_read_number(root, "/sys/module/ublk_drv/parameters/ublks_max", &value))
		return 0;
	return min_of(value, (uint64_t)UINT32_MAX);
}
