// SPDX-License-Identifier: MIT
/* Descriptors, good and bad, through plugin_check_descriptor(): the exact words of each refusal. */
#include "base/log.h"
#include "plugin/plugin.h"
#include "capture.h"
#include "tap.h"

static int do_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	(void)dev, (void)args, (void)priv;
	return 0;
}

static int do_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv, (void)limits;
	return 0;
}

static int do_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv, (void)io, (void)out, (void)max;
	return 0;
}

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

static int do_flush(void *priv)
{
	(void)priv;
	return 0;
}

static const struct ublk_opt_spec opts[] = { { .name = "a", .help = "A", .type = UBLK_OPT_BOOL } };

static const struct ublk_plugin good = {
	UBLK_PLUGIN_INIT(0),
	.name = "good",
	.version = "1.0",
	.description = "Good",
	.thread_model = UBLK_THREADS_PER_QUEUE,
	.open = do_open,
	.get_limits = do_get_limits,
	.read = do_read,
};

/* Expect the refusal; text is what follows "plugin X: ". */
static void refused(const struct ublk_plugin *desc, int err, const char *text)
{
	struct ublk_plugin copy;
	struct capture cap;
	char expected[1024];
	int ret;

	snprintf(expected, sizeof(expected), "ublk-host: plugin X: %s\n", text);
	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_check_descriptor("X", desc, &copy);
	ck_assert_str_eq(capture_end(&cap), expected);
	ck_assert_int_eq(ret, err);
}

static void accepted(const struct ublk_plugin *desc)
{
	struct ublk_plugin copy;
	struct capture cap;
	int ret;

	capture_begin(&cap, STDERR_FILENO);
	ret = plugin_check_descriptor("X", desc, &copy);
	ck_assert_str_eq(capture_end(&cap), "");
	ck_assert_int_eq(ret, 0);
}

START_TEST(test_good)
{
	struct ublk_plugin copy;

	ck_assert_int_eq(plugin_check_descriptor("X", &good, &copy), 0);
	ck_assert_int_eq(memcmp(&copy, &good, sizeof(good)), 0);
}
END_TEST

START_TEST(test_head)
{
	struct ublk_plugin d = good;

	d.magic = 0x12345678;
	refused(&d, -ENOEXEC,
		"not a ublk-host plugin: its descriptor starts with 0x12345678, not with "
		"0x4b4c4255");
	d = good;
	d.abi_major = 3;
	d.abi_minor = 4;
	refused(&d, -EPROTONOSUPPORT, "built for plugin ABI 3.4; this host implements 1.1");
	d = good;
	d.abi_major = 0;
	refused(&d, -EPROTONOSUPPORT, "built for plugin ABI 0.1; this host implements 1.1");
	d = good;
	d.abi_minor = 2;
	d.min_host_minor = 2;
	refused(&d, -EPROTONOSUPPORT, "needs host ABI >= 1.2; this host implements 1.1");
	d.min_host_minor = 0; /* built for 1.2, content with 1.0 */
	accepted(&d);
	d.reserved0 = 1;
	refused(&d, -EINVAL, "reserved0 is 1; it must be 0");
}
END_TEST

/* Only the 16 bytes that are frozen may be read before they are found to be good: what follows is
 * not there in this test. */
START_TEST(test_head_alone)
{
	static const uint32_t sizes[] = { 0,	 16,	    32, sizeof(struct ublk_plugin) - 1,
					  65537, UINT32_MAX };
	struct ublk_plugin *head = malloc(16);
	char text[256];

	ck_assert_ptr_nonnull(head);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memcpy((void *)head, &good, 16);
		memcpy((char *)head + 8, &sizes[i], 4);
		snprintf(text, sizeof(text),
			 "impossible struct_size %u: ABI 1.0 has 240 bytes, and none has more than "
			 "65536",
			 sizes[i]);
		refused(head, -EINVAL, text);
	}
	free(head);
}
END_TEST

/* A newer minor's tail is not ours; nothing of it may reach the copy, and it is legal at any
 * length up to the limit. */
