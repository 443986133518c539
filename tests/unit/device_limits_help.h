/* SPDX-License-Identifier: MIT */
/* For the tests of limits: an offer, limits that fit it, and what is said of those that do not. */
#ifndef TESTS_UNIT_DEVICE_LIMITS_HELP_H
#define TESTS_UNIT_DEVICE_LIMITS_HELP_H

#include <string.h>

#include "device/params.h"
#include "capture.h"
#include "tap.h"

#define PAGE 4096u

static struct device_config cfg;
static struct ublk_limits offered, limits;
static struct capture cap;
static const char *said;

static inline struct ublk_limits an_offer(void)
{
	return (struct ublk_limits){ .struct_size = sizeof(struct ublk_limits),
				     .logical_block = 512,
				     .physical_block = 4096,
				     .max_io_bytes = 512 << 10,
				     .dma_align = 4,
				     .discard_granularity = 4096,
				     .max_discard_bytes = UINT64_MAX,
				     .max_write_zeroes_bytes = UINT64_MAX,
				     .map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO,
				     .max_queues = 4,
				     .max_depth = 128 };
}

static inline void limits_setup(void)
{
	device_config_init(&cfg);
	offered = an_offer();
	limits = offered;
	limits.size_bytes = 1 << 30;
}

static inline void limits_teardown(void)
{
	device_config_free(&cfg);
}

static inline int check_limits(void)
{
	int err;

	capture_begin(&cap, STDERR_FILENO);
	err = limits_check_paged("file", &limits, &cfg, PAGE);
	said = capture_end(&cap);
	return err;
}

static inline int check_plugin(void)
{
	int err;

	capture_begin(&cap, STDERR_FILENO);
	err = limits_check_plugin("file", &offered, &limits, &cfg);
	said = capture_end(&cap);
	return err;
}

/* One line, and it says so. */
#define says(text)                                                                                 \
	do {                                                                                       \
		ck_assert_msg(strstr(said, text) != NULL, "no \"%s\" in: %s", text, said);         \
		ck_assert_ptr_eq(strchr(said, '\n'), strrchr(said, '\n'));                         \
	} while (0)

#endif
