// SPDX-License-Identifier: MIT
/* The file backend on regular files, under a mock host: read-only, locks, direct I/O, discard. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file_fixture.h"

static void check_read_only(void)
{
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_DEV_ROTATIONAL, UBLK_DEV_READ_ONLY);
	ck_assert_uint_eq(dev.limits.max_discard_bytes, 0);
	ck_assert_uint_eq(dev.limits.max_write_zeroes_bytes, 0);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_ACCMODE, O_RDONLY);
}

START_TEST(read_only_asked_for)
{
	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), 0);
	check_read_only();
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_WARN), 0);
	mock_close(&dev, true);
	refused(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, "create=true", "size=2M",
			  NULL),
		-EINVAL, path, "read-only");
	ck_assert_int_eq(file_size(), 1 << 20);
}
END_TEST

/* As nobody, if we are root: root may write everything. */
START_TEST(read_only_by_permission)
{
	make_file(1 << 20);
	ck_assert_int_eq(chmod(path, 0444), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	if (!geteuid())
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "serving it read-only"));
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "Permission denied"));
	check_read_only();
	mock_close(&dev, true);
	if (!getuid())
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(path, 0), 0);
	if (!geteuid())
		ck_assert_int_eq(seteuid(65534), 0);
	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -EACCES, path, "Permission denied");
	if (!getuid())
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(two_writers_are_refused)
{
	char holder[40];

	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev2, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), -EBUSY);
	snprintf(holder, sizeof(holder), "process %d,", (int)getpid());
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, holder), "%s", dev.log);
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), -EBUSY);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, holder));
	/* must not undo what the other one made, either */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=4M", NULL),
			 -EBUSY);
	ck_assert_int_eq(file_size(), 1 << 20);
	mock_close(&dev2, true);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	mock_close(&dev, true);
}
END_TEST

START_TEST(readers_share)
{
	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev2, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), 0);
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), 0);
	mock_close(&dev, true);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), -EBUSY);
	mock_close(&dev2, true);
}
END_TEST

START_TEST(holder_in_another_process)
{
	int ready[2], leave[2], status;
	char holder[40], c;
	pid_t child;

	make_file(1 << 20);
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(leave), 0);
	child = fork();
	if (!child) {
		close(leave[1]);
		if (mock_open(&dev2, plugin, 0, path_opt, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(leave[0], &c, 1) != 0);
	}
	close(leave[0]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), -EBUSY);
	snprintf(holder, sizeof(holder), "process %d,", (int)child);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, holder), "%s", dev.log);
	close(leave[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(ready[0]);
	/* the lock goes with the process */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	mock_close(&dev, true);
}
END_TEST

START_TEST(buffered)
{
	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "direct=off", NULL), 0);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.logical_block, 512);
	ck_assert_uint_eq(dev.limits.dma_align, 4);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_INFO), 0);
	mock_close(&dev, true);
}
END_TEST

/* Whatever is claimed for direct I/O must work: the smallest block, in memory aligned no better. */
static void try_claims(void)
{
	char *area = aligned_alloc(4096, 16384);
	uint32_t block = dev.limits.logical_block, align = dev.limits.dma_align;
	uint64_t last =
		mock_map(&dev, UBLK_OP_READ, dev.limits.size_bytes - block, block).at.offset;
	char *buf = area + 4096 + (align < 4096 ? align : 0);

	memset(area, 0x77, 16384);
	ck_assert_int_eq(pwrite(dev.files[1], buf, block, (off_t)last), block);
	memset(area, 0, 16384);
	ck_assert_int_eq(pread(dev.files[1], buf, block, (off_t)last), block);
	ck_assert_int_eq(buf[block - 1], 0x77);
	free(area);
}

/* Either direct and as claimed, or buffered with a reason. */
static void check_direct(void)
{
	int err;

	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "direct=auto", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	if (fcntl(dev.files[1], F_GETFL) & O_DIRECT)
		ck_assert(!mock_said(&dev, UBLK_LOG_INFO, "page cache"));
	else
		ck_assert(mock_said(&dev, UBLK_LOG_INFO, "using the page cache: "));
	try_claims();
	mock_close(&dev, true);

	err = mock_open(&dev, plugin, 0, path_opt, "direct=on", NULL);
	if (err) {
		ck_assert(mock_said(&dev, UBLK_LOG_ERR, "direct=off"));
		return;
	}
	ck_assert_int_ne(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	try_claims();
	mock_close(&dev, true);
}

START_TEST(direct)
{
	check_direct();
}
END_TEST

/* tmpfs takes O_DIRECT since 6.6, and never tells its alignment. */
/* A next server does not ask for more than the device was made with: the page cache has no such needs. */
START_TEST(direct_fits_the_device)
{
	struct ublk_limits former = { .struct_size = sizeof(former),
				      .logical_block = 4096,
				      .dma_align = 4096 };
	bool can;

	make_file(1 << 20);
	dev.former = &former;
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, NULL), 0);
	can = fcntl(dev.files[1], F_GETFL) & O_DIRECT;
	mock_close(&dev, false);
	former.dma_align = 1;
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, NULL), 0);
	ck_assert(!(fcntl(dev.files[1], F_GETFL) & O_DIRECT));
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.logical_block, 512);
	ck_assert(!can || mock_said(&dev, UBLK_LOG_INFO, "the device was made with 4096 in 1"));
	mock_close(&dev, false);
	former.logical_block = 256;
	former.dma_align = 4096;
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, NULL), 0);
	ck_assert(!(fcntl(dev.files[1], F_GETFL) & O_DIRECT));
	mock_close(&dev, false);
	if (can)
		refused(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, "direct=on", NULL),
			-EINVAL, "direct=on", "made with 256");
	dev.former = NULL;
}
END_TEST

