// SPDX-License-Identifier: MIT
/*
 * The contract's layout on LP64 machines, written down by hand: a plugin that was built yesterday
 * has these numbers in it. ABI 1.0 still is a candidate; until it is frozen, who changes the header
 * changes this table with it. From then on, lines may only be added.
 */
#include <stdio.h>

#include "tap.h"
#include "ublk-plugin.h"

struct member {
	const char *name;
	size_t offset, size;		   /* as written down */
	size_t header_offset, header_size; /* as the header has it */
};

#define M(s, m, offset, size)                                                                      \
	{                                                                                          \
#s "." #m, offset, size, offsetof(struct s, m), sizeof(((struct s *)0)->m)         \
	}

static const struct member opt_spec[] = {
	M(ublk_opt_spec, name, 0, 8),  M(ublk_opt_spec, help, 8, 8),
	M(ublk_opt_spec, def, 16, 8),  M(ublk_opt_spec, choices, 24, 8),
	M(ublk_opt_spec, min, 32, 8),  M(ublk_opt_spec, max, 40, 8),
	M(ublk_opt_spec, type, 48, 4), M(ublk_opt_spec, flags, 52, 4),
};

static const struct member opt[] = {
	M(ublk_opt, str, 0, 8),
	M(ublk_opt, u64, 8, 8),
	M(ublk_opt, is_set, 16, 4),
	M(ublk_opt, reserved, 20, 4),
};

static const struct member open_args[] = {
	M(ublk_open_args, struct_size, 0, 4), M(ublk_open_args, flags, 4, 4),
	M(ublk_open_args, nr_opts, 8, 4),     M(ublk_open_args, opt_size, 12, 4),
	M(ublk_open_args, opts, 16, 8),
};

static const struct member limits[] = {
	M(ublk_limits, struct_size, 0, 4),
	M(ublk_limits, attrs, 4, 4),
	M(ublk_limits, size_bytes, 8, 8),
	M(ublk_limits, logical_block, 16, 4),
	M(ublk_limits, physical_block, 20, 4),
	M(ublk_limits, io_min, 24, 4),
	M(ublk_limits, io_opt, 28, 4),
	M(ublk_limits, max_io_bytes, 32, 4),
	M(ublk_limits, chunk_bytes, 36, 4),
	M(ublk_limits, dma_align, 40, 4),
	M(ublk_limits, discard_granularity, 44, 4),
	M(ublk_limits, max_discard_bytes, 48, 8),
	M(ublk_limits, max_write_zeroes_bytes, 56, 8),
	M(ublk_limits, map_kinds, 64, 4),
	M(ublk_limits, data_modes, 68, 4),
	M(ublk_limits, sqes_per_io, 72, 4),
	M(ublk_limits, background_sqes, 76, 4),
	M(ublk_limits, io_scratch_bytes, 80, 4),
	M(ublk_limits, max_queues, 84, 4),
	M(ublk_limits, max_depth, 88, 4),
	M(ublk_limits, reserved, 92, 4),
};

static const struct member queue_info[] = {
	M(ublk_queue_info, struct_size, 0, 4), M(ublk_queue_info, qid, 4, 2),
	M(ublk_queue_info, depth, 6, 2),       M(ublk_queue_info, cpu, 8, 4),
	M(ublk_queue_info, data_mode, 12, 4),
};

static const struct member io[] = {
	M(ublk_io, offset, 0, 8),   M(ublk_io, length, 8, 8),	   M(ublk_io, buf, 16, 8),
	M(ublk_io, scratch, 24, 8), M(ublk_io, fixed_addr, 32, 8), M(ublk_io, flags, 40, 4),
	M(ublk_io, qid, 44, 2),	    M(ublk_io, tag, 46, 2),	   M(ublk_io, buf_index, 48, 2),
	M(ublk_io, op, 50, 1),	    M(ublk_io, reserved, 51, 5),
};

static const struct member extent[] = {
	M(ublk_extent, length, 0, 8),
	M(ublk_extent, at, 8, 8),
	M(ublk_extent, kind, 16, 4),
	M(ublk_extent, file, 20, 4),
};

