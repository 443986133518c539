// SPDX-License-Identifier: MIT
/*
 * stalls NODE MS: reads a block of the device again and again, a millisecond apart, and prints how many
 * microseconds each read took that lasted longer than MS milliseconds, a line each. Until it is ended, or a read
 * fails. For tests that measure how long a device is without a server.
 */
#include "config.h"

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t least, began, took;
	int fd;

	if (argc != 3)
		errx(2, "usage: stalls NODE MS");
	least = strtoul(argv[2], NULL, 10) * 1000;
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		began = now_us();
		if (pread(fd, block, BLOCK, 0) != BLOCK)
			err(1, "reading %s", argv[1]);
		took = now_us() - began;
		if (took > least)
			printf("%llu\n", (unsigned long long)took);
		nanosleep(&pause, NULL);
	}
}
