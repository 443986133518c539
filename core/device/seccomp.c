// SPDX-License-Identifier: MIT
/*
 * The system calls that a server makes while it serves and when it stops, and no others. What is
 * refused answers EPERM and leaves an audit record: killing the server instead would turn a library's
 * harmless whim into a lost device.
 *
 * What comes by an io_uring passes by; see ublk-host-security(7).
 */
#include "device/confine.h"

#ifndef HAVE_SECCOMP

#include "base/log.h"

bool seccomp_built_in(void)
{
	return false;
}

int seccomp_confine(uint32_t flags, bool local_socket)
{
	(void)flags;
	(void)local_socket;
	log_debug("no filter of system calls: this program was built without libseccomp");
	return 0;
}

#else

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>

#include "base/log.h"
#include "ublk-plugin.h"

#ifdef __s390__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

#define N(name) SCMP_SYS(name)

/* clang-format off */

/* Whatever their arguments are. */
static const int always[] = {
	/* rings */
	N(io_uring_enter), N(io_uring_register),
	/* memory */
	N(brk), N(madvise), N(mbind), N(membarrier), N(memfd_create), N(mincore), N(mlock),
	N(mlock2), N(mlockall), N(mmap), N(mmap2), N(mprotect), N(mremap), N(msync), N(munlock),
	N(munlockall), N(munmap), N(get_mempolicy), N(set_mempolicy), N(pkey_alloc), N(pkey_free),
	N(pkey_mprotect),
	/* threads and signals */
	N(arch_prctl), N(exit), N(exit_group), N(futex), N(futex_waitv), N(get_robust_list),
	N(getcpu), N(pause), N(restart_syscall), N(rseq), N(rt_sigaction), N(rt_sigpending),
	N(rt_sigprocmask), N(rt_sigreturn), N(rt_sigsuspend), N(rt_sigtimedwait),
	N(sched_getaffinity), N(sched_getattr), N(sched_get_priority_max),
	N(sched_get_priority_min), N(sched_getparam), N(sched_getscheduler), N(sched_setaffinity),
	N(sched_yield), N(set_robust_list), N(set_tid_address), N(sigaltstack), N(signalfd),
	N(signalfd4), N(sigreturn),
	/* files that are open */
	N(close), N(close_range), N(copy_file_range), N(dup), N(dup2), N(dup3), N(epoll_create),
	N(epoll_create1), N(epoll_ctl), N(epoll_pwait), N(epoll_pwait2), N(epoll_wait), N(eventfd),
	N(eventfd2), N(fadvise64), N(fadvise64_64), N(fallocate), N(fdatasync), N(flock), N(fstat),
	N(fstat64), N(fstatfs), N(fstatfs64), N(fsync), N(ftruncate), N(ftruncate64), N(_llseek),
	N(lseek), N(_newselect), N(pipe), N(pipe2), N(poll), N(ppoll), N(pread64), N(preadv),
	N(preadv2), N(pselect6), N(pwrite64), N(pwritev), N(pwritev2), N(read), N(readahead),
	N(readv), N(select), N(sendfile), N(sendfile64), N(splice), N(sync_file_range),
	N(sync_file_range2), N(syncfs), N(tee), N(vmsplice), N(write), N(writev),
	/* names: to look, and to remove the state's files */
	N(access), N(chdir), N(faccessat), N(faccessat2), N(fstatat64), N(getcwd), N(getdents),
	N(getdents64), N(lstat), N(lstat64), N(newfstatat), N(readlink), N(readlinkat), N(stat),
	N(stat64), N(statfs), N(statfs64), N(statx), N(unlink), N(unlinkat),
	/* time */
	N(clock_getres), N(clock_gettime), N(clock_nanosleep), N(getitimer), N(gettimeofday),
	N(nanosleep), N(setitimer), N(time), N(timer_create), N(timer_delete), N(timer_getoverrun),
	N(timer_gettime), N(timer_settime), N(timerfd_create), N(timerfd_gettime),
	N(timerfd_settime), N(times),
	/* who and where we are */
	N(capget), N(getegid), N(geteuid), N(getgid), N(getgroups), N(getpgid), N(getpgrp),
	N(getpid), N(getppid), N(getpriority), N(getrandom), N(getresgid), N(getresuid),
	N(getrlimit), N(getrusage), N(getsid), N(gettid), N(getuid), N(ioprio_get), N(sysinfo),
	N(ugetrlimit), N(umask), N(uname),
	/* less, by the plugin's own will */
	N(landlock_add_rule), N(landlock_create_ruleset), N(landlock_restrict_self), N(seccomp),
};

