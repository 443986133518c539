// SPDX-License-Identifier: MIT
/* `check` once more: with another heap, under valgrind, or with the runtime of the address sanitizer loaded first. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/check_under.h"
#include "cli/cli.h"

#define RUNTIME "libasan.so"

enum check_under check_under_of(const char *word)
{
	if (!strcmp(word, "valgrind"))
		return UNDER_VALGRIND;
	return strcmp(word, "asan") ? UNDER_NONE : UNDER_ASAN;
}

/* argv[0] is the verb. The arguments after it, without --under and its own, from `to` on. */
static void copy_rest(char **to, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--under"))
			i++;
		else if (strncmp(argv[i], "--under=", 8))
			*to++ = argv[i];
	}
	*to = NULL;
}

/* Where the compiler has its runtime: plugins are built with the same. 0 or -errno, logged. */
static int find_runtime(char *path, size_t size)
{
	FILE *pipe = popen("${CC:-cc} -print-file-name=" RUNTIME " 2>/dev/null", "re");
	bool found = pipe && fgets(path, (int)size, pipe);

	if (pipe)
		pclose(pipe);
	if (found)
		path[strcspn(path, "\n")] = 0;
	if (found && *path == '/' && !access(path, R_OK))
		return 0;
	log_err("--under asan: the compiler (${CC:-cc}) has no " RUNTIME
		"; install it, or set CC to the compiler that the plugin was built with");
	return -ENOENT;
}

/* Where this program is; or "". */
static void find_self(char self[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

	self[n < 0 ? 0 : n] = 0;
}

void check_plain_heap(int argc, char **argv)
{
	static const char name[] = "GLIBC_TUNABLES", wanted[] = "glibc.malloc.tcache_count=0";
	const char *tunables = getenv(name);
	__cleanup_free char **args = calloc((size_t)argc + 2, sizeof(*args));
	__cleanup_free char *value = NULL;
	char self[PATH_MAX];

	if (!args || (tunables && strstr(tunables, wanted)) ||
	    asprintf(&value, "%s%s%s", wanted, tunables ? ":" : "", tunables ? tunables : "") < 0)
		return;
	find_self(self);
	setenv(name, value, 1);
	args[0] = self;
	memcpy(args + 1, argv, (size_t)argc * sizeof(*argv));
	execv(self, args);
}

int check_under_run(enum check_under under, int argc, char **argv)
{
	static const char *const valgrind[] = { "valgrind",
						"-q",
						"--fair-sched=yes",
						"--trace-children=yes",
						"--error-exitcode=99",
						"--leak-check=full",
						"--show-leak-kinds=definite",
						"--errors-for-leak-kinds=definite" };
	__cleanup_free char **args = calloc((size_t)argc + ARRAY_SIZE(valgrind) + 4, sizeof(*args));
	char self[PATH_MAX], runtime[PATH_MAX];
	size_t nr = 0;

	if (!args) {
		log_err("--under: out of memory");
		return EXIT_FAILED;
	}
	find_self(self);
	if (under == UNDER_ASAN) {
		if (find_runtime(runtime, sizeof(runtime)))
			return EXIT_FAILED;
		setenv("LD_PRELOAD", runtime, 1);
	} else {
		for (; nr < ARRAY_SIZE(valgrind); nr++)
			args[nr] = (char *)valgrind[nr];
	}
	args[nr++] = self;
	args[nr++] = argv[0];
	copy_rest(args + nr, argc, argv);
	execvp(args[0], args);
	log_err("--under: cannot run %s: %m", args[0]);
	return EXIT_FAILED;
}
