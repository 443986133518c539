// SPDX-License-Identifier: MIT
/*
 * Requests made up in-process, the server's side: fetch, commit and buffers, on the queue's thread,
 * without a lock or a system call unless somebody sleeps in fake_wait() or the device stops.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/fake_internal.h"

static struct fake *fake_of(const struct transport *t)
{
	return container_of((struct transport *)(uintptr_t)t, struct fake, transport);
}

struct fake_queue *fake_queue_of(const struct transport_queue *tq)
{
	return &fake_of(tq->transport)->queues[tq->qid];
}

void fake_violation(struct fake_queue *fq, const char *fmt, ...)
{
	struct fake *f = fq->fake;
	char text[sizeof(f->first_violation)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!atomic_flag_test_and_set(&f->has_first))
		memcpy(f->first_violation, text, sizeof(text));
	atomic_fetch_add(&f->violations, 1);
	log_err("fake transport: queue %u: %s", (unsigned int)(fq - f->queues), text);
}

/* Rule 13. */
static void check_addr(struct fake_queue *fq, uint16_t tag, const struct tag_addr *addr,
		       const char *what)
{
	const struct fake *f = fq->fake;
	bool commit_of_read = *what == 'c' && fq->tags[tag].op == UBLK_IO_OP_READ;
	bool wants_buf = fake_copies(f) && (!fake_has(f, UBLK_F_NEED_GET_DATA) || commit_of_read);
	bool auto_reg = fake_has(f, UBLK_F_AUTO_BUF_REG);
	uint32_t reg = auto_reg ? tag | UBLK_AUTO_BUF_REG_FALLBACK << 16 : 0;

	if ((wants_buf && !addr->buf) || (!fake_copies(f) && addr->buf) || addr->auto_reg != reg)
		fake_violation(fq, "%s of tag %u: buffer %#llx, auto_reg %#x, device flags %#llx",
			       what, tag, (unsigned long long)addr->buf, addr->auto_reg,
			       (unsigned long long)f->config.flags);
	fq->tags[tag].addr = addr->buf;
}

static bool check_caller(struct fake_queue *fq, uint16_t tag, const char *what)
{
	if (tag >= fq->fake->config.depth) {
		fake_violation(fq, "%s of tag %u, there are %u", what, tag, fq->fake->config.depth);
		return false;
	}
	/* Rule 12. */
	if (!pthread_equal(pthread_self(), fq->tags[tag].thread))
		fake_violation(fq, "%s of tag %u on a thread that did not fetch it", what, tag);
	return true;
}

int fake_fetch(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;

	if (tag >= tq->depth || atomic_load(&fq->tags[tag].state) != TAG_NEW) {
		fake_violation(fq, "fetch of tag %u, which has been fetched, or is none", tag);
		return 0;
	}
	ft = &fq->tags[tag];
	check_addr(fq, tag, addr, "fetch");
	pthread_mutex_lock(&fq->fake->inject_lock);
	ft->tq = tq;
	ft->thread = pthread_self();
	pthread_mutex_unlock(&fq->fake->inject_lock);
	atomic_store(&ft->state, TAG_IDLE);
	fake_end_if_stopping(fq, tag);
	return 0;
}

/* Rule 14: anything between 0 and all would be taken for success, or asked for again. */
static void check_result(struct fake_queue *fq, uint16_t tag, int32_t res)
{
	const struct fake_tag *ft = &fq->tags[tag];
	bool has_data = ft->op == UBLK_IO_OP_READ || ft->op == UBLK_IO_OP_WRITE;

	if (res < -4095)
		fake_violation(fq, "commit of tag %u with %d, which is no errno", tag, res);
	else if (res == -EAGAIN || res == -EBUSY)
		fake_violation(fq, "commit of tag %u with %s", tag, strerror(-res));
	else if (res >= 0 && has_data && (uint64_t)res != ft->length)
		fake_violation(fq, "commit of tag %u: %d of %llu bytes", tag, res,
			       (unsigned long long)ft->length);
	else if (res > 0 && !has_data)
		fake_violation(fq, "commit of tag %u, operation %u: %d", tag, ft->op, res);
}

