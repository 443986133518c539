// SPDX-License-Identifier: MIT
/* Says that it is longer than it is. */
#include "fixture.h"

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_MAGIC, 1, 0, 4096, 0, 0, FIXTURE_BODY("short-symbol"),
};
