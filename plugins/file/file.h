/* SPDX-License-Identifier: MIT */
/* What the parts of the file backend share. Control thread only, but for reading in map(). */
#ifndef PLUGINS_FILE_FILE_H
#define PLUGINS_FILE_FILE_H

#include <stdbool.h>

#include "ublk-plugin.h"

#define MAX_LOGICAL_BLOCK 4096u /* the contract's, and the driver's on every machine */

enum direct_mode { DIRECT_AUTO, DIRECT_ON, DIRECT_OFF }; /* as in the option's choices */

/* What the backing is like. Bytes; 0: not known, keep what the host proposes. */
struct geometry {
	uint32_t logical_block; /* at least 512 */
	uint32_t physical_block, io_min, io_opt;
	uint32_t dma_align;
	uint32_t discard_granularity;
	bool discard;	  /* the backing can punch */
	bool slow_zeroes; /* zeroing a range means writing it */
	bool rotational;
	bool volatile_cache;
};

struct file_dev {
	const struct ublk_host *host;
	struct ublk_dev *dev;
	const char *path;
	uint64_t want_size; /* size=, 0 if not given */
	uint64_t offset;    /* of the device's first byte in the backing */
	uint64_t bytes;	    /* from there: size=, or all that the backing has */
	uint64_t old_size;  /* grown: the file's size before */
	enum direct_mode direct_mode;
	int fd, slot;
	bool create;	/* create=true */
	bool read_only; /* asked for, or found out */
	bool is_block;
	bool direct;  /* the fd is O_DIRECT */
	bool created; /* by us: backing_undo() removes it */
	bool grown;   /* by us: backing_undo() shrinks it */
	struct geometry geo;
};

/* One line to the host's log, after the path. */
void file_say(const struct file_dev *file, int level, const char *fmt, ...)
	UBLK_PLUGIN_PRINTF(3, 4);

/* The functions below say what is wrong themselves and return 0 or -errno. */

/* Open the backing, create it if asked to, find out whether it is read-only, lock it and see to its
 * size: fd, is_block, read_only, created, grown and bytes are set. After an error the caller calls
 * backing_undo() and closes fd, if it is not -1. */
int backing_open(struct file_dev *file);
/* Nothing has been served: remove what backing_open() created, shrink what it extended. */
void backing_undo(struct file_dev *file);

/* Lock the open backing against other hosts: shared for read_only, exclusive otherwise. The lock
 * lasts as long as the fd. */
int backing_lock(const struct file_dev *file);
/* Whether another holds such a lock; then that has been said. */
bool backing_say_if_locked(const struct file_dev *file);

/* Switch to direct I/O as direct_mode says and fill geo. After backing_open(). */
int geometry_probe(struct file_dev *file);

#endif
