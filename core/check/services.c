// SPDX-License-Identifier: MIT
/*
 * The host's services as the plugin under check gets them: what is asked of them at the wrong time or with
 * the wrong thing fails the check, the rest is the data plane's own.
 */
#include <string.h>
#include <sys/stat.h>

#include "check/kit.h"
#include "check/shim.h"

/* A plugin may call at any time with any pointer: none is followed before it was found here. Set once in a
 * process, before load(). */
static struct kit *the_kit;

void services_begin(struct kit *k)
{
	the_kit = k;
}

static struct kit_dev *dev_known(struct ublk_dev *dev, const char *service)
{
	struct kit *k = the_kit;
	struct kit_dev *d = container_of(dev, struct kit_dev, dev);

	if (!dev || (d != k->first && d != k->second))
		kit_fail(k, "%s() with a dev that is %s", service,
			 dev ? "none that open() was given, or was closed" : "NULL");
	return d;
}

static struct kit_queue *queue_known(struct ublk_queue *q, const char *service)
{
	struct kit *k = the_kit;
	struct kit_dev *devs[] = { k->first, k->second };

	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		for (unsigned int j = 0; devs[i] && j < KIT_QUEUES; j++) {
			struct kit_queue *kq = &devs[i]->queue[j];

			if (atomic_load(&kq->live) && kq->given == q)
				return kq;
		}
	kit_fail(k, "%s() with a queue that queue_init() was not given, or after its queue_exit()",
		 service);
}

static void services_log(struct ublk_dev *dev, int level, const char *msg)
{
	struct kit *k = the_kit;
	struct kit_dev *d = dev ? dev_known(dev, "log") : NULL;

	if (!msg)
		kit_fail(k, "log() without a message");
	if (strchr(msg, '\n'))
		kit_fail(k, "log() with a newline in \"%.200s\": it is one line, without its end",
			 msg);
	if (level != UBLK_LOG_ERR && level != UBLK_LOG_WARN && level != UBLK_LOG_INFO &&
	    level != UBLK_LOG_DEBUG)
		kit_fail(k, "log() with level %d, which is none of UBLK_LOG_*", level);
	host_services.log(d ? &d->dev : NULL, level, msg);
}

static void services_complete_remote(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	struct kit_queue *kq = queue_known(q, "complete_remote");

	if (queue_knows_io(q, io))
		shim_ending(kq, io);
	host_services.complete_remote(q, io, res);
}

static void services_wake(struct ublk_queue *q)
{
	struct kit_queue *kq = queue_known(q, "wake");

	if (!kq->dev->kit->desc->event)
		kit_fail(kq->dev->kit, "wake() by a plugin that has no event()");
	host_services.wake(q);
}

static void services_dev_fail(struct ublk_dev *dev, int err, const char *why)
{
	struct kit_dev *d = dev_known(dev, "dev_fail");

	if (err >= 0 || err < -4095)
		kit_fail(d->kit, "dev_fail() with %d, which is no negative errno", err);
	kit_fail(d->kit, "the plugin gave the device up: %s (%s)", why ? why : "without a reason",
		 strerror(-err));
}

static int services_file_register(struct ublk_dev *dev, int fd)
{
	struct kit_dev *d = dev_known(dev, "file_register");
	struct stat st;
	int slot;

	if (!d->dev.open_phase)
		kit_fail(d->kit,
			 "file_register() after start(): the queues know their files by then");
	if (fstat(fd, &st))
		kit_fail(d->kit, "file_register() of descriptor %d, which is not open", fd);
	slot = host_services.file_register(dev, fd);
	if (slot > 0)
		d->file_stat[slot] = st;
	return slot;
}

static int services_keep_memory(struct ublk_dev *dev, const char *name, uint64_t size)
{
	struct kit_dev *d = dev_known(dev, "keep_memory");

	if (!d->dev.open_phase)
		kit_fail(d->kit, "keep_memory() after start(): it is for open()");
	if (!name || !*name || strlen(name) > 16 ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		kit_fail(d->kit, "keep_memory() with a name that is not 1 to 16 of a-z 0-9 -");
	if (!size)
		kit_fail(d->kit, "keep_memory() of no bytes");
	return host_services.keep_memory(dev, name, size);
}

static void services_complete(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	struct kit_queue *kq = queue_known(q, "complete");

	if (queue_knows_io(q, io))
		shim_ending(kq, io);
	host_services.complete(q, io, res);
}

static int services_sqe_get(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out)
{
	struct kit_queue *kq = queue_known(q, "sqe_get");

	if (!kq->dev->dev.limits.sqes_per_io && !kq->dev->dev.limits.background_sqes)
		kit_fail(
			kq->dev->kit,
			"sqe_get() by a plugin whose limits have neither sqes_per_io nor background_sqes");
	if (n && !kq->dev->kit->desc->cqe)
		kit_fail(kq->dev->kit,
			 "sqe_get() by a plugin that has no cqe() for the completions");
	return host_services.sqe_get(q, n, out);
}

static int services_sqe_commit(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
			       uint32_t cookie)
{
	queue_known(q, "sqe_commit");
	return host_services.sqe_commit(q, sqe, io, cookie);
}

const struct ublk_host kit_services = {
	.struct_size = sizeof(struct ublk_host),
	.abi_major = UBLK_PLUGIN_ABI_MAJOR,
	.abi_minor = UBLK_PLUGIN_ABI_MINOR,
	.version = VERSION,
	.log = services_log,
	.complete_remote = services_complete_remote,
	.wake = services_wake,
	.dev_fail = services_dev_fail,
	.file_register = services_file_register,
	.keep_memory = services_keep_memory,
	.complete = services_complete,
	.sqe_get = services_sqe_get,
	.sqe_commit = services_sqe_commit,
};

void services_check_files(struct kit_dev *d)
{
	struct stat st;

	for (unsigned int slot = 1; slot < d->dev.nr_files; slot++) {
		const struct stat *then = &d->file_stat[slot];

		if (!d->dev.files[slot].by_plugin)
			continue;
		if (fstat(d->dev.files[slot].fd, &st) || st.st_dev != then->st_dev ||
		    st.st_ino != then->st_ino)
			kit_fail(
				d->kit,
				"a registered file (slot %u, descriptor %d) was closed before close()",
				slot, d->dev.files[slot].fd);
	}
}
