/* SPDX-License-Identifier: MIT */
/*
 * The limits that administrators set, as they are for this process, and what it means when the
 * kernel says that one was hit. Read only. Every function takes the root below which it reads (/proc,
 * /sys): "" in the program, a made-up tree in tests. Any thread.
 */
#ifndef KERNEL_KNOBS_H
#define KERNEL_KNOBS_H

#include "base/util.h"

/* How each is raised, for messages. */
#define KNOB_FILES_HOW "`ulimit -n`, or LimitNOFILE= in a systemd unit"
#define KNOB_LOCKED_HOW "`ulimit -l`, or LimitMEMLOCK= in a systemd unit"
#define KNOB_MEMORY_HOW "MemoryMax= in a systemd unit"
#define KNOB_UBLKS_MAX "/sys/module/ublk_drv/parameters/ublks_max"

#define KNOB_UNLIMITED UINT64_MAX

/* The narrowest memory limit of this process's control group (version 2) and those above it. */
struct memory_limit {
	uint64_t max;	/* bytes, or KNOB_UNLIMITED */
	char file[320]; /* the memory.max that says so; "": none does */
};

struct knobs {
	int io_uring_disabled;	/* 0: for all; 1: for some; 2: for nobody; -1: there is no switch */
	int64_t io_uring_group; /* whose members are those some, with CAP_SYS_ADMIN; -1: none */
	bool in_io_uring_group; /* this process is */
	int64_t ublks_max;	/* the driver's limit of devices; -1: not known */
	uint32_t devices;	/* that there are, everybody's */
	uint64_t files, files_max; /* RLIMIT_NOFILE: now, and as far as we may raise it */
	uint32_t files_open;	   /* by this process */
	uint64_t locked;	   /* RLIMIT_MEMLOCK, for processes without CAP_IPC_LOCK */
	bool cap_sys_admin, cap_ipc_lock;
	struct memory_limit memory;
};

/* What cannot be read is as if there were no limit. */
void knobs_read(const char *root, struct knobs *knobs);

/* The calling thread has CAP_SYS_ADMIN, which the driver asks for. Not what it means in a user namespace
 * of a container's own: there, the driver refuses all the same. */
bool knobs_privileged(void);

/* io_uring is switched off for a process with these. */
bool knobs_forbid_ring(const struct knobs *knobs);

/*
 * Why the kernel would give no ring (io_uring_setup), or no descriptor (any call that makes one): one
 * line without a newline, what and why and what to do. release: the kernel's. Return buf.
 */
const char *knob_ring_failure(const char *release, const char *root, int err, char *buf,
			      size_t size);
const char *knob_file_failure(const char *root, int err, char *buf, size_t size);

#endif
