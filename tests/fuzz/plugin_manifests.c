// SPDX-License-Identifier: MIT
/*
 * Plugin manifests (config/plugin_manifest*.c): what passes the check does so once more after it was
 * written anew, and is compared with a descriptor by one line for each difference.
 */
#include "fuzz.h"

#include "config/plugin_manifest.h"

static const struct ublk_opt_spec opts[] = {
	{ .name = "path", .help = "a file", .type = UBLK_OPT_PATH, .flags = UBLK_OPTF_REQUIRED },
	{ .name = "size", .help = "its size", .type = UBLK_OPT_SIZE, .def = "1M", .max = 1u << 30 },
	{ .name = "mode",
	  .help = "a word",
	  .type = UBLK_OPT_ENUM,
	  .def = "on",
	  .choices = "on|off" },
};

static const struct ublk_plugin desc = {
	UBLK_PLUGIN_INIT(0),
	.name = "fuzz",
	.version = "1",
	.description = "Plugin",
	.opts = opts,
	.nr_opts = ARRAY_SIZE(opts),
	.opt_spec_size = sizeof(opts[0]),
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_FD,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = { 0 };
	struct json_text jt, again;
	char *text;
	int err = json_text_parse(&jt, "file", (const char *)data, size, &errors);

	if (err) {
		fuzz_check_errors(err, &errors);
		return 0;
	}
	err = plugin_manifest_check(&jt, &errors);
	fuzz_check_errors(err, &errors);
	if (!err) {
		text = json_dumps(jt.root, 0);
		FUZZ_CHECK(text && !json_text_parse(&again, "again", text, strlen(text), &errors));
		FUZZ_CHECK(!plugin_manifest_check(&again, &errors), "%s", errors.msg[0]);
		json_text_free(&again);
		free(text);
		err = plugin_manifest_compare(&jt, &desc, "fuzz.so", &errors);
		FUZZ_CHECK(!err || err == -ESTALE, "%d", err);
		fuzz_check_errors(err, &errors);
	}
	json_text_free(&jt);
	return 0;
}
