// SPDX-License-Identifier: MIT
/*
 * Are these limits possible? The rules are the driver's (its SET_PARAMS answers them all with one
 * -EINVAL) and the block layer's, plus those of the plugin contract. One line per failure, blaming
 * who can change the value.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/size.h"
#include "device/params.h"

#define KNOWN_ATTRS                                                                                \
	(UBLK_DEV_READ_ONLY | UBLK_DEV_ROTATIONAL | UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_FUA |       \
	 UBLK_DEV_MEM_FAULTS)

/* Whose limits these are. cfg NULL: the plugin's alone. */
struct check {
	const char *plugin;
	const struct device_config *cfg;
	const struct ublk_limits *l;
	uint32_t page;
};

static int plugin_wrong(const struct check *c, const char *fmt, ...) __printf_like(2, 3);

static int plugin_wrong(const struct check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("plugin %s must set %s", c->plugin, text);
	return -EPROTO;
}

/* Did the user choose this value? NULL, or where: "--logical-block", "a.json:5:14: /limits/...". */
static const char *users(const struct check *c, enum config_key key, uint64_t chosen,
			 uint64_t value, char *buf, size_t size)
{
	if (!c->cfg || !chosen || chosen != value)
		return NULL;
	if (c->cfg->where[key])
		return c->cfg->where[key];
	snprintf(buf, size, "--%s", config_key_spec(key)->flag);
	return buf;
}

static int check_logical(const struct check *c)
{
	uint32_t value = c->l->logical_block;
	char flag[40];
	const char *where = users(c, CFG_LOGICAL_BLOCK, c->cfg ? c->cfg->logical_block : 0, value,
				  flag, sizeof(flag));

	if (is_pow2(value) && value >= MIN_BLOCK && value <= MAX_LOGICAL_BLOCK)
		return 0;
	if (!where)
		return plugin_wrong(c, "logical_block to a power of two from %u to %u; it set %u",
				    MIN_BLOCK, MAX_LOGICAL_BLOCK, value);
	log_err("%s %u: must be a power of two from %u to %u", where, value, MIN_BLOCK,
		MAX_LOGICAL_BLOCK);
	return -EINVAL;
}

static int check_physical(const struct check *c)
{
	uint32_t value = c->l->physical_block;
	char flag[40];
	const char *where = users(c, CFG_PHYSICAL_BLOCK, c->cfg ? c->cfg->physical_block : 0, value,
				  flag, sizeof(flag));

	if (is_pow2(value) && value >= c->l->logical_block && value <= MAX_PHYSICAL_BLOCK)
		return 0;
	if (!where)
		return plugin_wrong(c,
				    "physical_block to a power of two from its logical_block %u to "
				    "%u; it set %u",
				    c->l->logical_block, MAX_PHYSICAL_BLOCK, value);
	log_err("%s %u: must be a power of two from %u (the logical block) to %u", where, value,
		c->l->logical_block, MAX_PHYSICAL_BLOCK);
	return -EINVAL;
}

static int check_hints(const struct check *c)
{
	const struct {
		const char *name;
		uint32_t value;
	} hints[] = { { "io_min", c->l->io_min }, { "io_opt", c->l->io_opt } };

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].value &&
		    (!is_pow2(hints[i].value) || hints[i].value > MAX_PHYSICAL_BLOCK))
			return plugin_wrong(c, "%s to 0 or a power of two up to %u; it set %u",
					    hints[i].name, MAX_PHYSICAL_BLOCK, hints[i].value);
	return 0;
}

/* The largest logical block that divides the size. */
static uint32_t block_of_size(uint64_t size)
{
	uint64_t divides = size & -size;

	return divides < MIN_BLOCK ? 0 : min_of(divides, (uint64_t)MAX_LOGICAL_BLOCK);
}

static int check_size(const struct check *c)
{
	uint64_t size = c->l->size_bytes, block = c->l->logical_block;
	char flag[40];
	const char *where = users(c, CFG_LOGICAL_BLOCK, c->cfg ? c->cfg->logical_block : 0, block,
				  flag, sizeof(flag));

	if (!size)
		return plugin_wrong(c, "size_bytes; it left 0");
	if (size > INT64_MAX)
		return plugin_wrong(c, "size_bytes to at most %" PRId64 "; it set %" PRIu64,
				    INT64_MAX, size);
	if (size % block == 0)
		return 0;
	if (where && block_of_size(size)) {
		log_err("%s %" PRIu64 ": the size of plugin %s, %" PRIu64
			" bytes, is not a multiple of it; use %u or less, or another size",
			where, block, c->plugin, size, block_of_size(size));
		return -EINVAL;
	}
	return plugin_wrong(c,
			    "size_bytes to a multiple of its logical_block %" PRIu64
			    "; it set %" PRIu64 " (the nearest would be %" PRIu64 " and %" PRIu64
			    "), so give it such a size",
			    block, size, size - size % block, size - size % block + block);
}

