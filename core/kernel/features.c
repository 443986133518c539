// SPDX-License-Identifier: MIT
/* The table of the driver's features. */
#include <stdio.h>
#include <string.h>

#include "kernel/features.h"

const struct feature features_known[] = {
	{ UBLK_F_SUPPORT_ZERO_COPY, "support_zero_copy",
	  "request pages can be registered with io_uring by command", "6.15" },
	{ UBLK_F_URING_CMD_COMP_IN_TASK, "uring_cmd_comp_in_task",
	  "requests are handed over in the server's own context", "6.0" },
	{ UBLK_F_NEED_GET_DATA, "need_get_data", "a write asks where its data shall go", "6.0" },
	{ UBLK_F_USER_RECOVERY, "user_recovery",
	  "the device outlives its server and waits for the next", "6.1" },
	{ UBLK_F_USER_RECOVERY_REISSUE, "user_recovery_reissue",
	  "the next server gets the requests that the last one held", "6.1" },
	{ UBLK_F_UNPRIVILEGED_DEV, "unprivileged_dev", "users without privilege can add devices",
	  "6.3" },
	{ UBLK_F_CMD_IOCTL_ENCODE, "cmd_ioctl_encode", "commands are encoded like ioctls", "6.4" },
	{ UBLK_F_USER_COPY, "user_copy", "the server copies data with pread and pwrite", "6.5" },
	{ UBLK_F_ZONED, "zoned", "zoned devices", "6.6" },
	{ UBLK_F_USER_RECOVERY_FAIL_IO, "user_recovery_fail_io",
	  "a device that waits for a server fails io at once", "6.13" },
	{ UBLK_F_UPDATE_SIZE, "update_size", "a running device can change its size", "6.16" },
	{ UBLK_F_AUTO_BUF_REG, "auto_buf_reg",
	  "request pages are registered with io_uring by themselves: no copy, no extra command",
	  "6.16" },
	{ UBLK_F_QUIESCE, "quiesce", "a server can hand a running device over to another", "6.16" },
	{ UBLK_F_PER_IO_DAEMON, "per_io_daemon", "several threads can share one queue", "6.16" },
	{ UBLK_F_BUF_REG_OFF_DAEMON, "buf_reg_off_daemon", "any thread can register request pages",
	  "6.17" },
	{ UBLK_F_BATCH_IO, "batch_io", "many requests per command", "7.x" },
	{ UBLK_F_INTEGRITY, "integrity", "requests with integrity data", "7.x" },
	{ UBLK_F_SAFE_STOP_DEV, "safe_stop_dev", "stop a device only if nobody has it open",
	  "7.x" },
	{ UBLK_F_NO_AUTO_PART_SCAN, "no_auto_part_scan",
	  "a device can start without a scan for partitions", "7.x" },
	{ UBLK_F_SHMEM_ZC, "shmem_zc",
	  "data in memory shared with the program is used in place (--shared-memory)", "7.x" },
	{ UBLK_F_IO_DESC_SIZE, "io_desc_size", "larger request descriptors", "7.x" },
};
const size_t nr_features_known = ARRAY_SIZE(features_known);

const struct feature *feature_next(uint64_t flags, unsigned int *pos)
{
	while (*pos < nr_features_known) {
		const struct feature *feature = &features_known[(*pos)++];

		if (flags & feature->flag)
			return feature;
	}
	return NULL;
}

uint64_t features_unknown(uint64_t flags)
{
	for (size_t i = 0; i < nr_features_known; i++)
		flags &= ~features_known[i].flag;
	return flags;
}

/* Returns the new length, which never exceeds size - 1. */
static size_t add_name(char *buf, size_t size, size_t len, const char *name)
{
	int n = snprintf(buf + len, size - len, "%s%s", len ? "," : "", name);

	return min_of(len + n, size - 1);
}

const char *feature_names(uint64_t flags, char *buf, size_t size)
{
	uint64_t unknown = features_unknown(flags);
	const struct feature *feature;
	unsigned int pos = 0;
	size_t len = 0;
	char bit[16];

	snprintf(buf, size, "none");
	while ((feature = feature_next(flags, &pos)))
		len = add_name(buf, size, len, feature->name);
	for (unsigned int i = 0; i < 64; i++)
		if (unknown >> i & 1) {
			snprintf(bit, sizeof(bit), "bit_%u", i);
			len = add_name(buf, size, len, bit);
		}
	return buf;
}

uint64_t feature_by_name(const char *name)
{
	for (size_t i = 0; i < nr_features_known; i++)
		if (!strcmp(features_known[i].name, name))
			return features_known[i].flag;
	return 0;
}

uint64_t features_assumed(bool legacy)
{
	uint64_t flags = UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_NEED_GET_DATA;

	if (!legacy)
		flags |= UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_USER_RECOVERY |
			 UBLK_F_USER_RECOVERY_REISSUE | UBLK_F_UNPRIVILEGED_DEV;
	return flags;
}
