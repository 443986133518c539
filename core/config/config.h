/* SPDX-License-Identifier: MIT */
/*
 * What a user asked for: one struct device_config, filled from the command line, a device manifest,
 * or both (the command line wins). Nothing here opens a device or runs plugin code.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/util.h"

#define MAX_QUEUES 4096u	 /* the driver's UBLK_MAX_NR_QUEUES */
#define MAX_DEPTH 4096u		 /* the driver's UBLK_MAX_QUEUE_DEPTH */
#define MAX_DEV_ID 1048575u	 /* the driver's UBLK_MAX_UBLKS - 1 */
#define MAX_IO_LIMIT (32u << 20) /* the driver's per-io address space, 25 bits */
#define DEFAULT_DEPTH 128u
#define DEFAULT_MAX_IO (512u << 10)
#define DEFAULT_QUEUES_CAP 4u  /* queues: min(online CPUs, this) */
#define DEFAULT_IO_TIMEOUT 30u /* seconds */

enum cpus_mode { CPUS_AUTO, CPUS_NONE, CPUS_LIST };

/* One option for the plugin, as written. */
struct option_arg {
	char *key, *value;
	char *origin; /* where it came from, for messages: "--opt path=x", "a.json:5:14: /options/path" */
	bool is_bool, is_number; /* the JSON type it had; a --opt is neither */
};

struct device_config {
	char *name;   /* NULL: PLUGIN-ID */
	char *plugin; /* name or path; NULL until given */
	char *origin; /* manifest file, or NULL */
	struct option_arg *opts;
	size_t nr_opts;
	int64_t id;				/* -1: the driver chooses */
	uint32_t queues;			/* 0: default */
	uint32_t depth;				/* 0: default */
	uint32_t max_io;			/* bytes; 0: default */
	uint32_t logical_block, physical_block; /* bytes; 0: the plugin's */
	uint32_t io_timeout; /* seconds that a plugin may hold an io; 0: for ever */
	bool read_only;
	enum cpus_mode cpus_mode;
	char *cpus_list; /* CPUS_LIST: "0-3,6" as written, already checked for form */
	char *data_path; /* "auto" or the name of one */
};

void device_config_init(struct device_config *cfg);
void device_config_free(struct device_config *cfg);

#endif
