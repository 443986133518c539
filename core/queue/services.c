// SPDX-License-Identifier: MIT
/*
 * The host-services table that plugins get. Nothing that a plugin passes in is believed: pointers
 * to ios are looked up in the queue's own arrays before they are followed.
 */
#include <config.h>
#include "queue/internal.h"

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

static void host_complete_remote(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	struct io_slot *slot = slot_of(q, io);
	struct remote *head;

	if (!slot) {
		plugin_misuse_elsewhere(q, "completed an io that is not the queue's");
		return;
	}
	if (atomic_exchange_explicit(&slot->remote.queued, true, memory_order_acquire)) {
		plugin_misuse_elsewhere(q, "tag %u: completed twice", slot->tag);
		return;
	}
	slot->remote.res = res;
	head = atomic_load_explicit(&q->remotes, memory_order_relaxed);
	do
		slot->remote.next = head;
	while (!atomic_compare_exchange_weak_explicit(&q->remotes, &head, &slot->remote,
						      memory_order_release, memory_order_relaxed));
	if (!head) /* a non-empty list has woken the queue already */
		queue_ask(q, 0);
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
	slot_complete(q, slot, res);
}

static int host_sqe_get(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out)
{
	if (n > q->sqe_budget - q->sqes_used)
		return -EBUSY;
	/* One submission for all: a submit between two would cut a chain of linked SQEs. */
	if (io_uring_sq_space_left(&q->ring) < n) {
		io_uring_submit(&q->ring);
		if (io_uring_sq_space_left(&q->ring) < n)
			return -EBUSY;
	}
	for (uint32_t i = 0; i < n; i++) {
		out[i] = io_uring_get_sqe(&q->ring);
		io_uring_prep_nop(out[i]);
		out[i]->user_data = ud_make(UD_UNCOMMITTED, 0, 0);
	}
	q->sqes_used += n;
	q->uncommitted += n;
	return 0;
}

static int host_sqe_commit(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
			   uint32_t cookie)
{
	struct io_slot *slot = io ? slot_of(q, io) : NULL;
	uint32_t index = slot ? (uint32_t)(slot - q->slots) : q->nr_slots;

	if (!q->uncommitted) {
		plugin_misuse(q, "sqe_commit() without sqe_get()");
		return -EINVAL;
	}
	if ((sqe->flags & (IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS)) || (io && !slot) ||
	    ((sqe->flags & IOSQE_FIXED_FILE) && sqe->fd == 0)) {
		plugin_misuse(q, "sqe_commit() of an SQE with %s",
			      io && !slot ? "an io that is not the queue's"
			      : sqe->fd == 0 && (sqe->flags & IOSQE_FIXED_FILE)
				      ? "fixed file 0, which is the host's"
				      : "IOSQE_IO_DRAIN or IOSQE_CQE_SKIP_SUCCESS");
		io_uring_prep_nop(sqe);
		sqe->user_data = ud_make(UD_UNCOMMITTED, 0, 0);
		q->uncommitted--;
		return -EINVAL;
	}
	q->uncommitted--;
	if (slot)
		slot->sqes++;
	sqe->user_data = ud_make(UD_PLUGIN, index, cookie);
	return 0;
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
	.complete = host_complete,
	.sqe_get = host_sqe_get,
	.sqe_commit = host_sqe_commit,
};
