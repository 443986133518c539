/* SPDX-License-Identifier: MIT */
/* For the tests of device manifests: reading one from a text. */
#ifndef TESTS_UNIT_CONFIG_DEVICE_HELP_H
#define TESTS_UNIT_CONFIG_DEVICE_HELP_H

#include "config/device_manifest.h"
#include "config_help.h"

static const char *const data_paths[] = { "auto", "copy", "user-copy", "auto-buf-reg", NULL };

static inline int read_text(struct device_config *cfg, const char *text, struct errors *errors)
{
	struct json_text jt;
	int err;

	device_config_init(cfg);
	cfg->data_path_words = data_paths;
	err = json_text_parse(&jt, "a.json", text, strlen(text), errors);
	if (err)
		return err;
	err = device_manifest_read(cfg, &jt, "/srv/m", errors);
	json_text_free(&jt);
	return err;
}

#define HEAD "{\"ublk_device_manifest\": \"1.0\", \"plugin\": \"mem\",\n"

#define assert_refused(text, ...)                                                                  \
	do {                                                                                       \
		struct device_config _cfg;                                                         \
		struct errors _errors = { 0 };                                                     \
		ck_assert_int_eq(read_text(&_cfg, text, &_errors), -EINVAL);                       \
		device_config_free(&_cfg);                                                         \
		assert_messages(&_errors, __VA_ARGS__);                                            \
	} while (0)

static const char full[] =
	"{\n"
	"  \"$schema\": \"https://example.org/device-manifest.schema.json\",\n"
	"  \"ublk_device_manifest\": \"1.0\",\n"
	"  \"name\": \"scratch.1_x-y\",\n"
	"  \"plugin\": \"file\",\n"
	"  \"options\": { \"path\": \"img/a\", \"direct\": true, \"size\": 1048576, \"x-o\": [] },\n"
	"  \"device\": { \"id\": 7, \"queues\": 2, \"depth\": 64, \"max_io\": \"512K\",\n"
	"    \"read_only\": true, \"io_timeout\": 0, \"plugin_timeout\": 300, \"x-d\": null },\n"
	"  \"limits\": { \"logical_block\": 4096, \"physical_block\": \"256M\", \"x-l\": 1 },\n"
	"  \"data_path\": \"copy\", \"cpus\": \"0-3,6\", \"x-site\": { \"queues\": 0 }\n"
	"}\n";

#endif
