// SPDX-License-Identifier: MIT
/*
 * The host-services table that plugins get. Nothing that a plugin passes in is believed: pointers
 * to ios are looked up in the queue's own arrays before they are followed.
 */
#include <config.h>
#include "queue/sqes.h"

static void host_log(struct ublk_dev *dev, int level, const char *msg)
{
	const char *who = dev ? dev->plugin->name : "plugin";

	if (level != UBLK_LOG_ERR && level != UBLK_LOG_WARN && level != UBLK_LOG_DEBUG)
		level = UBLK_LOG_INFO;
	log_msg((enum log_level)level, "%s: %s", who, msg ? msg : "(null)");
}

/* NULL: not an io of this queue. Any thread. */
static struct io_slot *slot_of(struct ublk_queue *q, const struct ublk_io *io)
{
	size_t at = (size_t)((const char *)io - (const char *)q->slots);

	if ((const char *)io < (const char *)q->slots ||
	    at >= q->nr_slots * sizeof(struct io_slot) || at % sizeof(struct io_slot))
		return NULL;
	return container_of((struct ublk_io *)io, struct io_slot, io);
}

bool queue_knows_io(struct ublk_queue *q, const struct ublk_io *io)
{
	return slot_of(q, io);
}

/* Leave a completion for the queue's next round. Any thread. False: one is there already. */
static bool remote_push(struct ublk_queue *q, struct io_slot *slot, int32_t res)
{
	struct remote *head;

	if (atomic_exchange_explicit(&slot->remote.queued, true, memory_order_acquire))
		return false;
	slot->remote.res = res;
	head = atomic_load_explicit(&q->remotes, memory_order_relaxed);
	do
		slot->remote.next = head;
	while (!atomic_compare_exchange_weak_explicit(&q->remotes, &head, &slot->remote,
						      memory_order_release, memory_order_relaxed));
	if (!head) /* a non-empty list has woken the queue already */
		queue_ask(q, 0);
	return true;
}

static void host_complete_remote(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	struct io_slot *slot = slot_of(q, io);

	if (!slot)
		plugin_misuse_elsewhere(q, "completed an io that is not the queue's");
	else if (!remote_push(q, slot, res))
		plugin_misuse_elsewhere(q, "tag %u: completed twice", slot->tag);
}

static void host_wake(struct ublk_queue *q)
{
	queue_ask(q, QUEUE_ASK_EVENT);
}

static void host_dev_fail(struct ublk_dev *dev, int err, const char *why)
{
	dev->failed(dev, err < 0 ? err : -EIO, why ? why : "the plugin gives no reason");
}

static int host_file_register(struct ublk_dev *dev, int fd)
{
	return dev->open_phase ? dev_add_file(dev, fd, true) : -EBUSY;
}

static int host_keep_memory(struct ublk_dev *dev, const char *name, uint64_t size)
{
	if (!dev->open_phase)
		return -EBUSY;
	return dev->keep_memory ? dev->keep_memory(dev, name, size) : -ENOSYS;
}

static void host_complete(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	struct io_slot *slot;

	if (unlikely(!pthread_equal(pthread_self(), q->thread))) {
		plugin_misuse_elsewhere(q, "complete() on a thread that is not the queue's; "
					   "complete_remote() is for those");
		host_complete_remote(q, io, res);
		return;
	}
	slot = slot_of(q, io);
	if (unlikely(!slot)) {
		plugin_misuse(q, "completed an io that is not the queue's");
		return;
	}
	if (unlikely(sqes_unfinished(q))) {
		/* The commit may have to submit, and with it what the plugin still prepares. */
		if (!remote_push(q, slot, res))
			plugin_misuse(q, "tag %u: completed twice", slot->tag);
		return;
	}
	slot_complete(q, slot, res);
}

static bool on_queue_thread(struct ublk_queue *q, const char *what)
{
	if (likely(pthread_equal(pthread_self(), q->thread)))
		return true;
	plugin_misuse_elsewhere(q, "%s() on a thread that is not the queue's", what);
	return false;
}

static int host_sqe_get(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out)
{
	if (!on_queue_thread(q, "sqe_get"))
		return -EINVAL;
	if (unlikely(q->ending))
		return -ECANCELED;
	if (n > q->sqe_budget - q->sqes_used)
		return -EBUSY;
	/* One submission for all: a submit between two would cut a chain of linked SQEs, and one
	 * while others are being prepared would take those as they are. */
	if (io_uring_sq_space_left(&q->ring) < n && !sqes_unfinished(q))
		io_uring_submit(&q->ring);
	if (io_uring_sq_space_left(&q->ring) < n)
		return -EBUSY;
	for (uint32_t i = 0; i < n; i++) {
		out[i] = io_uring_get_sqe(&q->ring);
		sqe_clear(out[i]);
		q->lent[out[i] - q->ring.sq.sqes] = true;
	}
	q->sqes_used += n;
	q->uncommitted += n;
	return 0;
}

static bool sqe_is_lent(const struct ublk_queue *q, const struct io_uring_sqe *sqe)
{
	size_t at = (size_t)((const char *)sqe - (const char *)q->ring.sq.sqes);

	return (const char *)sqe >= (const char *)q->ring.sq.sqes && at % sizeof(*sqe) == 0 &&
	       at / sizeof(*sqe) < q->ring.sq.ring_entries && q->lent[at / sizeof(*sqe)];
}

/* 0, or why it must not run. slot: of io. */
static int sqe_check(struct ublk_queue *q, const struct io_uring_sqe *sqe, const struct ublk_io *io,
		     const struct io_slot *slot)
{
	const char *objection = io && !slot ? "an io that is not the queue's" : sqe_objection(sqe);

	if (unlikely(objection)) {
		plugin_misuse(q, "sqe_commit() of an SQE with %s", objection);
		return -EINVAL;
	}
	/* Its registered buffer may be the tag's next request's. */
	if (slot && unlikely(slot->state != SLOT_OWNED)) {
		plugin_misuse(q, "tag %u: sqe_commit() for an io that was completed or taken away",
			      slot->tag);
		return -ECANCELED;
	}
	return 0;
}

static int host_sqe_commit(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
			   uint32_t cookie)
{
	struct io_slot *slot = io ? slot_of(q, io) : NULL;
	int err;

	if (!on_queue_thread(q, "sqe_commit"))
		return -EINVAL;
	if (!sqe_is_lent(q, sqe)) {
		plugin_misuse(q, "sqe_commit() of what sqe_get() has not given, or twice");
		return -EINVAL;
	}
	q->lent[sqe - q->ring.sq.sqes] = false;
	q->uncommitted--;
	err = sqe_check(q, sqe, io, slot);
	if (unlikely(err))
		sqe_void(sqe);
	else
		sqe->user_data = op_begin(q, slot, cookie);
	if (!q->uncommitted)
		q->chain_open = sqe_is_linked(sqe_last(q));
	return err;
}

const struct ublk_host host_services = {
	.struct_size = sizeof(struct ublk_host),
	.abi_major = UBLK_PLUGIN_ABI_MAJOR,
	.abi_minor = UBLK_PLUGIN_ABI_MINOR,
	.version = PACKAGE_VERSION,
	.log = host_log,
	.complete_remote = host_complete_remote,
	.wake = host_wake,
	.dev_fail = host_dev_fail,
	.file_register = host_file_register,
	.keep_memory = host_keep_memory,
	.complete = host_complete,
	.sqe_get = host_sqe_get,
	.sqe_commit = host_sqe_commit,
};
