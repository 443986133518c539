// SPDX-License-Identifier: MIT
/* What the kernel room says without a driver: messages, feature names, io_uring, files. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "kernel/ctrl.h"
#include "kernel/features.h"
#include "kernel/ring_probe.h"
#include "kernel/sysfs.h"
#include "made_up.h"
#include "tap.h"

static char line[2048];

#define has(text) ck_assert_msg(strstr(line, text) != NULL, "no \"%s\" in: %s", text, line)
#define lacks(text) ck_assert_msg(strstr(line, text) == NULL, "\"%s\" in: %s", text, line)

static void explain(uint32_t op, uint32_t id, int err)
{
	ctrl_explain_on("6.12.9", root, op, id, err, line, sizeof(line));
	ck_assert_ptr_null(strchr(line, '\n'));
	ck_assert_msg(!strpbrk(line, "#@$"), "not expanded: %s", line);
}

START_TEST(commands_have_names)
{
	ck_assert_str_eq(ctrl_cmd_name(UBLK_U_CMD_ADD_DEV), "ADD_DEV");
	ck_assert_str_eq(ctrl_cmd_name(UBLK_U_CMD_TRY_STOP_DEV), "TRY_STOP_DEV");
	ck_assert_str_eq(ctrl_cmd_name(0), "unknown command");
}
END_TEST

START_TEST(explanations_name_the_cause)
{
	explain(UBLK_U_CMD_ADD_DEV, 3, -EEXIST);
	ck_assert_str_eq(line, "ADD_DEV of ublk device 3 failed: id 3 is taken by another ublk "
			       "device; choose another id, or leave the choice to the kernel "
			       "(EEXIST)");
	explain(UBLK_U_CMD_ADD_DEV, UINT32_MAX, -EACCES);
	has("ADD_DEV failed: the driver's limit of 64 devices");
	put("/sys/module/ublk_drv/parameters/ublks_max", "7\n");
	explain(UBLK_U_CMD_ADD_DEV, UINT32_MAX, -EACCES);
	has("limit of 7 devices");
	explain(UBLK_U_CMD_ADD_DEV, UINT32_MAX, -EPERM);
	has("run as root");
	explain(UBLK_U_CMD_SET_PARAMS, 0, -EINVAL);
	has("kernel 6.12.9");
	explain(UBLK_U_CMD_SET_PARAMS, 0, -EACCES);
	has("has started");
	explain(UBLK_U_CMD_START_DEV, 5, -ETIMEDOUT);
	has("/dev/ublkc5");
	explain(UBLK_U_CMD_DEL_DEV, 5, -ETIMEDOUT);
	has("still holds /dev/ublkc5");
	explain(UBLK_U_CMD_DEL_DEV, 9, -ENODEV);
	has("there is no such device");
	explain(UBLK_U_CMD_GET_PARAMS, 9, -EPERM);
	has("another user");
	explain(UBLK_U_CMD_STOP_DEV, 9, -EIO);
	has("an earlier command hangs");
	explain(UBLK_U_CMD_GET_FEATURES, UINT32_MAX, -EOPNOTSUPP);
	has("older than this command");
	explain(UBLK_U_CMD_STOP_DEV, 1, -EDOM); /* nobody knows why */
	has(strerror(EDOM));
	has("6.12.9");
	explain(UBLK_U_CMD_STOP_DEV, 1, -524); /* no name in user space */
	has("(error 524)");
}
END_TEST

/* Every errno that the driver is known to use gives a line for every command. */
START_TEST(explanations_never_fail)
{
	static const uint32_t ops[] = { UBLK_U_CMD_ADD_DEV,    UBLK_U_CMD_DEL_DEV,
					UBLK_U_CMD_START_DEV,  UBLK_U_CMD_STOP_DEV,
					UBLK_U_CMD_SET_PARAMS, UBLK_U_CMD_GET_PARAMS };
	char tiny[20];

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		for (int err = 1; err < 134; err++)
			explain(ops[i], 1048575, -err);
	ctrl_explain_on("6.12.9", root, UBLK_U_CMD_ADD_DEV, 3, -EEXIST, tiny, sizeof(tiny));
	ck_assert_uint_eq(strlen(tiny), sizeof(tiny) - 1);
}
END_TEST

