// SPDX-License-Identifier: MIT
/* The RAM disk itself, by the map profile: every check passes. */
/* check: none with path */
#include "ram.h"

RAM_MAP("good-map");
