// SPDX-License-Identifier: MIT
/* The file backend on regular files, under a mock host. No privilege needed. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

static const struct ublk_plugin *plugin;
static struct ublk_dev dev, dev2;
static char folder[512];
static char path[600], path_opt[640]; /* folder/img, path=folder/img */
static unsigned int fds_before;

static void setup_in(const char *parent)
{
	snprintf(folder, sizeof(folder), "%s/backends-XXXXXX", parent);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/img", folder);
	snprintf(path_opt, sizeof(path_opt), "path=%s", path);
	plugin = mock_load("plugins", "file");
	fds_before = mock_count_fds();
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	setup_in(tmp ? tmp : "/tmp");
}

static void teardown(void)
{
	char command[600];

	ck_assert_uint_eq(mock_count_fds(), fds_before);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void make_file(off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static off_t file_size(void)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

/* open() must fail with err, say why in one line that has each of the texts, and leave nothing. */
static void refused(int got, int err, const char *text1, const char *text2)
{
	ck_assert_int_eq(got, err);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text1), "no '%s' in: %s", text1, dev.log);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text2), "no '%s' in: %s", text2, dev.log);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}

START_TEST(plain_file)
{
	struct ublk_extent ext;

	make_file(64 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_uint_eq(dev.nr_files, 1);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 64 << 20);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_ATTR_ROTATIONAL, UBLK_ATTR_VOLATILE_CACHE);
	ck_assert_uint_ge(dev.limits.logical_block, 512);
	ck_assert_uint_ge(dev.limits.physical_block, dev.limits.logical_block);
	ck_assert_uint_eq(dev.limits.map_kinds, UBLK_EXT_FD);
	ck_assert_int_eq(mock_start(&dev), 0);
	ext = mock_map(&dev, UBLK_OP_WRITE, (64 << 20) - 4096, 4096);
	ck_assert_uint_eq(ext.kind, UBLK_EXT_FD);
	ck_assert_uint_eq(ext.length, 4096);
	ck_assert_uint_eq(ext.at.offset, (64 << 20) - 4096);
	ck_assert_int_eq(ext.file, 1);
	ext = mock_map(&dev, UBLK_OP_FLUSH, 0, 0);
	ck_assert_uint_eq(ext.kind, UBLK_EXT_FD);
	ck_assert_uint_eq(ext.length, 1);
	ck_assert_int_eq(ext.file, 1);
	ck_assert(fcntl(dev.files[1], F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(fcntl(dev.files[1], F_GETFL) & O_ACCMODE, O_RDWR);
	mock_close(&dev, true);
	ck_assert_int_eq(file_size(), 64 << 20);
}
END_TEST

START_TEST(offset_and_size)
{
	static const uint8_t ops[] = { UBLK_OP_READ, UBLK_OP_WRITE, UBLK_OP_DISCARD,
				       UBLK_OP_WRITE_ZEROES };

	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "offset=64K", "size=128K", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 128 << 10);
	for (size_t i = 0; i < sizeof(ops); i++) {
		struct ublk_extent ext = mock_map(&dev, ops[i], 124 << 10, 4096);

		ck_assert_uint_eq(ext.at.offset, (64 << 10) + (124 << 10));
		ck_assert_uint_eq(ext.length, 4096);
	}
	mock_close(&dev, true);

	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "offset=64K", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, (1 << 20) - (64 << 10));
	mock_close(&dev, true);
	ck_assert_int_eq(file_size(), 1 << 20);
}
END_TEST