START_TEST(bad_kernels_are_named)
{
	ctrl_explain_on("6.18.4", root, UBLK_U_CMD_ADD_DEV, 0, -ETIMEDOUT, line, sizeof(line));
	has("upgrade to 6.18.6");
	has("https://");
	ctrl_explain_on("6.18.6", root, UBLK_U_CMD_ADD_DEV, 0, -ETIMEDOUT, line, sizeof(line));
	lacks("upgrade");
	ctrl_explain_on("6.18.4", root, UBLK_U_CMD_ADD_DEV, 0, -EEXIST, line, sizeof(line));
	lacks("upgrade");
}
END_TEST

static void explain_open(bool ring, int err)
{
	ctrl_explain_open("6.1.0-9", root, ring, err, line, sizeof(line));
}

START_TEST(missing_driver_is_explained)
{
	explain_open(false, -ENOENT);
	has("/dev/ublk-control is missing");
	has("CONFIG_BLK_DEV_UBLK");
	has("modprobe ublk_drv");
	put("/lib/modules/6.1.0-9/modules.dep",
	    "kernel/drivers/block/loop.ko:\nkernel/drivers/block/ublk_drv.ko.xz:\n");
	explain_open(false, -ENOENT);
	has("run `modprobe ublk_drv` as root");
	lacks("CONFIG_BLK_DEV_UBLK");
	put("/sys/class/misc/ublk-control/dev", "10:256\n");
	explain_open(false, -ENOENT);
	has("character device 10:256");
	explain_open(false, -ENXIO);
	has("no driver is behind it");
	explain_open(false, -EACCES);
	has("no permission to open /dev/ublk-control");
	explain_open(false, -EDOM);
	has(strerror(EDOM));
}
END_TEST

START_TEST(missing_ring_is_explained)
{
	explain_open(true, -EPERM);
	has("seccomp");
	put("/proc/sys/kernel/io_uring_disabled", "2\n");
	explain_open(true, -EPERM);
	has("kernel.io_uring_disabled is 2");
	explain_open(true, -ENOSYS);
	has("CONFIG_IO_URING");
	explain_open(true, -EINVAL);
	has("6.1.0-9 is too old");
}
END_TEST

START_TEST(open_without_driver_says_so_once)
{
	char log[96], text[2048] = "";
	struct ctrl *ctrl = NULL;
	FILE *f;

	if (!access(UBLK_CONTROL_PATH, F_OK))
		return; /* tests of the real driver are elsewhere */
	snprintf(log, sizeof(log), "%s/log", root);
	ck_assert_int_eq(log_prepare_file(log), 0);
	log_switch();
	ck_assert_int_eq(ctrl_open(&ctrl), -ENOENT);
	ck_assert_ptr_null(ctrl);
	f = fopen(log, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "/dev/ublk-control is missing"));
	ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
	ctrl_close(NULL);
}
END_TEST

START_TEST(features_have_names)
{
	const struct feature *feature;
	unsigned int pos = 0, seen = 0;
	char tiny[10];

	for (size_t i = 0; i < nr_features_known; i++) {
		ck_assert_uint_eq(features_known[i].flag, 1ull << i); /* in order, none left out */
		ck_assert_uint_eq(feature_by_name(features_known[i].name), 1ull << i);
		ck_assert_ptr_null(strchr(features_known[i].meaning, '.'));
	}
	ck_assert_uint_eq(feature_by_name("nonsense"), 0);
	feature_names(UBLK_F_USER_COPY | UBLK_F_AUTO_BUF_REG | 1ull << 63, line, sizeof(line));
	ck_assert_str_eq(line, "user_copy,auto_buf_reg,bit_63");
	ck_assert_str_eq(feature_names(0, line, sizeof(line)), "none");
	feature_names(UINT64_MAX, tiny, sizeof(tiny));
	ck_assert_uint_eq(strlen(tiny), sizeof(tiny) - 1);
	ck_assert_uint_eq(features_unknown(UBLK_F_ZONED | 1ull << 40), 1ull << 40);
	while ((feature = feature_next(UBLK_F_ZONED | UBLK_F_QUIESCE | 1ull << 50, &pos)))
		seen++;
	ck_assert_uint_eq(seen, 2);
	ck_assert(features_assumed(false) & UBLK_F_CMD_IOCTL_ENCODE);
	ck_assert(!(features_assumed(true) & UBLK_F_CMD_IOCTL_ENCODE));
}
END_TEST

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

