/* SPDX-License-Identifier: MIT */
/*
 * One device under a supervisor: its server is started, watched, given a successor, stopped. Nothing here
 * waits: what takes time is done by a child, and everything goes on when a descriptor or the clock says
 * so. Servers outlive the supervisor; those that it finds are taken over like those that it started.
 */
#ifndef CLI_SUPERVISED_H
#define CLI_SUPERVISED_H

#include <poll.h>

#include "cli/device_options.h"
#include "cli/restarts.h"
#include "cli/serving.h"
#include "cli/standby.h"

enum supervised_phase {
	PHASE_IDLE,	/* nothing is under way until `at` */
	PHASE_STARTING, /* a server is on its way */
	PHASE_LIVE,	/* it has one */
	PHASE_LEAVING,	/* which was told to leave it to the next */
	PHASE_JOB,	/* a child sees to it */
	PHASE_STOPPED,	/* by us, or by somebody who wanted it: left alone */
	PHASE_FAILED,	/* given up, or put off until `at` */
};

enum supervised_goal {
	GOAL_UP,
	GOAL_DOWN,
	GOAL_LEAVE, /* to the next supervisor */
};

enum supervised_job {
	JOB_STOP,   /* as `down` does */
	JOB_REMOVE, /* what is left of it */
	JOB_CLEAN,  /* what is left of one that never came up */
	JOB_FAIL    /* its users get errors, and it stays */
};

struct supervised {
	char *name;   /* of the device */
	char *base;   /* of its manifest's file */
	char *source; /* that file, as manifest_source() calls it; NULL: no memory */
	struct device_options options; /* what the manifest says */
	enum supervised_phase phase;
	enum supervised_goal goal;
	enum supervised_job job;
	uint64_t at; /* of now_ms(): when to go on at the latest */
	struct restarts restarts;
	struct prepared_server server; /* PHASE_STARTING; answer_fd -1: it has no more to say */
	pid_t pid;		       /* of the server; 0: none */
	int pidfd;
	int status;	       /* its wait status when it has ended; -1: not our child */
	bool anew;	       /* the server on its way makes the device */
	bool killed;	       /* the same, with force */
	bool asked_to_end;     /* a server that takes too long, or is not wanted any more */
	bool retry;	       /* also what was given up before */
	bool refused;	       /* to be stopped: it is still there */
	bool unclear;	       /* SEEN_UNCLEAR, and told */
	bool there;	       /* it was, and we have not taken it away since */
	bool listed;	       /* there is a manifest of it; the caller's */
	bool adopted;	       /* it was found, and compared with its manifest */
	bool settled;	       /* what was begun last has come to an end, good or bad */
	uint64_t since;	       /* PHASE_LIVE; of now_ms() */
	uint64_t usable_until; /* PHASE_STARTING: the time that it has, if it is wanted */
	unsigned int later_ms; /* after which it is tried again to make it; 0: it was not put off */
	uint32_t id;	       /* of the device, where there is one */
	struct standby standby;
	pid_t job_pid;
	int job_fd;
	char *why; /* PHASE_FAILED: one clause */
};

/* Takes over name, base and options. standby: a server is to stand by. NULL: no memory, and nothing was
 * taken. */
struct supervised *supervised_new(char *name, char *base, const struct device_options *options,
				  const struct restarts *restarts, bool standby);
void supervised_free(struct supervised *s);

/* Let it come to what its goal is. Also what was given up, or stopped by others. */
void supervised_retry(struct supervised *s);
/* A new goal. */
void supervised_aim(struct supervised *s, enum supervised_goal goal);
/* Nothing more will happen by itself: it is what its goal is, or will not become it. */
bool supervised_rests(const struct supervised *s);

/* What to wait for, and what came of it. */
#define SUPERVISED_FDS (2 + STANDBY_FDS)
unsigned int supervised_fds(const struct supervised *s, struct pollfd fds[SUPERVISED_FDS]);
void supervised_woken(struct supervised *s, const struct pollfd *fds, unsigned int nr);
/* It is time; called at any time. And when it will be, at the latest: NEVER, it need not be. */
void supervised_tick(struct supervised *s, uint64_t now);
uint64_t supervised_next(const struct supervised *s);

/* supervised_look.c: say what the manifest asks for that a device which is there does not have. */
void supervised_compare(const struct supervised *s);
/* Note in its state that it belongs to the manifest. anew: it was made of it just now. */
void supervised_mark(const struct supervised *s, const struct device_state *state, bool anew);

/* supervised_job.c */
/* A child that does it. 0; or -errno, logged. */
int supervised_job_begin(struct supervised *s, enum supervised_job job);
/* It has ended: well? */
bool supervised_job_result(struct supervised *s);

/* A line about it. */
#define supervised_log(s, log, ...) log_about((s)->name, log, __VA_ARGS__)

#endif
