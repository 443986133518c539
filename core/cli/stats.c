// SPDX-License-Identifier: MIT
/* Verb stats: what a device's queues have counted, at once or at intervals, and the switch of its
 * latencies. Reads a file that the server shares: it is not asked, and does not notice. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/stats_out.h"
#include "cli/usage.h"
#include "device/stats_file.h"

#define MAX_INTERVAL 86400u

enum { KEY_ALL = 256, KEY_INTERVAL, KEY_COUNT, KEY_LATENCY, KEY_QUEUES };

static const struct cli_opt opts[] = {
	{ KEY_ALL, "all", NULL, "every device that ublk-host serves" },
	{ KEY_QUEUES, "queues", NULL, "tell of each queue, too" },
	{ KEY_INTERVAL, "interval", "SECONDS", "tell the rates of each interval, until stopped" },
	{ KEY_COUNT, "count", "N", "stop after N intervals" },
	{ KEY_LATENCY, "latency", "on|off",
	  "measure latencies from now on, or no longer; takes root" },
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "stats",
	.synopsis = "NAME|ID|--all [OPTION]...",
	.about =
		"Tells what a device has done since its start, or does at intervals: requests, bytes,\n"
		"errors, system calls, and latencies if they are measured.",
	.opts = opts,
};

struct stats_args {
	const char *word;
	bool all, json, queues;
	uint64_t interval, count; /* 0: none; without end */
	bool set_latency, latency;
};

/* A device as it was found. */
struct found {
	uint32_t id;
	char *name;
	bool server_alive;
	struct stats *stats; /* NULL: there are none */
};

