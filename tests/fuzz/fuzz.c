// SPDX-License-Identifier: MIT
/* For fuzz targets: see fuzz.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "fuzz.h"

void fuzz_fail(const char *file, int line, const char *what, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: does not hold: %s", file, line, what);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void fuzz_take(struct fuzz_input *in, void *to, size_t size)
{
	size_t n = min_of(size, in->size);

	memset(to, 0, size);
	if (!n)
		return;
	memcpy(to, in->data, n);
	in->data += n;
	in->size -= n;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	uint8_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static char *copy(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

char *fuzz_line(struct fuzz_input *in)
{
	size_t n = 0;
	char *line;

	if (!in->size)
		return NULL;
	while (n < in->size && in->data[n] && in->data[n] != '\n')
		n++;
	line = copy(in->data, n);
	n += n < in->size; /* its end */
	in->data += n;
	in->size -= n;
	return line;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = copy(data, size), *out = text;

	for (size_t i = 0; i < size; i++)
		if (text[i])
			*out++ = text[i];
	*out = '\0';
	return text;
}

void fuzz_check_line(const char *text)
{
	FUZZ_CHECK(text && *text, "a message without text");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		FUZZ_CHECK(*p >= 0x20 && *p != 0x7f, "a control character in: %s", text);
}

void fuzz_check_errors(int err, struct errors *errors)
{
	FUZZ_CHECK(err <= 0 && err > -4096, "%d is no negative errno", err);
	FUZZ_CHECK(!err == !errors_count(errors), "%d with %zu messages", err,
		   errors_count(errors));
	for (size_t i = 0; i < min_of(errors_count(errors), (size_t)ERRORS_KEPT); i++)
		fuzz_check_line(errors->msg[i]);
	errors_free(errors);
}

void fuzz_log_begin(struct fuzz_log *log)
{
	static bool quiet;

	if (!quiet) {
		FUZZ_CHECK(!log_prepare_file("/dev/null"));
		log_switch();
		log_set_level(LOG_LVL_ERR);
		quiet = true;
	}
	log->before = log_count(LOG_LVL_ERR);
	log_echo(log->first, sizeof(log->first));
}

void fuzz_log_end(struct fuzz_log *log, int err)
{
	unsigned int lines = log_count(LOG_LVL_ERR) - log->before;

	log_echo(NULL, 0);
	FUZZ_CHECK(err <= 0 && err > -4096, "%d is no negative errno", err);
	FUZZ_CHECK(lines == (err ? 1 : 0), "%d with %u messages: %s", err, lines, log->first);
	if (err)
		fuzz_check_line(log->first);
}

static char folder[256];

static void remove_folder(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", folder);
	if (system(cmd))
		fprintf(stderr, "%s stays\n", folder);
}

const char *fuzz_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	if (*folder)
		return folder;
	snprintf(folder, sizeof(folder), "%s/ublk-host-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	FUZZ_CHECK(mkdtemp(folder), "%s", folder);
	atexit(remove_folder);
	return folder;
}

void fuzz_write_file(const char *name, const void *data, size_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && !fchmod(fd, 0644), "%s",
		   path);
	close(fd);
}
