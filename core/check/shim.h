/* SPDX-License-Identifier: MIT */
/* What shim.c has for services.c and kit.c alone. */
#ifndef CHECK_SHIM_H
#define CHECK_SHIM_H

#include "check/kit.h"

/* complete() or complete_remote() of this io is under way. */
void shim_ending(struct kit_queue *kq, const struct ublk_io *io);
/* What the shim needs behind the plugin's scratch memory of an io. */
uint32_t shim_scratch_bytes(void);

#endif
