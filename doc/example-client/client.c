// SPDX-License-Identifier: MIT
/* A program whose requests to a ublk device are not copied: it does them from memory that the
 * device's server has mapped too. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (128u << 10) /* bytes per request */

/* All of the file, and ordinary memory of one request behind it. */
static char *map_memory(const char *path, size_t *size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	char *base;

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	*size = st.st_size;
	/* An address that suits huge pages. */
	base = mmap(NULL, *size + CHUNK + (2 << 20), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		err(1, "mmap");
	base += -(size_t)base & ((2 << 20) - 1);
	/* MAP_SHARED: its pages are those that the server has registered. */
	if (mmap(base, *size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		err(1, "mapping %s", path);
	close(fd);
	return base;
}

/* O_DIRECT: with the page cache in between, the request's pages would be the cache's. */
static int open_device(const char *node)
{
	int fd = open(node, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", node);
	return fd;
}

static void transfer(int fd, bool write, char *memory, off_t offset, size_t length)
{
	while (length) {
		size_t n = length < CHUNK ? length : CHUNK;
		ssize_t done = write ? pwrite(fd, memory, n, offset) : pread(fd, memory, n, offset);

		if (done <= 0)
			err(1, "%s of %zu bytes at %lld", write ? "write" : "read", n,
			    (long long)offset);
		memory += done;
		offset += done;
		length -= done;
	}
}

/* Bytes from one half of the memory to the device, and back into the other half. */
static int check(int fd, char *memory, size_t size)
{
	size_t half = size / 2 & ~(size_t)4095;

	for (size_t i = 0; i < half; i++)
		memory[i] = (char)(i * 31 + i / 4096);
	memset(memory + half, 0, half);
	transfer(fd, true, memory, 0, half);
	transfer(fd, false, memory + half, 0, half);
	if (memcmp(memory, memory + half, half)) {
		printf("%zu bytes written and read: they are not the same\n", half);
		return 1;
	}
	printf("%zu bytes written and read: right\n", half);
	return 0;
}

/* Memory without a name: the server finds it as long as this process lives. */
static int make_memfd(size_t size)
{
	int fd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, size))
		err(1, "memfd of %zu bytes", size);
	printf("/proc/%d/fd/%d\n", getpid(), fd);
	fflush(stdout);
	return pause();
}

int main(int argc, char **argv)
{
	char *memory;
	size_t size;
	int fd;

	if (argc == 3 && !strcmp(argv[1], "memfd"))
		return make_memfd(strtoull(argv[2], NULL, 0));
	if (argc != 3 && argc != 7) {
		fprintf(stderr, "usage: client DEVICE FILE [read|write OFFSET LENGTH PLACE]\n"
				"       client memfd SIZE\n");
		return 2;
	}
	fd = open_device(argv[1]);
	memory = map_memory(argv[2], &size);
	if (argc == 3)
		return check(fd, memory, size);
	transfer(fd, !strcmp(argv[3], "write"), memory + strtoull(argv[6], NULL, 0),
		 strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 0));
	return 0;
}
