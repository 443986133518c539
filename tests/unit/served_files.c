// SPDX-License-Identifier: MIT
/* Which files a device is served from: the same is told from what has taken its path. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "capture.h"
#include "device/served_files.h"
#include "made_up.h"
#include "queue/queue.h"
#include "tap.h"

static struct ublk_dev *dev;
static char image[128], other[128];

static int make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void setup(void)
{
	made_up_setup();
	log_set_level(LOG_LVL_WARN);
	snprintf(image, sizeof(image), "%s/image", root);
	snprintf(other, sizeof(other), "%s/other", root);
	dev = calloc(1, sizeof(*dev));
	ck_assert_ptr_nonnull(dev);
	dev->nr_files = 1;
}

static void close_files(void)
{
	while (dev->nr_files > 1)
		close(dev->files[--dev->nr_files].fd);
}

static void teardown(void)
{
	close_files();
	free(dev);
	made_up_teardown();
}

static void add(int fd, bool by_plugin)
{
	ck_assert_int_gt(dev_add_file(dev, fd, by_plugin), 0);
}

/* As a next server does. */
static int served_from(const json_t *former, const char *path)
{
	close_files();
	add(make(path), true);
	return served_files_check(dev, former, "/dev/ublkb7");
}

START_TEST(a_path_that_leads_elsewhere_is_noticed)
{
	struct capture cap;
	json_t *files;
	const char *text;

	add(make(image), true);
	files = served_files(dev);
	ck_assert_int_eq(json_array_size(files), 1);
	ck_assert(json_object_get(json_array_get(files, 0), "inode"));
	ck_assert_int_eq(served_from(files, image), 0);
	/* By another name it is the same. */
	ck_assert_int_eq(link(image, other), 0);
	ck_assert_int_eq(served_from(files, other), 0);
	ck_assert_int_eq(unlink(other), 0);
	close(make(other));
	ck_assert_int_eq(rename(other, image), 0);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(served_from(files, image), -ESTALE);
	text = capture_end(&cap);
	ck_assert_ptr_nonnull(strstr(text, image));
	ck_assert_ptr_nonnull(strstr(text, "/dev/ublkb7"));
	json_decref(files);
}
END_TEST

/* Many filesystems give the number of a file that is gone to the next. */
START_TEST(a_number_that_is_reused_is_noticed)
{
	json_t *was =
		json_pack("{s:i, s:s, s:s}", "inode", 12, "made", "5.000000001", "disk", "8:1");
	json_t *is = json_deep_copy(was);

	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_SAME);
	json_object_set_new(is, "made", json_string("5.000000002"));
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	json_object_del(is, "made");
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	json_decref(is);
	is = json_pack("{s:s}", "disk", "8:1"); /* a block device now */
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	json_decref(is);
	json_decref(was);
}
END_TEST

START_TEST(a_disk_that_is_gone_may_come_back_as_another)
{
	json_t *was = json_pack("{s:s}", "disk", "8:16"), *is = json_pack("{s:s}", "disk", "8:32");

	/* Nothing is known where sysfs is not. */
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	put("/sys/dev/block/8:32/size", "1\n");
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_MOVED);
	put("/sys/dev/block/8:16/size", "1\n");
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	ck_assert_int_eq(served_file_compare(root, was, was), SERVED_FILE_SAME);
	json_decref(was);
	json_decref(is);
	/* The same of a file that was on it, though its filesystem's id may follow the disk's. */
	was = json_pack("{s:i, s:s, s:s}", "inode", 3, "filesystem", "1", "disk", "8:48");
	is = json_pack("{s:i, s:s, s:s}", "inode", 3, "filesystem", "2", "disk", "8:16");
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_MOVED);
	json_object_set_new(was, "disk", json_string("8:16"));
	ck_assert_int_eq(served_file_compare(root, was, is), SERVED_FILE_OTHER);
	json_decref(was);
	json_decref(is);
}
END_TEST

/* Neither what no path leads to, nor what is no file, nor the host's own. */
START_TEST(only_what_has_a_path_is_compared)
{
	int ends[2];
	json_t *files, *none = json_array();

	ck_assert_int_eq(pipe(ends), 0);
	add(ends[0], true);
	add(ends[1], false);
	add(make(image), true);
	ck_assert_int_eq(unlink(image), 0);
	files = served_files(dev);
	ck_assert_int_eq(json_array_size(files), 2);
	ck_assert(json_is_null(json_array_get(files, 0)));
	ck_assert(json_is_null(json_array_get(files, 1)));
	/* Nor is what another plugin has in more or fewer files, or what nothing is known of. */
	ck_assert_int_eq(served_from(files, image), 0);
	ck_assert_int_eq(served_from(none, image), 0);
	ck_assert_int_eq(served_from(NULL, image), 0);
	json_decref(files);
	json_decref(none);
}
END_TEST

START_TEST(the_one_that_is_another_is_named)
{
	struct capture cap;
	json_t *files;
	const char *text;

	add(make(image), true);
	add(make("/dev/zero"), false);
	add(make(other), true);
	files = served_files(dev);
	close_files();
	ck_assert_int_eq(unlink(other), 0);
	close(make(other));
	add(make(image), true);
	add(make("/dev/zero"), false);
	add(make(other), true);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(served_files_check(dev, files, "/dev/ublkb7"), -ESTALE);
	text = capture_end(&cap);
	ck_assert_ptr_nonnull(strstr(text, other));
	ck_assert_ptr_null(strstr(text, image));
	json_decref(files);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the files of a device");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_path_that_leads_elsewhere_is_noticed);
	tcase_add_test(tc, a_number_that_is_reused_is_noticed);
	tcase_add_test(tc, a_disk_that_is_gone_may_come_back_as_another);
	tcase_add_test(tc, only_what_has_a_path_is_compared);
	tcase_add_test(tc, the_one_that_is_another_is_named);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
