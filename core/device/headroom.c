// SPDX-License-Identifier: MIT
/*
 * Room for a device: open files, locked memory, memory of the control group, the driver's own limit.
 * What would fail anyway is refused before the device exists, with the knob's name; what only may
 * fail one day is told. The limit of open files is raised as far as we may.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "config/size.h"
#include "device/headroom.h"
#include "device/internal.h"

#define FILES_PER_RING 2 /* the ring, and what wakes its thread */
#define FILES_BESIDES 16 /* of the device, and for files that are read for a moment */
#define SLOTS_PER_TAG 4	 /* of requests, as queues have them */

void finding_set(struct finding *finding, enum finding_level level, const char *todo,
		 const char *why, ...)
{
	va_list ap;

	finding->level = level;
	va_start(ap, why);
	vsnprintf(finding->why, sizeof(finding->why), why, ap);
	va_end(ap);
	snprintf(finding->todo, sizeof(finding->todo), "%s", todo ? todo : "");
}

void headroom_ring(const struct knobs *knobs, struct finding *finding)
{
	if (!knobs_forbid_ring(knobs) && knobs->io_uring_disabled == 1)
		finding_set(
			finding, FINDING_OK, NULL,
			"kernel.io_uring_disabled is 1, which leaves it to root and to the group %" PRId64,
			knobs->io_uring_group);
	else if (!knobs_forbid_ring(knobs))
		finding_set(finding, FINDING_OK, NULL, "nothing forbids io_uring");
	else
		finding_set(finding, FINDING_BAD,
			    knobs->io_uring_disabled == 1
				    ? "run as root, or name a group that the user is in: `sysctl "
				      "kernel.io_uring_group=GID`"
				    : "`sysctl kernel.io_uring_disabled=0`",
			    "kernel.io_uring_disabled is %d: io_uring is switched off%s",
			    knobs->io_uring_disabled,
			    knobs->io_uring_disabled == 1 ? " for this user" : "");
}

/* Drivers that have zero copy are those that count the devices of unprivileged users only; both came
 * with Linux 6.15. */
void headroom_devices(const struct knobs *knobs, uint64_t features, struct finding *finding)
{
	static const char raise[] =
		"delete devices (`ublk-host gc` finds those without a server), or "
		"raise " KNOB_UBLKS_MAX;
	const char *whom = features & UBLK_F_SUPPORT_ZERO_COPY
				   ? "which counts those of unprivileged users only"
				   : "which counts all of them";

	if (knobs->ublks_max < 0)
		finding_set(finding, FINDING_OK, NULL, "%u devices; the driver tells no limit",
			    knobs->devices);
	else if (features & UBLK_F_SUPPORT_ZERO_COPY || !features)
		finding_set(finding, FINDING_OK, NULL, "%u devices; the limit is %" PRId64 ", %s",
			    knobs->devices, knobs->ublks_max, features ? whom : "of the driver");
	else if (knobs->devices >= knobs->ublks_max)
		finding_set(finding, FINDING_BAD, raise,
			    "there are %u devices, and the driver's limit is %" PRId64 ", %s",
			    knobs->devices, knobs->ublks_max, whom);
	else
		finding_set(finding,
			    4 * (int64_t)knobs->devices >= 3 * knobs->ublks_max ? FINDING_NOTE
										: FINDING_OK,
			    4 * (int64_t)knobs->devices >= 3 * knobs->ublks_max ? raise : NULL,
			    "%u devices; the driver's limit is %" PRId64 ", %s", knobs->devices,
			    knobs->ublks_max, whom);
}

static uint64_t files_needed(const struct knobs *knobs, const struct headroom_need *need)
{
	return knobs->files_open + FILES_BESIDES + (uint64_t)need->rings * FILES_PER_RING;
}

void headroom_files(const struct knobs *knobs, const struct headroom_need *need,
		    struct finding *finding)
{
	uint64_t needed = files_needed(knobs, need);

	if (needed <= knobs->files_max)
		finding_set(finding, FINDING_OK, NULL,
			    "a device of %u queues needs %" PRIu64 " open files of %s%" PRIu64,
			    need->rings, needed,
			    knobs->files_max == KNOB_UNLIMITED ? "unlimited, now " : "",
			    knobs->files_max == KNOB_UNLIMITED ? knobs->files : knobs->files_max);
	else
		finding_set(
			finding, FINDING_BAD,
			"raise that (" KNOB_FILES_HOW "), or use fewer queues",
			"%u queues need %" PRIu64
			" open files with those of the plugin, and this process may have %" PRIu64
			" (RLIMIT_NOFILE)",
			need->rings, needed, knobs->files_max);
}

void headroom_locked(const struct knobs *knobs, const struct headroom_need *need, int tried,
		     struct finding *finding)
{
	uint64_t kib = need->rings * need->ring_bytes >> 10;

	if (tried == -ENOMEM && !knobs->cap_ipc_lock && knobs->locked != KNOB_UNLIMITED)
		finding_set(finding, FINDING_BAD,
			    "raise that (" KNOB_LOCKED_HOW "), or use fewer queues or less depth",
			    "the rings of %u queues of depth %u need %" PRIu64
			    " KiB of locked memory, and this user may have %" PRIu64
			    " KiB (RLIMIT_MEMLOCK), other programs' included",
			    need->rings, need->depth, kib, knobs->locked >> 10);
	else if (tried)
		finding_set(finding, FINDING_BAD, "use fewer queues or less depth",
			    "the kernel does not give rings to %u queues of depth %u: %s",
			    need->rings, need->depth, strerror(-tried));
	else if (knobs->cap_ipc_lock || knobs->locked == KNOB_UNLIMITED)
		finding_set(finding, FINDING_OK, NULL, "locked memory is not limited");
	else
		finding_set(finding, FINDING_OK, NULL,
			    "the rings of %u queues of depth %u can be had with the %" PRIu64
			    " KiB of locked memory that this user may have",
			    need->rings, need->depth, knobs->locked >> 10);
}

