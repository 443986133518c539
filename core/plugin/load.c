// SPDX-License-Identifier: MIT
/* Bringing a plugin into the process: file checks, dlopen(), its one symbol, descriptor checks. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/log.h"
#include "config/options.h"
#include "config/path.h"
#include "config/plugin_manifest.h"
#include "plugin/file.h"
#include "plugin/plugin.h"

#define SYMBOL_STEM "ublk_plugin_v"

/* The linker's complaint, without the path that our own line starts with. */
static const char *linker_error(const char *real)
{
	const char *text = dlerror();
	size_t len = strlen(real);

	if (!text)
		return "unknown error of the dynamic linker";
	return strncmp(text, real, len) || strncmp(text + len, ": ", 2) ? text : text + len + 2;
}

/* A plugin for another major has another symbol: say that rather than "not a plugin". */
static void log_no_symbol(const char *path, void *handle)
{
	char symbol[] = SYMBOL_STEM "0";

	for (unsigned int major = UBLK_PLUGIN_ABI_MAJOR + 1; major <= 9; major++) {
		symbol[sizeof(SYMBOL_STEM) - 1] = (char)('0' + major);
		if (dlsym(handle, symbol)) {
			log_err("plugin %s: built for plugin ABI %u.x; this host implements %u.%u",
				path, major, UBLK_PLUGIN_ABI_MAJOR, UBLK_PLUGIN_ABI_MINOR);
			return;
		}
	}
	log_err("plugin %s: not a ublk-host plugin (no symbol %s%u)", path, SYMBOL_STEM,
		UBLK_PLUGIN_ABI_MAJOR);
}

/* Is the symbol the plugin's own, data, and as large as it says it is? Its dependencies were
 * searched, too, and a wrong size would have us read beyond it. */
