// SPDX-License-Identifier: MIT
/* The parent of all checks: a process for each, its deadline, and what became of it. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/log.h"
#include "check/kit.h"

#define MESSAGES_MAX 16384 /* of what a check's process wrote, the end */

static void look(struct kit *k);
static void clean(struct kit *k);

static const struct kit_check checks[] = {
	{ "open",
	  "open(), get_limits(), start() and queue_init() bring a device up, and it ends again",
	  check_open, false, false },
	{ "offers",
	  "limits are narrowed from what is offered, even if that is one queue of one request",
	  check_offers, false, false },
	{ "boundaries", "requests at the ends of the device, and of every length, are served",
	  check_boundaries, true, false },
	{ "reads", "a READ fills all of its memory, and the same bytes each time", check_reads,
	  false, false },
	{ "data", "what is read is what was last written; neighbours are left alone", check_data,
	  true, false },
	{ "parallel",
	  "requests at the same time, as the thread model allows, do not disturb each other",
	  check_parallel, true, false },
	{ "flush", "FLUSH, and writes with FUA, succeed", check_flush, true, false },
	{ "discard", "DISCARD takes any range of blocks, and touches no other", check_discard, true,
	  false },
	{ "write-zeroes", "WRITE_ZEROES leaves zeroes in its range, and touches no other",
	  check_write_zeroes, true, false },
	{ "resize", "another size is asked for first, then made; data that stays is kept",
	  check_resize, true, false },
	{ "durable", "what was flushed, or written with FUA, is there after the server has died",
	  check_durable, true, true },
	{ "recover", "open() with UBLK_OPEN_RECOVER finds all that a former server has done",
	  check_recover, true, true },
	{ "beside",
	  "open() with UBLK_OPEN_BESIDE leaves the server before alone; start() finds all it did",
	  check_beside, true, true },
	{ "stop", "requests that are under way when the device stops are ended, and soon",
	  check_stop, true, false },
	{ "queue-failure", "a device of which not all queues start ends in good order",
	  check_queue_failure, false, false },
	{ "unstarted", "close() undoes open(), without start() too", check_unstarted, false,
	  false },
	{ "cycles", "a device's life leaves nothing in the process: no descriptor, thread, memory",
	  check_cycles, false, false },
	{ "failed-open", "open() that fails leaves nothing, and says so by a negative errno",
	  check_failed_open, false, false },
	{ "twice", "what belongs to a device is in priv: a second one beside it does no harm",
	  check_twice, false, false },
	{ "read-only", "a device can be opened for reading only", check_read_only, false, false },
	{ "process",
	  "signals, masks, folder and standard descriptors of the process are the host's",
	  check_process, false, false },
};

static const struct kit_check look_check = { "look", "", look, false, false };
static const struct kit_check bench_check = { "bench",
					      "requests are served while they are measured",
					      bench_run, true, false };
static const struct kit_check clean_check = { "clean", "", clean, true, false };

const char *check_name(size_t i, const char **contract)
{
	if (i >= ARRAY_SIZE(checks))
		return NULL;
	*contract = checks[i].contract;
	return checks[i].name;
}

bool check_writes(size_t i)
{
	return checks[i].writes;
}

/* -- the child */

static void look(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	int none = KIT_NONE;

	kit_usual_queues(d);
	atomic_store(&k->report->opened, true);
	if (kit_stores(d))
		atomic_store(&k->report->holds_data, model_finds_data(d));
	/* Only here has everything been seen: whoever ends this process before leaves another verdict. */
	atomic_compare_exchange_strong(&k->report->verdict, &none, KIT_OK);
	_exit(EXIT_SUCCESS);
}

static void clean(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	struct model m;

	if (!kit_stores(d))
		_exit(EXIT_SUCCESS);
	kit_usual_queues(d);
	model_init(&m, d);
	model_clear(&m);
	model_free(&m);
	kit_finish(d);
}

void kit_load(struct kit *k)
{
	struct errors errors = { 0 };
	const struct ublk_plugin *desc;

	kit_doing(k, "loading it");
	if (plugin_load(k->request->path, &k->plugin))
		kit_fail(k, "the plugin is not loaded: see the message");
	desc = k->desc = &k->plugin->desc;
	snprintf(k->report->plugin, sizeof(k->report->plugin), "%s %.64s, ABI %u.%u", desc->name,
		 desc->version, desc->abi_major, desc->abi_minor);
	if (options_parse(desc, k->cfg.opts, k->cfg.nr_opts, &k->values, &errors)) {
		errors_print(&errors);
		k->report->wrong_options = true;
		kit_fail(k, "the options are not the plugin's: see the messages");
	}
}

