// SPDX-License-Identifier: MIT
/* The RAM disk itself, by the async profile: every check passes. */
/* check: none with path */
#include "ram.h"

RAM_ASYNC("good-async");