static int check_max_io(const struct check *c)
{
	uint32_t value = c->l->max_io_bytes;
	uint32_t least = max_of(c->page, c->l->logical_block);
	char flag[40];
	const char *where =
		users(c, CFG_MAX_IO, c->cfg ? c->cfg->max_io : 0, value, flag, sizeof(flag));

	if (value % c->page == 0 && value >= least && value <= MAX_IO_LIMIT)
		return 0;
	if (!where)
		return plugin_wrong(c,
				    "max_io_bytes to a multiple of %u (a page) from %u to %u; it "
				    "set %u",
				    c->page, least, MAX_IO_LIMIT, value);
	log_err("%s %u: must be a multiple of %u (a page) from %u to %u", where, value, c->page,
		least, MAX_IO_LIMIT);
	return -EINVAL;
}

static int check_chunk(const struct check *c)
{
	uint32_t value = c->l->chunk_bytes, block = c->l->logical_block;
	char flag[40];
	const char *where = users(c, CFG_LOGICAL_BLOCK, c->cfg ? c->cfg->logical_block : 0, block,
				  flag, sizeof(flag));

	if (value % block == 0)
		return 0;
	if (!where)
		return plugin_wrong(
			c, "chunk_bytes to 0 or a multiple of its logical_block %u; it set %u",
			block, value);
	log_err("%s %u: plugin %s works in chunks of %u bytes, which are not a multiple of it; use "
		"a smaller block",
		where, block, c->plugin, value);
	return -EINVAL;
}

static int check_alignment(const struct check *c)
{
	uint32_t value = c->l->dma_align;

	if (is_pow2(value) && value <= c->page)
		return 0;
	return plugin_wrong(c, "dma_align to a power of two up to %u (a page); it set %u", c->page,
			    value);
}

static int check_discard(const struct check *c)
{
	const struct ublk_limits *l = c->l;
	uint64_t longest = (uint64_t)LIMITS_MAX_RANGE_SECTORS << 9;

	if (l->max_write_zeroes_bytes && l->max_write_zeroes_bytes < MIN_BLOCK)
		return plugin_wrong(c,
				    "max_write_zeroes_bytes to 0 or at least a logical block; it "
				    "set %" PRIu64,
				    l->max_write_zeroes_bytes);
	if (!l->max_discard_bytes)
		return 0;
	if (!is_pow2(l->discard_granularity) || l->discard_granularity < MIN_BLOCK ||
	    l->discard_granularity > longest)
		return plugin_wrong(
			c, "discard_granularity to a power of two from %u to %u; it set %u",
			MIN_BLOCK, 1u << log2_of(longest), l->discard_granularity);
	if (l->max_discard_bytes < l->discard_granularity)
		return plugin_wrong(c,
				    "max_discard_bytes to 0 or at least a granule of %u; it set "
				    "%" PRIu64,
				    l->discard_granularity, l->max_discard_bytes);
	return 0;
}

/* What the queues are made from. */
static int check_queues(const struct check *c)
{
	const struct ublk_limits *l = c->l;
	uint64_t sqes = (uint64_t)l->max_depth * l->sqes_per_io + l->background_sqes;
	uint64_t scratch = (uint64_t)l->max_queues * l->max_depth * l->io_scratch_bytes;

	if (!l->max_queues || l->max_queues > MAX_QUEUES)
		return plugin_wrong(c, "max_queues from 1 to %u; it set %u", MAX_QUEUES,
				    l->max_queues);
	if (!l->max_depth || l->max_depth > MAX_DEPTH)
		return plugin_wrong(c, "max_depth from 1 to %u; it set %u", MAX_DEPTH,
				    l->max_depth);
	if (sqes > LIMITS_MAX_SQES)
		return plugin_wrong(c,
				    "sqes_per_io and background_sqes so that a queue needs at most "
				    "%u ring operations; depth %u x %u + %u is more, a smaller "
				    "--depth may do",
				    LIMITS_MAX_SQES, l->max_depth, l->sqes_per_io,
				    l->background_sqes);
	if (scratch > LIMITS_MAX_SCRATCH)
		return plugin_wrong(c,
				    "io_scratch_bytes so that all ios need at most %llu bytes; %u "
				    "queues x depth %u x %u is more, a smaller --depth may do",
				    LIMITS_MAX_SCRATCH, l->max_queues, l->max_depth,
				    l->io_scratch_bytes);
	return 0;
}