static const int files[] = {
	N(chmod), N(chown), N(creat), N(fchdir), N(fchmod), N(fchmodat), N(fchown), N(fchownat),
	N(fgetxattr), N(flistxattr), N(fremovexattr), N(fsetxattr), N(futimesat), N(getxattr),
	N(inotify_add_watch), N(inotify_init), N(inotify_init1), N(inotify_rm_watch), N(lchown),
	N(lgetxattr), N(link), N(linkat), N(listxattr), N(llistxattr), N(lremovexattr),
	N(lsetxattr), N(mkdir), N(mkdirat), N(mknod), N(mknodat), N(open), N(openat), N(openat2),
	N(removexattr), N(rename), N(renameat), N(renameat2), N(rmdir), N(setxattr), N(symlink),
	N(symlinkat), N(sync), N(truncate), N(truncate64), N(utime), N(utimensat), N(utimes),
};

static const int network[] = {
	N(accept), N(accept4), N(bind), N(connect), N(getpeername), N(getsockname), N(getsockopt),
	N(listen), N(recv), N(recvfrom), N(recvmmsg), N(recvmsg), N(send), N(sendmmsg), N(sendmsg),
	N(sendto), N(setsockopt), N(shutdown), N(socket), N(socketcall), N(socketpair),
};

static const int processes[] = {
	N(clone), N(clone3), N(execve), N(execveat), N(fork), N(kill), N(pidfd_open),
	N(pidfd_send_signal), N(prlimit64), N(setpgid), N(setrlimit), N(setsid), N(tgkill),
	N(tkill), N(vfork), N(wait4), N(waitid), N(waitpid),
};

static const int local[] = { N(connect), N(getsockopt), N(sendmsg), N(sendto), N(setsockopt) };

/* clang-format on */

static const int file_commands[] = {
	F_DUPFD,      F_DUPFD_CLOEXEC, F_GETFD,	    F_SETFD,	 F_GETFL,     F_SETFL,
	F_GETLK,      F_SETLK,	       F_SETLKW,    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
	F_GETPIPE_SZ, F_SETPIPE_SZ,    F_ADD_SEALS, F_GET_SEALS,
};

static const unsigned int ioctls[] = {
	BLKALIGNOFF, BLKDISCARD,    BLKGETSIZE64, BLKIOMIN,	 BLKIOOPT,	  BLKPBSZGET,
	BLKROGET,    BLKROTATIONAL, BLKSSZGET,	  BLKZEROOUT,	 FICLONE,	  FICLONERANGE,
	FIGETBSZ,    FIONBIO,	    FIONREAD,	  FS_IOC_FIEMAP, FS_IOC_GETFLAGS, TCGETS,
};

static const int process_settings[] = {
	PR_CAPBSET_READ,
	PR_GET_DUMPABLE,
	PR_GET_NAME,
	PR_GET_NO_NEW_PRIVS,
	PR_GET_SECCOMP,
	PR_GET_TIMERSLACK,
	PR_SET_NAME,
	PR_SET_NO_NEW_PRIVS,
	PR_SET_SECCOMP,
	PR_SET_TIMERSLACK,
	0x53564d41 /* PR_SET_VMA: names of mappings */,
};

/* What this machine has no such call for is no matter. */
static int add(scmp_filter_ctx ctx, uint32_t action, int call, const struct scmp_arg_cmp *args,
	       unsigned int nr)
{
	int err = seccomp_rule_add_array(ctx, action, call, nr, args);

	return err == -EDOM || err == -EEXIST || err == -EACCES ? 0 : err;
}

static int allow_all(scmp_filter_ctx ctx, const int *calls, size_t nr)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++)
		err = add(ctx, SCMP_ACT_ALLOW, calls[i], NULL, 0);
	return err;
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp arg)
{
	return add(ctx, SCMP_ACT_ALLOW, call, &arg, 1);
}

/* One of these numbers, of 32 bits, as the argument. */
static int allow_numbers(scmp_filter_ctx ctx, int call, unsigned int arg, const int *numbers,
			 size_t nr)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++)
		err = allow_if(
			ctx, call,
			SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned int)numbers[i]));
	return err;
}

/* Threads, not processes. The flags of clone3() cannot be looked at: where there is none, libraries
 * use clone(). */
