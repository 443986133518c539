// SPDX-License-Identifier: MIT
/*
 * udev, to whom the host leaves what it has no right to do, or does not know early enough: giving the nodes
 * of a user's device to that user, and links by name. etc/udev has the rules.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "device/internal.h"

#define GIVEN_MS 5000
#define NAP_US 5000

int udev_wait_given(const struct device *d, const char *node)
{
	uint64_t until = now_ms() + GIVEN_MS;

	if (!d->kernel.unprivileged)
		return 0;
	while (faccessat(AT_FDCWD, node, R_OK | W_OK, AT_EACCESS)) {
		if (now_ms() >= until) {
			log_err("%s was not given to this user within %u ms (%m): udev has to run, with "
				"the rules of ublk-host (59-ublk-host.rules)",
				node, GIVEN_MS);
			return -ETIMEDOUT;
		}
		usleep(NAP_US);
	}
	return 0;
}

/* That nobody listens is no failure. */
static void tell_change(int folder, const char *disk)
{
	static const char word[] = "change";
	__cleanup_free char *path = NULL;
	__cleanup_fd int fd = -1;

	if (asprintf(&path, "%s/uevent", disk) < 0)
		return;
	fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, word, sizeof(word) - 1) < 0)
		log_debug("udev is not told the name of %s: %m", disk);
}

/* The disk's own event came before there was a state, and so may have those of its partitions. */
void udev_tell_name(const char *node)
{
	const char *disk = strrchr(node, '/') + 1;
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/block/%s", disk);
	dir = opendir(path);
	if (!dir)
		return;
	tell_change(dirfd(dir), ".");
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, disk, strlen(disk)))
			tell_change(dirfd(dir), entry->d_name);
	closedir(dir);
}
