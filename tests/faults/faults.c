// SPDX-License-Identifier: MIT
/*
 * faults: preloaded into ublk-host, counts the calls of the C library and of liburing that are, or end in,
 * system calls, and the driver's control commands, in all processes that come of one; and has the N-th of
 * them fail, once. For tests/vm/cases/faults.sh.
 *
 * FAULTS=FILE is memory that the processes share, FAULTS_FAIL=N says which fails (none: they are counted),
 * FAULTS_ONLY=NAME that only those of this name count. What is locked or measured in the program is not
 * changed: a call either fails, or is the real one.
 */
#include "config.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/uapi.h"

#define MOST 4096u
#define NAME_SIZE 48

/* The case reads it: texts first, each ends with a zero or fills its field. */
struct faults {
	char failed[2 * NAME_SIZE]; /* what failed, a tab, and how; "": nothing has */
	char names[MOST][NAME_SIZE];
	atomic_uint count;
};

static struct faults *faults;
static unsigned int fail_nr;
static const char *only;

static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("FAULTS"), *nr = getenv("FAULTS_FAIL");
	void *map = MAP_FAILED;
	int fd = -1;

	/* Not timeout(1), on the way to it. */
	if (path && !strcmp(program_invocation_short_name, "ublk-host"))
		fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && !syscall(SYS_ftruncate, fd, sizeof(*faults)))
		map = (void *)syscall(SYS_mmap, NULL, sizeof(*faults), PROT_READ | PROT_WRITE,
				      MAP_SHARED, fd, 0);
	if (fd >= 0)
		syscall(SYS_close, fd);
	fail_nr = nr ? strtoul(nr, NULL, 10) : 0;
	only = getenv("FAULTS_ONLY");
	if (map != MAP_FAILED)
		faults = map;
}

/* True: this call is to fail. */
static bool fails(const char *name, int error)
{
	unsigned int n;

	if (!faults || (only && *only && strcmp(only, name)))
		return false;
	n = atomic_fetch_add(&faults->count, 1) + 1;
	if (n < MOST)
		memcpy(faults->names[n], name, strnlen(name, NAME_SIZE - 1));
	if (n != fail_nr)
		return false;
	snprintf(faults->failed, sizeof(faults->failed), "%s\t%s", name, strerrordesc_np(error));
	return true;
}

static void *real_of(const char *name)
{
	void *real = dlsym(RTLD_NEXT, name);

	if (!real)
		abort();
	return real;
}

