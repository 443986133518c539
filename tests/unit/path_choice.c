// SPDX-License-Identifier: MIT
/* Which data path --data-path auto takes: by where the bytes are and what the kernel has, and why. */
#include <string.h>

#include "queue/path.h"
#include "tap.h"

#define ZC (UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG)

static const struct path_kernel linux_6_1 = { .features = UBLK_F_NEED_GET_DATA };
static const struct path_kernel linux_6_12 = { .features = UBLK_F_NEED_GET_DATA | UBLK_F_USER_COPY,
					       .buf_table = true,
					       .buf_ring = true };
static const struct path_kernel linux_7 = { .features = UBLK_F_NEED_GET_DATA | UBLK_F_USER_COPY |
							ZC | UBLK_F_BATCH_IO,
					    .buf_table = true,
					    .buf_ring = true };

static const struct {
	const char *what;
	struct path_needs needs;
	const char *on_6_1, *on_6_12, *on_7;
} choices[] = {
	{ "files", { .map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO }, "copy", "copy", "auto-buf-reg" },
	{ "memory",
	  { .map_kinds = UBLK_EXT_MEM | UBLK_EXT_ZERO },
	  "copy",
	  "user-copy",
	  "user-copy" },
	{ "files and memory", { .map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM }, "copy", "copy", "copy" },
	{ "zeroes", { .map_kinds = UBLK_EXT_ZERO }, "copy", "user-copy", "user-copy" },
	{ "nothing at all",
	  { .map_kinds = UBLK_EXT_VOID },
	  "copy",
	  "user-copy",
	  "zero-copy+batch" },
	{ "nothing at all, by shared queues",
	  { .map_kinds = UBLK_EXT_VOID, .shared_queues = true },
	  "copy",
	  "user-copy",
	  "zero-copy" },
	{ "the plugin's own, in memory",
	  { .data_modes = UBLK_DATA_MAPPED },
	  "copy",
	  "copy",
	  "copy" },
	{ "the plugin's own, fixed too",
	  { .data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED },
	  "copy",
	  "copy",
	  "auto-buf-reg" },
	{ "the plugin's own, fixed too, and by call",
	  { .data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED, .calls = true },
	  "copy",
	  "copy",
	  "copy" },
	{ "by call, and files",
	  { .map_kinds = UBLK_EXT_FD, .calls = true },
	  "copy",
	  "copy",
	  "copy" },
	{ "memory, and the plugin's own",
	  { .map_kinds = UBLK_EXT_ZERO, .data_modes = UBLK_DATA_MAPPED },
	  "copy",
	  "copy",
	  "copy" },
};

static void check_choice(int i, const struct path_kernel *kernel, const char *name)
{
	const char *why = NULL;
	struct path_choice choice = path_choose(kernel, &choices[i].needs, &why);

	ck_assert_msg(!strcmp(path_choice_name(choice), name), "%s: %s instead of %s",
		      choices[i].what, path_choice_name(choice), name);
	ck_assert_ptr_null(path_obstacle(choice, kernel, &choices[i].needs));
	ck_assert_uint_gt(strlen(why), 0);
}

START_TEST(the_best_that_the_kernel_has)
{
	check_choice(_i, &linux_6_1, choices[_i].on_6_1);
	check_choice(_i, &linux_6_12, choices[_i].on_6_12);
	check_choice(_i, &linux_7, choices[_i].on_7);
}
END_TEST

START_TEST(the_reason_is_what_the_best_one_lacks)
{
	struct path_needs files = { .map_kinds = UBLK_EXT_FD };
	const char *why;

	path_choose(&linux_6_12, &files, &why);
	ck_assert_ptr_nonnull(strstr(why, "AUTO_BUF_REG, Linux 6.16"));
	path_choose(&linux_7, &files, &why);
	ck_assert_str_eq(why, path_auto_buf_reg.what);
}
END_TEST

