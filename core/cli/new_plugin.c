// SPDX-License-Identifier: MIT
/*
 * ublk-host new-plugin: a folder with a plugin that builds and works, for its author to begin with. The texts
 * are the example plugins' own (templates.h), with another name. All of the folder is written, or nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/whole.h"
#include "cli/cli.h"
#include "cli/templates.h"
#include "cli/usage.h"
#include "config/plugin_manifest.h"
#include "config/suggest.h"
#include "plugin/plugin.h"

enum { KEY_PROFILE = 256, KEY_DIRECTORY };

static const struct cli_opt opts[] = {
	{ KEY_PROFILE, "profile", "map|call|async",
	  "how the plugin serves requests: it says where the bytes are, has functions that may block, or "
	  "works with the queue's io_uring; default call" },
	{ KEY_DIRECTORY, "directory", "DIR",
	  "write into DIR, which is made, or is empty; default NAME" },
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "new-plugin",
	.synopsis = "NAME [OPTION...]",
	.about =
		"Writes a plugin that works, named NAME, into a folder of its own, as a beginning for "
		"your own:\nsource, Makefile, a README and a device to try it with.",
	.opts = opts,
};

/* An example plugin, and what it is to be changed in. */
static const struct skeleton {
	const char *name;
	const char *example; /* its name, which is NAME in the folder */
	const char *source, *device;
	const char *check; /* what `make check` needs, or NULL */
	const char *begin; /* the end of the README, in which @NAME@ is NAME */
} profiles[] = {
	{ "map", "heap", template_heap_c, template_heap_json, NULL,
	  "`@NAME@_map()` says where the bytes of a request are: here, in memory. Where yours are in files, "
	  "register\nthem in `@NAME@_open()` and return extents of kind `UBLK_EXT_FD`.\n" },
	{ "call", "ram", template_ram_c, template_ram_json, NULL,
	  "`@NAME@_read()` and `@NAME@_write()` do the work. They may block; a plugin whose functions never "
	  "do says so\nwith `UBLK_PLUGIN_NONBLOCKING`. Add `flush`, `discard` and `write_zeroes` as you have "
	  "them.\n" },
	{ "async", "ring", template_ring_c, template_ring_json, template_ring_check,
	  "`@NAME@_submit()` begins a request, `@NAME@_cqe()` goes on with it and completes it. The sample "
	  "device needs\nits file first: `make @NAME@.img`. `@NAME@.check` has the options that `make check` "
	  "uses.\n" },
};

struct request {
	const char *name;
	const struct skeleton *profile;
	const char *dir;
};

static const struct skeleton *find_profile(struct cli_args *args, const char *name)
{
	const char *names[ARRAY_SIZE(profiles)];
	char hint[SUGGEST_HINT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		names[i] = profiles[i].name;
		if (!strcmp(name, names[i]))
			return &profiles[i];
	}
	cli_error(args, "--profile \"%s\": must be map, call or async%s", name,
		  suggest_hint(suggest_word(name, names, ARRAY_SIZE(profiles)), hint));
	return NULL;
}

/* -1: go on; else the exit status. */
static int parse(struct request *req, int argc, char **argv)
{
	struct cli_args args;
	const char *value;
	int key;

	*req = (struct request){ 0 };
	cli_begin(&args, &usage, argc, argv);
	req->profile = find_profile(&args, "call");
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_PROFILE)
			req->profile = find_profile(&args, value);
		else if (key == KEY_DIRECTORY)
			req->dir = value;
		else if (req->name)
			cli_stray(&args, value);
		else
			req->name = value;
	}
	if (!req->name && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "the new plugin needs a name");
	else if (req->name && !plugin_name_ok(req->name))
		cli_error(
			&args,
			"plugin name \"%s\": must be 1 to 32 characters a-z 0-9 -, not beginning with -",
			req->name);
	if (req->dir && !*req->dir)
		cli_error(&args, "--directory needs a folder");
	if (!req->dir)
		req->dir = req->name;
	return cli_finish(&args);
}

static bool in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The name as the beginning of identifiers in C: of letters, digits and '_', no digit first. */
static void print_identifier(FILE *out, const char *name)
{
	if (*name >= '0' && *name <= '9')
		fputs("plugin_", out);
	for (; *name; name++)
		fputc(*name == '-' ? '_' : *name, out);
}

/* The text with another name where the word from is, or begins an identifier. malloc()ed, or NULL. */
static char *rename_in(const char *text, const char *from, const char *name)
{
	size_t len = strlen(from), size;
	const char *at = text;
	char *copy = NULL;
	FILE *out = open_memstream(&copy, &size);

	if (!out)
		return NULL;
	while (*at) {
		bool begins = !strncmp(at, from, len) && (at == text || !in_word(at[-1]));

		if (begins && at[len] == '_')
			print_identifier(out, name);
		else if (begins && !in_word(at[len]))
			fputs(name, out);
		else
			fputc(*at, out);
		at += begins && (at[len] == '_' || !in_word(at[len])) ? len : 1;
	}
	if (fclose(out)) {
		free(copy);
		copy = NULL;
	}
	return copy;
}

