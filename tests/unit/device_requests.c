// SPDX-License-Identifier: MIT
/* What a verb asks of a server: a child plays the server, with what it does as an argument. */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "capture.h"
#include "device/requests.h"
#include "device/stats_file.h"
#include "tap.h"

#define ID 900001u /* no machine has nodes for such */
#define LONG_MS 10000u

enum server { ANSWERS, REFUSES, IS_SILENT, DIES, ANSWERS_LATE, HAS_NO_FILE };

static char dir[64];
static pid_t child;

/* Until it is killed. */
static void serve(enum server how, int ready)
{
	struct stats *stats = NULL;
	struct stats_request *request;
	sigset_t set;
	int signal;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (how != HAS_NO_FILE && stats_create(ID, 1, &stats))
		_exit(1);
	if (stats)
		stats->request.sizing = STATS_SIZE_OPTION;
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (unsigned int n = 1;; n++) {
		sigwait(&set, &signal);
		if (how == DIES)
			_exit(0);
		if (how == IS_SILENT || (how == ANSWERS_LATE && n == 1))
			continue;
		request = &stats->request;
		request->err = how == REFUSES ? -ENOSPC : 0;
		snprintf(request->text, sizeof(request->text), "%llu is too much",
			 (unsigned long long)request->size);
		__atomic_store_n(&request->answered,
				 __atomic_load_n(&request->asked, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	}
}

static struct device_state begin(enum server how)
{
	struct device_state state = { .id = ID, .name = (char *)"disk" };
	int ready[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		serve(how, ready[1]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	state.pid = child;
	ck_assert_int_eq(state_pid_start(child, &state.pid_start), 0);
	return state;
}

static void end(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/ublk-host-requests-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
}

static void teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* What came of it; text: of why. */
static int ask(const struct device_state *state, uint64_t size, unsigned int ms, const char *text)
{
	struct request_line line;
	char why[256] = "";
	int err;

	ck_assert_int_eq(request_begin(state, LONG_MS, &line), 0);
	ck_assert(line.size_option);
	err = request_resize(&line, size, ms, why, sizeof(why));
	request_end(&line);
	if (text)
		ck_assert_str_eq(why, text);
	return err;
}

static void refused(const struct device_state *state, unsigned int ms, int err, const char *message)
{
	struct request_line line;
	struct capture cap;

	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(request_begin(state, ms, &line), err);
	ck_assert_str_eq(capture_end(&cap), message);
	ck_assert_int_eq(line.fd, -1);
	ck_assert_int_eq(line.pidfd, -1);
}

START_TEST(an_answer)
{
	struct device_state state = begin(ANSWERS);

	ck_assert_int_eq(ask(&state, 1 << 20, LONG_MS, NULL), 0);
	ck_assert_int_eq(ask(&state, 2 << 20, LONG_MS, NULL), 0);
	end();
	state = begin(REFUSES);
	ck_assert_int_eq(ask(&state, 4096, LONG_MS, "4096 is too much"), -ENOSPC);
	end();
}
END_TEST

/* The time is over before it is; and what it answers then is not the next one's answer. */
START_TEST(no_answer)
{
	struct device_state state = begin(IS_SILENT);

	ck_assert_int_eq(ask(&state, 4096, 50, "its server has not answered in time; see its log"),
			 -ETIMEDOUT);
	end();
	state = begin(ANSWERS_LATE);
	ck_assert_int_eq(ask(&state, 4096, 50, NULL), -ETIMEDOUT);
	ck_assert_int_eq(ask(&state, 8192, LONG_MS, "8192 is too much"), 0);
	end();
	state = begin(DIES);
	ck_assert_int_eq(ask(&state, 4096, LONG_MS, "its server has ended meanwhile"), -EPIPE);
	end();
}
END_TEST

START_TEST(nobody_to_ask)
{
	struct device_state state = begin(HAS_NO_FILE);
	char text[256];

	snprintf(
		text, sizeof(text),
		"ublk-host: the server of disk cannot be asked: it has no statistics, as %s is not in "
		"memory\n",
		dir);
	refused(&state, LONG_MS, -ENOENT, text);
	end();
	snprintf(text, sizeof(text), "ublk-host: cannot find the server of disk, process %d\n",
		 child);
	refused(&state, LONG_MS, -ESRCH, text);

	/* The file is another server's by now. */
	state = begin(ANSWERS);
	state.pid = getpid();
	ck_assert_int_eq(state_pid_start(getpid(), &state.pid_start), 0);
	refused(&state, LONG_MS, -EAGAIN,
		"ublk-host: disk has just got another server; try again\n");
	end();
}
END_TEST

START_TEST(one_at_a_time)
{
	struct device_state state = begin(ANSWERS);
	struct request_line line;

	ck_assert_int_eq(request_begin(&state, LONG_MS, &line), 0);
	refused(&state, 50, -EWOULDBLOCK,
		"ublk-host: another program asks the server of disk for something, and has not come to an "
		"end within 0 s\n");
	request_end(&line);
	ck_assert_int_eq(ask(&state, 4096, LONG_MS, NULL), 0);
	end();
}
END_TEST

/* Who may read the statistics may lock them, in every way that takes no more. */
START_TEST(others_cannot_hold_the_line)
{
	struct device_state state = begin(ANSWERS);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%u.stats", dir, ID);
	fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	ck_assert_int_eq(ask(&state, 4096, LONG_MS, NULL), 0);
	close(fd);
	end();
}
END_TEST

/* What the file says is not taken at its word. */
START_TEST(garbage)
{
	struct device_state state = begin(IS_SILENT);
	struct stats *now = NULL;
	struct request_line line;
	struct stats_request request;
	char why[16];
	int fd = stats_open_for_write(ID, &now);

	ck_assert_int_ge(fd, 0);
	memset(&request, 0xff, sizeof(request));
	request.answered = request.asked + 1;
	ck_assert_int_eq(pwrite(fd, &request, sizeof(request), offsetof(struct stats, request)),
			 sizeof(request));
	ck_assert_int_eq(request_begin(&state, LONG_MS, &line), 0);
	ck_assert_int_eq(request_resize(&line, 4096, LONG_MS, why, sizeof(why)), -1);
	ck_assert_uint_eq(strlen(why), sizeof(why) - 1);
	request_end(&line);
	free(now);
	close(fd);
	end();
}
END_TEST

static bool can_run(void)
{
	struct statfs fs;
	int self = pidfd_open(getpid(), 0);

	if (self < 0) { /* valgrind does not have it */
		printf("1..0 # SKIP pidfd_open: %s\n", strerror(errno));
		return false;
	}
	close(self);
	if (!statfs("/dev/shm", &fs) && fs.f_type == TMPFS_MAGIC)
		return true;
	puts("1..0 # SKIP /dev/shm is not a tmpfs");
	return false;
}

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!can_run())
		return 0;
	s = suite_create("device_requests");
	tc = tcase_create("requests");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_answer);
	tcase_add_test(tc, no_answer);
	tcase_add_test(tc, nobody_to_ask);
	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, others_cannot_hold_the_line);
	tcase_add_test(tc, garbage);
	return run_tap(s);
}
