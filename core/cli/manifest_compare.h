/* SPDX-License-Identifier: MIT */
/*
 * What a manifest asks for, against what a device was made from: a flat JSON object, "/device/queues" to
 * a value, "/options/size" to the text of the option. One thread.
 */
#ifndef CLI_MANIFEST_COMPARE_H
#define CLI_MANIFEST_COMPARE_H

#include <jansson.h>

#include "config/config.h"

/* What was given in a manifest; NULL: no memory. */
json_t *manifest_wanted(const struct device_config *cfg);
/* As if it had been given in a manifest: what the device with this resolved manifest (of its state) has of
 * what is wanted. What is negotiated (queues, depth ...) or chosen ("auto") is taken to be as wanted, and
 * so is what cannot be seen. */
json_t *manifest_made(const struct device_config *cfg, json_t *wanted, const json_t *resolved);
/* A device that was resized since has the size that its state tells, which may be what is wanted now. */
void manifest_note_size(json_t *made, const struct device_config *cfg, json_t *wanted,
			const json_t *resolved);
/* "/options/size, /device/depth", or "": which keys differ. Returns buf. */
const char *manifest_differences(json_t *made, json_t *wanted, char *buf, size_t size);

#endif
