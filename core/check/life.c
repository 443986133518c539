// SPDX-License-Identifier: MIT
/* Checks of a device's life: opened, started, ended, as often as one likes, and nothing is left. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check/kit.h"

#define CYCLES 8
#define ROUNDS                                                                                     \
	6 /* of so many, after one that warms up; the first is enough for who leaves nothing */
#define HEAP_LEAK 16 /* bytes that make a leak, if each cycle takes them */
#define MAPPED_LEAK 4096

void check_open(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);

	kit_usual_queues(d);
	kit_finish(d);
}

/* Devices are made with other limits than the usual, by users and by kernels. */
void check_offers(struct kit *k)
{
	struct device_config cfg = k->cfg;
	struct kit_dev *d = kit_must_open(k, 0);
	void *buf;

	cfg.queues = cfg.depth = 1;
	cfg.max_io = (uint32_t)sysconf(_SC_PAGESIZE);
	kit_limits(d, &cfg);
	kit_start(d);
	kit_queues(d, 1, 1, NULL);
	buf = kit_alloc(k, d->dev.limits.max_io_bytes);
	kit_must(d, UBLK_OP_READ, 0, 0, kit_block(d), buf);
	free(buf);
	kit_finish(d);
}

/* A path that cannot be there, for each option that is one. */
void check_failed_open(struct kit *k)
{
	static char nowhere[] = "/proc/no-such-folder/no-such-file";
	const struct ublk_plugin *desc = k->desc;
	struct leaks before;
	char left[128];
	unsigned int tried = 0, failed = 0;

	for (int round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < desc->nr_opts; i++) {
			struct ublk_opt_spec spec =
				options_spec(desc->opts, desc->opt_spec_size, i);
			struct ublk_opt saved = k->values.opt[i];
			struct kit_dev *d = NULL;
			int res;

			if (spec.type != UBLK_OPT_PATH)
				continue;
			tried++;
			k->values.opt[i] = (struct ublk_opt){ .str = nowhere, .is_set = 1 };
			kit_doing(k, "opening with %s=%s", spec.name, nowhere);
			res = kit_try_open(k, &d, 0);
			k->values.opt[i] = saved;
			failed += !!res;
			if (!res)
				kit_close(d);
		}
		if (!round)
			leaks_look(&before);
	}
	if (!tried)
		kit_skip(k, "the plugin has no option that is a path");
	if (!failed)
		kit_skip(k, "open() does not mind %s", nowhere);
	if (leaks_left(&before, left, sizeof(left)))
		kit_fail(k, "open() that fails leaves %s", left);
	check_open(k);
}

static void cycle_unstarted(struct kit *k)
{
	struct kit_dev *d = kit_must_open(k, 0);

	kit_limits(d, &k->cfg);
	kit_close(d);
}

static void cycle_whole(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	void *buf = kit_alloc(k, kit_block(d));

	kit_usual_queues(d);
	for (uint16_t qid = 0; qid < d->nr_queues; qid++) {
		struct kit_io io = {
			.op = UBLK_OP_READ, .length = kit_block(d), .data = buf, .qid = qid
		};

		kit_submit(d, &io);
		kit_wait(d, &io);
	}
	free(buf);
	kit_finish(d);
}

static void one_round(struct kit *k, void (*cycle)(struct kit *k), const char *what,
		      unsigned int round, struct leaks *after)
{
	for (int i = 0; i < CYCLES; i++) {
		kit_doing(k, "%s, time %u", what, round * CYCLES + (unsigned int)i + 1);
		cycle(k);
	}
	leaks_look(after);
}

/* Caches fill, too; what grows by more than a little in every round is no cache. */
static void run_cycles(struct kit *k, void (*cycle)(struct kit *k), const char *what)
{
	struct leaks first, before, after;
	bool heap = true, mapped = true;
	char left[128];

	one_round(k, cycle, what, 0, &first);
	before = first;
	for (unsigned int round = 1; round <= ROUNDS && (round == 1 || heap || mapped); round++) {
		one_round(k, cycle, what, round, &after);
		heap = heap && (long)(after.heap - before.heap) >= CYCLES * HEAP_LEAK;
		mapped = mapped && (long)(after.mapped - before.mapped) >= CYCLES * MAPPED_LEAK;
		before = after;
	}
	if (leaks_left(&first, left, sizeof(left)))
		kit_fail(k, "%s leaves %s after %u times", what, left, CYCLES);
	if (heap)
		kit_fail(k, "%s leaves %zu bytes of heap each time", what,
			 (after.heap - first.heap) / (ROUNDS * CYCLES));
	if (mapped)
		kit_fail(k, "%s leaves %zu bytes of mappings each time", what,
			 (after.mapped - first.mapped) / (ROUNDS * CYCLES));
}

