// SPDX-License-Identifier: MIT
/* The limits that administrators set, read from the kernel's files, and explained when they are hit. */
#include <dirent.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel/knobs.h"
#include "kernel/sysfs.h"

#define PATH_SIZE 512

static FILE *open_below(const char *root, const char *path)
{
	char full[PATH_SIZE];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return fopen(full, "re");
}

/* -1: there is no such number. */
static int64_t number_or_none(const char *root, const char *path)
{
	uint64_t value;

	if (sysfs_read_number(root, path, &value) || value > INT64_MAX)
		return -1;
	return (int64_t)value;
}

/* "27 100" has 100. */
static bool has_number(const char *list, uint64_t number)
{
	char *end;

	for (;; list = end) {
		uint64_t value = strtoull(list, &end, 10);

		if (end == list)
			return false;
		if (value == number)
			return true;
	}
}

/* Who we are, as the kernel decides it. */
static void read_status(const char *root, struct knobs *knobs)
{
	FILE *f = open_below(root, "/proc/self/status");
	char *line = NULL;
	size_t size = 0;
	uint64_t caps;

	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1) {
			knobs->cap_sys_admin = caps >> CAP_SYS_ADMIN & 1;
			knobs->cap_ipc_lock = caps >> CAP_IPC_LOCK & 1;
		} else if ((!strncmp(line, "Groups:", 7) || !strncmp(line, "Gid:", 4)) &&
			   knobs->io_uring_group >= 0) {
			knobs->in_io_uring_group |=
				has_number(strchr(line, ':') + 1, knobs->io_uring_group);
		}
	}
	free(line);
	fclose(f);
}

bool knobs_privileged(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &head, data) && data[0].effective & 1u << CAP_SYS_ADMIN;
}

static uint64_t limit_of(rlim_t value)
{
	return value == RLIM_INFINITY ? KNOB_UNLIMITED : value;
}

static uint64_t limit_of_word(const char *word)
{
	return strcmp(word, "unlimited") ? strtoull(word, NULL, 10) : KNOB_UNLIMITED;
}

/* From the file, so that a test can have its own; where no file can be opened any more, as asked. */
static void read_rlimits(const char *root, struct knobs *knobs)
{
	FILE *f = open_below(root, "/proc/self/limits");
	struct rlimit files = { RLIM_INFINITY, RLIM_INFINITY }, locked = files;
	char *line = NULL, now[24], most[24];
	size_t size = 0;

	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_MEMLOCK, &locked);
	knobs->files = limit_of(files.rlim_cur);
	knobs->files_max = limit_of(files.rlim_max);
	knobs->locked = limit_of(locked.rlim_cur);
	while (f && getline(&line, &size, f) > 0) {
		if (sscanf(line, "Max open files %23s %23s", now, most) == 2) {
			knobs->files = limit_of_word(now);
			knobs->files_max = limit_of_word(most);
		} else if (sscanf(line, "Max locked memory %23s", now) == 1) {
			knobs->locked = limit_of_word(now);
		}
	}
	free(line);
	if (f)
		fclose(f);
}

static uint32_t count_open_files(const char *root)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	uint32_t nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc/self/fd", root);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		nr += *entry->d_name != '.';
	closedir(dir);
	return *root || !nr ? nr : nr - 1; /* without the folder's own */
}

