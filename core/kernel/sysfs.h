/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells in files: which ublk devices there are, their disks and nodes, and who uses
 * them. Read only; no ublk command is sent. Every function takes the root below which it reads
 * (/sys, /proc, /dev): "" in the program, a made-up tree in tests. Any thread.
 */
#ifndef KERNEL_SYSFS_H
#define KERNEL_SYSFS_H

#include <sys/types.h>

#include "base/util.h"

#define NODE_PATH_SIZE 32

/* "/dev/ublkbN", "/dev/ublkcN". Return buf. */
const char *node_block(uint32_t id, char buf[NODE_PATH_SIZE]);
const char *node_char(uint32_t id, char buf[NODE_PATH_SIZE]);

/* The first word or line of a file, without its newline. 0 or -errno; buf is "" then. */
int sysfs_read_line(const char *root, const char *path, char *buf, size_t size);
/* A whole number in a file: 0 or -errno, -EBADMSG if it is not one. */
int sysfs_read_number(const char *root, const char *path, uint64_t *value);

/* Ids of all ublk devices, running or not, in rising order; free(*ids). 0 devices without driver. */
int sysfs_devices(const char *root, uint32_t **ids, size_t *nr);

/* What tells a device from former and later ones of its id: the number of its entry in sysfs, which no other
 * gets before the next boot. 0: there is no such device; SYSFS_ENTRY_UNKNOWN: there may be, but it cannot be
 * looked at, as when memory is short. */
#define SYSFS_ENTRY_UNKNOWN UINT64_MAX
uint64_t sysfs_device_entry(const char *root, uint32_t id);

struct sysfs_disk {
	dev_t devt;
	uint64_t size_bytes;
	uint32_t logical_block, physical_block;
	bool read_only;
};

/* The disk of a running device. -ENODEV: there is none. */
int sysfs_disk(const char *root, uint32_t id, struct sysfs_disk *disk);

/* Wait until /dev/ublkbN is the block device that the kernel says. -ETIMEDOUT has been logged with
 * what is in the way. Makes nothing: devtmpfs or udev do. */
int sysfs_wait_node(const char *root, uint32_t id, unsigned int ms);

/* As in uname(2). Returns buf. */
const char *kernel_release(char *buf, size_t size);

/* CPUs online (at least 1), and the kernel's nr_cpu_ids: highest possible CPU + 1. */
unsigned int sysfs_cpus_online(const char *root);
unsigned int sysfs_nr_cpu_ids(const char *root);

/* The driver's limit of devices, of all users or of those without privilege (since 6.15); 0: not
 * known. */
unsigned int sysfs_ublks_max(const char *root);

enum disk_user_kind {
	DISK_MOUNTED, /* what: the mount point */
	DISK_SWAP,    /* what: the node */
	DISK_HELD,    /* what: the device on top, "vg-root (dm-0)", "md0", "loop3" */
	DISK_OPEN     /* what: the process's name */
};

struct disk_user {
	enum disk_user_kind kind;
	char *what;
	char *node; /* "ublkb3" or "ublkb3p1" */
	pid_t pid;  /* OPEN, and MOUNTED in another mount namespace: a process of it; otherwise 0 */
};

struct disk_users {
	struct disk_user *user; /* DISK_USERS_MAX at most */
	size_t nr;
	size_t more; /* how many there were beyond */
};

#define DISK_USERS_MAX 64u

/* Who uses the disk or a partition of it, in the order of the kinds; the calling process does not
 * count. A file system on several devices is seen only where the kernel names this one. Processes
 * of others are seen by root only. 0 or -errno; -ENODEV: no disk. */
int disk_users_find(const char *root, uint32_t id, struct disk_users *users);
/* By a node's name alone, "ublkb3" or "ublkc3": who has it mounted, as swap, or open; also of a disk, and
 * its partitions, that the kernel has no more. 0 or -errno. */
int disk_users_named(const char *root, const char *name, struct disk_users *users);
void disk_users_free(struct disk_users *users);
/* "mounted on /mnt, used as swap, held by md0, open in fsck (pid 12), and 3 more", or "". */
const char *disk_users_text(const struct disk_users *users, char *buf, size_t size);

#endif
