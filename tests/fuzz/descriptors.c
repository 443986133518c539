// SPDX-License-Identifier: MIT
/*
 * Descriptors of plugins (plugin/check.c) and their tables of options: the input's bytes, with strings made
 * of its other bytes where there are pointers. What passes has a manifest that is well-formed and says what
 * the descriptor says.
 */
#include <stdlib.h>

#include "fuzz.h"

#include "config/options.h"
#include "config/plugin_manifest.h"
#include "plugin/plugin.h"

#define MAX_TABLE 16u /* entries that have memory */

struct made {
	struct ublk_plugin *raw; /* of its own size, and no byte more */
	char *table;
	char *texts[3 + 4 * MAX_TABLE];
	unsigned int nr_texts;
};

static int nothing(void)
{
	return 0;
}

/* NULL, a word of the host's own, or bytes of the input. */
static const char *a_text(struct made *made, struct fuzz_input *in, uint8_t how)
{
	static const char *const words[] = { "fuzz", "1.0", "a", "on|off", "4K", "on", "1", "/x" };

	if (how < 32)
		return NULL;
	if (how < 224)
		return words[how % ARRAY_SIZE(words)];
	return made->texts[made->nr_texts++] = fuzz_line(in);
}

/* A pointer to a function, or NULL, for each bit from open() on. */
static void put_functions(struct ublk_plugin *raw, size_t size, uint32_t which)
{
	int (*const fn)(void) = nothing;

	for (size_t at = offsetof(struct ublk_plugin, load); at + sizeof(fn) <= size;
	     at += sizeof(fn), which = which >> 1 | which << 31)
		memcpy((char *)raw + at, which & 1 ? (const void *)&fn : &(void *){ NULL },
		       sizeof(fn));
}

static void put_table(struct made *made, struct ublk_plugin *raw, struct fuzz_input *in)
{
	uint32_t stride = raw->opt_spec_size, nr = raw->nr_opts;

	raw->opts = NULL;
	if (!nr || nr > MAX_TABLE || stride < sizeof(struct ublk_opt_spec) || stride > 4096)
		return;
	made->table = calloc(nr, stride);
	FUZZ_CHECK(made->table);
	raw->opts = (const struct ublk_opt_spec *)made->table;
	for (uint32_t i = 0; i < nr; i++) {
		struct ublk_opt_spec spec = { .type = fuzz_byte(in) };

		if (spec.type & 0x80)
			spec.flags = fuzz_byte(in);
		if (spec.type & 0x40)
			fuzz_take(in, &spec.min, 16);
		spec.type %= 9;
		spec.name = a_text(made, in, fuzz_byte(in));
		spec.help = a_text(made, in, fuzz_byte(in));
		spec.def = a_text(made, in, fuzz_byte(in));
		spec.choices = a_text(made, in, fuzz_byte(in));
		memcpy(made->table + (size_t)stride * i, &spec, sizeof(spec));
	}
}

/* The descriptor's bytes come first, so that inputs can be read. */
static void make(struct made *made, struct fuzz_input *in)
{
	struct ublk_plugin head;
	uint32_t functions;
	size_t size;

	*made = (struct made){ 0 };
	fuzz_take(in, &head, sizeof(head));
	size = head.struct_size;
	if (size < UBLK_PLUGIN_FROZEN_SIZE || size > 65536)
		size = UBLK_PLUGIN_FROZEN_SIZE;
	made->raw = malloc(size);
	FUZZ_CHECK(made->raw);
	memset(made->raw, 0xa5, size);
	memcpy(made->raw, &head, min_of(size, sizeof(head)));
	if (size < UBLK_PLUGIN_V1_0_SIZE)
		return; /* nothing further is looked at */
	functions = fuzz_u32(in);
	put_functions(made->raw, size, functions);
	made->raw->name = a_text(made, in, fuzz_byte(in));
	made->raw->version = a_text(made, in, fuzz_byte(in));
	made->raw->description = a_text(made, in, fuzz_byte(in));
	put_table(made, made->raw, in);
}

static void unmake(struct made *made)
{
	for (unsigned int i = 0; i < made->nr_texts; i++)
		free(made->texts[i]);
	free(made->table);
	free(made->raw);
}

static void check_manifest(const struct ublk_plugin *desc)
{
	json_t *manifest = plugin_manifest_build(desc, "fuzz.so");
	struct errors errors = { 0 };
	struct json_text jt;
	char *text;

	FUZZ_CHECK(manifest, "no manifest can be made of it");
	text = json_dumps(manifest, 0);
	FUZZ_CHECK(text && !json_text_parse(&jt, "file", text, strlen(text), &errors), "%s", text);
	FUZZ_CHECK(!plugin_manifest_check(&jt, &errors), "%s: %s", text, errors.msg[0]);
	FUZZ_CHECK(!plugin_manifest_compare(&jt, desc, "fuzz.so", &errors), "%s", errors.msg[0]);
	json_text_free(&jt);
	json_decref(manifest);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct errors errors = { 0 };
	struct ublk_plugin desc;
	struct fuzz_log log;
	struct made made;
	int err;

	make(&made, &in);
	fuzz_log_begin(&log);
	err = plugin_check_descriptor("fuzz", made.raw, &desc);
	fuzz_log_end(&log, err);
	if (!err) {
		for (unsigned int op = 0; op < NR_OPS; op++)
			FUZZ_CHECK(plugin_profile(&desc, op) != PROFILE_NONE || op != UBLK_OP_READ);
		err = options_check_table("fuzz", desc.opts, desc.nr_opts, desc.opt_spec_size,
					  plugin_is_newer(&desc), &errors);
		fuzz_check_errors(err, &errors);
		if (!err)
			check_manifest(&desc);
	}
	unmake(&made);
	return 0;
}
