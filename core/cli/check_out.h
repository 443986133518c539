/* SPDX-License-Identifier: MIT */
/* The results of `check`: TAP as they come, or one JSON value at the end. For check.c. */
#ifndef CLI_CHECK_OUT_H
#define CLI_CHECK_OUT_H

#include <jansson.h>

#include "check/check.h"

struct check_out {
	bool json;
	const struct check_request *request;
	const struct check_device *device;
	unsigned int nr, passed, failed, skipped; /* so far */
	json_t *results;
};

/* nr checks will be run. */
void check_out_begin(struct check_out *out, unsigned int nr);
/* 0 or -ENOMEM, logged. */
int check_out_result(struct check_out *out, const struct check_result *result);
/* Measure, and print it. 0 or -errno, logged. */
int check_out_bench(const struct check_out *out);
/* Returns the verb's exit status: nothing failed, and not everything was skipped. */
int check_out_end(struct check_out *out);

#endif
