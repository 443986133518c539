/* SPDX-License-Identifier: MIT */
/* What the tests of the file backend share: a folder of their own, a device or two, a look back. */
#ifndef TESTS_UNIT_FILE_FIXTURE_H
#define TESTS_UNIT_FILE_FIXTURE_H

#include <sys/types.h>

#include "mock_host.h"
#include "tap.h"

extern const struct ublk_plugin *plugin;
extern struct ublk_dev dev, dev2;
extern char folder[512], path[600], path_opt[640]; /* FOLDER, FOLDER/img, path=FOLDER/img */

/* In $TMPDIR or /tmp; as a checked fixture. */
void setup(void);
void setup_in(const char *parent);
/* Also fails if a file was left open. */
void teardown(void);

/* path, sparse */
void make_file(off_t size);
/* -1: there is none */
off_t file_size(void);

/* open() must have failed with err, said why in one line that has each of the texts, and left no
 * file open. */
void refused(int got, int err, const char *text1, const char *text2);

#endif
