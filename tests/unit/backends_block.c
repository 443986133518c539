// SPDX-License-Identifier: MIT
/*
 * The file backend on block devices and special filesystems, under a mock host. Needs root for loop
 * devices and mounts (in a mount namespace of its own); skipped as a whole where those are missing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

#define IMAGE_SIZE (8 << 20)

static const struct ublk_plugin *plugin;
static struct ublk_dev dev, dev2;
static char folder[256], node[64], node_opt[320];
static unsigned int fds_before;
static int loop_fd = -1;

/* What BLKROSET set outlives the loop device: for us from others, for others from us. */
static int make_writable(void)
{
	int ro = 0;

	return ioctl(loop_fd, BLKROSET, &ro) ? -errno : 0;
}

/* A free loop device over a new image; it goes when loop_fd is closed. 0 or -errno. */
static int make_loop(uint32_t block, uint32_t flags)
{
	struct loop_config config = { .block_size = block };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), image, nr, err = 0;
	char path[300];

	if (ctl < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/loop.img", folder);
	image = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (image < 0 || ftruncate(image, IMAGE_SIZE))
		return -errno;
	config.fd = (uint32_t)image;
	config.info.lo_flags = flags | LO_FLAGS_AUTOCLEAR;
	for (int attempt = 0; attempt < 10; attempt++) {
		nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		snprintf(node, sizeof(node), "/dev/loop%d", nr);
		loop_fd = nr < 0 ? -1 : open(node, O_RDWR | O_CLOEXEC);
		if (loop_fd >= 0 && !ioctl(loop_fd, LOOP_CONFIGURE, &config)) {
			err = make_writable();
			break;
		}
		err = -errno; /* another was faster: again */
		if (loop_fd >= 0)
			close(loop_fd);
	}
	close(image);
	close(ctl);
	snprintf(node_opt, sizeof(node_opt), "path=%s", node);
	return err;
}

static int own_namespace(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return mount("backends", folder, "tmpfs", 0, NULL) ? -errno : 0;
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/backends-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(own_namespace(), 0);
	plugin = mock_load("plugins", "file");
}

static void teardown(void)
{
	if (loop_fd >= 0) {
		make_writable();
		close(loop_fd);
	}
	umount2(folder, MNT_DETACH);
	rmdir(folder);
}

static void with_loop(uint32_t block, uint32_t flags)
{
	int err = make_loop(block, flags);

	ck_assert_msg(!err, "loop device: %s", strerror(-err));
	fds_before = mock_count_fds();
}

/* The number in /sys/dev/block/MAJ:MIN/queue/NAME */
static unsigned long sysfs_queue(const char *name)
{
	char path[300];
	unsigned long v;
	struct stat st;
	FILE *f;

	ck_assert_int_eq(fstat(loop_fd, &st), 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/%s", major(st.st_rdev),
		 minor(st.st_rdev), name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	ck_assert_int_eq(fscanf(f, "%lu", &v), 1);
	fclose(f);
	return v;
}

static void refused(int got, int err, const char *text1, const char *text2)
{
	ck_assert_int_eq(got, err);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text1), "no '%s' in: %s", text1, dev.log);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text2), "no '%s' in: %s", text2, dev.log);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}

