/* SPDX-License-Identifier: MIT */
/*
 * Finding, checking and loading plugins. Control thread only. Messages about what is wrong with a
 * plugin are logged here, once; callers carry the negative errno up.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <jansson.h>

#include "base/util.h"
#include "ublk-plugin.h"

/* A plugin whose descriptor passed every check. Never unloaded: freed memory only. */
struct plugin {
	char *path;		 /* absolute, as it was found: loading it again works */
	struct ublk_plugin desc; /* the host's copy; members beyond the plugin's size are zero */
	void *handle;		 /* from dlopen() */
};

/* Folders that are searched, in order, first hit wins. */
struct plugin_dirs {
	char **dir;
	size_t nr;
};

/* --plugin-dir (extra[], may be NULL), then $UBLK_HOST_PLUGIN_PATH (secure_getenv, ':' between
 * folders), then the installed folder. 0 or -ENOMEM. */
int plugin_dirs_init(struct plugin_dirs *dirs, char *const *extra, size_t nr_extra);
void plugin_dirs_free(struct plugin_dirs *dirs);

/* name: "file", "file.so", or anything with a '/', which is a path. *path is malloc()ed, absolute.
 * -ENOENT has been logged with the plugins that there are and a did-you-mean. A path is not
 * looked at: plugin_load() says what is wrong with it. */
int plugin_find(const char *name, const struct plugin_dirs *dirs, char **path);
/* The same without a message. */
int plugin_look_up(const char *name, const struct plugin_dirs *dirs, char **path);

/* A plugin in one of the folders, by the names of its files alone: nothing was opened. */
struct plugin_entry {
	const char *name;
	const char *path;	 /* DIR/NAME.so, also where has_so is false */
	const char *manifest;	 /* DIR/NAME.json, also where has_manifest is false */
	const char *shadowed_by; /* path of the one that is found instead, or NULL */
	bool has_so, has_manifest;
};

/* Calls fn for each entry, by name, then in the order of the search, until fn returns other than
 * 0, which is returned. The entry is valid during the call. Folders that do not exist are skipped;
 * one that cannot be read is logged and skipped. */
int plugin_for_each(const struct plugin_dirs *dirs,
		    int (*fn)(const struct plugin_entry *entry, void *arg), void *arg);

/* The entry of a file that was found by name or path; name and manifest are malloc()ed, for the entry. 0 or
 * -ENOMEM. */
int plugin_entry_of_file(const char *path, struct plugin_entry *entry, char **name,
			 char **manifest);

/* What can be known of an entry without running its code. */
struct plugin_info {
	json_t *manifest; /* well-formed and about this file; NULL: there is none */
	char *problem;	  /* one line: why it would not load, or why not to believe its manifest;
			   * NULL: nothing was found */
};

/* 0 or -ENOMEM. info is to be freed in both cases. */
int plugin_inspect(const struct plugin_entry *entry, struct plugin_info *info);
void plugin_info_free(struct plugin_info *info);
/* The manifest of a plugin's file, if there is one to be believed; NULL: there is none. */
json_t *plugin_manifest_of_file(const char *path);

/* Check the file and its folder (regular, not writable by others when we are privileged, an ELF
 * shared object for this machine that is whole), dlopen() it and check its descriptor. Runs no
 * code of the plugin but its ELF constructors. Also compares NAME.json beside it, if there is one:
 * a stale one is an error. -errno has been logged; *out is freed by plugin_free(). */
int plugin_load(const char *path, struct plugin **out);
/* The same for the step of a build that makes NAME.json: neither an old NAME.json nor who else may
 * write the file is looked at. */
int plugin_load_built(const char *path, struct plugin **out);
void plugin_free(struct plugin *plugin);
/* The manifest that belongs beside a plugin, from its descriptor; built: as plugin_load_built(). The same file
 * always gives the same. 0 or -errno, logged. */
int plugin_describe(const char *path, bool built, json_t **manifest);

#define UBLK_PLUGIN_FROZEN_SIZE 16u /* of a descriptor: the same in every major */

/* The descriptor checks alone: raw points to at least 16 readable bytes, and to struct_size bytes
 * when the first 16 pass. Fills *copy. who: for messages. 0 or -errno, logged. */
int plugin_check_descriptor(const char *who, const void *raw, struct ublk_plugin *copy);

/* Built for a minor that came after this host's: see "Rules of growth" in ublk-plugin.h. */
static inline bool plugin_is_newer(const struct ublk_plugin *desc)
{
	return desc->abi_minor > UBLK_PLUGIN_ABI_MINOR;
}

/* How an operation is served. */
enum profile { PROFILE_NONE, PROFILE_MAP, PROFILE_SUBMIT, PROFILE_CALL };
enum profile plugin_profile(const struct ublk_plugin *desc, unsigned int op);
const char *profile_name(enum profile profile); /* "map", "async", "call", "none" */
const char *op_name(unsigned int op);		/* "read" ... "write_zeroes" */
#define NR_OPS 5u

#endif
