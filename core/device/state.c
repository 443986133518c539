// SPDX-License-Identifier: MIT
/* The folder of state files and the links by name: written by a server, read by every verb. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "device/kept_memory.h"
#include "device/state_file.h"
#include "device/stats_file.h"
#include "kernel/sysfs.h"

#define BY_NAME "by-name"

const char *state_dir(void)
{
	const char *dir = secure_getenv("UBLK_HOST_RUN_DIR");

	return dir && *dir ? dir : RUNSTATEDIR;
}

void state_choose_dir(void)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	__cleanup_free char *dir = NULL;

	if (!geteuid() || !runtime || *runtime != '/' || getenv("UBLK_HOST_RUN_DIR") ||
	    asprintf(&dir, "%s/ublk-host", runtime) < 0)
		return;
	setenv("UBLK_HOST_RUN_DIR", dir, 0);
}

/* The folder may be missing together with its parents: /run is empty after a boot, and a program
 * in /usr/local keeps its state in /usr/local/var/run. */
static int make_folders(const char *path)
{
	__cleanup_free char *copy = strdup(path);
	char *slash;

	if (!copy)
		return -ENOMEM;
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(copy, 0755) == 0)
		return chmod(copy, 0755) < 0 ? -errno : 0; /* whatever the umask is */
	return errno == EEXIST ? 0 : -errno;
}

int state_open_folder(bool create)
{
	const char *dir = state_dir();
	int err = 0, fd;

	if (*dir != '/') {
		log_err("UBLK_HOST_RUN_DIR is \"%s\": it must be an absolute path", dir);
		return -EINVAL;
	}
	if (create)
		err = make_folders(dir);
	if (err) {
		log_err("cannot create the folder %s: %s; set UBLK_HOST_RUN_DIR to one that you can "
			"write (without it, a user's is in XDG_RUNTIME_DIR)",
			dir, strerror(-err));
		return err;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		if (create || err != -ENOENT)
			log_err("cannot open the folder %s: %s", dir, strerror(-err));
		return err;
	}
	return fd;
}

