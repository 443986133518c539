// SPDX-License-Identifier: MIT
/*
 * What the parts of a server's confinement refuse and leave, without a device and without privilege:
 * each in a process of its own, since there is no way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/confine.h"
#include "tap.h"
#include "ublk-plugin.h"

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ & 0x7f);                                                    \
	} while (0)

/* The number of a line that was not as it must be is what a child's end tells, cut to 7 bits. */
static void in_child(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "it was killed by signal %d", WTERMSIG(status));
	ck_assert_msg(!WEXITSTATUS(status), "a line that is %d modulo 128 does not hold",
		      WEXITSTATUS(status));
}

static bool is_refused(long ret)
{
	return ret < 0 && errno == EPERM;
}

static bool not_refused(long ret)
{
	return ret >= 0 || errno != EPERM;
}

static void *thread(void *arg)
{
	return arg;
}

/* What every server does while it serves and when it stops. */
static void basics(void)
{
	char here[16] = "x";
	pthread_t id;
	int fds[2], fd;

	must(!pthread_create(&id, NULL, thread, here));
	pthread_setname_np(id, "a-name");
	must(!pthread_join(id, NULL));
	must(!pipe2(fds, O_CLOEXEC));
	must(write(fds[1], here, 1) == 1);
	must(read(fds[0], here, 1) == 1);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	must(fcntl(fd, F_GETFL) >= 0);
	must(pread(fd, here, 1, 0) == 1);
	must(!close(fd));
	must(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	must(unlink("/nowhere/at/all") < 0 && errno == ENOENT);
	must(!kill(getppid(), 0));
	must(!raise(0));
}

static bool starts_threads_only(void)
{
	return is_refused(fork()) && is_refused(syscall(SYS_vfork)) &&
	       is_refused(execl("/bin/true", "true", NULL));
}

static void filter_of_a_plain_plugin(void)
{
	must(!seccomp_confine(0, false));
	basics();
	must(starts_threads_only());
	must(is_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
	must(is_refused(socket(AF_UNIX, SOCK_DGRAM, 0)));
	must(is_refused(socket(AF_INET, SOCK_DGRAM, 0)));
	must(is_refused(open("/tmp", O_TMPFILE | O_RDWR, 0600)));
	must(is_refused(open("/dev/null", O_WRONLY)));
	must(is_refused(open("/dev/null", O_RDONLY | O_TRUNC)));
	must(is_refused(rename("/nowhere/a", "/nowhere/b")));
	must(is_refused(kill(getppid(), SIGCONT)));
	must(is_refused(syscall(SYS_io_uring_setup, 1, NULL)));
	must(is_refused(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL)));
	must(is_refused(syscall(SYS_bpf, 0, NULL, 0)));
	must(is_refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)));
	must(!syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
	must(is_refused(fcntl(0, F_SETOWN, getppid())));
	must(is_refused(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, NULL)));
	must(is_refused(prctl(PR_SET_DUMPABLE, 1)));
	must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	must(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
}

