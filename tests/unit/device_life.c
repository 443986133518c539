// SPDX-License-Identifier: MIT
/*
 * A device's life, from ADD_DEV to DEL_DEV, with a plugin of the test's and a driver that the test plays:
 * what is done in which order, what is left when a step fails, resizing, and the way to the next server.
 */
#include "device/requests.h"
#include "device_life_help.h"

#define BRING_UP "GET_FEATURES ADD_DEV SET_PARAMS GET_QUEUE_AFFINITY GET_QUEUE_AFFINITY START_DEV "

START_TEST(a_device_comes_up_serves_and_ends)
{
	struct device_state state;
	char data[4096], back[4096] = "";

	up();
	ck_assert_str_eq(driver.said, BRING_UP);
	ck_assert_str_eq(device_node(device), NODE);
	ck_assert_str_eq(device_name(device), "scratch");
	ck_assert_uint_eq(first_device.params.basic.dev_sectors, SIZE >> 9);
	ck_assert(link_is("by-name/scratch", NODE));
	ck_assert_int_eq(state_find_name("scratch", &state), 0);
	ck_assert_int_eq(state.pid, getpid());
	ck_assert_str_eq(state.plugin_path, "/lib/store.so");
	ck_assert_str_eq(state.data_path, "copy");
	state_free(&state);
	memset(data, 7, sizeof(data));
	ck_assert_int_eq(io(UBLK_IO_OP_WRITE, 8, 8, data), 4096);
	ck_assert_int_eq(store.mem[4096], 7);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, 8, 8, back), 4096);
	ck_assert_mem_eq(back, data, 4096);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	ck_assert_str_eq(driver.said, BRING_UP "STOP_DEV DEL_DEV ");
	check_nothing_left();
}
END_TEST

static const uint32_t commands[] = { UBLK_U_CMD_GET_FEATURES, UBLK_U_CMD_ADD_DEV,
				     UBLK_U_CMD_SET_PARAMS, UBLK_U_CMD_GET_QUEUE_AFFINITY,
				     UBLK_U_CMD_START_DEV };

START_TEST(a_refused_command_leaves_nothing)
{
	driver.fail_cmd = commands[_i];
	driver.fail_err = -EPERM;
	ck_assert_int_eq(device_bring_up(&request, &device), -EPERM);
	check_nothing_left();
	ck_assert(!strstr(driver.said, "DEL_DEV") ==
		  (commands[_i] == UBLK_U_CMD_GET_FEATURES || commands[_i] == UBLK_U_CMD_ADD_DEV));
}
END_TEST

static const char *const calls[] = { "load", "open", "get_limits", "start", "queue_init" };

START_TEST(a_plugin_that_fails_leaves_nothing)
{
	store.fail = calls[_i];
	ck_assert_int_eq(device_bring_up(&request, &device), -EIO);
	check_nothing_left();
}
END_TEST

START_TEST(a_node_that_cannot_be_opened_leaves_nothing)
{
	driver.refuse_open = true;
	ck_assert_int_eq(device_bring_up(&request, &device), -EPERM);
	check_nothing_left();
}
END_TEST

START_TEST(a_name_that_is_taken_is_refused_before_anything)
{
	write_sample(900002, "scratch");
	ck_assert_int_eq(device_bring_up(&request, &device), -EEXIST);
	ck_assert_str_eq(driver.said, "GET_FEATURES ");
	ck_assert_uint_eq(store.opened, 0);
}
END_TEST

START_TEST(a_feature_that_is_not_granted_is_told)
{
	driver.shared->features &= ~(uint64_t)UBLK_F_USER_RECOVERY;
	free(cfg.recovery);
	cfg.recovery = strdup("queue");
	ck_assert_int_eq(device_bring_up(&request, &device), -EOPNOTSUPP);
	ck_assert_str_eq(driver.said, "GET_FEATURES ");
	check_nothing_left();
}
END_TEST

START_TEST(a_data_path_that_cannot_be_is_refused)
{
	free(cfg.data_path);
	cfg.data_path = strdup("auto-buf-reg");
	ck_assert_int_eq(device_bring_up(&request, &device), -EOPNOTSUPP);
	ck_assert_str_eq(driver.said, "GET_FEATURES ");
	check_nothing_left();
}
END_TEST

