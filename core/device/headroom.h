/* SPDX-License-Identifier: MIT */
/*
 * Is there room for a device, by the limits that administrators set? Asked before a device is made,
 * and by `doctor`. Each judgement is a finding: what is so, and the knob that changes it.
 */
#ifndef DEVICE_HEADROOM_H
#define DEVICE_HEADROOM_H

#include "kernel/knobs.h"
#include "ublk-plugin.h"

enum finding_level {
	FINDING_OK,
	FINDING_NOTE, /* it works, but not as well as it could, or not for ever */
	FINDING_BAD   /* it does not work */
};

struct finding {
	enum finding_level level;
	char why[512];	/* one line: what is so; "": nothing to say */
	char todo[384]; /* one line: what to do; "": nothing */
};

/* What a device takes. */
struct headroom_need {
	uint32_t rings; /* of queues, or of their threads where several share one */
	uint32_t depth;
	uint64_t ring_bytes;   /* of one of them */
	uint64_t fixed_bytes;  /* that are held from the start */
	uint64_t buffer_bytes; /* that come to be used with large ios */
	uint64_t store_bytes;  /* that what is stored may come to need; 0: it is not in memory */
};

/* Any thread; no side effects but on *finding. */
void headroom_ring(const struct knobs *knobs, struct finding *finding);
/* features: the driver's. */
void headroom_devices(const struct knobs *knobs, uint64_t features, struct finding *finding);
void headroom_files(const struct knobs *knobs, const struct headroom_need *need,
		    struct finding *finding);
/* tried: what queue_rings_try() has answered. */
void headroom_locked(const struct knobs *knobs, const struct headroom_need *need, int tried,
		     struct finding *finding);
void headroom_memory(const struct knobs *knobs, const struct headroom_need *need,
		     struct finding *finding);

/* What queues of these limits take; has_buffers: each request has one of max_io_bytes. Without
 * fixed_bytes of anything else. */
struct headroom_need headroom_need_of(const struct ublk_limits *limits, uint32_t rings,
				      bool has_buffers);

/* Fills a finding; todo NULL: nothing. */
void finding_set(struct finding *finding, enum finding_level level, const char *todo,
		 const char *why, ...) __printf_like(4, 5);

#endif
