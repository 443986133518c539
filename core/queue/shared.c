// SPDX-License-Identifier: MIT
/*
 * Memory shared with programs, as it is mapped. Who can write to its file can also cut it short, and
 * then every access is a SIGBUS, in whatever thread and whosever code: zeroes are put in its place,
 * so that the server lives and the requests fail.
 */
#include <signal.h>
#include <sys/mman.h>

#include "queue/shared.h"

/* State of the whole process, for so a signal's handler is: it has nothing but the address. */
static struct shared_memory *all; /* that are mapped; changed while no queue runs */
static struct sigaction former;

static struct shared_memory *find(const char *at)
{
	struct shared_memory *m = __atomic_load_n(&all, __ATOMIC_ACQUIRE);

	while (m && (at < m->base || at >= m->base + m->size))
		m = m->next;
	return m;
}

/* Whoever had the signal before gets it when the access is tried again. */
static void bus_error(int signo, siginfo_t *info, void *context)
{
	struct shared_memory *m = find(info->si_addr);

	(void)context;
	if (m) {
		atomic_store(&m->lost, true);
		if (mmap(m->base, m->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			 0) != MAP_FAILED)
			return;
	}
	sigaction(signo, &former, NULL);
}

static int catch_bus_errors(void)
{
	struct sigaction action = { .sa_sigaction = bus_error, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, &former) ? -errno : 0;
}

int shared_memory_map(struct shared_memory *memory, int fd, uint64_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err = 0;

	*memory = (struct shared_memory){ 0 };
	if (base == MAP_FAILED)
		return -errno;
	if (madvise(base, size, MADV_POPULATE_WRITE))
		err = -errno;
	if (!err && !all)
		err = catch_bus_errors();
	if (err) {
		munmap(base, size);
		return err;
	}
	memory->base = base;
	memory->size = size;
	memory->next = all;
	__atomic_store_n(&all, memory, __ATOMIC_RELEASE);
	return 0;
}

void shared_memory_unmap(struct shared_memory *memory)
{
	struct shared_memory **at = &all;

	if (!memory->base)
		return;
	while (*at != memory)
		at = &(*at)->next;
	*at = memory->next;
	munmap(memory->base, memory->size);
	memory->base = NULL;
	if (!all)
		sigaction(SIGBUS, &former, NULL);
}
