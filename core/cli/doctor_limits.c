// SPDX-License-Identifier: MIT
/* doctor: the limits of this machine, for a device that is like most: one with the defaults. */
#include "cli/doctor.h"
#include "config/config.h"
#include "kernel/sysfs.h"
#include "queue/queue.h"

static struct ublk_limits usual_limits(const struct doctor *doctor)
{
	return (struct ublk_limits){
		.max_queues = min_of(sysfs_cpus_online(doctor->root), DEFAULT_QUEUES_CAP),
		.max_depth = DEFAULT_DEPTH,
		.max_io_bytes = DEFAULT_MAX_IO,
	};
}

static struct headroom_need usual_need(const struct doctor *doctor)
{
	const struct ublk_limits limits = usual_limits(doctor);

	return headroom_need_of(&limits, limits.max_queues, true);
}

void check_devices(struct doctor *doctor)
{
	struct finding finding;

	headroom_devices(&doctor->knobs, doctor->host.features, &finding);
	doctor_add(doctor, "ublks_max", &finding);
}

void check_open_files(struct doctor *doctor)
{
	const struct headroom_need need = usual_need(doctor);
	struct finding finding;

	headroom_files(&doctor->knobs, &need, &finding);
	doctor_add(doctor, "open-files", &finding);
}

void check_locked_memory(struct doctor *doctor)
{
	const struct ublk_limits limits = usual_limits(doctor);
	const struct headroom_need need = usual_need(doctor);
	struct finding finding;
	int tried = 0;

	if (doctor->host.ring.err) {
		doctor_say(doctor, "locked-memory", FINDING_NOTE, "see io_uring",
			   "it cannot be told whether rings can be had");
		return;
	}
	if (!doctor->knobs.cap_ipc_lock)
		tried = queue_rings_try(need.rings, need.depth, &limits);
	headroom_locked(&doctor->knobs, &need, tried, &finding);
	doctor_add(doctor, "locked-memory", &finding);
}

void check_memory(struct doctor *doctor)
{
	const struct headroom_need need = usual_need(doctor);
	struct finding finding;

	headroom_memory(&doctor->knobs, &need, &finding);
	doctor_add(doctor, "memory", &finding);
}
