// SPDX-License-Identifier: MIT
/*
 * --shared-memory: the files, checked and mapped before the device exists, registered with the
 * driver before any request can arrive, unregistered when none can any more. Control thread.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "config/size.h"
#include "device/internal.h"

#define SIZE_MAX_REGISTERED (4ull << 30) /* the driver's: offsets have 32 bits */

static const char *path_of(const struct device *d, size_t i)
{
	return d->cfg->shared_memory.path[i];
}

static int refuse(const struct device *d, size_t i, int err, const char *why)
{
	log_err("--shared-memory %s: %s", path_of(d, i), why);
	return err;
}

static const char wrong_kind[] =
	"it must be a file in memory: on tmpfs or hugetlbfs, or a memfd as "
	"/proc/PID/fd/N";

/* Pages of other filesystems cannot be held for as long as a device lives. NULL: it is suitable. */
static const char *file_wrong(int fd, const struct stat *st)
{
	struct statfs fs;

	if (!S_ISREG(st->st_mode) || fstatfs(fd, &fs) ||
	    (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return wrong_kind;
	if (!st->st_size)
		return "it is empty; give it its size first, as by truncate -s";
	if (st->st_size % getpagesize())
		return "its size must be a multiple of a page";
	if ((uint64_t)st->st_size > SIZE_MAX_REGISTERED)
		return "it is larger than the 4 GiB that the driver takes; use several files";
	return NULL;
}

static const char *open_problem(int err)
{
	switch (err) {
	case ENOENT:
		return "there is no such file";
	case EISDIR:
	case ENXIO: /* a socket, a node without a driver */
		return wrong_kind;
	case EACCES:
	case EPERM:
	case EROFS:
		return "it must be readable and writable by the server, and is not";
	default:
		return strerror(err);
	}
}

static const char *map_problem(int err)
{
	switch (err) {
	case -EFAULT: /* a SIGBUS, had we touched it */
	case -ENOMEM:
		return "there is not memory enough for all of it: the filesystem is full, or there "
		       "are too few huge pages (/proc/sys/vm/nr_hugepages)";
	case -EPERM:
	case -EACCES:
		return "it is sealed against writing";
	default:
		return strerror(-err);
	}
}

static int map_file(struct device *d, size_t i, int fd, struct stat *st)
{
	const char *wrong;
	int err;

	if (fstat(fd, st))
		return refuse(d, i, -errno, strerror(errno));
	wrong = file_wrong(fd, st);
	if (wrong)
		return refuse(d, i, -EINVAL, wrong);
	for (size_t other = 0; other < i; other++)
		if (d->shared_ids[other].dev == st->st_dev &&
		    d->shared_ids[other].ino == st->st_ino)
			return refuse(d, i, -EINVAL, "it is given more than once");
	/* Where it can be, nobody takes the memory away under us; see shared.c otherwise. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	err = shared_memory_map(&d->dev.shared[i], fd, st->st_size);
	return err ? refuse(d, i, err, map_problem(err)) : 0;
}

static int open_file(struct device *d, size_t i)
{
	int fd = open(path_of(d, i), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err;

	if (fd < 0)
		return refuse(d, i, -errno, open_problem(errno));
	err = map_file(d, i, fd, &st);
	close(fd);
	if (!err)
		d->shared_ids[i] = (struct file_id){ st.st_dev, st.st_ino };
	return err;
}

int shared_open(struct device *d)
{
	int err = 0;

	if (!d->cfg->shared_memory.nr)
		return 0;
	if (!(d->kernel.features & UBLK_F_SHMEM_ZC)) {
		log_err("--shared-memory: the ublk driver of this kernel cannot use memory that is "
			"shared (SHMEM_ZC, Linux 7.x); leave it out, and data is copied");
		return -EOPNOTSUPP;
	}
	for (size_t i = 0; i < d->cfg->shared_memory.nr && !err; i++)
		err = open_file(d, i);
	return err;
}

/* A device that has just been added has no other memory, so that the driver counts as we do. */
int shared_register(struct device *d)
{
	char why[512], size[SIZE_TEXT_MAX];

	for (size_t i = 0; i < d->cfg->shared_memory.nr; i++) {
		const struct shared_memory *m = &d->dev.shared[i];
		int index = ctrl_reg_buf(d->ctrl, d->info.dev_id, m->base, m->size);

		if (index >= 0)
			d->nr_registered++;
		if (index >= 0 && (size_t)index != i) {
			log_err("--shared-memory %s: the driver calls it %d instead of %zu",
				path_of(d, i), index, i);
			return -EIO;
		}
		if (index < 0) {
			log_err("--shared-memory %s: %s", path_of(d, i),
				ctrl_explain(UBLK_U_CMD_REG_BUF, d->info.dev_id, index, why,
					     sizeof(why)));
			return index;
		}
		log_debug("%s: %s of shared memory in %s", d->node, size_format(m->size, size),
			  path_of(d, i));
	}
	return 0;
}

/* A device that somebody still holds lives on, and would keep the memory. */
void shared_unregister(struct device *d)
{
	char why[512];

	while (d->nr_registered) {
		uint32_t index = --d->nr_registered;
		int err = ctrl_plain(d->ctrl, UBLK_U_CMD_UNREG_BUF, d->info.dev_id, index);

		if (err && err != -ENODEV)
			log_warn("%s", ctrl_explain(UBLK_U_CMD_UNREG_BUF, d->info.dev_id, err, why,
						    sizeof(why)));
	}
}

void shared_close(struct device *d)
{
	for (size_t i = 0; i < MAX_SHARED_MEMORY; i++) {
		if (d->dev.shared[i].base && atomic_load(&d->dev.shared[i].lost))
			log_warn("--shared-memory %s: somebody has cut it short; its requests "
				 "failed since",
				 path_of(d, i));
		shared_memory_unmap(&d->dev.shared[i]);
	}
}
