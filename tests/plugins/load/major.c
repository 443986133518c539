// SPDX-License-Identifier: MIT
/* The right symbol with the head of another major. */
#include "fixture.h"

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_MAGIC, 2, 5, sizeof(struct ublk_plugin), 0, 0, FIXTURE_BODY("major"),
};
