/* SPDX-License-Identifier: MIT */
/*
 * What the files of the data plane share: a request, a queue, and each other's functions. Everything
 * runs on the queue's thread unless it says otherwise.
 */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "config/config.h"
#include "queue/queue.h"
#include "transport/commit.h"

#define MAP_FEW 2     /* extents that a request has room for itself */
#define MAP_WINDOW 64 /* extents of one io that are looked up and moved at a time */
#define RETRY_MS 2000 /* so long is an operation that fails with a passing error tried again */
#define ERRNO_MAX 4095

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum request_state {
	REQ_KERNEL, /* fetched: the driver owns the tag */
	REQ_HOST,   /* ours: being moved, or waiting for a retry */
	REQ_PLUGIN, /* held by submit() or a worker: the watchdog counts */
	REQ_GONE,   /* aborted: the tag will not come back */
};

/* How a request goes on when the driver has copied a WRITE's data to where it was told. */
enum data_then {
	THEN_MOVED,  /* it is where the plugin wants it */
	THEN_MOVE,   /* it is in the tag's buffer: the extents of retry_bits are moved */
	THEN_COMMIT, /* nobody wants it */
};

/* What the retry list does with a request. */
enum retry_what {
	RETRY_BEGIN,
	RETRY_DISPATCH,
	RETRY_SUBMIT,
	RETRY_MOVE,
	RETRY_SYNC,
	RETRY_COMMIT,
	RETRY_FETCH
};

/* A completion by complete_remote(): one node per slot, so that nothing is allocated. */
struct remote {
	struct remote *next;
	atomic_bool queued;
	int32_t res;
};

/* The public io and who holds it. Slots are never freed while the device lives, so that a late
 * completion points to memory of ours. */
struct io_slot {
	struct ublk_io io;
	uint16_t tag;
	uint8_t state;	  /* enum slot_state */
	uint32_t sqes;	  /* the plugin's ring operations in flight for this io */
	int32_t held_res; /* SLOT_DRAINING: the result that waits for them */
	uint32_t taken;	  /* SLOT_TAKEN: the tick when it was */
	void *buf_kept;	  /* SLOT_ABANDONED: the buffer that the plugin may still touch */
	struct remote remote;
};

enum slot_state {
	SLOT_IDLE,
	SLOT_OWNED,
	SLOT_DRAINING,	/* completed, but for its ring operations */
	SLOT_TAKEN,	/* taken away, but for its ring operations: the tag is not free before */
	SLOT_ABANDONED, /* taken away: nothing of it is used again */
};

struct plugin_op; /* sqes.h */
struct ranges;	  /* range.c: what a DISCARD, WRITE_ZEROES or FLUSH is to be done to */

/* One job for a worker. Points to nothing of the request, so that the request may be taken away. */
struct job {
	struct job *next;
	struct ublk_queue *q;
	int (*run)(struct job *job); /* worker thread; 0 or -errno */
	struct ublk_io io;	     /* op, offset, length, flags, buf */
	struct ranges *ranges;	     /* the request's, until the job is abandoned; then its own */
	int32_t res;
	uint32_t since; /* tick: it was begun, or has been waiting; workers' lock */
	uint16_t tag;
	bool begun;	       /* workers' lock */
	bool watched;	       /* it calls the plugin: the request is in REQ_PLUGIN meanwhile */
	atomic_bool abandoned; /* nobody waits for it any more; set by the queue's thread */
	void *buf_kept;	       /* queue thread only */
};

/* Where the extents of an io are that are too many for its request. */
struct window {
	struct ublk_extent ext[MAP_WINDOW];
	uint32_t pos[MAP_WINDOW];
};

/* A tag. What an io of one extent touches is in the first two cache lines. */
struct request {
	struct tag_addr addr;	 /* what FETCH and COMMIT tell */
	void *buf;		 /* the tag's buffer, or NULL */
	struct io_slot *slot;	 /* slot->io is the io in force */
	struct ublk_extent *ext; /* nr_ext of them: few, or those of the tag's struct window */
	uint32_t *pos;		 /* where in the io the rest of an extent begins */
	uint32_t nr_ext;
	uint32_t zeroed;      /* so many leading bytes of buf are zero */
	uint32_t fixed_bytes; /* and so many are the ring's registered buffer `tag` */
	uint16_t tag;
	uint8_t state; /* enum request_state */
	uint8_t op;
	uint8_t parity;		      /* which of the tag's two slots is in use */
	uint8_t retry;		      /* enum retry_what, while on the retry list */
	bool listed;		      /* on the retry list */
	bool buf_own : 1;	      /* buf is a mapping of its own, not a part of the queue's */
	unsigned char huge_tries : 3; /* so often may buf be made of huge pages yet */

