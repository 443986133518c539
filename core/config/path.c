// SPDX-License-Identifier: MIT
/* Paths made absolute. */
#include <stdio.h>
#include <string.h>

#include "config/path.h"

char *path_cwd(void)
{
	return getcwd(NULL, 0);
}

char *path_absolute(const char *folder, const char *path)
{
	char *joined;

	if (path[0] == '/')
		return strdup(path);
	if (!folder)
		return NULL;
	while (path[0] == '.' && path[1] == '/') {
		for (path += 2; *path == '/';)
			path++;
	}
	if (asprintf(&joined, "%s/%s", strcmp(folder, "/") ? folder : "", path) < 0)
		return NULL;
	return joined;
}

char *path_from_cwd(const char *path)
{
	__cleanup_free char *cwd = path[0] == '/' ? NULL : path_cwd();

	return path_absolute(cwd, path);
}

char *path_folder(const char *file)
{
	char *path = path_from_cwd(file), *slash;

	if (!path)
		return NULL;
	slash = strrchr(path, '/');
	slash[slash == path] = '\0';
	return path;
}
