// SPDX-License-Identifier: MIT
/* See file_fixture.h. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_fixture.h"

const struct ublk_plugin *plugin;
struct ublk_dev dev, dev2;
char folder[512], path[600], path_opt[640];

static unsigned int fds_before;

void setup_in(const char *parent)
{
	snprintf(folder, sizeof(folder), "%s/backends-XXXXXX", parent);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/img", folder);
	snprintf(path_opt, sizeof(path_opt), "path=%s", path);
	plugin = mock_load("plugins", "file");
	fds_before = mock_count_fds();
}

void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	setup_in(tmp ? tmp : "/tmp");
}

void teardown(void)
{
	char command[600];

	ck_assert_uint_eq(mock_count_fds(), fds_before);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

void make_file(off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

off_t file_size(void)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

void refused(int got, int err, const char *text1, const char *text2)
{
	ck_assert_int_eq(got, err);
	ck_assert_uint_eq(mock_lines(&dev, UBLK_LOG_ERR), 1);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text1), "no '%s' in: %s", text1, dev.log);
	ck_assert_msg(mock_said(&dev, UBLK_LOG_ERR, text2), "no '%s' in: %s", text2, dev.log);
	ck_assert_uint_eq(mock_count_fds(), fds_before);
}
