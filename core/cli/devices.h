/* SPDX-License-Identifier: MIT */
/*
 * All that can be known of a device from outside its server: its state file, sysfs, and, if we may
 * ask, the driver. For list, info and down.
 */
#ifndef CLI_DEVICES_H
#define CLI_DEVICES_H

#include "device/state.h"
#include "kernel/ctrl.h"

enum device_condition {
	DEVICE_LIVE,
	DEVICE_STOPPED,	 /* no disk: not started yet, stopping, or its server is dead */
	DEVICE_QUIESCED, /* its server is dead, io waits for the next */
	DEVICE_FAIL_IO,	 /* its server is dead, io fails */
	DEVICE_GONE,	 /* nothing but a state file is left; the id may be another's by now */
	DEVICE_UNKNOWN	 /* we may not ask the driver */
};

struct device_view {
	uint32_t id;
	enum device_condition condition;
	bool ours;	     /* there is a state file */
	bool unusable_state; /* there is one that tells nothing, which was logged */
	bool id_taken; /* by another device, since the state was written; the view is of the former */
	bool has_disk; /* /dev/ublkbN is there */
	struct device_state state;
	bool has_info; /* the driver was asked */
	struct ublksrv_ctrl_dev_info info;
	bool has_params;
	struct ublk_params params;
	int64_t size;		/* bytes; -1: not known */
	uint32_t queues, depth; /* 0: not known */
	int32_t pid;		/* of the server; 0: none, or not known */
	bool server_alive;
	char command[32]; /* of the server; "": not known */
};

/* Whether a new server can take the device over; if not, why gets one clause that says why not, and what
 * to do. A view for which the driver was not asked is believed to be one that can. */
bool device_can_recover(const struct device_view *view, char *why, size_t size);

/* Whether its server can leave it to another while it is in use; likewise. */
bool device_can_hand_over(const struct device_view *view, char *why, size_t size);

/* Before a device's server is changed, which is what done says ("recovered"): state_take_in_hand(). -EBUSY,
 * logged: another process is changing it; -ETIMEDOUT, logged: the state cannot be marked, so that others would not
 * know. That there is no state, or that it cannot be written, is borne. Where nothing comes of it: state_let_go(). */
int device_take_in_hand(const struct device_view *view, const char *done);

/* The command that helps a device of ours whose server is dead; malloc()ed. NULL: it needs none. */
char *device_remedy(const struct device_view *view);

/* From ADD_DEV to DEL_DEV, with a server or without. */
bool device_in_kernel(uint32_t id);

/* The control device, if this user may open it; NULL otherwise, without a message. */
struct ctrl *devices_ctrl(void);

/* Bytes that the disk has now; as in the view, where there is no disk. */
int64_t device_size_now(const struct device_view *view);

/* Look at device id; ctrl may be NULL. name: what it was called when the id was found, as ids are reused:
 * "": it had no state file; NULL: whatever it is. 0; -ENOENT: neither a state file nor a device, or
 * another one by now; -errno. */
int device_view_read(struct device_view *view, uint32_t id, const char *name, struct ctrl *ctrl);
/* The same, whatever it is called; read_state false: its state file is of another device, or tells nothing. */
int device_view_read_any(struct device_view *view, uint32_t id, bool read_state, struct ctrl *ctrl);
void device_view_free(struct device_view *view);
/* Log that it failed: "cannot VERB ..."; err: what it returned. */
void device_view_failed(const char *verb, uint32_t id, const char *name, int err);

/* 0, or -EPERM, logged: this user may know nothing of it. */
int device_check_known(const struct device_view *view);

/* "live"; "stopping" and "dead": no disk, with a server and without; "failed": given up; "quiesced",
 * "fail-io", "gone", "unknown". */
const char *device_condition_word(const struct device_view *view);

/* "mem" of /usr/lib/ublk-host/plugins/mem.so; malloc()ed, NULL: not known. */
char *device_plugin_name(const struct device_view *view);

/* -- devices_find.c */

/* Every device and every state file, in order of id. An id whose state is of a former device is there
 * twice. */
struct device_list {
	struct device_view *view;
	size_t nr;
	size_t hidden; /* how many more there are, of which this user may know nothing */
};
int device_list_read(struct device_list *list, struct ctrl *ctrl);
void device_list_free(struct device_list *list);

/* NAME, ID or node, as down and info take it, to an id. *name: for device_view_read(), the word or NULL.
 * -ENOENT, logged with a did-you-mean. */
int device_find(const char *word, uint32_t *id, const char **name);
/* The same and its state, for state_free(), for "cannot VERB ...". 0; -ENXIO, not logged: device *id is
 * another program's; or another -errno, logged. */
int device_find_state(struct device_state *state, const char *word, const char *verb, uint32_t *id);
/* The same and a look at it, for "cannot VERB ...". 0 or -errno, logged. */
int device_find_view(struct device_view *view, const char *word, const char *verb,
		     struct ctrl *ctrl);

#endif
