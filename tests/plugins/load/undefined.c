// SPDX-License-Identifier: MIT
/* Calls a function that nobody has. */
#include "fixture.h"

void nobody_has_this_function(void);

static void stop(void *priv)
{
	(void)priv;
	nobody_has_this_function();
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	FIXTURE_BODY("undefined"),
	.stop = stop,
};