/* Where the hierarchy of version 2 is mounted, and which of its groups stands there. */
static bool find_cgroup_mount(const char *root, char *mount, char *group, size_t size)
{
	FILE *f = open_below(root, "/proc/self/mountinfo");
	char *line = NULL, *type;
	size_t room = 0;
	bool found = false;

	while (f && !found && getline(&line, &room, f) > 0) {
		char top[256], at[256];

		type = strstr(line, " - ");
		if (!type || strncmp(type, " - cgroup2 ", 11) ||
		    sscanf(line, "%*s %*s %*s %255s %255s", top, at) != 2)
			continue;
		snprintf(group, size, "%s", top);
		snprintf(mount, size, "%s", at);
		found = true;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* This process's group, "/system.slice/x.service". */
static bool find_cgroup(const char *root, char *group, size_t size)
{
	FILE *f = open_below(root, "/proc/self/cgroup");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (f && !found && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, "0::/", 4);
		if (found)
			snprintf(group, size, "%s", line + 3);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* A limit of any group from ours upward holds for us. */
static void read_memory(const char *root, struct memory_limit *memory)
{
	char mount[256], top[256], group[256], file[sizeof(memory->file)], *at = group, *slash;
	size_t skip;
	uint64_t max;

	*memory = (struct memory_limit){ .max = KNOB_UNLIMITED };
	if (!find_cgroup_mount(root, mount, top, sizeof(mount)) ||
	    !find_cgroup(root, group, sizeof(group)))
		return;
	/* A container may have a part of the hierarchy mounted. */
	skip = strcmp(top, "/") ? strlen(top) : 0;
	if (strncmp(group, top, skip))
		return;
	at += skip;
	for (;;) {
		while ((slash = strrchr(at, '/')) && !slash[1])
			*slash = '\0';
		if (snprintf(file, sizeof(file), "%s%s/memory.max", mount, at) >= (int)sizeof(file))
			return;
		/* "max" is no number, and the topmost group has no such file. */
		if (!sysfs_read_number(root, file, &max) && max < memory->max) {
			memory->max = max;
			memcpy(memory->file, file, sizeof(file));
		}
		slash = strrchr(at, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

void knobs_read(const char *root, struct knobs *knobs)
{
	uint32_t *ids = NULL;
	size_t nr = 0;

	*knobs = (struct knobs){ 0 };
	knobs->io_uring_disabled = (int)number_or_none(root, "/proc/sys/kernel/io_uring_disabled");
	knobs->io_uring_group = number_or_none(root, "/proc/sys/kernel/io_uring_group");
	knobs->ublks_max = number_or_none(root, KNOB_UBLKS_MAX);
	sysfs_devices(root, &ids, &nr);
	knobs->devices = nr;
	free(ids);
	knobs->files_open = count_open_files(root);
	read_status(root, knobs);
	read_rlimits(root, knobs);
	read_memory(root, &knobs->memory);
}

bool knobs_forbid_ring(const struct knobs *knobs)
{
	if (knobs->io_uring_disabled == 1)
		return !knobs->cap_sys_admin && !knobs->in_io_uring_group;
	return knobs->io_uring_disabled > 1;
}

static void explain_forbidden(const struct knobs *knobs, int err, char *buf, size_t size)
{
	if (knobs->io_uring_disabled == 1 && knobs_forbid_ring(knobs))
		snprintf(
			buf, size,
			"io_uring is switched off for this user: kernel.io_uring_disabled is 1; run as "
			"root, or name a group that the user is in: `sysctl kernel.io_uring_group=GID`");
	else if (knobs_forbid_ring(knobs))
		snprintf(
			buf, size,
			"io_uring is switched off on this machine: kernel.io_uring_disabled is %d; "
			"set it to 0 with `sysctl kernel.io_uring_disabled=0`",
			knobs->io_uring_disabled);
	else
		snprintf(buf, size,
			 "io_uring_setup is forbidden to this process (%s): a seccomp filter, as "
			 "containers have it, must allow io_uring",
			 strerrorname_np(-err));
}

/* Which of the two it was, the kernel does not say; with CAP_IPC_LOCK it was not the first. */
static void explain_memory(const struct knobs *knobs, char *buf, size_t size)
{
	if (!knobs->cap_ipc_lock && knobs->locked != KNOB_UNLIMITED)
		snprintf(buf, size,
			 "not enough memory for an io_uring: this user may lock %" PRIu64
			 " KiB; raise that (" KNOB_LOCKED_HOW
			 "), or use fewer queues or less depth",
			 knobs->locked >> 10);
	else if (*knobs->memory.file)
		snprintf(buf, size,
			 "not enough memory for an io_uring; this control group may use %" PRIu64
			 " KiB (%s): raise that (" KNOB_MEMORY_HOW
			 "), or use fewer queues or less depth",
			 knobs->memory.max >> 10, knobs->memory.file);
	else
		snprintf(buf, size,
			 "not enough memory for an io_uring; use fewer queues or less depth");
}

const char *knob_file_failure(const char *root, int err, char *buf, size_t size)
{
	struct knobs knobs;

	if (err == -EMFILE) {
		knobs_read(root, &knobs);
		snprintf(buf, size,
			 "this process may have %" PRIu64
			 " files open, which is not enough; raise that (" KNOB_FILES_HOW
			 "), or use fewer queues",
			 knobs.files);
	} else if (err == -ENFILE) {
		snprintf(buf, size,
			 "the whole system has as many files open as it may; raise the sysctl "
			 "fs.file-max");
	} else {
		snprintf(buf, size, "%s", strerror(-err));
	}
	return buf;
}

const char *knob_ring_failure(const char *release, const char *root, int err, char *buf,
			      size_t size)
{
	struct knobs knobs;

	knobs_read(root, &knobs);
	if (err == -EPERM || err == -EACCES)
		explain_forbidden(&knobs, err, buf, size);
	else if (err == -ENOSYS)
		snprintf(
			buf, size,
			"kernel %s has no io_uring (CONFIG_IO_URING), or a seccomp filter hides it; "
			"ublk needs it",
			release);
	else if (err == -EINVAL)
		snprintf(buf, size,
			 "the io_uring of kernel %s is too old for ublk (no 128-byte entries); "
			 "boot 6.0 or newer",
			 release);
	else if (err == -ENOMEM)
		explain_memory(&knobs, buf, size);
	else if (err == -EMFILE || err == -ENFILE)
		knob_file_failure(root, err, buf, size);
	else
		snprintf(buf, size, "cannot set up an io_uring on kernel %s: %s", release,
			 strerror(-err));
	return buf;
}
