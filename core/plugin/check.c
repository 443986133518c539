// SPDX-License-Identifier: MIT
/*
 * Is a descriptor one that this host can work with? Every refusal says what was wanted and what
 * was found. Nothing beyond the descriptor's own size is read.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/plugin_manifest.h"
#include "plugin/plugin.h"

#define MAX_STRUCT_SIZE (64u << 10)
#define MAX_OPTS 256u

/* All that the host knows of an operation by its number. */
static const struct {
	const char *name;
	size_t call; /* where its function of the call profile is in struct ublk_plugin */
} ops[NR_OPS] = {
	[UBLK_OP_READ] = { "read", offsetof(struct ublk_plugin, read) },
	[UBLK_OP_WRITE] = { "write", offsetof(struct ublk_plugin, write) },
	[UBLK_OP_FLUSH] = { "flush", offsetof(struct ublk_plugin, flush) },
	[UBLK_OP_DISCARD] = { "discard", offsetof(struct ublk_plugin, discard) },
	[UBLK_OP_WRITE_ZEROES] = { "write_zeroes", offsetof(struct ublk_plugin, write_zeroes) },
};

#define ALL_OPS ((1u << NR_OPS) - 1)

const char *op_name(unsigned int op)
{
	return op < NR_OPS ? ops[op].name : "unknown";
}

const char *profile_name(enum profile profile)
{
	switch (profile) {
	case PROFILE_MAP:
		return "map";
	case PROFILE_SUBMIT:
		return "async";
	case PROFILE_CALL:
		return "call";
	default:
		return "none";
	}
}

static bool has_call(const struct ublk_plugin *desc, unsigned int op)
{
	static void (*const none)(void);

	return memcmp((const char *)desc + ops[op].call, &none, sizeof(none)) != 0;
}

enum profile plugin_profile(const struct ublk_plugin *desc, unsigned int op)
{
	if (op >= NR_OPS)
		return PROFILE_NONE;
	if (desc->map_ops & 1u << op)
		return PROFILE_MAP;
	if (desc->submit_ops & 1u << op)
		return PROFILE_SUBMIT;
	return has_call(desc, op) ? PROFILE_CALL : PROFILE_NONE;
}

/* The first 16 bytes, which mean the same in every version. */
static int check_frozen(const char *who, const struct ublk_plugin *head)
{
	if (head->magic != UBLK_PLUGIN_MAGIC) {
		log_err("plugin %s: not a ublk-host plugin: its descriptor starts with 0x%08x, not "
			"with 0x%08x",
			who, head->magic, UBLK_PLUGIN_MAGIC);
		return -ENOEXEC;
	}
	if (head->abi_major != UBLK_PLUGIN_ABI_MAJOR) {
		log_err("plugin %s: built for plugin ABI %u.%u; this host implements %u.%u", who,
			head->abi_major, head->abi_minor, UBLK_PLUGIN_ABI_MAJOR,
			UBLK_PLUGIN_ABI_MINOR);
		return -EPROTONOSUPPORT;
	}
	if (head->min_host_minor > UBLK_PLUGIN_ABI_MINOR) {
		log_err("plugin %s: needs host ABI >= %u.%u; this host implements %u.%u", who,
			UBLK_PLUGIN_ABI_MAJOR, head->min_host_minor, UBLK_PLUGIN_ABI_MAJOR,
			UBLK_PLUGIN_ABI_MINOR);
		return -EPROTONOSUPPORT;
	}
	if (head->struct_size < UBLK_PLUGIN_V1_0_SIZE || head->struct_size > MAX_STRUCT_SIZE) {
		log_err("plugin %s: impossible struct_size %u: ABI 1.0 has %zu bytes, and none has "
			"more than %u",
			who, head->struct_size, UBLK_PLUGIN_V1_0_SIZE, MAX_STRUCT_SIZE);
		return -EINVAL;
	}
	if (head->reserved0) {
		log_err("plugin %s: reserved0 is %u; it must be 0", who, head->reserved0);
		return -EINVAL;
	}
	return 0;
}