/* As the host's processes are when a plugin is called. */
static void settle_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static uint64_t seed_of(const struct check_request *request, const char *name)
{
	uint64_t seed = request->seed;

	while (*name)
		seed = (seed ^ (unsigned char)*name++) * 0x100000001b3u;
	return seed;
}

static void child(const struct check_request *request, const struct kit_check *check,
		  struct kit_report *report, const char *folder, int messages)
{
	struct kit k = { .request = request,
			 .report = report,
			 .cfg = *request->cfg,
			 .random = seed_of(request, check->name),
			 .memory_dir = folder };
	int ok = KIT_NONE;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0); /* a plugin that crashes is no news for the machine's owner */
	dup2(messages, STDERR_FILENO);
	dup2(messages, STDOUT_FILENO);
	settle_signals();
	if (!check->lives)
		kit_load(&k);
	check->run(&k);
	atomic_compare_exchange_strong(&report->verdict, &ok, KIT_OK);
	option_values_free(&k.values);
	plugin_free(k.plugin);
	exit(EXIT_SUCCESS); /* whole: sanitizers look for leaks then */
}

/* -- the parent */

struct run {
	const struct kit_check *check;
	struct kit_report *report;
	char folder[PATH_MAX];
	int messages; /* file that the child writes to */
	int status;
	bool late;
};

/* false: it was not over in time, and was killed. */
static bool wait_child(pid_t pid, uint32_t seconds, int *status)
{
	uint64_t until = now_ms() + (uint64_t)seconds * 1000;
	useconds_t pause_us = 500;

	while (!waitpid(pid, status, WNOHANG)) {
		if (now_ms() > until) {
			kill(-pid, SIGKILL);
			waitpid(pid, status, 0);
			return false;
		}
		usleep(pause_us);
		pause_us = min_of(pause_us * 2, 20000u);
	}
	kill(-pid, SIGKILL); /* what it has left running */
	return true;
}

static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
}

