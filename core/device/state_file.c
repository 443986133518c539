// SPDX-License-Identifier: MIT
/* Files of the state folder: there whole or not at all, believed only if root or the reader owns
 * them; and the JSON of a device's state. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/whole.h"
#include "device/state_file.h"

#define LOCK_FILE ".lock"
#define LOCK_WAIT_NS 1000000
#define STATE_VERSION "1.0"
#define STATE_MAX_BYTES (4u << 20) /* a manifest is at most 1 MiB */

void state_file_name(char *buf, size_t size, uint32_t id)
{
	snprintf(buf, size, "%u.json", id);
}

void state_node_name(char *buf, size_t size, uint32_t id)
{
	snprintf(buf, size, "/dev/ublkb%u", id);
}

bool state_name_valid(const char *name)
{
	size_t i, len = strlen(name);

	if (len == 0 || len > STATE_MAX_NAME || *name == '.' || *name == '-')
		return false;
	for (i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == 0x7f)
			return false;
	return strspn(name, "0123456789") < len; /* an id, to down and info */
}

int state_file_check(const struct device_state *state)
{
	char node[STATE_NAME_SIZE];

	state_node_name(node, sizeof(node), state->id);
	if (!state->name || !state->node || strcmp(state->node, node) || state->pid <= 0)
		return -EINVAL;
	return 0;
}

static void temp_name(char temp[STATE_TEMP_SIZE], const char *name)
{
	snprintf(temp, STATE_TEMP_SIZE, "%s.tmp", name);
}

int state_file_begin(int dir, const char *name, char temp[STATE_TEMP_SIZE])
{
	int fd;

	temp_name(temp, name);
	unlinkat(dir, temp, 0); /* of a server that was killed here */
	fd = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

/* No fsync: a device does not outlive the machine, and its state need not either. */
int state_file_finish(int dir, int fd, const char *temp, const char *name, int err)
{
	if (!err && fchmod(fd, 0644) < 0) /* whatever the umask is */
		err = -errno;
	if (!err && renameat(dir, temp, dir, name) < 0)
		err = -errno;
	if (err)
		unlinkat(dir, temp, 0);
	return err;
}

void state_file_remove(int dir, const char *name)
{
	char temp[STATE_TEMP_SIZE];

	temp_name(temp, name);
	unlinkat(dir, temp, 0);
	unlinkat(dir, name, 0);
}

static int replace_file(int dir, uint32_t id, const char *text)
{
	char name[STATE_NAME_SIZE], temp[STATE_TEMP_SIZE];
	__cleanup_fd int fd = -1;

	state_file_name(name, sizeof(name), id);
	fd = state_file_begin(dir, name, temp);
	if (fd < 0)
		return fd;
	return state_file_finish(dir, fd, temp, name, write_whole(fd, text, strlen(text)));
}

char *state_file_text(const struct device_state *state)
{
	char *text;
	json_t *json = json_pack(
		"{s:s, s:I, s:s, s:s, s:s*, s:s*, s:s*, s:i, s:I, s:I, s:O*, s:O*, s:O*, s:s*, s:s*, s:O*, s:s*}",
		"ublk_device_state", STATE_VERSION, "id", (json_int_t)state->id, "name",
		state->name, "node", state->node, "plugin_path", state->plugin_path, "data_path",
		state->data_path, "data_path_why", state->data_path_why, "pid", (int)state->pid,
		"pid_start", (json_int_t)state->pid_start, "entry", (json_int_t)state->entry,
		"manifest", state->manifest, "memory", state->memory, "files", state->files, "log",
		state->log, "source", state->source, "asked", state->asked, "failed",
		state->failed);

	if (!json)
		return NULL;
	if (state->in_hand) {
		json_object_set_new(json, "in_hand", json_integer(state->in_hand));
		json_object_set_new(json, "in_hand_start",
				    json_integer((json_int_t)state->in_hand_start));
	}
	if (state->standby) {
		json_object_set_new(json, "standby", json_integer(state->standby));
		json_object_set_new(json, "standby_start",
				    json_integer((json_int_t)state->standby_start));
		json_object_set_new(json, "standby_ready", json_boolean(state->standby_ready));
	}
	text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	return text;
}

int state_file_open(int dir, const char *name, int flags, struct stat *st, const char **why)
{
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0) {
		int err = -errno;

		*why = strerror(-err);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*why = NULL;
	if (!S_ISREG(st->st_mode))
		*why = "it is not a regular file";
	else if ((st->st_uid && st->st_uid != geteuid()) || st->st_mode & 022)
		*why = "it belongs to, or can be written by, somebody other than root and you";
	if (!*why)
		return fd;
	close(fd);
	return -EBADMSG;
}

/* Where the filesystem is full: into the blocks that the file has. Blanks after the text keep those who read it
 * meanwhile from its former end. */
static int overwrite_file(int dir, uint32_t id, const char *text)
{
	char name[STATE_NAME_SIZE];
	__cleanup_free char *padded = NULL;
	__cleanup_fd int fd = -1;
	const char *why;
	struct stat st;
	size_t len = strlen(text), size;

	state_file_name(name, sizeof(name), id);
	fd = state_file_open(dir, name, O_WRONLY, &st, &why);
	if (fd < 0)
		return fd;
	size = max_of(len, (size_t)st.st_size);
	if (size > (size_t)st.st_blocks * 512)
		return -ENOSPC;
	padded = malloc(size);
	if (!padded)
		return -ENOMEM;
	memset(padded, ' ', size);
	memcpy(padded, text, len);
	return write_whole(fd, padded, size);
}

int state_file_write(int dir, const struct device_state *state)
{
	__cleanup_free char *text = state_file_text(state);
	int err = text ? replace_file(dir, state->id, text) : -ENOMEM;

	return err == -ENOSPC || err == -EDQUOT ? overwrite_file(dir, state->id, text) : err;
}

int state_lock_open(int dir, int access)
{
	const int flags = access | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir, LOCK_FILE, flags);

	/* Made only where it is not there: a server that is confined may open, but not make it. */
	if (fd < 0 && errno == ENOENT)
		fd = openat(dir, LOCK_FILE, flags | O_CREAT, 0600);
	return fd < 0 ? -errno : fd;
}

