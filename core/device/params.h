/* SPDX-License-Identifier: MIT */
/*
 * Limits of a device: every reason for which the driver, the block layer or the host would refuse
 * them is found here, before any command is sent, and blamed on who can change it: the plugin or
 * the user. Then limits become the driver's parameters. Control thread only; no side effects but
 * the one log_err() per failure.
 *
 *   offered -> get_limits() -> limits_check_plugin() -> the user's choices -> limits_check()
 *           -> add_check(), ADD_DEV -> params_build(), SET_PARAMS
 */
#ifndef DEVICE_PARAMS_H
#define DEVICE_PARAMS_H

#include "config/config.h"
#include "kernel/uapi.h"
#include "ublk-plugin.h"

/* Ring operations of plugins per queue; io_uring has 32768 entries at most. */
#define LIMITS_MAX_SQES 16384u
/* io_scratch_bytes of all ios of a device together. */
#define LIMITS_MAX_SCRATCH (1ull << 30)
/* Results have 31 bits: no discard and no write of zeroes is longer (sectors). */
#define LIMITS_MAX_RANGE_SECTORS (INT32_MAX >> 9)

/* Defaults and maxima, as get_limits() finds them. */
void limits_offer(const struct device_config *cfg, const struct ublk_plugin *desc,
		  struct ublk_limits *limits);
/* What an operation that nobody serves must not promise, and what follows from the rest. */
void limits_settle(const struct device_config *cfg, const struct ublk_plugin *desc,
		   struct ublk_limits *limits);

/* Whether a write with FUA is stable when it ends. Where it is not, the kernel is told so, and sends a FLUSH
 * after the write instead. */
bool device_fua_ok(const struct ublk_plugin *desc, const struct ublk_limits *limits);
/* What it says to have in a volatile cache, and nothing can make stable: no operation of the plugin's, and no
 * registered file. nr_synced: files that FLUSH syncs. */
bool device_flushes_nothing(const struct ublk_plugin *desc, const struct ublk_limits *limits,
			    unsigned int nr_synced);

/*
 * What get_limits() made of what it was offered: values that no device can have, limits that were
 * widened instead of narrowed, and a choice of the user (cfg) that the plugin cannot live with.
 * 0; -EPROTO: the plugin is wrong; -EINVAL: the user is.
 */
int limits_check_plugin(const char *plugin, const struct ublk_limits *offered,
			const struct ublk_limits *got, const struct device_config *cfg);

/*
 * The limits with the user's choices in them. Those that pass are adjusted to what the device will
 * really have: io_min and io_opt at least physical_block, discards in whole granules of at least a
 * logical block, and none longer than a result can tell. 0, -EPROTO or -EINVAL as above.
 */
int limits_check(const char *plugin, struct ublk_limits *limits, const struct device_config *cfg);

/* The same on a machine with another page size, for tests. */
int limits_check_paged(const char *plugin, struct ublk_limits *limits,
		       const struct device_config *cfg, uint32_t page);

/* What ADD_DEV would refuse with -EINVAL. Flags that the driver does not know are no error: it
 * clears them. 0 or -EINVAL. */
int add_check(const struct ublksrv_ctrl_dev_info *info);

/* Parameters of limits that passed limits_check(). fua_ok: writes honour FUA; it is offered together
 * with VOLATILE_CACHE only. */
void params_build(const struct ublk_limits *limits, bool fua_ok, struct ublk_params *params);

/* The other way round, for the plugin of a next server: what it tells; the rest of limits is 0. */
void params_limits(const struct ublk_params *params, struct ublk_limits *limits);

/*
 * The parameters of a device are fixed once it is made, and the kernel goes by them under each of its servers.
 * NULL, or, in one clause, which of them the next server's plugin cannot keep: what would lose data, or fail.
 * What would only be slower is none. in_place: requests' own memory reaches the backing.
 */
const char *params_unkept(const struct ublk_params *params, const struct ublk_limits *limits,
			  bool fua_ok, bool in_place);

#endif
