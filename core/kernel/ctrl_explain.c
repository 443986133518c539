// SPDX-License-Identifier: MIT
/*
 * Why a control command failed, in one line: the driver says it with one errno for many reasons,
 * its rules say which can apply. No privilege needed; reads a few files for numbers to name.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/bad_kernels.h"
#include "kernel/ctrl.h"
#include "kernel/knobs.h"
#include "kernel/sysfs.h"

static const struct {
	uint32_t op;
	const char *name;
} cmd_names[] = {
	{ UBLK_U_CMD_GET_QUEUE_AFFINITY, "GET_QUEUE_AFFINITY" },
	{ UBLK_U_CMD_GET_DEV_INFO, "GET_DEV_INFO" },
	{ UBLK_U_CMD_GET_DEV_INFO2, "GET_DEV_INFO2" },
	{ UBLK_U_CMD_ADD_DEV, "ADD_DEV" },
	{ UBLK_U_CMD_DEL_DEV, "DEL_DEV" },
	{ UBLK_U_CMD_DEL_DEV_ASYNC, "DEL_DEV_ASYNC" },
	{ UBLK_U_CMD_START_DEV, "START_DEV" },
	{ UBLK_U_CMD_STOP_DEV, "STOP_DEV" },
	{ UBLK_U_CMD_TRY_STOP_DEV, "TRY_STOP_DEV" },
	{ UBLK_U_CMD_SET_PARAMS, "SET_PARAMS" },
	{ UBLK_U_CMD_GET_PARAMS, "GET_PARAMS" },
	{ UBLK_U_CMD_START_USER_RECOVERY, "START_USER_RECOVERY" },
	{ UBLK_U_CMD_END_USER_RECOVERY, "END_USER_RECOVERY" },
	{ UBLK_U_CMD_GET_FEATURES, "GET_FEATURES" },
	{ UBLK_U_CMD_UPDATE_SIZE, "UPDATE_SIZE" },
	{ UBLK_U_CMD_QUIESCE_DEV, "QUIESCE_DEV" },
	{ UBLK_U_CMD_REG_BUF, "REG_BUF" },
	{ UBLK_U_CMD_UNREG_BUF, "UNREG_BUF" },
};

const char *ctrl_cmd_name(uint32_t cmd_op)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmd_names); i++)
		if (cmd_names[i].op == cmd_op)
			return cmd_names[i].name;
	return "unknown command";
}

/* First match wins; op 0 is any command. "#" stands for the device's id, "@" for the kernel's
 * release, "$" for the driver's limit of devices. */
