/* SPDX-License-Identifier: MIT */
/* Folders of device manifests: which files in them count. No file is read. One thread. */
#ifndef CLI_MANIFEST_FOLDER_H
#define CLI_MANIFEST_FOLDER_H

#include "base/util.h"

struct manifest_file {
	char *base; /* its name without .json: "scratch" */
	char *path;
};

struct manifest_files {
	struct manifest_file *file; /* in the order of the bases */
	size_t nr;
};

/* Folders that are looked through, first one first, ended by NULL; for free(). Of files with the same
 * name, that of the first folder counts, and a link to /dev/null is none. dir NULL: those of the machine.
 * NULL: no memory. */
char **manifest_folders(const char *dir);
void manifest_folders_free(char **folders);

/* Every NAME.json in them. A folder that is not there is empty. 0 or -errno, logged. */
int manifest_files_find(struct manifest_files *files, char *const *folders);
void manifest_files_free(struct manifest_files *files);

#endif
