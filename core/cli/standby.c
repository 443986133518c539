// SPDX-License-Identifier: MIT
/* A server that stands by for the one that serves a device. */
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/standby.h"
#include "cli/supervised_look.h"

#define BEGIN_MS 1000 /* a server that ends sooner needs no successor in haste, but a pause */
#define LOOK_MS 5000  /* whether the device is still what it was */
#define END_MS 10000
#define WAIT_FIRST_MS 10000u
#define WAIT_LAST_MS 600000u

void standby_init(struct standby *standby, const char *name, bool wanted)
{
	*standby = (struct standby){ .name = name,
				     .wanted = wanted,
				     .at = NEVER,
				     .after = NEVER,
				     .server = { .answer_fd = -1, .go_fd = -1 },
				     .pidfd = -1 };
}

static void be_none(struct standby *standby, uint64_t next)
{
	if (standby->pidfd >= 0)
		close(standby->pidfd);
	standby->pidfd = standby->server.answer_fd = standby->server.go_fd = -1;
	standby->phase = STANDBY_NONE;
	standby->at = next;
	free(standby->state);
	standby->state = NULL;
}

static bool has_pipes(const struct standby *standby)
{
	return standby->phase == STANDBY_PREPARING || standby->phase == STANDBY_READY;
}

void standby_free(struct standby *standby)
{
	if (has_pipes(standby))
		serving_drop(&standby->server);
	be_none(standby, NEVER);
}

void standby_expect(struct standby *standby, uint64_t now)
{
	if (!standby->wanted)
		return;
	standby->pointless = false;
	if (standby->phase == STANDBY_ENDING)
		standby->after = now + BEGIN_MS;
	else if (standby->phase != STANDBY_PREPARING)
		standby->at = now + BEGIN_MS;
}

/* Its pipe closed, it has nothing to wait for any more; the signal is for one whose plugin is busy. */
static void drop(struct standby *standby, uint64_t after)
{
	pidfd_send_signal(standby->pidfd, SIGTERM, NULL, 0);
	serving_drop(&standby->server);
	standby->phase = STANDBY_ENDING;
	standby->killed = false;
	standby->at = now_ms() + END_MS;
	standby->after = after;
}

void standby_drop(struct standby *standby)
{
	if (has_pipes(standby))
		drop(standby, NEVER);
	else if (standby->phase == STANDBY_ENDING)
		standby->after = NEVER;
	else
		standby->at = NEVER;
}

/* -- of what device */

static void stat_plugin(const struct device_state *state, struct stat *st)
{
	if (!state->plugin_path || stat(state->plugin_path, st))
		*st = (struct stat){ 0 };
}

