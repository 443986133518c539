// SPDX-License-Identifier: MIT
/* A queue as the control thread sees it: made, asked, joined; and what queues of a device share. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kernel/knobs.h"
#include "queue/internal.h"

static uint32_t block_of(int fd)
{
	int block = 0;

	return ioctl(fd, BLKSSZGET, &block) || block <= 0 ? 1 : (uint32_t)block;
}

int dev_add_file(struct ublk_dev *dev, int fd, bool by_plugin)
{
	/* One is /dev/zero's: whether it is needed shows when the plugin has registered its own. */
	unsigned int max = DEV_MAX_FILES - (by_plugin && !dev->zero_slot);
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (dev->nr_files >= max)
		return -EMFILE;
	dev->files[dev->nr_files] =
		(struct dev_file){ .fd = fd,
				   .is_block = S_ISBLK(st.st_mode),
				   .block = S_ISBLK(st.st_mode) ? block_of(fd) : 1,
				   .is_direct = fcntl(fd, F_GETFL) & O_DIRECT,
				   .by_plugin = by_plugin,
				   .synced = by_plugin &&
					     (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) };
	return dev->nr_files++;
}

unsigned int dev_synced_files(const struct ublk_dev *dev)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < dev->nr_files; i++)
		nr += dev->files[i].synced;
	return nr;
}

/* Nothing serves what would change a read-only device, whatever the plugin could do: device-mapper sends
 * what it likes to a disk below, and the bytes may be in memory that cannot be written to. */
static enum profile profile_of(const struct ublk_dev *dev, unsigned int op)
{
	const unsigned int changes = UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES;

	if (dev->limits.attrs & UBLK_DEV_READ_ONLY && changes >> op & 1)
		return PROFILE_NONE;
	return plugin_profile(dev->plugin, op);
}

int dev_prepare(struct ublk_dev *dev)
{
	struct path_needs needs;
	int fd, err;

	atomic_store(&dev->size, dev->limits.size_bytes);
	for (unsigned int op = 0; op < NR_OPS; op++)
		dev->profile[op] = profile_of(dev, op);
	needs = path_needs_of(dev->plugin, dev->limits.map_kinds, dev->limits.data_modes);
	dev->has_buffers = data_path_has_buffers(dev->path, &needs);
	dev->huge_page = dev->has_buffers ? huge_page_size() : 0;
	if (!(needs.map_kinds & dev->path->zero_kinds))
		return 0;
	if (!dev->path->needs_buf_table) {
		dev->zeroes = buffer_alloc(dev->limits.max_io_bytes);
		if (!dev->zeroes)
			log_err("no memory for %u bytes of zeroes", dev->limits.max_io_bytes);
		return dev->zeroes ? 0 : -ENOMEM;
	}
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		log_err("opening /dev/zero: %m");
		return -errno;
	}
	dev->zero_slot = dev_add_file(dev, fd, false);
	err = min_of(dev->zero_slot, 0);
	if (err) {
		log_err("/dev/zero: %s", strerror(-err));
		close(fd);
		dev->zero_slot = 0;
	}
	return err;
}

void dev_unprepare(struct ublk_dev *dev)
{
	if (dev->zero_slot)
		close(dev->files[dev->zero_slot].fd);
	dev->zero_slot = 0;
	if (dev->zeroes)
		munmap(dev->zeroes, dev->limits.max_io_bytes);
	dev->zeroes = NULL;
}

/* Only where the plugin's rules ask for it: its queue callbacks and its workers would overlap. Of those,
 * event() and cqe() need no io that map() or submit() serves: a thread of the plugin's wakes the queue, and
 * queue_init() may start ring operations. */
static pthread_mutex_t *call_lock_of(struct ublk_queue *q)
{
	const struct ublk_plugin *p = q->plugin;
	bool on_queue = p->map_ops || p->submit_ops || p->event || p->cqe || p->batch_end;
	bool on_workers = !(p->flags & UBLK_PLUGIN_NONBLOCKING) &&
			  (p->read || p->write || p->flush || p->discard || p->write_zeroes);

	if (p->thread_model == UBLK_THREADS_PARALLEL || !on_queue || !on_workers)
		return NULL;
	return &q->lock_store;
}