static void filter_with_a_local_socket(void)
{
	must(!seccomp_confine(0, true));
	must(not_refused(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
	must(is_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
	must(is_refused(socket(AF_INET, SOCK_DGRAM, 0)));
}

static void filter_with_files(void)
{
	must(!seccomp_confine(UBLK_PLUGIN_NEEDS_FILES, false));
	basics();
	must(not_refused(open("/dev/null", O_WRONLY)));
	must(not_refused(rename("/nowhere/a", "/nowhere/b")));
	must(starts_threads_only());
	must(is_refused(socket(AF_INET, SOCK_DGRAM, 0)));
}

static void filter_with_network(void)
{
	must(!seccomp_confine(UBLK_PLUGIN_NEEDS_NETWORK, false));
	basics();
	must(not_refused(socket(AF_INET, SOCK_STREAM, 0)));
	must(not_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
	must(is_refused(open("/dev/null", O_WRONLY)));
	must(starts_threads_only());
}

static void filter_with_processes(void)
{
	int status = 0;
	pid_t pid;

	must(!seccomp_confine(UBLK_PLUGIN_NEEDS_PROCESSES, false));
	basics();
	pid = fork();
	if (!pid)
		execl("/bin/true", "true", NULL);
	must(pid > 0);
	must(waitpid(pid, &status, 0) == pid && !status);
	must(is_refused(socket(AF_INET, SOCK_DGRAM, 0)));
	must(is_refused(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL)));
}

static void filter_with_ioctls(void)
{
	must(!seccomp_confine(UBLK_PLUGIN_NEEDS_IOCTLS, false));
	must(not_refused(syscall(SYS_ioctl, -1, 0x5412, NULL)));
	must(is_refused(socket(AF_INET, SOCK_DGRAM, 0)));
}

static atomic_int go, seen;

static void *tries_later(void *arg)
{
	while (!go)
		sched_yield();
	seen = is_refused(socket(AF_INET, SOCK_DGRAM, 0)) ? 1 : 2;
	return arg;
}

static void filter_is_for_threads_that_were_there(void)
{
	pthread_t id;

	must(!pthread_create(&id, NULL, tries_later, NULL));
	must(!seccomp_confine(0, false));
	go = 1;
	must(!pthread_join(id, NULL));
	must(seen == 1);
}

static void (*const filters[])(void) = {
	filter_of_a_plain_plugin,
	filter_with_a_local_socket,
	filter_with_files,
	filter_with_network,
	filter_with_processes,
	filter_with_ioctls,
	filter_is_for_threads_that_were_there,
};

/* Not under valgrind, which makes the system calls itself. */
static bool has_filters(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return seccomp_built_in() && !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
}

START_TEST(test_filter)
{
	if (has_filters())
		in_child(filters[_i]);
}
END_TEST

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static char folder[] = "/tmp/ublk-host-test.XXXXXX";

static bool can_make(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	return !unlink(path);
}

static bool can_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

static void files_of_the_host_only(void)
{
	must(!landlock_confine(0, folder, "/dev/full"));
	must(can_make("file"));
	must(can_read("/proc/self/stat"));
	must(can_read("/dev/zero"));
	must(can_read("/dev/full")); /* the device's own, and no others */
	must(!can_read("/dev/ptmx"));
	must(!can_read("/etc/passwd"));
	must(!can_read("/bin/sh"));
}

static void no_files_at_all(void)
{
	must(!landlock_confine(0, NULL, NULL));
	must(!can_make("file"));
	must(!can_read("/etc/passwd"));
}

static void files_as_declared(void)
{
	must(!landlock_confine(UBLK_PLUGIN_NEEDS_FILES | UBLK_PLUGIN_NEEDS_NETWORK, folder, NULL));
	must(can_make("file"));
	must(can_read("/etc/passwd"));
}

static void (*const rulesets[])(void) = { files_of_the_host_only, no_files_at_all,
					  files_as_declared };

START_TEST(test_landlock)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	if (has_landlock())
		in_child(rulesets[_i]);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Root loses what it had, and anybody else has nothing to lose; none gets it back by exec(). */
static void rights_go(void)
{
	FILE *f;
	char line[256];
	unsigned long long caps;
	int seen_lines = 0;

	must(!confine_rights());
	must(!confine_all_threads());
	f = fopen("/proc/self/status", "re");
	must(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapPrm: %llx", &caps) == 1 ||
		    sscanf(line, "CapEff: %llx", &caps) == 1) {
			must(!(caps & ~CAPS_KEPT));
			seen_lines++;
		}
	}
	fclose(f);
	must(seen_lines == 2);
	must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

START_TEST(test_rights)
{
	in_child(rights_go);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confine");
	TCase *tc = tcase_create("confine");

	tcase_add_loop_test(tc, test_filter, 0, ARRAY_SIZE(filters));
	tcase_add_loop_test(tc, test_landlock, 0, ARRAY_SIZE(rulesets));
	tcase_add_test(tc, test_rights);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
