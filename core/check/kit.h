/* SPDX-License-Identifier: MIT */
/*
 * What the files of the conformance kit share. One check is one process, which plays the kernel, the
 * application and the control thread; it ends with a verdict in memory shared with the parent (run.c).
 *
 * Reading order: run.c (the parent), kit.c (a device in the child), shim.c and services.c (what stands
 * between host and plugin, and watches both ways), then the checks.
 */
#ifndef CHECK_KIT_H
#define CHECK_KIT_H

#include <limits.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "check/check.h"
#include "config/options.h"
#include "queue/queue.h"
#include "transport/fake.h"

#define KIT_QUEUES 4
#define KIT_DEPTH 32
#define KIT_SEEN_SIZE 1024
#define KIT_CALLERS 64

enum kit_verdict { KIT_NONE, KIT_OK, KIT_FAILED, KIT_SKIPPED };

/* The child's news. Read by the parent when the child has ended, however it did. */
struct kit_report {
	atomic_int verdict; /* enum kit_verdict; the first counts */
	char seen[KIT_SEEN_SIZE];
	char doing[256]; /* what the application was at */
	/* Callbacks of the plugin that have not returned: names of ours, the same address in both. */
	_Atomic(const char *) in[KIT_CALLERS];
	char plugin[192]; /* what was loaded */
	struct check_speed speed[CHECK_SPEEDS];
	unsigned int nr_speeds;
	bool wrong_options;	/* the user's mistake, told in the messages */
	atomic_bool opened;	/* look's: the device came up */
	atomic_bool holds_data; /* there was something on the device before */
};

struct kit;

/* One queue of a device under check. */
struct kit_queue {
	struct ublk_queue *q; /* the control thread's */
	/* The queue's thread's; others may read it while it is live. */
	struct kit_dev *dev;
	struct ublk_queue *given; /* to the plugin: the same as q */
	void *qpriv;		  /* the plugin's */
	atomic_bool live;	  /* between queue_init and queue_exit */
};

/* One open device: a data plane, and the shim between it and the plugin. */
struct kit_dev {
	struct ublk_dev dev; /* first: pointers that plugins have are ours */
	struct kit *kit;
	struct ublk_plugin shim; /* what the data plane calls */
	void *priv;		 /* the plugin's */
	uint32_t scratch;	 /* the plugin's io_scratch_bytes */
	uint16_t nr_queues, nr_started;
	struct kit_queue queue[KIT_QUEUES];
	struct fake *fake;
	bool opened, started, prepared, recover;
	uint64_t ticked;	/* of now_ms() */
	struct stat *file_stat; /* of dev.files, when they were registered */
};

struct kit {
	const struct check_request *request;
	struct kit_report *report;
	struct device_config cfg;
	struct plugin *plugin;
	const struct ublk_plugin *desc; /* the plugin's, as the host reads it */
	struct option_values values;
	struct kit_dev *first, *second; /* that are, or were, open; second for one check only */
	uint64_t random;		/* state of kit_random() */
	const char *memory_dir;		/* folder of keep_memory()'s files */
	bool loaded;			/* load() has been called */
	bool bare;	      /* nothing stands between host and plugin: for measurements */
	unsigned char poison; /* what READs find in their memory; 0: other bytes each time */
	atomic_uint reads;    /* so far */
};

/* -- verdicts: these end the process */

#define __noreturn __attribute__((noreturn))
void kit_fail(struct kit *k, const char *fmt, ...) __printf_like(2, 3) __noreturn;
void kit_skip(struct kit *k, const char *fmt, ...) __printf_like(2, 3) __noreturn;

/* What the application does now, for who reads of a crash or a hang. */
void kit_doing(struct kit *k, const char *fmt, ...) __printf_like(2, 3);

/* -- kit.c: a device, step by step; what is not possible fails the check */

/* load() once, and open() with these UBLK_OPEN_*: the result, negative errno with nothing to close. */
int kit_try_open(struct kit *k, struct kit_dev **out, uint32_t flags);
/* The same, or the check fails. */
struct kit_dev *kit_must_open(struct kit *k, uint32_t flags);
/* The same, get_limits() and start(). */
struct kit_dev *kit_open(struct kit *k, uint32_t flags);
/* get_limits() of an opened device, with what is offered, and all that the host checks. */
void kit_limits(struct kit_dev *d, const struct device_config *cfg);
void kit_start(struct kit_dev *d);
/* Queues over the fake transport, no deeper than the limits allow. path NULL: the one that auto would
 * choose. */
void kit_queues(struct kit_dev *d, uint16_t nr, uint16_t depth, const struct path_choice *path);
/* The same with all that is usual: KIT_QUEUES or fewer, as the limits allow. */
void kit_usual_queues(struct kit_dev *d);
/* Abort what is under way, end the queues, and see that no rule was broken. */
void kit_end_queues(struct kit_dev *d);
/* Joined queues, and what they had in common. kit_close() does it after stop(). */
void kit_free_queues(struct kit_dev *d);
/* stop(), close(), free. */
void kit_close(struct kit_dev *d);
/* All of it. */
void kit_finish(struct kit_dev *d);

/* Data paths that can serve this plugin, by number: false beyond the last. */
bool kit_path(struct kit_dev *d, unsigned int i, struct path_choice *path);
bool kit_serves(const struct kit *k, unsigned int op);
/* Does it keep what is written? Not what says that all its bytes are nowhere. */
bool kit_keeps_data(const struct kit_dev *d);
bool kit_read_only(const struct kit_dev *d);
/* Both: what is written to it can be read again. */
bool kit_stores(const struct kit_dev *d);
uint32_t kit_block(const struct kit_dev *d);