START_TEST(ring_is_probed)
{
	size_t fds = count_fds();
	struct ring_features rf;
	unsigned int n = 0;
	const char *name;
	bool there;

	if (ring_probe(&rf)) {
		ck_assert_int_lt(rf.err, 0);
		ck_assert_uint_eq(rf.setup, 0);
		return; /* io_uring is not for this process */
	}
	ck_assert(ring_has_op(&rf, IORING_OP_READ_FIXED));
	ck_assert(!ring_has_op(&rf, 255));
	ck_assert(!ring_has_op(&rf, 70000));
	ck_assert_uint_eq(rf.setup & IORING_SETUP_SQPOLL, 0);
	ck_assert_uint_eq(ring_queue_flags(&rf) & ~rf.setup, 0);
	ck_assert_uint_eq(ring_queue_flags(&rf) & IORING_SETUP_SQE128, 0);
	while ((name = ring_feature_name(&rf, n, &there))) {
		if (!strcmp(name, "uring_cmd"))
			ck_assert_int_eq(there, ring_has_op(&rf, IORING_OP_URING_CMD));
		n++;
	}
	ck_assert_uint_ge(n, 20);
	ck_assert_uint_eq(count_fds(), fds);
}
END_TEST

START_TEST(devices_are_listed_in_order)
{
	uint32_t *ids;
	size_t nr;

	ck_assert_int_eq(sysfs_devices(root, &ids, &nr), 0);
	ck_assert_uint_eq(nr, 0);
	put("/sys/class/ublk-char/ublkc10/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkc9/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkc0/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkcx/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkc1x/dev", "1:1\n");
	ck_assert_int_eq(sysfs_devices(root, &ids, &nr), 0);
	ck_assert_uint_eq(nr, 3);
	ck_assert_uint_eq(ids[0], 0);
	ck_assert_uint_eq(ids[1], 9);
	ck_assert_uint_eq(ids[2], 10);
	free(ids);
}
END_TEST

START_TEST(a_device_that_cannot_be_looked_at_is_not_gone)
{
	put("/sys/class/ublk-char/ublkc1/dev", "1:1\n");
	put("/sys/class/ublk-char/ublkc2/dev", "1:2\n");
	put_link("/sys/class/ublk-char/ublkc3", "ublkc3"); /* ELOOP */
	ck_assert_uint_ne(sysfs_device_entry(root, 1), 0);
	ck_assert_uint_ne(sysfs_device_entry(root, 1), SYSFS_ENTRY_UNKNOWN);
	ck_assert_uint_ne(sysfs_device_entry(root, 1), sysfs_device_entry(root, 2));
	ck_assert_uint_eq(sysfs_device_entry(root, 3), SYSFS_ENTRY_UNKNOWN);
	ck_assert_uint_eq(sysfs_device_entry(root, 4), 0);
}
END_TEST

static void put_disk(void)
{
	put("/sys/block/ublkb3/dev", "259:3\n");
	put("/sys/block/ublkb3/size", "2048\n");
	put("/sys/block/ublkb3/ro", "1\n");
	put("/sys/block/ublkb3/queue/logical_block_size", "512\n");
	put("/sys/block/ublkb3/queue/physical_block_size", "4096\n");
}

START_TEST(disks_are_read)
{
	struct sysfs_disk disk;

	ck_assert_int_eq(sysfs_disk(root, 3, &disk), -ENODEV);
	put_disk();
	ck_assert_int_eq(sysfs_disk(root, 3, &disk), 0);
	ck_assert_uint_eq(disk.size_bytes, 1 << 20);
	ck_assert(disk.read_only);
	ck_assert_uint_eq(disk.logical_block, 512);
	ck_assert_uint_eq(disk.physical_block, 4096);
	ck_assert_uint_eq(disk.devt, makedev(259, 3));
	put("/sys/block/ublkb3/size", "-5\n");
	ck_assert_int_eq(sysfs_disk(root, 3, &disk), -EBADMSG);
}
END_TEST

