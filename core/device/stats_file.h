/* SPDX-License-Identifier: MIT */
/*
 * The statistics of a running device as a file in the state folder, ID.stats: made and mapped by its
 * server, read by everybody, removed with the state file.
 */
#ifndef DEVICE_STATS_FILE_H
#define DEVICE_STATS_FILE_H

#include "device/state.h"
#include "queue/stats.h"

/* Make the file for this process, in place of one that is left, and map it. -errno, logged as a
 * warning: a device can do without. The folder must be in memory (tmpfs): on a disk, the writing back
 * of what is mapped would hold up the queues. */
int stats_create(uint32_t id, uint32_t nr_queues, struct stats **out);
void stats_unmap(struct stats *stats, uint32_t nr_queues);
/* Remove the file, for the server of that pid; no message if it is gone. That of another process that
 * lives stays. */
void stats_remove(uint32_t id, int32_t server);
/* The same, in the state folder that the caller has open; for state.c. */
void stats_remove_at(int dir, uint32_t id, int32_t server);

/* The file is that of a process that lives. */
bool stats_in_use_at(int dir, uint32_t id);

/* A copy of what the file of a device's server holds now, checked, for free(). -ENOENT, not logged:
 * there is none. Another -errno is logged; -EBADMSG: it is damaged, of another version, or one that
 * somebody other than root and the caller owns or can write. */
int stats_read(const struct device_state *state, struct stats **out);
/* The file itself, for requests.c, and a copy of it. A descriptor, or -errno as above. */
int stats_open_for_write(uint32_t id, struct stats **out);
/* Switch the measuring of latencies. On, when it is on already, begins the histograms anew. Errors as
 * above. */
int stats_set_latency(uint32_t id, bool on);

#endif