START_TEST(wrong_offset_or_size)
{
	make_file(1 << 20);
	refused(mock_open(&dev, plugin, 0, path_opt, "offset=1M", NULL), -EINVAL, "offset=1048576",
		"beyond its end");
	refused(mock_open(&dev, plugin, 0, path_opt, "offset=100", NULL), -EINVAL, "offset=100 ",
		"512");
	refused(mock_open(&dev, plugin, 0, path_opt, "size=1000", NULL), -EINVAL, "size=1000 ",
		"512");
	refused(mock_open(&dev, plugin, 0, path_opt, "size=2M", NULL), -EINVAL, "1048576",
		"create=true");
	refused(mock_open(&dev, plugin, 0, path_opt, "offset=512K", "size=1M", NULL), -EINVAL,
		"1572864", "create=true");
	refused(mock_open(&dev, plugin, 0, path_opt, "size=9223372036854775296", "offset=512",
			  NULL),
		-EFBIG, path, "beyond");
	refused(mock_open(&dev, plugin, 0, path_opt, "offset=18446744073709551104", NULL), -EFBIG,
		path, "beyond");
	ck_assert_int_eq(file_size(), 1 << 20);
}
END_TEST

/* What suits 512 need not suit the logical block that the user asked for. */
START_TEST(not_whole_blocks)
{
	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "size=1536", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "size=1536 is not a multiple"));
	mock_close(&dev, false);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "offset=512", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "offset=512 is not a multiple"));
	mock_close(&dev, false);
}
END_TEST

START_TEST(odd_file_is_rounded_down)
{
	make_file(1000000);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 999936);
	ck_assert(mock_said(&dev, UBLK_LOG_WARN, "last 64 bytes"));
	mock_close(&dev, true);
	ck_assert_int_eq(file_size(), 1000000);
}
END_TEST

START_TEST(too_small)
{
	make_file(300);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "300 bytes"));
	mock_close(&dev, false);
	make_file(0);
	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -EINVAL, "is empty", "size=");
	ck_assert_int_eq(file_size(), 0);
}
END_TEST

START_TEST(missing)
{
	char opt[900];

	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -ENOENT, path, "create=true");
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "size="));
	refused(mock_open(&dev, plugin, 0, path_opt, "size=1M", NULL), -ENOENT, path,
		"create=true");
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", NULL), -ENOENT, path, "size=");
	refused(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, "create=true", "size=1M",
			  NULL),
		-ENOENT, path, "read-only");
	refused(mock_open(&dev, plugin, 0, "path=/dev/no-such-disk", "create=true", "size=1M",
			  NULL),
		-ENOENT, "/dev/no-such-disk", "no such device");
	ck_assert_int_eq(access("/dev/no-such-disk", F_OK), -1);
	snprintf(opt, sizeof(opt), "%s/sub/img", path_opt);
	refused(mock_open(&dev, plugin, 0, opt, "create=true", "size=1M", NULL), -ENOENT,
		"cannot create", "folder does not exist");
	make_file(512);
	refused(mock_open(&dev, plugin, 0, opt, "create=true", "size=1M", NULL), -ENOTDIR, "img",
		"Not a directory");
}
END_TEST

START_TEST(dangling_link)
{
	ck_assert_int_eq(symlink("nowhere", path), 0);
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), -EEXIST, path,
		"symbolic link to nothing");
}
END_TEST

START_TEST(wrong_kind)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char opt[600];
	int sock;

	snprintf(opt, sizeof(opt), "path=%s", folder);
	refused(mock_open(&dev, plugin, 0, opt, NULL), -EISDIR, folder, "is a directory");
	refused(mock_open(&dev, plugin, 0, "path=/dev/null", NULL), -EINVAL, "/dev/null",
		"character device");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -EINVAL, path, "FIFO");
	refused(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), -EINVAL, path,
		"FIFO");
	unlink(path);
	if (strlen(path) < sizeof(addr.sun_path)) {
		strcpy(addr.sun_path, path);
		sock = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_eq(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
		close(sock);
		refused(mock_open(&dev, plugin, 0, path_opt, NULL), -EINVAL, path, "socket");
	}
}
END_TEST

