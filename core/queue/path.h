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
	const char *name;	/* as in --data-path, manifests and messages */
	const char *batch_name; /* the same with batch commands; NULL: they cannot carry it */
	const char *what;	/* one clause for people: "no copy: ..." */
	uint64_t dev_flags;	/* UBLK_F_* that ADD_DEV must grant */
	const char *lacking;	/* one clause for people, where the driver has not got them */
	uint32_t map_kinds;	/* UBLK_EXT_* that move() can serve */
	uint32_t data_mode;	/* UBLK_DATA_* that submit() and call see; 0: it serves neither */
	uint32_t buffer_kinds;	/* of map_kinds: those that need a buffer of max_io_bytes per tag */
	uint32_t zero_kinds;  /* of map_kinds: those that need zeroes to copy from, or /dev/zero */
	bool driver_buffers;  /* the driver itself needs that buffer */
	bool needs_buf_table; /* a sparse table of registered buffers, one per tag */

	/* Fill r->addr: what FETCH and COMMIT tell the driver about this tag. When the queue starts,
	 * and when the tag has got another buffer. NULL: nothing. */
	void (*tag_addr)(const struct ublk_queue *q, struct request *r);
	/* A READ or WRITE arrived that submit() or call serves, or whose buffer the driver could not
	 * register. 0: go on; 1: its going on is arranged for; -errno fails it. NULL: nothing to do. */
	int (*begin)(struct ublk_queue *q, struct request *r);
	/* The io is about to be committed and r->ending is set. 0; 1: a completion goes on with the
	 * commit; -EBUSY: try again later; another -errno becomes the result. */
	int (*end)(struct ublk_queue *q, struct request *r);
	/* Move extent i of r->ext: 0 done, 1 map_moved() or map_retry() will be called, -errno. */
	int (*move)(struct ublk_queue *q, struct request *r, unsigned int i);
	/* A READ has brought length bytes of a file to pos of the tag's buffer. NULL: that is where
	 * they should be. 0 or -errno. */
	int (*moved)(struct ublk_queue *q, struct request *r, uint32_t pos, uint32_t length);
};

extern const struct data_path path_auto_buf_reg;
extern const struct data_path path_zero_copy;
extern const struct data_path path_user_copy;
extern const struct data_path path_commit_address;
extern const struct data_path path_copy;

/* All of them. */
extern const struct data_path *const data_paths[];
extern const unsigned int nr_data_paths;

/* A data path, and whether the driver's batch commands carry it. */
struct path_choice {
	const struct data_path *path;
	bool batch;
};
const char *path_choice_name(struct path_choice choice); /* as in --data-path */
/* By name; path NULL: unknown. "auto" is none of them. */
struct path_choice path_choice_find(const char *name);

/* What a plugin asks of a data path: its descriptor's masks, or the final limits'. */
struct path_needs {
	uint32_t map_kinds;  /* of READ and WRITE by map; 0: not by map */
	uint32_t data_modes; /* of READ and WRITE by submit, one of them; 0: not by submit */
	bool calls;	     /* READ or WRITE by call, which is given memory: UBLK_DATA_MAPPED */
	bool shared_queues;  /* several threads serve a queue */
};
struct path_needs path_needs_of(const struct ublk_plugin *desc, uint32_t map_kinds,
				uint32_t data_modes);

/* What the running kernel offers. */
struct path_kernel {
	uint64_t features; /* UBLK_F_* of the driver */
	bool buf_table;	   /* io_uring has sparse tables of registered buffers */
	bool buf_ring;	   /* and rings of provided buffers */
	bool unprivileged; /* to a process without CAP_SYS_ADMIN (rule 22) */
};

/* Whether such a plugin's queues have a buffer for each tag. */
bool data_path_has_buffers(const struct data_path *path, const struct path_needs *needs);

/* NULL if it can serve such a plugin on this kernel; else why not, in one clause. */
const char *path_obstacle(struct path_choice choice, const struct path_kernel *kernel,
			  const struct path_needs *needs);

/* The choice of --data-path auto, and why in one clause. path is never NULL: where none can serve such
 * a plugin, which takes its data in registered buffers only, it is one that has a path_obstacle(), and why
 * says what is missing. */
struct path_choice path_choose(const struct path_kernel *kernel, const struct path_needs *needs,
			       const char **why);

#endif
