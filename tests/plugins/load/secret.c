// SPDX-License-Identifier: MIT
/* It has secrets, one of which must be given. */
#include "fixture.h"

static const struct ublk_opt_spec opts[] = {
	{ .name = "key",
	  .help = "Key of the store",
	  .type = UBLK_OPT_SECRET,
	  .flags = UBLK_OPTF_REQUIRED },
	{ .name = "token", .help = "Token of the user", .type = UBLK_OPT_SECRET },
	{ .name = "pool", .help = "Pool", .type = UBLK_OPT_STRING },
};

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0), FIXTURE_BODY("secret"),	       .opts = opts,
	.nr_opts = 3,	     .opt_spec_size = sizeof(opts[0]),
};
