/* SPDX-License-Identifier: MIT */
/*
 * The parts of a serving process's confinement, each usable without a device, so that tests can. Every
 * function that fails has logged the one message that says why. What a kernel does not have is left out,
 * with a message for those who want to know.
 */
#ifndef DEVICE_CONFINE_H
#define DEVICE_CONFINE_H

#include "base/util.h"

/* What a server that serves goes on having, if it had it: as bits, 1 << CAP_*. */
#define CAPS_KEPT (1ull << 14 /* CAP_IPC_LOCK */)

/* confine.c. Before serving: take all but CAPS_KEPT and CAP_SYS_ADMIN from the calling thread, and so those
 * that it will start, and the right to get more by exec(). -errno. */
int confine_rights(void);
/* Then that, too. */
int confine_thread(void);
/* Serving: take all but CAPS_KEPT from every thread of the process for good. -errno. A thread that cannot be
 * reached (it blocks signals) is told of, and stays. */
int confine_all_threads(void);

/* namespace.c: what has been mounted stays to be unmounted, and what will be mounted is not seen. For
 * the calling thread, and those that it will start. keep_tree: files are opened by name later on, so
 * that all of them stay visible; otherwise only these folders (absolute paths, ended by NULL, those
 * that do not exist are left out) and what the system itself puts into /dev, /proc and /sys. */
int namespace_enter(bool keep_tree, const char *const *folders);

/* landlock.c: no files but those in folder (NULL: none), what the host needs in /dev, and reading in
 * /proc and /sys, and node (or NULL), a device file that is to be opened yet; unless files, then all. No
 * TCP, unless network. Those two bits are UBLK_PLUGIN_NEEDS_* of flags. Threads as above. */
int landlock_confine(uint32_t flags, const char *folder, const char *node);

/* seccomp.c: from now on every thread of the process may make those system calls only that serving and
 * stopping a device need, and what flags, UBLK_PLUGIN_NEEDS_*, say. local_socket: messages go to
 * another process of this machine by datagrams. */
int seccomp_confine(uint32_t flags, bool local_socket);
/* Was this program built with it? */
bool seccomp_built_in(void);

#endif