static const struct member host[] = {
	M(ublk_host, struct_size, 0, 4),    M(ublk_host, abi_major, 4, 2),
	M(ublk_host, abi_minor, 6, 2),	    M(ublk_host, version, 8, 8),
	M(ublk_host, log, 16, 8),	    M(ublk_host, complete_remote, 24, 8),
	M(ublk_host, wake, 32, 8),	    M(ublk_host, dev_fail, 40, 8),
	M(ublk_host, file_register, 48, 8), M(ublk_host, keep_memory, 56, 8),
	M(ublk_host, complete, 64, 8),	    M(ublk_host, sqe_get, 72, 8),
	M(ublk_host, sqe_commit, 80, 8),
};

static const struct member plugin[] = {
	M(ublk_plugin, magic, 0, 4),	       M(ublk_plugin, abi_major, 4, 2),
	M(ublk_plugin, abi_minor, 6, 2),       M(ublk_plugin, struct_size, 8, 4),
	M(ublk_plugin, min_host_minor, 12, 2), M(ublk_plugin, reserved0, 14, 2),
	M(ublk_plugin, name, 16, 8),	       M(ublk_plugin, version, 24, 8),
	M(ublk_plugin, description, 32, 8),    M(ublk_plugin, opts, 40, 8),
	M(ublk_plugin, nr_opts, 48, 4),	       M(ublk_plugin, opt_spec_size, 52, 4),
	M(ublk_plugin, thread_model, 56, 4),   M(ublk_plugin, flags, 60, 4),
	M(ublk_plugin, map_ops, 64, 4),	       M(ublk_plugin, submit_ops, 68, 4),
	M(ublk_plugin, map_kinds, 72, 4),      M(ublk_plugin, data_modes, 76, 4),
	M(ublk_plugin, load, 80, 8),	       M(ublk_plugin, open, 88, 8),
	M(ublk_plugin, get_limits, 96, 8),     M(ublk_plugin, start, 104, 8),
	M(ublk_plugin, resize, 112, 8),	       M(ublk_plugin, stop, 120, 8),
	M(ublk_plugin, close, 128, 8),	       M(ublk_plugin, queue_init, 136, 8),
	M(ublk_plugin, queue_exit, 144, 8),    M(ublk_plugin, map, 152, 8),
	M(ublk_plugin, submit, 160, 8),	       M(ublk_plugin, cqe, 168, 8),
	M(ublk_plugin, event, 176, 8),	       M(ublk_plugin, batch_end, 184, 8),
	M(ublk_plugin, cancel, 192, 8),	       M(ublk_plugin, read, 200, 8),
	M(ublk_plugin, write, 208, 8),	       M(ublk_plugin, flush, 216, 8),
	M(ublk_plugin, discard, 224, 8),       M(ublk_plugin, write_zeroes, 232, 8),
};

#define S(table, type, size)                                                                       \
	{                                                                                          \
		"struct " #type, table, sizeof(table) / sizeof((table)[0]), size,                  \
			sizeof(struct type)                                                        \
	}

static const struct {
	const char *name;
	const struct member *member;
	size_t nr, size, header_size;
} structs[] = {
	S(opt_spec, ublk_opt_spec, 56),	    S(opt, ublk_opt, 24),
	S(open_args, ublk_open_args, 24),   S(limits, ublk_limits, 96),
	S(queue_info, ublk_queue_info, 16), S(io, ublk_io, 56),
	S(extent, ublk_extent, 24),	    S(host, ublk_host, 88),
	S(plugin, ublk_plugin, 240),
};

/* That each member begins where the last one ended shows that none is missing in the table. */
START_TEST(test_struct)
{
	size_t end = 0;

	for (size_t i = 0; i < structs[_i].nr; i++) {
		const struct member *m = &structs[_i].member[i];

		ck_assert_msg(m->header_offset == m->offset && m->header_size == m->size,
			      "%s is at %zu with %zu bytes; the ABI has it at %zu with %zu",
			      m->name, m->header_offset, m->header_size, m->offset, m->size);
		ck_assert_msg(m->offset == end, "%s: there is something before it at %zu", m->name,
			      end);
		end = m->offset + m->size;
	}
	ck_assert_uint_eq(structs[_i].header_size, structs[_i].size);
	ck_assert_uint_eq(end, structs[_i].size);
}
END_TEST

