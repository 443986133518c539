/* SPDX-License-Identifier: MIT */
/* What the two sides of the fake transport share: fake.c is the server's, fake_app.c the
 * application's. */
#ifndef TRANSPORT_FAKE_INTERNAL_H
#define TRANSPORT_FAKE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "transport/fake.h"

#define FAKE_INJECTOR_ENTRIES 256u
#define FAKE_ELEM_BYTES (sizeof(struct ublk_elem_header) + sizeof(uint64_t))

enum tag_state {
	TAG_NEW,  /* not fetched yet */
	TAG_IDLE, /* fetched: waits for a request */
	TAG_BUSY, /* the server has its request */
	TAG_ENDED /* aborted */
};

struct fake_tag {
	atomic_uint state;
	atomic_bool claimed; /* by the application, from fake_submit() to fake_wait() */
	atomic_bool done;    /* result is there */
	int32_t result;
	uint32_t bytes;	 /* of the request's data, max_io at most */
	uint64_t length; /* that its descriptor says */
	uint8_t op;
	bool fallback;	 /* its pages are not registered for the server */
	bool registered; /* by hand; queue's thread */
	bool data_owed;	 /* NEED_GET_DATA: a WRITE whose data has not been asked for */
	bool shared;	 /* the driver has nothing to copy for it */
	uint64_t addr;	 /* where the server wants, or has, the data */
	char *pages;	 /* the application's memory */
	/* Whose it is: set by its fetch; tq is NULL when closed, and under inject_lock. */
	struct transport_queue *tq;
	pthread_t thread;
};

struct fake_queue {
	struct fake *fake;
	struct ublksrv_io_desc *descs;
	struct fake_tag *tags;
	char *pages;
	unsigned int nr_open;	    /* threads that serve it; under inject_lock */
	struct transport_queue *tq; /* batch commands: the one; under inject_lock */

	/* batch commands */
	uint16_t *arrived;	  /* tags with requests, a ring of depth: by inject_lock */
	uint16_t *told;		  /* those that tags() told of last */
	atomic_uint arrived_in;	  /* free-running; the application's side writes */
	unsigned int arrived_out; /* the server's side */
	char *elems;		  /* commits that flush() will deliver */
	bool batch_ended;	  /* the completion that says so has been posted; inject_lock */
};

struct fake {
	struct transport transport;
	struct fake_config config;
	unsigned char poison;
	struct fake_queue *queues;
	size_t pages_size; /* of a queue */
	pthread_mutex_t inject_lock;
	struct io_uring injector;
	pthread_mutex_t wait_lock;
	pthread_cond_t done;
	atomic_uint waiters;
	atomic_bool stopping;
	atomic_uint violations, registrations;
	char first_violation[160]; /* written once, before violations is raised to 1 */
	atomic_flag has_first;
};

/* Counted, logged, and the first one kept. Any thread. */
void fake_violation(struct fake_queue *fq, const char *fmt, ...) __printf_like(2, 3);

static inline bool fake_has(const struct fake *f, uint64_t flag)
{
	return f->config.flags & flag;
}

/* Data goes to and from an address per tag. */
static inline bool fake_copies(const struct fake *f)
{
	return !(f->config.flags &
		 (UBLK_F_AUTO_BUF_REG | UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_USER_COPY));
}

/* fake.c, for fake_batch.c: what a command per io does; and fake_batch.c's own. */
struct fake_queue *fake_queue_of(const struct transport_queue *tq);
int fake_fetch(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr);
int fake_commit(struct transport_queue *tq, uint16_t tag, int32_t res, const struct tag_addr *addr);
int fake_post_nop(struct transport_queue *tq, uint64_t ud);
int fake_batch_alloc(struct fake_queue *fq, unsigned int depth);
void fake_batch_free(struct fake_queue *fq);
int fake_batch_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
		      const struct tag_addr *addr);
unsigned int fake_batch_flush(struct transport_queue *tq);
int fake_batch_tags(struct transport_queue *tq, const struct io_uring_cqe *cqe,
		    const uint16_t **tags);
void fake_batch_tags_done(struct transport_queue *tq, const struct io_uring_cqe *cqe);
int fake_batch_done(struct transport_queue *tq, const struct io_uring_cqe *cqe, uint16_t *tag);

/* n completions for the queue's ring; inject_lock held, the queue open, n within the entries. A
 * failure is a violation, and the request lost. */
void fake_inject(struct fake_queue *fq, const uint16_t *tags, unsigned int n, int32_t res);

/* The tag has become idle: end it if the device stops. Any thread. */
void fake_end_if_stopping(struct fake_queue *fq, uint16_t tag);

/* The ring that injects; -EOPNOTSUPP: no messages to rings of the kind that queues use. */
int fake_injector_open(struct fake *f);

#endif
