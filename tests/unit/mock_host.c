// SPDX-License-Identifier: MIT
/* The mock host's services and helpers; see mock_host.h. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "mock_host.h"

static void record(struct ublk_dev *dev, int level, const char *msg)
{
	size_t used = strlen(dev->log);

	ck_assert_msg(!strchr(msg, '\n'), "more than one line: %s", msg);
	snprintf(dev->log + used, sizeof(dev->log) - used, "%d:%s\n", level, msg);
	fprintf(stderr, "# log %d: %s\n", level, msg);
}

static int register_file(struct ublk_dev *dev, int fd)
{
	if (dev->register_error)
		return dev->register_error;
	ck_assert_uint_lt(dev->nr_files, MOCK_MAX_FILES);
	dev->files[++dev->nr_files] = fd;
	return (int)dev->nr_files;
}

static void count_completion(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	(void)io;
	pthread_mutex_lock(&q->lock);
	q->completed++;
	q->last_result = res;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void wake(struct ublk_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->woken = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void dev_fail(struct ublk_dev *dev, int err, const char *why)
{
	(void)err;
	record(dev, UBLK_LOG_ERR, why);
}

static int sqe_get(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out)
{
	if (q->sqes_in_flight + n > q->sqe_budget)
		return -EBUSY;
	for (uint32_t i = 0; i < n; i++) {
		out[i] = io_uring_get_sqe(q->ring);
		ck_assert_ptr_nonnull(out[i]);
	}
	q->sqes_in_flight += n;
	return 0;
}

static int sqe_commit(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
		      uint32_t cookie)
{
	(void)q;
	ck_assert_uint_eq(cookie, 0); /* enough for the backends that are tested */
	sqe->user_data = (uint64_t)(uintptr_t)io;
	return 0;
}

static int keep_memory(struct ublk_dev *dev, const char *name, uint64_t size)
{
	ck_assert_str_eq(name, "store"); /* enough for the backends that are tested */
	if (!dev->kept_fd)
		return -ENOENT;
	ck_assert_int_eq(ftruncate(dev->kept_fd, (off_t)size), 0);
	return dup(dev->kept_fd);
}

void mock_keep(struct ublk_dev *dev)
{
	dev->kept_fd = memfd_create("kept", MFD_CLOEXEC);
	ck_assert_int_gt(dev->kept_fd, 0);
}

const struct ublk_host mock_host = {
	.struct_size = sizeof(mock_host),
	.abi_major = UBLK_PLUGIN_ABI_MAJOR,
	.abi_minor = UBLK_PLUGIN_ABI_MINOR,
	.version = "mock",
	.log = record,
	.complete_remote = count_completion,
	.wake = wake,
	.dev_fail = dev_fail,
	.file_register = register_file,
	.keep_memory = keep_memory,
	.complete = count_completion,
	.sqe_get = sqe_get,
	.sqe_commit = sqe_commit,
};

const struct ublk_plugin *mock_load(const char *folder, const char *name)
{
	const char *top = getenv("top_builddir");
	const struct ublk_plugin *plugin;
	char path[4096];
	void *handle;

	snprintf(path, sizeof(path), "%s/%s/.libs/%s.so", top ? top : ".", folder, name);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(handle, "%s", dlerror());
	plugin = dlsym(handle, "ublk_plugin_v1");
	ck_assert_ptr_nonnull(plugin);
	ck_assert_uint_eq(plugin->magic, UBLK_PLUGIN_MAGIC);
	ck_assert_uint_eq(plugin->abi_major, UBLK_PLUGIN_ABI_MAJOR);
	ck_assert_uint_eq(plugin->struct_size, sizeof(*plugin));
	ck_assert_uint_eq(plugin->opt_spec_size, sizeof(struct ublk_opt_spec));
	ck_assert_str_eq(plugin->name, name);
	ck_assert_uint_le(plugin->nr_opts, MOCK_MAX_OPTS);
	ck_assert_int_eq(plugin->load(&mock_host), 0);
	return plugin;
}

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	switch (*end) {
	case 'T':
		return v << 40;
	case 'G':
		return v << 30;
	case 'M':
		return v << 20;
	case 'K':
		return v << 10;
	}
	ck_assert_int_eq(*end, '\0');
	return v;
}

