/* SPDX-License-Identifier: MIT */
/* One value of a device_config checked and stored. For config.c and device_manifest.c only. */
#ifndef CONFIG_CONFIG_KEYS_H
#define CONFIG_CONFIG_KEYS_H

#include "config/config.h"
#include "config/given.h"

#define CONFIG_WHY_MAX 512

/* folder: absolute, for relative paths; NULL: not known. A list grows by one value. 0, or -errno with
 * the whole reason in why ("expected integer 1..4096, got \"four\"") and cfg as it was. */
int config_store(struct device_config *cfg, enum config_key key, const struct given *g,
		 const char *folder, char why[CONFIG_WHY_MAX]);

void path_list_free(struct path_list *list);

/* Append an option to cfg, which takes over what arg points to, also on error: -ENOMEM, or a NULL
 * in key, value or origin. */
int config_append_option(struct device_config *cfg, struct option_arg *arg);

/* Move a value from one config to another, in which it frees the old one. */
void config_move(struct device_config *to, struct device_config *from, enum config_key key);

/* As device_config_check(), only for what is given in cfg so far. */
int config_check_blocks(const struct device_config *cfg, struct errors *errors);

#endif
