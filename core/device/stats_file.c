// SPDX-License-Identifier: MIT
/* The file of a device's statistics, as its server makes it and as others read it. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "device/state_file.h"
#include "device/stats_file.h"

static void stats_name(char *buf, size_t size, uint32_t id)
{
	snprintf(buf, size, "%u.stats", id);
}

static bool in_memory(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 &&
	       ((uint32_t)fs.f_type == TMPFS_MAGIC || (uint32_t)fs.f_type == RAMFS_MAGIC);
}

/* The pages are allocated here: if memory ran out later, using one would be a SIGBUS. */
static int map_new(int fd, size_t size, struct stats **out)
{
	int err = -posix_fallocate(fd, 0, (off_t)size);
	void *map;

	if (err)
		return err;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*out = map;
	return 0;
}

static int create_at(int dir, uint32_t id, uint32_t nr_queues, struct stats **out)
{
	struct device_state self = { 0 };
	char name[STATE_NAME_SIZE], temp[STATE_TEMP_SIZE];
	__cleanup_fd int lock = -1, fd = -1;
	int err = state_self(&self);

	if (err)
		return err;
	stats_name(name, sizeof(name), id);
	/* Against who removes that of the device that had the id before. */
	lock = state_lock_folder(dir, STATE_LOCK_MS);
	fd = state_file_begin(dir, name, temp);
	if (fd < 0)
		return fd;
	err = map_new(fd, stats_size(nr_queues), out);
	if (!err)
		stats_init(*out, nr_queues, id, self.pid, self.pid_start);
	err = state_file_finish(dir, fd, temp, name, err);
	if (err && *out) {
		stats_unmap(*out, nr_queues);
		*out = NULL;
	}
	return err;
}

int stats_create(uint32_t id, uint32_t nr_queues, struct stats **out)
{
	__cleanup_fd int dir = state_open_folder(true);
	const char *why = "it is not in memory; mount a tmpfs there";
	int err;

	*out = NULL;
	if (dir < 0)
		return dir;
	err = in_memory(dir) ? create_at(dir, id, nr_queues, out) : -EOPNOTSUPP;
	if (err)
		log_warn("the device's statistics cannot be seen, there is no file for them in %s: "
			 "%s",
			 state_dir(), err == -EOPNOTSUPP ? why : strerror(-err));
	return err;
}

void stats_unmap(struct stats *stats, uint32_t nr_queues)
{
	munmap(stats, stats_size(nr_queues));
}

/* NULL, with *out for free(); or what is wrong with the file. The words are copied one by one, and
 * what is checked, and used, is the copy. */
static const char *copy_checked(int fd, size_t size, uint32_t id, struct stats **out)
{
	const char *why;
	struct stats *copy;
	void *map;

	if (size < sizeof(*copy))
		return "it is damaged";
	if (size > stats_size(MAX_QUEUES))
		return "it is larger than any that ublk-host writes";
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return strerror(errno);
	copy = aligned_alloc(STATS_ALIGN, round_up_to(size, STATS_ALIGN));
	if (copy)
		stats_copy(copy, map, size);
	munmap(map, size);
	why = copy ? stats_problem(copy, size, id) : strerror(ENOMEM);
	if (why)
		free(copy);
	else
		*out = copy;
	return why;
}

/* The file, checked, with a copy of it. A descriptor or -errno; quiet: log nothing. */
static int open_checked(int dir, uint32_t id, int flags, struct stats **copy, bool quiet)
{
	char name[STATE_NAME_SIZE];
	const char *why = NULL;
	struct stat st;
	int fd;

	stats_name(name, sizeof(name), id);
	fd = state_file_open(dir, name, flags, &st, &why);
	if (fd >= 0)
		why = copy_checked(fd, st.st_size, id, copy);
	if (fd >= 0 && why) {
		close(fd);
		fd = -EBADMSG;
	}
	if (fd < 0 && fd != -ENOENT && !quiet)
		log_err("cannot use the statistics %s/%s: %s%s", state_dir(), name, why,
			fd == -EACCES ? "; try with sudo" : "");
	return fd;
}

int stats_read(const struct device_state *state, struct stats **out)
{
	__cleanup_fd int dir = state_open_folder(false), fd = -1;

	*out = NULL;
	if (dir < 0)
		return dir;
	fd = open_checked(dir, state->id, O_RDONLY, out, false);
	if (fd < 0)
		return fd;
	if ((*out)->pid == state->pid && (*out)->pid_start == state->pid_start)
		return 0;
	/* of another server, with the same id, whose state is not written yet */
	free(*out);
	*out = NULL;
	return -ENOENT;
}

int stats_open_for_write(uint32_t id, struct stats **out)
{
	__cleanup_fd int dir = state_open_folder(false);

	return dir < 0 ? dir : open_checked(dir, id, O_RDWR, out, false);
}

int stats_set_latency(uint32_t id, bool on)
{
	__cleanup_free struct stats *now = NULL;
	__cleanup_fd int fd = stats_open_for_write(id, &now);
	uint32_t word;

	if (fd < 0)
		return fd;
	word = stats_latency_switch(now->latency, on);
	if (pwrite(fd, &word, sizeof(word), offsetof(struct stats, latency)) == sizeof(word))
		return 0;
	log_err("cannot switch the latencies of device %u: writing its statistics: %m", id);
	return -EIO;
}

static bool of_another(const struct stats *stats, int32_t server)
{
	struct device_state owner = { .pid = stats->pid, .pid_start = stats->pid_start };

	return stats->pid != server && state_server_alive(&owner);
}

bool stats_in_use_at(int dir, uint32_t id)
{
	__cleanup_free struct stats *now = NULL;
	__cleanup_fd int fd = open_checked(dir, id, O_RDONLY, &now, true);

	return fd >= 0 && (now->pid == getpid() || of_another(now, getpid()));
}

/* The id, and with it the name of the file, may have gone to a new server meanwhile. */
void stats_remove_at(int dir, uint32_t id, int32_t server)
{
	__cleanup_free struct stats *now = NULL;
	__cleanup_fd int fd = open_checked(dir, id, O_RDONLY, &now, true);
	char name[STATE_NAME_SIZE];

	if (fd >= 0 && of_another(now, server))
		return;
	stats_name(name, sizeof(name), id);
	state_file_remove(dir, name);
}

void stats_remove(uint32_t id, int32_t server)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;

	if (dir < 0)
		return;
	lock = state_lock_folder(dir, STATE_LOCK_MS);
	stats_remove_at(dir, id, server);
}
