/* SPDX-License-Identifier: MIT */
/* Paths made absolute, once, where they are written: a server changes its folder. Any thread. */
#ifndef CONFIG_PATH_H
#define CONFIG_PATH_H

#include "base/util.h"

/* Where we are; malloc()ed. NULL: no memory, or the folder is gone. */
char *path_cwd(void);
/* path, or FOLDER/path when it is relative; a leading "./" is dropped, nothing is resolved.
 * malloc()ed. NULL: no memory, or it is relative and folder is NULL. */
char *path_absolute(const char *folder, const char *path);
/* The same from where we are. NULL as path_cwd(). */
char *path_from_cwd(const char *path);
/* The folder that the file is in, absolute; malloc()ed. NULL as path_cwd(). */
char *path_folder(const char *file);

#endif
