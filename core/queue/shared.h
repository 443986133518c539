/* SPDX-License-Identifier: MIT */
/*
 * Memory that the server shares with programs that use the device: their requests' data is used
 * where it is. Mapped and unmapped by the control thread while no queue runs.
 */
#ifndef QUEUE_SHARED_H
#define QUEUE_SHARED_H

#include <stdatomic.h>

#include "base/util.h"

struct shared_memory {
	char *base; /* NULL: nothing is mapped */
	uint64_t size;
	/* Somebody has cut the file short: there are zeroes now where its data was, and requests for
	 * it fail. Set by whatever thread noticed. */
	atomic_bool lost;
	struct shared_memory *next; /* of all that are mapped */
};

/* Map the first `size` bytes of fd for reading and writing and have the kernel find memory for all
 * of it. 0 or -errno: -EFAULT, -ENOMEM: there is none. What the struct had been is forgotten; it
 * stays where it is until it is unmapped. */
int shared_memory_map(struct shared_memory *memory, int fd, uint64_t size);
/* What was not mapped is left alone. */
void shared_memory_unmap(struct shared_memory *memory);

#endif
