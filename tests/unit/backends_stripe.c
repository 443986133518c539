// SPDX-License-Identifier: MIT
/* The stripe backend on regular files, under a mock host. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

#define CHUNK (64u << 10)

static const struct ublk_plugin *plugin;
static struct ublk_dev dev, dev2;
static char folder[400], opt[4096];
static unsigned int fds_before;

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/backends-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	plugin = mock_load("plugins", "stripe");
	fds_before = mock_count_fds();
}

static void teardown(void)
{
	char command[500];

	ck_assert_uint_eq(mock_count_fds(), fds_before);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void make_file(const char *name, off_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

/* paths=FOLDER/a:FOLDER/b of "a:b"; a name of its own that begins with a slash stays as it is. */
static const char *paths_of(const char *names)
{
	size_t n = (size_t)snprintf(opt, sizeof(opt), "paths=");

	while (*names) {
		size_t len = strcspn(names, ":");

		n += (size_t)snprintf(opt + n, sizeof(opt) - n, "%s%s/%.*s",
				      n > strlen("paths=") ? ":" : "", folder, (int)len, names);
		names += len + (names[len] == ':');
	}
	return opt;
}

static void refused(const char *paths, int err, const char *text1, const char *text2)
{
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths, NULL), err);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text1), "no '%s' in: %s", text1, dev.log);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text2), "no '%s' in: %s", text2, dev.log);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}

static int map(uint64_t offset, uint64_t length, struct ublk_extent *out, uint32_t max)
{
	struct ublk_io io = { .op = UBLK_OP_READ, .offset = offset, .length = length };

	return plugin->map(dev.priv, &io, out, max);
}

/* The smallest member's whole chunks count, on each member. */
START_TEST(size_and_hints)
{
	make_file("a", 20 * CHUNK + 70000);
	make_file("b", 16 * CHUNK + 512);
	make_file("c", 40 * CHUNK);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a:b:c"), NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 3 * 16 * CHUNK);
	ck_assert_uint_eq(dev.limits.io_min, CHUNK);
	ck_assert_uint_eq(dev.limits.io_opt, CHUNK); /* a row is not a power of two */
	ck_assert_uint_eq(dev.limits.chunk_bytes, 0);
	ck_assert_uint_eq(dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE, UBLK_DEV_VOLATILE_CACHE);
	ck_assert_uint_eq(dev.limits.attrs & UBLK_DEV_READ_ONLY, 0);
	mock_close(&dev, true);

	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a:c"), "chunk=128K", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 4096), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 2 * 10 * 2 * CHUNK);
	ck_assert_uint_eq(dev.limits.io_min, 2 * CHUNK);
	ck_assert_uint_eq(dev.limits.io_opt, 4 * CHUNK);
	mock_close(&dev, true);

	/* hints are 256 MiB at most */
	make_file("a", 1ll << 30);
	make_file("c", 1ll << 30);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a:c"), "chunk=256M", NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.io_min, 256 << 20);
	ck_assert_uint_eq(dev.limits.io_opt, 256 << 20);
	mock_close(&dev, true);
}
END_TEST

/* Every chunk of the device is one of a member's, in turns, and each member's are used once. */
START_TEST(map_is_raid0)
{
	struct ublk_extent e[64];
	uint64_t chunks = 3 * 16;

	make_file("a", 16 * CHUNK);
	make_file("b", 16 * CHUNK);
	make_file("c", 16 * CHUNK);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a:b:c"), NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_int_eq(map(0, chunks * CHUNK, e, 64), (int)chunks);
	for (uint64_t i = 0; i < chunks; i++) {
		ck_assert_uint_eq(e[i].kind, UBLK_EXT_FD);
		ck_assert_int_eq(e[i].file, 1 + (int)(i % 3));
		ck_assert_uint_eq(e[i].at.offset, i / 3 * CHUNK);
		ck_assert_uint_eq(e[i].length, CHUNK);
	}
	/* from within one chunk into another */
	ck_assert_int_eq(map(5 * CHUNK - 512, CHUNK + 1024, e, 64), 3);
	ck_assert_int_eq(e[0].file, 2);
	ck_assert_uint_eq(e[0].at.offset, 2 * CHUNK - 512);
	ck_assert_uint_eq(e[0].length, 512);
	ck_assert_int_eq(e[1].file, 3);
	ck_assert_uint_eq(e[1].at.offset, CHUNK);
	ck_assert_uint_eq(e[1].length, CHUNK);
	ck_assert_int_eq(e[2].file, 1);
	ck_assert_uint_eq(e[2].at.offset, 2 * CHUNK);
	ck_assert_uint_eq(e[2].length, 512);
	/* as many as are asked for */
	ck_assert_int_eq(map(0, chunks * CHUNK, e, 2), 2);
	ck_assert_int_eq(map(512, 512, e, 64), 1);
	mock_close(&dev, true);
}
END_TEST

/* With one member the device is that one: its chunks go on in each other. */
START_TEST(one_member)
{
	struct ublk_extent e[4];

	make_file("a", 4 * CHUNK);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a"), NULL), 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 4 * CHUNK);
	ck_assert_int_eq(map(0, 4 * CHUNK, e, 4), 4);
	ck_assert_uint_eq(e[3].at.offset, 3 * CHUNK);
	mock_close(&dev, true);
}
END_TEST

