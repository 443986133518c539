// SPDX-License-Identifier: MIT
/*
 * State files (device/state*.c), of any content: what is read is what the file says, is written as it was
 * read, and stays so when others note something in it.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "fuzz.h"

#include "device/state_file.h"

#define ID 900001u

static void same_text(const char *a, const char *b)
{
	FUZZ_CHECK(!a == !b && (!a || !strcmp(a, b)), "%s, not %s", b ? b : "nothing",
		   a ? a : "nothing");
}

static void same_json(json_t *a, json_t *b)
{
	FUZZ_CHECK(!a == !b && (!a || json_equal(a, b)));
}

static void same_state(const struct device_state *a, const struct device_state *b)
{
	FUZZ_CHECK(a->id == b->id && a->pid == b->pid && a->pid_start == b->pid_start);
	FUZZ_CHECK(a->in_hand == b->in_hand &&
		   (!a->in_hand || a->in_hand_start == b->in_hand_start));
	same_text(a->name, b->name);
	same_text(a->node, b->node);
	same_text(a->plugin_path, b->plugin_path);
	same_text(a->data_path, b->data_path);
	same_text(a->data_path_why, b->data_path_why);
	same_text(a->log, b->log);
	same_text(a->source, b->source);
	same_text(a->failed, b->failed);
	same_json(a->manifest, b->manifest);
	same_json(a->memory, b->memory);
	same_json(a->files, b->files);
	same_json(a->asked, b->asked);
}

/* Numbers that were cut to fit would be another process's. */
static void check_numbers(const struct device_state *state, const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);

	FUZZ_CHECK(json, "a file that is no JSON was read");
	FUZZ_CHECK(json_integer_value(json_object_get(json, "pid")) == state->pid);
	FUZZ_CHECK(json_integer_value(json_object_get(json, "in_hand")) == state->in_hand);
	FUZZ_CHECK((uint64_t)json_integer_value(json_object_get(json, "pid_start")) ==
		   state->pid_start);
	json_decref(json);
}

/* What the state says, whatever it is, must not lead to a process that nobody named. */
static void check_state(const struct device_state *state)
{
	FUZZ_CHECK(state->id == ID && state->pid > 0 && state_name_valid(state->name));
	fuzz_check_line(state->name); /* it is a word on one line of list */
	FUZZ_CHECK(!state_file_check(state));
	FUZZ_CHECK(state->in_hand >= 0);
	FUZZ_CHECK(!state_in_hand(state) || state->in_hand > 0);
}

static void check_marks(int dir, const struct device_state *state)
{
	struct device_state marked;
	json_t *options;

	FUZZ_CHECK(!state_set_failed(ID, "fuzzed"));
	FUZZ_CHECK(!state_file_read(dir, ID, &marked, true));
	FUZZ_CHECK(!marked.in_hand && !strcmp(marked.failed, "fuzzed"));
	free(marked.failed);
	marked.failed = state->failed ? strdup(state->failed) : NULL;
	marked.in_hand = state->in_hand;
	marked.in_hand_start = state->in_hand_start;
	same_state(state, &marked);
	state_free(&marked);
	FUZZ_CHECK(!state_take_in_hand(ID));
	FUZZ_CHECK(!state_file_read(dir, ID, &marked, true));
	FUZZ_CHECK(marked.in_hand == getpid());
	state_free(&marked);
	options = json_object_get(state->manifest, "options");
	if (!json_is_object(state->manifest) || (options && !json_is_object(options))) {
		FUZZ_CHECK(state_set_size(ID, 4096) == -EBADMSG);
		return;
	}
	FUZZ_CHECK(!state_set_size(ID, 4096));
	FUZZ_CHECK(!state_file_read(dir, ID, &marked, true));
	FUZZ_CHECK(json_integer_value(json_object_get(json_object_get(marked.manifest, "options"),
						      "size")) == 4096);
	state_free(&marked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device_state state, back;
	struct fuzz_log log;
	int dir, err;

	setenv("UBLK_HOST_RUN_DIR", fuzz_folder(), 1);
	dir = open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir >= 0);
	fuzz_write_file("900001.json", data, size);
	fuzz_log_begin(&log);
	err = state_file_read(dir, ID, &state, false);
	fuzz_log_end(&log, err);
	if (!err) {
		check_state(&state);
		check_numbers(&state, data, size);
		FUZZ_CHECK(!state_file_write(dir, &state));
		FUZZ_CHECK(!state_file_read(dir, ID, &back, true));
		same_state(&state, &back);
		check_marks(dir, &back);
		state_free(&back);
		state_free(&state);
	} else {
		FUZZ_CHECK(err == -EBADMSG, "%d", err);
	}
	close(dir);
	return 0;
}
