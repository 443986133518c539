// SPDX-License-Identifier: MIT
/* Nothing is wrong with it. */
#include "fixture.h"

static const struct ublk_opt_spec opts[] = {
	{ .name = "size",
	  .help = "Size of the device",
	  .def = "1M",
	  .type = UBLK_OPT_SIZE,
	  .min = 512 },
	{ .name = "mode",
	  .help = "How",
	  .def = "auto",
	  .choices = "auto|on|off",
	  .type = UBLK_OPT_ENUM },
	{ .name = "path", .help = "Where", .type = UBLK_OPT_PATH, .flags = UBLK_OPTF_REQUIRED },
};

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	FIXTURE_BODY("good"),
	.opts = opts,
	.nr_opts = 3,
	.opt_spec_size = sizeof(opts[0]),
};
