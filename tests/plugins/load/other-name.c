// SPDX-License-Identifier: MIT
/* Does not have the name of its file. */
#include "fixture.h"

const struct ublk_plugin ublk_plugin_v1 = { UBLK_PLUGIN_INIT(0), FIXTURE_BODY("another") };
