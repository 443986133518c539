// SPDX-License-Identifier: MIT
/* What others than its server note in the state of a device: that it was given up, and that somebody has
 * it in hand. */
#include <string.h>

#include "device/state_file.h"

/* failed: why it was given up. NULL: this process has it in hand. */
static int mark(uint32_t id, const char *failed)
{
	__cleanup_fd int dir = state_open_folder(false);
	struct device_state state, self = { 0 };
	int err;

	if (dir < 0)
		return dir;
	state_lock_folder(dir, STATE_LOCK_MS); /* against a new server that writes its own */
	err = state_file_read(dir, id, &state, true);
	if (err)
		return err;
	if (failed) {
		free(state.failed);
		state.failed = strdup(failed);
		err = state.failed ? 0 : -ENOMEM;
	} else {
		err = state_self(&self);
	}
	state.in_hand = self.pid;
	state.in_hand_start = self.pid_start;
	if (!err)
		err = state_file_write(dir, &state);
	state_free(&state);
	return err;
}

int state_set_failed(uint32_t id, const char *why)
{
	return mark(id, why);
}

int state_take_in_hand(uint32_t id)
{
	return mark(id, NULL);
}

bool state_in_hand(const struct device_state *state)
{
	struct device_state who = { .pid = state->in_hand, .pid_start = state->in_hand_start };

	return who.pid > 0 && who.pid != getpid() && state_server_alive(&who);
}
