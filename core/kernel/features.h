/* SPDX-License-Identifier: MIT */
/*
 * Names and meanings of the driver's features (UBLK_F_*), for messages and `features`. Any thread,
 * no privilege.
 */
#ifndef KERNEL_FEATURES_H
#define KERNEL_FEATURES_H

#include "base/util.h"
#include "kernel/uapi.h"

struct feature {
	uint64_t flag;
	const char *name;    /* "user_recovery": the kernel's name in small letters */
	const char *meaning; /* one line, no full stop */
	const char
		*since; /* the first kernel that has it, for people: the program asks the driver */
};

/* All that this build knows, in order of their bits. */
extern const struct feature features_known[];
extern const size_t nr_features_known;

/* Walk the known features in flags: start with *pos 0; NULL at the end. */
const struct feature *feature_next(uint64_t flags, unsigned int *pos);

/* Those bits of flags that this build has no name for. */
uint64_t features_unknown(uint64_t flags);

/* "user_recovery,user_copy", cut where buf ends; "none" without any. An unknown bit
 * is "bit_NN". Returns buf. */
const char *feature_names(uint64_t flags, char *buf, size_t size);

/* By name; 0 if there is none. */
uint64_t feature_by_name(const char *name);

/* What can be relied on where GET_FEATURES does not exist (before 6.5). legacy: ctrl_is_legacy().
 * More may be there: asking for it in ADD_DEV tells. */
uint64_t features_assumed(bool legacy);

#endif
