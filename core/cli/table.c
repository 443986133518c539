// SPDX-License-Identifier: MIT
/* Columns that line up. */
#include <stdarg.h>
#include <string.h>

#include "cli/table.h"

void table_begin(struct table *table, unsigned int columns)
{
	*table = (struct table){ .columns = columns };
}

/* Nothing of a cell may break its line or reach the terminal as a command. */
static void tame(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++) {
		const bool control = is_control(p);

		p += control && *p == '\xc2';
		*out++ = control ? '?' : *p;
	}
	*out = '\0';
}

void table_add(struct table *table, const char *fmt, ...)
{
	char **cells = reallocarray(table->cell, table->nr + 1, sizeof(*cells));
	char *text;
	va_list ap;
	int len;

	if (!cells) {
		table->no_memory = true;
		return;
	}
	table->cell = cells;
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		table->no_memory = true;
		return;
	}
	tame(text);
	cells[table->nr++] = text;
}

/* What a terminal shows: bytes that do not continue a UTF-8 character. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const struct table *table, unsigned int column)
{
	size_t i, widest = 0;

	for (i = column; i < table->nr; i += table->columns)
		widest = max_of(widest, width(table->cell[i]));
	return widest;
}

int table_print(const struct table *table, FILE *out)
{
	size_t i;

	if (table->no_memory)
		return -ENOMEM;
	for (i = 0; i < table->nr; i++) {
		unsigned int column = i % table->columns;
		size_t pad = 2 + column_width(table, column) - width(table->cell[i]);

		if (column + 1 == table->columns)
			fprintf(out, "%s\n", table->cell[i]);
		else
			fprintf(out, "%s%*s", table->cell[i], (int)pad, "");
	}
	return 0;
}

void table_free(struct table *table)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		free(table->cell[i]);
	free(table->cell);
	table_begin(table, table->columns);
}
