// SPDX-License-Identifier: MIT
/*
 * What a serving process keeps of root's rights, and when the rest goes: most rights and the view of files
 * before plugin's start(), so that every thread made from there on has the same; CAP_SYS_ADMIN of a queue's
 * thread when it has fetched; system calls when the device is ready, for all threads.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "device/clerk.h"
#include "device/confine.h"
#include "device/internal.h"
#include "device/state.h"
#include "device/state_file.h"
#include "device/user.h"
#include "kernel/knobs.h"

#define THREADS_MS 256 /* at most twice that other threads have to give up their rights */

/* The driver looks for partitions only if the queues' threads have CAP_SYS_ADMIN when they fetch. And some
 * administrators leave the making of rings to who has it (kernel.io_uring_disabled). So these have it until
 * then, and what the plugin starts in queue_init() until the device is ready. */
#define CAPS_TO_START (CAPS_KEPT | 1ull << CAP_SYS_ADMIN)

_Static_assert(CAPS_KEPT == 1ull << CAP_IPC_LOCK, "a number of the UAPI");

struct caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int caps_get(struct caps *caps)
{
	*caps = (struct caps){ .head.version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, &caps->head, caps->data) ? -errno : 0;
}

/* The calling thread's. System calls only: it runs in a signal handler, too. */
static int caps_reduce(uint64_t keep)
{
	struct caps caps;
	int err = caps_get(&caps);

	if (err)
		return err;
	/* Refused without CAP_SETPCAP: then no_new_privs alone has to do. Beyond the last one it fails. */
	for (int cap = 0; cap < 64; cap++)
		if (!(CAPS_KEPT & 1ull << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t kept = (uint32_t)(keep >> 32 * i);

		caps.data[i].effective &= kept;
		caps.data[i].permitted &= kept;
		caps.data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &caps.head, caps.data) ? -errno : 0;
}

static void reduce_in_handler(int signo)
{
	int saved = errno;

	(void)signo;
	caps_reduce(CAPS_KEPT);
	errno = saved;
}

/* Does this thread still have what it should not? False also if it has ended, and for workers of
 * io_uring: they are the kernel's, act with the rights of who queued, and take no signals. */
static bool has_too_much(long tid)
{
	unsigned long long permitted = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Name:\tiou-", 10))
			break;
		if (sscanf(line, "CapPrm: %llx", &permitted) == 1)
			break;
	}
	if (f)
		fclose(f);
	return permitted & ~CAPS_KEPT;
}

/* Ask each thread that needs it, or count them: signo 0. */
static unsigned int others_ask(int signo)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int n = 0;

	while (dir && (entry = readdir(dir))) {
		long tid = strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || tid == gettid() || !has_too_much(tid))
			continue;
		n++;
		if (signo)
			syscall(SYS_tgkill, getpid(), tid, signo);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Capabilities are each thread's own affair, and libraries may have started some when they were loaded
 * or in open(): they have to be asked, by a signal whose handler drops them. The handler stays: a thread
 * that blocks the signal now may let it through later. */
static void others_reduce(void)
{
	struct sigaction action = { .sa_handler = reduce_in_handler, .sa_flags = SA_RESTART };
	const int signo = SIGRTMAX;
	struct sigaction former;
	unsigned int left = 0;

	sigemptyset(&action.sa_mask);
	if (sigaction(signo, NULL, &former) || former.sa_handler != SIG_DFL ||
	    sigaction(signo, &action, NULL))
		left = others_ask(0);
	else /* once more after nobody was found: who was asked may have made another before */
		for (unsigned int ms = 1, none = 0; none < 2 && ms <= THREADS_MS; ms *= 2) {
			left = others_ask(signo);
			none = left ? 0 : none + 1;
			if (left)
				usleep(1000 * ms);
		}
	if (left)
		log_warn("%u thread%s of the plugin's keep%s rights that serving does not need: %s "
			 "block%s signal %d, by which the host drops them",
			 left, left == 1 ? "" : "s", left == 1 ? "s" : "",
			 left == 1 ? "it" : "they", left == 1 ? "s" : "", signo);
}

static int cannot_drop(int err)
{
	if (err)
		log_err("cannot drop the rights that serving does not need: %s; --sandbox off "
			"serves with all of them",
			strerror(-err));
	return err;
}