static int check_texts(const char *who, const struct ublk_plugin *desc)
{
	if (!desc->name || !plugin_name_ok(desc->name)) {
		log_err("plugin %s: its name is \"%.64s\"; it must be 1 to 32 of a-z, 0-9 and -, "
			"not starting with -",
			who, desc->name && plugin_line_ok(desc->name) ? desc->name : "");
		return -EINVAL;
	}
	if (!desc->version || !plugin_line_ok(desc->version)) {
		log_err("plugin %s: version must be one line of text", who);
		return -EINVAL;
	}
	if (!desc->description || !plugin_line_ok(desc->description)) {
		log_err("plugin %s: description must be one line of text", who);
		return -EINVAL;
	}
	return 0;
}

#define ALL_FLAGS                                                                                  \
	(UBLK_PLUGIN_NONBLOCKING | UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE |                    \
	 UBLK_PLUGIN_OPENS_BESIDE | UBLK_PLUGIN_NEEDS_FILES | UBLK_PLUGIN_NEEDS_NETWORK |          \
	 UBLK_PLUGIN_NEEDS_PROCESSES | UBLK_PLUGIN_NEEDS_IOCTLS)

static const struct {
	const char *what;
	size_t offset; /* of a mask in struct ublk_plugin */
	uint32_t known;
} masks[] = {
	{ "flags", offsetof(struct ublk_plugin, flags), ALL_FLAGS },
	{ "map_ops", offsetof(struct ublk_plugin, map_ops), ALL_OPS },
	{ "submit_ops", offsetof(struct ublk_plugin, submit_ops), ALL_OPS },
	{ "map_kinds", offsetof(struct ublk_plugin, map_kinds),
	  UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID },
	{ "data_modes", offsetof(struct ublk_plugin, data_modes),
	  UBLK_DATA_MAPPED | UBLK_DATA_FIXED },
};

static uint32_t *mask_of(struct ublk_plugin *desc, size_t i)
{
	return (uint32_t *)((char *)desc + masks[i].offset);
}

/* Of a newer minor: bits that came later are not used, nor is a callback that only serves those. What
 * such a plugin cannot do without, it has said by min_host_minor. */
static void leave_out_newer(const char *who, struct ublk_plugin *desc)
{
	bool maps = desc->map_ops, submits = desc->submit_ops;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		uint32_t *mask = mask_of(desc, i), newer = *mask & ~masks[i].known;

		*mask &= masks[i].known;
		if (newer)
			log_debug("plugin %s: its %s of ABI %u.%u, 0x%x, are left out", who,
				  masks[i].what, desc->abi_major, desc->abi_minor, newer);
	}
	if (maps && !desc->map_ops)
		desc->map = NULL;
	if (submits && !desc->submit_ops)
		desc->submit = NULL;
	/* The more that may overlap, the larger the number. */
	if (desc->thread_model > UBLK_THREADS_PARALLEL)
		desc->thread_model = UBLK_THREADS_PARALLEL;
	else if (desc->thread_model < UBLK_THREADS_PARALLEL)
		desc->thread_model -= desc->thread_model % UBLK_THREADS_PER_QUEUE;
}

static int check_bits(const char *who, struct ublk_plugin *desc)
{
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		uint32_t found = *mask_of(desc, i);

		if (!(found & ~masks[i].known))
			continue;
		log_err("plugin %s: %s is 0x%x; this host (ABI %u.%u) knows the bits 0x%x only",
			who, masks[i].what, found, UBLK_PLUGIN_ABI_MAJOR, UBLK_PLUGIN_ABI_MINOR,
			masks[i].known);
		return -EINVAL;
	}
	if (desc->thread_model != UBLK_THREADS_SERIAL &&
	    desc->thread_model != UBLK_THREADS_PER_QUEUE &&
	    desc->thread_model != UBLK_THREADS_PARALLEL) {
		log_err("plugin %s: thread_model is %u; it must be %u (serial), %u (per queue) or "
			"%u (parallel)",
			who, desc->thread_model, UBLK_THREADS_SERIAL, UBLK_THREADS_PER_QUEUE,
			UBLK_THREADS_PARALLEL);
		return -EINVAL;
	}
	return 0;
}

static int check_callback(const char *who, const char *mask_name, uint32_t mask, const char *name,
			  bool present)
{
	if (!mask == !present)
		return 0;
	if (present)
		log_err("plugin %s: has %s(), but %s is 0: name the operations that it serves", who,
			name, mask_name);
	else
		log_err("plugin %s: %s is 0x%x, but there is no %s()", who, mask_name, mask, name);
	return -EINVAL;
}

/* Where submit() takes registered buffers only, the device has no data in memory: all of READ and WRITE has
 * to do without. */
