// SPDX-License-Identifier: MIT
/* Lists of CPUs (config/cpulist.c): the shortest form of a list is the same list. */
#include "fuzz.h"

#include "config/cpulist.h"

static void check_list(const struct cpulist *list)
{
	__cleanup_free char *text = cpulist_format(list->set, list->size), *again = NULL;
	struct cpulist back;
	unsigned int last;

	FUZZ_CHECK(text && *text);
	FUZZ_CHECK(!cpulist_parse(text, &back, NULL), "%s", text);
	FUZZ_CHECK(back.nr == list->nr && back.nr, "%s", text);
	again = cpulist_format(back.set, back.size);
	FUZZ_CHECK(again && !strcmp(again, text), "%s", text);
	last = cpulist_nth(list, list->nr - 1);
	FUZZ_CHECK(last <= CPULIST_MAX_CPU && last / 8 < list->size);
	FUZZ_CHECK(CPU_ISSET_S(last, list->size, list->set));
	FUZZ_CHECK(cpulist_nth(list, 0) <= last);
	FUZZ_CHECK(last == cpulist_nth(&back, back.nr - 1));
	cpulist_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = fuzz_text(data, size);
	const char *why = NULL;
	struct cpulist list;
	int err = cpulist_parse(text, &list, &why);

	if (err) {
		FUZZ_CHECK(err == -EINVAL || err == -ERANGE, "%d", err);
		fuzz_check_line(why);
		FUZZ_CHECK(!list.set && !list.nr);
		return 0;
	}
	check_list(&list);
	cpulist_free(&list);
	FUZZ_CHECK(!list.set);
	return 0;
}