static const struct {
	uint32_t op;
	int err;
	const char *why;
} reasons[] = {
	{ UBLK_U_CMD_ADD_DEV, EEXIST,
	  "id # is taken by another ublk device; choose another id, or leave the choice to the kernel" },
	{ UBLK_U_CMD_ADD_DEV, EACCES,
	  "the driver's limit of $ devices is reached; delete one (`ublk-host gc` finds those without a "
	  "server), or raise " KNOB_UBLKS_MAX },
	{ UBLK_U_CMD_ADD_DEV, EPERM,
	  "adding a device needs the capability CAP_SYS_ADMIN; run as root" },
	{ UBLK_U_CMD_ADD_DEV, ENOSPC, "every device id is in use; delete devices" },
	{ UBLK_U_CMD_ADD_DEV, ENOMEM,
	  "the kernel has no memory for that many queues and requests; use fewer queues or less depth" },
	{ UBLK_U_CMD_ADD_DEV, EINVAL,
	  "the driver of kernel @ refuses this combination of queues, depth, id and features" },
	{ UBLK_U_CMD_ADD_DEV, ETIMEDOUT,
	  "the driver of kernel @ did not answer and the command was cancelled; "
	  "look for a ublk message in dmesg, and reboot if commands go on hanging" },
	{ UBLK_U_CMD_SET_PARAMS, EINVAL,
	  "the driver of kernel @ refuses these limits, and has forgotten all of them" },
	{ UBLK_U_CMD_SET_PARAMS, EACCES,
	  "the device has started, which fixes its limits; stop it first" },
	{ UBLK_U_CMD_START_DEV, EEXIST, "it is already running" },
	{ UBLK_U_CMD_START_DEV, EBUSY,
	  "it is still stopping; wait until its server has closed /dev/ublkc#" },
	{ UBLK_U_CMD_START_DEV, EINVAL,
	  "no limits were set, or the process that opened /dev/ublkc# is not the one that starts it" },
	{ UBLK_U_CMD_START_DEV, ETIMEDOUT,
	  "not every queue thread has fetched all of its requests from /dev/ublkc#, "
	  "so the driver kept waiting; the command was cancelled" },
	{ UBLK_U_CMD_START_DEV, EINTR, "the wait for the queue threads was interrupted" },
	{ UBLK_U_CMD_START_DEV, ECANCELED, "the wait for the queue threads was given up" },
	{ UBLK_U_CMD_STOP_DEV, ETIMEDOUT,
	  "the driver of kernel @ still waits for requests that the server holds, or for the start "
	  "of the device; end the server (it has /dev/ublkc# open) and try again" },
	{ UBLK_U_CMD_TRY_STOP_DEV, EBUSY, "/dev/ublkb# is open; close or unmount it first" },
	{ UBLK_U_CMD_TRY_STOP_DEV, ENODEV, "there is no such device, or it is not running" },
	{ UBLK_U_CMD_DEL_DEV, ETIMEDOUT,
	  "a process still holds /dev/ublkc# (open, mapped, or in an io_uring); the device goes when "
	  "that process does: find it with `fuser -v /dev/ublkc#`" },
	{ UBLK_U_CMD_DEL_DEV, EINTR,
	  "the wait for the last user of /dev/ublkc# was interrupted; the device goes when that does" },
	{ UBLK_U_CMD_REG_BUF, EEXIST, "some of its pages are registered already" },
	{ UBLK_U_CMD_REG_BUF, EFAULT,
	  "the kernel cannot hold its pages: they are of no tmpfs or hugetlbfs, or gone" },
	{ UBLK_U_CMD_REG_BUF, EOPNOTSUPP,
	  "the device was added without shmem_zc, or the driver of kernel @ does not have it" },
	{ UBLK_U_CMD_UNREG_BUF, ENOENT, "there is no memory registered by this number" },
	{ UBLK_U_CMD_DEL_DEV_ASYNC, EINVAL, "an unprivileged device knows DEL_DEV only" },
	{ UBLK_U_CMD_GET_QUEUE_AFFINITY, EINVAL,
	  "there is no such queue, or the CPU mask is too small for this kernel" },
	{ UBLK_U_CMD_START_USER_RECOVERY, EBUSY,
	  "the former server still holds /dev/ublkc#, or the device is not waiting for a new server; "
	  "try again when that process has ended" },
	{ UBLK_U_CMD_START_USER_RECOVERY, EINVAL, "the device was not made to be recovered" },
	{ UBLK_U_CMD_END_USER_RECOVERY, EBUSY, "the device is not waiting for a new server" },
	{ UBLK_U_CMD_END_USER_RECOVERY, EINVAL,
	  "the device was not made to be recovered, or the process that opened /dev/ublkc# is not the "
	  "one that recovers it" },
	{ UBLK_U_CMD_END_USER_RECOVERY, ETIMEDOUT,
	  "not every queue thread has fetched all of its requests from /dev/ublkc#, "
	  "so the driver kept waiting; the command was cancelled" },
	{ UBLK_U_CMD_QUIESCE_DEV, EBUSY,
	  "the server did not give back all requests in time; "
	  "it must end or be replaced now, for the driver has begun to withdraw its commands" },
	{ UBLK_U_CMD_UPDATE_SIZE, ENODEV, "there is no such device, or it is not running" },
	{ UBLK_U_CMD_QUIESCE_DEV, ENODEV, "there is no such device, or it is not running" },
	{ UBLK_U_CMD_GET_FEATURES, EOPNOTSUPP,
	  "the driver of kernel @ is older than this command (6.5)" },
	{ 0, ENODEV, "there is no such device; `ublk-host list` shows those that exist" },
	{ 0, EPERM,
	  "the device belongs to another user, or was added by root; run as root or as its owner" },
	{ 0, EACCES, "/dev/ublkc# is not ours to use; run as root or as its owner" },
	{ 0, ENOENT, "/dev/ublkc# is missing, and an unprivileged device is known by this path" },
	{ 0, EOPNOTSUPP, "the ublk driver of kernel @ does not know this command" },
	{ 0, EINVAL, "the ublk driver of kernel @ refuses its arguments" },
	{ 0, ETIMEDOUT,
	  "the driver of kernel @ did not answer in time and the command was cancelled" },
	{ 0, EIO,
	  "an earlier command hangs in kernel @; look for a ublk message in dmesg, "
	  "and reboot if it does not go away" },
	{ 0, EINTR, "the command was interrupted" },
	{ 0, ECANCELED, "the command was given up" },
	{ 0, ENOMEM, "the kernel has not enough memory" },
	{ 0, EBUSY, "the device, or the ring for commands to it, is busy; try again" },
};

/* Appends to buf what fits. */
static __printf_like(3, 4) void append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

