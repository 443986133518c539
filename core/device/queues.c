// SPDX-License-Identifier: MIT
/* The start of a device's queues: on which CPUs, and within which time. A step of bring-up. */
#include "config/cpulist.h"
#include "device/internal.h"
#include "kernel/sysfs.h"

/* The CPUs of a queue: *mask is malloc()ed, NULL for anywhere. */
static int queue_cpus(struct device *d, uint16_t index, cpu_set_t **mask, size_t *size)
{
	struct cpulist list;
	int err;

	*mask = NULL;
	*size = CPU_ALLOC_SIZE(max_of(sysfs_nr_cpu_ids(""), 1024u));
	if (d->cfg->cpus_mode == CPUS_NONE)
		return 0;
	*mask = calloc(1, *size);
	if (!*mask)
		return -ENOMEM;
	if (d->cfg->cpus_mode == CPUS_AUTO) {
		err = ctrl_get_queue_affinity(d->ctrl, d->info.dev_id,
					      index / d->dev.threads_per_queue, *mask, *size);
		if (err)
			ctrl_failed(UBLK_U_CMD_GET_QUEUE_AFFINITY, d->info.dev_id, err);
	} else {
		err = cpulist_parse(d->cfg->cpus_list, &list, NULL);
		if (!err) {
			CPU_SET_S(cpulist_nth(&list, index % list.nr), *size, *mask);
			cpulist_free(&list);
		}
	}
	if (err || !CPU_COUNT_S(*size, *mask)) {
		free(*mask);
		*mask = NULL;
	}
	return err;
}

static int start_queue(struct device *d, uint16_t index)
{
	cpu_set_t *mask;
	size_t size;
	int err = queue_cpus(d, index, &mask, &size);

	if (!err)
		err = queue_start(&d->dev, index, mask, size, &d->queues[index]);
	free(mask);
	return err;
}

static int wait_for_queue(struct device *d, uint16_t index)
{
	int err;

	guard_begin(d, "queue_init of queue %u", index);
	err = queue_wait_started(d->queues[index]);
	guard_end(d);
	return err;
}

static unsigned int nr_queues(const struct device *d)
{
	return d->info.nr_hw_queues * d->dev.threads_per_queue;
}

/* All at once: under a device that waits for its next server, each is waited for. */
static int begin_queues(struct device *d)
{
	int err = 0;

	while (d->nr_started < nr_queues(d) && !err) {
		err = start_queue(d, d->nr_started);
		d->nr_started += !err;
	}
	return err;
}

static int make_queues(struct device *d)
{
	int err;

	transport_kernel_init(&d->transport, d->char_fd, ctrl_is_legacy(d->ctrl), d->info.flags,
			      d->info.nr_hw_queues, d->info.queue_depth);
	err = dev_prepare(&d->dev);
	if (err)
		return err;
	d->prepared = true;
	d->queues = calloc(nr_queues(d), sizeof(*d->queues));
	if (!d->queues)
		return -ENOMEM;
	return starter_run(d, begin_queues);
}

int queues_prepare(struct device *d)
{
	int err;

	d->dev.queues_wait = true;
	err = make_queues(d);
	for (uint16_t index = 0; index < d->nr_started; index++) {
		int res = queue_wait_started(d->queues[index]);

		err = err ? err : res;
	}
	return err;
}

int queues_start(struct device *d)
{
	int err = 0;

	if (!d->dev.queues_wait) {
		err = make_queues(d);
	} else {
		d->transport.fd = d->char_fd;
		for (uint16_t index = 0; index < d->nr_started; index++)
			queue_ask(d->queues[index], QUEUE_ASK_GO);
	}
	for (uint16_t index = 0; index < d->nr_started; index++) {
		int res = wait_for_queue(d, index);

		err = err ? err : res;
	}
	return err;
}