START_TEST(a_device_that_is_stopped_from_outside_ends)
{
	up();
	fake_abort_all(driver.fake);
	ck_assert_int_eq(serve_until(0), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

START_TEST(a_plugin_that_gives_up_ends_it)
{
	up();
	host_services.dev_fail(store.dev, -ENXIO, "gone");
	ck_assert_int_eq(serve_until(0), -ENXIO);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

START_TEST(threads_that_share_a_queue_are_queues_of_its_own)
{
	cfg.threads_per_queue = 2;
	cfg.cpus_mode = CPUS_NONE;
	up();
	ck_assert_str_eq(driver.said, "GET_FEATURES ADD_DEV SET_PARAMS START_DEV ");
	ck_assert_uint_eq(device->nr_started, 4);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

START_TEST(a_device_grows_and_shrinks)
{
	char why[RESIZE_WHY_SIZE], data[512] = "x";

	ck_assert_int_eq(device_bring_up(&request, &device), 0);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, SIZE >> 9, 1, data), -EIO);
	ck_assert_int_eq(device_resize(device, 2 * SIZE, why), 0);
	ck_assert_uint_eq(store.size, 2 * SIZE);
	ck_assert_uint_eq(first_device.params.basic.dev_sectors, 2 * SIZE >> 9);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, SIZE >> 9, 1, data), 512);
	ck_assert_int_eq(device_resize(device, SIZE, why), 0);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, SIZE >> 9, 1, data), -EIO);
	ck_assert_int_eq(device_resize(device, SIZE + 1, why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "no multiple"));
	ck_assert_int_eq(device_resize(device, 0, why), -EINVAL);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

/* Whoever refuses, all have the former size afterwards. */
START_TEST(a_resize_that_is_refused_is_undone)
{
	const uint64_t size = _i % 2 ? SIZE / 2 : 2 * SIZE;
	char why[RESIZE_WHY_SIZE], data[512] = "x";

	ck_assert_int_eq(device_bring_up(&request, &device), 0);
	if (_i / 2) {
		store.resize_err = -ENOSPC;
	} else {
		driver.fail_cmd = UBLK_U_CMD_UPDATE_SIZE;
		driver.fail_err = -EOPNOTSUPP;
	}
	ck_assert_int_eq(device_resize(device, size, why), _i / 2 ? -ENOSPC : -EOPNOTSUPP);
	ck_assert(*why);
	ck_assert_uint_eq(store.size, SIZE);
	ck_assert_uint_eq(first_device.params.basic.dev_sectors, SIZE >> 9);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, (SIZE >> 9) - 1, 1, data), 512);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, SIZE >> 9, 1, data), -EIO);
	ck_assert_int_eq(device_end(device), 0);
}
END_TEST

