/* SPDX-License-Identifier: MIT */
/*
 * Requests made up in-process: a transport that behaves like the ublk driver over a real io_uring,
 * for unit tests, the conformance kit and fuzzers. It also watches the server as the driver would,
 * and harder: what breaks the protocol is counted as a violation.
 *
 * A test thread plays the application: fake_submit() puts a request into a queue, fake_wait() takes
 * its result. The data plane sees a struct transport and nothing else.
 */
#ifndef TRANSPORT_FAKE_H
#define TRANSPORT_FAKE_H

#include "transport/transport.h"

struct fake;

struct fake_config {
	uint16_t nr_queues, depth;
	uint32_t max_io; /* bytes of the largest READ or WRITE */
	/* UBLK_F_* that change the protocol: AUTO_BUF_REG, SUPPORT_ZERO_COPY, USER_COPY,
	 * NEED_GET_DATA, BATCH_IO. Without the first four, data is copied to and from the address
	 * given per tag. */
	uint64_t flags;
	bool mem_faults; /* the server's memory may fault: it is copied from as the driver does */
};

#define FAKE_ANY_TAG (-1)

/* What the descriptor will say. Nothing is checked: the server must stand anything. */
struct fake_request {
	int tag;	   /* or FAKE_ANY_TAG; out: the tag that it got */
	uint32_t op_flags; /* UBLK_IO_OP_* and UBLK_IO_F_*, as the driver stores them */
	uint32_t nr_sectors;
	uint64_t start_sector;
	const void *data; /* WRITE: nr_sectors of it, max_io at most; NULL: zeroes */
	/* With UBLK_IO_F_SHMEM_ZC: the buffer's index and the offset in it. Nothing is copied then,
	 * and data is what registered pages show. */
	uint64_t shared;
};

/* Of any tag, in the contract's words: op is a UBLK_OP_*, flags UBLK_IOF_*, the rest in bytes. */
struct fake_request fake_request_of(unsigned int op, unsigned int flags, uint64_t offset,
				    uint64_t length, const void *data);

/* 0 or -errno: -EOPNOTSUPP where this kernel's io_uring cannot post to another ring. */
int fake_create(const struct fake_config *config, struct fake **out);
/* After every queue has been closed. */
void fake_destroy(struct fake *f);

/* For struct ublk_dev. */
struct transport *fake_transport(struct fake *f);

/* AUTO_BUF_REG, before the queues start: this tag's pages are never registered for the server;
 * it gets UBLK_IO_F_NEED_REG_BUF and has to do it by command. */
void fake_need_register(struct fake *f, uint16_t qid, uint16_t tag);

/* Any thread. Hand n requests over at once. The number that were (their tags are filled in and
 * must be waited for), or -errno if it is none: -EBUSY: no such tag is free; -ENODEV: the queue is
 * closed or aborted. */
int fake_submit_many(struct fake *f, uint16_t qid, struct fake_request *reqs, unsigned int n);
/* One request: its tag, or -errno. */
int fake_submit(struct fake *f, uint16_t qid, const struct fake_request *req);

/* Any thread. True: fake_wait() for this tag will return at once. Costs no system call. */
bool fake_is_done(const struct fake *f, uint16_t qid, uint16_t tag);
/* Any thread. 0, with the server's result in *res and, after a READ, what the application's pages
 * hold in data (nr_sectors of it; may be NULL), and the tag is free again; -ETIMEDOUT if there is
 * no result after timeout_ms. */
int fake_wait(struct fake *f, uint16_t qid, uint16_t tag, unsigned int timeout_ms, int32_t *res,
	      void *data);

/* Any thread. Stop: each tag ends with UBLK_IO_RES_ABORT, at once or after its commit. */
void fake_abort_all(struct fake *f);

/* What READs find in their pages where nobody put anything; 0xa5 at first. Whoever submits, between requests. */
void fake_set_poison(struct fake *f, unsigned char poison);

/* How often the server broke the protocol, and the first time in words ("" if never). */
unsigned int fake_violations(const struct fake *f);
const char *fake_first_violation(const struct fake *f);
/* AUTO_BUF_REG or SUPPORT_ZERO_COPY: how often pages were registered by hand. */
unsigned int fake_registrations(const struct fake *f);

#endif
