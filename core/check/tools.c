// SPDX-License-Identifier: MIT
/* Verdicts of a check, and what the checks measure and fill memory with. */
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mix.h"
#include "check/kit.h"

#define THREADS_END_MS 3000

static void verdict(struct kit *k, enum kit_verdict verdict, const char *fmt, va_list ap)
	__printf_like(3, 0);

static void verdict(struct kit *k, enum kit_verdict verdict, const char *fmt, va_list ap)
{
	int none = KIT_NONE;

	if (atomic_compare_exchange_strong(&k->report->verdict, &none, verdict))
		vsnprintf(k->report->seen, sizeof(k->report->seen), fmt, ap);
	else
		pause(); /* another thread has failed, and ends the process */
}

void kit_fail(struct kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verdict(k, KIT_FAILED, fmt, ap);
	va_end(ap);
	_exit(EXIT_FAILURE);
}

void kit_skip(struct kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verdict(k, KIT_SKIPPED, fmt, ap);
	va_end(ap);
	_exit(EXIT_SUCCESS);
}

void kit_doing(struct kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->report->doing, sizeof(k->report->doing), fmt, ap);
	va_end(ap);
}

uint32_t kit_random(struct kit *k)
{
	return mix_next(&k->random);
}

/* length: a multiple of 8 */
void kit_pattern(void *buf, uint64_t seed, uint64_t pos, size_t length)
{
	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		uint64_t word = mix(seed * MIX_STEP + ((pos + i) >> 3) + 1);

		memcpy((char *)buf + i, &word, sizeof(word));
	}
}

void *kit_alloc(struct kit *k, size_t size)
{
	void *p = aligned_alloc(4096, round_up_to(size, 4096));

	if (!p)
		kit_fail(k, "out of memory");
	memset(p, 0, round_up_to(size, 4096));
	return p;
}

static unsigned int entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static size_t mapped_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (file && fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool kit_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* Tools that keep memory back, and find leaks themselves. */
static bool memory_is_watched(void)
{
	return kit_on_valgrind() || dlsym(RTLD_DEFAULT, "__asan_init") ||
	       dlsym(RTLD_DEFAULT, "__tsan_init");
}

void leaks_look(struct leaks *now)
{
	struct mallinfo2 heap;

	*now = (struct leaks){ .fds = entries("/proc/self/fd"),
			       .threads = entries("/proc/self/task") };
	if (memory_is_watched())
		return;
	heap = mallinfo2();
	now->heap = heap.uordblks + heap.hblkhd;
	now->mapped = mapped_bytes();
}

const char *leaks_left(const struct leaks *before, char *buf, size_t size)
{
	uint64_t began = now_ms();
	struct leaks now;

	leaks_look(&now);
	while (now.threads > before->threads && now_ms() - began < THREADS_END_MS) {
		usleep(1000);
		leaks_look(&now);
	}
	if (now.threads > before->threads)
		snprintf(buf, size, "%u threads", now.threads - before->threads);
	else if (now.fds > before->fds)
		snprintf(buf, size, "%u open descriptors", now.fds - before->fds);
	else
		return NULL;
	return buf;
}

pid_t kit_life_begin(struct kit *k, void (*fn)(struct kit *k, void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		kit_fail(k, "no process: %s", strerror(errno));
	if (!pid) {
		kit_load(k);
		fn(k, arg);
		kill(getpid(), SIGKILL); /* as a server that dies, with all that it has in memory */
	}
	return pid;
}

void kit_life_end(struct kit *k, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (atomic_load(&k->report->verdict) != KIT_NONE && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		kit_fail(k, "the process died of %s", strsignal(WTERMSIG(status)));
	kit_fail(k, "the process ended by itself, with status %d", WEXITSTATUS(status));
}

void kit_life(struct kit *k, void (*fn)(struct kit *k, void *arg), void *arg)
{
	kit_life_end(k, kit_life_begin(k, fn, arg));
}