/* A device that was resized, another plugin under the same path: then what it has open is out of date. */
static bool fits(const struct standby *standby, const struct device_view *view)
{
	__cleanup_free char *state = state_lasting_text(&view->state);
	const struct stat *was = &standby->plugin;
	struct stat is;

	stat_plugin(&view->state, &is);
	return state && !strcmp(state, standby->state) && view->size == standby->size &&
	       is.st_dev == was->st_dev && is.st_ino == was->st_ino && is.st_size == was->st_size &&
	       is.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       is.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* -- from none to one that is ready */

/* `down` waits for it, from its beginning. */
static void note(struct standby *standby, const struct device_state *state, bool ready)
{
	int err = state_set_standby(state->id, state->pid, standby->server.pid, ready);

	if (err == -EBUSY)
		drop(standby, now_ms() + BEGIN_MS);
	else if (err)
		log_about(standby->name, log_debug, "its state does not tell who stands by");
}

static int prepare(struct standby *standby, const struct device_view *view)
{
	struct device_options options = { 0 };
	struct serving serving = { .options = &options,
				   .former = &view->state,
				   .who = standby->name };
	int err = serving_of_state(&options, &view->state);

	standby->state = state_lasting_text(&view->state);
	standby->size = view->size;
	stat_plugin(&view->state, &standby->plugin);
	if (!err && !standby->state)
		err = -ENOMEM;
	if (!err)
		err = serving_begin(&serving, &standby->server);
	device_options_free(&options);
	if (err)
		return err;
	standby->phase = STANDBY_PREPARING;
	standby->at = now_ms() + standby->server.seconds * (uint64_t)1000;
	standby->pidfd = pidfd_open(standby->server.pid, 0);
	if (standby->pidfd >= 0) {
		note(standby, &view->state, false);
		return 0;
	}
	err = -errno;
	serving_drop(&standby->server);
	waitpid(standby->server.pid, NULL, 0);
	return err;
}

/* The next one later, as what was in the way may be there for long. */
static uint64_t next_time(struct standby *standby)
{
	standby->wait = standby->wait ? min_of(standby->wait * 2, WAIT_LAST_MS) : WAIT_FIRST_MS;
	return now_ms() + standby->wait;
}

/* Without the driver, which may be busy with it for long. False: it is not there, or has no server. */
static bool look(const struct standby *standby, struct device_view *view)
{
	if (device_view_read(view, standby->id, standby->name, NULL))
		return false;
	if (view->ours && view->server_alive)
		return true;
	device_view_free(view);
	return false;
}

static void begin(struct standby *standby)
{
	struct device_state state;
	struct device_view view;

	standby->at = NEVER;
	if (state_find_name(standby->name, &state))
		return;
	standby->id = state.id;
	state_free(&state);
	if (!look(standby, &view))
		return;
	standby->pointless = !state_recovers(&view.state);
	if (standby->pointless) {
		log_about(standby->name, log_debug, "nobody can stand by: it has --recovery none");
	} else if (state_in_hand(&view.state)) {
		standby->at = now_ms() + BEGIN_MS;
	} else if (prepare(standby, &view)) {
		be_none(standby, next_time(standby));
		log_about(standby->name, log_warn, "no server stands by; the next try in %u s",
			  standby->wait / 1000);
	}
	device_view_free(&view);
}

static void look_again(struct standby *standby)
{
	struct device_view view;

	standby->wait = 0; /* it has been well for a while */
	if (look(standby, &view)) {
		if (!fits(standby, &view)) {
			log_about(standby->name, log_debug,
				  "it is not what its standby was prepared for");
			drop(standby, now_ms());
		}
		device_view_free(&view);
	}
	if (standby->phase == STANDBY_READY)
		standby->at = now_ms() + LOOK_MS;
}

/* It says that it is prepared; if not, it is about to end, and has said why. */
static void take_answer(struct standby *standby)
{
	struct device_state state;
	char c;

	if (read(standby->server.answer_fd, &c, 1) != 1) {
		drop(standby, next_time(standby));
		log_about(standby->name, log_warn, "no server stands by; the next try in %u s",
			  standby->wait / 1000);
		return;
	}
	standby->phase = STANDBY_READY;
	standby->at = now_ms() + LOOK_MS;
	log_about(standby->name, log_info, "process %d stands by", standby->server.pid);
	if (state_read(standby->id, &state))
		return;
	note(standby, &state, true);
	state_free(&state);
}

/* -- its end */

static void ended(struct standby *standby)
{
	char how[80];
	int status;

	if (waitpid(standby->server.pid, &status, WNOHANG) != standby->server.pid)
		status = -1;
	if (standby->phase == STANDBY_ENDING) {
		be_none(standby, standby->after);
		return;
	}
	serving_drop(&standby->server);
	be_none(standby, next_time(standby));
	log_about(standby->name, log_warn, "the server that stood by %s; the next in %u s",
		  server_end_text(status, how, sizeof(how)), standby->wait / 1000);
}

static void end_by_force(struct standby *standby, uint64_t now)
{
	if (!standby->killed) {
		standby->killed = true;
		standby->at = now + END_MS;
		pidfd_send_signal(standby->pidfd, SIGKILL, NULL, 0);
		return;
	}
	log_about(standby->name, log_err,
		  "process %d, which stood by, does not end although it was killed: it is stuck "
		  "in the kernel",
		  standby->server.pid);
	standby->at = NEVER; /* no other one before it is gone */
}

/* -- from outside */

bool standby_take(struct standby *standby, const struct device_view *view,
		  struct prepared_server *server, int *pidfd)
{
	struct pollfd pfd = { .fd = standby->pidfd, .events = POLLIN };

	if (standby->phase == STANDBY_READY && poll(&pfd, 1, 0))
		ended(standby); /* the same has killed both */
	if (standby->phase != STANDBY_READY || !fits(standby, view)) {
		standby_drop(standby);
		return false;
	}
	*server = standby->server;
	*pidfd = standby->pidfd;
	standby->pidfd = -1;
	standby->wait = 0;
	be_none(standby, NEVER);
	return true;
}

bool standby_rests(const struct standby *standby)
{
	return standby->phase == STANDBY_NONE ||
	       (standby->phase == STANDBY_ENDING && standby->killed && standby->at == NEVER);
}

unsigned int standby_fds(const struct standby *standby, struct pollfd fds[STANDBY_FDS])
{
	unsigned int n = 0;

	if (standby->phase == STANDBY_PREPARING)
		fds[n++] = (struct pollfd){ standby->server.answer_fd, POLLIN, 0 };
	if (standby->phase != STANDBY_NONE)
		fds[n++] = (struct pollfd){ standby->pidfd, POLLIN, 0 };
	return n;
}

void standby_woken(struct standby *standby, const struct pollfd *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (fds[i].fd == standby->pidfd && fds[i].revents)
			ended(standby);
		else if (fds[i].revents)
			take_answer(standby);
		else
			continue;
		return;
	}
}

void standby_tick(struct standby *standby, uint64_t now)
{
	if (now < standby->at)
		return;
	switch (standby->phase) {
	case STANDBY_NONE:
		begin(standby);
		break;
	case STANDBY_PREPARING:
		log_about(standby->name, log_warn,
			  "a server that is to stand by is not prepared after %u s; stopping it "
			  "(process %d)",
			  standby->server.seconds, standby->server.pid);
		drop(standby, next_time(standby));
		break;
	case STANDBY_READY:
		look_again(standby);
		break;
	case STANDBY_ENDING:
		end_by_force(standby, now);
		break;
	}
}