/* Two folders are in play for a link: dir/by-name. */
static int open_by_name(int dir, bool create)
{
	if (create && mkdirat(dir, BY_NAME, 0755) == 0)
		fchmodat(dir, BY_NAME, 0755, 0);
	return openat(dir, BY_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool link_points_to(int links, const char *name, const char *node)
{
	char target[256];
	ssize_t n = readlinkat(links, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = 0;
	return strcmp(target, node) == 0;
}

#define LINK_TEMP_SIZE 32

static void link_temp_name(char temp[LINK_TEMP_SIZE], uint32_t id)
{
	snprintf(temp, LINK_TEMP_SIZE, ".%u.tmp", id);
}

static void remove_link(int dir, uint32_t id, const char *name)
{
	__cleanup_fd int links = open_by_name(dir, false);
	char node[STATE_NAME_SIZE], temp[LINK_TEMP_SIZE];

	if (links < 0)
		return;
	state_node_name(node, sizeof(node), id);
	if (link_points_to(links, name, node))
		unlinkat(links, name, 0);
	link_temp_name(temp, id);
	unlinkat(links, temp, 0);
}

/* A leftover link of the same name is replaced in one step: its device is gone, as
 * state_check_name() found. */
static int write_link(int dir, const struct device_state *state)
{
	__cleanup_fd int links = open_by_name(dir, true);
	char temp[LINK_TEMP_SIZE];

	if (links < 0)
		return -errno;
	if (link_points_to(links, state->name, state->node))
		return 0;
	link_temp_name(temp, state->id);
	unlinkat(links, temp, 0);
	if (symlinkat(state->node, links, temp) < 0)
		return -errno;
	if (renameat(links, temp, links, state->name) < 0) {
		int err = -errno;

		unlinkat(links, temp, 0);
		return err;
	}
	return 0;
}

static void remove_files(int dir, uint32_t id, const char *name, int32_t server, bool state_too)
{
	char file[STATE_NAME_SIZE];

	state_file_name(file, sizeof(file), id);
	remove_link(dir, id, name);
	if (state_too)
		state_file_remove(dir, file);
	stats_remove_at(dir, id, server);
}

bool state_is_of_former(const struct device_state *state)
{
	uint64_t entry = sysfs_device_entry("", state->id);

	return !entry || (state->entry && entry != SYSFS_ENTRY_UNKNOWN && state->entry != entry);
}

/* Between the look and the removal a new server may write its state, where the folder could not be locked: then only
 * what was seen to be of the former device is removed. */
static void remove_at(int dir, uint32_t id, const char *name, int32_t server, bool locked)
{
	struct device_state now;
	bool of_another = false, seen = false;

	/* the id may have gone to a new device meanwhile, whose server may even be dead again */
	if (state_file_read(dir, id, &now, true) == 0) {
		seen = true;
		of_another = now.pid != server &&
			     (state_server_alive(&now) || !state_is_of_former(&now));
		if (!of_another)
			kept_memory_remove(now.memory);
		state_free(&now);
	}
	if (!of_another)
		remove_files(dir, id, name, server, locked || seen);
}

static int check_name(int dir, const char *name, uint32_t own, bool locked);

int state_write(const struct device_state *state)
{
	__cleanup_fd int dir = -1, lock = -1;
	struct device_state old;
	bool had_one = false;
	int err = state_file_check(state);

	if (err) {
		log_err("the state of device %u is not complete: this is a mistake in ublk-host",
			state->id);
		return err;
	}
	dir = state_open_folder(true);
	if (dir < 0)
		return dir;
	lock = state_lock_folder(dir, STATE_WRITE_LOCK_MS);
	err = check_name(dir, state->name, state->id, lock >= 0);
	if (err)
		return err;
	/* the id had another name before, which would now lead to the wrong device */
	if (state_file_read(dir, state->id, &old, true) == 0) {
		had_one = !strcmp(old.name, state->name);
		if (strcmp(old.name, state->name))
			remove_link(dir, state->id, old.name);
		state_free(&old);
	}
	err = state_file_write(dir, state);
	if (!err)
		err = write_link(dir, state);
	if (err) {
		log_err("cannot write the state of device %u in %s: %s", state->id, state_dir(),
			strerror(-err));
		if (!had_one) /* that of the server before us can still be used */
			remove_files(dir, state->id, state->name, state->pid, true);
	}
	return err;
}

void state_remove(uint32_t id, const char *name)
{
	state_remove_for(id, name, getpid());
}

void state_remove_for(uint32_t id, const char *name, int32_t server)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;

	if (dir < 0)
		return;
	lock = state_lock_folder(dir, STATE_LOCK_MS);
	remove_at(dir, id, name, server, lock >= 0);
}

int state_read(uint32_t id, struct device_state *state)
{
	__cleanup_fd int dir = state_open_folder(false);

	return dir < 0 ? dir : state_file_read(dir, id, state, false);
}

void state_free(struct device_state *state)
{
	free(state->name);
	free(state->node);
	free(state->plugin_path);
	free(state->data_path);
	free(state->data_path_why);
	free(state->log);
	free(state->source);
	free(state->failed);
	json_decref(state->manifest);
	json_decref(state->memory);
	json_decref(state->files);
	json_decref(state->asked);
	*state = (struct device_state){ 0 };
}

static int is_state_file(const struct dirent *entry)
{
	size_t digits = strspn(entry->d_name, "0123456789");

	return digits > 0 && digits <= 7 && strcmp(entry->d_name + digits, ".json") == 0;
}

static int by_id(const struct dirent **a, const struct dirent **b)
{
	unsigned long x = strtoul((*a)->d_name, NULL, 10), y = strtoul((*b)->d_name, NULL, 10);

	return (x > y) - (x < y);
}

int state_for_each(int (*fn)(const struct device_state *state, void *arg), void *arg)
{
	__cleanup_fd int dir = state_open_folder(false);
	struct dirent **entries;
	bool unusable = false;
	int i, nr, ret = 0;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	nr = scandirat(dir, ".", &entries, is_state_file, by_id);
	if (nr < 0) {
		ret = -errno;
		log_err("cannot read the folder %s: %s", state_dir(), strerror(errno));
		return ret;
	}
	for (i = 0; i < nr; i++) {
		struct device_state state;
		uint32_t id = strtoul(entries[i]->d_name, NULL, 10);
		int err = ret ? -ECANCELED : state_file_read(dir, id, &state, false);

		free(entries[i]);
		unusable |= !ret && err && err != -ENOENT; /* it may have gone just now */
		if (err)
			continue;
		ret = fn(&state, arg);
		state_free(&state);
	}
	free(entries);
	return !ret && unusable ? -EBADMSG : ret;
}

struct name_search {
	const char *name;
	int64_t found; /* id, or -1 */
	uint32_t not_this;
};

static int match_name(const struct device_state *state, void *arg)
{
	struct name_search *search = arg;

	if (state->id == search->not_this || strcmp(state->name, search->name))
		return 0;
	search->found = state->id;
	return state_server_alive(state);
}

int state_find_name(const char *name, struct device_state *state)
{
	struct name_search search = { .name = name, .found = -1, .not_this = UINT32_MAX };
	int err = state_for_each(match_name, &search);

	if (search.found < 0)
		return err < 0 ? err : -ENOENT;
	err = state_read(search.found, state);
	if (!err && strcmp(state->name, name)) { /* the id is another's by now */
		state_free(state);
		err = -ENOENT;
	}
	return err;
}

/* The folder may also not be there. */
static int check_name(int dir, const char *name, uint32_t own, bool locked)
{
	struct name_search search = { .name = name, .found = -1, .not_this = own };
	struct device_state other;
	int err;

	if (!state_name_valid(name)) {
		log_err("a device cannot have this name: 1..%u letters and digits, but not digits "
			"alone, make a name",
			STATE_MAX_NAME);
		return -EINVAL;
	}
	err = state_for_each(match_name, &search);
	if (err < 0 && err != -EBADMSG) /* what cannot be read, has no name */
		return err;
	if (search.found < 0 || state_read(search.found, &other) < 0)
		return 0;
	if (state_server_alive(&other)) {
		log_err("the name %s is taken by device %u, which process %d serves: choose "
			"another with --name, or stop that one: ublk-host down %s",
			name, other.id, other.pid, name);
		err = -EEXIST;
	} else if (!state_is_of_former(&other)) {
		log_err("the name %s is taken by device %u, whose server is dead: %s%s%sremove it "
			"with ublk-host down %s, or choose another with --name",
			name, other.id,
			state_recovers(&other) ? "serve it on with ublk-host recover " : "",
			state_recovers(&other) ? name : "", state_recovers(&other) ? ", " : "",
			name);
		err = -EEXIST;
	} else {
		remove_at(dir, other.id, name, getpid(), locked);
	}
	state_free(&other);
	return err;
}

int state_check_name(const char *name, uint32_t own)
{
	__cleanup_fd int dir = state_open_folder(false), lock = -1;

	if (dir >= 0)
		lock = state_lock_folder(dir, STATE_LOCK_MS);
	return check_name(dir, name, own, lock >= 0);
}

bool state_recovers(const struct device_state *state)
{
	const json_t *device = json_object_get(state->manifest, "device");
	const char *word = json_string_value(json_object_get(device, "recovery"));

	return word && strcmp(word, "none");
}

int state_pid_start(int32_t pid, uint64_t *start)
{
	char path[40], text[1024], state;
	__cleanup_fd int fd = -1;
	unsigned long long ticks;
	const char *after;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	/* the second field is the command in parentheses, which may hold anything */
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1,
			     " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			     "%*s %*s %llu",
			     &state, &ticks) != 2)
		return -EBADMSG;
	if (state == 'Z' || state == 'X')
		return -ESRCH;
	*start = ticks;
	return 0;
}

int state_find_server(const struct device_state *state)
{
	uint64_t start;
	int err = state_pid_start(state->pid, &start);

	if (!err)
		return start == state->pid_start ? 0 : -ESRCH;
	/* /proc may hide other users' processes (hidepid): then all that shows is that it exists */
	return err == -ESRCH && kill(state->pid, 0) < 0 && errno == EPERM ? 0 : err;
}

/* Nobody is to take a device from a server for want of a descriptor. */
bool state_server_alive(const struct device_state *state)
{
	return state_find_server(state) != -ESRCH;
}

int state_self(struct device_state *state)
{
	state->pid = getpid();
	return state_pid_start(state->pid, &state->pid_start);
}
