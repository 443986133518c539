// SPDX-License-Identifier: MIT
/*
 * Data path "copy": the driver copies between the application's pages and the tag's buffer; the host
 * moves between that buffer and where the plugin says. Works on every kernel and for every plugin.
 */
#include "queue/internal.h"

static void copy_tag_addr(const struct ublk_queue *q, struct request *r)
{
	(void)q;
	r->addr.buf = (uintptr_t)r->buf;
}

const struct data_path path_copy = {
	.name = "copy",
	.batch_name = "copy+batch",
	.what = "the driver copies to and from a buffer per request",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.data_mode = UBLK_DATA_MAPPED,
	.driver_buffers = true,
	.tag_addr = copy_tag_addr,
	.move = buf_move,
};
