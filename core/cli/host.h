/* SPDX-License-Identifier: MIT */
/* What this kernel's ublk driver and io_uring can do, asked once; for features and doctor. */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include "kernel/ring_probe.h"
#include "plugin/plugin.h"
#include "queue/path.h"

struct host_features {
	char kernel[80];
	char reason[512]; /* why the driver cannot be asked; "": it was */
	bool driver;	  /* there is one, though we may not be allowed to ask */
	uint64_t features;
	struct ring_features ring;
	struct plugin_dirs dirs; /* the caller's */
};

/* Fills all but dirs. Logs nothing, unless the driver's answer is a surprise. */
void host_features_read(struct host_features *host);

/* What a data path is chosen by. */
struct path_kernel host_path_kernel(const struct host_features *host);

#endif