START_TEST(test_tail)
{
	struct ublk_plugin *big = malloc(65536);
	struct ublk_plugin d = good, copy;

	ck_assert_ptr_nonnull(big);
	memset((void *)big, 0xff, 65536);
	d.struct_size = 65536;
	memcpy((void *)big, &d, sizeof(d));
	ck_assert_int_eq(plugin_check_descriptor("X", big, &copy), 0);
	ck_assert_int_eq(memcmp(&copy, &d, sizeof(d)), 0);
	free(big);
}
END_TEST

START_TEST(test_names)
{
	static const char *const bad[] = { "",	      "Good",
					   "-a",      "a_b",
					   "a b",     "a/b",
					   "a.so",    "abcdefghijklmnopqrstuvwxyz0123456",
					   "\xc3\xa9" };
	static const char *const fine[] = { "a", "0", "a-", "9p",
					    "abcdefghijklmnopqrstuvwxyz012345" };
	struct ublk_plugin d = good;
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		d.name = fine[i];
		accepted(&d);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		d.name = bad[i];
		snprintf(text, sizeof(text),
			 "its name is \"%s\"; it must be 1 to 32 of a-z, 0-9 and -, not starting "
			 "with -",
			 bad[i]);
		refused(&d, -EINVAL, text);
	}
	d.name = "a\nb"; /* must not break the line of the message */
	refused(&d, -EINVAL,
		"its name is \"\"; it must be 1 to 32 of a-z, 0-9 and -, not starting with -");
	d.name = NULL;
	refused(&d, -EINVAL,
		"its name is \"\"; it must be 1 to 32 of a-z, 0-9 and -, not starting with -");
}
END_TEST

START_TEST(test_texts)
{
	static const char *const bad[] = { NULL,
					   "",
					   "two\nlines",
					   "\x1b[31mred",
					   "del\x7f",
					   "\xff",
					   "cut \xe2\x82",
					   "\xc0\xaf",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xf8\x88\x80\x80\x80",
					   "\xc2\x9b"
					   "31m" };
	static const char *const fine[] = { "x", "caf\xc3\xa9", "10 \xe2\x82\xac",
					    "\xf0\x9f\x92\xbe", "\xf4\x8f\xbf\xbf" };
	struct ublk_plugin d;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		d = good;
		d.version = bad[i];
		refused(&d, -EINVAL, "version must be one line of text");
		d = good;
		d.description = bad[i];
		refused(&d, -EINVAL, "description must be one line of text");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		d.version = d.description = fine[i];
		accepted(&d);
	}
}
END_TEST

START_TEST(test_bits)
{
	struct ublk_plugin d = good;

	d.flags = 0x11;
	refused(&d, -EINVAL, "flags is 0x11; this host (ABI 1.1) knows the bits 0xf0f only");
	d = good;
	d.map_ops = 0x21;
	refused(&d, -EINVAL, "map_ops is 0x21; this host (ABI 1.1) knows the bits 0x1f only");
	d = good;
	d.submit_ops = 0x80000000;
	refused(&d, -EINVAL,
		"submit_ops is 0x80000000; this host (ABI 1.1) knows the bits 0x1f only");
	d = good;
	d.map_kinds = 0x10;
	refused(&d, -EINVAL, "map_kinds is 0x10; this host (ABI 1.1) knows the bits 0xf only");
	d = good;
	d.data_modes = 4;
	refused(&d, -EINVAL, "data_modes is 0x4; this host (ABI 1.1) knows the bits 0x3 only");
	d = good;
	d.thread_model = 1;
	refused(&d, -EINVAL,
		"thread_model is 1; it must be 0 (serial), 1000 (per queue) or 2000 (parallel)");
	d.thread_model = UBLK_THREADS_SERIAL;
	accepted(&d);
	d.thread_model = UBLK_THREADS_PARALLEL;
	d.flags = UBLK_PLUGIN_NONBLOCKING;
	accepted(&d);
}
END_TEST

