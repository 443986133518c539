// SPDX-License-Identifier: MIT
/* complete() is called by a thread that is not the queue's. */
/* check: boundaries */
#include "ram.h"

struct job {
	struct ram_queue *rq;
	struct ublk_io *io;
};

static void *work(void *arg)
{
	struct job *job = arg;

	host->complete(job->rq->q, job->io, ram_result(job->rq->ram, job->io));
	free(job);
	return NULL;
}

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t thread;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ qpriv, io };
	if (pthread_create(&thread, NULL, work, job))
		return free(job), -EAGAIN;
	pthread_detach(thread);
	return 0;
}

RAM_ASYNC("complete-elsewhere", .submit = bad_submit);
