/* SPDX-License-Identifier: MIT */
/* What the files of a supervised device share. */
#ifndef CLI_SUPERVISED_INTERNAL_H
#define CLI_SUPERVISED_INTERNAL_H

#include "cli/supervised.h"
#include "cli/supervised_look.h"

/* supervised.c */
/* Nothing is under way any more. */
void supervised_rest(struct supervised *s, enum supervised_phase phase);
/* Look again at that time, of now_ms(). */
void supervised_wait_until(struct supervised *s, uint64_t at);
/* It has none that we know of; a process that is there goes on. */
void supervised_forget_server(struct supervised *s);
/* PHASE_FAILED, for a reason in one clause. */
void supervised_fail(struct supervised *s, const char *why);
/* The same, logged; its users get errors. */
void supervised_give_up(struct supervised *s, enum seen seen, const char *why);
/* PHASE_JOB; or PHASE_FAILED, logged: no process could be had. */
void supervised_begin_job(struct supervised *s, enum supervised_job job);
/* Nothing is left of it, and it was neither we nor its server who took it away: somebody wants it down. */
bool supervised_was_removed(const struct supervised *s);
/* Until a reload; logged. */
void supervised_leave_alone(struct supervised *s);
/* Do what its goal asks for, from what there is; and the same from a look at it. */
void supervised_act(struct supervised *s, enum seen seen, const struct device_view *view);
void supervised_go_on(struct supervised *s);

/* supervised_end.c */
/* The process that serves it, or was to; or that of a job. What comes next is begun. */
void supervised_server_ended(struct supervised *s);
void supervised_job_ended(struct supervised *s);

#endif