START_TEST(nodes_are_waited_for)
{
	char log[96], text[2048] = "", full[96];
	FILE *f;

	snprintf(log, sizeof(log), "%s/log", root);
	ck_assert_int_eq(log_prepare_file(log), 0);
	log_switch();
	ck_assert_int_eq(sysfs_wait_node(root, 3, 20), -ETIMEDOUT);
	put_disk();
	ck_assert_int_eq(sysfs_wait_node(root, 3, 20), -ETIMEDOUT);
	put("/dev/ublkb3", "");
	ck_assert_int_eq(sysfs_wait_node(root, 3, 20), -ETIMEDOUT);
	f = fopen(log, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "no such disk"));
	ck_assert_ptr_nonnull(strstr(text, "does not exist"));
	ck_assert_ptr_nonnull(strstr(text, "not a block device"));
	snprintf(full, sizeof(full), "%s/dev/ublkb3", root);
	unlink(full);
	if (mknod(full, S_IFBLK | 0600, makedev(259, 4)))
		return; /* not privileged enough */
	ck_assert_int_eq(sysfs_wait_node(root, 3, 20), -ETIMEDOUT);
	unlink(full);
	ck_assert_int_eq(mknod(full, S_IFBLK | 0600, makedev(259, 3)), 0);
	ck_assert_int_eq(sysfs_wait_node(root, 3, 20), 0);
}
END_TEST

START_TEST(numbers_of_cpus)
{
	char release[64];

	put("/sys/devices/system/cpu/online", "0-3,6,8-9\n");
	put("/sys/devices/system/cpu/possible", "0-15\n");
	ck_assert_uint_eq(sysfs_cpus_online(root), 7);
	ck_assert_uint_eq(sysfs_nr_cpu_ids(root), 16);
	put("/sys/devices/system/cpu/online", "0-\n");
	ck_assert_uint_ge(sysfs_cpus_online(root), 1);
	ck_assert_uint_eq(sysfs_ublks_max(root), 0);
	put("/sys/module/ublk_drv/parameters/ublks_max", "64\n");
	ck_assert_uint_eq(sysfs_ublks_max(root), 64);
	ck_assert_uint_gt(strlen(kernel_release(release, sizeof(release))), 0);
}
END_TEST

START_TEST(users_are_found)
{
	struct disk_users users;

	ck_assert_int_eq(disk_users_find(root, 3, &users), -ENODEV);
	put_disk();
	ck_assert_int_eq(disk_users_find(root, 3, &users), 0);
	ck_assert_uint_eq(users.nr, 0);
	ck_assert_str_eq(disk_users_text(&users, line, sizeof(line)), "");
	disk_users_free(&users);

	put("/sys/block/ublkb3/ublkb3p1/dev", "259:4\n");
	put("/sys/block/ublkb3/ublkb3p1/holders/dm-0", "");
	put("/sys/block/dm-0/dm/name", "vg-root\n");
	put("/sys/block/ublkb3/holders/md0", "");
	put("/sys/block/loop5/loop/backing_file", "/dev/ublkb3p1\n");
	put("/sys/block/loop6/loop/backing_file", "/srv/image\n");
	put_link("/proc/self/ns/mnt", "mnt:[1]");
	put("/proc/self/mountinfo",
	    "22 1 0:21 / /proc rw - proc proc rw\n"
	    "30 1 259:3 / /mnt/with\\040blank rw,noatime shared:1 - ext4 /dev/root rw\n"
	    "31 1 259:30 / /other rw - ext4 /dev/sdb rw\n"
	    "32 1 0:44 /sub /mnt/btrfs rw - btrfs /dev/ublkb3p1 rw\n"
	    "33 1 0:45 / /tmp rw - tmpfs ublkb3 rw\n"
	    "garbage\n33 - \n - \n");
	put("/proc/swaps", "Filename\tType\n/dev/ublkb3p1 partition 1 0 -2\n/dev/ublkb33 x\n");
	put_link("/proc/100/ns/mnt", "mnt:[1]");
	put("/proc/100/mountinfo", "30 1 259:3 / /seen rw - ext4 /dev/root rw\n");
	put("/proc/100/comm", "fsck\n");
	put_link("/proc/100/fd/0", "/dev/null");
	put_link("/proc/100/fd/5", "/dev/ublkb3");
	put_link("/proc/100/fd/6", "/dev/ublkb3");
	put_link("/proc/101/ns/mnt", "mnt:[2]");
	put("/proc/101/mountinfo", "30 1 259:4 / /inside rw - ext4 /dev/root rw\n");
	put_link("/proc/101/fd/5", "/dev/ublkb31");
	put_link("/proc/101/fd/6", "/dev/ublkb3 (deleted)");
	ck_assert_int_eq(disk_users_find(root, 3, &users), 0);
	ck_assert_str_eq(disk_users_text(&users, line, sizeof(line)),
			 "mounted on /mnt/with blank, mounted on /mnt/btrfs, "
			 "mounted on /inside in the mount namespace of pid 101, used as swap, "
			 "held by md0, held by vg-root (dm-0), held by loop5, "
			 "open in fsck (pid 100)");
	ck_assert_str_eq(users.user[1].node, "ublkb3p1");
	disk_users_free(&users);
}
END_TEST

