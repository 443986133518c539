// SPDX-License-Identifier: MIT
/* Memory that outlives a server that dies: files of a tmpfs of our own in the runtime folder. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "config/size.h"
#include "device/kept_memory.h"
#include "device/state_file.h"

#define FOLDER "memory"
#define MOUNT_LOCK_MS 20000 /* of all servers that come up together after the boot, one mounts */
#define NAME_MAX_LEN 16u
#define FILE_NAME_SIZE 80

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_MAX_LEN &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* What a state file says is not led out of the folder by. */
static bool file_name_ok(const char *file)
{
	return file && *file && *file != '.' && !strchr(file, '/') && strlen(file) < FILE_NAME_SIZE;
}

static bool is_tmpfs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (uint32_t)fs.f_type == TMPFS_MAGIC;
}

/* Whether a filesystem is mounted on the folder already: by the first device since the boot. */
static bool is_mounted(int dir, int folder)
{
	struct stat above, here;

	return !fstat(dir, &above) && !fstat(folder, &here) && above.st_dev != here.st_dev;
}

/*
 * The size is not limited: memory is what limits a RAM disk, and a full filesystem would be a SIGBUS
 * for who has it mapped. That of /dev/shm is half of the memory, that of /run a tenth or a fifth.
 */
static int mount_on(const char *path)
{
	/* A kernel without huge pages would say in its log that it does not know the option. */
	bool huge = !access("/sys/kernel/mm/transparent_hugepage/shmem_enabled", F_OK);

	return mount("ublk-host", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     huge ? "size=0,mode=0700,huge=advise" : "size=0,mode=0700")
		       ? -errno
		       : 0;
}

static int open_folder_at(int dir)
{
	int fd = openat(dir, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* dir is locked, as two servers may come up at the same time. A descriptor or -errno. */
static int prepare_folder(int dir, const char *path)
{
	int err, fd;

	if (mkdirat(dir, FOLDER, 0700) && errno != EEXIST)
		return -errno;
	fd = open_folder_at(dir);
	if (fd < 0 || is_mounted(dir, fd))
		return fd;
	err = mount_on(path);
	if (!err) {
		close(fd);
		fd = open_folder_at(dir);
	}
	/* Who may not mount does with what is there, if that is memory. */
	if (err && !is_tmpfs(fd)) {
		close(fd);
		fd = err;
	}
	return fd;
}

/* The folder's descriptor, or -errno; create false: quietly. */
static int open_folder(bool create)
{
	__cleanup_fd int dir = state_open_folder(create), lock = -1;
	__cleanup_free char *path = NULL;
	int fd;

	if (dir < 0)
		return dir;
	if (!create)
		return open_folder_at(dir);
	if (asprintf(&path, "%s/" FOLDER, state_dir()) < 0)
		return -ENOMEM;
	fd = open_folder_at(dir);
	if (fd >= 0 && is_mounted(dir, fd))
		return fd;
	if (fd >= 0)
		close(fd);
	lock = state_lock_folder(dir, MOUNT_LOCK_MS);
	fd = lock < 0 ? lock : prepare_folder(dir, path);
	if (fd < 0)
		log_err("no memory can outlive the server: mounting a tmpfs on %s: %s; with "
			"--recovery none it need not",
			path, strerror(-fd));
	return fd < 0 ? -ENOSYS : fd;
}

static int say(const char *what, const char *name, uint64_t size, int err)
{
	char text[SIZE_TEXT_MAX];

	log_err("%s %s of memory \"%s\": %s", what, size_format(size, text), name, strerror(-err));
	return err;
}

int kept_memory_make(json_t *kept, const char *name, uint64_t size)
{
	struct device_state self = { 0 };
	char file[FILE_NAME_SIZE];
	__cleanup_fd int folder = -1;
	int err, fd;

	if (!name_ok(name) || json_object_get(kept, name)) {
		err = name_ok(name) ? -EEXIST : -EINVAL;
		return say("the plugin asks in a wrong way for", name_ok(name) ? name : "?", size,
			   err);
	}
	err = state_self(&self);
	if (err)
		return say("making", name, size, err);
	folder = open_folder(true);
	if (folder < 0)
		return folder;
	/* The device has no id yet. */
	snprintf(file, sizeof(file), "%d.%llu.%s", self.pid, (unsigned long long)self.pid_start,
		 name);
	fd = openat(folder, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return say("making", name, size, -errno);
	err = size <= INT64_MAX ? 0 : -EFBIG;
	if (!err && ftruncate(fd, (off_t)size))
		err = -errno;
	if (!err && json_object_set_new(kept, name, json_string(file)))
		err = -ENOMEM;
	if (!err)
		return fd;
	close(fd);
	unlinkat(folder, file, 0);
	return say("making", name, size, err);
}

int kept_memory_find(const json_t *kept, const char *name, uint64_t size)
{
	const char *file = json_string_value(json_object_get(kept, name));
	__cleanup_fd int folder = -1;
	struct stat st;
	int err = 0, fd;

	if (!file_name_ok(file))
		return -ENOENT;
	folder = open_folder(false);
	if (folder < 0)
		return say("finding", name, size, folder);
	fd = openat(folder, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return say("finding", name, size, -errno);
	if (fstat(fd, &st) || ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return say("finding", name, size, err);
}

int kept_memory_ordinary(const char *name, uint64_t size)
{
	int fd = memfd_create("ublk-host", MFD_CLOEXEC);
	int err;

	if (fd < 0)
		return say("making", name, size, -errno);
	err = size <= INT64_MAX ? 0 : -EFBIG;
	if (!err && ftruncate(fd, (off_t)size))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return say("making", name, size, err);
}

void kept_memory_remove(const json_t *kept)
{
	__cleanup_fd int folder = -1;
	const char *name;
	json_t *file;

	if (!json_object_size(kept))
		return;
	folder = open_folder(false);
	json_object_foreach((json_t *)kept, name,
			    file) if (folder >= 0 && file_name_ok(json_string_value(file)))
		unlinkat(folder, json_string_value(file), 0);
}
