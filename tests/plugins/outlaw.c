// SPDX-License-Identifier: MIT
/*
 * outlaw: a small store in memory that tries, while it serves, what a plugin has no business with. A
 * WRITE whose data begins with a line of "try WHAT [ARGUMENT]" is such a try, made by a thread that was
 * started when `from` says, and the answer (the errno's number, or "0") is in the sector for READs.
 * Which needs its descriptor declares is set when it is compiled, OUTLAW_NEEDS.
 */
#define _GNU_SOURCE /* unshare() */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ublk-plugin.h"

#ifndef OUTLAW_NAME
#define OUTLAW_NAME "outlaw"
#define OUTLAW_NEEDS 0
#endif

enum { SIZE = 1 << 20 };

enum { OPT_FROM };

/* As in the choices. */
enum { WORKER, OPEN, START, DEAF };

static const struct ublk_opt_spec opts[] = {
	[OPT_FROM] = { .name = "from",
		       .help = "the thread that tries; deaf: from open, with all signals blocked",
		       .def = "worker",
		       .choices = "worker|open|start|deaf",
		       .type = UBLK_OPT_ENUM },
};

/* One device per process. */
static const struct ublk_host *host;
static char *store;
static uint64_t from;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static sem_t asked, answered;
static char *order;

static int result(long ret)
{
	return ret < 0 ? errno : 0;
}

static int try_exec(void)
{
	char *argv[] = { (char *)"true", NULL }, *envp[] = { NULL };
	int status = 0, err;
	pid_t pid;

	err = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp);
	if (!err && waitpid(pid, &status, 0) == pid && status)
		err = ECHILD;
	return err;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int err = result(fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int try_tcp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return errno;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	err = result(connect(fd, (struct sockaddr *)&to, sizeof(to)));
	close(fd);
	return err == ECONNREFUSED || err == ENETUNREACH ? 0 : err; /* it was allowed to */
}

static int try_signal(const char *pid)
{
	return result(kill(atoi(pid), SIGCONT));
}

/* A ring has its own way to the kernel's functions, past filters of system calls. This one is made in
 * start(), when there is none yet. */
static struct {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *queues;
} ring;

static int make_ring(void)
{
	const int prot = PROT_READ | PROT_WRITE;

	ring.fd = (int)syscall(SYS_io_uring_setup, 4, &ring.params);
	if (ring.fd < 0)
		return -errno;
	ring.queues = mmap(NULL, 65536, prot, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, 4096, prot, MAP_SHARED, ring.fd, IORING_OFF_SQES);
	return ring.queues == MAP_FAILED || ring.sqes == MAP_FAILED ? -errno : 0;
}

static int try_ring_open(const char *path)
{
	const struct io_cqring_offsets *cq = &ring.params.cq_off;
	uint32_t *tail = (uint32_t *)(ring.queues + ring.params.sq_off.tail);
	uint32_t *head = (uint32_t *)(ring.queues + cq->head);
	uint32_t mask = *(uint32_t *)(ring.queues + cq->ring_mask);
	struct io_uring_cqe *cqe;

	memset(ring.sqes, 0, sizeof(*ring.sqes));
	ring.sqes->opcode = IORING_OP_OPENAT;
	ring.sqes->fd = AT_FDCWD;
	ring.sqes->addr = (uintptr_t)path;
	ring.sqes->open_flags = O_RDONLY | O_CLOEXEC;
	((uint32_t *)(ring.queues + ring.params.sq_off.array))[*tail & 3] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return errno;
	cqe = (struct io_uring_cqe *)(ring.queues + cq->cqes) + (*head & mask);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (cqe->res < 0)
		return -cqe->res;
	close(cqe->res);
	return 0;
}

static int try_it(char *what)
{
	char *argument = strchr(what, ' ');

	if (argument)
		*argument++ = 0;
	if (!strcmp(what, "exec"))
		return try_exec();
	if (!strcmp(what, "fork"))
		return result(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
	if (!strcmp(what, "ptrace"))
		return result(ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	if (!strcmp(what, "mount"))
		return result(mount("x", "/proc", "tmpfs", 0, NULL));
	if (!strcmp(what, "unshare"))
		return result(unshare(CLONE_NEWNS));
	if (!strcmp(what, "mknod"))
		return result(mknod("/run/outlaw", S_IFREG | 0600, 0));
	if (!strcmp(what, "setuid"))
		return result(syscall(SYS_setuid, 1));
	if (!strcmp(what, "tcp"))
		return try_tcp();
	if (!strcmp(what, "signal"))
		return try_signal(argument);
	if (!strcmp(what, "read"))
		return try_open(argument, O_RDONLY);
	if (!strcmp(what, "write"))
		return try_open(argument, O_WRONLY | O_CREAT);
	if (!strcmp(what, "ring-read"))
		return try_ring_open(argument);
	if (!strcmp(what, "ring"))
		return result(syscall(SYS_io_uring_setup, 4, &(struct io_uring_params){ 0 }));
	if (!strcmp(what, "nothing"))
		return 0;
	return ENOTTY;
}

static void answer(char *text)
{
	int err = try_it(text + strlen("try "));

	memset(text, 0, 512);
	snprintf(text, 512, "%d\n", err);
}

static void *thread(void *arg)
{
	(void)arg;
	for (;;) {
		while (sem_wait(&asked))
			;
		answer(order);
		sem_post(&answered);
	}
	return NULL;
}

static int start_thread(void)
{
	sigset_t all, former;
	pthread_t id;
	int err;

	sigfillset(&all);
	if (from == DEAF)
		pthread_sigmask(SIG_SETMASK, &all, &former);
	err = pthread_create(&id, NULL, thread, NULL);
	if (from == DEAF)
		pthread_sigmask(SIG_SETMASK, &former, NULL);
	return -err;
}

static int outlaw_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int outlaw_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	(void)dev;
	from = args->opts[OPT_FROM].u64;
	sem_init(&asked, 0, 0);
	sem_init(&answered, 0, 0);
	store = calloc(1, SIZE);
	*priv = store;
	if (!store)
		return -ENOMEM;
	return from == OPEN || from == DEAF ? start_thread() : 0;
}

static int outlaw_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = SIZE;
	return 0;
}

static int outlaw_start(void *priv, const struct ublk_limits *final_limits)
{
	int err;

	(void)priv;
	(void)final_limits;
	err = make_ring();
	if (!err && from == START)
		err = start_thread();
	return err;
}

static int outlaw_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	pthread_mutex_lock(&one);
	memcpy(buf, store + offset, length);
	pthread_mutex_unlock(&one);
	return 0;
}

static int outlaw_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
			uint32_t flags)
{
	(void)priv;
	(void)flags;
	pthread_mutex_lock(&one);
	memcpy(store + offset, buf, length);
	if (!memcmp(buf, "try ", 4)) {
		order = store + offset;
		order[strcspn(order, "\n")] = 0;
		if (from == WORKER) {
			answer(order);
		} else {
			sem_post(&asked);
			while (sem_wait(&answered))
				;
		}
	}
	pthread_mutex_unlock(&one);
	return 0;
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = OUTLAW_NAME,
	.version = "1",
	.description = "tries what a plugin has no business with, for tests",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = OUTLAW_NEEDS,
	.load = outlaw_load,
	.open = outlaw_open,
	.get_limits = outlaw_get_limits,
	.start = outlaw_start,
	.read = outlaw_read,
	.write = outlaw_write,
};
