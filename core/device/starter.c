// SPDX-License-Identifier: MIT
/*
 * A thread that is made while the control thread still has the rights that starting takes, and has them when
 * that has given them up: the queues' threads inherit from it, and threads that the plugin starts in start()
 * from the control thread. Control thread only.
 */
#include <semaphore.h>
#include <string.h>

#include "device/internal.h"

struct starter {
	struct device *d;
	pthread_t thread;
	sem_t go;
	int (*step)(struct device *d); /* NULL: there is nothing to do any more */
	int err;
};

static void *starter_thread(void *arg)
{
	struct starter *starter = arg;

	while (sem_wait(&starter->go))
		;
	if (starter->step)
		starter->err = starter->step(starter->d);
	return NULL;
}

int starter_begin(struct device *d)
{
	struct starter *starter = calloc(1, sizeof(*starter));
	int err = -ENOMEM;

	if (starter) {
		starter->d = d;
		sem_init(&starter->go, 0, 0);
		err = -pthread_create(&starter->thread, NULL, starter_thread, starter);
	}
	if (!err) {
		d->starter = starter;
		return 0;
	}
	free(starter);
	log_err("starting the thread that starts the queues: %s", strerror(-err));
	return err;
}

int starter_run(struct device *d, int (*step)(struct device *d))
{
	struct starter *starter = d->starter;
	int err;

	if (!starter)
		return step ? step(d) : 0;
	starter->step = step;
	sem_post(&starter->go);
	pthread_join(starter->thread, NULL);
	err = starter->err;
	sem_destroy(&starter->go);
	free(starter);
	d->starter = NULL;
	return err;
}