/* What came after our minor is left out; what is left has to make a plugin. */
START_TEST(test_newer_bits)
{
	static const uint32_t models[][2] = {
		{ 1, 0 },	{ 999, 0 },	{ 1500, 1000 },
		{ 2000, 2000 }, { 2500, 2000 }, { UINT32_MAX, 2000 }
	};
	struct ublk_plugin d = good, copy;

	d.abi_minor = UBLK_PLUGIN_ABI_MINOR + 1;
	d.flags = 0x80000000 | UBLK_PLUGIN_NONBLOCKING;
	d.map = do_map;
	d.map_ops = 0x20;
	d.map_kinds = 0x10;
	d.submit = do_submit;
	d.submit_ops = UBLK_OPS_FLUSH | 0x40;
	d.data_modes = 4;
	ck_assert_int_eq(plugin_check_descriptor("X", &d, &copy), 0);
	ck_assert_uint_eq(copy.flags, UBLK_PLUGIN_NONBLOCKING);
	ck_assert_uint_eq(copy.map_ops, 0);
	ck_assert_ptr_null(copy.map);
	ck_assert_uint_eq(copy.map_kinds, 0);
	ck_assert_uint_eq(copy.submit_ops, UBLK_OPS_FLUSH);
	ck_assert_ptr_eq((void *)copy.submit, (void *)do_submit);
	ck_assert_uint_eq(copy.data_modes, 0);
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		d.thread_model = models[i][0];
		ck_assert_int_eq(plugin_check_descriptor("X", &d, &copy), 0);
		ck_assert_uint_eq(copy.thread_model, models[i][1]);
	}
	d.map_ops = 0x20 | UBLK_OPS_WRITE; /* of kinds that we do not know */
	refused(&d, -EINVAL,
		"map_ops is 0x2, but map_kinds is 0: say which kinds of extent map() returns");
	d.map = NULL;
	d.map_ops = 0x20;
	accepted(&d);
}
END_TEST

START_TEST(test_callbacks)
{
	struct ublk_plugin d = good;

	d.open = NULL;
	refused(&d, -EINVAL, "has no open(), which every plugin needs");
	d = good;
	d.get_limits = NULL;
	refused(&d, -EINVAL, "has no get_limits(), which every plugin needs");
	d = good;
	d.read = NULL;
	d.flush = do_flush;
	refused(&d, -EINVAL,
		"nothing serves read: set it in map_ops or submit_ops, or give a read()");
	d = good;
	d.map = do_map;
	refused(&d, -EINVAL, "has map(), but map_ops is 0: name the operations that it serves");
	d.map = NULL;
	d.map_ops = UBLK_OPS_DISCARD;
	refused(&d, -EINVAL, "map_ops is 0x8, but there is no map()");
	d = good;
	d.submit = do_submit;
	refused(&d, -EINVAL,
		"has submit(), but submit_ops is 0: name the operations that it serves");
	d.submit = NULL;
	d.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE;
	refused(&d, -EINVAL, "submit_ops is 0x3, but there is no submit()");
}
END_TEST

START_TEST(test_profiles)
{
	struct ublk_plugin d = good;

	d.map = do_map;
	d.submit = do_submit;
	d.map_ops = UBLK_OPS_READ | UBLK_OPS_DISCARD;
	d.submit_ops = UBLK_OPS_WRITE | UBLK_OPS_DISCARD;
	refused(&d, -EINVAL,
		"map_ops 0x9 and submit_ops 0xa both claim discard; each operation is served in "
		"one way");
	d.submit_ops = UBLK_OPS_WRITE;
	refused(&d, -EINVAL,
		"map_ops is 0x9, but map_kinds is 0: say which kinds of extent map() returns");
	d.map_kinds = UBLK_EXT_MEM;
	refused(&d, -EINVAL,
		"submit_ops is 0x2, but data_modes is 0: say how submit() takes its data");
	d.data_modes = UBLK_DATA_MAPPED;
	d.flush = do_flush;
	accepted(&d);
	ck_assert_int_eq(plugin_profile(&d, UBLK_OP_READ), PROFILE_MAP);
	ck_assert_int_eq(plugin_profile(&d, UBLK_OP_WRITE), PROFILE_SUBMIT);
	ck_assert_int_eq(plugin_profile(&d, UBLK_OP_FLUSH), PROFILE_CALL);
	ck_assert_int_eq(plugin_profile(&d, UBLK_OP_DISCARD), PROFILE_MAP);
	ck_assert_int_eq(plugin_profile(&d, UBLK_OP_WRITE_ZEROES), PROFILE_NONE);
	ck_assert_int_eq(plugin_profile(&d, NR_OPS), PROFILE_NONE);
	ck_assert_int_eq(plugin_profile(&d, UINT32_MAX), PROFILE_NONE);
	/* no data passes through map or submit: neither mask is needed */
	d = good;
	d.map = do_map;
	d.submit = do_submit;
	d.map_ops = UBLK_OPS_FLUSH;
	d.submit_ops = UBLK_OPS_DISCARD;
	accepted(&d);
}
END_TEST

