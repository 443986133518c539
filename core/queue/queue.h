/* SPDX-License-Identifier: MIT */
/*
 * The data plane: one thread and one ring per queue, from a request's descriptor to its commit.
 *
 * What floors above may use is here; what the files of this room share is in internal.h.
 * Reading order: loop.c (the thread), dispatch.c (a request's way), then map.c, async.c or call.c.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "config/config.h"
#include "plugin/plugin.h"
#include "queue/path.h"
#include "queue/shared.h"
#include "queue/stats.h"
#include "transport/transport.h"

#define DEV_MAX_FILES                                                                              \
	256 /* slots of a device's ring file table, /dev/ublkcN and /dev/zero included */
#define CALL_WORKERS_MAX 8 /* worker threads of one queue for calls, and for the host's own work */

/* A file that extents may name, known to every queue's ring under the same slot. */
struct dev_file {
	int fd;
	bool is_block;	/* a block device: discards are commands */
	uint32_t block; /* it discards and zeroes by so many bytes, and refuses parts of them */
	bool is_direct; /* opened for direct I/O */
	bool by_plugin;
	bool synced; /* by FLUSH: a socket or an eventfd cannot be, nor does it have to */
	atomic_uint ring_lacks; /* range.c: what rings have been found unable to do to it */
};

/* What the queues of a device share. Constant while they run, but for files[].ring_lacks, size,
 * failed and the hooks' own. */
struct ublk_dev {
	const char *name; /* for messages */
	const struct ublk_plugin *plugin;
	void *priv;		   /* the plugin's */
	struct ublk_limits limits; /* the final ones, and the size that it began with */
	_Atomic uint64_t size;	   /* bytes, now: queues take it over by QUEUE_ASK_SIZE */
	const struct data_path *path;
	bool batch; /* the driver's batch commands carry it */
	struct transport *transport;
	struct dev_file files[DEV_MAX_FILES];
	unsigned int nr_files; /* slot 0 is the transport's */
	int zero_slot;	       /* /dev/zero, or 0 */
	void *zeroes;	       /* max_io_bytes of them, never written, or NULL */
	/* By the driver's index; what is not mapped is none. */
	struct shared_memory shared[MAX_SHARED_MEMORY];
	bool has_buffers; /* each tag has one of max_io_bytes */
	size_t huge_page; /* bytes; 0: none are used */
	bool open_phase;  /* file_register() is allowed */
	uint8_t profile[NR_OPS];
	uint32_t io_timeout;	    /* ticks (seconds) that a plugin may hold an io; 0: for ever */
	uint16_t threads_per_queue; /* that share the tags of a driver's queue */
	int64_t poll_us;     /* to look for requests before sleeping; -1: as long as it pays */
	int notify_fd;	     /* eventfd: gets a count when a queue's thread leaves its loop */
	struct stats *stats; /* with a block for each queue; the caller's, until queue_free() */
	/* Control thread, while open_phase: memory that outlives the server, as host->keep_memory(); NULL:
	 * there is none. */
	int (*keep_memory)(struct ublk_dev *dev, const char *name, uint64_t size);
	/* By each queue's thread when it has fetched, or failed to; NULL: nobody wants to know. */
	void (*fetched)(struct ublk_dev *dev);
	/* A queue that is started makes what is its own, and waits for QUEUE_ASK_GO (or _QUIT) before it looks
	 * at the transport's file, at files that the plugin has registered, and at stats, and calls
	 * queue_init(). */
	bool queues_wait;
	/* Called from any thread: the backend or a queue is lost, the device should stop. */
	void (*failed)(struct ublk_dev *dev, int err, const char *why);
};

