/* SPDX-License-Identifier: MIT */
/*
 * The ublk driver as the host sees it: control commands, nodes, and requests over the fake transport. It
 * stands before the functions of kernel/ctrl.c and others (FAKE_DRIVER_WRAPS in queue.mk), so that a
 * device comes up and ends in a test's own process, or, with the folder in $UBLK_FAKE_DRIVER, in several
 * processes of fake_host, which is all of ublk-host with this driver.
 */
#ifndef TESTS_UNIT_FAKE_DRIVER_H
#define TESTS_UNIT_FAKE_DRIVER_H

#include <stdio.h>
#include <unistd.h>

#include "device/internal.h"
#include "transport/fake.h"

#define FAKE_ID 900001u /* the first; no machine has nodes for it */
#define FAKE_DEVICES 8u

struct fake_device {
	bool there;	/* between ADD_DEV and DEL_DEV */
	uint64_t entry; /* no other has it */
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
};

/* What all processes of a test share. */
struct fake_shared {
	uint64_t features, entries;
	struct fake_device devices[FAKE_DEVICES];
};

struct fake_driver {
	struct fake_shared *shared;
	/* of this process */
	uint32_t fail_cmd; /* this command is refused with fail_err */
	int fail_err;
	bool refuse_open;  /* /dev/ublkcN cannot be opened */
	struct fake *fake; /* the requests' way, from the start of the queues on */
	char said[1024];   /* the commands that came, each with a blank behind it */
	bool begun;
	int result;
	int event; /* an eventfd, between ctrl_open() and ctrl_close() */
	unsigned int opened;
};

extern struct fake_driver driver;
#define first_device (driver.shared->devices[0])

/* Ends the program as skipped, saying why, where the fake transport cannot run, or statistics not be in
 * memory. */
void fake_driver_need(void);
/* Nodes are files in this folder, and so is what is shared. */
void fake_driver_begin(const char *folder);
/* After the last device. */
void fake_driver_end(void);

/* A file in the folder asks for it, of all processes: "fail-DEL_DEV" or another command, or "used": it cannot be
 * told who uses a disk. */
static inline bool fake_asked_for(const char *folder, const char *what, const char *of)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s%s", folder, what, of);
	return !access(path, F_OK);
}

#endif