int state_lock_folder(int dir, unsigned int ms)
{
	const struct timespec wait = { .tv_nsec = LOCK_WAIT_NS };
	uint64_t until = now_ms() + ms;
	int fd = state_lock_open(dir, O_RDONLY), err;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK && now_ms() >= until ? -ETIMEDOUT : -errno;
		if (err == -EWOULDBLOCK || err == -EINTR) {
			nanosleep(&wait, NULL);
			continue;
		}
		close(fd);
		fd = err;
	}
	return fd;
}

/* Fill text, of *len bytes, with the file of id. On error *why says what is wrong with it. */
static int read_file(int dir, uint32_t id, char **text, size_t *len, const char **why)
{
	__cleanup_fd int fd = -1;
	struct stat st;
	char name[STATE_NAME_SIZE];
	ssize_t n;

	state_file_name(name, sizeof(name), id);
	fd = state_file_open(dir, name, O_RDONLY, &st, why);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOMEM ? fd : -EBADMSG;
	*why = "it is larger than any that ublk-host writes";
	if (st.st_size > STATE_MAX_BYTES)
		return -EBADMSG;
	*text = malloc(max_of(st.st_size, 1));
	if (!*text)
		return -ENOMEM;
	n = read(fd, *text, st.st_size);
	*why = n < 0 ? strerror(errno) : "it was cut off while it was read";
	*len = (size_t)max_of(n, 0);
	return n == st.st_size ? 0 : -EBADMSG;
}

static int copy_string(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? -ENOMEM : 0;
}