void check_unstarted(struct kit *k)
{
	run_cycles(k, cycle_unstarted, "open() and close() without start()");
}

void check_cycles(struct kit *k)
{
	run_cycles(k, cycle_whole, "a device's whole life");
}

/* A queue that does not come up, the plugin's or the host's fault: what there is ends in order. */
void check_queue_failure(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	struct leaks before;
	char left[128];

	kit_close(d); /* no queue at all */
	d = kit_open(k, 0);
	kit_queues(d, 1, 4, NULL); /* one of several, and no request */
	kit_finish(d);
	leaks_look(&before);
	for (int i = 0; i < 4; i++) {
		kit_close(kit_open(k, 0));
		d = kit_open(k, 0);
		kit_queues(d, 1, 4, NULL);
		kit_finish(d);
	}
	if (leaks_left(&before, left, sizeof(left)))
		kit_fail(k, "a device whose queues do not all start leaves %s", left);
}

/* The second device may be refused. It must not harm the first, nor the other way round. */
void check_twice(struct kit *k)
{
	struct kit_dev *first = kit_open(k, 0), *second = NULL;
	uint32_t block = kit_block(first);
	void *before = kit_alloc(k, block), *after = kit_alloc(k, block);
	int res;

	kit_usual_queues(first);
	kit_must(first, UBLK_OP_READ, 0, 0, block, before);
	kit_doing(k, "opening a second device beside the first");
	res = kit_try_open(k, &second, 0);
	if (!res) {
		kit_limits(second, &k->cfg);
		kit_start(second);
		kit_queues(second, 1, 4, NULL);
		kit_must(second, UBLK_OP_READ, 0, 0, kit_block(second), after);
		kit_must(first, UBLK_OP_READ, 0, 0, block, after);
		kit_finish(second);
	}
	kit_doing(k, "reading from the first device after the second one has ended");
	kit_must(first, UBLK_OP_READ, 0, 0, block, after);
	if (memcmp(before, after, block))
		kit_fail(k, "the first device reads otherwise after a second one was opened%s",
			 res ? "" : " and closed");
	free(before);
	free(after);
	kit_finish(first);
}

void check_read_only(struct kit *k)
{
	struct kit_dev *d = kit_open(k, UBLK_OPEN_READ_ONLY);
	void *buf = kit_alloc(k, kit_block(d));

	if (!kit_read_only(d))
		kit_fail(k, "get_limits() took UBLK_DEV_READ_ONLY away, though open() was told so");
	kit_usual_queues(d);
	kit_must(d, UBLK_OP_READ, 0, 0, kit_block(d), buf);
	free(buf);
	kit_finish(d);
}

/* -- what belongs to the process is the host's */

static const int signals[] = { SIGINT,	SIGTERM, SIGHUP,  SIGQUIT, SIGPIPE, SIGXFSZ,
			       SIGSEGV, SIGBUS,	 SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM };

struct process {
	struct sigaction action[ARRAY_SIZE(signals)];
	sigset_t mask;
	mode_t umask;
	struct stat standard[3];
	char folder[PATH_MAX];
};

static void process_look(struct process *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], NULL, &p->action[i]);
	pthread_sigmask(SIG_SETMASK, NULL, &p->mask);
	p->umask = umask(0);
	umask(p->umask);
	for (int fd = 0; fd < 3; fd++)
		fstat(fd, &p->standard[fd]);
	if (!getcwd(p->folder, sizeof(p->folder)))
		*p->folder = 0;
}

static void process_compare(struct kit *k, const struct process *a, const struct process *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (a->action[i].sa_handler != b->action[i].sa_handler)
			kit_fail(k, "the plugin changed what SIG%s does in the process",
				 sigabbrev_np(signals[i]));
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigismember(&a->mask, signals[i]) != sigismember(&b->mask, signals[i]))
			kit_fail(k, "the plugin changed whether the control thread blocks SIG%s",
				 sigabbrev_np(signals[i]));
	if (a->umask != b->umask)
		kit_fail(k, "the plugin changed the process's umask from 0%o to 0%o", a->umask,
			 b->umask);
	if (strcmp(a->folder, b->folder))
		kit_fail(k, "the plugin changed the process's folder to %s", b->folder);
	for (int fd = 0; fd < 3; fd++)
		if (a->standard[fd].st_ino != b->standard[fd].st_ino ||
		    a->standard[fd].st_dev != b->standard[fd].st_dev)
			kit_fail(k, "the plugin closed or replaced descriptor %d of the process",
				 fd);
}

void check_process(struct kit *k)
{
	struct process before, after;

	process_look(&before);
	cycle_whole(k);
	process_look(&after);
	process_compare(k, &before, &after);
}