static int check_symbol(const char *path, void *handle, const void *raw)
{
	struct link_map *map = NULL;
	const ElfW(Sym) *sym = NULL;
	struct ublk_plugin head = { 0 };
	Dl_info info;

	if (dladdr1(raw, &info, (void **)&map, RTLD_DL_LINKMAP) && map != handle) {
		log_err("plugin %s: not a ublk-host plugin: the symbol %s%u is from %s, which it is "
			"linked to",
			path, SYMBOL_STEM, UBLK_PLUGIN_ABI_MAJOR, info.dli_fname);
		return -ENOEXEC;
	}
	if (!dladdr1(raw, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym)
		return 0;
	if (ELF64_ST_TYPE(sym->st_info) != STT_OBJECT || sym->st_size < UBLK_PLUGIN_FROZEN_SIZE) {
		log_err("plugin %s: not a ublk-host plugin: its symbol %s%u is not a struct "
			"ublk_plugin",
			path, SYMBOL_STEM, UBLK_PLUGIN_ABI_MAJOR);
		return -ENOEXEC;
	}
	memcpy(&head, raw, UBLK_PLUGIN_FROZEN_SIZE);
	if (head.magic == UBLK_PLUGIN_MAGIC && head.abi_major == UBLK_PLUGIN_ABI_MAJOR &&
	    head.struct_size >= UBLK_PLUGIN_V1_0_SIZE && head.struct_size > sym->st_size) {
		log_err("plugin %s: impossible struct_size %u: its symbol has %llu bytes", path,
			head.struct_size, (unsigned long long)sym->st_size);
		return -EINVAL;
	}
	return 0;
}

/* Manifests, searches and messages go by the file's name: it has to be the plugin's. */
static int check_name(const char *path, const char *name)
{
	const char *base = strrchr(path, '/') + 1;
	size_t len = strlen(base);

	if (len > 3 && !strcmp(base + len - 3, ".so"))
		len -= 3;
	if (strlen(name) == len && !memcmp(base, name, len))
		return 0;
	log_err("plugin %s: calls itself \"%s\"; the file must have that name: %s.so", path, name,
		name);
	return -EINVAL;
}

static int open_object(struct plugin *plugin, const struct plugin_file *file)
{
	struct stat st;

	/* NOW: a missing symbol is told here, not by a crash under load. LOCAL: plugins do not see
	 * each other. Never dlclose()d, not even when refused: it may have left threads, thread
	 * data or exit handlers behind. */
	plugin->handle = dlopen(file->load_path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->handle) {
		log_err("plugin %s: cannot be loaded: %s", plugin->path,
			linker_error(file->load_path));
		return -ELIBBAD;
	}
	/* Others cannot have exchanged the file (see choose_name()), but an upgrade can have. */
	if (stat(file->load_path, &st) || st.st_dev != file->st.st_dev ||
	    st.st_ino != file->st.st_ino) {
		log_err("plugin %s: was replaced while it was being loaded; try again",
			plugin->path);
		return -ESTALE;
	}
	return 0;
}

static int load_object(struct plugin *plugin, const struct file_trust *trust)
{
	struct plugin_file file;
	char why[512];
	int ret;

	ret = file_check(plugin->path, trust, &file, why, sizeof(why));
	if (ret) {
		log_err("plugin %s: %s", plugin->path, why);
		return ret;
	}
	ret = open_object(plugin, &file);
	if (file.pinned && plugin->handle)
		file.dir_fd = -1; /* part of the library's name, for ever */
	plugin_file_release(&file);
	return ret;
}

static int check_table(const struct plugin *plugin)
{
	const struct ublk_plugin *desc = &plugin->desc;
	__cleanup_free char *who = NULL;
	struct errors errors = { 0 };
	int ret;

	if (!desc->nr_opts)
		return 0;
	if (asprintf(&who, "plugin %s", plugin->path) < 0) {
		who = NULL;
		return -ENOMEM;
	}
	ret = options_check_table(who, desc->opts, desc->nr_opts, desc->opt_spec_size,
				  plugin_is_newer(desc), &errors);
	errors_print(&errors);
	errors_free(&errors);
	return ret;
}

/* NAME.json beside NAME.so tells people, and programs, what the plugin is without running it: one
 * that tells something else has been forgotten by an upgrade. */
static int check_manifest(const struct plugin *plugin)
{
	const char *base = strrchr(plugin->path, '/') + 1;
	__cleanup_free char *library = NULL, *path = NULL;
	struct errors errors = { 0 };
	struct json_text json;
	int ret;

	if (asprintf(&library, "%s.so", plugin->desc.name) < 0)
		return -ENOMEM;
	if (asprintf(&path, "%.*s%s.json", (int)(base - plugin->path), plugin->path,
		     plugin->desc.name) < 0)
		return -ENOMEM;
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	ret = plugin_manifest_load(&json, path, &errors);
	if (!ret) {
		ret = plugin_manifest_compare(&json, &plugin->desc, library, &errors);
		json_text_free(&json);
	}
	errors_print(&errors);
	errors_free(&errors);
	return ret;
}

static int check_object(struct plugin *plugin, bool with_manifest)
{
	const void *raw = dlsym(plugin->handle, SYMBOL_STEM "1");
	int ret;

	if (!raw) {
		log_no_symbol(plugin->path, plugin->handle);
		return -ENOEXEC;
	}
	ret = check_symbol(plugin->path, plugin->handle, raw);
	if (!ret)
		ret = plugin_check_descriptor(plugin->path, raw, &plugin->desc);
	if (!ret)
		ret = check_name(plugin->path, plugin->desc.name);
	if (!ret)
		ret = check_table(plugin);
	if (!ret && with_manifest)
		ret = check_manifest(plugin);
	return ret;
}

static int load(const char *path, const struct file_trust *trust, bool with_manifest,
		struct plugin **out)
{
	struct plugin *plugin = calloc(1, sizeof(*plugin));
	int ret = -ENOMEM;

	*out = NULL;
	if (!plugin)
		goto out;
	plugin->path = path_from_cwd(path);
	ret = plugin->path ? load_object(plugin, trust) : -errno;
	if (!ret)
		ret = check_object(plugin, with_manifest);
	if (ret)
		goto out;
	log_debug("plugin %s: %s %s, ABI %u.%u", plugin->path, plugin->desc.name,
		  plugin->desc.version, plugin->desc.abi_major, plugin->desc.abi_minor);
	*out = plugin;
	plugin = NULL;
out:
	plugin_free(plugin);
	return ret;
}

int plugin_load(const char *path, struct plugin **out)
{
	struct file_trust trust = file_trust_of_process();

	return load(path, &trust, true, out);
}

int plugin_load_built(const char *path, struct plugin **out)
{
	struct file_trust trust = file_trust_of_process();

	/* Who builds as root trusts the tree that is built; a set-uid program's caller does not
	 * decide that. */
	if (!getauxval(AT_SECURE))
		trust.strict = false;
	return load(path, &trust, false, out);
}

int plugin_describe(const char *path, bool built, json_t **manifest)
{
	__cleanup_free char *library = NULL;
	struct plugin *plugin;
	int ret = built ? plugin_load_built(path, &plugin) : plugin_load(path, &plugin);

	if (ret)
		return ret;
	if (asprintf(&library, "%s.so", plugin->desc.name) < 0)
		library = NULL;
	*manifest = library ? plugin_manifest_build(&plugin->desc, library) : NULL;
	if (!*manifest) {
		log_err("cannot describe plugin %s: out of memory", path);
		ret = -ENOMEM;
	}
	plugin_free(plugin);
	return ret;
}

void plugin_free(struct plugin *plugin)
{
	if (!plugin)
		return;
	free(plugin->path);
	free(plugin);
}
