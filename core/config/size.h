/* SPDX-License-Identifier: MIT */
/* Byte counts as people write them: 4096, 512K, 4M, 1G, 2T (powers of 1024). Any thread. */
#ifndef CONFIG_SIZE_H
#define CONFIG_SIZE_H

#include "base/util.h"

#define SIZE_FORMS "bytes, or as 512K, 4M, 1G, 2T" /* for messages about what is malformed */
#define SIZE_TEXT_MAX 24			   /* enough for any size_format(), with its end */

/* Digits and at most one suffix K, M, G or T, in either case; nothing else, no sign, no blanks.
 * 0, -EINVAL malformed, -ERANGE more than 64 bits hold. *bytes is only written on success. */
int size_parse(const char *text, uint64_t *bytes);

/* The shortest exact form: "250G", "1000003". Returns buf. */
const char *size_format(uint64_t bytes, char buf[SIZE_TEXT_MAX]);

#endif
