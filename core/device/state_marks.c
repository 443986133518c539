// SPDX-License-Identifier: MIT
/* What others than its server note in the state of a device: that it was given up, that somebody has it in
 * hand or stands by, its new size, and the manifest that it belongs to. */
#include <string.h>
#include <unistd.h>

#include "device/state_file.h"

/* Change what the state says. 0 or -errno. */
typedef int (*change)(struct device_state *state, const void *arg);

static int mark(uint32_t id, change apply, const void *arg)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;
	struct device_state state;
	int err;

	if (dir < 0)
		return dir;
	/* Without it, what a new server has just written would be what there was before. */
	lock = state_lock_folder(dir, STATE_LOCK_MS);
	err = lock < 0 ? lock : state_file_read(dir, id, &state, true);
	if (err)
		return err;
	err = apply(&state, arg);
	if (!err)
		err = state_file_write(dir, &state);
	state_free(&state);
	return err;
}

static int give_up(struct device_state *state, const void *why)
{
	free(state->failed);
	state->failed = strdup(why);
	state->in_hand = 0;
	state->in_hand_start = 0;
	return state->failed ? 0 : -ENOMEM;
}

static int take(struct device_state *state, const void *from_all)
{
	struct device_state self = { 0 };
	int err = state_self(&self);

	/* What an upgrade starts to undo itself is of the same mind. */
	if (!err && !from_all && state_in_hand(state) && state->in_hand != getppid())
		err = -EBUSY;
	state->in_hand = self.pid;
	state->in_hand_start = self.pid_start;
	return err;
}

static int set_size(struct device_state *state, const void *arg)
{
	const uint64_t *size = arg;
	json_t *options = json_object_get(state->manifest, "options");

	if (!json_is_object(state->manifest) || (options && !json_is_object(options)))
		return -EBADMSG;
	if (!options && json_object_set_new(state->manifest, "options", json_object()))
		return -ENOMEM;
	options = json_object_get(state->manifest, "options");
	return json_object_set_new(options, "size", json_integer((json_int_t)*size)) ? -ENOMEM : 0;
}

struct source {
	const char *file;
	json_t *asked;
};

static int set_source(struct device_state *state, const void *arg)
{
	const struct source *source = arg;
	char *file = strdup(source->file);

	if (!file)
		return -ENOMEM;
	free(state->source);
	state->source = file;
	json_decref(state->asked);
	state->asked = json_incref(source->asked);
	return 0;
}

struct successor {
	int32_t server, pid;
	bool ready;
};

static int set_standby(struct device_state *state, const void *arg)
{
	const struct successor *next = arg;

	if (state->pid != next->server)
		return -ESRCH;
	if (state_in_hand(state))
		return -EBUSY;
	state->standby = next->pid;
	state->standby_ready = next->ready;
	return state_pid_start(next->pid, &state->standby_start);
}

int state_set_failed(uint32_t id, const char *why)
{
	return mark(id, give_up, why);
}

static int let_go(struct device_state *state, const void *arg)
{
	(void)arg;
	if (state->in_hand != getpid())
		return -EBUSY;
	state->in_hand = 0;
	state->in_hand_start = 0;
	return 0;
}

void state_let_go(uint32_t id)
{
	mark(id, let_go, NULL);
}

int state_take_in_hand(uint32_t id)
{
	return mark(id, take, NULL);
}

int state_take_from_all(uint32_t id)
{
	return mark(id, take, "");
}

int state_set_size(uint32_t id, uint64_t size)
{
	return mark(id, set_size, &size);
}

int state_set_source(uint32_t id, const char *source, json_t *asked)
{
	const struct source both = { source, asked };

	return mark(id, set_source, &both);
}

bool state_in_hand(const struct device_state *state)
{
	struct device_state who = { .pid = state->in_hand, .pid_start = state->in_hand_start };

	return who.pid > 0 && who.pid != getpid() && state_server_alive(&who);
}

int state_set_standby(uint32_t id, int32_t server, int32_t standby, bool ready)
{
	const struct successor next = { server, standby, ready };

	return mark(id, set_standby, &next);
}

int32_t state_standby(const struct device_state *state)
{
	const struct device_state who = { .pid = state->standby,
					  .pid_start = state->standby_start };

	return who.pid > 0 && state_server_alive(&who) ? who.pid : 0;
}

char *state_lasting_text(const struct device_state *state)
{
	struct device_state lasting = *state;

	lasting.in_hand = lasting.standby = 0;
	return state_file_text(&lasting);
}
