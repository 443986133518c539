// SPDX-License-Identifier: MIT
/* It has a cache, and leaves flushing to the host, which knows none of its files. */
/* check: flush with path */
#include "ram.h"

RAM_CALL("flush-nothing", .flush = NULL);