static void wake_waiters(struct fake *f)
{
	if (!atomic_load(&f->waiters))
		return;
	pthread_mutex_lock(&f->wait_lock);
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&f->wait_lock);
}

/* From the server's memory: so many bytes as there are. */
static uint32_t copy_from_server(const struct fake *f, char *to, const void *from, uint32_t length)
{
	struct iovec local = { to, length }, remote = { (void *)(uintptr_t)from, length };
	ssize_t n;

	if (!f->config.mem_faults) {
		memcpy(to, from, length);
		return length;
	}
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return n < 0 ? 0 : (uint32_t)n;
}

/* As drivers do that got less from the server's memory than they were told: the request is sent
 * anew. (They send what is left of it; here it is all of it.) */
static void request_again(struct fake_queue *fq, uint16_t tag)
{
	pthread_mutex_lock(&fq->fake->inject_lock);
	fake_inject(fq, &tag, 1, UBLK_IO_RES_OK);
	pthread_mutex_unlock(&fq->fake->inject_lock);
}

int fake_commit(struct transport_queue *tq, uint16_t tag, int32_t res, const struct tag_addr *addr)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;
	uint32_t data;

	if (!check_caller(fq, tag, "commit"))
		return 0;
	ft = &fq->tags[tag];
	if (atomic_load(&ft->state) != TAG_BUSY) {
		fake_violation(fq, "commit of tag %u, which has no request", tag);
		return 0;
	}
	check_addr(fq, tag, addr, "commit");
	check_result(fq, tag, res);
	if (ft->registered)
		fake_violation(fq, "commit of tag %u with its buffer still registered by hand",
			       tag);
	if (ft->data_owed)
		fake_violation(fq, "commit of tag %u, whose data was not asked for", tag);
	if (fake_copies(fq->fake) && !ft->shared && ft->op == UBLK_IO_OP_READ && res > 0 &&
	    ft->addr) {
		data = min_of((uint32_t)res, ft->bytes);
		if (copy_from_server(fq->fake, ft->pages, (const void *)(uintptr_t)ft->addr, data) <
		    data) {
			request_again(fq, tag);
			return 0;
		}
	}
	ft->result = res;
	atomic_store(&ft->state, TAG_IDLE);
	atomic_store(&ft->done, true);
	wake_waiters(fq->fake);
	fake_end_if_stopping(fq, tag);
	return 0;
}

static int fake_get_data(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;
	int err;

	if (!check_caller(fq, tag, "asking for data"))
		return 0;
	ft = &fq->tags[tag];
	if (atomic_load(&ft->state) != TAG_BUSY || !ft->data_owed || !addr->buf)
		fake_violation(fq, "asking for data of tag %u, which has none, to %#llx", tag,
			       (unsigned long long)addr->buf);
	err = fake_post_nop(tq, ud_make(UD_TAG, tag, 0));
	if (err)
		return err;
	ft->data_owed = false;
	ft->addr = addr->buf;
	fq->descs[tag].addr = addr->buf; /* also if that hides where shared memory was */
	if (!ft->shared)
		memcpy((void *)(uintptr_t)addr->buf, ft->pages, ft->bytes);
	return 0;
}

/* Part of the request's pages, or NULL and a violation. */
static char *user_copy_at(struct transport_queue *tq, uint16_t tag, uint32_t pos, uint32_t length,
			  uint8_t op)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;

	if (!check_caller(fq, tag, "copying"))
		return NULL;
	ft = &fq->tags[tag];
	if (fake_has(fq->fake, UBLK_F_USER_COPY) && atomic_load(&ft->state) == TAG_BUSY &&
	    ft->op == op && pos + (uint64_t)length <= ft->bytes)
		return ft->pages + pos;
	fake_violation(fq, "copying %u bytes at %u of tag %u, operation %u of %u bytes", length,
		       pos, tag, ft->op, ft->bytes);
	return NULL;
}

