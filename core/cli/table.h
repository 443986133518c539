/* SPDX-License-Identifier: MIT */
/* Columns that line up: cells are collected row by row, then printed once their widths are known. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

#include "base/util.h"

struct table {
	unsigned int columns;
	char **cell;
	size_t nr; /* cells */
	bool no_memory;
};

/* columns: as many cells make a row. */
void table_begin(struct table *table, unsigned int columns);
/* The next cell. Control characters become '?': names may come from anywhere. */
void table_add(struct table *table, const char *fmt, ...) __printf_like(2, 3);
/* 0; -ENOMEM: some cell was lost, nothing is printed. */
int table_print(const struct table *table, FILE *out);
void table_free(struct table *table);

#endif