	union {
		struct {
			uint64_t done;		 /* bytes of earlier windows */
			uint64_t retry_bits;	 /* RETRY_MOVE: which extents */
			uint32_t retry_since;	 /* ms, of the first passing error; 0: none */
			int32_t error;		 /* the first one */
			int32_t result;		 /* what COMMIT says, while it waits */
			uint16_t pending;	 /* ring operations and jobs in flight for it */
			bool ending;		 /* the path's end() has something to do */
			bool buf_registered : 1; /* by hand */
			bool buf_asked : 1;	 /* that is on its way */
			bool data_owed : 1;  /* a WRITE whose data the driver has not copied yet */
			bool data_asked : 1; /* that is on its way */
			unsigned char data_then : 2; /* enum data_then, while it is */
			bool shared : 1; /* its data is in shared memory: path_shared is its path */
			bool cancelled : 1; /* by cancel(): not to be tried again */
		};
		uint64_t fresh[4]; /* all of it is 0 when a request arrives */
	};
	uint64_t window;		 /* bytes of this one */
	struct ublk_extent few[MAP_FEW]; /* the second is in the next line */

	uint32_t few_pos[MAP_FEW];
	uint32_t tick; /* when the plugin got it */
	struct io_slot
		*pair[2]; /* submit() gets them in turns: a second completion meets an idle slot */
	uint64_t since;	  /* ns, when it arrived; 0: its latency is not measured */
	struct shared_memory *shared_memory; /* if shared: which, */
	char *shared_buf;		     /* and where in it */
	struct job *job;
	struct request *next;  /* on the retry list */
	struct ranges *ranges; /* NULL: none was needed yet */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct request, window) ==
		       offsetof(struct request, fresh) + sizeof(((struct request *)0)->fresh),
	       "what is 0 when a request arrives is what is cleared");

struct workers {
	struct ublk_queue *q;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **last;
	unsigned int nr, max;
	unsigned int idle, queued; /* a woken worker idles until it has taken its job */
	uint32_t tick;		   /* as the queue's, */
	uint32_t took;		   /* and when one took a job last */
	bool stop;
	pthread_t thread[CALL_WORKERS_MAX];
};

/* A request whose latency is measured, on its way out. */
struct timed {
	uint64_t since; /* ns */
	uint8_t op;
};

struct ublk_queue {
	struct io_uring ring;
	struct transport_queue tq;
	struct ublk_dev *dev;
	const struct data_path *path;
	const struct ublk_plugin *plugin;
	int (*map)(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max);
	void *qpriv;
	struct request *reqs;
	struct window *windows; /* one per tag; NULL: nothing is mapped */
	struct io_slot *slots;	/* 2 per tag, then spares for abandoned ones */
	uint32_t nr_slots, spare_slot;
	uint16_t qid, depth;
	/* fast.c's */
	bool slow;		   /* nothing goes the short way at the moment, */
	bool slow_writes;	   /* but for READs: nothing serves WRITEs */
	bool no_more;		   /* batch commands: a tag that is committed does not come back */
	bool timing;		   /* latencies are measured in this round */
	bool mem_faults;	   /* UBLK_DEV_MEM_FAULTS */
	uint32_t kinds;		   /* bit k: map may return kind k */
	uint32_t moves_nothing[2]; /* by READ, WRITE: and then there is nothing to move */
	uint32_t max_sectors;
	uint64_t dev_sectors; /* size.c's: the device's size, as this queue knows it */
	uint16_t lane;	      /* of the threads that share the driver's queue, this is the n-th */
	uint16_t nr_own;      /* tags that are this thread's */
	uint16_t active;      /* tags that we own */
	uint16_t gone;	      /* tags that were aborted */
	uint16_t held;	      /* tags in REQ_PLUGIN */
	uint16_t refused;     /* tags that submit() refused and will be offered again */
	bool stopping;	      /* a tag was aborted, or we were told */
	bool quit;
	bool leaving;	    /* ends as soon as nothing is left that has begun */
	bool takes_no_more; /* what arrives is the next server's */
	bool ending;	    /* out of its loop: the plugin's ring operations are to end */
	bool wake_armed;
	bool has_ring, has_transport, has_plugin; /* what set-up got to */
	bool exit_owed; /* a call was in the plugin when queue_exit() should have been called */
	uint32_t tick;
	bool registers;	    /* tag buffers, with its ring */
	uint32_t large_io;  /* bytes of an io that has its tag's buffer made of huge pages */
	uint32_t mem_reads; /* path_commit_address.c: READs of memory that may fault */
	uint64_t sqe_budget, sqes_used; /* the plugin's ring operations: sqes.h */
	struct plugin_op *ops;		/* sqe_budget places */
	uint32_t op_free;		/* the first place that is free */
	bool *lent; /* SQEs that the plugin has from sqe_get() and may prepare, by place in the ring */
	uint32_t uncommitted; /* so many of them */
	bool chain_open;      /* the last one is linked to what comes next */
	uint32_t misuse_seen; /* of misuse_elsewhere */
	struct request *retry_first, **retry_last;
	int64_t poll_us;		 /* as in struct ublk_dev */
	uint32_t poll_now_us;		 /* poll.c: how long it is worth at the moment */
	uint64_t poll_since;		 /* ns, when this wait began, if it is measured */
	pthread_mutex_t *call_lock;	 /* NULL, or held around the plugin's data calls */
	atomic_bool call_lock_lost;	 /* a worker went away with it */
	struct queue_counters *counters; /* in its block of the device's statistics */
	const uint32_t *latency;	 /* the word in the statistics that switches these: */
	struct timed *timed;		 /* ended in this round of the loop; depth of them */
	uint16_t nr_timed;
	uint64_t round_ns; /* when this round began, if q->timing */

