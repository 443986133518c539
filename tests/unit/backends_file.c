// SPDX-License-Identifier: MIT
/* The file backend opens regular files, under a mock host: sizes, creation, what it refuses. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "file_fixture.h"

START_TEST(plain_file)
{
	struct ublk_extent ext;

	make_file(64 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, NULL), 0);
	ck_assert_uint_eq(dev.nr_files, 1);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 64 << 20);
	ck_assert_uint_eq(dev.limits.attrs & ~UBLK_DEV_ROTATIONAL, UBLK_DEV_VOLATILE_CACHE);
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

/* The file is extended, and never cut off; what a server that died did not come to is made do without. */
START_TEST(resizes)
{
	make_file(1 << 20);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, path_opt, "offset=64K", "size=128K", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_int_eq(mock_start(&dev), 0);
	ck_assert_int_eq(plugin->resize(dev.priv, 256 << 10, 0), 0);
	ck_assert_int_eq(file_size(), 1 << 20);
	ck_assert_int_eq(plugin->resize(dev.priv, 2 << 20, UBLK_RESIZE_CHECK), 0);
	ck_assert_int_eq(file_size(), 1 << 20);
	ck_assert_int_eq(plugin->resize(dev.priv, 2 << 20, 0), 0);
	ck_assert_int_eq(file_size(), (2 << 20) + (64 << 10));
	ck_assert_int_eq(plugin->resize(dev.priv, 4096, 0), 0);
	ck_assert_int_eq(file_size(), (2 << 20) + (64 << 10));
	ck_assert_int_eq(plugin->resize(dev.priv, INT64_MAX & ~4095ull, 0), -EFBIG);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "File too large"));
	mock_close(&dev, true);
	ck_assert_int_eq(file_size(), (2 << 20) + (64 << 10));

	ck_assert_int_eq(
		mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, "offset=64K", "size=8M", NULL),
		0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 2 << 20);
	mock_close(&dev, false);

	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_int_eq(plugin->resize(dev.priv, 8 << 20, 0), -EROFS);
	mock_close(&dev, false);
}
END_TEST

/* A size was noted that the file was never given. */
START_TEST(makes_do_with_an_odd_end)
{
	make_file(1000000);
	ck_assert_int_eq(mock_open(&dev, plugin, UBLK_OPEN_RECOVER, path_opt, "size=8M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 1000000 / 512 * 512);
	mock_close(&dev, false);
}
END_TEST

/* The former server's lock is taken over when that is gone, and not before. */
START_TEST(opens_beside_a_former_server)
{
	const uint32_t flags = UBLK_OPEN_RECOVER | UBLK_OPEN_BESIDE;
	static struct ublk_dev former, next;

	make_file(1 << 20);
	ck_assert(plugin->flags & UBLK_PLUGIN_OPENS_BESIDE);
	ck_assert_int_eq(mock_open(&former, plugin, 0, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&former, 512), 0);
	ck_assert_int_eq(mock_start(&former), 0);
	ck_assert_int_eq(mock_open(&dev, plugin, flags, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 1 << 20);
	/* it has taken nothing from it, and gives nothing away */
	mock_close(&dev, false);
	ck_assert_int_eq(mock_open(&next, plugin, 0, path_opt, NULL), -EBUSY);
	ck_assert_int_eq(mock_open(&dev, plugin, flags, path_opt, NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	mock_close(&former, true);
	ck_assert_int_eq(mock_start(&dev), 0);
	ck_assert_int_eq(mock_open(&next, plugin, 0, path_opt, NULL), -EBUSY);
	mock_close(&dev, true);
	ck_assert_int_eq(mock_open(&next, plugin, 0, path_opt, NULL), 0);
	mock_close(&next, false);
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
	char where[600];

	ck_assert_int_eq(symlink("nowhere", path), 0);
	snprintf(where, sizeof(where), "leads nowhere: there is no %s/nowhere", folder);
	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -ENOENT, path, where);
	refused(mock_open(&dev, plugin, 0, path_opt, "create=true", "size=1M", NULL), -ENOENT, path,
		where);
	refused(mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, path_opt, NULL), -ENOENT, path, where);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/nonexistent/a/b", path), 0);
	refused(mock_open(&dev, plugin, 0, path_opt, NULL), -ENOENT, path,
		"leads nowhere: there is no /nonexistent;");
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

START_TEST(reason_survives_a_long_path)
{
	char opt[1400] = "path=/";

	for (int i = 0; i < 100; i++)
		strcat(opt, "long-name/");
	strcat(opt, "the-end");
	refused(mock_open(&dev, plugin, 0, opt, NULL), -ENOENT, "/the-end: ", "create=true");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backends_file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, plain_file);
	tcase_add_test(tc, offset_and_size);
	tcase_add_test(tc, resizes);
	tcase_add_test(tc, makes_do_with_an_odd_end);
	tcase_add_test(tc, opens_beside_a_former_server);
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
	tcase_add_test(tc, reason_survives_a_long_path);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