START_TEST(direct_on_shm)
{
	teardown();
	setup_in(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	check_direct();
	ck_assert_int_eq(
		mock_open(&dev, plugin, 0, path_opt, "create=true", "size=2M", "direct=off", NULL),
		0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	mock_close(&dev, false);
}
END_TEST

/* Finding out whether holes can be punched touches neither data, size nor allocation. */
START_TEST(discard_probe_changes_nothing)
{
	char byte = 'x', buf[1000];
	struct stat before, after;
	int fd;

	make_file(0);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(write(fd, &byte, 1), 1);
	fsync(fd);
	fstat(fd, &before);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	mock_close(&dev, true);
	fstat(fd, &after);
	ck_assert_int_eq(after.st_size, 1000);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	ck_assert_int_eq(pread(fd, buf, 1000, 0), 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf[i], 'x');
	close(fd);
}
END_TEST

START_TEST(discard_is_offered_where_it_works)
{
	bool works;
	int fd;

	make_file(1 << 20);
	fd = open(path, O_RDWR);
	works = !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	close(fd);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(dev.limits.max_discard_bytes != 0, works);
	ck_assert_uint_ne(dev.limits.max_write_zeroes_bytes, 0);
	ck_assert_uint_ge(dev.limits.discard_granularity, 512);
	ck_assert_uint_eq(dev.limits.discard_granularity & (dev.limits.discard_granularity - 1), 0);
	mock_close(&dev, true);
}
END_TEST

/* A mapping is for reading, out of the page cache, of all that is served. */
START_TEST(mapped)
{
	struct ublk_extent ext;
	char text[5000];
	int fd;

	make_file(1 << 20);
	fd = open(path, O_RDWR);
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(pwrite(fd, text, sizeof(text), (64 << 10) + 512), sizeof(text));
	close(fd);
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, "mmap=on",
				   "offset=66048", "size=128K", NULL),
			 0);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_WARN), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 128 << 10);
	ck_assert_uint_eq(dev.limits.map_kinds, UBLK_EXT_MEM);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_DEV_ROTATIONAL,
			  UBLK_DEV_READ_ONLY | UBLK_DEV_MEM_FAULTS);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_DIRECT, 0);
	ck_assert_int_eq(mock_start(&dev), 0);
	ext = mock_map(&dev, UBLK_OP_READ, 512, 4096);
	ck_assert_uint_eq(ext.kind, UBLK_EXT_MEM);
	ck_assert_uint_eq(ext.length, 4096);
	ck_assert(!memcmp(ext.at.addr, text + 512, 4096));
	ext = mock_map(&dev, UBLK_OP_READ, (128 << 10) - 512, 512);
	ck_assert_int_eq(*((char *)ext.at.addr + 511), 0);
	mock_close(&dev, true);
}
END_TEST

START_TEST(mapped_refusals)
{
	make_file(1 << 20);
	refused(mock_open(&dev, plugin, 0, path_opt, "mmap=on", NULL), -EINVAL, path,
		"can be written");
	refused(mock_open(&dev, plugin, 0, path_opt, "mmap=on", NULL), -EINVAL, "mmap=on",
		"--read-only");
	refused(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, "mmap=on", "direct=on",
			  NULL),
		-EINVAL, "mmap=on", "direct=on");
	ck_assert_int_eq(unlink(path), 0);
	/* what it created for a device that it then refused goes again */
	refused(mock_open(&dev, plugin, 0, path_opt, "mmap=on", "create=true", "size=1M", NULL),
		-EINVAL, path, "can be written");
	ck_assert_int_eq(file_size(), -1);
}
END_TEST

/* A sparse file larger than any address space; not every filesystem has such. */
START_TEST(mapped_too_large)
{
	char shm[] = "/dev/shm/backends-XXXXXX", opt[64];
	int fd = mkstemp(shm);

	if (fd < 0)
		return;
	snprintf(opt, sizeof(opt), "path=%s", shm);
	if (!ftruncate(fd, 1ll << 62)) {
		/* -ENOMEM, but valgrind, which maps for us, says -EINVAL */
		ck_assert_int_lt(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, opt, "mmap=on", NULL),
				 0);
		ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
		ck_assert(mock_said(&dev, UBLK_LOG_ERR, "cannot be mapped"));
		ck_assert(mock_said(&dev, UBLK_LOG_ERR, "leave mmap=on out"));
	}
	close(fd);
	unlink(shm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backends_file_access");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_only_asked_for);
	tcase_add_test(tc, read_only_by_permission);
	tcase_add_test(tc, two_writers_are_refused);
	tcase_add_test(tc, readers_share);
	tcase_add_test(tc, holder_in_another_process);
	tcase_add_test(tc, buffered);
	tcase_add_test(tc, direct);
	tcase_add_test(tc, direct_fits_the_device);
	tcase_add_test(tc, direct_on_shm);
	tcase_add_test(tc, mapped);
	tcase_add_test(tc, mapped_refusals);
	tcase_add_test(tc, mapped_too_large);
	tcase_add_test(tc, discard_probe_changes_nothing);
	tcase_add_test(tc, discard_is_offered_where_it_works);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