/* What submit() takes, what functions are given and what is mapped has to go together on some data path. */
START_TEST(test_data_modes)
{
	struct ublk_plugin d = good;

	d.submit = do_submit;
	d.submit_ops = UBLK_OPS_WRITE;
	d.data_modes = UBLK_DATA_FIXED;
	refused(&d, -EINVAL,
		"submit() takes registered buffers only (data_modes is 0x2), but read by call "
		"needs its data in memory: no data path has both");
	d.data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED;
	accepted(&d);
	d.data_modes = UBLK_DATA_FIXED;
	d.map = do_map;
	d.map_ops = UBLK_OPS_READ;
	d.map_kinds = UBLK_EXT_MEM;
	refused(&d, -EINVAL,
		"submit() takes registered buffers only (data_modes is 0x2), but read by map "
		"needs its data in memory: no data path has both");
	d.map_kinds = UBLK_EXT_MEM | UBLK_EXT_FD; /* devices may leave memory out */
	accepted(&d);
	d.submit_ops = UBLK_OPS_FLUSH;
	d.map_kinds = UBLK_EXT_MEM;
	accepted(&d);
	d = good;
	d.read = NULL;
	d.submit = do_submit;
	d.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE;
	d.data_modes = UBLK_DATA_FIXED;
	d.flush = do_flush;
	accepted(&d);
}
END_TEST

START_TEST(test_names_of_things)
{
	static const char *const names[] = { "read", "write", "flush", "discard", "write_zeroes" };

	for (unsigned int op = 0; op < NR_OPS; op++)
		ck_assert_str_eq(op_name(op), names[op]);
	ck_assert_str_eq(op_name(NR_OPS), "unknown");
	ck_assert_str_eq(profile_name(PROFILE_MAP), "map");
	ck_assert_str_eq(profile_name(PROFILE_SUBMIT), "async");
	ck_assert_str_eq(profile_name(PROFILE_CALL), "call");
	ck_assert_str_eq(profile_name(PROFILE_NONE), "none");
}
END_TEST

START_TEST(test_options)
{
	struct ublk_plugin d = good;

	d.nr_opts = 1;
	refused(&d, -EINVAL, "nr_opts is 1, but opts is NULL");
	d.opts = opts;
	d.opt_spec_size = 40;
	refused(&d, -EINVAL, "impossible opt_spec_size 40: ABI 1.0 has 56 bytes");
	d.opt_spec_size = 60;
	refused(&d, -EINVAL, "impossible opt_spec_size 60: ABI 1.0 has 56 bytes");
	d.opt_spec_size = sizeof(opts[0]);
	accepted(&d);
	d.nr_opts = 257;
	refused(&d, -EINVAL, "nr_opts is 257, more than the 256 there may be");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin_check");
	TCase *tc = tcase_create("descriptor");

	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_head);
	tcase_add_test(tc, test_head_alone);
	tcase_add_test(tc, test_tail);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_texts);
	tcase_add_test(tc, test_bits);
	tcase_add_test(tc, test_newer_bits);
	tcase_add_test(tc, test_callbacks);
	tcase_add_test(tc, test_profiles);
	tcase_add_test(tc, test_data_modes);
	tcase_add_test(tc, test_names_of_things);
	tcase_add_test(tc, test_options);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_tap(suite());
}