struct sample {
	struct found *found;
	size_t nr;
	uint64_t ns; /* when it was taken */
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sample_free(struct sample *sample)
{
	for (size_t i = 0; i < sample->nr; i++) {
		free(sample->found[i].name);
		free(sample->found[i].stats);
	}
	free(sample->found);
	*sample = (struct sample){ 0 };
}

static int add_found(const struct device_state *state, void *arg)
{
	struct sample *sample = arg;
	struct found *grown = reallocarray(sample->found, sample->nr + 1, sizeof(*grown));
	struct found *found;

	if (!grown)
		return -ENOMEM;
	sample->found = grown;
	found = &grown[sample->nr];
	*found = (struct found){ .id = state->id,
				 .name = strdup(state->name),
				 .server_alive = state_server_alive(state) };
	if (!found->name)
		return -ENOMEM;
	sample->nr++;
	stats_read(state, &found->stats);
	return 0;
}

/* One device, which must have statistics. */
static int find_one(const char *word, struct sample *sample)
{
	struct device_state state;
	uint32_t id;
	int err = device_find_state(&state, word, "tell of", &id);

	if (err == -ENXIO)
		log_err("device %u has no statistics: it is another program's", id);
	if (err)
		return err;
	err = add_found(&state, sample);
	state_free(&state);
	if (!err && !sample->found[0].stats) {
		log_err("%s has no statistics: its server could not share them, and its log tells why",
			sample->found[0].name);
		err = -ENOENT;
	}
	return err;
}

/* 0 or -errno, logged. */
static int take_sample(const struct stats_args *args, struct sample *sample)
{
	int err;

	*sample = (struct sample){ .ns = clock_ns() };
	err = args->all ? state_for_each(add_found, sample) : find_one(args->word, sample);
	if (err == -EBADMSG && args->all)
		err = 0; /* those of others can be read */
	if (err == -ENOMEM)
		log_err("cannot read the statistics: out of memory");
	if (err)
		sample_free(sample);
	return err;
}

/* The same server's statistics in another sample, or NULL. */
static const struct stats *stats_in(const struct sample *sample, const struct found *wanted)
{
	for (size_t i = 0; i < sample->nr; i++) {
		const struct found *found = &sample->found[i];

		if (found->id == wanted->id && found->stats && wanted->stats &&
		    found->stats->pid == wanted->stats->pid &&
		    found->stats->pid_start == wanted->stats->pid_start &&
		    found->stats->nr_queues == wanted->stats->nr_queues)
			return found->stats;
	}
	return NULL;
}

/* False: there is nothing to tell of it yet, as it came within the interval. */
static bool view_of(const struct stats_args *args, const struct found *found,
		    const struct sample *now, const struct sample *before, struct stats_view *view)
{
	*view = (struct stats_view){ .id = found->id,
				     .name = found->name,
				     .server_alive = found->server_alive,
				     .now = found->stats,
				     .per_queue = args->queues };
	if (!before || !found->stats)
		return true;
	view->before = stats_in(before, found);
	view->seconds = (double)(now->ns - before->ns) / 1e9;
	return view->before;
}

static json_t *sample_to_json(const struct stats_args *args, const struct sample *now,
			      const struct sample *before)
{
	json_t *array = json_array();
	struct stats_view view;

	for (size_t i = 0; array && i < now->nr; i++)
		if (view_of(args, &now->found[i], now, before, &view) &&
		    json_array_append_new(array, stats_to_json(&view)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* before NULL: all since each device's start. */
static int print_sample(const struct stats_args *args, const struct sample *now,
			const struct sample *before)
{
	struct stats_view view;
	int err = 0;

	if (args->json && before)
		return json_print_line(sample_to_json(args, now, before));
	if (args->json)
		return json_print(sample_to_json(args, now, before));
	if (!now->nr && !before)
		log_info("no devices to tell of");
	for (size_t i = 0; i < now->nr && !err; i++) {
		if (!view_of(args, &now->found[i], now, before, &view))
			continue;
		if (i || before)
			printf("\n");
		err = stats_print(&view);
	}
	if (err)
		log_err("cannot print the statistics: %s", strerror(-err));
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int switch_latency(const struct sample *sample, bool on)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < sample->nr; i++)
		if (sample->found[i].stats && stats_set_latency(sample->found[i].id, on) < 0)
			status = EXIT_FAILED;
	return status;
}

static void sleep_until(uint64_t ns)
{
	struct timespec until = { .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* sample: the first; each that follows takes its place. */
static int print_intervals(const struct stats_args *args, struct sample *sample)
{
	uint64_t step = args->interval * 1000000000u, next = sample->ns;
	int status = EXIT_DONE;

	for (uint64_t n = 0; (!args->count || n < args->count) && status == EXIT_DONE; n++) {
		struct sample now;

		next += step;
		if (next < sample->ns + step / 2) /* the machine slept, or was too busy */
			next = sample->ns + step;
		sleep_until(next);
		if (take_sample(args, &now) < 0)
			return EXIT_FAILED;
		status = print_sample(args, &now, sample);
		sample_free(sample);
		*sample = now;
		if (fflush(stdout) || ferror(stdout))
			break; /* nobody reads on: cli_main() tells */
	}
	return status;
}

static int run(const struct stats_args *args)
{
	struct sample sample;
	int status = EXIT_DONE;

	if (take_sample(args, &sample) < 0)
		return EXIT_FAILED;
	if (args->set_latency) {
		status = switch_latency(&sample, args->latency);
		sample_free(&sample);
		if (take_sample(args, &sample) < 0)
			return EXIT_FAILED;
	}
	if (status == EXIT_DONE)
		status = args->interval ? print_intervals(args, &sample)
					: print_sample(args, &sample, NULL);
	sample_free(&sample);
	return status;
}

static void take(struct cli_args *cli, struct stats_args *args, int key, const char *value)
{
	switch (key) {
	case KEY_ALL:
		args->all = true;
		break;
	case KEY_QUEUES:
		args->queues = true;
		break;
	case 'j':
		args->json = true;
		break;
	case KEY_INTERVAL:
		cli_number(cli, "interval", value, 1, MAX_INTERVAL, &args->interval);
		break;
	case KEY_COUNT:
		cli_number(cli, "count", value, 1, UINT32_MAX, &args->count);
		break;
	case KEY_LATENCY:
		args->set_latency = true;
		args->latency = strcmp(value, "on") == 0;
		if (!args->latency && strcmp(value, "off"))
			cli_error(cli, "--latency: expected on or off, got \"%s\"", value);
		break;
	default:
		if (args->word)
			cli_stray(cli, value);
		args->word = value;
	}
}

int verb_stats(int argc, char **argv)
{
	struct stats_args args = { 0 };
	struct cli_args cli;
	const char *value;
	int key, status;

	cli_begin(&cli, &usage, argc, argv);
	while ((key = cli_next(&cli, &value)) != CLI_END)
		take(&cli, &args, key, value);
	if (args.all && args.word)
		cli_error(&cli, "\"%s\" and --all exclude each other", args.word);
	if (!args.all && !args.word && !cli.helped && !errors_count(&cli.errors))
		cli_error(&cli, "which device? Give its NAME, ID or --all");
	if (args.count && !args.interval && !errors_count(&cli.errors))
		cli_error(&cli, "--count needs --interval");
	status = cli_finish(&cli);
	return status >= 0 ? status : run(&args);
}
