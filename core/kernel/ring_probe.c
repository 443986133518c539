// SPDX-License-Identifier: MIT
/* Finds out what this kernel's io_uring can do. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/ring_probe.h"

#define PROBE_ENTRIES 4

static const struct {
	const char *name;
	uint32_t flag;
	uint32_t needs; /* flags without which it is refused */
} setups[] = {
	{ "submit_all", IORING_SETUP_SUBMIT_ALL, 0 },
	{ "coop_taskrun", IORING_SETUP_COOP_TASKRUN, 0 },
	{ "sqe128", IORING_SETUP_SQE128, 0 },
	{ "single_issuer", IORING_SETUP_SINGLE_ISSUER, 0 },
	{ "defer_taskrun", IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER },
};

/* The operations that the host, or a way for bytes to go, uses. */
static const struct {
	const char *name;
	unsigned int op;
} ops[] = {
	{ "uring_cmd", IORING_OP_URING_CMD },
	{ "read", IORING_OP_READ },
	{ "write", IORING_OP_WRITE },
	{ "read_fixed", IORING_OP_READ_FIXED },
	{ "write_fixed", IORING_OP_WRITE_FIXED },
	{ "fsync", IORING_OP_FSYNC },
	{ "fallocate", IORING_OP_FALLOCATE },
	{ "sync_file_range", IORING_OP_SYNC_FILE_RANGE },
	{ "poll_add", IORING_OP_POLL_ADD },
	{ "async_cancel", IORING_OP_ASYNC_CANCEL },
	{ "timeout", IORING_OP_TIMEOUT },
	{ "msg_ring", IORING_OP_MSG_RING },
	{ "splice", IORING_OP_SPLICE },
	{ "send_zc", IORING_OP_SEND_ZC },
};

static int try_setup(uint32_t flags, struct io_uring *ring, struct io_uring_params *params)
{
	*params = (struct io_uring_params){ .flags = flags };
	return io_uring_queue_init_params(PROBE_ENTRIES, ring, params);
}

static void probe_setups(struct ring_features *rf)
{
	struct io_uring_params params;
	struct io_uring ring;

	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		if (!try_setup(setups[i].flag | setups[i].needs, &ring, &params)) {
			rf->setup |= setups[i].flag;
			io_uring_queue_exit(&ring);
		}
}

static void probe_ops(struct ring_features *rf, struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);

	if (!probe)
		return;
	for (unsigned int i = 0; i < probe->ops_len; i++)
		if (probe->ops[i].flags & IO_URING_OP_SUPPORTED)
			rf->ops[probe->ops[i].op / 64] |= 1ull << probe->ops[i].op % 64;
	io_uring_free_probe(probe);
}

static bool has_provided_buffers(struct io_uring *ring)
{
	size_t size = 8 * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg reg = { .ring_entries = 8, .bgid = 1 };
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool ok;

	if (mem == MAP_FAILED)
		return false;
	reg.ring_addr = (uintptr_t)mem;
	ok = !io_uring_register_buf_ring(ring, &reg, 0);
	if (ok)
		io_uring_unregister_buf_ring(ring, reg.bgid);
	munmap(mem, size);
	return ok;
}

static bool has_sync_cancel(struct io_uring *ring)
{
	struct io_uring_sync_cancel_reg reg = { .addr = 1, .timeout = { .tv_sec = 1 } };

	return io_uring_register_sync_cancel(ring, &reg) ==
	       -ENOENT; /* there is nothing to cancel */
}

int ring_probe(struct ring_features *rf)
{
	struct io_uring_params params;
	struct io_uring ring;

	memset(rf, 0, sizeof(*rf));
	rf->err = try_setup(0, &ring, &params);
	if (rf->err)
		return rf->err;
	rf->features = params.features;
	probe_ops(rf, &ring);
	rf->sparse_buffers = !io_uring_register_buffers_sparse(&ring, PROBE_ENTRIES);
	rf->sparse_files = !io_uring_register_files_sparse(&ring, PROBE_ENTRIES);
	rf->provided_buffers = has_provided_buffers(&ring);
	rf->sync_cancel = has_sync_cancel(&ring);
	rf->registered_ring = io_uring_register_ring_fd(&ring) == 1;
	if (rf->registered_ring)
		io_uring_unregister_ring_fd(&ring);
	io_uring_queue_exit(&ring);
	probe_setups(rf);
	return 0;
}

bool ring_has_op(const struct ring_features *rf, unsigned int op)
{
	return op < 64 * ARRAY_SIZE(rf->ops) && rf->ops[op / 64] >> op % 64 & 1;
}

uint32_t ring_queue_flags(const struct ring_features *rf)
{
	return rf->setup & (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL);
}

const char *ring_feature_name(const struct ring_features *rf, unsigned int index, bool *there)
{
	const struct {
		const char *name;
		bool there;
	} rest[] = {
		{ "sparse_buffers", rf->sparse_buffers },
		{ "sparse_files", rf->sparse_files },
		{ "registered_ring", rf->registered_ring },
		{ "provided_buffers", rf->provided_buffers },
		{ "sync_cancel", rf->sync_cancel },
	};

	if (index < ARRAY_SIZE(setups)) {
		*there = rf->setup & setups[index].flag;
		return setups[index].name;
	}
	index -= ARRAY_SIZE(setups);
	if (index < ARRAY_SIZE(rest)) {
		*there = rest[index].there;
		return rest[index].name;
	}
	index -= ARRAY_SIZE(rest);
	if (index < ARRAY_SIZE(ops)) {
		*there = ring_has_op(rf, ops[index].op);
		return ops[index].name;
	}
	return NULL;
}