static int fake_copy_in(struct transport_queue *tq, uint16_t tag, uint32_t pos, void *to,
			uint32_t length)
{
	const char *at = user_copy_at(tq, tag, pos, length, UBLK_IO_OP_WRITE);

	if (!at)
		return -EINVAL;
	memcpy(to, at, length);
	return 0;
}

static int fake_copy_out(struct transport_queue *tq, uint16_t tag, uint32_t pos, const void *from,
			 uint32_t length)
{
	char *at = user_copy_at(tq, tag, pos, length, UBLK_IO_OP_READ);

	if (!at)
		return -EINVAL;
	return copy_from_server(fake_queue_of(tq)->fake, at, from, length) < length ? -EFAULT : 0;
}

/* Put memory into, or take it out of, the queue's table of registered buffers. Queue's thread. */
static int table_update(struct transport_queue *tq, uint16_t tag, void *base, size_t length)
{
	struct iovec iov = { base, length };
	__u64 no_tag = 0;
	int res = io_uring_register_buffers_update_tag(tq->ring, tag, &iov, &no_tag, 1);

	return res < 0 ? res : 0;
}

int fake_post_nop(struct transport_queue *tq, uint64_t ud)
{
	struct io_uring_sqe *sqe = ring_sqe(tq->ring);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_nop(sqe);
	sqe->user_data = ud;
	return 0;
}

static int fake_register_buf(struct transport_queue *tq, uint16_t tag)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;
	int err;

	if (!check_caller(fq, tag, "registering the buffer"))
		return 0;
	ft = &fq->tags[tag];
	if (atomic_load(&ft->state) != TAG_BUSY || ft->registered ||
	    !(ft->fallback || fake_has(fq->fake, UBLK_F_SUPPORT_ZERO_COPY)))
		fake_violation(fq, "registering the buffer of tag %u, which needs none", tag);
	err = fake_post_nop(tq, ud_make(UD_BUFFER, tag, 0));
	if (err)
		return err;
	ft->registered = true;
	atomic_fetch_add(&fq->fake->registrations, 1);
	err = table_update(tq, tag, ft->pages, fq->fake->config.max_io);
	if (err)
		fake_violation(fq, "registering the buffer of tag %u: %s", tag, strerror(-err));
	return 0;
}

static int fake_unregister_buf(struct transport_queue *tq, uint16_t tag)
{
	struct fake_queue *fq = fake_queue_of(tq);
	struct fake_tag *ft;
	int err;

	if (!check_caller(fq, tag, "unregistering the buffer"))
		return 0;
	ft = &fq->tags[tag];
	if (!ft->registered)
		fake_violation(fq, "unregistering the buffer of tag %u, which is not registered",
			       tag);
	err = fake_post_nop(tq, ud_make(UD_QUIET, tag, 0));
	if (err)
		return err;
	ft->registered = false;
	err = table_update(tq, tag, NULL, 0);
	if (err)
		fake_violation(fq, "unregistering the buffer of tag %u: %s", tag, strerror(-err));
	return 0;
}

static int fake_queue_open(struct transport *t, struct transport_queue *tq)
{
	struct fake *f = fake_of(t);
	struct fake_queue *fq = &f->queues[tq->qid];
	int err = 0;

	tq->descs = fq->descs;
	if (fake_has(f, UBLK_F_BATCH_IO)) {
		tq->elem = fq->elems;
		tq->elem_bytes = FAKE_ELEM_BYTES;
	}
	if (!fake_copies(f) && !fake_has(f, UBLK_F_USER_COPY)) {
		tq->fixed_base = (uintptr_t)fq->pages;
		tq->fixed_stride = f->config.max_io;
	}
	if (fake_has(f, UBLK_F_AUTO_BUF_REG)) {
		for (uint16_t tag = 0; tag < f->config.depth && !err; tag++)
			if (!fq->tags[tag].fallback)
				err = table_update(tq, tag, fq->tags[tag].pages, f->config.max_io);
		if (err)
			log_err("fake transport: registering buffers: %s", strerror(-err));
	}
	pthread_mutex_lock(&f->inject_lock);
	fq->tq = tq;
	fq->nr_open++;
	pthread_mutex_unlock(&f->inject_lock);
	return err;
}

