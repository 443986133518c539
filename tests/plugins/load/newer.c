// SPDX-License-Identifier: MIT
/* Built against a header of the future (tests/abi/make-future), of which it uses a bit, a member and an
 * operation. MIN_HOST_MINOR says whether it can do without them. */
#include "fixture.h"

static int newest(void *priv, const struct ublk_io *io)
{
	(void)priv, (void)io;
	return 0;
}

static const struct ublk_opt_spec opts[] = {
	{ .name = "first",
	  .help = "First",
	  .type = UBLK_OPT_U64,
	  .def = "1",
	  .newest = { 1, 2, 3 } },
	{ .name = "second", .help = "Second", .type = UBLK_OPT_U64, .def = "2", .flags = 1u << 20 },
};

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(MIN_HOST_MINOR),
	.name = NAME,
	.version = "1.0",
	.description = "Of a minor to come",
	.opts = opts,
	.nr_opts = 2,
	.opt_spec_size = sizeof(opts[0]),
	.flags = 1u << 30,
	.thread_model = UBLK_THREADS_PER_QUEUE + 500,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_ZONE_APPEND,
	.map_kinds = UBLK_EXT_ZERO,
	.open = fixture_open,
	.get_limits = fixture_get_limits,
	.map = fixture_map,
	.newest = newest,
};