/* Of a disk whose server died there may be nothing left but its name. */
START_TEST(users_are_found_by_name)
{
	struct disk_users users;

	put_link("/proc/self/ns/mnt", "mnt:[1]");
	put("/proc/self/mountinfo", "30 1 259:3 / /mnt rw,noatime shared:1 - ext4 /dev/ublkb3 rw\n"
				    "31 1 259:4 / /part rw - ext4 /dev/ublkb3p2 rw\n"
				    "32 1 259:5 / /other rw - ext4 /dev/ublkb31 rw\n");
	put("/proc/swaps", "Filename\tType\n/dev/ublkb3p1 partition 1 0 -2\n");
	put("/proc/100/comm", "fsck\n");
	put_link("/proc/100/fd/5", "/dev/ublkb3 (deleted)");
	put("/proc/101/comm", "server\n");
	put_link("/proc/101/fd/5", "/dev/ublkc3");
	put_link("/proc/101/fd/6", "/dev/ublkb33 (deleted)");
	ck_assert_int_eq(disk_users_named(root, "ublkb3", &users), 0);
	ck_assert_str_eq(disk_users_text(&users, line, sizeof(line)),
			 "mounted on /mnt, mounted on /part, used as swap, open in fsck (pid 100)");
	disk_users_free(&users);
	ck_assert_int_eq(disk_users_named(root, "ublkc3", &users), 0);
	ck_assert_str_eq(disk_users_text(&users, line, sizeof(line)), "open in server (pid 101)");
	disk_users_free(&users);
	ck_assert_int_eq(disk_users_named(root, "ublkc10", &users), 0);
	ck_assert_uint_eq(users.nr, 0);
	disk_users_free(&users);
}
END_TEST

START_TEST(users_are_capped)
{
	struct disk_users users;
	char path[64];

	put_disk();
	for (unsigned int i = 0; i < DISK_USERS_MAX + 3; i++) {
		/* More than any process has: our own does not count. */
		snprintf(path, sizeof(path), "/proc/%u/fd/3", 5000000 + i);
		put_link(path, "/dev/ublkb3");
	}
	ck_assert_int_eq(disk_users_find(root, 3, &users), 0);
	ck_assert_uint_eq(users.nr, DISK_USERS_MAX);
	ck_assert_uint_eq(users.more, 3);
	disk_users_text(&users, line, sizeof(line));
	ck_assert_uint_lt(strlen(line), sizeof(line));
	disk_users_text(&users, line, 40);
	ck_assert_uint_eq(strlen(line), 39);
	disk_users_free(&users);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel without a driver");
	TCase *tc = tcase_create("facts");

	tcase_add_checked_fixture(tc, made_up_setup, made_up_teardown);
	tcase_add_test(tc, commands_have_names);
	tcase_add_test(tc, explanations_name_the_cause);
	tcase_add_test(tc, explanations_never_fail);
	tcase_add_test(tc, bad_kernels_are_named);
	tcase_add_test(tc, missing_driver_is_explained);
	tcase_add_test(tc, missing_ring_is_explained);
	tcase_add_test(tc, open_without_driver_says_so_once);
	tcase_add_test(tc, features_have_names);
	tcase_add_test(tc, ring_is_probed);
	tcase_add_test(tc, devices_are_listed_in_order);
	tcase_add_test(tc, a_device_that_cannot_be_looked_at_is_not_gone);
	tcase_add_test(tc, disks_are_read);
	tcase_add_test(tc, nodes_are_waited_for);
	tcase_add_test(tc, numbers_of_cpus);
	tcase_add_test(tc, users_are_found);
	tcase_add_test(tc, users_are_found_by_name);
	tcase_add_test(tc, users_are_capped);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
