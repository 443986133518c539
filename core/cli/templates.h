/* SPDX-License-Identifier: MIT */
/*
 * What new-plugin writes, before another name is put in: files of doc/example-plugin, and new_plugin.md.
 * templates.c is made of them by templates.awk when the program is built, so that the examples that are
 * tested are what new plugins begin as. A file is named template_ and its name, with '_' for '.'.
 */
#ifndef CLI_TEMPLATES_H
#define CLI_TEMPLATES_H

extern const char template_heap_c[], template_heap_json[];
extern const char template_ram_c[], template_ram_json[];
extern const char template_ring_c[], template_ring_json[], template_ring_check[];
extern const char template_Makefile[];
extern const char template_new_plugin_md[];

#endif
