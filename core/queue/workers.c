// SPDX-License-Identifier: MIT
/*
 * A queue's worker threads, for what may block. Started when first needed, as many as there is work
 * for, up to what the plugin's thread model allows. Results go back to the queue's thread by a
 * lock-free list.
 */
#include <time.h>

#include "queue/internal.h"

#define END_WAIT_SECONDS 3

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
	struct ublk_queue *q = arg;
	struct workers *w = &q->workers;
	char name[16];

	snprintf(name, sizeof(name), "ublk-w%u", q->qid);
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
		pthread_mutex_unlock(&w->lock);
		job->res = job->run(job);
		job_deliver(q, job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Workers run anywhere: the queue's own CPUs are for its loop. */
static int worker_start(struct ublk_queue *q)
{
	struct workers *w = &q->workers;
	int err = -pthread_create(&w->thread[w->nr], NULL, worker_thread, q);

	if (err)
		return err;
	pthread_setaffinity_np(w->thread[w->nr], sizeof(q->process_cpus), &q->process_cpus);
	w->nr++;
	return 0;
}

int workers_init(struct ublk_queue *q)
{
	struct workers *w = &q->workers;

	w->last = &w->first;
	w->max = q->plugin->thread_model == UBLK_THREADS_PARALLEL ? CALL_WORKERS_MAX : 1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	return 0;
}

int workers_add(struct ublk_queue *q, struct job *job)
{
	struct workers *w = &q->workers;

	job->q = q;
	job->next = NULL;
	pthread_mutex_lock(&w->lock);
	if (w->idle <= w->queued && w->nr < w->max) {
		pthread_mutex_unlock(&w->lock);
		if (worker_start(q) && !w->nr)
			return -EAGAIN;
		pthread_mutex_lock(&w->lock);
	}
	*w->last = job;
	w->last = &job->next;
	w->queued++;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

bool workers_remove(struct ublk_queue *q, struct job *job)
{
	struct workers *w = &q->workers;
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

/* False: a worker is stuck in the plugin; its stack and the queue must stay. */
bool workers_end(struct ublk_queue *q)
{
	struct workers *w = &q->workers;
	struct timespec until;
	bool all = true;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	w->last = &w->first;
	w->first = NULL; /* what nobody has begun by now, nobody waits for */
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_WAIT_SECONDS;
	for (unsigned int i = 0; i < w->nr; i++)
		if (pthread_timedjoin_np(w->thread[i], NULL, &until))
			all = false;
	if (all) {
		pthread_cond_destroy(&w->more);
		pthread_mutex_destroy(&w->lock);
	}
	return all;
}
