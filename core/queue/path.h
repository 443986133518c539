/* SPDX-License-Identifier: MIT */
/*
 * Data paths: how a request's bytes get from the application's pages to where the plugin says they
 * are. One struct data_path per way, each in a file of its own (path_*.c); path.c chooses. Adding
 * one means a file and a line in path.c's table.
 */
#ifndef QUEUE_PATH_H
#define QUEUE_PATH_H

#include "plugin/plugin.h"
#include "transport/transport.h"

struct request;
struct ublk_queue;

struct data_path {
	const char *name;     /* as in --data-path, manifests and messages */
	const char *what;     /* one clause for people: "no copy: ..." */
	uint64_t dev_flags;   /* UBLK_F_* that ADD_DEV must grant */
	const char *lacking;  /* one clause for people, where the driver has not got them */
	uint32_t map_kinds;   /* UBLK_EXT_* that move() can serve */
	uint32_t data_mode;   /* UBLK_DATA_* that submit() and call see */
	bool needs_buffers;   /* a buffer of max_io_bytes per tag */
	bool needs_buf_table; /* a sparse table of registered buffers, one per tag */

	/* What FETCH and COMMIT tell the driver about this tag. */
	void (*tag_addr)(const struct ublk_queue *q, const struct request *r,
			 struct tag_addr *addr);
	/* A READ or WRITE arrived. 0: go on; 1: a UD_BUFFER completion goes on; -errno fails it.
	 * NULL: nothing to do. */
	int (*begin)(struct ublk_queue *q, struct request *r);
	/* The io is about to be committed. NULL: nothing to do. -EBUSY: try again later. */
	int (*end)(struct ublk_queue *q, struct request *r);
	/* Move extent i of r->ext: 0 done, 1 a UD_MOVE completion follows, -errno. */
	int (*move)(struct ublk_queue *q, struct request *r, unsigned int i);
};

extern const struct data_path path_copy;
extern const struct data_path path_auto_buf_reg;

/* All of them, best first. */
extern const struct data_path *const data_paths[];
extern const unsigned int nr_data_paths;

/* By name; NULL: unknown. "auto" is none of them. */
const struct data_path *data_path_find(const char *name);

/* What a plugin asks of a data path: its descriptor's masks, or the final limits'. */
struct path_needs {
	uint32_t map_kinds;  /* of READ and WRITE by map; 0: not by map */
	uint32_t data_modes; /* of READ and WRITE by submit or call; 0: not so */
};
struct path_needs path_needs_of(const struct ublk_plugin *desc, uint32_t map_kinds,
				uint32_t data_modes);

/* NULL if this path can serve such a plugin on a driver with these features; else why not. */
const char *data_path_obstacle(const struct data_path *path, uint64_t features, bool buf_table,
			       const struct path_needs *needs);

/* The choice of --data-path auto, and why in one clause. buf_table: io_uring has sparse tables of
 * registered buffers. Never NULL. */
const struct data_path *data_path_auto(uint64_t features, bool buf_table,
				       const struct path_needs *needs, const char **why);

#endif
