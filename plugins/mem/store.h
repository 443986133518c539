/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a RAM disk are: one sparse mapping that never moves, and a word on which of its pages were
 * written. Nothing here speaks; errors are -errno.
 */
#ifndef MEM_STORE_H
#define MEM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
	char *bytes;
	size_t page;
	size_t mapped; /* of bytes: whole pages */
	size_t most;   /* that `mapped` may become */
	int fd; /* of the memory that is kept, the store's own; -1: of nobody else's concern */
	/* Of memory that is kept a page that was never written takes room as soon as it is read. So it is
	 * not read: one bit for each page, set for ever by its first WRITE. NULL: an anonymous mapping,
	 * which has the zero page for that. */
	uint64_t *written;
	void *room; /* address space that is set aside, with bytes in it */
	size_t room_bytes;
};

/* Memory for `size` bytes has whole pages; 0: there is no such room in this process. */
size_t store_pages(uint64_t size);

/* Map fd's memory, which has `pages` bytes, or some of our own if it is negative. Whatever comes of it,
 * store_unmap() follows, and closes fd. */
int store_map(struct store *store, size_t pages, int fd);
void store_unmap(struct store *store);
/* Take what the memory of a former server has for written. */
int store_find_written(struct store *store);

/* More pages, at most store->most bytes; or fewer, with zeroes from `size` on to their end. On an error it is as
 * it was. */
int store_grow(struct store *store, size_t pages);
int store_cut(struct store *store, uint64_t size);

/* While others read and write. */
bool store_was_written(const struct store *store, size_t page_nr);
void store_mark_written(const struct store *store, uint64_t offset, uint64_t length);

/*
 * Give the whole pages of [start, end) back; the next read finds zeroes.
 *
 * No lock: the kernel takes a page out of the mapping atomically, and only pages that lie wholly in
 * the range go, so no other byte is touched. A READ or WRITE of the same bytes that is in flight
 * has no order with this request; whichever way it goes, it sees old data, zeroes, or its own. What
 * would break this is a long-lived pin on the store's pages (a registered buffer): the pin would
 * keep the old page and the mapping get a new one. Nobody pins them: an extent is valid for one io.
 */
int store_give_back(const struct store *store, uint64_t start, uint64_t end);

#endif
