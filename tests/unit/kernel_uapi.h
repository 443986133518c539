/* SPDX-License-Identifier: MIT */
/* Between the two halves of the test of kernel/uapi.h: named numbers. */
#ifndef TESTS_UNIT_KERNEL_UAPI_H
#define TESTS_UNIT_KERNEL_UAPI_H

#include <stddef.h>

struct uapi_number {
	const char *name;
	unsigned long long value;
};

#define N(name)                                                                                    \
	{                                                                                          \
#name, (unsigned long long)(name)                                                  \
	}
#define SIZE(type)                                                                                 \
	{                                                                                          \
		"sizeof " #type, sizeof(struct type)                                               \
	}
#define AT(type, member)                                                                           \
	{                                                                                          \
#type "." #member, offsetof(struct type, member)                                   \
	}

/* What the system's <linux/ublk_cmd.h> has; fewer names than ours, none without the header. */
extern const struct uapi_number system_numbers[];
extern const size_t nr_system_numbers;

#endif
