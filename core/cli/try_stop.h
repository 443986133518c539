/* SPDX-License-Identifier: MIT */
/*
 * TRY_STOP_DEV: the driver stops a device only if nobody has it open, and lets nobody open it from then
 * on, so that no user can come between the look and the stop. Like STOP_DEV it waits for the requests in
 * flight, and a process that waits in the driver cannot end; so a child does it, which may be left.
 */
#ifndef CLI_TRY_STOP_H
#define CLI_TRY_STOP_H

#include <sys/types.h>

#include "kernel/ctrl.h"

struct try_stop {
	pid_t pid; /* of the child; 0: there is none */
	int fd;	   /* its answer comes here */
};

/* 0: begun. -EOPNOTSUPP: this driver cannot do it (SAFE_STOP_DEV, Linux 7.x); another -errno. Not
 * logged. ctrl: to ask the driver by; NULL: it is not for us. */
int try_stop_begin(struct try_stop *try, struct ctrl *ctrl, uint32_t id);
/* Wait for its answer, ms at most. 0: the device is stopped; -EBUSY: somebody has it open, and nothing
 * was changed; -EINPROGRESS: it is being stopped, most likely; another -errno of the driver's. */
int try_stop_result(struct try_stop *try, unsigned int ms);
/* Let go of it, ended or not. */
void try_stop_end(struct try_stop *try);

#endif