/* The driver copies for who may not see the pages of others. */
START_TEST(users_without_privilege_are_copied_for)
{
	struct path_kernel kernel = linux_7;
	const char *why = NULL, *obstacle;

	kernel.unprivileged = true;
	check_choice(_i, &kernel, "copy");
	for (unsigned int i = 0; i < nr_data_paths; i++) {
		const bool copies = !(data_paths[i]->dev_flags & (UBLK_F_USER_COPY | ZC));

		obstacle = path_obstacle((struct path_choice){ data_paths[i], false }, &kernel,
					 &choices[_i].needs);
		ck_assert(copies || strstr(obstacle, "CAP_SYS_ADMIN"));
	}
	path_choose(&kernel, &(struct path_needs){ .map_kinds = UBLK_EXT_FD }, &why);
	ck_assert_ptr_nonnull(strstr(why, "CAP_SYS_ADMIN"));
}
END_TEST

/* Registered buffers only, on a kernel that has none: no choice, and the reason is what the least of the
 * paths needs that could. */
START_TEST(what_none_can_serve)
{
	struct path_needs needs = { .data_modes = UBLK_DATA_FIXED };
	struct path_kernel kernel = linux_7;
	const char *why = NULL;

	ck_assert_ptr_nonnull(
		path_obstacle(path_choose(&linux_6_12, &needs, &why), &linux_6_12, &needs));
	ck_assert_ptr_nonnull(strstr(why, "SUPPORT_ZERO_COPY, Linux 6.15"));
	ck_assert_ptr_null(path_obstacle(path_choose(&linux_7, &needs, &why), &linux_7, &needs));
	ck_assert_str_eq(why, path_auto_buf_reg.what);
	kernel.unprivileged = true;
	ck_assert_ptr_nonnull(path_obstacle(path_choose(&kernel, &needs, &why), &kernel, &needs));
	ck_assert_ptr_nonnull(strstr(why, "CAP_SYS_ADMIN"));
	/* and where nothing ever could */
	needs.map_kinds = UBLK_EXT_MEM;
	ck_assert_ptr_nonnull(path_obstacle(path_choose(&linux_7, &needs, &why), &linux_7, &needs));
	ck_assert_ptr_nonnull(strstr(why, "no data path has both"));
}
END_TEST

static int do_submit(void *qpriv, struct ublk_io *io)
{
	(void)qpriv, (void)io;
	return 0;
}

static int do_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv, (void)buf, (void)length, (void)offset, (void)flags;
	return 0;
}

static int do_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv, (void)buf, (void)length, (void)offset, (void)flags;
	return 0;
}

/* Functions are given memory, and submit() what it takes: a path has to have both, whichever of READ and
 * WRITE is which. */
START_TEST(calls_beside_submit)
{
	const struct ublk_plugin mixed[] = {
		{ .submit_ops = UBLK_OPS_READ, .submit = do_submit, .write = do_write },
		{ .submit_ops = UBLK_OPS_WRITE, .submit = do_submit, .read = do_read },
	};
	struct path_needs both = path_needs_of(&mixed[_i], 0, UBLK_DATA_MAPPED | UBLK_DATA_FIXED);
	struct path_needs fixed = path_needs_of(&mixed[_i], 0, UBLK_DATA_FIXED);
	const char *why = NULL;

	for (unsigned int i = 0; i < nr_data_paths; i++) {
		const struct path_choice choice = { data_paths[i], false };
		const bool in_memory = data_paths[i]->data_mode == UBLK_DATA_MAPPED;

		ck_assert_int_eq(!path_obstacle(choice, &linux_7, &both), in_memory);
		ck_assert_ptr_nonnull(path_obstacle(choice, &linux_7, &fixed));
		if (in_memory)
			ck_assert(data_path_has_buffers(data_paths[i], &both));
	}
	ck_assert_str_eq(path_choice_name(path_choose(&linux_7, &both, &why)), "copy");
	ck_assert_ptr_nonnull(path_obstacle(path_choose(&linux_7, &fixed, &why), &linux_7, &fixed));
	ck_assert_ptr_nonnull(strstr(why, "no data path has both"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("path_choice");
	TCase *tcase = tcase_create("choices");

	tcase_add_loop_test(tcase, the_best_that_the_kernel_has, 0, ARRAY_SIZE(choices));
	tcase_add_loop_test(tcase, users_without_privilege_are_copied_for, 0, ARRAY_SIZE(choices));
	tcase_add_test(tcase, the_reason_is_what_the_best_one_lacks);
	tcase_add_test(tcase, what_none_can_serve);
	tcase_add_loop_test(tcase, calls_beside_submit, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_tap(suite);
}