	/* from other threads */
	_Atomic(struct job *) jobs_done;  /* newest first */
	_Atomic(struct remote *) remotes; /* newest first */
	atomic_uint asked;
	atomic_uint misuse_elsewhere;
	_Atomic uint64_t size_kept; /* no io reaches beyond this; 0: some do */
	bool broken;		    /* it ended because its ring failed; before `ended` */
	atomic_bool ended;
	int wake_fd;
	uint64_t wake_count; /* where the ring reads the eventfd to */

	/* set-up and end */
	void *bufs;
	size_t bufs_size;
	void *scratch;
	size_t scratch_stride;
	cpu_set_t *cpus;
	size_t cpus_size;
	cpu_set_t process_cpus;
	pthread_t thread;
	sem_t ready;
	int start_res;
	pthread_mutex_t lock_store;
	pthread_mutex_t call_turn; /* whose turn it is to wait for call_lock */
	struct workers workers;	   /* for calls of the plugin, */
	struct workers
		own_workers; /* and for what the host itself does, which they do not wait for */
};

/* Neighbouring tags belong together: the block layer hands them out, and the driver takes them over,
 * by the run. */
#define LANE_RUN 8
static inline bool queue_owns(const struct ublk_queue *q, uint32_t tag)
{
	uint32_t lanes = q->dev->threads_per_queue;
	uint32_t run = q->depth < lanes * LANE_RUN ? 1 : LANE_RUN;

	return tag / run % lanes == q->lane;
}

static inline void request_set_buf(struct ublk_queue *q, struct request *r, void *buf)
{
	r->buf = buf;
	r->fixed_bytes = 0; /* what is registered is the buffer before it */
	if (q->path->tag_addr)
		q->path->tag_addr(q, r);
}

/* path_shared.c: of requests whose data is in shared memory, whatever the device's data path. */
extern const struct data_path path_shared;

static inline const struct data_path *request_path(const struct ublk_queue *q,
						   const struct request *r)
{
	return unlikely(r->shared) ? &path_shared : q->path;
}

/* fast.c: requests have arrived. */
void requests_arrived(struct ublk_queue *q, const uint16_t *tags, unsigned int n);
/* All completions that are there; how many. */
unsigned int cqes_handle(struct ublk_queue *q);
/* After a change of q->timing, q->no_more or q->leaving. */
void fast_update(struct ublk_queue *q);
void fast_init(struct ublk_queue *q);
/* Rule 15: the driver's flags are tested on op_flags as it is, not shifted. */
static inline uint32_t io_flags(uint32_t op_flags)
{
	return (op_flags & UBLK_IO_F_FUA ? UBLK_IOF_FUA : 0) |
	       (op_flags & UBLK_IO_F_NOUNMAP ? UBLK_IOF_NOUNMAP : 0);
}

/* size.c: the device's size, when the queue starts and when it was asked to look again. */
void size_update(struct ublk_queue *q);

/* dispatch.c: a request's way in and out, where it is not short */
/* A request has arrived. needs_data: a WRITE, whose data is copied only when the driver is told where
 * to. */
