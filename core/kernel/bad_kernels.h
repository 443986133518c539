/* SPDX-License-Identifier: MIT */
/*
 * Kernels with a ublk driver that is known to be broken. The one place where releases are compared:
 * features are asked for, but a bug has no feature bit.
 */
#ifndef KERNEL_BAD_KERNELS_H
#define KERNEL_BAD_KERNELS_H

struct bad_kernel {
	const char *version; /* "6.18.4": of this release and its builds */
	const char *build;   /* only builds whose release has this in it; NULL: all */
	const char *what;    /* one clause: what goes wrong */
	const char *remedy;  /* one clause: what to do */
	const char *source;  /* where it is reported */
};

/* By a release as uname(2) has it; NULL: nothing is known against it. Any thread. */
const struct bad_kernel *bad_kernel_find(const char *release);
/* The same of those that work, but for something that may happen. version and build are NULL. */
const struct bad_kernel *risky_kernel_find(const char *release);

#endif
