/* SPDX-License-Identifier: MIT */
/* Another size for a device while it is served; what the verb resize does, for apply too. */
#ifndef CLI_RESIZE_H
#define CLI_RESIZE_H

#include "cli/devices.h"

/* force: make it smaller although it is in use. 0 or -errno, logged; -EINVAL: no size for this device.
 * view->size is what it had just before. */
int resize_device(struct device_view *view, uint64_t size, bool force);

#endif