int confine_rights(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return cannot_drop(-errno);
	return cannot_drop(caps_reduce(CAPS_TO_START));
}

int confine_thread(void)
{
	return cannot_drop(caps_reduce(CAPS_KEPT));
}

int confine_all_threads(void)
{
	int err = confine_thread();

	if (!err)
		others_reduce();
	return err;
}

/* The permitted ones outlive a change of user only if that is asked for, and are not in use then. */
static int caps_take_up(void)
{
	struct caps caps;
	int err = caps_get(&caps);

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		caps.data[i].effective = caps.data[i].permitted;
	return err ? err : syscall(SYS_capset, &caps.head, caps.data) ? -errno : 0;
}

/* Every thread: libc sees to that. Those that the plugin has started lose all capabilities by it. */
static int become(const struct run_as *user)
{
	int err = 0;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) ||
	    setgroups((size_t)user->nr_groups, user->groups) ||
	    setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
		err = -errno;
	if (!err)
		err = caps_take_up();
	if (!err)
		err = caps_reduce(CAPS_TO_START); /* with --sandbox off, too */
	if (err)
		log_err("cannot become user %u: %s", user->uid, strerror(-err));
	return err;
}

static bool is_confined(const struct device *d)
{
	return !d->cfg->sandbox || strcmp(d->cfg->sandbox, "off") != 0;
}

/* That of syslog's socket, which who listens may make anew. "": it is not needed, or in /dev. */
static const char *syslog_folder(char buf[PATH_MAX])
{
	if (!log_uses_socket() || !realpath("/dev/log", buf) || !strncmp(buf, "/dev/", 5))
		return "";
	*strrchr(buf, '/') = 0;
	return buf;
}

/* Files that libraries open when it is too late. */
static void load_before(void)
{
	tzset();
	dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL); /* pthread_exit() needs it */
}

/* Commands to the driver take CAP_SYS_ADMIN, and later on nothing else does: so the rings for them keep it,
 * and no thread need. One more for guard.c, as none can be made later on. */
static int keep_control(struct device *d)
{
	int err = ctrl_open(&d->spare_ctrl);

	if (err || d->kernel.unprivileged)
		return err;
	err = ctrl_keep_rights(d->ctrl);
	return err ? err : ctrl_keep_rights(d->spare_ctrl);
}

static int enter_namespace(const struct device *d)
{
	const uint32_t flags = d->plugin->desc.flags;
	char syslog[PATH_MAX];
	const char *const folders[] = { state_dir(), syslog_folder(syslog), NULL };
	int folder = state_open_folder(true); /* later on it cannot be made */

	if (folder < 0)
		return folder;
	close(folder);
	return namespace_enter(flags & (UBLK_PLUGIN_NEEDS_FILES | UBLK_PLUGIN_NEEDS_PROCESSES),
			       folders);
}

/* A plugin may make rings of its own in start(). */
static bool rings_need_admin(void)
{
	struct knobs knobs;

	knobs_read("", &knobs);
	knobs.cap_sys_admin = false;
	return knobs_forbid_ring(&knobs);
}

static void queue_fetched(struct ublk_dev *dev)
{
	(void)dev;
	confine_thread(); /* what fails is seen once more, in confine_calls() */
}

int confine_begin(struct device *d)
{
	const struct run_as *user = d->request->user;
	const bool confined = is_confined(d);
	int err;

	if (!confined && !user) {
		log_debug("--sandbox off: the server keeps all of its rights");
		return 0;
	}
	err = keep_control(d);
	load_before();
	if (!err && user)
		err = clerk_note(d->clerk, d->info.dev_id, d->kept);
	d->clerk_asked = user && !err;
	if (!err && confined)
		err = enter_namespace(d);
	if (!err && user)
		err = become(user);
	if (!err && confined)
		err = confine_rights();
	if (!err && confined)
		err = landlock_confine(d->plugin->desc.flags, state_dir(),
				       d->char_fd < 0 ? d->char_node : NULL);
	if (!err)
		err = starter_begin(d);
	if (err)
		return err;
	d->dev.fetched = queue_fetched;
	return rings_need_admin() ? 0 : confine_thread();
}

int confine_calls(struct device *d)
{
	const bool confined = is_confined(d);
	int err = confined || d->request->user ? confine_all_threads() : 0;

	if (err || !confined)
		return err;
	return seccomp_confine(d->plugin->desc.flags, log_uses_socket());
}