/* Requests to a queue's thread, as bits. */
enum queue_ask {
	QUEUE_ASK_EVENT = 1u << 0,   /* the plugin's event() */
	QUEUE_ASK_TICK = 1u << 1,    /* a second has passed */
	QUEUE_ASK_CANCEL = 1u << 2,  /* stopping: plugin->cancel() for what it holds */
	QUEUE_ASK_ABANDON = 1u << 3, /* stopping: take everything away from the plugin */
	QUEUE_ASK_QUIT = 1u << 4,    /* leave the loop without waiting for the tags */
	/* The device goes on under another server: end what has begun, and leave. What else arrives is
	 * left for that server (LEAVE), or, from a driver that hands out no more, is the last to be
	 * served (FINISH). */
	QUEUE_ASK_LEAVE = 1u << 5,
	QUEUE_ASK_FINISH = 1u << 6,
	QUEUE_ASK_SIZE = 1u << 7, /* the device's size has changed */
	QUEUE_ASK_GO = 1u << 8,	  /* the device is there now: see queues_wait */
};

struct ublk_queue;

/*
 * A queue here is a thread with a ring. It serves all tags of one of the driver's queues, or, where
 * threads_per_queue is more than 1, some: index / threads_per_queue is the driver's queue. To the
 * plugin, and in messages, each is a queue of its own, and its qid is its index.
 */

/* Build a queue and start its thread on the CPUs of mask (NULL: anywhere), which sets it up, beside those
 * of other queues. 0 or -errno, logged. Control thread. */
int queue_start(struct ublk_dev *dev, uint16_t index, const cpu_set_t *mask, size_t mask_size,
		struct ublk_queue **out);
/* Once for each queue that was started, whatever comes of it: returns when its tags are fetched; or -errno,
 * logged, when it has ended instead. Waits for the plugin's queue_init(): the caller keeps a deadline over
 * that. With queues_wait once before that, too: it has what is its own, and waits to be told to go. */
int queue_wait_started(struct ublk_queue *q);

/* Any thread. */
void queue_ask(struct ublk_queue *q, unsigned int bits);

/* Control thread: true when the thread has left its loop (all tags aborted, or QUIT). */
bool queue_ended(const struct ublk_queue *q);
/* The same: it has, with requests that nobody will complete. */
bool queue_is_broken(const struct ublk_queue *q);
/* Ios that the plugin holds, or was too busy to take, as seen from outside: while there are any, the
 * queue wants its ticks. */
unsigned int queue_held(const struct ublk_queue *q);
/* Any thread, until queue_free(): is it an io of this queue's, with the plugin or not? */
bool queue_knows_io(struct ublk_queue *q, const struct ublk_io *io);
const struct queue_counters *queue_counters(const struct ublk_queue *q);

/* Wait for the end of its threads. False: a worker did not come back from the plugin, at all or in time for
 * queue_exit(); the plugin must not be called any more, the queue's memory must stay, and the process
 * should end by _exit(). */
bool queue_join(struct ublk_queue *q);
/* After the plugin's stop(): until then its threads may still speak of the queue. */
void queue_free(struct ublk_queue *q);

/* Control thread. Give the device of these queues another size; size.c. Returns when every queue refuses what
 * reaches beyond it, and none has such an io in flight: 0; -ETIMEDOUT after ms: then they go on with the
 * former size. */
int dev_set_size(struct ublk_dev *dev, struct ublk_queue *const *queues, unsigned int nr,
		 uint64_t size, unsigned int ms);

/* A slot for fd in every queue's file table, before queue_start(). >= 0, or -errno. */
int dev_add_file(struct ublk_dev *dev, int fd, bool by_plugin);
/* How many of them FLUSH syncs. */
unsigned int dev_synced_files(const struct ublk_dev *dev);

/* The memory of one queue's ring. */
uint64_t queue_ring_bytes(uint32_t depth, const struct ublk_limits *limits);
/* Whether the kernel would give this process the rings of nr queues, all at once: 0 or -errno, not
 * logged. There is none afterwards. */
int queue_rings_try(uint32_t nr, uint32_t depth, const struct ublk_limits *limits);

/* Fill dev->profile, dev->zero_slot and so on from plugin, limits and path. -errno, logged. */
int dev_prepare(struct ublk_dev *dev);
void dev_unprepare(struct ublk_dev *dev);

/* The table that plugins get. */
extern const struct ublk_host host_services;

#endif
