// SPDX-License-Identifier: MIT
/*
 * Files and TCP, refused where the kernel opens and connects. A filter of system calls sees neither
 * names nor what comes by an io_uring; Landlock sees both. What is open already is not its business.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "device/confine.h"
#include "ublk-plugin.h"

/* Older headers know less than the kernel may. Of a struct that is longer than what a kernel knows it
 * wants the rest to be zero. */
struct ruleset {
	uint64_t fs, net, scoped;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_DEVICE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define FS_TRUNCATE (1ull << 14)
#define FS_STATE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | \
	 FS_TRUNCATE)
#define NET_TCP 3ull /* bind and connect */
#define SCOPE_ABSTRACT_SOCKETS 1ull
#define SCOPE_SIGNALS 2ull

/* How many rights to files each version knows. */
static uint64_t fs_known(int abi)
{
	return (1ull << (abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13)) - 1;
}

static int allow(int ruleset, uint64_t handled, uint64_t access, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access & handled,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	int err = 0;

	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

/* Where the kernel puts disks like ours: the folder is there if there is one. */
static const char *disks_folder(void)
{
	static const char folder[] = "/sys/devices/virtual/block";

	return access(folder, F_OK) ? "/sys/devices/virtual" : folder;
}

static int allow_what_the_host_needs(int ruleset, uint64_t handled, const char *folder,
				     const char *node)
{
	const struct {
		const char *path;
		uint64_t access;
	} rules[] = {
		{ "/proc", FS_READ },
		{ "/sys", FS_READ },
		{ "/dev/null", FS_DEVICE },
		{ "/dev/zero", FS_DEVICE },
		{ "/dev/random", FS_DEVICE },
		{ "/dev/urandom", FS_DEVICE },
		{ "/dev/ublk-control", FS_DEVICE },
		{ disks_folder(), LANDLOCK_ACCESS_FS_WRITE_FILE }, /* uevent */
		{ folder, FS_STATE },
		{ node, FS_DEVICE },
	};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(rules) && !err; i++)
		if (rules[i].path)
			err = allow(ruleset, handled, rules[i].access, rules[i].path);
	return err;
}

int landlock_confine(uint32_t flags, const char *folder, const char *node)
{
	int abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const bool files = flags & (UBLK_PLUGIN_NEEDS_FILES | UBLK_PLUGIN_NEEDS_PROCESSES);
	const bool network = flags & UBLK_PLUGIN_NEEDS_NETWORK;
	struct ruleset set = {
		.fs = files || abi < 1 ? 0 : fs_known(abi),
		.net = network || abi < 4 ? 0 : NET_TCP,
		.scoped = abi < 6 ? 0 : SCOPE_SIGNALS | (network ? 0 : SCOPE_ABSTRACT_SOCKETS),
	};
	__cleanup_fd int ruleset = -1;
	int err = 0;

	if (abi < 1 || !(set.fs | set.net | set.scoped)) {
		log_debug("no Landlock: %s", abi < 1 ? "this kernel has none"
						     : "what the plugin needs leaves nothing");
		return 0;
	}
	ruleset = syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err && set.fs)
		err = allow_what_the_host_needs(ruleset, set.fs, folder, node);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = -errno;
	if (err)
		log_err("cannot restrict the server by Landlock: %s; --sandbox off serves without",
			strerror(-err));
	return err;
}
