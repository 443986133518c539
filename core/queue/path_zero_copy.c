// SPDX-License-Identifier: MIT
/*
 * Data path "zero-copy": as auto-buf-reg, but the host registers a request's pages by command, and
 * only where there is something to move: for drivers that cannot by themselves, and for plugins
 * whose bytes are nowhere.
 */
#include "queue/internal.h"

static int zero_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	int res = 0;

	if (extent_moves_nothing(r, i))
		return 0;
	if (r->buf_registered)
		return fixed_move(q, r, i);
	if (!r->buf_asked)
		res = fixed_register(q, r);
	if (unlikely(res))
		return res;
	r->retry_bits |= 1ull << i; /* all that asked are moved when it is registered */
	return 1;
}

const struct data_path path_zero_copy = {
	.name = "zero-copy",
	.batch_name = "zero-copy+batch",
	.what = "no copy: the request's own pages are registered where there is something to move",
	.dev_flags = UBLK_F_SUPPORT_ZERO_COPY,
	.lacking = "zero-copy needs a newer ublk driver (SUPPORT_ZERO_COPY, Linux 6.15)",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.data_mode = UBLK_DATA_FIXED,
	.zero_kinds = UBLK_EXT_ZERO,
	.needs_buf_table = true,
	.begin = fixed_begin, /* submit() may use the buffer as soon as it is called */
	.end = fixed_end,
	.move = zero_move,
};