static void fake_queue_close(struct transport_queue *tq)
{
	struct fake_queue *fq = fake_queue_of(tq);

	pthread_mutex_lock(&fq->fake->inject_lock);
	fq->tq = NULL;
	fq->nr_open--;
	for (uint16_t tag = 0; tag < tq->depth; tag++)
		if (fq->tags[tag].tq == tq)
			fq->tags[tag].tq = NULL;
	pthread_mutex_unlock(&fq->fake->inject_lock);
}

static const struct transport_ops fake_ops = {
	.queue_open = fake_queue_open,
	.queue_close = fake_queue_close,
	.fetch = fake_fetch,
	.commit = fake_commit,
	.get_data = fake_get_data,
	.register_buf = fake_register_buf,
	.unregister_buf = fake_unregister_buf,
	.copy_in = fake_copy_in,
	.copy_out = fake_copy_out,
};

static const struct transport_ops fake_batch_ops = {
	.queue_open = fake_queue_open,
	.queue_close = fake_queue_close,
	.fetch = fake_fetch,
	.commit = fake_batch_commit,
	.register_buf = fake_register_buf,
	.unregister_buf = fake_unregister_buf,
	.copy_in = fake_copy_in,
	.copy_out = fake_copy_out,
	.flush = fake_batch_flush,
	.tags = fake_batch_tags,
	.tags_done = fake_batch_tags_done,
	.batch_done = fake_batch_done,
};

/* ---- Life ---- */

static int fake_queue_init(struct fake *f, struct fake_queue *fq)
{
	fq->fake = f;
	fq->descs = calloc(f->config.depth, sizeof(*fq->descs));
	fq->tags = calloc(f->config.depth, sizeof(*fq->tags));
	fq->pages = mmap(NULL, f->pages_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fq->pages == MAP_FAILED)
		fq->pages = NULL;
	if (!fq->descs || !fq->tags || !fq->pages || fake_batch_alloc(fq, f->config.depth))
		return -ENOMEM;
	for (unsigned int tag = 0; tag < f->config.depth; tag++)
		fq->tags[tag].pages = fq->pages + (size_t)tag * f->config.max_io;
	return 0;
}

static void fake_free(struct fake *f)
{
	for (unsigned int i = 0; f->queues && i < f->config.nr_queues; i++) {
		free(f->queues[i].descs);
		free(f->queues[i].tags);
		fake_batch_free(&f->queues[i]);
		if (f->queues[i].pages)
			munmap(f->queues[i].pages, f->pages_size);
	}
	free(f->queues);
	free(f);
}

int fake_create(const struct fake_config *config, struct fake **out)
{
	struct fake *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;
	int err = f ? 0 : -ENOMEM;

	if (err)
		return err;
	f->transport = (struct transport){ .ops = config->flags & UBLK_F_BATCH_IO ? &fake_batch_ops
										  : &fake_ops,
					   .fd = -1,
					   .nr_queues = config->nr_queues,
					   .depth = config->depth };
	f->config = *config;
	f->poison = 0xa5;
	f->pages_size = (size_t)config->depth * config->max_io;
	f->queues = calloc(config->nr_queues, sizeof(*f->queues));
	if (!f->queues)
		err = -ENOMEM;
	for (unsigned int i = 0; i < config->nr_queues && !err; i++)
		err = fake_queue_init(f, &f->queues[i]);
	if (!err)
		err = fake_injector_open(f);
	if (err) {
		fake_free(f);
		return err;
	}
	pthread_mutex_init(&f->inject_lock, NULL);
	pthread_mutex_init(&f->wait_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	*out = f;
	return 0;
}

void fake_destroy(struct fake *f)
{
	io_uring_queue_exit(&f->injector);
	pthread_cond_destroy(&f->done);
	pthread_mutex_destroy(&f->wait_lock);
	pthread_mutex_destroy(&f->inject_lock);
	fake_free(f);
}