/* -EBADMSG: a member is missing or wrong. state is to be freed in any case. */
static int from_json(struct device_state *state, json_t *json, uint32_t id)
{
	const char *version, *name, *node, *plugin = NULL, *path = NULL, *path_why = NULL;
	const char *log = NULL, *source = NULL, *failed = NULL;
	json_int_t read_id, pid, start, entry = 0, in_hand = 0, in_hand_start = 0, standby = 0,
					standby_start = 0;
	json_t *manifest = NULL, *memory = NULL, *files = NULL, *asked = NULL;
	int standby_ready = 0;
	char want[STATE_NAME_SIZE];

	state_node_name(want, sizeof(want), id);
	if (json_unpack(json,
			"{s:s, s:I, s:s, s:s, s?s, s?s, s?s, s:I, s:I, s?I, s?o, s?o, s?o, s?s, "
			"s?s, s?o, s?s, s?I, s?I, s?I, s?I, s?b}",
			"ublk_device_state", &version, "id", &read_id, "name", &name, "node", &node,
			"plugin_path", &plugin, "data_path", &path, "data_path_why", &path_why,
			"pid", &pid, "pid_start", &start, "entry", &entry, "manifest", &manifest,
			"memory", &memory, "files", &files, "log", &log, "source", &source, "asked",
			&asked, "failed", &failed, "in_hand", &in_hand, "in_hand_start",
			&in_hand_start, "standby", &standby, "standby_start", &standby_start,
			"standby_ready", &standby_ready) < 0 ||
	    strncmp(version, "1.", 2) || read_id != id || !state_name_valid(name) ||
	    strcmp(node, want) || pid <= 0 || pid > INT32_MAX || start < 0 || entry < 0 ||
	    in_hand < 0 || in_hand > INT32_MAX || in_hand_start < 0 || standby < 0 ||
	    standby > INT32_MAX || standby_start < 0 ||
	    (manifest && !json_is_object(manifest) && !json_is_null(manifest)) ||
	    (memory && !json_is_object(memory)) || (files && !json_is_array(files)) ||
	    (asked && !json_is_object(asked)))
		return -EBADMSG;
	*state = (struct device_state){ .id = id,
					.pid = (int32_t)pid,
					.pid_start = start,
					.entry = entry,
					.in_hand = (int32_t)in_hand,
					.in_hand_start = in_hand_start,
					.standby = (int32_t)standby,
					.standby_start = standby_start,
					.standby_ready = standby_ready };
	state->manifest = json_is_object(manifest) ? json_incref(manifest) : NULL;
	state->memory = json_incref(memory);
	state->files = json_incref(files);
	state->asked = json_incref(asked);
	if (copy_string(&state->name, name) || copy_string(&state->node, node) ||
	    copy_string(&state->plugin_path, plugin) || copy_string(&state->data_path, path) ||
	    copy_string(&state->data_path_why, path_why) || copy_string(&state->log, log) ||
	    copy_string(&state->source, source) || copy_string(&state->failed, failed))
		return -ENOMEM;
	return 0;
}

int state_file_parse(struct device_state *state, const char *text, size_t len, uint32_t id)
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int err;

	*state = (struct device_state){ 0 };
	err = json ? from_json(state, json, id) : -EBADMSG;
	json_decref(json);
	if (err)
		state_free(state);
	return err;
}

int state_file_read(int dir, uint32_t id, struct device_state *state, bool quiet)
{
	__cleanup_free char *text = NULL;
	const char *why = NULL;
	size_t len = 0;
	int err;

	*state = (struct device_state){ 0 };
	err = read_file(dir, id, &text, &len, &why);
	if (!err) {
		why = "it is damaged";
		err = state_file_parse(state, text, len, id);
	}
	if (err && err != -ENOENT && !quiet)
		log_err("cannot use the state file %s/%u.json: %s", state_dir(), id,
			err == -ENOMEM ? strerror(ENOMEM) : why);
	return err;
}
