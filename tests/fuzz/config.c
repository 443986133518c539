// SPDX-License-Identifier: MIT
/*
 * Command lines about a device (config/config.c): a line FLAG=VALUE or FLAG each, ":KEY=VALUE" for an
 * option of the plugin, "/" from where it is a second one that is put over the first. What is taken is
 * told the same by the manifest that is made of it.
 */
#include "fuzz.h"

#include "config/config_keys.h"
#include "config/device_manifest.h"

static void set(struct device_config *cfg, char *line)
{
	struct errors errors = { 0 };
	char *value = strchr(line, '=');
	int key, err;

	if (*line == ':') {
		err = device_config_add_opt(cfg, line + 1, &errors);
	} else {
		if (value)
			*value++ = '\0';
		key = config_key_of_flag(line);
		if (key < 0)
			return;
		err = device_config_set(cfg, key, value, &errors);
		FUZZ_CHECK(err || cfg->where[key]);
	}
	FUZZ_CHECK(errors_count(&errors) <= 1, "%zu messages", errors_count(&errors));
	fuzz_check_errors(err, &errors);
}

static void read_back(const struct device_config *cfg)
{
	json_t *manifest = device_manifest_build(cfg, NULL, NULL), *again;
	struct errors errors = { 0 };
	struct device_config back;
	struct json_text jt;
	char *text;

	FUZZ_CHECK(manifest, "no manifest can be made of it");
	text = json_dumps(manifest, 0);
	FUZZ_CHECK(text && !json_text_parse(&jt, "manifest", text, strlen(text), &errors), "%s",
		   text);
	device_config_init(&back);
	FUZZ_CHECK(!device_manifest_read(&back, &jt, NULL, &errors), "%s: %s", text, errors.msg[0]);
	again = device_manifest_build(&back, NULL, NULL);
	FUZZ_CHECK(json_equal(manifest, again), "%s", text);
	json_decref(manifest);
	json_decref(again);
	device_config_free(&back);
	json_text_free(&jt);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct device_config cfg[2], *now = cfg;
	struct errors errors = { 0 };
	char *line;
	int err;

	device_config_init(&cfg[0]);
	device_config_init(&cfg[1]);
	while ((line = fuzz_line(&in))) {
		if (!strcmp(line, "/"))
			now = &cfg[1];
		else
			set(now, line);
		free(line);
	}
	FUZZ_CHECK(!device_config_merge(&cfg[0], &cfg[1]));
	err = device_config_check(&cfg[0], &errors);
	fuzz_check_errors(err, &errors);
	if (!err)
		read_back(&cfg[0]);
	device_config_free(&cfg[0]);
	device_config_free(&cfg[1]);
	return 0;
}
