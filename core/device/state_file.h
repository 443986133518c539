/* SPDX-License-Identifier: MIT */
/* Files in the state folder, one by one; for state.c and stats_file.c, which are what others call. */
#ifndef DEVICE_STATE_FILE_H
#define DEVICE_STATE_FILE_H

#include <sys/stat.h>

#include "device/state.h"

#define STATE_NAME_SIZE 32				   /* for the names of a file and a node */
void state_file_name(char *buf, size_t size, uint32_t id); /* "7.json" */
void state_node_name(char *buf, size_t size, uint32_t id); /* "/dev/ublkb7" */

/* The state folder as a file descriptor, or -errno; logged, but for -ENOENT without create. */
int state_open_folder(bool create);
/* The file in the folder whose locks these are. The folder and what is in it can be opened by everybody, and
 * locked by who has it open; this by nobody but its owner. It stays when it was made. A descriptor, or
 * -errno. access: O_RDONLY, which a server that may not open for writing any more can have, or O_RDWR. */
int state_lock_open(int dir, int access);
/* Nobody else changes the folder's files until the descriptor that this returns is closed. -ETIMEDOUT, after ms
 * milliseconds: who has it was stopped. Or another -errno. Where going on without it is the lesser evil, do. */
#define STATE_LOCK_MS 2000
#define STATE_WRITE_LOCK_MS 8000 /* for a server's own, which others must not undo */
int state_lock_folder(int dir, unsigned int ms);

/* A file that becomes `name` only when it is whole: its descriptor, or -errno; the name that it has
 * until then goes to temp. Then state_file_finish(), with err if it did not become whole: 0, or
 * -errno with nothing left. The folder is locked from the one to the other. Not logged. */
#define STATE_TEMP_SIZE (STATE_NAME_SIZE + 8)
int state_file_begin(int dir, const char *name, char temp[STATE_TEMP_SIZE]);
int state_file_finish(int dir, int fd, const char *temp, const char *name, int err);
/* Remove it, and what was left of one that did not become whole, if its maker was killed at that. The folder
 * is locked. */
void state_file_remove(int dir, const char *name);

/* A descriptor, with st filled in: a regular file that nobody but root and the caller owns or can
 * write. -EBADMSG or another -errno, with *why in words; not logged. flags: O_RDONLY or O_RDWR. */
int state_file_open(int dir, const char *name, int flags, struct stat *st, const char **why);

/* A state as text, for free(), or NULL: no memory. And back: 0, -EBADMSG or -ENOMEM, with nothing to free;
 * it has to be that of device id. Not logged. */
char *state_file_text(const struct device_state *state);
int state_file_parse(struct device_state *state, const char *text, size_t len, uint32_t id);
/* 0, or -EINVAL: a member that every state has is missing. */
int state_file_check(const struct device_state *state);
/* dir: the state folder. 0 or -errno, not logged. */
int state_file_write(int dir, const struct device_state *state);
/* As state_read(); quiet: log nothing. */
int state_file_read(int dir, uint32_t id, struct device_state *state, bool quiet);

#endif
