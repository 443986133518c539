// SPDX-License-Identifier: MIT
/* The results of `check`, as TAP version 13 with what was seen, or as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/check_out.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "plugin/plugin.h"

#define MESSAGES_SHOWN 12 /* lines of a failed check's */

/* A YAML scalar in quotation marks is a JSON string. */
static void print_quoted(const char *head, const char *text)
{
	json_t *json = json_from_text(text);
	char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	printf("%s%s\n", head, quoted ? quoted : "\"?\"");
	free(quoted);
	json_decref(json);
}

/* The first ones: what follows is mostly their consequence. */
static void print_messages(const char *messages)
{
	unsigned int nr = 0;

	while (*messages) {
		size_t len = strcspn(messages, "\n");
		char text[512];

		snprintf(text, sizeof(text), "%.*s", (int)len, messages);
		messages += len + (messages[len] == '\n');
		if (!*text || nr == MESSAGES_SHOWN)
			continue;
		if (!nr++)
			printf("  messages:\n");
		print_quoted("    - ", text);
	}
}

static void print_failure(const struct check_out *out, const struct check_result *result)
{
	char again[128];

	snprintf(again, sizeof(again), "--only %s --seed %" PRIu64, result->name,
		 out->request->seed);
	printf("  ---\n");
	print_quoted("  contract: ", result->contract);
	print_quoted("  seen: ", result->seen);
	print_quoted("  again: ", again);
	print_messages(result->messages);
	printf("  ...\n");
}

static void print_tap(const struct check_out *out, const struct check_result *result)
{
	printf("%sok %u - %s: %s", result->verdict == CHECK_FAILED ? "not " : "",
	       out->passed + out->failed + out->skipped, result->name, result->contract);
	if (result->verdict == CHECK_SKIPPED)
		printf(" # SKIP %s", result->seen);
	putchar('\n');
	if (result->verdict == CHECK_FAILED)
		print_failure(out, result);
	fflush(stdout);
}

static int add_json(struct check_out *out, const struct check_result *result)
{
	static const char *const words[] = { "passed", "failed", "skipped" };
	json_t *one = json_pack("{s:s, s:s, s:s, s:o, s:o, s:i}", "check", result->name, "contract",
				result->contract, "result", words[result->verdict], "seen",
				json_from_text(result->seen), "messages",
				json_from_text(result->messages), "ms", (int)result->ms);

	return json_array_append_new(out->results, one);
}

void check_out_begin(struct check_out *out, unsigned int nr)
{
	out->nr = nr;
	if (out->json) {
		out->results = json_array();
		return;
	}
	printf("TAP version 13\n# ublk-host %s, plugin %s (%s), seed %" PRIu64 "\n1..%u\n", VERSION,
	       out->request->path,
	       *out->device->plugin ? out->device->plugin : "it could not be loaded",
	       out->request->seed, nr);
	fflush(stdout);
}

int check_out_result(struct check_out *out, const struct check_result *result)
{
	out->passed += result->verdict == CHECK_OK;
	out->failed += result->verdict == CHECK_FAILED;
	out->skipped += result->verdict == CHECK_SKIPPED;
	if (!out->json) {
		print_tap(out, result);
	} else if (add_json(out, result)) {
		log_err("out of memory");
		return -ENOMEM;
	}
	return 0;
}

int check_out_end(struct check_out *out)
{
	int status = out->failed ? EXIT_FAILED : EXIT_DONE;

	if (out->json) {
		int err = json_print(json_pack(
			"{s:o, s:o, s:I, s:i, s:i, s:i, s:o}", "plugin",
			json_from_text(out->request->path), "what",
			json_from_text(out->device->plugin), "seed", (json_int_t)out->request->seed,
			"passed", (int)out->passed, "failed", (int)out->failed, "skipped",
			(int)out->skipped, "checks", out->results));

		return err ? err : status;
	}
	if (out->passed + out->failed + out->skipped < out->nr)
		printf("Bail out! The device could not be opened.\n");
	printf("# %u passed, %u failed, %u skipped\n", out->passed, out->failed, out->skipped);
	return status;
}

static json_t *speed_json(const struct check_speed *speed)
{
	return json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "op", op_name(speed->op), "bytes",
			 (int)speed->bytes, "depth", (int)speed->depth, "iops", speed->iops,
			 "cpu_us", speed->cpu_us, "bare_iops", speed->bare_iops, "bare_cpu_us",
			 speed->bare_cpu_us);
}

static int print_speeds(const struct check_speed *speeds, int nr)
{
	static const char *const head[] = { "op",	 "bytes", "depth",	"requests/s",
					    "x nothing", "MB/s",  "CPU us more" };
	struct table table;
	int err;

	table_begin(&table, ARRAY_SIZE(head));
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		table_add(&table, "%s", head[i]);
	for (const struct check_speed *s = speeds; s < speeds + nr; s++) {
		table_add(&table, "%s", op_name(s->op));
		table_add(&table, "%u", s->bytes);
		table_add(&table, "%u", s->depth);
		table_add(&table, "%.0f", s->iops);
		table_add(&table, "%.2f", s->iops / s->bare_iops);
		table_add(&table, "%.1f", s->iops * s->bytes / 1e6);
		table_add(&table, "%.2f", s->cpu_us - s->bare_cpu_us);
	}
	err = table_print(&table, stdout);
	table_free(&table);
	printf("\nThrough the data plane, copying, without a driver. \"Nothing\" is a plugin whose bytes are nowhere;\n"
	       "the last column is the CPU time that a request takes beyond its.\n");
	return err;
}

int check_out_bench(const struct check_out *out)
{
	struct check_speed speeds[CHECK_SPEEDS];
	struct check_result result;
	int nr = check_bench(out->request, speeds, &result);
	json_t *list;

	if (nr == -EIO)
		log_err("cannot measure it: %s; ublk-host check without --bench tells more",
			result.seen);
	check_result_free(&result);
	if (nr < 0)
		return nr;
	if (!out->json)
		return print_speeds(speeds, nr);
	list = json_array();
	for (int i = 0; i < nr; i++)
		json_array_append_new(list, speed_json(&speeds[i]));
	return json_print(json_pack("{s:o, s:o, s:o}", "plugin", json_from_text(out->request->path),
				    "what", json_from_text(out->device->plugin), "speeds", list))
		       ? -EIO
		       : 0;
}
