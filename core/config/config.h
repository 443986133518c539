/* SPDX-License-Identifier: MIT */
/*
 * What a user asked for: one struct device_config, filled from the command line, a device manifest,
 * or both (the command line wins). Nothing here opens a device or runs plugin code.
 *
 * A command line is read like this: init one config, device_config_set() and device_config_add_opt()
 * for each argument; if there is --manifest, device_manifest_load() a second one and
 * device_config_merge() the first over it; device_config_check(); and report all errors together.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/util.h"
#include "config/errors.h"

#define MAX_QUEUES 4096u	 /* the driver's UBLK_MAX_NR_QUEUES */
#define MAX_DEPTH 4096u		 /* the driver's UBLK_MAX_QUEUE_DEPTH */
#define MAX_DEV_ID 1048575u	 /* the driver's UBLK_MAX_UBLKS - 1 */
#define MAX_IO_LIMIT (32u << 20) /* the driver's per-io address space, 25 bits */
#define MIN_BLOCK 512u
#define MAX_LOGICAL_BLOCK 4096u
#define MAX_PHYSICAL_BLOCK (256u << 20)
#define MAX_IO_TIMEOUT 86400u /* seconds */
#define MAX_PLUGIN_TIMEOUT 86400u
#define MAX_THREADS_PER_QUEUE 16u
#define MAX_POLL_US 10000u
#define MAX_SHARED_MEMORY 16u /* files */
#define DEFAULT_DEPTH 128u
#define DEFAULT_MAX_IO (512u << 10)
#define DEFAULT_QUEUES_CAP 4u  /* queues: min(online CPUs, this) */
#define DEFAULT_IO_TIMEOUT 30u /* seconds */
#define DEFAULT_PLUGIN_TIMEOUT 30u

enum cpus_mode { CPUS_AUTO, CPUS_NONE, CPUS_LIST };

/* One option for the plugin, as written. */
struct option_arg {
	char *key, *value;
	char *origin; /* where it came from, for messages: "--opt path", "a.json:5:14: /options/path" */
	char *folder; /* absolute: what a relative path in value is relative to; NULL: not known */
	bool from_json;
	bool is_bool, is_number; /* the JSON type it had; a --opt is neither */
};

/* Each thing that can be said about a device, in a manifest or as a flag. */
enum config_key {
	CFG_NAME,
	CFG_PLUGIN,
	CFG_ID,
	CFG_QUEUES,
	CFG_DEPTH,
	CFG_MAX_IO,
	CFG_READ_ONLY,
	CFG_IO_TIMEOUT,
	CFG_PLUGIN_TIMEOUT,
	CFG_THREADS_PER_QUEUE,
	CFG_POLL_US,
	CFG_SHARED_MEMORY,
	CFG_RECOVERY,
	CFG_SANDBOX,
	CFG_SWAP_SAFE,
	CFG_USER,
	CFG_LOGICAL_BLOCK,
	CFG_PHYSICAL_BLOCK,
	CFG_DATA_PATH,
	CFG_CPUS,
	CFG_NR_KEYS
};

enum config_type {
	CFG_TYPE_NAME,
	CFG_TYPE_PLUGIN,
	CFG_TYPE_AUTO, /* "auto" (-1), or an integer */
	CFG_TYPE_INT,  /* min..max */
	CFG_TYPE_SIZE, /* bytes or 512K; min..max, a multiple of step */
	CFG_TYPE_POW2, /* the same, a power of two */
	CFG_TYPE_BOOL,
	CFG_TYPE_WORD, /* one of words, or of data_path_words */
	CFG_TYPE_CPUS, /* "auto", "none", or a list */
	CFG_TYPE_USER, /* "USER", "USER:GROUP": names or numbers, of which only the form is checked */
	CFG_TYPE_PATHS /* paths, one each time that it is given; in a manifest an array */
};

/* The one table that drives manifests, the command line, its help and the JSON schema's test. */
struct config_key_spec {
	const char *pointer; /* in a manifest: "/device/queues" */
	const char *flag;    /* on the command line, without the dashes: "queues" */
	const char *arg;     /* what to write, for help: "N"; NULL: the flag takes no argument */
	const char *help;    /* one line, no full stop */
	enum config_type type;
	uint64_t min, max, step;
	size_t offset;		  /* of the member in struct device_config */
	const char *const *words; /* WORD: what may be said, NULL-ended; NULL: data_path_words */
};

struct path_list {
	char **path; /* absolute */
	size_t nr;
};

struct device_config {
	char *name;   /* NULL: PLUGIN-ID */
	char *plugin; /* name or absolute path; NULL until given */
	char *origin; /* manifest file, or NULL */
	struct option_arg *opts;
	size_t nr_opts;
	int64_t id;				/* -1: the driver chooses */
	uint32_t queues;			/* 0: default */
	uint32_t depth;				/* 0: default */
	uint32_t max_io;			/* bytes; 0: default */
	uint32_t logical_block, physical_block; /* bytes; 0: the plugin's */
	uint32_t io_timeout;	    /* seconds that a plugin may hold an io; 0: for ever */
	uint32_t plugin_timeout;    /* seconds that it may take to start, and to stop */
	uint32_t threads_per_queue; /* 0: default */
	int64_t poll_us; /* microseconds that a queue polls before it sleeps; -1: adaptive */
	bool read_only;
	bool swap_safe; /* it may serve memory that the machine is short of */
	enum cpus_mode cpus_mode;
	char *cpus_list; /* CPUS_LIST: "0-3,6" as written, already checked for form */
	char *data_path; /* "auto" or the name of one */
	char *recovery;	 /* "auto", "none", "queue", "reissue" or "fail" */
	char *sandbox;	 /* "full" or "off"; NULL: full */
	char *user; /* that the server becomes: "USER" or "USER:GROUP"; NULL: it stays who it is */
	struct path_list shared_memory; /* files of it */

	/* Words that data_path takes, NULL-ended, not owned, set by the caller after init; NULL: any
	 * word. */
	const char *const *data_path_words;
	/* Where each key was given, for messages: "--queues", "a.json:5:14: /device/queues"; NULL:
	 * it was not. */
	char *where[CFG_NR_KEYS];
};

void device_config_init(struct device_config *cfg);
/* Values of options are wiped, for they may be secrets. */
void device_config_free(struct device_config *cfg);

const struct config_key_spec *config_key_spec(enum config_key key);
/* The key of a flag ("queues", without dashes), or -1. */
int config_key_of_flag(const char *flag);

/* Set a key from the command line. value NULL: a flag without argument (--read-only). 0, or -EINVAL
 * (-ENOMEM) with one message in errors: malformed, out of range, given twice unless it is a list. A
 * relative path is made absolute from the cwd. */
int device_config_set(struct device_config *cfg, enum config_key key, const char *value,
		      struct errors *errors);
/* Add a plugin option from the command line, "KEY=VALUE". Likewise. What type it has, and whether
 * the plugin knows it, is seen later by options_parse(). */
int device_config_add_opt(struct device_config *cfg, const char *key_value, struct errors *errors);

/* Put what was given in `over` (the command line) over `base` (a manifest), key by key and option
 * by option; `over` is left empty, as after init. 0 or -ENOMEM. */
int device_config_merge(struct device_config *base, struct device_config *over);
/* What can only be seen when everything is there: a plugin is named, physical_block is not below
 * logical_block. 0, or -EINVAL with messages in errors. */
int device_config_check(const struct device_config *cfg, struct errors *errors);

#endif
