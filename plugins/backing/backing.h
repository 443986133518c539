/* SPDX-License-Identifier: MIT */
/*
 * A file or block device behind a device, as the plugins file and stripe have them: opening, locks,
 * limits. Compiled into each of them. Control thread only, but for reading in map().
 */
#ifndef PLUGINS_BACKING_BACKING_H
#define PLUGINS_BACKING_BACKING_H

#include <stdbool.h>

#include "ublk-plugin.h"

#define MAX_LOGICAL_BLOCK 4096u /* the contract's, and the driver's on every machine */
/* One zeroing of a backing that can only write zeroes must not outlast an io timeout. */
#define SLOW_ZEROES_MAX (16u << 20)
#define BACKING_MAX_HINT (256u << 20) /* the longest io_min and io_opt that a device can tell */

enum direct_mode { DIRECT_AUTO, DIRECT_ON, DIRECT_OFF }; /* as in the option's choices */

#define BACKING_OPT_DIRECT                                                                         \
	{                                                                                          \
		.name = "direct",                                                                  \
		.help = "bypass the page cache (O_DIRECT): where possible, always or never",       \
		.def = "auto", .choices = "auto|on|off", .type = UBLK_OPT_ENUM                     \
	}

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

struct backing {
	struct ublk_dev *dev;
	const char *path;
	uint64_t want_size; /* size=, 0 if not given */
	uint64_t offset;    /* of the device's first byte in the backing */
	uint64_t bytes;	    /* from there: size=, or all that the backing has */
	uint64_t unit;	    /* 0, or bytes is a multiple of it */
	uint64_t old_size;  /* grown: the file's size before */
	enum direct_mode direct_mode;
	struct ublk_limits former; /* that the device was made with; logical_block 0: not known */
	int fd, slot;
	bool can_create; /* the plugin has options create and size */
	bool create;	 /* create=true */
	bool recover;	 /* the device lived before us, and its old server may be about to end */
	bool beside;	 /* that serves, and has the lock */
	bool read_only;	 /* asked for, or found out */
	bool is_block;
	bool direct;  /* the fd is O_DIRECT */
	bool created; /* by us: backing_close() removes it */
	bool grown;   /* by us: backing_close() shrinks it */
	struct geometry geo;
};

/* The plugin's load(). */
int backing_load(const struct ublk_host *services);
extern const struct ublk_host *host;

/* As open() got it; direct is the index of BACKING_OPT_DIRECT. path must live as long as file. */
void backing_init(struct backing *file, struct ublk_dev *dev, const struct ublk_open_args *args,
		  const char *path, uint32_t direct);

/* One line to the host's log, after the path. */
void backing_say(const struct backing *file, int level, const char *fmt, ...)
	UBLK_PLUGIN_PRINTF(3, 4);

/* The functions below say what is wrong themselves and return 0 or -errno. */

/* Open files[nth], create it if asked to, find out whether it is read-only, what it is like and that it
 * is none of those before it; lock it, and give it to the host. All that is not backing_init()'s or the
 * plugin's is set. After an error the caller calls backing_close(). */
int backing_open(struct backing *files, uint32_t nth);
/* What a backing that was opened beside a former server still lacks, when that is gone. */
int backing_start(const struct backing *file);
/* Make room for a device of `bytes`: a regular file is extended, a disk has what it has. A device that becomes
 * smaller leaves the file as it is. */
int backing_resize(struct backing *file, uint64_t bytes, uint32_t flags);
/* Close it, if it is open. As long as created and grown are set nothing has been served: what
 * backing_open() created is removed, what it extended is shrunk. */
void backing_close(struct backing *file);

/* What a device over all of these can do; the size is the caller's affair. nr: at least 1. */
void backing_limits(const struct backing *files, uint32_t nr, struct ublk_limits *limits);

/* Whether to try again, after a moment, what the former server may still hold. waited_ms: 0 at first. */
bool backing_wait_for_former(const struct backing *file, unsigned int *waited_ms);

/* Lock the open backing against other hosts: shared for read_only, exclusive otherwise. The lock
 * lasts as long as the fd. */
int backing_lock(const struct backing *file);
/* Whether another holds such a lock; then that has been said. */
bool backing_say_if_locked(const struct backing *file);

/* Switch to direct I/O as direct_mode says and fill geo. After backing_open(). */
int geometry_probe(struct backing *file);

#endif
