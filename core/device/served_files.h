/* SPDX-License-Identifier: MIT */
/* Which files a device is served from: what its plugin has registered (file_register()), told apart from what
 * else their paths may lead to. Control thread only. */
#ifndef DEVICE_SERVED_FILES_H
#define DEVICE_SERVED_FILES_H

#include <jansson.h>

struct ublk_dev;

/* For its state, in the order of registration, the caller's: {"inode", "made", "filesystem", "disk"} of regular
 * files, as far as they have them, {"disk"} of block devices, null of others and of what no path leads to.
 * NULL: no memory. */
json_t *served_files(const struct ublk_dev *dev);

/* Two of these. MOVED: the disk that it was on is gone from below root ("" in the program), so that the same may
 * be on another now. What cannot be told apart is the same. */
enum served_file { SERVED_FILE_SAME, SERVED_FILE_MOVED, SERVED_FILE_OTHER };
enum served_file served_file_compare(const char *root, const json_t *was, const json_t *is);

/* What the next server of the device at node has registered: are these the files of the former one's state
 * (NULL: not known)? 0; -ESTALE or -ENOMEM, logged. */
int served_files_check(const struct ublk_dev *dev, const json_t *former, const char *node);

#endif
