/* SPDX-License-Identifier: MIT */
/*
 * What outlives a server process: one JSON file per device in the runtime folder, and the links by
 * name. Enough to find, stop and (later) recover a device without its command line.
 */
#ifndef DEVICE_STATE_H
#define DEVICE_STATE_H

#include <jansson.h>

#include "config/config.h"

/* RUNSTATEDIR as built, or $UBLK_HOST_RUN_DIR (secure_getenv), which must be absolute. The folder
 * and by-name/ in it are made, 0755, when the first state is written. */
const char *state_dir(void);
/* Once, before anything else: $UBLK_HOST_RUN_DIR of an ordinary user who has not set it becomes
 * $XDG_RUNTIME_DIR/ublk-host, if that is set, for this process and its children. */
void state_choose_dir(void);

struct device_state {
	uint32_t id;
	char *name;
	char *node;	     /* /dev/ublkbN */
	char *plugin_path;   /* absolute */
	char *data_path;     /* the one in use: "auto-buf-reg" */
	char *data_path_why; /* one clause: why that one; or NULL */
	int32_t pid;	     /* of the server */
	uint64_t
		pid_start; /* its start time, field 22 of /proc/PID/stat: tells a reused pid apart */
	uint64_t entry;	   /* the device's, of sysfs_device_entry(): ids are reused; 0: not known */
	json_t *manifest;  /* the resolved device manifest, as one could feed to --manifest */
	json_t *memory;	   /* kept_memory.h: an object, the name that the plugin gave to the file's;
			    * or NULL */
	json_t *files;	   /* served_files.h: which ones it is served from; or NULL */
	char *log;	   /* where a server in the background writes its messages: a file, or
			    * "syslog"; NULL: it is not in the background */
	char *source;	 /* the manifest that it belongs to, absolute, if its file is looked after:
			    * by serve, or by apply; or NULL */
	json_t *asked;	 /* what that asked for when the device was made, as manifest_asked() has
			    * it; NULL: not known */
	char *failed;	 /* why it was given up: it is stopped and gets no server; or NULL */
	int32_t in_hand; /* a process that is about to change its server; 0: none. Its start time: */
	uint64_t in_hand_start;
	int32_t standby; /* a process that is to be its next server; 0: none. Its start time: */
	uint64_t standby_start;
	bool standby_ready; /* it is prepared */
};

/* Fit to be a file name and a word on one line: 1..STATE_MAX_NAME printable bytes, no '/', blank or
 * control character, no leading '.' or '-', not digits alone (which is an id). What a user may
 * choose is narrower: see config/. */
#define STATE_MAX_NAME 128u
bool state_name_valid(const char *name);

/* No other device has this name: 0; or -EEXIST (-EINVAL, not valid), logged. A name whose device is
 * gone from the kernel is free, and what is left of it is removed. own: not another device's id;
 * UINT32_MAX: none yet. Ask before ADD_DEV; state_write() asks again. */
int state_check_name(const char *name, uint32_t own);

/* Write DIR/ID.json (temporary file, then rename; 0644) and the link DIR/by-name/NAME -> node. Call
 * when the device is ready. 0 or -errno, logged, with nothing left behind. Everybody may read the
 * file: manifest must be without secrets, as device_manifest_build() makes it. */
int state_write(const struct device_state *state);
/* Remove both, the statistics (stats_file.h) and the memory that was kept (kept_memory.h); no message
 * if they are gone. A link that leads elsewhere stays, and so does everything when the file is that of
 * another process that lives, or of a device that is there: ids are reused. */
void state_remove(uint32_t id, const char *name);
/* The same for the server of that pid, instead of this process. */
void state_remove_for(uint32_t id, const char *name, int32_t server);

/* -ENOENT: no such device. A file that is damaged, not a regular file, or that somebody other than
 * root and the caller owns or can write: -EBADMSG, logged. Free with state_free(). */
int state_read(uint32_t id, struct device_state *state);
/* Of several (leftovers of a device that is gone), one whose server is alive wins. -EBADMSG: none, but there
 * are files that cannot be used. */
int state_find_name(const char *name, struct device_state *state);
void state_free(struct device_state *state);

/* state_marks.c: what others than the server note in its state. Writing it anew, a server takes the marks
 * away, but for the source, which is the device's. 0 or -errno, not logged. */
/* Given up, for a reason in one clause. */
int state_set_failed(uint32_t id, const char *why);
/* This process is about to change the device's server: nobody else shall see to it meanwhile. That ends with
 * the process. -EBUSY: another one is about to. */
int state_take_in_hand(uint32_t id);
/* The same of who removes the device, whatever others are about to do. */
int state_take_from_all(uint32_t id);
/* What this process has in hand and has not changed, or could not. */
void state_let_go(uint32_t id);
/* The device has, or is about to have, another size, which is an option of its plugin. */
int state_set_size(uint32_t id, uint64_t size);
/* It belongs to a manifest from now on; asked may be NULL. */
int state_set_source(uint32_t id, const char *source, json_t *asked);
/* A process stands by to be its next server, or is about to. -ESRCH: it is not that server's any more; -EBUSY:
 * somebody has the device in hand. */
int state_set_standby(uint32_t id, int32_t server, int32_t standby, bool ready);
/* It, or 0: there is none any more. */
int32_t state_standby(const struct device_state *state);
/* All that it says of the device and its server, not what processes have to do with them for a while: two that
 * are the same are of the same server. For free(); NULL: no memory. */
char *state_lasting_text(const struct device_state *state);
/* Another process has it in hand. */
bool state_in_hand(const struct device_state *state);

/* Call fn for each state file, in order of id. Stops when fn returns non-zero and returns that.
 * Files that cannot be used are logged and passed over, which ends in -EBADMSG; no folder is no files. */
int state_for_each(int (*fn)(const struct device_state *state, void *arg), void *arg);

/* When process pid started, in clock ticks since the boot, field 22 of /proc/PID/stat. -ESRCH: there
 * is none, or it has ended (a zombie). */
int state_pid_start(int32_t pid, uint64_t *start);
/* The device is gone, and its id may be another's. */
bool state_is_of_former(const struct device_state *state);
/* The device outlives its server. */
bool state_recovers(const struct device_state *state);
/* The process that wrote it: 0: it is alive, with the same start time; -ESRCH: it is not; another -errno: that
 * cannot be told, so that nobody may signal it. */
int state_find_server(const struct device_state *state);
/* It is, or may be. */
bool state_server_alive(const struct device_state *state);
int state_self(struct device_state *state); /* fill pid and pid_start of this process */

#endif
