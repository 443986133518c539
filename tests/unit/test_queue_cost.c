// SPDX-License-Identifier: MIT
/* What a request costs on the queue's thread: no allocation, no lock, no clock, and a fraction of a
 * system call. Library calls are counted by standing in front of them, system calls by ptrace. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "plane.h"

#define DEPTH 64
#define STORE (1u << 20)
#define LENGTH 4096u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_CALLS 0 /* the sanitizer stands there already */
#else
#define COUNTS_CALLS 1
#endif

static struct {
	atomic_bool on;
	atomic_uint allocations, locks, clocks;
} counted;
static _Thread_local bool on_queue; /* this is the queue's thread */
static pid_t queue_tid;

static inline void count(atomic_uint *what)
{
	if (on_queue && atomic_load(&counted.on))
		atomic_fetch_add(what, 1);
}

#if COUNTS_CALLS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

void *malloc(size_t size)
{
	count(&counted.allocations);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(&counted.allocations);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(&counted.allocations);
	return __libc_realloc(p, size);
}

void free(void *p)
{
	count(&counted.allocations);
	__libc_free(p);
}

int pthread_mutex_lock(pthread_mutex_t *lock)
{
	static int (*next)(pthread_mutex_t *);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	count(&counted.locks);
	return next(lock);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
	count(&counted.clocks);
	return next(clock, ts);
}
#endif

static char store[STORE];

static int cost_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
		     void **qpriv)
{
	(void)q;
	(void)info;
	on_queue = true;
	queue_tid = syscall(SYS_gettid);
	*qpriv = priv;
	return 0;
}

/* The first half of the device is memory, the second is nothing. */
static int cost_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	out->length = io->length;
	out->kind = io->offset < STORE / 2 ? UBLK_EXT_MEM : UBLK_EXT_ZERO;
	out->at.addr = store + io->offset;
	return 1;
}

static int cost_submit(void *qpriv, struct ublk_io *io)
{
	host_services.complete(qpriv, io, (int32_t)io->length);
	return 0;
}

static int cost_async_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			   void **qpriv)
{
	cost_init(priv, q, info, qpriv);
	*qpriv = q;
	return 0;
}

static int cost_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	memcpy(buf, store + offset, length);
	return 0;
}

static int cost_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	memcpy(store + offset, buf, length);
	return 0;
}

static const struct ublk_plugin cost_plugins[] = {
	{
		UBLK_PLUGIN_INIT(0),
		.name = "map",
		.thread_model = UBLK_THREADS_PARALLEL,
		.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
		.map_kinds = UBLK_EXT_MEM | UBLK_EXT_ZERO,
		.map = cost_map,
		.queue_init = cost_init,
	},
	{
		UBLK_PLUGIN_INIT(0),
		.name = "async",
		.thread_model = UBLK_THREADS_PARALLEL,
		.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
		.data_modes = UBLK_DATA_MAPPED,
		.submit = cost_submit,
		.queue_init = cost_async_init,
	},
	{
		UBLK_PLUGIN_INIT(0),
		.name = "call",
		.thread_model = UBLK_THREADS_PARALLEL,
		.flags = UBLK_PLUGIN_NONBLOCKING,
		.read = cost_read,
		.write = cost_write,
		.queue_init = cost_init,
	},
};

static struct plane plane;

/* The application and the queue share a CPU, as with a real device's blk-mq context: the queue runs
 * when the application has handed over all that it has. */
static void start(int which)
{
	cpu_set_t cpus, one;
	int cpu = 0;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	plane_init(&plane, &cost_plugins[which], NULL);
	plane.depth = DEPTH;
	plane.dev.limits.size_bytes = STORE;
	plane_start(&plane);
}

/* n batches of a full queue: half reads, half writes, over memory and nothing. Sleeps nowhere, so
 * that the fake transport wakes nobody. */
static void load(unsigned int n)
{
	static char data[LENGTH];

	for (unsigned int batch = 0; batch < n; batch++) {
		struct fake_request reqs[DEPTH];
		int32_t res;

		for (unsigned int i = 0; i < DEPTH; i++)
			reqs[i] = (struct fake_request){
				.tag = i,
				.op_flags = i & 1 ? UBLK_IO_OP_WRITE : UBLK_IO_OP_READ,
				.nr_sectors = LENGTH >> 9,
				.start_sector = (batch * DEPTH + i) * (LENGTH >> 9) % (STORE >> 9),
				.data = data
			};
		ck_assert_int_eq(fake_submit_many(plane.fake, 0, reqs, DEPTH), DEPTH);
		for (unsigned int i = 0; i < DEPTH; i++) {
			while (!fake_is_done(plane.fake, 0, i))
				sched_yield();
			ck_assert_int_eq(fake_wait(plane.fake, 0, i, 0, &res, NULL), 0);
			ck_assert_int_eq(res, LENGTH);
		}
	}
}

