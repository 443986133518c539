// SPDX-License-Identifier: MIT
/* Built against a later minor, which appended a member; it can live without it. */
#define ublk_plugin_v1 not_this_one
#include "fixture.h"
#undef ublk_plugin_v1

struct future_plugin {
	struct ublk_plugin v1_0;
	int (*resize)(void *priv, uint64_t size);
	uint64_t more[4];
};

static int resize(void *priv, uint64_t size)
{
	(void)priv, (void)size;
	return 0;
}

extern UBLK_PLUGIN_EXPORT const struct future_plugin ublk_plugin_v1;

const struct future_plugin ublk_plugin_v1 = {
	.v1_0 = { UBLK_PLUGIN_MAGIC, 1, 7, sizeof(struct future_plugin), 0, 0,
		  FIXTURE_BODY("future") },
	.resize = resize,
	.more = { 1, 2, 3, 4 },
};
