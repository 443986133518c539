// SPDX-License-Identifier: MIT
/* What takes time, by the driver's will or a server's, is done by a child of the supervisor. */
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/stop.h"
#include "cli/supervised.h"

#define FAIL_MS 10000u

/* Requests that wait for a server, and all to come, fail from now on. The state says so first: nobody is
 * to begin a recovery that cannot succeed any more. */
static int fail_device(uint32_t id, const char *why)
{
	int err = state_set_failed(id, why);
	struct ctrl *ctrl = NULL;
	char text[512];

	if (err)
		log_warn("its state file cannot be written: %s", strerror(-err));
	err = ctrl_open(&ctrl);
	if (err)
		return EXIT_FAILED;
	ctrl_set_deadline(ctrl, FAIL_MS);
	err = ctrl_plain(ctrl, UBLK_U_CMD_STOP_DEV, id, 0);
	if (err)
		log_err("%s", ctrl_explain(UBLK_U_CMD_STOP_DEV, id, err, text, sizeof(text)));
	ctrl_close(ctrl);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static __attribute__((noreturn)) void run(const struct supervised *s, enum supervised_job job)
{
	close_range(STDERR_FILENO + 1, ~0u, 0); /* the supervisor's: its lock among them */
	log_set_who(s->name);
	if (job == JOB_FAIL)
		_exit(fail_device(s->id, s->why));
	_exit(stop_one(s->id, job == JOB_CLEAN ? "" : s->name, job != JOB_STOP, STOP_DEFAULT_MS) ==
			      STOP_FAILED
		      ? EXIT_FAILED
		      : EXIT_DONE);
}

int supervised_job_begin(struct supervised *s, enum supervised_job job)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		run(s, job);
	s->job_fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (s->job_fd < 0) {
		int err = -errno;

		supervised_log(s, log_err, "cannot start a process that sees to it: %s",
			       strerror(-err));
		return err;
	}
	s->job_pid = pid;
	s->job = job;
	s->phase = PHASE_JOB;
	s->at = NEVER;
	return 0;
}

bool supervised_job_result(struct supervised *s)
{
	int status;
	bool well = waitpid(s->job_pid, &status, 0) == s->job_pid && WIFEXITED(status) &&
		    WEXITSTATUS(status) == EXIT_DONE;

	close(s->job_fd);
	s->job_fd = -1;
	s->job_pid = 0;
	return well;
}
