// SPDX-License-Identifier: MIT
/* The RAM disk itself, by the call profile: every check passes. */
/* check: none with path */
#include "ram.h"

RAM_CALL("good-call");
