/* SPDX-License-Identifier: MIT */
/*
 * The command line of run and up: what device to serve and how to speak about it. The options of a
 * device are those of config_key_spec(), so that a manifest and the command line cannot differ.
 */
#ifndef CLI_DEVICE_OPTIONS_H
#define CLI_DEVICE_OPTIONS_H

#include "base/log.h"
#include "config/config.h"

enum device_verb { DEVICE_VERB_RUN, DEVICE_VERB_UP };

struct device_options {
	struct device_config cfg; /* manifest, and over it the command line; checked */
	char **plugin_dirs;	  /* --plugin-dir, in their order, for plugin_dirs_init() */
	size_t nr_plugin_dirs;
	char *log_file;	      /* up: an absolute path; NULL: not given */
	bool log_syslog;      /* up: --log-file syslog */
	bool recover;	      /* serve a device of this name on, if its server is dead */
	enum log_level level; /* of --verbose and --quiet */
};

/* Parse argv (argv[0] is skipped). data_path_words: what --data-path takes, ended by NULL; NULL:
 * any word. -1: go on; or the status with which the verb ends now, with everything said: help was
 * printed, or all mistakes were. Free with device_options_free() in every case. */
int device_options_parse(struct device_options *options, enum device_verb verb,
			 const char *const *data_path_words, int argc, char **argv);
/* The same of a manifest alone. 0, or -errno with every message in errors. */
int device_options_of_manifest(struct device_options *options, const char *file,
			       const char *const *data_path_words, struct errors *errors);
void device_options_free(struct device_options *options);

#endif
