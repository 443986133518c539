// SPDX-License-Identifier: MIT
/* Verb info: everything that is known of one device. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "config/cpulist.h"
#include "config/size.h"
#include "device/stats_file.h"
#include "kernel/features.h"
#include "kernel/sysfs.h"

static const struct cli_opt opts[] = {
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "info",
	.synopsis = "NAME|ID [--json]",
	.about = "Tells all that is known of a device. Root sees more: what the driver tells.",
	.opts = opts,
};

/* Seconds since the server started, or -1. */
static int64_t uptime(const struct device_view *view)
{
	struct timespec now;
	uint64_t start;

	if (!view->server_alive || state_pid_start(view->pid, &start) < 0)
		return -1;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return max_of((int64_t)now.tv_sec - (int64_t)(start / sysconf(_SC_CLK_TCK)), (int64_t)0);
}

/* CPUs whose requests come to this queue, "0-3"; malloc()ed, NULL: not known. */
static char *queue_cpus(struct ctrl *ctrl, const struct device_view *view, uint16_t qid)
{
	size_t size = round_up_to(CPU_ALLOC_SIZE(sysfs_nr_cpu_ids("")), 8);
	__cleanup_free cpu_set_t *set = calloc(1, size);

	if (!set || !ctrl || ctrl_get_queue_affinity(ctrl, view->id, qid, set, (uint16_t)size) < 0)
		return NULL;
	return cpulist_format(set, size);
}

