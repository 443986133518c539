// SPDX-License-Identifier: MIT
/* A table of options with two of one name. */
#include "fixture.h"

static const struct ublk_opt_spec opts[] = {
	{ .name = "size", .help = "Size of the device", .type = UBLK_OPT_SIZE },
	{ .name = "size", .help = "Once more", .type = UBLK_OPT_SIZE },
};

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0), FIXTURE_BODY("bad-option"),       .opts = opts,
	.nr_opts = 2,	     .opt_spec_size = sizeof(opts[0]),
};