static int run_begin(struct run *run)
{
	const char *dir = getenv("TMPDIR");

	run->messages = -1;
	run->report = mmap(NULL, sizeof(*run->report), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(run->folder, sizeof(run->folder), "%s/ublk-host-check-XXXXXX", dir ? dir : "/tmp");
	if (run->report != MAP_FAILED && mkdtemp(run->folder))
		run->messages = memfd_create("ublk-host-check", MFD_CLOEXEC);
	if (run->messages >= 0)
		return 0;
	log_err("cannot prepare a check in %s: %m", dir ? dir : "/tmp");
	return -errno;
}

static void run_end(struct run *run)
{
	if (run->report != MAP_FAILED)
		munmap(run->report, sizeof(*run->report));
	if (run->messages >= 0)
		close(run->messages);
	remove_folder(run->folder);
}

static int run_child(struct run *run, const struct check_request *request)
{
	pid_t pid;

	fflush(stdout); /* what is buffered is ours */
	pid = fork();
	if (pid < 0) {
		log_err("cannot start a process for check %s: %m", run->check->name);
		return -errno;
	}
	if (!pid)
		child(request, run->check, run->report, run->folder, run->messages);
	setpgid(pid, pid); /* whoever is first */
	run->late = !wait_child(pid, request->timeout, &run->status);
	return 0;
}

/* What the child wrote, from the start of a line on. */
static char *take_messages(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > MESSAGES_MAX ? size - MESSAGES_MAX : 0;
	char *text = calloc(1, MESSAGES_MAX + 1), *p;
	ssize_t n = text ? pread(fd, text, MESSAGES_MAX, from) : 0;

	if (n > 0 && from && (p = strchr(text, '\n')))
		memmove(text, p + 1, strlen(p + 1) + 1);
	return text;
}

/* "in write(), flush()", of those that have not returned. */
static void add_callers(const struct kit_report *report, char *buf, size_t size)
{
	size_t len = strlen(buf);
	unsigned int n = 0;

	for (unsigned int i = 0; i < KIT_CALLERS && n < 4; i++) {
		const char *name = atomic_load(&report->in[i]);

		if (name && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s()",
						n++ ? ", " : "; in the plugin: ", name);
	}
}

static void explain_end(const struct run *run, uint32_t timeout, char *buf, size_t size)
{
	const char *doing = run->report->doing;

	if (run->late)
		snprintf(buf, size, "it did not come to an end within %u s", timeout);
	else if (WIFSIGNALED(run->status))
		snprintf(buf, size, "the process died of SIG%s",
			 sigabbrev_np(WTERMSIG(run->status)));
	else
		snprintf(buf, size, "the process ended with status %d", WEXITSTATUS(run->status));
	if (*doing)
		snprintf(buf + strlen(buf), size - strlen(buf), ", %s", doing);
	add_callers(run->report, buf, size);
}

/* The process's end counts more than what it had said before: a crash, a leak that a sanitizer found. */
static void judge(const struct run *run, uint32_t timeout, struct check_result *result)
{
	const bool ended = !run->late && WIFEXITED(run->status);
	const int said = atomic_load(&run->report->verdict);
	char why[KIT_SEEN_SIZE] = "";

	result->verdict = CHECK_FAILED;
	if (said == KIT_FAILED || (said == KIT_SKIPPED && ended && !WEXITSTATUS(run->status))) {
		result->verdict = said == KIT_SKIPPED ? CHECK_SKIPPED : CHECK_FAILED;
		snprintf(why, sizeof(why), "%s", run->report->seen);
	} else if (said == KIT_OK && ended && !WEXITSTATUS(run->status)) {
		result->verdict = CHECK_OK;
	} else {
		explain_end(run, timeout, why, sizeof(why));
	}
	result->seen = strdup(why);
}

/* Begun already. */
static int run_whole(struct run *run, const struct check_request *request,
		     struct check_result *result)
{
	uint64_t began = now_ms();
	int err = run_child(run, request);

	*result =
		(struct check_result){ .name = run->check->name, .contract = run->check->contract };
	if (err)
		return err;
	judge(run, request->timeout, result);
	result->messages = take_messages(run->messages);
	result->ms = (unsigned int)(now_ms() - began);
	return result->seen && result->messages ? 0 : -ENOMEM;
}

int check_one(const struct check_request *request, size_t i, struct check_result *result)
{
	struct run run = { .check = &checks[i] };
	int err = run_begin(&run);

	*result = (struct check_result){ 0 };
	if (!err)
		err = run_whole(&run, request, result);
	run_end(&run);
	return err;
}

int check_bench(const struct check_request *request, struct check_speed speeds[CHECK_SPEEDS],
		struct check_result *result)
{
	struct run run = { .check = &bench_check };
	int err = run_begin(&run);

	*result = (struct check_result){ 0 };
	if (!err)
		err = run_whole(&run, request, result);
	if (!err && result->verdict != CHECK_OK)
		err = -EIO;
	if (!err) {
		memcpy(speeds, run.report->speed, sizeof(run.report->speed));
		err = (int)run.report->nr_speeds;
	}
	run_end(&run);
	return err;
}

void check_result_free(struct check_result *result)
{
	free((char *)result->seen);
	free((char *)result->messages);
}

/* A look that broke off has not seen that there is nothing. */
static void take_look(const struct run *run, uint32_t timeout, struct check_device *device)
{
	const struct kit_report *report = run->report;
	const int said = atomic_load(&report->verdict);
	char why[KIT_SEEN_SIZE] = "";

	memcpy(device->plugin, report->plugin, sizeof(device->plugin));
	device->opened = atomic_load(&report->opened);
	device->holds_data = atomic_load(&report->holds_data);
	if (device->holds_data || said == KIT_OK)
		return;
	if (said == KIT_NONE)
		explain_end(run, timeout, why, sizeof(why));
	else
		memcpy(why, report->seen, sizeof(why));
	snprintf(device->unread, sizeof(device->unread), "%.*s", (int)sizeof(device->unread) - 1,
		 why);
}

int check_look(const struct check_request *request, struct check_device *device)
{
	struct run run = { .check = &look_check };
	int err = run_begin(&run);

	if (!err)
		err = run_child(&run, request);
	if (!err) {
		take_look(&run, request->timeout, device);
		if (run.report->wrong_options) {
			__cleanup_free char *messages = take_messages(run.messages);

			fputs(messages ? messages : "", stderr);
			err = -EINVAL;
		}
	}
	run_end(&run);
	return err;
}

void check_clean(const struct check_request *request)
{
	struct run run = { .check = &clean_check };

	if (!run_begin(&run))
		run_child(&run, request);
	run_end(&run);
}
