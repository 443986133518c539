/* SPDX-License-Identifier: MIT */
/* Plugins for people: a row about each of them, and the page about one. For the verb plugins. */
#ifndef CLI_PLUGIN_TEXT_H
#define CLI_PLUGIN_TEXT_H

#include "cli/table.h"
#include "plugin/plugin.h"

#define PLUGIN_COLUMNS 5

/* The head of the table, and a row of it. */
void plugin_table_head(struct table *table);
void plugin_table_row(struct table *table, const struct plugin_entry *entry,
		      const struct plugin_info *info);

/* All that a manifest says, on standard output. 0 or -ENOMEM. */
int plugin_page(const struct plugin_entry *entry, const json_t *manifest);

#endif