START_TEST(geometry)
{
	static const uint32_t blocks[] = { 512, 4096 };
	uint32_t block = blocks[_i];

	with_loop(block, 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, IMAGE_SIZE);
	ck_assert_uint_eq(dev.limits.logical_block, block);
	ck_assert_uint_eq(dev.limits.physical_block, sysfs_queue("physical_block_size"));
	ck_assert_int_ne(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_uint_eq(dev.limits.dma_align, sysfs_queue("dma_alignment") + 1);
	ck_assert_uint_ne(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, 0);
	ck_assert_int_eq(!(dev.limits.attrs & UBLK_DEV_ROTATIONAL), !sysfs_queue("rotational"));
	ck_assert_int_eq(dev.limits.max_discard_bytes != 0, sysfs_queue("discard_max_bytes") != 0);
	if (dev.limits.max_discard_bytes)
		ck_assert_uint_eq(dev.limits.discard_granularity,
				  sysfs_queue("discard_granularity"));
	mock_close(&dev, true);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
END_TEST

START_TEST(geometry_buffered)
{
	with_loop(4096, 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, "direct=off", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_uint_eq(dev.limits.logical_block, 4096);
	ck_assert_uint_eq(dev.limits.dma_align, 4);
	ck_assert_uint_ne(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, 0);
	mock_close(&dev, true);
}
END_TEST

/* What the disk does no more by now, the device keeps that was made when it did. */
START_TEST(a_disk_that_can_do_less)
{
	struct ublk_limits former = { .logical_block = 4096,
				      .dma_align = 4096,
				      .max_discard_bytes = 1 << 20,
				      .max_write_zeroes_bytes = 1 << 30 };

	with_loop(4096, 0);
	dev.former = &former;
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, node_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_ne(dev.limits.max_discard_bytes, 0);
	ck_assert_uint_gt(dev.limits.max_write_zeroes_bytes, 1 << 30);
	if (fcntl(dev.files[1], F_GETFL) & O_DIRECT) {
		ck_assert_uint_eq(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, 0);
		ck_assert(mock_said(&dev, UBLK_LOG_WARN, "has a volatile cache by now"));
	}
	mock_close(&dev, false);
	/* The page cache is one for certain. */
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, node_opt, "direct=off", NULL),
			 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_ne(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, 0);
	mock_close(&dev, false);
	dev.former = NULL;
}
END_TEST

START_TEST(size_and_offset)
{
	with_loop(4096, 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, "offset=1M", "size=2M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 2 << 20);
	ck_assert_uint_eq(mock_map(&dev, UBLK_OP_READ, 4096, 4096).at.offset, (1 << 20) + 4096);
	mock_close(&dev, true);
	/* direct=auto falls back to the page cache, but the device's blocks stay its blocks */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, "offset=512", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "offset=512 is not a multiple"));
	mock_close(&dev, false);
	refused(mock_open(&dev, plugin, 0, node_opt, "offset=512", "direct=on", NULL), -EINVAL,
		"direct=on", "blocks of 4096");
	refused(mock_open(&dev, plugin, 0, node_opt, "create=true", "size=1G", NULL), -EINVAL, node,
		"8388608");
	refused(mock_open(&dev, plugin, 0, node_opt, "offset=8M", NULL), -EINVAL, node,
		"beyond its end");
}
END_TEST

/* A partition has no queue folder of its own. */
START_TEST(partition)
{
	struct blkpg_partition part = { .start = 1 << 20, .length = 2 << 20, .pno = 1 };
	struct blkpg_ioctl_arg arg = { .op = BLKPG_ADD_PARTITION,
				       .datalen = sizeof(part),
				       .data = &part };
	char path[300], opt[320];
	unsigned int maj, min;
	FILE *f;

	with_loop(4096, LO_FLAGS_PARTSCAN);
	ck_assert_int_eq(ioctl(loop_fd, BLKPG, &arg), 0);
	snprintf(path, sizeof(path), "/sys/class/block/%sp1/dev", node + strlen("/dev/"));
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%u:%u", &maj, &min), 2);
	fclose(f);
	snprintf(path, sizeof(path), "%s/part", folder);
	ck_assert_int_eq(mknod(path, S_IFBLK | 0600, makedev(maj, min)), 0);
	snprintf(opt, sizeof(opt), "path=%s", path);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 2 << 20);
	ck_assert_uint_eq(dev.limits.logical_block, 4096);
	ck_assert_uint_eq(dev.limits.dma_align, sysfs_queue("dma_alignment") + 1);
	ck_assert_int_eq(dev.limits.max_discard_bytes != 0, sysfs_queue("discard_max_bytes") != 0);
	mock_close(&dev, true);
	part.pno = 1;
	arg.op = BLKPG_DEL_PARTITION;
	ck_assert_int_eq(ioctl(loop_fd, BLKPG, &arg), 0);
}
END_TEST

START_TEST(two_hosts)
{
	char holder[40];

	with_loop(512, 0);
	ck_assert_int_eq(mock_open(&dev2, plugin, 0, node_opt, NULL), 0);
	ck_assert_int_eq(open(node, O_RDWR | O_EXCL | O_CLOEXEC), -1);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, NULL), -EBUSY);
	snprintf(holder, sizeof(holder), "process %d,", (int)getpid());
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, holder), "%s", dev.log);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
	mock_close(&dev2, true);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
END_TEST

/* Who has it by O_EXCL cannot hand it over: at once, so that nobody waits, and without a message. */
START_TEST(does_not_open_beside_a_former_server)
{
	const uint32_t flags = UBLK_OPEN_RECOVER | UBLK_OPEN_BESIDE;

	with_loop(512, 0);
	ck_assert_int_eq(mock_open(&dev, plugin, flags, node_opt, NULL), -EBUSY);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 0);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
	ck_assert_int_eq(mock_open(&dev, plugin, flags | UBLK_OPEN_READ_ONLY, node_opt, NULL), 0);
	mock_close(&dev, false);
}
END_TEST

START_TEST(used_by_the_system)
{
	int holder;

	with_loop(512, 0);
	holder = open(node, O_RDONLY | O_EXCL | O_CLOEXEC); /* as a mount holds it */
	ck_assert_int_ge(holder, 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, NULL), -EBUSY);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "in use by the system"));
	/* to read does no harm */
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, node_opt, NULL), 0);
	mock_close(&dev, true);
	close(holder);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
END_TEST

static void check_read_only(void)
{
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "serving it read-only"));
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_DEV_ROTATIONAL, UBLK_DEV_READ_ONLY);
	ck_assert_uint_eq(dev.limits.max_discard_bytes, 0);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_ACCMODE, O_RDONLY);
	mock_close(&dev, true);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}

START_TEST(read_only_device)
{
	with_loop(512, LO_FLAGS_READ_ONLY);
	check_read_only();
}
END_TEST