START_TEST(read_only)
{
	make_file("a", 4 * CHUNK);
	make_file("b", 4 * CHUNK);
	ck_assert_int_eq(
		mock_open(&dev, plugin, UBLK_OPEN_READ_ONLY, paths_of("a:b"), "direct=off", NULL),
		0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_ne(dev.limits.attrs & UBLK_DEV_READ_ONLY, 0);
	ck_assert_uint_eq(dev.limits.max_discard_bytes, 0);
	ck_assert_uint_eq(dev.limits.max_write_zeroes_bytes, 0);
	for (unsigned int i = 1; i <= 2; i++)
		ck_assert_int_eq(fcntl(dev.files[i], F_GETFL) & O_ACCMODE, O_RDONLY);
	/* others may read, too, but nobody may write */
	ck_assert_int_eq(mock_open(&dev2, plugin, UBLK_OPEN_READ_ONLY, paths_of("b:a"), NULL), 0);
	mock_close(&dev2, false);
	ck_assert_int_eq(mock_open(&dev2, plugin, 0, paths_of("b"), NULL), -EBUSY);
	ck_assert(mock_said(&dev2, UBLK_LOG_ERR, "is in use by process"));
	mock_close(&dev, true);
}
END_TEST

START_TEST(names_with_colons)
{
	char path[512];

	make_file("a", 4 * CHUNK);
	make_file("b", 4 * CHUNK);
	snprintf(path, sizeof(path), "%s/pci-0000:00:1f.2", folder);
	snprintf(opt, sizeof(opt), "%s/a", folder);
	ck_assert_int_eq(rename(opt, path), 0);
	snprintf(opt, sizeof(opt), "paths=%s:%s/b", path, folder);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, opt, NULL), 0);
	ck_assert_uint_eq(dev.nr_files, 2);
	mock_close(&dev, false);
}
END_TEST

START_TEST(wrong_paths)
{
	char link_path[512], target[512];

	make_file("a", 4 * CHUNK);
	make_file("b", 4 * CHUNK);
	make_file("tiny", CHUNK - 512);
	make_file("empty", 0);
	refused("paths=", -EINVAL, "is not an absolute path", "");
	refused("paths=a", -EINVAL, "a: is not an absolute path", "");
	refused("paths=a:b", -EINVAL, "a:b: is not an absolute path", "");
	refused(paths_of("a:missing"), -ENOENT, "/missing: does not exist", "");
	ck_assert(!mock_said(&dev, UBLK_LOG_ERR, "create"));
	refused(paths_of("a:empty"), -EINVAL, "/empty: is empty", "");
	ck_assert(!mock_said(&dev, UBLK_LOG_ERR, "create"));
	refused(paths_of("a:tiny"), -EINVAL, "/tiny: has 65024 bytes", "chunk of 65536");
	refused(paths_of("a:."), -EISDIR, "is a directory", folder);
	/* the same by each of its names */
	refused(paths_of("a:b:a"), -EINVAL, "/a: is a part of the device already", "");
	snprintf(target, sizeof(target), "%s/b", folder);
	snprintf(link_path, sizeof(link_path), "%s/soft", folder);
	ck_assert_int_eq(symlink(target, link_path), 0);
	snprintf(link_path, sizeof(link_path), "%s/hard", folder);
	ck_assert_int_eq(link(target, link_path), 0);
	refused(paths_of("a:b:soft"), -EINVAL, "/soft: is a part of the device already", "/b");
	refused(paths_of("a:hard:b"), -EINVAL, "/b: is a part of the device already", "/hard");
}
END_TEST

START_TEST(wrong_chunk)
{
	make_file("a", 4 * CHUNK);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a"), "chunk=5000", NULL), -EINVAL);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "chunk=5000 is not a power of two"));
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
END_TEST

/* A member that another device has: those that were opened before it are free again. */
START_TEST(member_in_use)
{
	make_file("a", 4 * CHUNK);
	make_file("b", 4 * CHUNK);
	ck_assert_int_eq(mock_open(&dev2, plugin, 0, paths_of("b"), NULL), 0);
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a:b"), NULL), -EBUSY);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, "/b: is in use by process"));
	ck_assert_int_eq(mock_open(&dev, plugin, 0, paths_of("a"), NULL), 0);
	mock_close(&dev, false);
	mock_close(&dev2, false);
}
END_TEST

START_TEST(host_has_no_room)
{
	make_file("a", 4 * CHUNK);
	dev.register_error = -EMFILE;
	refused(paths_of("a"), -EMFILE, "/a: the host cannot use the file", "");
	dev.register_error = 0;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backends_stripe");
	TCase *tc = tcase_create("stripe");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, size_and_hints);
	tcase_add_test(tc, map_is_raid0);
	tcase_add_test(tc, one_member);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, names_with_colons);
	tcase_add_test(tc, wrong_paths);
	tcase_add_test(tc, wrong_chunk);
	tcase_add_test(tc, member_in_use);
	tcase_add_test(tc, host_has_no_room);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