void request_take(struct ublk_queue *q, uint16_t tag, bool needs_data);
void request_commit(struct ublk_queue *q, struct request *r);
void request_registered(struct ublk_queue *q, struct request *r, int32_t res);
void request_has_data(struct ublk_queue *q, struct request *r);
void request_dispatch(struct ublk_queue *q, struct request *r);
void request_done(struct ublk_queue *q, struct request *r, int32_t error);
bool request_may_retry(struct ublk_queue *q, struct request *r, int32_t error);
void request_retry(struct ublk_queue *q, struct request *r, enum retry_what what);
void request_fetch(struct ublk_queue *q, struct request *r);
void retry_all(struct ublk_queue *q);
static inline bool errno_is_passing(int32_t err)
{
	return err == -EAGAIN || err == -EBUSY || err == -ENOMEM || err == -EINTR;
}
/* A rule of the contract was broken: counted, and logged with restraint. */
void plugin_misuse(struct ublk_queue *q, const char *fmt, ...) __printf_like(2, 3);
/* The same on a thread that is not the queue's, which counts it by misuse_collect(). */
void plugin_misuse_elsewhere(struct ublk_queue *q, const char *fmt, ...) __printf_like(2, 3);
void misuse_collect(struct ublk_queue *q);

/* map.c */
void map_run(struct ublk_queue *q, struct request *r);
/* It begins as the first answer to map() with MAP_FEW tells. */
void map_answered(struct ublk_queue *q, struct request *r, int n);
/* res: what move() of its only extent has returned. */
void map_go_on(struct ublk_queue *q, struct request *r, int res);
void map_moved(struct ublk_queue *q, struct request *r, unsigned int i, int32_t res);
void map_retry(struct ublk_queue *q, struct request *r);
void map_retry_failed(struct ublk_queue *q, struct request *r, int32_t error);
/* The extents of the io from byte `at` on, into r->ext, as many as go: 0 or -errno. */
int map_window(struct ublk_queue *q, struct request *r, uint64_t at);
/* The files that a FLUSH is for, into r->ext, each once or more: 0 or -errno. */
int map_flush(struct ublk_queue *q, struct request *r);
/* An operation of the window has failed with r->error. */
void window_failed(struct ublk_queue *q, struct request *r);
/* All of r->window has come to an end. True: the io goes on with the next one. */
static inline bool window_ended(struct ublk_queue *q, struct request *r)
{
	if (unlikely(r->error)) {
		window_failed(q, r);
		return false;
	}
	r->done += r->window;
	if (unlikely(r->done < r->slot->io.length))
		return true;
	request_done(q, r, 0);
	return false;
}

/* range.c: DISCARD, WRITE_ZEROES and FLUSH of the map profile, and FLUSH of any other */
void range_run(struct ublk_queue *q, struct request *r);
void range_cqe(struct ublk_queue *q, struct request *r, uint32_t cookie, int32_t res);
void range_job_done(struct ublk_queue *q, struct request *r, const struct job *job);
void sync_files(struct ublk_queue *q, struct request *r);
void sync_done(struct ublk_queue *q, struct request *r, int32_t res);

/* A READ or WRITE has arrived that the driver has found in shared memory. 0, or -EIO: it is in none
 * of ours. */
int shared_take(struct ublk_queue *q, struct request *r);

/* path_buf.c and path_fixed.c: what data paths share */
int buf_move(struct ublk_queue *q, struct request *r, unsigned int i);
int shared_move(struct ublk_queue *q, struct request *r, unsigned int i);
int fixed_move(struct ublk_queue *q, struct request *r, unsigned int i);
int fixed_register(struct ublk_queue *q, struct request *r);
int fixed_begin(struct ublk_queue *q, struct request *r);
int fixed_end(struct ublk_queue *q, struct request *r);
static inline bool extent_moves_nothing(const struct request *r, unsigned int i)
{
	return r->ext[i].kind == UBLK_EXT_VOID ||
	       (r->ext[i].kind == UBLK_EXT_ZERO && r->op == UBLK_OP_WRITE);
}

/* async.c */
void submit_run(struct ublk_queue *q, struct request *r);
void slot_complete(struct ublk_queue *q, struct io_slot *slot, int32_t res);
void plugin_cqe(struct ublk_queue *q, const struct io_uring_cqe *cqe);
void remotes_drain(struct ublk_queue *q);

