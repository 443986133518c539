// SPDX-License-Identifier: MIT
/* The sample devices in etc/devices/ are read, and their options are those of the plugins as built. */
#include <dirent.h>
#include <dlfcn.h>

#include "config/device_manifest.h"
#include "config_help.h"

static void assert_options(const struct device_config *cfg)
{
	const char *top = getenv("top_builddir");
	const struct ublk_plugin *desc;
	struct option_values values;
	struct errors errors = { 0 };
	char path[4400];
	void *handle;

	snprintf(path, sizeof(path), "%s/plugins/.libs/%s.so", top ? top : ".", cfg->plugin);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(handle, "%s", dlerror());
	desc = dlsym(handle, "ublk_plugin_v1");
	ck_assert_ptr_nonnull(desc);
	ck_assert_msg(!options_parse(desc, cfg->opts, cfg->nr_opts, &values, &errors), "%s",
		      errors.msg[0]);
	option_values_free(&values);
	dlclose(handle);
}

START_TEST(each_sample_is_read)
{
	static const char *const data_paths[] = { "auto", NULL };
	const char *top = getenv("top_srcdir");
	char folder[4000], path[4400];
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/etc/devices", top ? top : ".");
	dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		struct device_config cfg;
		struct errors errors = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		device_config_init(&cfg);
		cfg.data_path_words = data_paths;
		ck_assert_msg(!device_manifest_load(&cfg, path, &errors), "%s", errors.msg[0]);
		ck_assert_int_eq(device_config_check(&cfg, &errors), 0);
		assert_options(&cfg);
		/* its name is that of its file */
		ck_assert_int_eq(strncmp(cfg.name, entry->d_name, strlen(cfg.name)), 0);
		ck_assert_str_eq(entry->d_name + strlen(cfg.name), ".json");
		device_config_free(&cfg);
		nr++;
	}
	closedir(dir);
	ck_assert_uint_eq(nr, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config samples");
	TCase *tc = tcase_create("samples");

	tcase_add_test(tc, each_sample_is_read);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
