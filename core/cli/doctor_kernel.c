// SPDX-License-Identifier: MIT
/* doctor: the kernel, its ublk driver, and its io_uring. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "kernel/bad_kernels.h"
#include "kernel/ctrl.h"
#include "kernel/features.h"

void check_kernel(struct doctor *doctor)
{
	const struct bad_kernel *bad = bad_kernel_find(doctor->host.kernel);
	const struct bad_kernel *risky = risky_kernel_find(doctor->host.kernel);

	if (bad)
		doctor_say(doctor, "kernel", FINDING_BAD, bad->remedy, "%s: %s (%s)",
			   doctor->host.kernel, bad->what, bad->source);
	else if (risky)
		doctor_say(doctor, "kernel", FINDING_NOTE, risky->remedy, "%s, with which %s (%s)",
			   doctor->host.kernel, risky->what, risky->source);
	else
		doctor_say(doctor, "kernel", FINDING_OK, NULL, "%s, of which no trouble is known",
			   doctor->host.kernel);
}

void check_driver(struct doctor *doctor)
{
	char why[512];
	unsigned int nr = 0;

	if (doctor->control_err) {
		ctrl_explain_open(doctor->host.kernel, doctor->root, false, doctor->control_err,
				  why, sizeof(why));
		doctor_say_line(doctor, "driver", FINDING_BAD, why);
		return;
	}
	if (*doctor->host.reason) { /* a ring is what it takes, too */
		doctor_say(doctor, "driver", doctor->host.ring.err ? FINDING_NOTE : FINDING_BAD,
			   NULL, "it is there, but cannot be asked: %s", doctor->host.reason);
		return;
	}
	for (size_t i = 0; i < nr_features_known; i++)
		nr += !!(doctor->host.features & features_known[i].flag);
	doctor_say(doctor, "driver", FINDING_OK, NULL,
		   "%s is ours to use; the driver has %u of %zu features (ublk-host features)",
		   UBLK_CONTROL_PATH, nr, nr_features_known);
}

void check_io_uring(struct doctor *doctor)
{
	struct finding finding;
	char why[512];

	headroom_ring(&doctor->knobs, &finding);
	if (finding.level == FINDING_OK && doctor->host.ring.err) {
		knob_ring_failure(doctor->host.kernel, doctor->root, doctor->host.ring.err, why,
				  sizeof(why));
		doctor_say_line(doctor, "io_uring", FINDING_BAD, why);
		return;
	}
	if (finding.level == FINDING_OK && !(doctor->host.ring.setup & IORING_SETUP_SQE128))
		finding_set(&finding, FINDING_BAD, "boot 6.0 or newer",
			    "the io_uring of kernel %s has no 128-byte entries, which ublk needs",
			    doctor->host.kernel);
	doctor_add(doctor, "io_uring", &finding);
}

/* The path that such a plugin gets here, against the one on a kernel that has everything. */
static void compare_paths(struct doctor *doctor, const char *what, uint32_t kind)
{
	const struct path_kernel here = host_path_kernel(&doctor->host);
	const struct path_kernel all = { .features = UINT64_MAX,
					 .buf_table = true,
					 .buf_ring = true };
	const struct path_needs needs = { .map_kinds = kind };
	const char *why, *why_best;
	struct path_choice got = path_choose(&here, &needs, &why);
	struct path_choice best = path_choose(&all, &needs, &why_best);

	if (got.path == best.path && got.batch == best.batch)
		doctor_say(doctor, "data-path", FINDING_OK, NULL, "%s go by %s, the best there is",
			   what, path_choice_name(got));
	else
		doctor_say(doctor, "data-path", FINDING_NOTE,
			   "nothing, or boot a newer kernel for speed",
			   "%s go by %s, not by %s: %s", what, path_choice_name(got),
			   path_choice_name(best), why);
}

void check_data_paths(struct doctor *doctor)
{
	if (*doctor->host.reason) {
		doctor_say(doctor, "data-path", FINDING_NOTE, "see driver and io_uring",
			   "the driver could not be asked");
		return;
	}
	compare_paths(doctor, "bytes in files", UBLK_EXT_FD);
	compare_paths(doctor, "bytes in memory", UBLK_EXT_MEM);
}