START_TEST(library_calls)
{
	uint64_t enters, ops = 1600 * DEPTH;

	start(_i);
	load(4); /* first uses */
	enters = queue_counters(plane.q[0])->enters;
	atomic_store(&counted.on, true);
	load(1600);
	atomic_store(&counted.on, false);
	enters = queue_counters(plane.q[0])->enters - enters;
	ck_assert_uint_eq(atomic_load(&counted.allocations), 0);
	ck_assert_uint_eq(atomic_load(&counted.locks), 0);
	ck_assert_uint_eq(atomic_load(&counted.clocks), 0);
	fprintf(stderr, "# %s: %.4f system calls per request\n", plane.plugin.name,
		(double)enters / ops);
	ck_assert_msg(enters * 5 < ops, "%llu io_uring_enter for %llu requests",
		      (unsigned long long)enters, (unsigned long long)ops);
	plane_stop(&plane);
}
END_TEST

#if COUNTS_CALLS
/* While latencies are measured, a round reads the clock twice at most, and a request never. */
START_TEST(clocks_of_latencies)
{
	uint64_t rounds;
	uint32_t *word;

	start(_i);
	word = &plane.dev.stats->latency;
	__atomic_store_n(word, stats_latency_switch(*word, true), __ATOMIC_RELAXED);
	load(4);
	rounds = queue_counters(plane.q[0])->loops;
	atomic_store(&counted.on, true);
	load(400);
	atomic_store(&counted.on, false);
	rounds = queue_counters(plane.q[0])->loops - rounds;
	ck_assert_uint_eq(atomic_load(&counted.allocations), 0);
	ck_assert_uint_eq(atomic_load(&counted.locks), 0);
	ck_assert_uint_ge(atomic_load(&counted.clocks), 1);
	ck_assert_uint_le(atomic_load(&counted.clocks), 2 * rounds + 2);
	ck_assert_uint_lt(rounds * 5, 400 * DEPTH);
	plane_stop(&plane);
}
END_TEST

/* That the counters count. */
START_TEST(counters_count)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	void *volatile p;
	struct timespec ts;

	on_queue = true;
	atomic_store(&counted.on, true);
	p = malloc(1);
	free(p);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	atomic_store(&counted.on, false);
	ck_assert_uint_eq(atomic_load(&counted.allocations), 2);
	ck_assert_uint_eq(atomic_load(&counted.locks), 1);
	ck_assert_uint_ge(atomic_load(&counted.clocks), 1);
}
END_TEST
#endif

struct trace {
	atomic_int state; /* 0, TRACING, STOP, or -errno */
	atomic_uint enters, others;
	atomic_long last_other;
};
enum { TRACING = 1, STOP };

/* A process of its own: a thread cannot be traced by its own kind. Counts each system call once. */
static void tracer(pid_t tid, struct trace *trace)
{
	bool inside = false;
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, tid, 0, 0) || waitpid(tid, &status, __WALL) != tid) {
		atomic_store(&trace->state, -errno);
		return;
	}
	atomic_store(&trace->state, TRACING);
	while (atomic_load(&trace->state) != STOP) {
		struct __ptrace_syscall_info info;

		if (ptrace(PTRACE_SYSCALL, tid, 0, 0) || waitpid(tid, &status, __WALL) != tid ||
		    !WIFSTOPPED(status))
			return;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		inside = !inside;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0)
			continue;
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (info.entry.nr == SYS_io_uring_enter) {
			atomic_fetch_add(&trace->enters, 1);
		} else {
			atomic_fetch_add(&trace->others, 1);
			atomic_store(&trace->last_other, (long)info.entry.nr);
		}
	}
	ptrace(PTRACE_DETACH, tid, 0, 0);
}

START_TEST(system_calls)
{
	struct trace *trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t enters, ops = 300 * DEPTH;
	int status;
	pid_t pid;

	ck_assert_ptr_ne(trace, MAP_FAILED);
	start(_i);
	load(4);
	enters = queue_counters(plane.q[0])->enters;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		tracer(queue_tid, trace);
		_exit(0);
	}
	prctl(PR_SET_PTRACER, pid, 0, 0, 0);
	while (!atomic_load(&trace->state))
		sched_yield();
	if (atomic_load(&trace->state) < 0) {
		fprintf(stderr, "# not traced: %s\n", strerror(-atomic_load(&trace->state)));
	} else {
		load(300);
		atomic_store(&trace->state, STOP);
		load(1); /* something to stop at */
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	enters = queue_counters(plane.q[0])->enters - enters;
	ck_assert_msg(!atomic_load(&trace->others),
		      "%u system calls other than io_uring_enter, the last is number %ld",
		      atomic_load(&trace->others), atomic_load(&trace->last_other));
	/* the host's own count is the kernel's */
	ck_assert_uint_le(atomic_load(&trace->enters), enters + 2);
	ck_assert_uint_lt(atomic_load(&trace->enters) * 5, ops);
	plane_stop(&plane);
	munmap(trace, sizeof(*trace));
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (plane_on_valgrind()) {
		printf("1..0 # SKIP nothing costs under valgrind what it costs otherwise\n");
		return EXIT_SUCCESS;
	}
	plane_need_fake();
	s = suite_create("queue: costs");
	tc = tcase_create("per request");
	tcase_add_loop_test(tc, library_calls, 0, ARRAY_SIZE(cost_plugins));
	tcase_add_loop_test(tc, system_calls, 0, ARRAY_SIZE(cost_plugins));
#if COUNTS_CALLS
	tcase_add_loop_test(tc, clocks_of_latencies, 0, ARRAY_SIZE(cost_plugins));
	tcase_add_test(tc, counters_count);
#endif
	suite_add_tcase(s, tc);
	return run_tap(s);
}
