/* SPDX-License-Identifier: MIT */
/*
 * What doctor's files share: the facts, the checks, and what these have found. A check looks at one
 * thing and says at least one line about it, good or bad; it changes nothing.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/host.h"
#include "device/headroom.h"

struct ctrl;

struct doctor_line {
	const char *check;
	struct finding finding;
};

struct doctor {
	const char *root; /* below which the kernel's files are read: "", or a test's */
	struct host_features host;
	int control_err;   /* of opening /dev/ublk-control: 0 or -errno */
	struct ctrl *ctrl; /* NULL: not for us */
	struct knobs knobs;
	struct doctor_line *line;
	size_t nr;
	bool no_memory; /* for some line */
};

/* Add a line. todo NULL: there is nothing to do. */
void doctor_say(struct doctor *doctor, const char *check, enum finding_level level,
		const char *todo, const char *why, ...) __printf_like(5, 6);
void doctor_add(struct doctor *doctor, const char *check, const struct finding *finding);
/* A line that says what to do after its first "; ". */
void doctor_say_line(struct doctor *doctor, const char *check, enum finding_level level,
		     const char *line);
/* Read the facts below root; host.dirs is the caller's. */
void doctor_begin(struct doctor *doctor, const char *root);
void doctor_end(struct doctor *doctor);

/* doctor_kernel.c: the kernel, its driver, and its io_uring */
void check_kernel(struct doctor *doctor);
void check_driver(struct doctor *doctor);
void check_io_uring(struct doctor *doctor);
void check_data_paths(struct doctor *doctor);
/* doctor_limits.c: for a device with the defaults */
void check_devices(struct doctor *doctor);
void check_open_files(struct doctor *doctor);
void check_locked_memory(struct doctor *doctor);
void check_memory(struct doctor *doctor);
/* doctor_files.c: folders, and what is in them */
void check_nodes(struct doctor *doctor);
void check_users(struct doctor *doctor);
void check_state_folder(struct doctor *doctor);
void check_plugins(struct doctor *doctor);
void check_leftovers(struct doctor *doctor);
/* doctor_machine.c: what makes devices slower than they could be */
void check_huge_pages(struct doctor *doctor);
void check_cpus(struct doctor *doctor);
void check_mount_namespace(struct doctor *doctor);

#endif
