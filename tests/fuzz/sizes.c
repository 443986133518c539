// SPDX-License-Identifier: MIT
/* Sizes (config/size.c): what is read is what was written, and what is printed is read again. */
#include "fuzz.h"

#include "config/size.h"

/* The same by other means: 128 bits hold all that can be written in 30 digits. */
static int parse(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "kKmMgGtT";
	size_t digits = strspn(text, "0123456789");
	const char *suffix = text[digits] ? strchr(suffixes, text[digits]) : NULL;
	unsigned __int128 v = 0;

	if (!digits || (text[digits] && (!suffix || text[digits + 1])))
		return -EINVAL;
	while (*text == '0' && digits > 1) {
		text++;
		digits--;
	}
	if (digits > 20)
		return -ERANGE;
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (unsigned int)(text[i] - '0');
	if (suffix)
		v <<= 10 * ((suffix - suffixes) / 2 + 1);
	*bytes = (uint64_t)v;
	return v > UINT64_MAX ? -ERANGE : 0;
}

static void check_printed(uint64_t bytes)
{
	char text[SIZE_TEXT_MAX], again[SIZE_TEXT_MAX];
	uint64_t back = ~bytes;

	size_format(bytes, text);
	FUZZ_CHECK(!size_parse(text, &back) && back == bytes, "%s", text);
	FUZZ_CHECK(!strcmp(size_format(back, again), text), "%s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = fuzz_text(data, size);
	struct fuzz_input in = { data, size };
	uint64_t got = 42, want = 42;
	int err = size_parse(text, &got), wanted = parse(text, &want);

	FUZZ_CHECK(err == wanted, "%s: %d, not %d", text, err, wanted);
	FUZZ_CHECK(got == (err ? 42 : want), "%s", text);
	check_printed(got);
	check_printed(fuzz_u64(&in));
	return 0;
}