START_TEST(created)
{
	struct stat st;

	ck_assert_int_eq(
		mock_open(&dev, plugin, 0, path_opt, "create=true", "size=8G", "offset=1M", NULL),
		0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 8ull << 30);
	ck_assert_int_eq(mock_start(&dev), 0);
	mock_close(&dev, true);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, (8ll << 30) + (1 << 20));
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert_int_eq(st.st_mode & 077, 0);

	/* again: it is there now */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=8G", NULL), 0);
	mock_close(&dev, false);
	ck_assert_int_eq(file_size(), (8ll << 30) + (1 << 20));
}
END_TEST

START_TEST(extended)
{
	make_file(1000);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), 0);
	ck_assert(mock_said(&dev, UBLK_LOG_INFO, "extended to 1048576"));
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(mock_start(&dev), 0);
	mock_close(&dev, true);
	ck_assert_int_eq(file_size(), 1 << 20);
}
END_TEST

START_TEST(nothing_left_behind)
{
	/* the host gives up before start */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1536", NULL), 0);
	ck_assert_int_eq(file_size(), 1536);
	ck_assert_int_eq(mock_limits(&dev, 4096), -EINVAL);
	mock_close(&dev, false);
	ck_assert_int_eq(file_size(), -1);

	/* open itself fails at its last step */
	dev.register_error = -ENFILE;
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), -ENFILE, path,
		"host cannot use");
	ck_assert_int_eq(file_size(), -1);
	make_file(4096);
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), -ENFILE, path,
		"host cannot use");
	ck_assert_int_eq(file_size(), 4096);
	dev.register_error = 0;

	/* extended, then given up */
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), 0);
	ck_assert_int_eq(file_size(), 1 << 20);
	mock_close(&dev, false);
	ck_assert_int_eq(file_size(), 4096);
}
END_TEST

START_TEST(another_files_name_is_left_alone)
{
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), 0);
	ck_assert_int_eq(unlink(path), 0);
	make_file(77);
	mock_close(&dev, false);
	ck_assert_int_eq(file_size(), 77);
}
END_TEST

START_TEST(cannot_extend)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=2M", NULL), -EFBIG,
		"cannot extend to 2097152", "File too large");
	ck_assert_int_eq(file_size(), -1);
	make_file(4096);
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=2M", NULL), -EFBIG,
		"cannot extend to 2097152", "File too large");
	ck_assert_int_eq(file_size(), 4096);
}
END_TEST

static void check_read_only(void)
{
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_ATTR_ROTATIONAL, UBLK_ATTR_READ_ONLY);
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

START_TEST(reason_survives_a_long_path)
{
	char opt[1400] = "path=/";

	for (int i = 0; i < 100; i++)
		strcat(opt, "long-name/");
	strcat(opt, "the-end");
	refused(mock_open(&dev, plugin, 0, opt, NULL), -ENOENT, "/the-end: ", "create=true");
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, plain_file);
	tcase_add_test(tc, offset_and_size);
	tcase_add_test(tc, wrong_offset_or_size);
	tcase_add_test(tc, not_whole_blocks);
	tcase_add_test(tc, odd_file_is_rounded_down);
	tcase_add_test(tc, too_small);
	tcase_add_test(tc, missing);
	tcase_add_test(tc, dangling_link);
	tcase_add_test(tc, wrong_kind);
	tcase_add_test(tc, created);
	tcase_add_test(tc, extended);
	tcase_add_test(tc, nothing_left_behind);
	tcase_add_test(tc, another_files_name_is_left_alone);
	tcase_add_test(tc, cannot_extend);
	tcase_add_test(tc, read_only_asked_for);
	tcase_add_test(tc, read_only_by_permission);
	tcase_add_test(tc, two_writers_are_refused);
	tcase_add_test(tc, readers_share);
	tcase_add_test(tc, holder_in_another_process);
	tcase_add_test(tc, buffered);
	tcase_add_test(tc, direct);
	tcase_add_test(tc, direct_on_shm);
	tcase_add_test(tc, discard_probe_changes_nothing);
	tcase_add_test(tc, discard_is_offered_where_it_works);
	tcase_add_test(tc, reason_survives_a_long_path);
}

int main(void)
{
	Suite *suite = suite_create("backends_file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
