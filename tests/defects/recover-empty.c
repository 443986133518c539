// SPDX-License-Identifier: MIT
/* It says that it recovers, and begins with empty memory. */
/* check: recover */
#include "ram.h"

RAM_CALL("recover-empty", .flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE);