static int check_fixed_only(const char *who, const struct ublk_plugin *desc)
{
	const uint32_t data = UBLK_OPS_READ | UBLK_OPS_WRITE;

	if (!(desc->submit_ops & data) || desc->data_modes != UBLK_DATA_FIXED)
		return 0;
	for (unsigned int op = UBLK_OP_READ; op <= UBLK_OP_WRITE; op++) {
		enum profile profile = plugin_profile(desc, op);

		if (profile != PROFILE_CALL &&
		    (profile != PROFILE_MAP || desc->map_kinds != UBLK_EXT_MEM))
			continue;
		log_err("plugin %s: submit() takes registered buffers only (data_modes is 0x%x), "
			"but %s by %s needs its data in memory: no data path has both",
			who, desc->data_modes, op_name(op), profile_name(profile));
		return -EINVAL;
	}
	return 0;
}

static int check_callbacks(const char *who, const struct ublk_plugin *desc)
{
	const char *missing = !desc->open ? "open" : !desc->get_limits ? "get_limits" : NULL;
	const uint32_t data = UBLK_OPS_READ | UBLK_OPS_WRITE;
	uint32_t both = desc->map_ops & desc->submit_ops;

	if (missing) {
		log_err("plugin %s: has no %s(), which every plugin needs", who, missing);
		return -EINVAL;
	}
	if (check_callback(who, "map_ops", desc->map_ops, "map", desc->map) ||
	    check_callback(who, "submit_ops", desc->submit_ops, "submit", desc->submit))
		return -EINVAL;
	if (both) {
		log_err("plugin %s: map_ops 0x%x and submit_ops 0x%x both claim %s; each operation "
			"is served in one way",
			who, desc->map_ops, desc->submit_ops,
			op_name((unsigned int)__builtin_ctz(both)));
		return -EINVAL;
	}
	if (plugin_profile(desc, UBLK_OP_READ) == PROFILE_NONE) {
		log_err("plugin %s: nothing serves read: set it in map_ops or submit_ops, or give a "
			"read()",
			who);
		return -EINVAL;
	}
	if (desc->map_ops & data && !desc->map_kinds) {
		log_err("plugin %s: map_ops is 0x%x, but map_kinds is 0: say which kinds of extent "
			"map() returns",
			who, desc->map_ops);
		return -EINVAL;
	}
	if (desc->submit_ops & data && !desc->data_modes) {
		log_err("plugin %s: submit_ops is 0x%x, but data_modes is 0: say how submit() takes "
			"its data",
			who, desc->submit_ops);
		return -EINVAL;
	}
	return check_fixed_only(who, desc);
}

static int check_opts(const char *who, const struct ublk_plugin *desc)
{
	const size_t least = offsetof(struct ublk_opt_spec, flags) + sizeof(uint32_t);

	if (!desc->nr_opts)
		return 0;
	if (!desc->opts || desc->nr_opts > MAX_OPTS) {
		log_err("plugin %s: nr_opts is %u, %s", who, desc->nr_opts,
			desc->opts ? "more than the 256 there may be" : "but opts is NULL");
		return -EINVAL;
	}
	if (desc->opt_spec_size < least || desc->opt_spec_size > 4096 || desc->opt_spec_size % 8) {
		log_err("plugin %s: impossible opt_spec_size %u: ABI 1.0 has %zu bytes", who,
			desc->opt_spec_size, least);
		return -EINVAL;
	}
	return 0;
}

int plugin_check_descriptor(const char *who, const void *raw, struct ublk_plugin *copy)
{
	int ret;

	/* A longer descriptor is a newer minor: its tail is not ours to know. What a shorter one
	 * does not have is zero, which is what "not there" is. */
	memset(copy, 0, sizeof(*copy));
	memcpy(copy, raw, UBLK_PLUGIN_FROZEN_SIZE);
	ret = check_frozen(who, copy);
	if (ret)
		return ret;
	memcpy(copy, raw, min_of((size_t)copy->struct_size, sizeof(*copy)));
	ret = check_texts(who, copy);
	if (!ret && plugin_is_newer(copy))
		leave_out_newer(who, copy);
	if (!ret)
		ret = check_bits(who, copy);
	if (!ret)
		ret = check_callbacks(who, copy);
	if (!ret)
		ret = check_opts(who, copy);
	return ret;
}