START_TEST(read_only_by_blockdev)
{
	int ro = 1;

	with_loop(512, 0);
	ck_assert_int_eq(ioctl(loop_fd, BLKROSET, &ro), 0);
	check_read_only();
}
END_TEST

START_TEST(read_only_filesystem)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/img", folder);
	snprintf(node_opt, sizeof(node_opt), "path=%s", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
	fds_before = mock_count_fds();
	ck_assert_int_eq(mount("none", folder, "none", MS_REMOUNT | MS_RDONLY, NULL), 0);
	check_read_only();
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "Read-only file system"));
	snprintf(node_opt, sizeof(node_opt), "path=%s2", path);
	refused(mock_open(&dev, plugin, 0, node_opt, "create=true", "size=1M", NULL), -EROFS,
		"cannot create", "Read-only file system");
}
END_TEST

/* A device over several is what the strictest of them is. */
START_TEST(stripe_of_unlike_members)
{
	const struct ublk_plugin *stripe = mock_load("plugins", "stripe");
	uint32_t flags = _i ? LO_FLAGS_READ_ONLY : 0;
	char path[300], opt[700];
	int fd;

	with_loop(4096, flags);
	snprintf(path, sizeof(path), "%s/img", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, 2 * IMAGE_SIZE), 0);
	close(fd);
	snprintf(opt, sizeof(opt), "paths=%s:%s", path, node);
	ck_assert_int_eq(mock_open(&dev, stripe, 0, opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 2 * IMAGE_SIZE);
	ck_assert_uint_eq(dev.limits.logical_block, 4096);
	ck_assert_uint_ge(dev.limits.dma_align, sysfs_queue("dma_alignment") + 1);
	ck_assert_uint_ge(dev.limits.discard_granularity, sysfs_queue("discard_granularity"));
	ck_assert_int_eq(!(dev.limits.attrs & UBLK_DEV_READ_ONLY), !_i);
	if (_i) {
		ck_assert(mock_said(&dev, UBLK_LOG_WARN, "serving it read-only"));
		ck_assert_uint_eq(dev.limits.max_discard_bytes, 0);
		ck_assert_uint_eq(dev.limits.max_write_zeroes_bytes, 0);
	}
	mock_close(&dev, true);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
END_TEST

/* ramfs has neither direct I/O nor holes to punch. */
START_TEST(poor_filesystem)
{
	static struct ublk_dev next;
	char path[300];

	ck_assert_int_eq(mount("backends", folder, "ramfs", 0, NULL), 0);
	snprintf(path, sizeof(path), "%s/img", folder);
	snprintf(node_opt, sizeof(node_opt), "path=%s", path);
	fds_before = mock_count_fds();
	refused(mock_open(&dev, plugin, 0, node_opt, "create=true", "size=1M", "direct=on", NULL),
		-EINVAL, "direct=on", "no direct I/O");
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, node_opt, "create=true", "size=1M", NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_INFO, "using the page cache: "));
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_uint_eq(dev.limits.logical_block, 512);
	ck_assert_uint_eq(dev.limits.max_discard_bytes, 0);
	/* zeroes are written: not so many at once that a server seems to be stuck */
	ck_assert_uint_ne(dev.limits.max_write_zeroes_bytes, 0);
	ck_assert_uint_le(dev.limits.max_write_zeroes_bytes, 16 << 20);
	/* beside a server, which may just make it longer, nothing is tried */
	ck_assert_int_eq(
		mock_open(&next, plugin, UBLK_OPEN_RECOVER | UBLK_OPEN_BESIDE, node_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&next, 512), 0);
	ck_assert_uint_ne(next.limits.max_discard_bytes, 0);
	mock_close(&next, true);
	mock_close(&dev, true);
	umount2(folder, MNT_DETACH);
}
END_TEST

/* Can the tests run at all? Tried in a child, whose namespace and device go with it. */
static bool possible(void)
{
	pid_t child;
	int status;

	if (geteuid())
		return false;
	child = fork();
	if (!child) {
		strcpy(folder, "/tmp");
		_exit(own_namespace() || make_loop(4096, 0));
	}
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

int main(void)
{
	Suite *suite;
	TCase *tc;

	if (!possible()) {
		puts("1..0 # SKIP needs root, loop devices and mounts");
		return EXIT_SUCCESS;
	}
	suite = suite_create("backends_block");
	tc = tcase_create("block");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, geometry, 0, 2);
	tcase_add_test(tc, geometry_buffered);
	tcase_add_test(tc, size_and_offset);
	tcase_add_test(tc, a_disk_that_can_do_less);
	tcase_add_test(tc, partition);
	tcase_add_test(tc, two_hosts);
	tcase_add_test(tc, does_not_open_beside_a_former_server);
	tcase_add_test(tc, used_by_the_system);
	tcase_add_test(tc, read_only_device);
	tcase_add_test(tc, read_only_by_blockdev);
	tcase_add_test(tc, read_only_filesystem);
	tcase_add_loop_test(tc, stripe_of_unlike_members, 0, 2);
	tcase_add_test(tc, poor_filesystem);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