void headroom_memory(const struct knobs *knobs, const struct headroom_need *need,
		     struct finding *finding)
{
	const struct memory_limit *limit = &knobs->memory;
	uint64_t at_once = need->fixed_bytes + need->rings * need->ring_bytes;
	uint64_t later = need->buffer_bytes + need->store_bytes;
	static const char raise[] = "raise that (" KNOB_MEMORY_HOW
				    "), or have a smaller size, fewer queues, less depth or max-io";

	if (limit->max == KNOB_UNLIMITED)
		finding_set(finding, FINDING_OK, NULL, "no control group limits the memory");
	else if (at_once > limit->max)
		finding_set(finding, FINDING_BAD, raise,
			    "the device needs %" PRIu64
			    " MiB of memory from the start, and %s allows %" PRIu64 " MiB",
			    at_once >> 20, limit->file, limit->max >> 20);
	else if (later > limit->max - at_once)
		finding_set(finding, FINDING_NOTE, raise,
			    "%s allows %" PRIu64 " MiB of memory, and the device may come to use "
			    "%" PRIu64 " MiB for buffers and %" PRIu64
			    " MiB for what it stores: then the kernel would kill the server",
			    limit->file, limit->max >> 20, (at_once + need->buffer_bytes) >> 20,
			    need->store_bytes >> 20);
	else
		finding_set(finding, FINDING_OK, NULL,
			    "%s allows %" PRIu64 " MiB of memory, which is enough for the device",
			    limit->file, limit->max >> 20);
}

struct headroom_need headroom_need_of(const struct ublk_limits *limits, uint32_t rings,
				      bool has_buffers)
{
	const uint64_t tags = (uint64_t)rings * limits->max_depth;

	return (struct headroom_need){
		.rings = rings,
		.depth = limits->max_depth,
		.ring_bytes = queue_ring_bytes(limits->max_depth, limits),
		.buffer_bytes = (has_buffers ? tags * limits->max_io_bytes : 0) +
				tags * SLOTS_PER_TAG * limits->io_scratch_bytes,
	};
}

static struct headroom_need device_need(const struct device *d)
{
	const struct ublk_limits *limits = &d->dev.limits;
	const struct path_needs needs =
		path_needs_of(&d->plugin->desc, limits->map_kinds, limits->data_modes);
	/* The driver grants one queue for each CPU at most. */
	uint32_t rings =
		min_of(limits->max_queues, sysfs_nr_cpu_ids("")) * d->dev.threads_per_queue;
	struct headroom_need need =
		headroom_need_of(limits, rings, data_path_has_buffers(d->dev.path, &needs));

	struct stat st;

	/* Of a file that is mapped, the pages can be taken back. */
	if (needs.map_kinds & UBLK_EXT_MEM && !(limits->attrs & UBLK_DEV_MEM_FAULTS))
		need.store_bytes = limits->size_bytes;
	/* Of shared memory, what is there is whoever's has touched it first. */
	for (size_t i = 0; i < d->cfg->shared_memory.nr; i++)
		if (!stat(d->cfg->shared_memory.path[i], &st) && st.st_size > st.st_blocks * 512)
			need.fixed_bytes += st.st_size - st.st_blocks * 512;
	return need;
}

/* For the plugin's own files in its queues too, there is no harm in having more. */
static void raise_files(struct knobs *knobs, const struct headroom_need *need)
{
	uint64_t wanted = min_of(files_needed(knobs, need) + DEV_MAX_FILES, knobs->files_max);
	struct rlimit limit;

	if (wanted <= knobs->files || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = wanted;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		knobs->files = wanted;
	else
		knobs->files_max = knobs->files;
}

static int refused(const struct finding *finding, int err)
{
	if (finding->level != FINDING_BAD)
		return 0;
	log_err("%s; %s", finding->why, finding->todo);
	return err;
}

/* A device that is there already is not made anew; and of an id that is taken the driver says so. */
static bool is_there(const struct device *d)
{
	char node[NODE_PATH_SIZE];

	return d->former || (d->cfg->id >= 0 && !access(node_char(d->cfg->id, node), F_OK));
}

int headroom_check(struct device *d)
{
	const struct headroom_need need = device_need(d);
	struct finding finding = { 0 };
	struct knobs knobs;
	int err = 0, tried = 0;

	knobs_read("", &knobs);
	raise_files(&knobs, &need);
	headroom_files(&knobs, &need, &finding);
	err = refused(&finding, -EMFILE);
	if (!err && !is_there(d)) {
		headroom_devices(&knobs, d->kernel.features, &finding);
		err = refused(&finding, -EACCES);
	}
	if (!err && !knobs.cap_ipc_lock && knobs.locked != KNOB_UNLIMITED) {
		tried = queue_rings_try(need.rings, need.depth, &d->dev.limits);
		headroom_locked(&knobs, &need, tried, &finding);
		err = refused(&finding, tried);
	}
	if (err)
		return err;
	headroom_memory(&knobs, &need, &finding);
	if (finding.level == FINDING_NOTE)
		log_warn("%s; %s", finding.why, finding.todo);
	return refused(&finding, -ENOMEM);
}