START_TEST(test_sizes_of_1_0)
{
	ck_assert_uint_eq(UBLK_PLUGIN_V1_0_SIZE, 240);
	ck_assert_uint_eq(UBLK_HOST_V1_0_SIZE, 88);
}
END_TEST

START_TEST(test_constants)
{
	static const struct {
		const char *name;
		unsigned int header, value;
	} constants[] = {
#define C(name, value) { #name, name, value }
		C(UBLK_PLUGIN_MAGIC, 0x4b4c4255),
		C(UBLK_PLUGIN_ABI_MAJOR, 1),
		C(UBLK_PLUGIN_ABI_MINOR, 0),
		C(UBLK_OP_READ, 0),
		C(UBLK_OP_WRITE, 1),
		C(UBLK_OP_FLUSH, 2),
		C(UBLK_OP_DISCARD, 3),
		C(UBLK_OP_WRITE_ZEROES, 4),
		C(UBLK_OPS_READ, 1),
		C(UBLK_OPS_WRITE, 2),
		C(UBLK_OPS_FLUSH, 4),
		C(UBLK_OPS_DISCARD, 8),
		C(UBLK_OPS_WRITE_ZEROES, 16),
		C(UBLK_IOF_FUA, 1),
		C(UBLK_IOF_NOUNMAP, 2),
		C(UBLK_DEV_READ_ONLY, 1),
		C(UBLK_DEV_ROTATIONAL, 2),
		C(UBLK_DEV_VOLATILE_CACHE, 4),
		C(UBLK_DEV_FUA, 8),
		C(UBLK_DEV_MEM_FAULTS, 16),
		C(UBLK_DATA_MAPPED, 1),
		C(UBLK_DATA_FIXED, 2),
		C(UBLK_EXT_FD, 1),
		C(UBLK_EXT_MEM, 2),
		C(UBLK_EXT_ZERO, 4),
		C(UBLK_EXT_VOID, 8),
		C(UBLK_PLUGIN_NONBLOCKING, 1),
		C(UBLK_PLUGIN_RECOVERS, 2),
		C(UBLK_PLUGIN_REISSUE, 4),
		C(UBLK_PLUGIN_NEEDS_FILES, 256),
		C(UBLK_PLUGIN_NEEDS_NETWORK, 512),
		C(UBLK_PLUGIN_NEEDS_PROCESSES, 1024),
		C(UBLK_PLUGIN_NEEDS_IOCTLS, 2048),
		C(UBLK_THREADS_SERIAL, 0),
		C(UBLK_THREADS_PER_QUEUE, 1000),
		C(UBLK_THREADS_PARALLEL, 2000),
		C(UBLK_OPT_STRING, 1),
		C(UBLK_OPT_BOOL, 2),
		C(UBLK_OPT_U64, 3),
		C(UBLK_OPT_SIZE, 4),
		C(UBLK_OPT_PATH, 5),
		C(UBLK_OPT_ENUM, 6),
		C(UBLK_OPT_SECRET, 7),
		C(UBLK_OPTF_REQUIRED, 1),
		C(UBLK_OPEN_READ_ONLY, 1),
		C(UBLK_OPEN_RECOVER, 2),
		C(UBLK_OPEN_KEEP, 4),
		C(UBLK_LOG_ERR, 3),
		C(UBLK_LOG_WARN, 4),
		C(UBLK_LOG_INFO, 6),
		C(UBLK_LOG_DEBUG, 7),
#undef C
	};

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		ck_assert_msg(constants[i].header == constants[i].value, "%s is %u; the ABI has %u",
			      constants[i].name, constants[i].header, constants[i].value);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *tc = tcase_create("abi");

	if (sizeof(void *) == 8) /* on other machines the compiler's own rules hold */
		tcase_add_loop_test(tc, test_struct, 0, sizeof(structs) / sizeof(structs[0]));
	if (sizeof(void *) == 8)
		tcase_add_test(tc, test_sizes_of_1_0);
	tcase_add_test(tc, test_constants);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