/* -- request.c: the application */

struct kit_io {
	unsigned int op, flags; /* UBLK_OP_*, UBLK_IOF_* */
	uint64_t offset, length;
	void *data; /* READ: filled by kit_wait(); WRITE: what is written */
	uint16_t qid;
	int tag;
};

void kit_submit(struct kit_dev *d, struct kit_io *io);
int kit_wait(struct kit_dev *d, struct kit_io *io);
/* Of a READ or WRITE from offset on, the bytes that one request may have. */
uint64_t kit_step(const struct kit_dev *d, uint64_t offset, uint64_t length);
/* Has it ended? Then kit_wait() returns at once. */
bool kit_is_done(struct kit_dev *d, const struct kit_io *io);
/* Both, on queue 0. */
int kit_io(struct kit_dev *d, unsigned int op, unsigned int flags, uint64_t offset, uint64_t length,
	   void *data);
/* The same; a result other than 0 fails the check. */
void kit_must(struct kit_dev *d, unsigned int op, unsigned int flags, uint64_t offset,
	      uint64_t length, void *data);
/* Seconds that pass for the data plane. */
void kit_tick(struct kit_dev *d);
const char *kit_io_text(const struct kit_io *io, char buf[128]);

/* -- model.c: what must be on the device */

#define MODEL_WINDOWS 3
#define MODEL_WINDOW_BYTES (8u << 20)

struct model_window {
	uint64_t offset, length; /* on the device */
	uint8_t *bytes;
	uint8_t *any; /* per block: 1: nothing is known of it (discarded, or never read) */
};

struct model {
	struct kit_dev *d;
	uint32_t block;
	unsigned int nr;
	struct model_window window[MODEL_WINDOWS];
};

/* The beginning, the middle and the end of the device, as they are: read. */
void model_init(struct model *m, struct kit_dev *d);
void model_free(struct model *m);
/* Is there anything but zeroes in the windows? What cannot be read fails the check. */
bool model_finds_data(struct kit_dev *d);
/* A pattern, by WRITEs, all over the windows. */
void model_fill(struct model *m);
/* Zeroes on the device, where there is anything else. */
void model_clear(struct model *m);
/* Is the io's range within one window? */
bool model_holds(const struct model *m, const struct kit_io *io);
/* A range of whole blocks within one window. */
void model_random_range(struct model *m, uint32_t max_length, struct kit_io *io);
void model_write(struct model *m, const struct kit_io *io); /* WRITE: io->data is there now */
void model_zero(struct model *m, const struct kit_io *io);
void model_forget(struct model *m, const struct kit_io *io);
/* Does what was read agree? It fails the check if not, naming the first byte. */
void model_compare(struct model *m, const struct kit_io *io, const char *when);
/* Read all windows and compare. */
void model_verify(struct model *m, const char *when);

/* -- bench.c */

void bench_run(struct kit *k);

/* -- shim.c, services.c */

void shim_init(struct kit_dev *d);
/* Registered files that were closed too early, and what else shows before close(). */
void services_check_files(struct kit_dev *d);
extern const struct ublk_host kit_services;
/* services.c has to know who calls, without a pointer: a process has one kit. */
void services_begin(struct kit *k);

/* -- small things */

uint32_t kit_random(struct kit *k);
void kit_pattern(void *buf, uint64_t seed, uint64_t pos, size_t length);
bool kit_on_valgrind(void);
void *kit_alloc(struct kit *k, size_t size); /* page-aligned; fails the check */

/* What a process has, to find what was left: compared by leaks_compare(). */
struct leaks {
	unsigned int fds, threads;
	size_t heap, mapped; /* bytes; 0 where a tool looks after memory itself */
};
void leaks_look(struct leaks *now);
/* Waits a moment for threads to end. NULL, or what has grown from `before`, in words. */
const char *leaks_left(const struct leaks *before, char *buf, size_t size);

/* Load the plugin and parse its options: from then on nothing forks. What is wrong fails the check. */
void kit_load(struct kit *k);

/* A life of a server: fn in a process of its own, before this one has loaded the plugin. It dies by SIGKILL
 * when fn returns. Its verdict, if it has one, is the check's. */
void kit_life(struct kit *k, void (*fn)(struct kit *k, void *arg), void *arg);
/* The same for lives at the same time. */
pid_t kit_life_begin(struct kit *k, void (*fn)(struct kit *k, void *arg), void *arg);
void kit_life_end(struct kit *k, pid_t pid);

/* -- the checks */

struct kit_check {
	const char *name, *contract;
	void (*run)(struct kit *k);
	bool writes; /* to the device */
	bool lives;  /* it loads the plugin in processes of its own: kit_life() */
};

void check_open(struct kit *k);
void check_offers(struct kit *k);
void check_failed_open(struct kit *k);
void check_unstarted(struct kit *k);
void check_cycles(struct kit *k);
void check_queue_failure(struct kit *k);
void check_twice(struct kit *k);
void check_read_only(struct kit *k);
void check_process(struct kit *k);
void check_boundaries(struct kit *k);
void check_reads(struct kit *k);
void check_data(struct kit *k);
void check_parallel(struct kit *k);
void check_flush(struct kit *k);
void check_discard(struct kit *k);
void check_write_zeroes(struct kit *k);
void check_durable(struct kit *k);
void check_recover(struct kit *k);
void check_beside(struct kit *k);
void check_resize(struct kit *k);
void check_stop(struct kit *k);

#endif
