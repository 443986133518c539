/* SPDX-License-Identifier: MIT */
/* What the two sides of the fake transport share: fake.c is the server's, fake_app.c the
 * application's. */
#ifndef TRANSPORT_FAKE_INTERNAL_H
#define TRANSPORT_FAKE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "transport/fake.h"

#define FAKE_INJECTOR_ENTRIES 256u

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
	uint64_t addr;	 /* FAKE_COPY: where the server wants, or has, the data */
	char *pages;	 /* the application's memory */
};

struct fake_queue {
	struct fake *fake;
	struct ublksrv_io_desc *descs;
	struct fake_tag *tags;
	char *pages;
	struct transport_queue *tq; /* NULL: closed; under inject_lock */
	pthread_t thread;	    /* that opened it */
};

struct fake {
	struct transport transport;
	struct fake_config config;
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

/* n completions for the queue's ring; inject_lock held, the queue open, n within the entries. A
 * failure is a violation, and the request lost. */
void fake_inject(struct fake_queue *fq, const uint16_t *tags, unsigned int n, int32_t res);

/* The tag has become idle: end it if the device stops. Any thread. */
void fake_end_if_stopping(struct fake_queue *fq, uint16_t tag);

/* The ring that injects; -EOPNOTSUPP: no messages to rings of the kind that queues use. */
int fake_injector_open(struct fake *f);

#endif
