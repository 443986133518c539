// SPDX-License-Identifier: MIT
/* What the plugin costs: requests through the data plane and the fake transport, and the same without it. */
#include <string.h>
#include <time.h>

#include "check/kit.h"

#define RUN_MS 250
#define ROUNDS 3 /* the median counts */

/* The plugin that costs nothing. */
static int nothing_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv, (void)max;
	*out = (struct ublk_extent){ .length = io->length, .kind = UBLK_EXT_VOID };
	return 1;
}

static const struct ublk_plugin nothing = {
	UBLK_PLUGIN_INIT(0),
	.name = "nothing",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_VOID,
	.map = nothing_map,
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A random place for such a request in the first bytes of the device, at a multiple of its length from the
 * last border that it must not cross (chunk_bytes): there is one in each of the plugin's chunks. */
static uint64_t random_place(struct kit_dev *d, uint32_t bytes)
{
	const uint64_t window = min_of(atomic_load(&d->dev.size), (uint64_t)MODEL_WINDOW_BYTES);
	const uint64_t chunk = d->dev.limits.chunk_bytes ? d->dev.limits.chunk_bytes : window;
	const uint64_t each = chunk / bytes;
	const uint64_t places = window / chunk * each + window % chunk / bytes;
	const uint64_t place = kit_random(d->kit) % places;

	return place / each * chunk + place % each * bytes;
}

/* Random blocks of the first window, so many at once. */
static void run(struct kit_dev *d, struct check_speed *speed, struct kit_io *ios, double *iops,
		double *cpu_us)
{
	uint64_t began = now_ms(), cpu = cpu_ns(), n = 0, now;

	for (unsigned int i = 0; i < speed->depth; i++)
		ios[i].tag = -1;
	do {
		for (unsigned int i = 0; i < speed->depth; i++) {
			if (ios[i].tag >= 0 && kit_wait(d, &ios[i]))
				kit_fail(d->kit, "a request of the measurement failed");
			ios[i].offset = random_place(d, speed->bytes);
			kit_submit(d, &ios[i]);
			n++;
		}
		now = now_ms();
	} while (now - began < RUN_MS);
	for (unsigned int i = 0; i < speed->depth; i++)
		kit_wait(d, &ios[i]);
	*cpu_us = (double)(cpu_ns() - cpu) / 1e3 / (double)n;
	*iops = (double)n * 1e3 / (double)(now_ms() - began);
}

static double median(double v[ROUNDS])
{
	double low = min_of(v[0], v[1]), high = max_of(v[0], v[1]);

	return max_of(low, min_of(high, v[2]));
}

/* With the plugin, or with none: a data plane of its own each time. */
static void measure(struct kit_dev *d, struct check_speed *speed, bool plugin, double *iops,
		    double *cpu_us)
{
	double all[ROUNDS], cpu[ROUNDS];
	struct kit_io ios[KIT_DEPTH];

	d->dev.plugin = plugin ? d->kit->desc : &nothing;
	d->dev.priv = plugin ? d->priv : NULL;
	d->dev.limits.map_kinds = plugin ? d->kit->desc->map_kinds : UBLK_EXT_VOID;
	for (unsigned int i = 0; i < speed->depth; i++)
		ios[i] = (struct kit_io){ .op = speed->op,
					  .length = speed->bytes,
					  .data = speed->op == UBLK_OP_READ
							  ? NULL
							  : kit_alloc(d->kit, speed->bytes) };
	kit_queues(d, 1, (uint16_t)max_of(speed->depth, 1u),
		   &(struct path_choice){ &path_copy, false });
	for (int i = 0; i < ROUNDS; i++)
		run(d, speed, ios, &all[i], &cpu[i]);
	kit_end_queues(d);
	kit_free_queues(d);
	for (unsigned int i = 0; i < speed->depth; i++)
		free(ios[i].data);
	*iops = median(all);
	*cpu_us = median(cpu);
}

/* So long a request, or the longest that the device takes. */
static uint32_t cut(const struct kit_dev *d, uint32_t bytes)
{
	return (uint32_t)kit_step(d, 0, min_of((uint64_t)bytes, atomic_load(&d->dev.size)));
}

void bench_run(struct kit *k)
{
	static const uint32_t sizes[] = { 4096, 131072 }, depths[] = { 1, 32 };
	struct kit_dev *d;

	k->bare = true;
	d = kit_open(k, 0);
	for (unsigned int op = UBLK_OP_READ; op <= UBLK_OP_WRITE; op++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(depths); i++) {
			struct check_speed *speed = &k->report->speed[k->report->nr_speeds];

			*speed = (struct check_speed){ .op = op,
						       .bytes = cut(d,
								    sizes[i / ARRAY_SIZE(depths)]),
						       .depth = depths[i % ARRAY_SIZE(depths)] };
			if (op == UBLK_OP_WRITE && kit_read_only(d))
				continue;
			if (i >= ARRAY_SIZE(depths) && speed->bytes == cut(d, sizes[0]))
				continue; /* has been measured */
			if (speed->bytes % kit_block(d) || speed->depth > d->dev.limits.max_depth)
				continue;
			measure(d, speed, false, &speed->bare_iops, &speed->bare_cpu_us);
			measure(d, speed, true, &speed->iops, &speed->cpu_us);
			k->report->nr_speeds++;
		}
	kit_close(d);
}