/* What was written so far, for it to be taken away again. */
struct folder {
	const char *path;
	int fd;
	bool made, has_devices;
	char *file[5]; /* relative to the folder */
	size_t nr;
};

/* One file, whose path and text have the name of the example that they come from. */
static int add_file(struct folder *folder, const char *path, const char *text, const char *from,
		    const char *name)
{
	__cleanup_free char *copy = rename_in(text, from, name);
	char *file = rename_in(path, from, name);
	int fd, ret = -ENOMEM;

	if (!copy || !file)
		goto out;
	fd = openat(folder->fd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		ret = -errno;
		goto out;
	}
	folder->file[folder->nr++] = file;
	ret = write_whole(fd, copy, strlen(copy));
	if (close(fd) && !ret)
		ret = -errno;
	if (ret)
		log_err("cannot write %s/%s: %s", folder->path, file, strerror(-ret));
	return ret;
out:
	log_err("cannot make %s/%s: %s", folder->path, file ? file : path, strerror(-ret));
	free(file);
	return ret;
}

/* The same, of the example's own files: EXAMPLE.c and the like. */
static int add_named(struct folder *folder, const struct request *req, const char *before,
		     const char *after, const char *text)
{
	const char *example = req->profile->example;
	__cleanup_free char *path = NULL;

	if (!text)
		return 0;
	if (asprintf(&path, "%s%s%s", before, example, after) < 0) {
		log_err("cannot write %s: out of memory", folder->path);
		return -ENOMEM;
	}
	return add_file(folder, path, text, example, req->name);
}

static int write_files(struct folder *folder, const struct request *req)
{
	const struct skeleton *profile = req->profile;
	__cleanup_free char *readme = NULL;
	int ret;

	if (mkdirat(folder->fd, "devices", 0777)) {
		ret = -errno;
		log_err("cannot make %s/devices: %s", folder->path, strerror(-ret));
		return ret;
	}
	folder->has_devices = true;
	ret = add_named(folder, req, "", ".c", profile->source);
	if (!ret)
		ret = add_named(folder, req, "devices/", ".json", profile->device);
	if (!ret)
		ret = add_named(folder, req, "", ".check", profile->check);
	if (!ret)
		ret = add_file(folder, "Makefile", template_Makefile, profile->example, req->name);
	if (!ret && asprintf(&readme, "%s%s", template_new_plugin_md, profile->begin) < 0) {
		log_err("cannot write %s: out of memory", folder->path);
		ret = -ENOMEM;
	}
	if (!ret)
		ret = add_file(folder, "README.md", readme, "@NAME@", req->name);
	return ret;
}

/* 1: there is nothing in it; 0, or -errno. */
static int is_empty(int fd)
{
	DIR *stream = fdopendir(dup(fd));
	struct dirent *ent;
	int ret = 1;

	if (!stream)
		return -errno;
	while ((ent = readdir(stream)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			ret = 0;
	closedir(stream);
	return ret;
}

/* Make the folder, or take one that is empty. The exit status. */
static int open_folder(struct folder *folder)
{
	int empty;

	folder->made = !mkdir(folder->path, 0777);
	if (!folder->made && errno != EEXIST) {
		log_err("cannot make folder %s: %s", folder->path, strerror(errno));
		return EXIT_FAILED;
	}
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	empty = folder->fd < 0 ? -errno : is_empty(folder->fd);
	if (empty == 1)
		return EXIT_DONE;
	if (empty < 0)
		log_err("cannot use folder %s: %s", folder->path, strerror(-empty));
	else
		log_err("folder %s is not empty; --directory names another", folder->path);
	return EXIT_USAGE;
}

static void take_away(struct folder *folder)
{
	for (size_t i = 0; i < folder->nr; i++)
		unlinkat(folder->fd, folder->file[i], 0);
	if (folder->has_devices)
		unlinkat(folder->fd, "devices", AT_REMOVEDIR);
	if (folder->made)
		rmdir(folder->path);
}

/* make install would put ours in its place. */
static void warn_of_other(const char *name)
{
	struct plugin_dirs dirs;
	char *path = NULL;

	if (plugin_dirs_init(&dirs, NULL, 0))
		return;
	if (!plugin_look_up(name, &dirs, &path) && access(path, F_OK) == 0)
		log_warn(
			"there is a plugin %s already, %s, which an installed one of that name would "
			"replace or hide",
			name, path);
	free(path);
	plugin_dirs_free(&dirs);
}

int verb_new_plugin(int argc, char **argv)
{
	struct request req;
	struct folder folder = { .fd = -1 };
	int status = parse(&req, argc, argv);

	if (status >= 0)
		return status;
	folder.path = req.dir;
	status = open_folder(&folder);
	if (!status && write_files(&folder, &req))
		status = EXIT_FAILED;
	if (status) {
		take_away(&folder);
	} else {
		warn_of_other(req.name);
		printf("%s: plugin %s, by the profile %s; build it with: make -C %s\n", req.dir,
		       req.name, req.profile->name, req.dir);
	}
	for (size_t i = 0; i < folder.nr; i++)
		free(folder.file[i]);
	if (folder.fd >= 0)
		close(folder.fd);
	return status;
}
