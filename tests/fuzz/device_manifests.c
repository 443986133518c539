// SPDX-License-Identifier: MIT
/*
 * Device manifests (config/device_manifest*.c): what is read is written and read again to the same; all that
 * is wrong is told by lines that begin with the file's name.
 */
#include "fuzz.h"

#include "config/device_manifest.h"

static void check_places(const struct device_config *cfg)
{
	for (size_t i = 0; i < cfg->nr_opts; i++)
		FUZZ_CHECK(!strncmp(cfg->opts[i].origin, "file:", 5) &&
				   strstr(cfg->opts[i].origin, ": /options/"),
			   "%s", cfg->opts[i].origin);
	for (int key = 0; key < CFG_NR_KEYS; key++)
		FUZZ_CHECK(!cfg->where[key] ||
				   strstr(cfg->where[key], config_key_spec(key)->pointer),
			   "%s", cfg->where[key]);
}

static void read_back(const struct device_config *cfg)
{
	json_t *manifest = device_manifest_build(cfg, NULL, NULL), *again;
	struct errors errors = { 0 };
	struct device_config back;
	struct json_text jt;

	FUZZ_CHECK(manifest);
	FUZZ_CHECK(!json_text_wrap(&jt, "back", manifest));
	device_config_init(&back);
	FUZZ_CHECK(!device_manifest_read(&back, &jt, NULL, &errors), "%s", errors.msg[0]);
	again = device_manifest_build(&back, NULL, NULL);
	FUZZ_CHECK(again && json_equal(manifest, again));
	json_decref(manifest);
	json_decref(again);
	device_config_free(&back);
	json_text_free(&jt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = { 0 };
	struct device_config cfg;
	struct json_text jt;
	int err = json_text_parse(&jt, "file", (const char *)data, size, &errors);

	if (err) {
		fuzz_check_errors(err, &errors);
		return 0;
	}
	device_config_init(&cfg);
	err = device_manifest_read(&cfg, &jt, "/folder", &errors);
	for (size_t i = 0; i < min_of(errors.nr, (size_t)ERRORS_KEPT); i++)
		FUZZ_CHECK(!strncmp(errors.msg[i], "file:", 5), "%s", errors.msg[i]);
	fuzz_check_errors(err, &errors);
	check_places(&cfg);
	if (!err) {
		err = device_config_check(&cfg, &errors);
		fuzz_check_errors(err, &errors);
		FUZZ_CHECK(!err);
		read_back(&cfg);
	}
	device_config_free(&cfg);
	json_text_free(&jt);
	return 0;
}