static void append_expanded(char *buf, size_t size, const char *text, uint32_t id,
			    const char *release, const char *limit)
{
	for (; *text; text++) {
		if (*text == '#')
			append(buf, size, "%u", id);
		else if (*text == '@')
			append(buf, size, "%s", release);
		else if (*text == '$')
			append(buf, size, "%s", limit);
		else
			append(buf, size, "%c", *text);
	}
}

static const char *reason_of(uint32_t op, int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if ((reasons[i].op == op || !reasons[i].op) && reasons[i].err == -err)
			return reasons[i].why;
	return NULL;
}

const char *ctrl_explain_on(const char *release, const char *root, uint32_t cmd_op, uint32_t id,
			    int err, char *buf, size_t size)
{
	const char *why = reason_of(cmd_op, err);
	const char *code = strerrorname_np(-err);
	const struct bad_kernel *bad = bad_kernel_find(release);
	char limit[32];

	sysfs_read_line(root, KNOB_UBLKS_MAX, limit, sizeof(limit));
	buf[0] = '\0';
	append(buf, size, "%s", ctrl_cmd_name(cmd_op));
	if (id != UINT32_MAX)
		append(buf, size, " of ublk device %u", id);
	append(buf, size, " failed: ");
	if (why)
		append_expanded(buf, size, why, id, release, *limit ? limit : "64");
	else
		append(buf, size, "%s, on kernel %s", strerror(-err), release);
	if (cmd_op == UBLK_U_CMD_ADD_DEV && bad &&
	    (err == -ETIMEDOUT || err == -EIO || err == -EINTR))
		append(buf, size, "; that is known of this kernel: %s (%s)", bad->remedy,
		       bad->source);
	if (code)
		append(buf, size, " (%s)", code);
	else
		append(buf, size, " (error %d)", -err);
	return buf;
}

const char *ctrl_explain(uint32_t cmd_op, uint32_t id, int err, char *buf, size_t size)
{
	char release[64];

	return ctrl_explain_on(kernel_release(release, sizeof(release)), "", cmd_op, id, err, buf,
			       size);
}

/* Does a line of modules.dep or modules.builtin name the driver? */
static bool kernel_has_module(const char *root, const char *release, const char *list)
{
	char path[512], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/lib/modules/%s/%s", root, release, list);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &size, f) > 0) {
		line[strcspn(line, ":\n")] = '\0';
		found = strstr(line, "/ublk_drv.ko") != NULL;
	}
	free(line);
	fclose(f);
	return found;
}

static const char *explain_no_driver(const char *release, const char *root, char *buf, size_t size)
{
	char dev[32];

	sysfs_read_line(root, "/sys/class/misc/ublk-control/dev", dev, sizeof(dev));
	if (*dev)
		snprintf(buf, size,
			 "%s is missing, though kernel %s has the ublk driver loaded: give this "
			 "container the node (character device %s), or mount devtmpfs on /dev",
			 UBLK_CONTROL_PATH, release, dev);
	else if (kernel_has_module(root, release, "modules.dep"))
		snprintf(
			buf, size,
			"%s is missing: the ublk driver is not loaded; run `modprobe ublk_drv` as root",
			UBLK_CONTROL_PATH);
	else
		snprintf(
			buf, size,
			"%s is missing: kernel %s has no ublk driver loaded, and no module for it "
			"is installed; try `modprobe ublk_drv`, or boot a kernel with "
			"CONFIG_BLK_DEV_UBLK (Debian 13: linux-image-amd64; Debian 12: the same from "
			"bookworm-backports)",
			UBLK_CONTROL_PATH, release);
	return buf;
}

const char *ctrl_explain_open(const char *release, const char *root, bool ring, int err, char *buf,
			      size_t size)
{
	char why[256];

	if (ring)
		return knob_ring_failure(release, root, err, buf, size);
	switch (err) {
	case -ENOENT:
		return explain_no_driver(release, root, buf, size);
	case -ENXIO:
	case -ENODEV:
		snprintf(buf, size,
			 "%s is there, but no driver is behind it in kernel %s; run `modprobe "
			 "ublk_drv` as root, and make the node anew if it was made by hand",
			 UBLK_CONTROL_PATH, release);
		break;
	case -EACCES:
	case -EPERM:
		snprintf(
			buf, size,
			"no permission to open %s; run as root, or have a udev rule (in a container: "
			"its device policy) give it to this user",
			UBLK_CONTROL_PATH);
		break;
	default:
		snprintf(buf, size, "cannot open %s: %s", UBLK_CONTROL_PATH,
			 knob_file_failure(root, err, why, sizeof(why)));
		break;
	}
	return buf;
}