static json_t *queues_to_json(struct ctrl *ctrl, const struct device_view *view)
{
	json_t *array = json_array();
	uint32_t q;

	for (q = 0; array && view->has_info && q < view->queues; q++) {
		__cleanup_free char *cpus = queue_cpus(ctrl, view, (uint16_t)q);

		if (json_array_append_new(array, json_from_text(cpus)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *flags_to_json(const struct device_view *view)
{
	const struct feature *feature;
	unsigned int pos = 0;
	json_t *array;

	if (!view->has_info)
		return json_null();
	array = json_array();
	while (array && (feature = feature_next(view->info.flags, &pos)))
		if (json_array_append_new(array, json_string(feature->name)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* The driver's answer to GET_PARAMS in bytes and booleans; null if it was not asked. */
static json_t *limits_to_json(const struct device_view *view)
{
	const struct ublk_params *p = &view->params;
	bool discard = p->types & UBLK_PARAM_TYPE_DISCARD;

	if (!view->has_params || !(p->types & UBLK_PARAM_TYPE_BASIC))
		return json_null();
	return json_pack(
		"{s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"read_only", !!(p->basic.attrs & UBLK_ATTR_READ_ONLY), "rotational",
		!!(p->basic.attrs & UBLK_ATTR_ROTATIONAL), "volatile_cache",
		!!(p->basic.attrs & UBLK_ATTR_VOLATILE_CACHE), "fua",
		!!(p->basic.attrs & UBLK_ATTR_FUA), "logical_block",
		(json_int_t)1 << p->basic.logical_bs_shift, "physical_block",
		(json_int_t)1 << p->basic.physical_bs_shift, "io_min",
		(json_int_t)1 << p->basic.io_min_shift, "io_opt",
		(json_int_t)1 << p->basic.io_opt_shift, "max_io",
		(json_int_t)p->basic.max_sectors << 9, "chunk",
		(json_int_t)p->basic.chunk_sectors << 9, "discard_granularity",
		discard ? (json_int_t)p->discard.discard_granularity : 0, "max_discard",
		discard ? (json_int_t)p->discard.max_discard_sectors << 9 : 0, "max_write_zeroes",
		discard ? (json_int_t)p->discard.max_write_zeroes_sectors << 9 : 0, "dma_align",
		json_number_or_null(p->types & UBLK_PARAM_TYPE_DMA_ALIGN,
				    (int64_t)p->dma.alignment + 1));
}

/* Requests by kind, and how many of them failed; null if the server does not share them. */
static json_t *served_to_json(const struct device_view *view)
{
	__cleanup_free struct stats *stats = NULL;
	struct queue_stats sum;
	uint64_t errors = 0;
	json_t *served;

	if (!view->ours || stats_read(&view->state, &stats) < 0)
		return json_null();
	served = json_object();
	stats_sum(stats, &sum);
	for (unsigned int op = 0; served && op < NR_OPS; op++) {
		json_object_set_new(served, op_name(op),
				    json_integer((json_int_t)sum.counters.ops[op]));
		errors += sum.counters.errors[op];
	}
	json_object_set_new(served, "errors", json_integer((json_int_t)errors));
	return served;
}

/* Of --user: who its server is, if not who started it. */
static json_t *user_of(const struct device_view *view)
{
	const json_t *device = view->ours ? json_object_get(view->state.manifest, "device") : NULL;

	return json_from_text(json_string_value(json_object_get(device, "user")));
}

static json_t *options_of(const struct device_view *view)
{
	json_t *options = view->ours ? json_object_get(view->state.manifest, "options") : NULL;

	return options ? json_incref(options) : json_null();
}

/*
 * One object. Members, in this order; null where it is not known or there is none: id, name, node,
 * state, failed (why it was given up), foreign, size (bytes), limits (an object: read_only, rotational,
 * volatile_cache, fua, logical_block, physical_block, io_min, io_opt, max_io, chunk,
 * discard_granularity, max_discard, max_write_zeroes, dma_align, in bytes), queues, depth, queue_cpus
 * (an array of lists), flags (an array of names), data_path, data_path_why, plugin, plugin_path, source
 * (the manifest of serve or apply that it belongs to), options (an object, without secrets), served (an
 * object of numbers: read, write, flush, discard, write_zeroes, errors), pid,
 * command, standby (the process that is to be its next server), user (of --user), uptime (seconds), owner_uid, owner_gid, remedy (a command that helps a device
 * whose server is dead), manifest (what creates it again).
 */
static json_t *to_json(const struct device_view *view, struct ctrl *ctrl)
{
	__cleanup_free char *plugin = device_plugin_name(view), *remedy = device_remedy(view);
	const struct device_state *state = &view->state;
	char node[NODE_PATH_SIZE];
	int32_t standby = view->ours && state->standby_ready ? state_standby(state) : 0;
	int64_t up = uptime(view);

	return json_pack(
		"{s:I, s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O?}",
		"id", (json_int_t)view->id, "name", json_from_text(view->ours ? state->name : NULL),
		"node", json_from_text(view->has_disk ? node_block(view->id, node) : NULL), "state",
		device_condition_word(view), "failed",
		json_from_text(view->ours ? state->failed : NULL), "foreign", !view->ours, "size",
		json_number_or_null(view->size >= 0, view->size), "limits", limits_to_json(view),
		"queues", json_number_or_null(view->queues, view->queues), "depth",
		json_number_or_null(view->depth, view->depth), "queue_cpus",
		queues_to_json(ctrl, view), "flags", flags_to_json(view), "data_path",
		json_from_text(view->ours ? state->data_path : NULL), "data_path_why",
		json_from_text(view->ours ? state->data_path_why : NULL), "plugin",
		json_from_text(plugin), "plugin_path",
		json_from_text(view->ours ? state->plugin_path : NULL), "source",
		json_from_text(view->ours ? state->source : NULL), "options", options_of(view),
		"served", served_to_json(view), "pid",
		json_number_or_null(view->server_alive, view->pid), "command",
		json_from_text(*view->command ? view->command : NULL), "standby",
		json_number_or_null(standby, standby), "user", user_of(view), "uptime",
		json_number_or_null(up >= 0, up), "owner_uid",
		json_number_or_null(view->has_info, view->info.owner_uid), "owner_gid",
		json_number_or_null(view->has_info, view->info.owner_gid), "remedy",
		json_from_text(remedy), "manifest", view->ours ? state->manifest : NULL);
}

/* Byte counts of the JSON that people rather read as 512K. */
static bool is_size(const char *key)
{
	static const char *const sizes[] = {
		"size",	       "logical_block",	   "physical_block", "io_min",
		"io_opt",      "max_io",	   "chunk",	     "discard_granularity",
		"max_discard", "max_write_zeroes", "dma_align"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (strcmp(key, sizes[i]) == 0)
			return true;
	return false;
}

static void uptime_text(char *buf, size_t size, json_int_t seconds)
{
	long long s = seconds;

	if (s >= 86400)
		snprintf(buf, size, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(buf, size, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(buf, size, "%lldm %llds", s / 60, s % 60);
	else
		snprintf(buf, size, "%llds", s);
}

static void add_value(struct table *table, const char *head, const char *key, const json_t *value)
{
	char text[32];

	if (json_is_null(value))
		return;
	table_add(table, "%s:", head);
	if (json_is_string(value)) {
		table_add(table, "%s", json_string_value(value));
	} else if (json_is_boolean(value)) {
		table_add(table, "%s", json_is_true(value) ? "yes" : "no");
	} else if (!json_is_integer(value)) {
		table_add(table, "?");
	} else if (is_size(key)) {
		table_add(table, "%s", size_format((uint64_t)json_integer_value(value), text));
	} else if (strcmp(key, "uptime") == 0) {
		uptime_text(text, sizeof(text), json_integer_value(value));
		table_add(table, "%s", text);
	} else {
		table_add(table, "%lld", (long long)json_integer_value(value));
	}
}

/* Members of an object, or elements of an array, as lines of their own. prefix: before the name. */
static void add_members(struct table *table, const char *prefix, json_t *value)
{
	const char *name;
	char head[96];
	json_t *member;
	size_t i;

	json_object_foreach(value, name, member)
	{
		snprintf(head, sizeof(head), "%s%s", prefix, name);
		add_value(table, head, name, member);
	}
	json_array_foreach(value, i, member)
	{
		snprintf(head, sizeof(head), "%s%zu", prefix, i);
		add_value(table, head, "", member);
	}
}

/* What stands before the names of an object's members. */
static const char *prefix_of(const char *key)
{
	if (strcmp(key, "options") == 0)
		return "option ";
	return strcmp(key, "served") == 0 ? "served " : "";
}

static void add_names(struct table *table, const char *key, const json_t *array)
{
	char text[1024] = "";
	size_t i, len = 0;
	json_t *name;

	json_array_foreach(array, i, name) if (len < sizeof(text)) len += snprintf(
		text + len, sizeof(text) - len, "%s%s", i ? ", " : "", json_string_value(name));
	table_add(table, "%s:", key);
	table_add(table, "%s", text);
}

/* The same as the JSON, so that neither knows more than the other. */
static int print_text(json_t *json)
{
	struct table table;
	const char *key;
	json_t *value;
	int err;

	if (!json) {
		log_err("cannot tell of the device: out of memory");
		return EXIT_FAILED;
	}
	table_begin(&table, 2);
	json_object_foreach(json, key, value)
	{
		if (strcmp(key, "manifest") == 0)
			continue;
		if (strcmp(key, "flags") == 0 && json_is_array(value))
			add_names(&table, key, value);
		else if (json_is_array(value))
			add_members(&table, "cpus of queue ", value);
		else if (json_is_object(value))
			add_members(&table, prefix_of(key), value);
		else
			add_value(&table, key, key, value);
	}
	err = table_print(&table, stdout);
	if (err)
		log_err("cannot tell of the device: %s", strerror(-err));
	table_free(&table);
	json_decref(json);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int tell(const char *word, bool json)
{
	struct device_view view;
	struct ctrl *ctrl = devices_ctrl();
	int err = device_find_view(&view, word, "tell of", ctrl);
	int status = EXIT_FAILED;

	if (!err && !device_check_known(&view)) {
		json_t *all = to_json(&view, ctrl);

		status = json ? json_print(all) : print_text(all);
		device_view_free(&view);
	}
	ctrl_close(ctrl);
	return status;
}

int verb_info(int argc, char **argv)
{
	struct cli_args args;
	const char *value, *word = NULL;
	bool json = false;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == 'j')
			json = true;
		else if (word)
			cli_stray(&args, value);
		else
			word = value;
	}
	if (!word && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which device? Give its NAME or ID");
	status = cli_finish(&args);
	return status >= 0 ? status : tell(word, json);
}
