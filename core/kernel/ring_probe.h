/* SPDX-License-Identifier: MIT */
/*
 * What this kernel's io_uring can do, found by trying it. No privilege, no ublk driver needed; a
 * few short-lived rings, about a millisecond. Any thread.
 */
#ifndef KERNEL_RING_PROBE_H
#define KERNEL_RING_PROBE_H

#include <liburing.h>

#include "base/util.h"

struct ring_features {
	int err;	       /* 0, or why no ring can be set up at all; then all else is empty */
	uint32_t setup;	       /* IORING_SETUP_* that work; DEFER_TASKRUN: with SINGLE_ISSUER */
	uint32_t features;     /* IORING_FEAT_* as the kernel says */
	uint64_t ops[4];       /* bitmap of IORING_OP_* */
	bool sparse_buffers;   /* a table of registered buffers can start empty */
	bool sparse_files;     /* likewise of files */
	bool registered_ring;  /* the ring's own fd can be registered */
	bool provided_buffers; /* rings of provided buffers */
	bool sync_cancel;
};

/* Fills *rf; returns rf->err. */
int ring_probe(struct ring_features *rf);

bool ring_has_op(const struct ring_features *rf, unsigned int op);

/* The flags that a queue's ring should have of those that work: SINGLE_ISSUER, DEFER_TASKRUN,
 * COOP_TASKRUN, SUBMIT_ALL; CLAMP is not among them. */
uint32_t ring_queue_flags(const struct ring_features *rf);

/* Walk the setup flags and operations that were asked for, for `features`: index from 0, NULL at
 * the end; *there: the kernel has it. */
const char *ring_feature_name(const struct ring_features *rf, unsigned int index, bool *there);

#endif