/* False: in --io-timeout it cannot be had. turn: whether it is ours; whose it is, waits for the lock. */
static bool call_lock_wait(struct ublk_queue *q, bool *turn)
{
	unsigned int limit = q->dev->io_timeout;
	struct timespec until;

	if (!limit) {
		*turn = *turn || !pthread_mutex_lock(&q->call_turn);
		return !pthread_mutex_lock(q->call_lock);
	}
	/* Not of the day's clock, which is set, and goes on while the machine sleeps. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += limit;
	*turn = *turn || !pthread_mutex_clocklock(&q->call_turn, CLOCK_MONOTONIC, &until);
	if (*turn && !pthread_mutex_clocklock(q->call_lock, CLOCK_MONOTONIC, &until))
		return true;
	q->call_lock_lost = true;
	log_err("plugin %s: queue %u: a call has not returned for %u s; its thread model allows no "
		"other",
		q->plugin->name, q->qid, limit);
	return false;
}

/* By turns: a queue that never sleeps would else have the lock again each time, before a worker that was woken
 * for it runs. */
bool call_lock_take(struct ublk_queue *q)
{
	bool turn = !pthread_mutex_trylock(&q->call_turn);
	bool taken = turn && !pthread_mutex_trylock(q->call_lock);

	if (taken && unlikely(q->call_lock_lost)) /* who went away with it is back */
		q->call_lock_lost = false;
	if (!taken && !q->call_lock_lost)
		taken = call_lock_wait(q, &turn);
	if (turn)
		pthread_mutex_unlock(&q->call_turn);
	return taken;
}

void queue_free(struct ublk_queue *q)
{
	for (unsigned int tag = 0; q->reqs && tag < q->depth; tag++) {
		if (q->reqs[tag].buf_own)
			munmap(q->reqs[tag].buf, q->dev->limits.max_io_bytes);
		free(q->reqs[tag].job);
		free(q->reqs[tag].ranges);
	}
	for (unsigned int i = 0; q->slots && i < q->nr_slots; i++)
		if (q->slots[i].buf_kept)
			munmap(q->slots[i].buf_kept, q->dev->limits.max_io_bytes);
	if (q->bufs)
		munmap(q->bufs, q->bufs_size);
	if (q->windows)
		munmap(q->windows, q->depth * sizeof(*q->windows));
	if (q->scratch)
		munmap(q->scratch, q->nr_slots * q->scratch_stride);
	if (q->wake_fd >= 0)
		close(q->wake_fd);
	workers_destroy(q);
	pthread_mutex_destroy(&q->lock_store);
	pthread_mutex_destroy(&q->call_turn);
	sem_destroy(&q->ready);
	free(q->cpus);
	free(q->lent);
	free(q->ops);
	free(q->timed);
	free(q->reqs);
	free(q->slots);
	free(q);
}

/* NULL, with errno: for want of memory, or of a descriptor. */
static struct ublk_queue *queue_alloc(struct ublk_dev *dev, uint16_t index, const cpu_set_t *mask,
				      size_t mask_size)
{
	struct ublk_queue *q = aligned_alloc(64, round_up_to(sizeof(*q), 64));
	int wake_err, err;

	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->dev = dev;
	q->path = dev->path;
	q->plugin = dev->plugin;
	q->qid = index;
	q->depth = dev->transport->depth;
	q->lane = index % dev->threads_per_queue;
	q->poll_us = dev->poll_us;
	q->timed = calloc(q->depth, sizeof(*q->timed));
	q->wake_fd = eventfd(0, EFD_CLOEXEC);
	wake_err = errno;
	sem_init(&q->ready, 0, 0);
	pthread_mutex_init(&q->lock_store, NULL);
	pthread_mutex_init(&q->call_turn, NULL);
	q->call_lock = call_lock_of(q);
	pthread_getaffinity_np(pthread_self(), sizeof(q->process_cpus), &q->process_cpus);
	if (mask) {
		q->cpus = malloc(mask_size);
		q->cpus_size = mask_size;
		if (q->cpus)
			memcpy(q->cpus, mask, mask_size);
	}
	workers_init(q);
	if (q->wake_fd < 0 || !q->timed || (mask && !q->cpus)) {
		err = q->wake_fd < 0 ? wake_err : ENOMEM;
		queue_free(q);
		errno = err;
		return NULL;
	}
	return q;
}

int queue_start(struct ublk_dev *dev, uint16_t index, const cpu_set_t *mask, size_t mask_size,
		struct ublk_queue **out)
{
	struct ublk_queue *q = queue_alloc(dev, index, mask, mask_size);
	pthread_attr_t attr;
	char why[256];
	int err;

	if (!q) {
		err = errno == EMFILE || errno == ENFILE ? -errno : -ENOMEM;
		log_err("queue %u: %s", index,
			err == -ENOMEM ? "no memory"
				       : knob_file_failure("", err, why, sizeof(why)));
		return err;
	}
	pthread_attr_init(&attr);
	if (q->cpus)
		pthread_attr_setaffinity_np(&attr, q->cpus_size, q->cpus);
	err = -pthread_create(&q->thread, &attr, queue_thread, q);
	if (err == -EINVAL && q->cpus) {
		/* CPUs that are not ours (a cpuset): better served elsewhere than not at all. */
		log_warn("queue %u: its CPUs are not available to this process; it runs anywhere",
			 index);
		free(q->cpus); /* nor is the plugin told of them */
		q->cpus = NULL;
		err = -pthread_create(&q->thread, NULL, queue_thread, q);
	}
	pthread_attr_destroy(&attr);
	if (err) {
		log_err("queue %u: starting its thread: %s", index, strerror(-err));
		queue_free(q);
		return err;
	}
	*out = q;
	return 0;
}

int queue_wait_started(struct ublk_queue *q)
{
	while (sem_wait(&q->ready))
		; /* EINTR */
	return q->start_res;
}

void queue_ask(struct ublk_queue *q, unsigned int bits)
{
	uint64_t one = 1;

	atomic_fetch_or_explicit(&q->asked, bits, memory_order_release);
	if (write(q->wake_fd, &one, sizeof(one)) < 0)
		log_err("queue %u: waking it: %m", q->qid);
}

bool queue_ended(const struct ublk_queue *q)
{
	return atomic_load_explicit(&q->ended, memory_order_acquire);
}

bool queue_is_broken(const struct ublk_queue *q)
{
	return queue_ended(q) && q->broken;
}

unsigned int queue_held(const struct ublk_queue *q)
{
	return __atomic_load_n(&q->held, __ATOMIC_RELAXED) +
	       __atomic_load_n(&q->refused, __ATOMIC_RELAXED);
}

const struct queue_counters *queue_counters(const struct ublk_queue *q)
{
	return q->counters;
}

bool queue_join(struct ublk_queue *q)
{
	pthread_join(q->thread, NULL);
	/* stop() and close() come after queue_exit() only, so a call that returned since is too late. */
	if (q->exit_owed || !workers_end(q))
		return false;
	jobs_drop(q);
	return true;
}
