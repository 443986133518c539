/* SPDX-License-Identifier: MIT */
/*
 * For fuzz targets: what a target asserts, and how it takes an input apart. A target is one file with
 * one LLVMFuzzerTestOneInput(); its main is driver.c's or libFuzzer's.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Once, before anything; where a target needs it. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
/* How many mutations driver.c makes, if a target says so. */
extern const unsigned int fuzz_runs __attribute__((weak));

/* It holds, or the target ends here. */
#define FUZZ_CHECK(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fuzz_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                     \
	} while (0)

void fuzz_fail(const char *file, int line, const char *what, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

/* An input that is taken apart from its front; where it ends, zeroes follow. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

void fuzz_take(struct fuzz_input *in, void *to, size_t size);
uint8_t fuzz_byte(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
uint64_t fuzz_u64(struct fuzz_input *in);
/* Up to the next newline or NUL byte, or the end; malloc()ed. NULL: nothing is left. */
char *fuzz_line(struct fuzz_input *in);
/* All that is left, without NUL bytes; malloc()ed. */
char *fuzz_text(const uint8_t *data, size_t size);

/* No text that people see breaks its line or reaches their terminal. */
void fuzz_check_line(const char *text);
/* The result of a function that takes struct errors: 0 and no message, or a negative errno and some.
 * Frees them. */
void fuzz_check_errors(int err, struct errors *errors);

/* The same for functions that log: between begin and end there is exactly one error if err is not 0, and none
 * if it is. Nothing is printed. */
struct fuzz_log {
	unsigned int before;
	char first[2048];
};
void fuzz_log_begin(struct fuzz_log *log);
void fuzz_log_end(struct fuzz_log *log, int err);

/* An empty folder of the target's own, and a file in it. */
const char *fuzz_folder(void);
void fuzz_write_file(const char *name, const void *data, size_t size);

#endif
