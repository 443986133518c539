// SPDX-License-Identifier: MIT
/* Byte counts as people write them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/size.h"

static const char suffixes[] = "KMGT";

static int suffix_shift(char c, unsigned int *shift)
{
	const char *hit;

	if (c >= 'a' && c <= 'z')
		c -= 'a' - 'A';
	hit = c ? strchr(suffixes, c) : NULL;
	if (!hit)
		return -EINVAL;
	*shift = 10 * (unsigned int)(hit - suffixes + 1);
	return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	bool overflow = false;
	unsigned int shift = 0;
	uint64_t v = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		overflow |= __builtin_mul_overflow(v, 10, &v) ||
			    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v);
	if (*text && (suffix_shift(*text, &shift) || text[1]))
		return -EINVAL;
	if (overflow || v > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = v << shift;
	return 0;
}

const char *size_format(uint64_t bytes, char buf[SIZE_TEXT_MAX])
{
	unsigned int unit = 0;

	while (unit < sizeof(suffixes) - 1 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		unit++;
	}
	if (unit)
		snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 "%c", bytes, suffixes[unit - 1]);
	else
		snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64, bytes);
	return buf;
}