static int allow_threads(scmp_filter_ctx ctx)
{
	int err =
		allow_if(ctx, N(clone),
			 SCMP_CMP(CLONE_FLAGS_ARG, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	return err ? err : add(ctx, SCMP_ACT_ERRNO(ENOSYS), N(clone3), NULL, 0);
}

/* Signals, limits and memory of our own. Whether another server lives is asked by signal 0. */
static int allow_self(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		N(process_vm_readv), N(process_vm_writev), N(kill),
		N(tgkill),	     N(rt_sigqueueinfo),   N(rt_tgsigqueueinfo),
		N(prlimit64),	     N(sched_setparam),	   N(sched_setscheduler)
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && !err; i++)
		err = allow_if(ctx, calls[i], SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	if (!err)
		err = allow_if(ctx, N(prlimit64), SCMP_CMP(0, SCMP_CMP_EQ, 0, 0));
	return err ? err : allow_if(ctx, N(kill), SCMP_CMP(1, SCMP_CMP_EQ, 0, 0));
}

static int allow_reading(scmp_filter_ctx ctx)
{
	const scmp_datum_t bits = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
	int err = allow_if(ctx, N(open), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, bits, O_RDONLY));

	if (!err)
		err = allow_if(ctx, N(openat), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, bits, O_RDONLY));
	/* Its flags are in memory. Who uses it lives without. */
	return err ? err : add(ctx, SCMP_ACT_ERRNO(ENOSYS), N(openat2), NULL, 0);
}

static int allow_local_socket(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp datagrams[] = {
		SCMP_CMP(0, SCMP_CMP_EQ, AF_UNIX, 0),
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM),
	};
	int err = add(ctx, SCMP_ACT_ALLOW, N(socket), datagrams, ARRAY_SIZE(datagrams));

	return err ? err : allow_all(ctx, local, ARRAY_SIZE(local));
}

static int allow_by_number(scmp_filter_ctx ctx, bool any_ioctl)
{
	int err = allow_numbers(ctx, N(fcntl), 1, file_commands, ARRAY_SIZE(file_commands));

	if (!err)
		err = allow_numbers(ctx, N(fcntl64), 1, file_commands, ARRAY_SIZE(file_commands));
	if (!err)
		err = allow_numbers(ctx, N(prctl), 0, process_settings,
				    ARRAY_SIZE(process_settings));
	if (!err && any_ioctl)
		return add(ctx, SCMP_ACT_ALLOW, N(ioctl), NULL, 0);
	return err ? err : allow_numbers(ctx, N(ioctl), 1, (const int *)ioctls, ARRAY_SIZE(ioctls));
}

static int fill(scmp_filter_ctx ctx, uint32_t flags, bool local_socket)
{
	int err = allow_all(ctx, always, ARRAY_SIZE(always));

	if (!err)
		err = allow_by_number(ctx, flags & UBLK_PLUGIN_NEEDS_IOCTLS);
	if (!err && flags & UBLK_PLUGIN_NEEDS_PROCESSES)
		err = allow_all(ctx, processes, ARRAY_SIZE(processes));
	else if (!err)
		err = allow_threads(ctx);
	if (!err)
		err = allow_self(ctx);
	/* A program that is started reads files at least. */
	if (!err && flags & (UBLK_PLUGIN_NEEDS_FILES | UBLK_PLUGIN_NEEDS_PROCESSES))
		err = allow_all(ctx, files, ARRAY_SIZE(files));
	else if (!err)
		err = allow_reading(ctx);
	if (!err && flags & UBLK_PLUGIN_NEEDS_NETWORK)
		err = allow_all(ctx, network, ARRAY_SIZE(network));
	else if (!err && local_socket)
		err = allow_local_socket(ctx);
	return err;
}

bool seccomp_built_in(void)
{
	return true;
}

static bool kernel_has_filters(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
}

int seccomp_confine(uint32_t flags, bool local_socket)
{
	scmp_filter_ctx ctx;
	int err = -ENOMEM;

	if (!kernel_has_filters()) {
		log_warn("no filter of system calls: this kernel has none");
		return 0;
	}
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		goto out;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err)
		goto out;
	/* Records, a quick look-up, and no slower processor: each is well to have, and no more. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	err = fill(ctx, flags, local_socket);
	if (!err)
		err = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	if (err)
		log_err("cannot install the filter of system calls: %s; --sandbox off serves "
			"without",
			err == -ESRCH ? "a thread of the plugin has one of its own"
				      : strerror(-err));
	return err;
}

#endif