/* TYPE name(params), called as name args; failing, it returns `failed` and sets errno. */
#define WRAP(type, name, params, args, failed, error)                                              \
	type name params                                                                           \
	{                                                                                          \
		static type(*real) params;                                                         \
                                                                                                   \
		if (!real)                                                                         \
			real = (type(*) params)real_of(#name);                                     \
		if (fails(#name, error)) {                                                         \
			errno = error;                                                             \
			return failed;                                                             \
		}                                                                                  \
		return real args;                                                                  \
	}

/* The same for those that return the error. */
#define WRAP_ERR(name, params, args, failed) WRAP(int, name, params, args, failed, abs(failed))

/* clang-format off */
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EMFILE)
WRAP(DIR *, opendir, (const char *path), (path), NULL, EMFILE)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL, ENOMEM)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), -1, ENOSPC)
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode), -1, EPERM)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags), -1, EPERM)
WRAP(int, symlinkat, (const char *target, int dir, const char *path), (target, dir, path), -1, ENOSPC)
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), -1, EIO)
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), -1, EIO)
WRAP(int, unlink, (const char *path), (path), -1, EIO)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), -1, EIO)
WRAP(int, fstatat, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags), -1, EIO)
WRAP(int, lstat, (const char *path, struct stat *st), (path, st), -1, EIO)
WRAP(int, stat, (const char *path, struct stat *st), (path, st), -1, EIO)
WRAP(int, statfs, (const char *path, struct statfs *st), (path, st), -1, EIO)
WRAP(int, fstatfs, (int fd, struct statfs *st), (fd, st), -1, EIO)
WRAP(int, statx, (int dir, const char *path, int flags, unsigned int mask, struct statx *st), (dir, path, flags, mask, st), -1, EIO)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1, ENOSPC)
WRAP_ERR(posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size), ENOSPC)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), -1, ENOSPC)
WRAP(int, flock, (int fd, int op), (fd, op), -1, ENOLCK)
WRAP(ssize_t, read, (int fd, void *buf, size_t size), (fd, buf, size), -1, EIO)
WRAP(ssize_t, write, (int fd, const void *buf, size_t size), (fd, buf, size), -1, EIO)
WRAP(ssize_t, pread, (int fd, void *buf, size_t size, off_t at), (fd, buf, size, at), -1, EIO)
WRAP(ssize_t, pwrite, (int fd, const void *buf, size_t size, off_t at), (fd, buf, size, at), -1, EIO)
WRAP(ssize_t, readlink, (const char *path, char *buf, size_t size), (path, buf, size), -1, EIO)
WRAP(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t size), (dir, path, buf, size), -1, EIO)
WRAP(char *, realpath, (const char *path, char *buf), (path, buf), NULL, EIO)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), -1, EMFILE)
WRAP(pid_t, fork, (void), (), -1, EAGAIN)
WRAP(int, eventfd, (unsigned int count, int flags), (count, flags), -1, EMFILE)
WRAP(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1, EMFILE)
WRAP(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old), -1, EINVAL)
WRAP(int, sigaction, (int signo, const struct sigaction *new, struct sigaction *old), (signo, new, old), -1, EINVAL)
WRAP(pid_t, setsid, (void), (), -1, EPERM)
WRAP(int, dup2, (int from, int to), (from, to), -1, EMFILE)
WRAP(int, chdir, (const char *path), (path), -1, EIO)
WRAP_ERR(pthread_create, (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg), (thread, attr, run, arg), EAGAIN)
WRAP_ERR(pthread_setaffinity_np, (pthread_t thread, size_t size, const cpu_set_t *set), (thread, size, set), EINVAL)
WRAP(int, unshare, (int flags), (flags), -1, ENOMEM)
WRAP(int, mount, (const char *from, const char *to, const char *type, unsigned long flags, const void *data), (from, to, type, flags, data), -1, ENOMEM)
WRAP(int, umount2, (const char *path, int flags), (path, flags), -1, EIO)
WRAP(int, open_tree, (int dir, const char *path, unsigned int flags), (dir, path, flags), -1, EMFILE)
WRAP(int, move_mount, (int from, const char *old, int to, const char *new, unsigned int flags), (from, old, to, new, flags), -1, ENOMEM)
WRAP(int, memfd_create, (const char *name, unsigned int flags), (name, flags), -1, EMFILE)
WRAP(int, access, (const char *path, int mode), (path, mode), -1, EIO)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, ECONNREFUSED)
WRAP(int, scandir, (const char *path, struct dirent ***list, int (*take)(const struct dirent *), int (*order)(const struct dirent **, const struct dirent **)), (path, list, take, order), -1, ENOMEM)
WRAP(int, scandirat, (int dir, const char *path, struct dirent ***list, int (*take)(const struct dirent *), int (*order)(const struct dirent **, const struct dirent **)), (dir, path, list, take, order), -1, ENOMEM)
WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit), -1, EPERM)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, EMFILE)
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds), -1, EMFILE)
WRAP(int, setgroups, (size_t nr, const gid_t *groups), (nr, groups), -1, ENOMEM)
WRAP(int, setresgid, (gid_t real_, gid_t effective, gid_t saved), (real_, effective, saved), -1, EPERM)
WRAP(int, setresuid, (uid_t real_, uid_t effective, uid_t saved), (real_, effective, saved), -1, EAGAIN)
WRAP(int, pidfd_open, (pid_t pid, unsigned int flags), (pid, flags), -1, EMFILE)
WRAP(int, pidfd_send_signal, (int fd, int signo, siginfo_t *info, unsigned int flags), (fd, signo, info, flags), -1, EPERM)
WRAP(int, poll, (struct pollfd *fds, nfds_t nr, int ms), (fds, nr, ms), -1, ENOMEM)
WRAP(void *, seccomp_init, (uint32_t action), (action), NULL, ENOMEM)
WRAP_ERR(seccomp_load, (void *filter), (filter), -ENOMEM)
WRAP_ERR(seccomp_attr_set, (void *filter, int attr, uint32_t value), (filter, attr, value), -EINVAL)
WRAP_ERR(io_uring_queue_init_params, (unsigned int entries, struct io_uring *ring, struct io_uring_params *p), (entries, ring, p), -ENOMEM)
WRAP_ERR(io_uring_register_files, (struct io_uring *ring, const int *files, unsigned int nr), (ring, files, nr), -ENOMEM)
WRAP_ERR(io_uring_register_files_sparse, (struct io_uring *ring, unsigned int nr), (ring, nr), -ENOMEM)
WRAP_ERR(io_uring_register_buffers_sparse, (struct io_uring *ring, unsigned int nr), (ring, nr), -ENOMEM)
WRAP_ERR(io_uring_register_personality, (struct io_uring *ring), (ring), -ENOMEM)
WRAP_ERR(io_uring_register_ring_fd, (struct io_uring *ring), (ring), -ENOMEM)
WRAP_ERR(io_uring_register_sync_cancel, (struct io_uring *ring, struct io_uring_sync_cancel_reg *reg), (ring, reg), -EINVAL)
WRAP_ERR(io_uring_register_buf_ring, (struct io_uring *ring, struct io_uring_buf_reg *reg, unsigned int flags), (ring, reg, flags), -ENOMEM)
WRAP_ERR(io_uring_wait_cqe_timeout, (struct io_uring *ring, struct io_uring_cqe **cqe, struct __kernel_timespec *ts), (ring, cqe, ts), -EIO)
WRAP(struct io_uring_probe *, io_uring_get_probe_ring, (struct io_uring *ring), (ring), NULL, ENOMEM)
/* clang-format on */

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t at)
{
	static void *(*real)(void *, size_t, int, int, int, off_t);

	if (!real)
		real = (void *(*)(void *, size_t, int, int, int, off_t))real_of("mmap");
	if (fails("mmap", ENOMEM)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return real(addr, size, prot, flags, fd, at);
}

/* What takes a variable number of arguments takes these, all told. */
#define ARGUMENTS(last, nr)                                                                        \
	long a[nr];                                                                                \
	va_list ap;                                                                                \
	va_start(ap, last);                                                                        \
	for (int i = 0; i < (nr); i++)                                                             \
		a[i] = va_arg(ap, long);                                                           \
	va_end(ap)

int open(const char *path, int flags, ...)
{
	ARGUMENTS(flags, 1);

	if (fails("open", EIO)) {
		errno = EIO;
		return -1;
	}
	return ((int (*)(const char *, int, ...))real_of("open"))(path, flags, a[0]);
}

int openat(int dir, const char *path, int flags, ...)
{
	ARGUMENTS(flags, 1);

	if (fails("openat", EIO)) {
		errno = EIO;
		return -1;
	}
	return ((int (*)(int, const char *, int, ...))real_of("openat"))(dir, path, flags, a[0]);
}

int fcntl(int fd, int cmd, ...)
{
	ARGUMENTS(cmd, 1);

	if (fails("fcntl", ENOLCK)) {
		errno = ENOLCK;
		return -1;
	}
	return ((int (*)(int, int, ...))real_of("fcntl"))(fd, cmd, a[0]);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	ARGUMENTS(cmd, 1);

	if (fails("ioctl", EIO)) {
		errno = EIO;
		return -1;
	}
	return ((int (*)(int, unsigned long, ...))real_of("ioctl"))(fd, cmd, a[0]);
}

int prctl(int what, ...)
{
	ARGUMENTS(what, 4);

	if (fails("prctl", EPERM)) {
		errno = EPERM;
		return -1;
	}
	return ((int (*)(int, ...))real_of("prctl"))(what, a[0], a[1], a[2], a[3]);
}

/* capget, capset, landlock_*, pivot_root, tgkill */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	ARGUMENTS(number, 6);

	if (!real)
		real = (long (*)(long, ...))real_of("syscall");
	if (fails("syscall", EPERM)) {
		errno = EPERM;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static const char *const commands[] = {
	[_IOC_NR(UBLK_U_CMD_GET_QUEUE_AFFINITY)] = "GET_QUEUE_AFFINITY",
	[_IOC_NR(UBLK_U_CMD_GET_DEV_INFO)] = "GET_DEV_INFO",
	[_IOC_NR(UBLK_U_CMD_ADD_DEV)] = "ADD_DEV",
	[_IOC_NR(UBLK_U_CMD_DEL_DEV)] = "DEL_DEV",
	[_IOC_NR(UBLK_U_CMD_START_DEV)] = "START_DEV",
	[_IOC_NR(UBLK_U_CMD_STOP_DEV)] = "STOP_DEV",
	[_IOC_NR(UBLK_U_CMD_SET_PARAMS)] = "SET_PARAMS",
	[_IOC_NR(UBLK_U_CMD_GET_PARAMS)] = "GET_PARAMS",
	[_IOC_NR(UBLK_U_CMD_GET_FEATURES)] = "GET_FEATURES",
	[_IOC_NR(UBLK_U_CMD_TRY_STOP_DEV)] = "TRY_STOP_DEV",
	[_IOC_NR(UBLK_U_IO_FETCH_REQ)] = "FETCH_REQ",
	[_IOC_NR(UBLK_U_IO_PREP_IO_CMDS)] = "PREP_IO_CMDS",
	[_IOC_NR(UBLK_U_IO_FETCH_IO_CMDS)] = "FETCH_IO_CMDS",
};

/* The first command that goes out with this call. One that fails does not reach the driver, but is a
 * no-operation with a result. False: there is none. */
static bool command_fails(struct io_uring *ring)
{
	const int shift = ring->flags & IORING_SETUP_SQE128 ? 1 : 0;
	struct io_uring_sqe *sqe = NULL;
	const char *name = NULL;
	uint64_t user_data;

	for (unsigned int i = ring->sq.sqe_head; i != ring->sq.sqe_tail && !name; i++) {
		uint32_t nr;

		sqe = &ring->sq.sqes[(i & ring->sq.ring_mask) << shift];
		nr = _IOC_NR(sqe->cmd_op);
		if (sqe->opcode == IORING_OP_URING_CMD && nr < ARRAY_SIZE(commands))
			name = commands[nr];
	}
	if (!name)
		return false;
	if (!fails(name, ENOMEM))
		return true;
	user_data = sqe->user_data;
	memset(sqe, 0, sizeof(*sqe) << shift);
	sqe->opcode = IORING_OP_NOP;
	sqe->len = (uint32_t)-ENOMEM;
	sqe->rw_flags = 1; /* IORING_NOP_INJECT_RESULT */
	sqe->user_data = user_data;
	return true;
}

/* Either what it sends fails, or the call does. */
#define WRAP_SUBMIT(name, params, args)                                                            \
	int name params                                                                            \
	{                                                                                          \
		static int(*real) params;                                                          \
                                                                                                   \
		if (!real)                                                                         \
			real = (int(*) params)real_of(#name);                                      \
		if (!command_fails(ring) && fails(#name, EIO))                                     \
			return -EIO;                                                               \
		return real args;                                                                  \
	}

/* clang-format off */
WRAP_SUBMIT(io_uring_submit, (struct io_uring *ring), (ring))
WRAP_SUBMIT(io_uring_submit_and_wait, (struct io_uring *ring, unsigned int nr), (ring, nr))
WRAP_SUBMIT(io_uring_submit_and_get_events, (struct io_uring *ring), (ring))
WRAP_SUBMIT(io_uring_submit_and_wait_timeout, (struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int nr, struct __kernel_timespec *ts, sigset_t *set), (ring, cqe, nr, ts, set))
/* clang-format on */