/* call.c */
void call_run(struct ublk_queue *q, struct request *r);
int call_op(const struct ublk_dev *dev, const struct ublk_io *io);
int call_result(struct ublk_queue *q, const struct ublk_io *io, int res);
void jobs_drain(struct ublk_queue *q);
void jobs_drop(struct ublk_queue *q); /* control thread, after queue's thread and workers */

/* files.c: what a worker does to a file's range; a DISCARD's is of whole blocks of the file */
int file_range_op(const struct dev_file *file, unsigned int op, uint64_t offset, uint64_t length,
		  uint32_t flags);

/* workers.c */
void workers_init(struct ublk_queue *q);
void workers_destroy(struct ublk_queue *q);
int workers_add(struct ublk_queue *q, struct job *job);	    /* 0 or -EAGAIN */
bool workers_remove(struct ublk_queue *q, struct job *job); /* true: nobody has begun it */
void workers_tick(struct ublk_queue *q);
/* Whether a call takes longer than `limit` ticks; or has waited for longer, and no worker came free. */
bool workers_overdue(struct ublk_queue *q, const struct job *job, uint32_t limit, bool *begun);
bool workers_end(struct ublk_queue *q);

/* watch.c: what leaves a plugin's hands without its consent */
void watch_tick(struct ublk_queue *q);
void watch_cancel(struct ublk_queue *q);
void watch_abandon(struct ublk_queue *q);
void request_abandon(struct ublk_queue *q, struct request *r, const char *why);
/* What other threads look at while the queue runs, and what is seldom enough to be worth saying so.
 * There is one writer, so that an add need not be atomic. */
#define count_add(count, n)                                                                        \
	__atomic_store_n(count, (__typeof__(*(count)))(*(count) + (n)), __ATOMIC_RELAXED)
static inline void request_hold(struct ublk_queue *q, struct request *r)
{
	r->state = REQ_PLUGIN;
	r->tick = q->tick;
	count_add(&q->held, 1);
}
static inline void request_unhold(struct ublk_queue *q, struct request *r)
{
	r->state = REQ_HOST;
	count_add(&q->held, -1);
}

/* poll.c: look for completions without sleeping, as long as it seems worth it. True: there are some,
 * and what was queued has been submitted. */
bool ring_poll(struct ublk_queue *q);
/* It slept, and q->poll_since is set. */
void poll_slept(struct ublk_queue *q);

/* latency.c: what is done only while latencies are measured; once per round, before and after the
 * requests of the round are handled, and for each that ends with r->since set */
void latency_begin(struct ublk_queue *q, uint32_t session);
void latency_end(struct ublk_queue *q);
void latency_request_done(struct ublk_queue *q, struct request *r);

/* loop.c */
void *queue_thread(void *arg);
void cqe_handle(struct ublk_queue *q, const struct io_uring_cqe *cqe);

/* setup.c: memory, files and ring of a queue; on its thread */
int queue_prepare(struct ublk_queue *q); /* what needs no device */
int queue_attach(struct ublk_queue *q);	 /* the rest */
void queue_teardown(struct ublk_queue *q);
/* buffers.c */
#define TAG_HUGE_TRIES 4 /* pages that an io in flight keeps cannot be gathered */
int tag_buffers_alloc(struct ublk_queue *q); /* q->bufs: 0 or -ENOMEM */
/* Whether its buffers should be the ring's: its table of them is yet to be made. */
bool tag_buffers_can_register(const struct ublk_queue *q);
/* A file that is open for direct I/O is about to read to the tag's buffer, or write from it, so many
 * bytes at once: the buffer is made fit for such, if it can be. */
void tag_buffer_prepare(struct ublk_queue *q, struct request *r, uint32_t length);
static inline bool tag_buffer_is_fit(const struct ublk_queue *q, const struct request *r,
				     uint32_t length)
{
	return (r->slot->io.length <= r->fixed_bytes || !q->registers) &&
	       (length < q->large_io || !r->huge_tries);
}
size_t huge_page_size(void);	 /* 0: none, or the system shall not use them */
void *buffer_alloc(size_t size); /* page-aligned, zero, touched by nobody; NULL on failure */

/* Around every data call of the plugin: nothing, unless its thread model asks for more. False: the
 * call may not be made, another one never came back. */
bool call_lock_take(struct ublk_queue *q);
static inline bool plugin_enter(struct ublk_queue *q)
{
	return likely(!q->call_lock) || call_lock_take(q);
}
static inline void plugin_leave(struct ublk_queue *q)
{
	if (unlikely(q->call_lock))
		pthread_mutex_unlock(q->call_lock);
}

#endif