/* By the words in the statistics, as `resize` does it. */
START_TEST(a_verb_is_answered)
{
	struct request_line line;
	struct device_state state;
	char why[256] = "";

	up();
	ck_assert_int_eq(state_read(FAKE_ID, &state), 0);
	ck_assert_int_eq(request_begin(&state, 1000, &line), 0);
	ck_assert_int_eq(request_resize(&line, 2 * SIZE, 10000, why, sizeof(why)), 0);
	ck_assert_uint_eq(store.size, 2 * SIZE);
	store.resize_err = -ENOSPC;
	ck_assert_int_eq(request_resize(&line, 3 * SIZE, 10000, why, sizeof(why)), -ENOSPC);
	ck_assert(*why);
	request_end(&line);
	state_free(&state);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

/* One server leaves it, and the next goes on with what the state says. */
static void hand_over(struct device_state *state)
{
	up();
	ck_assert_int_eq(state_read(FAKE_ID, state), 0);
	ck_assert_int_eq(serve_until(SIGUSR1), 0);
	ck_assert_int_eq(device_end(device), 0);
	ck_assert_ptr_nonnull(strstr(driver.said, "START_DEV QUIESCE_DEV "));
	ck_assert(first_device.there && exists("900001.json"));
	ck_assert_uint_eq(store.opened, 0);
	driver.said[0] = '\0';
	device_config_free(&cfg);
	init_request();
	free(cfg.recovery);
	cfg.recovery = strdup("queue");
	request.former = state;
}

START_TEST(another_server_goes_on)
{
	struct device_state state;
	char data[512] = "x";

	hand_over(&state);
	up();
	ck_assert_str_eq(driver.said, "GET_FEATURES START_USER_RECOVERY GET_PARAMS GET_DEV_INFO "
				      "GET_PARAMS "
				      "GET_QUEUE_AFFINITY GET_QUEUE_AFFINITY END_USER_RECOVERY ");
	ck_assert(store.open_flags & UBLK_OPEN_RECOVER);
	ck_assert_int_eq(io(UBLK_IO_OP_WRITE, 0, 1, data), 512);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
	state_free(&state);
}
END_TEST

/* Threads that share a queue are none of the driver's queues; and of those there may be fewer than the plugin
 * takes. */
START_TEST(another_server_has_the_same_queues)
{
	struct device_state state;
	char data[512] = "x";

	cfg.threads_per_queue = 2;
	hand_over(&state);
	cfg.threads_per_queue = 2;
	cfg.queues = _i ? 8 : 2;
	up();
	ck_assert_uint_eq(device->nr_started, 4);
	ck_assert_uint_eq(store.nr_queues, 4);
	ck_assert_int_eq(io(UBLK_IO_OP_WRITE, 0, 1, data), 512);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
	state_free(&state);
}
END_TEST

static uint64_t size_meanwhile;

/* Called when all is prepared, and the former server could still serve. */
static int resize_meanwhile(int signal_fd, void *arg)
{
	(void)signal_fd;
	(void)arg;
	first_device.params.basic.dev_sectors = size_meanwhile >> 9;
	return 0;
}

/* Memory, queues and the plugin are for another size then: reads of the rest would fail, or writes be cut off. */
START_TEST(a_size_that_changed_meanwhile_is_noticed)
{
	static const uint64_t sizes[] = { SIZE, SIZE / 2, 2 * SIZE };
	struct device_state state;
	char data[512] = "x";

	hand_over(&state);
	plugin.desc.flags |= UBLK_PLUGIN_OPENS_BESIDE;
	request.prepared = resize_meanwhile;
	size_meanwhile = sizes[_i];
	if (_i) {
		ck_assert_int_eq(device_bring_up(&request, &device), -ESTALE);
		ck_assert(first_device.there && exists("900001.json"));
		ck_assert(!strstr(driver.said, "END_USER_RECOVERY"));
		ck_assert(!strstr(driver.said, "DEL_DEV") && !strstr(driver.said, "STOP_DEV"));
		ck_assert_uint_eq(store.opened, 0);
		/* Try again. */
		device_config_free(&cfg);
		init_request();
		free(cfg.recovery);
		cfg.recovery = strdup("queue");
		request.former = &state;
		store.size = size_meanwhile;
	}
	up();
	ck_assert_int_eq(io(UBLK_IO_OP_READ, (size_meanwhile >> 9) - 1, 1, data), 512);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
	state_free(&state);
}
END_TEST

static void has_one_queue(struct ublk_limits *limits)
{
	limits->max_queues = 1;
}

enum unfit { TOO_SMALL, TOO_FEW_TAGS, SERIAL, ONE_QUEUE, NOT_BEGUN, NOT_ENDED, NO_START, NR_UNFIT };

/* It stays, and waits for another. */
START_TEST(a_server_that_does_not_fit_leaves_it)
{
	struct device_state state;

	hand_over(&state);
	if (_i == TOO_SMALL)
		store.size = SIZE / 2;
	if (_i == TOO_FEW_TAGS)
		cfg.depth = 2;
	if (_i == SERIAL) /* of which two threads would call at once */
		plugin.desc.thread_model = UBLK_THREADS_SERIAL;
	if (_i == ONE_QUEUE)
		store.narrow = has_one_queue;
	if (_i == NOT_BEGUN || _i == NOT_ENDED) {
		driver.fail_cmd = _i == NOT_BEGUN ? UBLK_U_CMD_START_USER_RECOVERY
						  : UBLK_U_CMD_END_USER_RECOVERY;
		driver.fail_err = -EPERM;
	}
	if (_i == NO_START)
		store.fail = "start";
	ck_assert_int_lt(device_bring_up(&request, &device), 0);
	ck_assert(first_device.there && exists("900001.json"));
	ck_assert(!strstr(driver.said, "DEL_DEV") && !strstr(driver.said, "STOP_DEV"));
	ck_assert_uint_eq(store.opened, 0);
	ck_assert_uint_eq(store.started, 0);
	state_free(&state);
}
END_TEST

static void has_a_cache(struct ublk_limits *limits)
{
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE;
}

/* The kernel goes by what it was told when the device was made: it would never send a FLUSH. */
START_TEST(a_plugin_that_breaks_a_promise_leaves_it)
{
	const bool beside = _i;
	struct device_state state;

	hand_over(&state);
	plugin.desc.flags |= beside ? UBLK_PLUGIN_OPENS_BESIDE : 0;
	store.narrow = has_a_cache;
	ck_assert_int_eq(device_bring_up(&request, &device), -EOPNOTSUPP);
	ck_assert(first_device.there && exists("900001.json"));
	ck_assert(!strstr(driver.said, "START_USER_RECOVERY") == beside);
	ck_assert(!strstr(driver.said, "DEL_DEV") && !strstr(driver.said, "STOP_DEV"));
	ck_assert_uint_eq(store.opened, 0);
	state_free(&state);
}
END_TEST

/* Without QUIESCE a driver would hang with such a device. */
START_TEST(a_device_that_cannot_be_handed_over_is_served_on)
{
	char data[512] = "x";

	driver.shared->features &= ~(uint64_t)UBLK_F_QUIESCE;
	up();
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	ck_assert_int_eq(io(UBLK_IO_OP_READ, 0, 1, data), 512);
	ck_assert_int_eq(serve_until(SIGTERM), 0);
	ck_assert_int_eq(device_end(device), 0);
	check_nothing_left();
}
END_TEST

/* A state whose manifest does not say it, which no server writes. */
START_TEST(a_successor_is_judged_by_what_the_state_says)
{
	ck_assert_int_eq(device_check_successor(&cfg, &plugin), 0);
	plugin.desc.flags = 0;
	ck_assert_int_eq(device_check_successor(&cfg, &plugin), 0);
	free(cfg.recovery);
	cfg.recovery = strdup("queue");
	ck_assert_int_eq(device_check_successor(&cfg, &plugin), -EOPNOTSUPP);
	plugin.desc.flags = UBLK_PLUGIN_RECOVERS;
	free(cfg.recovery);
	cfg.recovery = strdup("reissue");
	ck_assert_int_eq(device_check_successor(&cfg, &plugin), -EOPNOTSUPP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("device_life");
	TCase *tc = tcase_create("life");

	fake_driver_need();
	tcase_add_checked_fixture(tc, life_setup, life_teardown);
	tcase_add_test(tc, a_device_comes_up_serves_and_ends);
	tcase_add_loop_test(tc, a_refused_command_leaves_nothing, 0, ARRAY_SIZE(commands));
	tcase_add_loop_test(tc, a_plugin_that_fails_leaves_nothing, 0, ARRAY_SIZE(calls));
	tcase_add_test(tc, a_node_that_cannot_be_opened_leaves_nothing);
	tcase_add_test(tc, a_name_that_is_taken_is_refused_before_anything);
	tcase_add_test(tc, a_feature_that_is_not_granted_is_told);
	tcase_add_test(tc, a_data_path_that_cannot_be_is_refused);
	tcase_add_test(tc, a_device_that_is_stopped_from_outside_ends);
	tcase_add_test(tc, a_plugin_that_gives_up_ends_it);
	tcase_add_test(tc, threads_that_share_a_queue_are_queues_of_its_own);
	tcase_add_test(tc, a_device_grows_and_shrinks);
	tcase_add_loop_test(tc, a_resize_that_is_refused_is_undone, 0, 4);
	if (!plane_on_valgrind()) /* which does not have pidfd_open() */
		tcase_add_test(tc, a_verb_is_answered);
	tcase_add_test(tc, another_server_goes_on);
	tcase_add_loop_test(tc, another_server_has_the_same_queues, 0, 2);
	tcase_add_loop_test(tc, a_size_that_changed_meanwhile_is_noticed, 0, 3);
	tcase_add_loop_test(tc, a_server_that_does_not_fit_leaves_it, 0, NR_UNFIT);
	tcase_add_loop_test(tc, a_plugin_that_breaks_a_promise_leaves_it, 0, 2);
	tcase_add_test(tc, a_device_that_cannot_be_handed_over_is_served_on);
	tcase_add_test(tc, a_successor_is_judged_by_what_the_state_says);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