static int check_words(const struct check *c)
{
	if (c->l->attrs & ~KNOWN_ATTRS)
		return plugin_wrong(c, "attrs to UBLK_DEV_* of this ABI; it set %#x", c->l->attrs);
	if (c->l->attrs & UBLK_DEV_MEM_FAULTS && !(c->l->attrs & UBLK_DEV_READ_ONLY))
		return plugin_wrong(c,
				    "UBLK_DEV_MEM_FAULTS only with UBLK_DEV_READ_ONLY; it set "
				    "attrs to %#x",
				    c->l->attrs);
	if (c->l->reserved)
		return plugin_wrong(c, "reserved to 0; it set %#x", c->l->reserved);
	return 0;
}

/* In the order in which one depends on another. */
static int check_values(const struct check *c)
{
	int (*const checks[])(const struct check *) = {
		check_words,  check_logical, check_physical,  check_hints,   check_size,
		check_max_io, check_chunk,   check_alignment, check_discard, check_queues
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !err; i++)
		err = checks[i](c);
	return err;
}

/* Nothing may be wider than what was offered. */
static int check_narrowed(const struct check *c, const struct ublk_limits *offered)
{
	const struct {
		const char *name;
		uint32_t offered, got;
	} most[] = { { "max_io_bytes", offered->max_io_bytes, c->l->max_io_bytes },
		     { "max_queues", offered->max_queues, c->l->max_queues },
		     { "max_depth", offered->max_depth, c->l->max_depth } },
	  subset[] = { { "map_kinds", offered->map_kinds, c->l->map_kinds },
		       { "data_modes", offered->data_modes, c->l->data_modes } };

	for (size_t i = 0; i < ARRAY_SIZE(most); i++)
		if (most[i].got > most[i].offered)
			return plugin_wrong(c,
					    "%s to at most the %u that it was offered; it set %u",
					    most[i].name, most[i].offered, most[i].got);
	for (size_t i = 0; i < ARRAY_SIZE(subset); i++)
		if (subset[i].got & ~subset[i].offered || (subset[i].offered && !subset[i].got))
			return plugin_wrong(c, "%s to some of the %#x that it offers; it set %#x",
					    subset[i].name, subset[i].offered, subset[i].got);
	if (offered->attrs & UBLK_DEV_READ_ONLY && !(c->l->attrs & UBLK_DEV_READ_ONLY))
		return plugin_wrong(c, "UBLK_DEV_READ_ONLY, as it was offered; it took it away");
	return 0;
}

static uint32_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

int limits_check_plugin(const char *plugin, const struct ublk_limits *offered,
			const struct ublk_limits *got, const struct device_config *cfg)
{
	struct check c = { .plugin = plugin, .l = got, .page = page_size() };
	char flag[40];
	const char *where;
	int err;

	/* It limits max_io_bytes, which must not be put on the user because of it. */
	err = check_logical(&c);
	/* What the user asked for comes back unless the plugin lowers it: that is the user's. */
	if (got->max_io_bytes == offered->max_io_bytes)
		c.cfg = cfg;
	if (!err)
		err = check_max_io(&c);
	c.cfg = NULL;
	if (!err)
		err = check_values(&c);
	if (!err)
		err = check_narrowed(&c, offered);
	if (err || !cfg->logical_block || cfg->logical_block >= got->logical_block)
		return err;
	c.cfg = cfg;
	where = users(&c, CFG_LOGICAL_BLOCK, cfg->logical_block, cfg->logical_block, flag,
		      sizeof(flag));
	log_err("%s %u: plugin %s works in blocks of %u; use that or a larger one", where,
		cfg->logical_block, plugin, got->logical_block);
	return -EINVAL;
}

static void adjust(struct ublk_limits *l)
{
	uint64_t longest = (uint64_t)LIMITS_MAX_RANGE_SECTORS << 9;

	l->io_min = max_of(l->io_min, l->physical_block);
	l->io_opt = max_of(l->io_opt, l->physical_block);
	l->dma_align = max_of(l->dma_align, 4u);
	l->discard_granularity = max_of(l->discard_granularity, l->logical_block);
	l->max_write_zeroes_bytes = min_of(l->max_write_zeroes_bytes, longest);
	l->max_write_zeroes_bytes -= l->max_write_zeroes_bytes % l->logical_block;
	/* A granule that a larger logical block made too large ends in no discards. */
	l->max_discard_bytes = min_of(l->max_discard_bytes, longest);
	l->max_discard_bytes -= l->max_discard_bytes % l->discard_granularity;
}

int limits_check_paged(const char *plugin, struct ublk_limits *limits,
		       const struct device_config *cfg, uint32_t page)
{
	const struct check c = { .plugin = plugin, .cfg = cfg, .l = limits, .page = page };
	int err = check_values(&c);

	if (!err)
		adjust(limits);
	return err;
}

int limits_check(const char *plugin, struct ublk_limits *limits, const struct device_config *cfg)
{
	return limits_check_paged(plugin, limits, cfg, page_size());
}
