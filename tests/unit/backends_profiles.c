// SPDX-License-Identifier: MIT
/*
 * Under a mock host: the test backends of the call and async profiles (what the tests of the host
 * lean on must itself be right), and the example of the plugin author's guide.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

#define SIZE (1 << 20)
#define DEPTH 8

static struct ublk_dev dev;
static char log_path[64];

static void open_call(const char *opt1, const char *opt2)
{
	char log_opt[80];
	int fd;

	strcpy(log_path, "/tmp/callmem-XXXXXX");
	fd = mkstemp(log_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(log_opt, sizeof(log_opt), "log=%s", log_path);
	ck_assert_int_eq(mock_open(&dev, mock_load("tests/plugins", "callmem"), 0, "size=1M",
				   log_opt, opt1, opt2, NULL),
			 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, SIZE);
}

/* Close the device; its log must be text. */
static void close_call(const char *text)
{
	char buf[1024] = "";
	FILE *f = fopen(log_path, "re");

	mock_close(&dev, true);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_lt(fread(buf, 1, sizeof(buf) - 1, f), sizeof(buf) - 1);
	fclose(f);
	unlink(log_path);
	ck_assert_str_eq(buf, text);
}

START_TEST(call_stores_and_tells)
{
	char data[4096], back[4096];

	open_call("fua=true", "delay_ms=0");
	ck_assert_uint_eq(dev.limits.attrs, UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_FUA);
	memset(data, 0x3c, sizeof(data));
	ck_assert_int_eq(dev.plugin->write(dev.priv, data, 4096, SIZE - 4096, 0), 0);
	ck_assert_int_eq(dev.plugin->write(dev.priv, data, 4096, 0, UBLK_IOF_FUA), 0);
	ck_assert_int_eq(dev.plugin->read(dev.priv, back, 4096, SIZE - 4096, 0), 0);
	ck_assert_mem_eq(data, back, 4096);
	ck_assert_int_eq(dev.plugin->flush(dev.priv), 0);
	ck_assert_int_eq(dev.plugin->discard(dev.priv, 4096, 0, 0), 0);
	ck_assert_int_eq(dev.plugin->write_zeroes(dev.priv, 512, SIZE - 512, UBLK_IOF_NOUNMAP), 0);
	ck_assert_int_eq(dev.plugin->read(dev.priv, back, 4096, SIZE - 4096, 0), 0);
	ck_assert_mem_eq(data, back, 3584);
	ck_assert_int_eq(back[3584], 0);
	close_call("fua 0 4096\nflush 0 0\ndiscard 0 4096\nwrite_zeroes 1048064 512 nounmap\n");
}
END_TEST

START_TEST(call_fails_where_told)
{
	char data[4096] = { 0 };

	open_call("fail_offset=8192", "fail_errno=28");
	ck_assert_int_eq(dev.plugin->write(dev.priv, data, 4096, 4096, 0), 0);
	ck_assert_int_eq(dev.plugin->write(dev.priv, data, 4096, 8192, 0), -ENOSPC);
	ck_assert_int_eq(dev.plugin->read(dev.priv, data, 512, 8192, 0), -ENOSPC);
	ck_assert_int_eq(dev.plugin->read(dev.priv, data, 512, 8704, 0), 0);
	ck_assert_int_eq(dev.plugin->discard(dev.priv, 12288, 0, 0), -ENOSPC);
	ck_assert_int_eq(dev.plugin->flush(dev.priv), 0);
	close_call("flush 0 0\n");
}
END_TEST

