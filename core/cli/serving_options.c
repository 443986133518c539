// SPDX-License-Identifier: MIT
/* What a server is told: the words that its options take, and the options of one whose device has a state. */
#include <string.h>

#include "cli/serving.h"
#include "config/device_manifest.h"
#include "queue/path.h"

const char **serving_path_words(void)
{
	const char **words = calloc(2 * nr_data_paths + 2, sizeof(*words));
	unsigned int n = 0;

	if (!words)
		return NULL;
	words[n++] = "auto";
	for (unsigned int i = 0; i < nr_data_paths; i++) {
		words[n++] = data_paths[i]->name;
		if (data_paths[i]->batch_name)
			words[n++] = data_paths[i]->batch_name;
	}
	return words;
}

int serving_of_state(struct device_options *options, const struct device_state *state)
{
	struct errors errors = { 0 };
	struct json_text jt;
	int err;

	*options = (struct device_options){ .level = LOG_LVL_INFO };
	device_config_init(&options->cfg);
	if (!state->manifest || !state->plugin_path) {
		log_err("%s cannot be served on: its state file does not say how", state->name);
		return -EINVAL;
	}
	err = json_text_wrap(&jt, state->name, state->manifest);
	if (!err) {
		err = device_manifest_read(&options->cfg, &jt, NULL, &errors);
		json_text_free(&jt);
	}
	if (!err && state->log && *state->log == '/') {
		options->log_file = strdup(state->log);
		err = options->log_file ? 0 : -ENOMEM;
	}
	if (err && !errors_count(&errors))
		log_err("%s cannot be served on: %s", state->name, strerror(-err));
	errors_print(&errors);
	errors_free(&errors);
	return err;
}