static uint64_t parse_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);

	for (uint64_t i = 0;; i++) {
		if (!strncmp(choices, word, len) && (choices[len] == '|' || !choices[len]))
			return i;
		choices = strchr(choices, '|');
		ck_assert_msg(choices, "not a choice: %s", word);
		choices++;
	}
}

static void set_opt(struct ublk_opt *opt, const struct ublk_opt_spec *spec, const char *text)
{
	opt->str = text;
	if (spec->type == UBLK_OPT_SIZE || spec->type == UBLK_OPT_U64)
		opt->u64 = parse_size(text);
	else if (spec->type == UBLK_OPT_BOOL)
		opt->u64 = !strcmp(text, "true");
	else if (spec->type == UBLK_OPT_ENUM)
		opt->u64 = parse_choice(spec->choices, text);
}

static void set_given(struct ublk_dev *dev, const char *arg)
{
	const struct ublk_plugin *plugin = dev->plugin;
	size_t len = strcspn(arg, "=");

	for (uint32_t i = 0; i < plugin->nr_opts; i++) {
		const char *name = plugin->opts[i].name;

		if (strlen(name) == len && !strncmp(name, arg, len)) {
			set_opt(&dev->opts[i], &plugin->opts[i], arg + len + 1);
			dev->opts[i].is_set = 1;
			return;
		}
	}
	ck_abort_msg("no such option: %s", arg);
}

int mock_open(struct ublk_dev *dev, const struct ublk_plugin *plugin, uint32_t flags, ...)
{
	struct ublk_open_args args = { .struct_size = sizeof(args),
				       .flags = flags,
				       .nr_opts = plugin->nr_opts,
				       .opt_size = sizeof(struct ublk_opt),
				       .opts = dev->opts,
				       .former = dev->former };
	int register_error = dev->register_error, kept_fd = dev->kept_fd;
	const char *arg;
	va_list ap;
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->plugin = plugin;
	dev->register_error = register_error;
	dev->kept_fd = kept_fd;
	dev->former = args.former;
	for (uint32_t i = 0; i < plugin->nr_opts; i++)
		if (plugin->opts[i].def)
			set_opt(&dev->opts[i], &plugin->opts[i], plugin->opts[i].def);
	va_start(ap, flags);
	while ((arg = va_arg(ap, const char *)))
		set_given(dev, arg);
	va_end(ap);
	for (uint32_t i = 0; i < plugin->nr_opts; i++)
		ck_assert(!(plugin->opts[i].flags & UBLK_OPTF_REQUIRED) || dev->opts[i].is_set);
	err = plugin->open(dev, &args, &dev->priv);
	ck_assert_int_le(err, 0);
	if (err)
		dev->priv = NULL;
	return err;
}

int mock_limits(struct ublk_dev *dev, uint32_t logical_block)
{
	dev->limits = (struct ublk_limits){ .struct_size = sizeof(dev->limits),
					    .logical_block = logical_block,
					    .physical_block = 4096,
					    .max_io_bytes = 512 << 10,
					    .dma_align = 4,
					    .discard_granularity = 4096,
					    .max_discard_bytes = 0x7ffffe00,
					    .max_write_zeroes_bytes = 0x7ffffe00,
					    .map_kinds = dev->plugin->map_kinds,
					    .data_modes = dev->plugin->data_modes,
					    .max_queues = 4,
					    .max_depth = 128 };
	return dev->plugin->get_limits(dev->priv, &dev->limits);
}

int mock_start(struct ublk_dev *dev)
{
	return dev->plugin->start ? dev->plugin->start(dev->priv, &dev->limits) : 0;
}

void mock_close(struct ublk_dev *dev, bool started)
{
	if (started && dev->plugin->stop)
		dev->plugin->stop(dev->priv);
	dev->plugin->close(dev->priv);
	dev->priv = NULL;
}

struct ublk_extent mock_map(struct ublk_dev *dev, uint8_t op, uint64_t offset, uint64_t length)
{
	struct ublk_io io = { .op = op, .offset = offset, .length = length };
	struct ublk_extent out[2];