START_TEST(call_takes_its_time)
{
	struct timespec from, to;
	char data[512];

	open_call("fua=false", "delay_ms=50");
	ck_assert_uint_eq(dev.limits.attrs, UBLK_DEV_VOLATILE_CACHE);
	clock_gettime(CLOCK_MONOTONIC, &from);
	ck_assert_int_eq(dev.plugin->read(dev.priv, data, 512, 0, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_ge((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000,
			 50);
	close_call("");
}
END_TEST

static struct ublk_queue queue;
static struct ublk_io ios[DEPTH];
static char data[DEPTH][4096];
static char scratch[DEPTH][64] __attribute__((aligned(64)));

static void open_async(const char *mode, const char *busy)
{
	ck_assert_int_eq(mock_open(&dev, mock_load("tests/plugins", "asyncmem"), 0, "size=1M", mode,
				   busy, NULL),
			 0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, SIZE);
	ck_assert_uint_le(dev.limits.io_scratch_bytes, sizeof(scratch[0]));
	mock_queue_init(&queue, &dev, DEPTH);
}

static void close_async(void)
{
	mock_queue_exit(&queue);
	mock_close(&dev, true);
}

/* Submit DEPTH ios of 4 KiB at a stride of 64 KiB and wait; the number of -EBUSY on the way. */
static unsigned int run_all(uint8_t op)
{
	unsigned int busy = 0, before = queue.completed;

	for (unsigned int i = 0; i < DEPTH; i++) {
		int err;

		ios[i] = (struct ublk_io){ .op = op,
					   .offset = i * (64 << 10),
					   .length = op == UBLK_OP_FLUSH ? 0 : 4096,
					   .buf = data[i],
					   .scratch = scratch[i],
					   .tag = (uint16_t)i };
		while ((err = dev.plugin->submit(queue.qpriv, &ios[i])) == -EBUSY)
			busy++;
		ck_assert_int_eq(err, 0);
	}
	mock_queue_run(&queue, before + DEPTH);
	ck_assert_uint_eq(queue.completed, before + DEPTH);
	ck_assert_int_eq(queue.last_result, op == UBLK_OP_READ || op == UBLK_OP_WRITE ? 4096 : 0);
	return busy;
}

static const char *const modes[] = { "mode=ring", "mode=thread", "mode=inline" };

START_TEST(async_stores)
{
	open_async(modes[_i], "busy_every=0");
	for (int i = 0; i < DEPTH; i++)
		memset(data[i], i + 1, sizeof(data[i]));
	ck_assert_uint_eq(run_all(UBLK_OP_WRITE), 0);
	memset(data, 0, sizeof(data));
	ck_assert_uint_eq(run_all(UBLK_OP_READ), 0);
	for (int i = 0; i < DEPTH; i++) {
		ck_assert_int_eq(data[i][0], i + 1);
		ck_assert_int_eq(data[i][4095], i + 1);
	}
	run_all(UBLK_OP_FLUSH);
	run_all(_i ? UBLK_OP_DISCARD : UBLK_OP_WRITE_ZEROES);
	run_all(UBLK_OP_READ);
	for (int i = 0; i < DEPTH; i++)
		ck_assert_int_eq(data[i][4095], 0);
	close_async();
}
END_TEST

START_TEST(async_is_busy)
{
	open_async(modes[_i], "busy_every=3");
	ck_assert_uint_eq(run_all(UBLK_OP_WRITE), 3); /* of 11 submits */
	close_async();
}
END_TEST

START_TEST(example_maps_over_the_border)
{
	static const char *const names[] = { "first", "second" };
	struct ublk_io io = { .op = UBLK_OP_READ, .offset = 4096, .length = 12288 };
	char paths[2][64], opts[2][80];
	struct ublk_extent ext[3];

	for (int i = 0; i < 2; i++) {
		int fd;

		strcpy(paths[i], "/tmp/concat-XXXXXX");
		fd = mkstemp(paths[i]);
		ck_assert_int_eq(ftruncate(fd, 8192 + 100), 0);
		close(fd);
		snprintf(opts[i], sizeof(opts[i]), "%s=%s", names[i], paths[i]);
	}
	ck_assert_int_eq(
		mock_open(&dev, mock_load("tests/plugins", "concat"), 0, opts[0], opts[1], NULL),
		0);
	ck_assert_int_eq(mock_limits(&dev, 512), 0);
	ck_assert_uint_eq(dev.limits.size_bytes, 16384);
	ck_assert_int_eq(dev.plugin->map(dev.priv, &io, ext, 3), 2);
	ck_assert_int_eq(ext[0].file, 1);
	ck_assert_uint_eq(ext[0].at.offset, 4096);
	ck_assert_uint_eq(ext[0].length, 4096);
	ck_assert_int_eq(ext[1].file, 2);
	ck_assert_uint_eq(ext[1].at.offset, 0);
	ck_assert_uint_eq(ext[1].length, 8192);
	ck_assert_int_eq(dev.plugin->map(dev.priv, &io, ext, 1), 1);
	ck_assert_uint_eq(mock_map(&dev, UBLK_OP_WRITE, 8192, 512).at.offset, 0);
	ck_assert_int_eq(mock_map(&dev, UBLK_OP_WRITE, 7680, 512).file, 1);
	mock_close(&dev, true);
	unlink(paths[1]);
	ck_assert_int_eq(mock_open(&dev, dev.plugin, 0, opts[0], opts[1], NULL), -ENOENT);
	ck_assert(mock_said(&dev, UBLK_LOG_ERR, paths[1]));
	unlink(paths[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backends_profiles");
	TCase *call = tcase_create("call"), *async = tcase_create("async"),
	      *example = tcase_create("example");

	tcase_add_test(call, call_stores_and_tells);
	tcase_add_test(call, call_fails_where_told);
	tcase_add_test(call, call_takes_its_time);
	tcase_add_loop_test(async, async_stores, 0, 3);
	tcase_add_loop_test(async, async_is_busy, 0, 3);
	tcase_add_test(example, example_maps_over_the_border);
	suite_add_tcase(suite, example);
	suite_add_tcase(suite, call);
	suite_add_tcase(suite, async);
	return run_tap(suite);
}
