// SPDX-License-Identifier: MIT
/* Lists of CPUs: "0-3,6". */
#include <stdio.h>
#include <string.h>

#include "config/cpulist.h"

static int parse_cpu(const char **text, unsigned int *cpu, const char **why)
{
	const char *p = *text;
	unsigned int v = 0;

	if (*p < '0' || *p > '9') {
		*why = *p ? "a CPU number is expected on both sides of \"-\" and \",\""
			  : "it ends where a CPU number is expected";
		return -EINVAL;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (unsigned int)(*p - '0');
		if (v > CPULIST_MAX_CPU) {
			*why = "the highest CPU number is 65535";
			return -ERANGE;
		}
	}
	*text = p;
	*cpu = v;
	return 0;
}

/* One "N" or "N-M", and the comma behind it. */
static int parse_range(const char **text, unsigned int *first, unsigned int *last, const char **why)
{
	int err = parse_cpu(text, first, why);

	*last = *first;
	if (!err && **text == '-') {
		(*text)++;
		err = parse_cpu(text, last, why);
	}
	if (err)
		return err;
	if (*last < *first) {
		*why = "a range runs backward";
		return -EINVAL;
	}
	if (**text == ',') {
		(*text)++;
		if (!**text) {
			*why = "it ends where a CPU number is expected";
			return -EINVAL;
		}
	} else if (**text) {
		*why = "only digits, \"-\" and \",\" may stand in a list of CPUs";
		return -EINVAL;
	}
	return 0;
}

int cpulist_parse(const char *text, struct cpulist *list, const char **why)
{
	unsigned int first, last, max = 0;
	const char *ignored;
	int err = -EINVAL;

	if (!why)
		why = &ignored;
	*list = (struct cpulist){ 0 };
	*why = "it is empty";
	if (!*text)
		return err;
	for (const char *p = text; *p;) {
		err = parse_range(&p, &first, &last, why);
		if (err)
			return err;
		max = max_of(max, last);
	}
	list->size = CPU_ALLOC_SIZE(max + 1);
	list->set = CPU_ALLOC(max + 1);
	if (!list->set) {
		*why = "out of memory";
		return -ENOMEM;
	}
	CPU_ZERO_S(list->size, list->set);
	while (*text) {
		err = parse_range(&text, &first, &last, why);
		for (unsigned int cpu = first; !err && cpu <= last; cpu++)
			CPU_SET_S(cpu, list->size, list->set);
	}
	list->nr = (unsigned int)CPU_COUNT_S(list->size, list->set);
	return 0;
}

void cpulist_free(struct cpulist *list)
{
	if (list->set)
		CPU_FREE(list->set);
	*list = (struct cpulist){ 0 };
}

unsigned int cpulist_nth(const struct cpulist *list, unsigned int i)
{
	unsigned int cpu = 0;

	for (;; cpu++) {
		if (CPU_ISSET_S(cpu, list->size, list->set) && !i--)
			return cpu;
	}
}

char *cpulist_format(const cpu_set_t *set, size_t size)
{
	size_t nr = size * 8, first, len = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out)
		return NULL;
	for (size_t cpu = 0; cpu < nr; cpu++) {
		if (!CPU_ISSET_S(cpu, size, set))
			continue;
		first = cpu;
		while (cpu + 1 < nr && CPU_ISSET_S(cpu + 1, size, set))
			cpu++;
		fprintf(out, "%s%zu", ftell(out) ? "," : "", first);
		if (cpu > first)
			fprintf(out, "-%zu", cpu);
	}
	err = ferror(out);
	if (fclose(out) || err) {
		free(text);
		return NULL;
	}
	return text;
}
