/* SPDX-License-Identifier: MIT */
/*
 * A host without a kernel: loads a backend from the build tree, parses its options, records what it
 * says and registers. For the unit tests of backends only. A failure to set up fails the test.
 */
#ifndef TESTS_UNIT_MOCK_HOST_H
#define TESTS_UNIT_MOCK_HOST_H

#include <pthread.h>
#include <stdbool.h>

#include "ublk-plugin.h"

#define MOCK_MAX_FILES 4
#define MOCK_MAX_OPTS 16

/* The backend sees this as its device. */
struct ublk_dev {
	const struct ublk_plugin *plugin;
	void *priv; /* NULL: not open */
	struct ublk_opt opts[MOCK_MAX_OPTS];
	struct ublk_limits limits;     /* after mock_limits() */
	int files[MOCK_MAX_FILES + 1]; /* by slot */
	unsigned int nr_files;
	const struct ublk_limits *former; /* what open() is told; stays */
	int register_error;		  /* what file_register() answers, if not 0 */
	int kept_fd;	/* what keep_memory() answers a copy of; 0: there is none */
	char log[4096]; /* "3:text\n", by level */
};

/* The backend's queue, with a real ring if mock_queue_ring() was called. */
struct ublk_queue {
	struct ublk_dev *dev;
	void *qpriv;
	void *ring; /* struct io_uring */
	uint32_t sqes_in_flight, sqe_budget;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	unsigned int completed; /* ios */
	int32_t last_result;
	bool woken;
};

extern const struct ublk_host mock_host;

/* The descriptor of build/FOLDER/.libs/NAME.so, loaded. */
const struct ublk_plugin *mock_load(const char *folder, const char *name);

/* open(), with "name=value" for each option, then NULL. The result of open(). */
int mock_open(struct ublk_dev *dev, const struct ublk_plugin *plugin, uint32_t flags, ...)
	__attribute__((sentinel));
/* Have keep_memory() give one memory, again and again; close(dev->kept_fd). */
void mock_keep(struct ublk_dev *dev);
/* get_limits() on what a host proposes by default, with this logical block. */
int mock_limits(struct ublk_dev *dev, uint32_t logical_block);
int mock_start(struct ublk_dev *dev);
/* stop() if started, close(); dev can be opened again. */
void mock_close(struct ublk_dev *dev, bool started);

/* map() one io of the op with room for one extent. */
struct ublk_extent mock_map(struct ublk_dev *dev, uint8_t op, uint64_t offset, uint64_t length);

/* Did the backend log a line of this level that contains text? */
bool mock_said(const struct ublk_dev *dev, int level, const char *text);
unsigned int mock_lines(const struct ublk_dev *dev, int level);

/* Open files of this process, to find leaks. */
unsigned int mock_count_fds(void);

/* queue_init() on a new queue of this depth, with a ring; data arrives MAPPED. */
void mock_queue_init(struct ublk_queue *q, struct ublk_dev *dev, uint16_t depth);
void mock_queue_exit(struct ublk_queue *q);
/* Serve wake-ups and ring completions until count ios are complete in all; fails after 10 s. */
void mock_queue_run(struct ublk_queue *q, unsigned int count);

#endif
