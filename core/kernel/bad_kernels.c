// SPDX-License-Identifier: MIT
/* The table of broken kernels, each with the report that it is there for. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "kernel/bad_kernels.h"

/* Commit 529d4d632788 (memory of queues by NUMA node) without 011af85ccd87, which it needs: ADD_DEV
 * uses the tag set's map before there is one. */
#define ADD_CRASHES "adding a device crashes in the driver, and the command hangs for ever"

static const struct bad_kernel bad_kernels[] = {
	{ "6.18.4", NULL, ADD_CRASHES, "upgrade to 6.18.6 or newer",
	  "https://github.com/zabbly/linux/issues/52" },
	{ "6.18.5", NULL, ADD_CRASHES, "upgrade to 6.18.6 or newer",
	  "https://github.com/kvcache-ai/AgentENV/issues/20" },
	{ "6.17.0", "-azure", ADD_CRASHES, "boot another kernel: 6.14 and older, 6.18.6 and newer",
	  "https://bugs.launchpad.net/ubuntu/+source/linux-azure/+bug/2154635" },
	{ "6.17.0", "-aws", ADD_CRASHES, "boot another kernel: 6.14 and older, 6.18.6 and newer",
	  "https://github.com/longhorn/longhorn/issues/13509" },
};

static bool is_version(const char *release, const char *version)
{
	size_t len = strlen(version);

	return !strncmp(release, version, len) && !isdigit((unsigned char)release[len]);
}

const struct bad_kernel *bad_kernel_find(const char *release)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_kernels); i++) {
		const struct bad_kernel *bad = &bad_kernels[i];

		if (is_version(release, bad->version) &&
		    (!bad->build || strstr(release, bad->build)))
			return bad;
	}
	return NULL;
}

/* Seen once, in a test that kills servers under load on 6.12. A distribution may have the fix in an older one. */
static const struct bad_kernel cancel_race = {
	.what = "a server that is killed while requests come may take the kernel down with it",
	.remedy =
		"boot 6.14.6 or newer, or one that has the fix; servers that are stopped in good order "
		"(ublk-host down) are safe",
	.source = "CVE-2025-37906",
};

const struct bad_kernel *risky_kernel_find(const char *release)
{
	unsigned int major, minor, patch = 0;

	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2 || major != 6)
		return NULL;
	return minor >= 7 && (minor < 14 || (minor == 14 && patch < 6)) ? &cancel_race : NULL;
}
