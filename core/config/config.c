// SPDX-License-Identifier: MIT
/* What a user asked for: filled from the command line, merged, checked as a whole. */
#include <stdio.h>
#include <string.h>

#include "config/config_keys.h"
#include "config/options.h"
#include "config/path.h"

#define ARG_SHOW 32 /* characters of a malformed --opt that are shown: the rest may be a secret */

void device_config_init(struct device_config *cfg)
{
	*cfg = (struct device_config){
		.id = -1,
		.io_timeout = DEFAULT_IO_TIMEOUT,
		.plugin_timeout = DEFAULT_PLUGIN_TIMEOUT,
		.cpus_mode = CPUS_AUTO,
		/* NULL is found by device_config_check() */
		.data_path = strdup("auto"),
		.recovery = strdup("auto"),
	};
}

static void option_arg_free(struct option_arg *arg)
{
	if (arg->value)
		explicit_bzero(arg->value, strlen(arg->value));
	free(arg->key);
	free(arg->value);
	free(arg->origin);
	free(arg->folder);
	*arg = (struct option_arg){ 0 };
}

void device_config_free(struct device_config *cfg)
{
	for (size_t i = 0; i < cfg->nr_opts; i++)
		option_arg_free(&cfg->opts[i]);
	free(cfg->opts);
	free(cfg->name);
	free(cfg->plugin);
	free(cfg->origin);
	free(cfg->cpus_list);
	free(cfg->data_path);
	free(cfg->recovery);
	free(cfg->sandbox);
	free(cfg->user);
	path_list_free(&cfg->shared_memory);
	for (int key = 0; key < CFG_NR_KEYS; key++)
		free(cfg->where[key]);
	memset(cfg, 0, sizeof(*cfg));
}

int device_config_set(struct device_config *cfg, enum config_key key, const char *value,
		      struct errors *errors)
{
	const struct config_key_spec *spec = config_key_spec(key);
	__cleanup_free char *cwd = NULL;
	char why[CONFIG_WHY_MAX];
	struct given g;
	int err;

	if (cfg->where[key] && spec->type != CFG_TYPE_PATHS) {
		errors_add(errors, "--%s: given more than once", spec->flag);
		return -EINVAL;
	}
	if (!value && spec->type != CFG_TYPE_BOOL) {
		errors_add(errors, "--%s: expected a value: --%s %s", spec->flag, spec->flag,
			   spec->arg);
		return -EINVAL;
	}
	if (spec->type == CFG_TYPE_PLUGIN || spec->type == CFG_TYPE_PATHS)
		cwd = path_cwd();
	given_from_text(&g, value ? value : "true");
	err = config_store(cfg, key, &g, cwd, why);
	if (err) {
		errors_add(errors, "--%s: %s", spec->flag, why);
		return err;
	}
	if (!cfg->where[key] && asprintf(&cfg->where[key], "--%s", spec->flag) < 0) {
		cfg->where[key] = NULL;
		errors_add(errors, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static struct option_arg *option_find(struct device_config *cfg, const char *key)
{
	for (size_t i = 0; i < cfg->nr_opts; i++) {
		if (!strcmp(cfg->opts[i].key, key))
			return &cfg->opts[i];
	}
	return NULL;
}

int config_append_option(struct device_config *cfg, struct option_arg *arg)
{
	struct option_arg *grown = NULL;

	if (arg->key && arg->value && arg->origin)
		grown = reallocarray(cfg->opts, cfg->nr_opts + 1, sizeof(*grown));
	if (!grown) {
		option_arg_free(arg);
		return -ENOMEM;
	}
	cfg->opts = grown;
	grown[cfg->nr_opts++] = *arg;
	return 0;
}

int device_config_add_opt(struct device_config *cfg, const char *key_value, struct errors *errors)
{
	const char *equals = strchr(key_value, '=');
	__cleanup_free char *key = NULL;
	struct option_arg arg;
	size_t len;

	if (!equals || equals == key_value) {
		len = strspn(key_value, "abcdefghijklmnopqrstuvwxyz0123456789_-");
		errors_add(errors, "--opt %.*s%s: expected KEY=VALUE",
			   (int)min_of(len, (size_t)ARG_SHOW), key_value,
			   len > ARG_SHOW || key_value[len] ? "..." : "");
		return -EINVAL;
	}
	key = strndup(key_value, (size_t)(equals - key_value));
	if (key && option_find(cfg, key)) {
		errors_add(errors, "--opt %s: given more than once", key);
		return -EINVAL;
	}
	if (cfg->nr_opts >= MAX_OPTIONS) {
		errors_add(errors, "--opt: more than %u options", MAX_OPTIONS);
		return -EINVAL;
	}
	arg = (struct option_arg){ .key = key, .value = strdup(equals + 1), .folder = path_cwd() };
	if (!key || asprintf(&arg.origin, "--opt %s", key) < 0)
		arg.origin = NULL;
	key = NULL;
	if (config_append_option(cfg, &arg)) {
		errors_add(errors, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static void merge_option(struct device_config *base, struct option_arg *arg)
{
	struct option_arg *old = option_find(base, arg->key);

	if (old)
		option_arg_free(old);
	else
		old = &base->opts[base->nr_opts++];
	*old = *arg;
	*arg = (struct option_arg){ 0 };
}

int device_config_merge(struct device_config *base, struct device_config *over)
{
	struct option_arg *grown;

	if (over->nr_opts) {
		grown = reallocarray(base->opts, base->nr_opts + over->nr_opts, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		base->opts = grown;
	}
	for (size_t i = 0; i < over->nr_opts; i++)
		merge_option(base, &over->opts[i]);
	over->nr_opts = 0;
	for (int key = 0; key < CFG_NR_KEYS; key++) {
		if (over->where[key])
			config_move(base, over, key);
	}
	if (!base->origin) {
		base->origin = over->origin;
		over->origin = NULL;
	}
	if (!base->data_path_words)
		base->data_path_words = over->data_path_words;
	device_config_free(over);
	device_config_init(over);
	return 0;
}

int device_config_check(const struct device_config *cfg, struct errors *errors)
{
	int err = 0;

	if (!cfg->data_path || !cfg->recovery) {
		errors_add(errors, "out of memory");
		return -ENOMEM;
	}
	if (!cfg->plugin) {
		errors_add(errors, "no plugin is named: give --plugin NAME, or --manifest FILE");
		err = -EINVAL;
	}
	if (config_check_blocks(cfg, errors))
		err = -EINVAL;
	return err;
}
