// SPDX-License-Identifier: MIT
/*
 * A main for fuzz targets where there is no libFuzzer: every file of the target's corpus, then a number
 * of mutations of them, always the same ones. With arguments: these files alone. An input that fails is
 * left as NAME.failed where the program was started.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "fuzz.h"

#define LONGEST_INPUT 4096
#define SECONDS_PER_INPUT 60
#define RUNS 4000

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct file {
	char *name;
	uint8_t *data;
	size_t size;
};

static const uint8_t *now_data;
static size_t now_size;
static char failed_path[300];

static void keep_input(void)
{
	int fd = open(failed_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	static const char text[] = "the input is in ";

	if (fd < 0 || write(fd, now_data, now_size) < 0 || write(2, text, sizeof(text) - 1) < 0 ||
	    write(2, failed_path, strlen(failed_path)) < 0 || write(2, "\n", 1) < 0)
		return; /* it is lost */
}

static void on_signal(int sig)
{
	keep_input();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void run(const uint8_t *data, size_t size)
{
	/* Of its exact size, so that a checking tool sees a byte too many. */
	uint8_t *copy = malloc(size ? size : 1);

	FUZZ_CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	now_data = copy;
	now_size = size;
	alarm(SECONDS_PER_INPUT);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	now_size = 0;
	free(copy);
}

static struct file read_file(const char *path)
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct file file = { .name = strdup(path) };
	struct stat st;

	FUZZ_CHECK(fd >= 0 && !fstat(fd, &st) && file.name, "%s", path);
	file.size = (size_t)st.st_size;
	file.data = malloc(file.size + 1);
	FUZZ_CHECK(file.data && read(fd, file.data, file.size) == st.st_size, "%s", path);
	return file;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static struct file *read_corpus(const char *dir, size_t *nr)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_visible, alphasort);
	struct file *files = calloc(n > 0 ? n : 1, sizeof(*files));
	char path[1024];

	FUZZ_CHECK(n > 0 && files, "no corpus in %s", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		files[i] = read_file(path);
		free(names[i]);
	}
	free(names);
	*nr = (size_t)n;
	return files;
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static size_t least(size_t a, size_t b, size_t c)
{
	b = min_of(b, c);
	return min_of(a, b);
}

/* One change of buf, of which *size bytes are used. */
static void mutate(uint64_t *seed, uint8_t *buf, size_t *size, const struct file *other)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '{', '-', '9', '\n' };
	size_t at = *size ? next_random(seed) % *size : 0, n, from;

	switch (next_random(seed) % 6) {
	case 0:
		if (*size)
			buf[at] ^= 1u << next_random(seed) % 8;
		break;
	case 1:
		if (*size)
			buf[at] = edges[next_random(seed) % sizeof(edges)];
		break;
	case 2: /* cut out */
		n = min_of((size_t)next_random(seed) % 16, *size - at);
		memmove(buf + at, buf + at + n, *size - at - n);
		*size -= n;
		break;
	case 3: /* double */
		n = least(next_random(seed) % 32, *size - at, LONGEST_INPUT - *size);
		memmove(buf + at + n, buf + at, *size - at);
		*size += n;
		break;
	case 4: /* a part of another */
		from = other->size ? next_random(seed) % other->size : 0;
		n = least(next_random(seed) % 64, other->size - from, LONGEST_INPUT - at);
		memcpy(buf + at, other->data + from, n);
		*size = max_of(*size, at + n);
		break;
	default: /* cut off */
		if (next_random(seed) % 8 == 0)
			*size = at;
	}
}

static void run_mutations(const struct file *files, size_t nr, unsigned int runs)
{
	static uint8_t buf[LONGEST_INPUT];
	uint64_t seed = 1;

	for (unsigned int i = 0; i < runs; i++) {
		const struct file *file = &files[next_random(&seed) % nr];
		size_t size = min_of(file->size, sizeof(buf));

		memcpy(buf, file->data, size);
		for (unsigned int n = next_random(&seed) % 6 + 1; n; n--)
			mutate(&seed, buf, &size, &files[next_random(&seed) % nr]);
		run(buf, size);
	}
}

/* Valgrind is fifty times as slow. */
static unsigned int nr_runs(void)
{
	const char *preload = getenv("LD_PRELOAD");
	unsigned int runs = &fuzz_runs ? fuzz_runs : RUNS;

	return preload && strstr(preload, "vgpreload") ? runs / 20 : runs;
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
	const char *top = getenv("top_srcdir"), *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	struct file *files;
	char dir[600];
	size_t nr;

	snprintf(failed_path, sizeof(failed_path), "%.200s.failed", name);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], on_signal);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_input);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		struct file file = read_file(argv[i]);

		run(file.data, file.size);
		free(file.data);
		free(file.name);
	}
	if (argc > 1)
		return 0;
	printf("1..2\n");
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	files = read_corpus(dir, &nr);
	for (size_t i = 0; i < nr; i++)
		run(files[i].data, files[i].size);
	printf("ok 1 - %s: %zu inputs of the corpus\n", name, nr);
	fflush(stdout);
	run_mutations(files, nr, nr_runs());
	printf("ok 2 - %s: %u mutations of them\n", name, nr_runs());
	for (size_t i = 0; i < nr; i++) {
		free(files[i].data);
		free(files[i].name);
	}
	free(files);
	return 0;
}
