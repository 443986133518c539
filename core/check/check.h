/* SPDX-License-Identifier: MIT */
/*
 * The conformance kit: does a plugin keep the contract of ublk-plugin.h? The whole data plane runs over the
 * fake transport, each check in a process of its own. For the verb `check`. Control thread only.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "config/config.h"

struct check_request {
	const struct device_config *cfg; /* the plugin's options */
	const char *path;		 /* the .so, as plugin_find() gave it */
	uint64_t seed;			 /* of what is random: the same seed, the same requests */
	uint32_t timeout;		 /* seconds that one check may take */
};

/* The checks by number, from 0: NULL beyond the last. contract: what it is about, one sentence. */
const char *check_name(size_t i, const char **contract);

enum check_verdict { CHECK_OK, CHECK_FAILED, CHECK_SKIPPED };

struct check_result {
	const char *name, *contract;
	enum check_verdict verdict;
	const char *seen;     /* why it failed or was skipped; "" */
	const char *messages; /* what host and plugin wrote meanwhile, lines; "" */
	unsigned int ms;
};

/* What is on the device before anything is written to it. */
struct check_device {
	char plugin[192]; /* "mem 0.1.0, ABI 1.0" */
	bool opened;	  /* it came up */
	bool holds_data;  /* not only zeroes where the checks would write */
	char unread[512]; /* why that is not known; "": all has been read, or there is data */
};

/* Load the plugin, open the device and look. 0; -EINVAL: the options are wrong; or -errno: no process could be
 * had. Logged. */
int check_look(const struct check_request *request, struct check_device *device);
/* Run check i. The strings of *result are to be freed by check_result_free(). 0, or -errno, logged. */
int check_one(const struct check_request *request, size_t i, struct check_result *result);
void check_result_free(struct check_result *result);
/* Does check i write to the device? */
bool check_writes(size_t i);
/* One measurement, medians; bare: of the data plane with a plugin that does nothing. */
struct check_speed {
	unsigned int op; /* UBLK_OP_* */
	uint32_t bytes, depth;
	double iops, cpu_us, bare_iops, bare_cpu_us; /* CPU time of the process, per request */
};
#define CHECK_SPEEDS 8

/* Measure what the plugin costs; it writes to the device. The number of speeds; -EINVAL: the options are wrong;
 * -EIO: it failed, see result, which is to be freed in that case; or another -errno. Logged. */
int check_bench(const struct check_request *request, struct check_speed speeds[CHECK_SPEEDS],
		struct check_result *result);

/* Zeroes where checks have written. */
void check_clean(const struct check_request *request);

#endif
