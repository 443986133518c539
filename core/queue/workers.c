// SPDX-License-Identifier: MIT
/*
 * A queue's worker threads, for what may block. Started when first needed, as many as there is work
 * for, up to what the plugin's thread model allows. Results go back to the queue's thread by a
 * lock-free list.
 */
#include <time.h>

#include "base/clock.h"
#include "queue/internal.h"

#define END_WAIT_MS 3000
#define JOIN_WAIT_NS 1000000

static void job_deliver(struct ublk_queue *q, struct job *job)
{
	struct job *head = atomic_load_explicit(&q->jobs_done, memory_order_relaxed);

	do
		job->next = head;
	while (!atomic_compare_exchange_weak_explicit(&q->jobs_done, &head, job,
						      memory_order_release, memory_order_relaxed));
	if (!head)
		queue_ask(q, 0);
}

static void *worker_thread(void *arg)
{
	struct workers *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "ublk-w%u", w->q->qid);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job = w->first;

		if (!job) {
			if (w->stop)
				break;
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
			continue;
		}
		w->first = job->next;
		if (!w->first)
			w->last = &w->first;
		w->queued--;
		job->begun = true;
		job->since = w->took = w->tick;
		pthread_mutex_unlock(&w->lock);
		job->res = job->run(job);
		job_deliver(w->q, job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Workers run anywhere: the queue's own CPUs are for its loop. */
static int worker_start(struct workers *w)
{
	const cpu_set_t *cpus = &w->q->process_cpus;
	int err = -pthread_create(&w->thread[w->nr], NULL, worker_thread, w);

	if (err)
		return err;
	pthread_setaffinity_np(w->thread[w->nr], sizeof(*cpus), cpus);
	w->nr++;
	return 0;
}

static void init(struct workers *w, struct ublk_queue *q)
{
	w->q = q;
	w->last = &w->first;
	w->max = q->plugin->thread_model == UBLK_THREADS_PARALLEL ? CALL_WORKERS_MAX : 1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
}

void workers_init(struct ublk_queue *q)
{
	init(&q->workers, q);
	init(&q->own_workers, q);
}

static void destroy(struct workers *w)
{
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
}

void workers_destroy(struct ublk_queue *q)
{
	destroy(&q->workers);
	destroy(&q->own_workers);
}

/* A plugin with one worker, or with all of them at work, is not kept waiting by the host's own work. */
static struct workers *workers_of(struct ublk_queue *q, const struct job *job)
{
	return job->watched ? &q->workers : &q->own_workers;
}

int workers_add(struct ublk_queue *q, struct job *job)
{
	struct workers *w = workers_of(q, job);

	job->q = q;
	job->next = NULL;
	job->begun = false;
	pthread_mutex_lock(&w->lock);
	if (w->idle <= w->queued && w->nr < w->max) {
		pthread_mutex_unlock(&w->lock);
		if (worker_start(w) && !w->nr)
			return -EAGAIN;
		pthread_mutex_lock(&w->lock);
	}
	job->since = w->tick;
	*w->last = job;
	w->last = &job->next;
	w->queued++;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

bool workers_remove(struct ublk_queue *q, struct job *job)
{
	struct workers *w = workers_of(q, job);
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (struct job **at = &w->first; *at; at = &(*at)->next) {
		if (*at != job)
			continue;
		*at = job->next;
		if (!*at)
			w->last = at;
		w->queued--;
		found = true;
		break;
	}
	pthread_mutex_unlock(&w->lock);
	return found;
}

void workers_tick(struct ublk_queue *q)
{
	pthread_mutex_lock(&q->workers.lock);
	q->workers.tick = q->tick;
	pthread_mutex_unlock(&q->workers.lock);
}

/* Waiting is not the plugin's time: behind many slow calls it is long, and none of them too slow. As
 * long as workers take jobs, the last one's turn comes. */
bool workers_overdue(struct ublk_queue *q, const struct job *job, uint32_t limit, bool *begun)
{
	struct workers *w = &q->workers;
	bool overdue;

	pthread_mutex_lock(&w->lock);
	*begun = job->begun;
	overdue = w->tick - job->since > limit && (job->begun || w->tick - w->took > limit);
	pthread_mutex_unlock(&w->lock);
	return overdue;
}

static void stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	w->last = &w->first;
	w->first = NULL; /* what nobody has begun by now, nobody waits for */
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
}

/* Not by the day's clock, as pthread_timedjoin_np() does; ThreadSanitizer does not know pthread_clockjoin_np(). */
static bool join_until(pthread_t thread, uint64_t until)
{
	const struct timespec wait = { .tv_nsec = JOIN_WAIT_NS };

	while (pthread_tryjoin_np(thread, NULL)) {
		if (now_ms() >= until)
			return false;
		nanosleep(&wait, NULL);
	}
	return true;
}

static bool join(struct workers *w, uint64_t until)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < w->nr; i++)
		if (!join_until(w->thread[i], until))
			w->thread[left++] = w->thread[i];
	w->nr = left;
	return !left;
}

/* False: a worker is stuck; its stack and the queue must stay. Then it may be asked again. */
bool workers_end(struct ublk_queue *q)
{
	uint64_t until = now_ms() + END_WAIT_MS;
	bool all;

	stop(&q->workers);
	stop(&q->own_workers);
	all = join(&q->workers, until);
	return join(&q->own_workers, until) && all;
}
