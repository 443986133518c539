// SPDX-License-Identifier: MIT
/* Memory that outlives its server: made, found again, removed with the state that names it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "device/kept_memory.h"
#include "state_help.h"

static json_t *kept;
static struct capture cap;

static void setup(void)
{
	state_setup();
	kept = json_object();
}

static void teardown(void)
{
	char path[128];

	json_decref(kept);
	/* root mounts a filesystem there */
	snprintf(path, sizeof(path), "umount '%s/memory' 2>/dev/null", dir);
	if (geteuid() == 0 && system(path))
		printf("# nothing was mounted\n");
	state_teardown();
}

/* Neither root nor memory under the folder: then there is nothing to test. */
static int make(const char *name, uint64_t size)
{
	int fd;

	capture_begin(&cap, STDERR_FILENO);
	fd = kept_memory_make(kept, name, size);
	capture_end(&cap);
	return fd;
}

static void put_byte(int fd, off_t at, char byte)
{
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
}

static char byte_at(int fd, off_t at)
{
	char byte;

	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	return byte;
}

START_TEST(is_found_again)
{
	int fd = make("store", 1 << 20), again;
	struct stat st;

	if (fd == -ENOSYS)
		return;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 1 << 20);
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	put_byte(fd, 4711, 7);
	close(fd);
	again = kept_memory_find(kept, "store", 1 << 20);
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(byte_at(again, 4711), 7);
	close(again);
	/* a larger device: the same, and zeroes */
	again = kept_memory_find(kept, "store", 2 << 20);
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(byte_at(again, 4711), 7);
	ck_assert_int_eq(byte_at(again, (2 << 20) - 1), 0);
	close(again);
	ck_assert_int_eq(kept_memory_find(kept, "other", 4096), -ENOENT);
	kept_memory_remove(kept);
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(kept_memory_find(kept, "store", 1 << 20), -ENOENT);
	capture_end(&cap);
	ck_assert_ptr_nonnull(strstr(cap.text, "finding"));
}
END_TEST

START_TEST(names_are_checked)
{
	static const char *const bad[] = { "", "a/b", "..", "Store", "a234567890123456x" };
	int fd = make("store", 4096);

	if (fd == -ENOSYS)
		return;
	close(fd);
	ck_assert_int_eq(make("store", 4096), -EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(make(bad[i], 4096), -EINVAL);
	ck_assert_int_eq(make("huge", UINT64_MAX), -EFBIG);
	ck_assert_ptr_null(json_object_get(kept, "huge"));
	kept_memory_remove(kept);
}
END_TEST

/* A state file cannot lead out of the folder. */
START_TEST(paths_are_not_followed)
{
	char victim[256];

	in_dir(victim, "victim");
	put("victim", "x", 0600);
	json_object_set_new(kept, "store", json_string("../victim"));
	ck_assert_int_eq(kept_memory_find(kept, "store", 4096), -ENOENT);
	kept_memory_remove(kept);
	ck_assert(exists("victim"));
}
END_TEST

START_TEST(goes_with_its_state)
{
	struct device_state state = sample(ID, "ram"), back;
	int fd = make("store", 4096);
	char name[100];

	if (fd == -ENOSYS)
		return;
	close(fd);
	state.memory = kept;
	state.log = "/var/log/x";
	ck_assert_int_eq(state_write(&state), 0);
	ck_assert_int_eq(state_read(ID, &back), 0);
	ck_assert(json_equal(back.memory, kept));
	ck_assert_str_eq(back.log, "/var/log/x");
	state_free(&back);
	snprintf(name, sizeof(name), "memory/%.80s",
		 json_string_value(json_object_get(kept, "store")));
	ck_assert(exists(name));
	state_remove(ID, "ram");
	ck_assert(!exists(name));
}
END_TEST

START_TEST(ordinary_memory_has_no_name)
{
	int fd = kept_memory_ordinary("store", 8192);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 8192);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kept memory");
	TCase *tc = tcase_create("memory");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, is_found_again);
	tcase_add_test(tc, names_are_checked);
	tcase_add_test(tc, paths_are_not_followed);
	tcase_add_test(tc, goes_with_its_state);
	tcase_add_test(tc, ordinary_memory_has_no_name);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