	memset(out, 0xa5, sizeof(out));
	ck_assert_int_eq(dev->plugin->map(dev->priv, &io, out, 1), 1);
	ck_assert_uint_eq(out[1].length, 0xa5a5a5a5a5a5a5a5);
	return out[0];
}

bool mock_said(const struct ublk_dev *dev, int level, const char *text)
{
	const char *line = dev->log;

	while (*line) {
		const char *end = strchr(line, '\n');
		const char *hit = strstr(line, text);

		if (line[0] == '0' + level && hit && hit < end)
			return true;
		line = end + 1;
	}
	return false;
}

unsigned int mock_lines(const struct ublk_dev *dev, int level)
{
	unsigned int nr = 0;

	for (const char *line = dev->log; *line; line = strchr(line, '\n') + 1)
		nr += line[0] == '0' + level;
	return nr;
}

unsigned int mock_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

void mock_queue_init(struct ublk_queue *q, struct ublk_dev *dev, uint16_t depth)
{
	const struct ublk_limits *limits = &dev->limits;
	struct ublk_queue_info info = { .struct_size = sizeof(info),
					.depth = depth,
					.cpu = -1,
					.data_mode = UBLK_DATA_MAPPED };
	int err;

	memset(q, 0, sizeof(*q));
	q->dev = dev;
	q->sqe_budget = depth * limits->sqes_per_io + limits->background_sqes;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->ring = malloc(sizeof(struct io_uring));
	err = io_uring_queue_init(q->sqe_budget + 1, q->ring, 0);
	ck_assert_msg(!err, "io_uring: %s", strerror(-err));
	if (dev->nr_files) {
		/* slot 0 is the host's own, as on a real queue */
		dev->files[0] = -1;
		err = io_uring_register_files(q->ring, dev->files, dev->nr_files + 1);
		ck_assert_msg(!err, "register files: %s", strerror(-err));
	}
	q->qpriv = dev->priv;
	if (dev->plugin->queue_init)
		ck_assert_int_eq(dev->plugin->queue_init(dev->priv, q, &info, &q->qpriv), 0);
}

void mock_queue_exit(struct ublk_queue *q)
{
	if (q->dev->plugin->queue_exit)
		q->dev->plugin->queue_exit(q->qpriv);
	io_uring_queue_exit(q->ring);
	free(q->ring);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

/* Nothing is on the ring: wait for another thread. */
static void wait_for_thread(struct ublk_queue *q, unsigned int count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&q->lock);
	while (!q->woken && q->completed < count)
		if (pthread_cond_timedwait(&q->changed, &q->lock, &until))
			break;
	pthread_mutex_unlock(&q->lock);
}

static void reap(struct ublk_queue *q)
{
	struct __kernel_timespec moment = { .tv_nsec = 10000000 };
	struct io_uring_cqe *cqe;

	io_uring_submit(q->ring);
	while (!io_uring_wait_cqe_timeout(q->ring, &cqe, &moment)) {
		struct ublk_io *io = (struct ublk_io *)(uintptr_t)cqe->user_data;
		int32_t res = cqe->res;
		uint32_t flags = cqe->flags;

		io_uring_cqe_seen(q->ring, cqe);
		q->sqes_in_flight--;
		q->dev->plugin->cqe(q->qpriv, io, 0, res, flags);
		if (!q->sqes_in_flight)
			return;
	}
}

void mock_queue_run(struct ublk_queue *q, unsigned int count)
{
	time_t give_up = time(NULL) + 10;

	while (time(NULL) < give_up) {
		bool woken, done;

		pthread_mutex_lock(&q->lock);
		woken = q->woken;
		q->woken = false;
		done = q->completed >= count;
		pthread_mutex_unlock(&q->lock);
		if (done)
			return;
		if (woken)
			q->dev->plugin->event(q->qpriv);
		if (q->sqes_in_flight)
			reap(q);
		else
			wait_for_thread(q, count);
	}
	ck_abort_msg("only %u of %u ios completed", q->completed, count);
}
