// SPDX-License-Identifier: MIT
/*
 * ledger: what a device has promised to keep, and whether it is there. For tests/vm/machines/power-loss.sh.
 *
 *   ledger write NODE NAME SEED     write, make it durable, and say so: "ack NAME SEQ BLOCK COUNT", for ever
 *   ledger check FILE NAME SEED     standard input: what was said. Is all of it in FILE, or newer?
 *
 * Every sector of a block tells which write it is of, so that a block may hold parts of a newer write that
 * was never acknowledged, as after any loss of power, but of no older one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096u
#define SECTOR 512u
#define BLOCKS 2048u
#define RUN_MAX 16u    /* blocks of one write */
#define BATCH_MAX 8u   /* writes that are acknowledged together */
#define SEQ_MAX 65536u /* writes, before it ends by itself */

struct sector {
	char magic[8];
	uint64_t seed, seq;
	uint32_t block, sector;
	uint32_t pattern[(SECTOR - 32) / 4];
};
_Static_assert(sizeof(struct sector) == SECTOR, "no padding");

static uint64_t state;

static uint32_t any(uint32_t limit) /* xorshift */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % limit;
}

static void fill(struct sector *s, uint64_t seed, uint64_t seq, uint32_t block, uint32_t sector)
{
	memcpy(s->magic, "ledger1", sizeof(s->magic));
	s->seed = seed;
	s->seq = seq;
	s->block = block;
	s->sector = sector;
	for (uint32_t i = 0; i < sizeof(s->pattern) / 4; i++)
		s->pattern[i] = (uint32_t)(seq * 2654435761u) ^ (block * 40503u + i);
}

static void die(const char *what)
{
	fprintf(stderr, "ledger: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Three ways to make it durable: direct and a flush, FUA, the page cache and a flush. */
static int fds[3];

static void write_batch(const char *name, uint64_t seed, uint64_t *seq, void *buf)
{
	static char said[BATCH_MAX * 80];
	uint32_t way = any(3), writes = 1 + any(BATCH_MAX);
	size_t len = 0;

	while (writes-- && *seq < SEQ_MAX) {
		uint32_t count = 1 + any(RUN_MAX), block = any(BLOCKS - count);
		size_t size = (size_t)count * BLOCK;

		++*seq;
		for (uint32_t i = 0; i < size / SECTOR; i++)
			fill((struct sector *)buf + i, seed, *seq, block + i * SECTOR / BLOCK,
			     i % (BLOCK / SECTOR));
		if (pwrite(fds[way], buf, size, (off_t)block * BLOCK) != (ssize_t)size)
			die("write");
		len += (size_t)snprintf(said + len, sizeof(said) - len,
					"ack %s %" PRIu64 " %u %u\n", name, *seq, block, count);
	}
	if (way != 1 && fsync(fds[way]))
		die("fsync");
	if (write(STDOUT_FILENO, said, len) != (ssize_t)len)
		die("standard output");
}

static int write_all(const char *node, const char *name, uint64_t seed)
{
	static const int flags[3] = { O_DIRECT, O_DIRECT | O_DSYNC, 0 };
	void *buf = aligned_alloc(BLOCK, RUN_MAX * BLOCK);
	uint64_t seq = 0;

	state = seed * 2 + 1;
	for (int i = 0; i < 3; i++) {
		fds[i] = open(node, O_WRONLY | flags[i]);
		if (fds[i] < 0)
			die(node);
	}
	while (buf && seq < SEQ_MAX)
		write_batch(name, seed, &seq, buf);
	return 0;
}

/* The last acknowledged write of each block; 0: none. */
static unsigned int read_promises(const char *name, uint64_t promised[BLOCKS])
{
	unsigned int nr = 0, block, count;
	char line[256], who[32];
	uint64_t seq;

	while (fgets(line, sizeof(line), stdin)) {
		/* A line that was cut off was not said. */
		if (!strchr(line, '\n') ||
		    sscanf(line, "ack %31s %" SCNu64 " %u %u", who, &seq, &block, &count) != 4 ||
		    strcmp(who, name) || block + count > BLOCKS)
			continue;
		nr++;
		for (unsigned int i = block; i < block + count; i++)
			promised[i] = seq;
	}
	return nr;
}

/* NULL, or what is wrong. */
static const char *sector_wrong(const struct sector *s, uint64_t seed, uint64_t promised,
				uint32_t block, uint32_t sector)
{
	static const struct sector none;
	struct sector want;

	if (!memcmp(s, &none, SECTOR))
		return promised ? "is empty" : NULL;
	fill(&want, seed, s->seq, block, sector);
	if (memcmp(s, &want, SECTOR))
		return "is not what was written";
	return s->seq < promised ? "is older than what was acknowledged" : NULL;
}

static int check_all(const char *path, const char *name, uint64_t seed)
{
	static uint64_t promised[BLOCKS];
	unsigned int acks = read_promises(name, promised), blocks = 0, wrong = 0;
	struct sector s;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	for (uint32_t i = 0; i < BLOCKS * (BLOCK / SECTOR); i++) {
		const uint32_t block = i / (BLOCK / SECTOR), sector = i % (BLOCK / SECTOR);
		const char *what;

		if (pread(fd, &s, SECTOR, (off_t)i * SECTOR) != SECTOR)
			die("read");
		what = sector_wrong(&s, seed, promised[block], block, sector);
		blocks += !sector && promised[block];
		if (what && !wrong++)
			printf("%s: sector %u of block %u %s: it has write %" PRIu64
			       ", promised was %" PRIu64 "\n",
			       name, sector, block, what, s.seq, promised[block]);
	}
	printf("%s: %u writes acknowledged, %u blocks to keep, %u sectors wrong\n", name, acks,
	       blocks, wrong);
	return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "write"))
		return write_all(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (argc == 5 && !strcmp(argv[1], "check"))
		return check_all(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	fprintf(stderr, "usage: ledger write NODE NAME SEED | ledger check FILE NAME SEED\n");
	return 2;
}
