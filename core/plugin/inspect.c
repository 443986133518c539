// SPDX-License-Identifier: MIT
/*
 * What a plugin is, from its manifest and the outside of its file, without running its code.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>

#include "config/errors.h"
#include "config/plugin_manifest.h"
#include "plugin/file.h"
#include "plugin/plugin.h"

static int set_problem(struct plugin_info *info, const char *fmt, ...) __printf_like(2, 3);

static int set_problem(struct plugin_info *info, const char *fmt, ...)
{
	__cleanup_free char *text = NULL;
	va_list ap;
	int n;

	if (info->problem)
		return 0;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	/* names of files, and what stands in them, may be anything */
	info->problem = text ? errors_one_line(text) : NULL;
	return info->problem ? 0 : -ENOMEM;
}

static int check_so(const struct plugin_entry *entry, struct plugin_info *info)
{
	struct file_trust trust = file_trust_of_process();
	struct plugin_file file;
	char why[512];

	if (!entry->has_so)
		return set_problem(info, "there is no %s.so beside its manifest", entry->name);
	if (file_check(entry->path, &trust, &file, why, sizeof(why)))
		return set_problem(info, "%s", why);
	plugin_file_release(&file);
	return 0;
}

static unsigned int abi_number(const json_t *manifest, const char *key)
{
	return (unsigned int)json_integer_value(
		json_object_get(json_object_get(manifest, "abi"), key));
}

static int check_abi(const json_t *manifest, struct plugin_info *info)
{
	unsigned int major = abi_number(manifest, "major");
	unsigned int needs = abi_number(manifest, "min_host_minor");

	if (major != UBLK_PLUGIN_ABI_MAJOR)
		return set_problem(info, "built for plugin ABI %u.%u; this host implements %u.%u",
				   major, abi_number(manifest, "minor"), UBLK_PLUGIN_ABI_MAJOR,
				   UBLK_PLUGIN_ABI_MINOR);
	if (needs > UBLK_PLUGIN_ABI_MINOR)
		return set_problem(info, "needs host ABI >= %u.%u; this host implements %u.%u",
				   major, needs, UBLK_PLUGIN_ABI_MAJOR, UBLK_PLUGIN_ABI_MINOR);
	return 0;
}

/* Strings of a descriptor stand in the file as they are. One that does not is another version's. */
static const char *missing_text(const json_t *manifest, const char *bytes, size_t size)
{
	static const char *const keys[] = { "name", "version", "description" };
	const json_t *option;
	const char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		text = json_string_value(json_object_get(manifest, keys[i]));
		if (text && !memmem(bytes, size, text, strlen(text) + 1))
			return text;
	}
	json_array_foreach(json_object_get(manifest, "options"), i, option)
	{
		text = json_string_value(json_object_get(option, "name"));
		if (text && !memmem(bytes, size, text, strlen(text) + 1))
			return text;
	}
	return NULL;
}

static int check_fresh(const struct plugin_entry *entry, const json_t *manifest,
		       struct plugin_info *info)
{
	__cleanup_free char *bytes = NULL;
	__cleanup_fd int fd = open(entry->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *missing;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) || st.st_size > (64 << 20))
		return 0;
	bytes = malloc(st.st_size);
	if (!bytes)
		return -ENOMEM;
	got = pread(fd, bytes, st.st_size, 0);
	if (got < st.st_size)
		return 0;
	missing = missing_text(manifest, bytes, (size_t)got);
	return missing ? set_problem(info, "stale manifest: %s.so has no \"%s\"", entry->name,
				     missing)
		       : 0;
}

static int check_manifest(const struct plugin_entry *entry, struct plugin_info *info)
{
	struct errors errors = { 0 };
	struct json_text json;
	const char *name;
	int ret;

	ret = plugin_manifest_load(&json, entry->manifest, &errors);
	if (ret) {
		ret = set_problem(info, "%s%s",
				  errors.msg[0] ? errors.msg[0] : "its manifest is wrong",
				  errors_count(&errors) > 1 ? ", and more" : "");
		errors_free(&errors);
		return ret;
	}
	info->manifest = json_incref(json.root);
	json_text_free(&json);
	errors_free(&errors);
	name = json_string_value(json_object_get(info->manifest, "name"));
	if (!name || strcmp(name, entry->name))
		return set_problem(info, "its manifest is about \"%s\"", name ? name : "");
	ret = check_abi(info->manifest, info);
	if (!ret && !info->problem)
		ret = check_fresh(entry, info->manifest, info);
	return ret;
}

int plugin_inspect(const struct plugin_entry *entry, struct plugin_info *info)
{
	int ret;

	*info = (struct plugin_info){ 0 };
	ret = check_so(entry, info);
	if (!ret && entry->has_manifest)
		ret = check_manifest(entry, info);
	return ret;
}

void plugin_info_free(struct plugin_info *info)
{
	json_decref(info->manifest);
	free(info->problem);
	*info = (struct plugin_info){ 0 };
}

int plugin_entry_of_file(const char *path, struct plugin_entry *entry, char **name, char **manifest)
{
	const char *base = strrchr(path, '/') + 1;
	size_t len = strlen(base);

	if (len > 3 && !strcmp(base + len - 3, ".so"))
		len -= 3;
	*name = strndup(base, len);
	if (!*name || asprintf(manifest, "%.*s.json", (int)(base - path + len), path) < 0) {
		*manifest = NULL;
		return -ENOMEM;
	}
	*entry = (struct plugin_entry){
		.name = *name,
		.path = path,
		.manifest = *manifest,
		.has_so = true,
		.has_manifest = !access(*manifest, F_OK),
	};
	return 0;
}

json_t *plugin_manifest_of_file(const char *path)
{
	__cleanup_free char *name = NULL, *manifest = NULL;
	struct plugin_info info = { 0 };
	struct plugin_entry entry;
	json_t *found = NULL;

	if (!plugin_entry_of_file(path, &entry, &name, &manifest) &&
	    !plugin_inspect(&entry, &info) && !info.problem)
		found = json_incref(info.manifest);
	plugin_info_free(&info);
	return found;
}
