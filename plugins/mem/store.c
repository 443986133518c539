// SPDX-License-Identifier: MIT
/* The memory of a RAM disk. mem.c says what of it is wrong. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/store.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18: of memory that is locked, too */
#endif

/* Address space is set aside for a device that grows, so that its store never moves under requests. */
#define ROOM_FACTOR 16
#define ROOM_MIN ((size_t)1 << 30)
#define ROOM_ALIGN ((size_t)2 << 20) /* of the store, for huge pages */

size_t store_pages(uint64_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!size || size > PTRDIFF_MAX - ROOM_ALIGN - page)
		return 0;
	return ((size_t)size + page - 1) & ~(page - 1);
}

static size_t bitmap_bytes(const struct store *store)
{
	return (store->most / store->page + 63) / 64 * sizeof(*store->written);
}

/* The most that a store of this size gets room to become. */
static size_t room_for(size_t pages)
{
	if (pages > PTRDIFF_MAX / ROOM_FACTOR - ROOM_ALIGN)
		return pages;
	return pages * ROOM_FACTOR > ROOM_MIN ? pages * ROOM_FACTOR : ROOM_MIN;
}

static int set_aside(struct store *store, size_t most)
{
	void *room = mmap(NULL, most + ROOM_ALIGN, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return -errno;
	store->room = room;
	store->room_bytes = most + ROOM_ALIGN;
	store->most = most;
	store->bytes = (char *)(((uintptr_t)room + ROOM_ALIGN - 1) & ~(uintptr_t)(ROOM_ALIGN - 1));
	return 0;
}

/* Over address space that was set aside. */
static int map_range(const struct store *store, size_t from, size_t to)
{
	int flags = store->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	char *start = store->bytes + from;

	if (mmap(start, to - from, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE | MAP_FIXED,
		 store->fd, store->fd >= 0 ? (off_t)from : 0) == MAP_FAILED)
		return -errno;
	/* A core dump shall not hold the device's data. */
	madvise(start, to - from, MADV_DONTDUMP);
	return 0;
}

int store_map(struct store *store, size_t pages, int fd)
{
	void *bits;
	int err;

	*store = (struct store){ .page = (size_t)sysconf(_SC_PAGESIZE),
				 .mapped = pages,
				 .fd = fd < 0 ? -1 : fd };
	err = set_aside(store, room_for(pages));
	if (err)
		err = set_aside(store, pages);
	if (!err)
		err = map_range(store, 0, pages);
	if (err || fd < 0)
		return err;
	bits = mmap(NULL, bitmap_bytes(store), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bits == MAP_FAILED)
		return -errno;
	store->written = bits;
	return 0;
}

void store_unmap(struct store *store)
{
	if (store->room)
		munmap(store->room, store->room_bytes);
	if (store->written)
		munmap(store->written, bitmap_bytes(store));
	if (store->fd >= 0)
		close(store->fd);
}

int store_find_written(struct store *store)
{
	off_t at = 0, end;

	while ((at = lseek(store->fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < store->mapped) {
		end = lseek(store->fd, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if ((uint64_t)end > store->mapped)
			end = (off_t)store->mapped;
		store_mark_written(store, (uint64_t)at, (uint64_t)(end - at));
		at = end;
	}
	return at < 0 && errno != ENXIO ? -errno : 0;
}

int store_grow(struct store *store, size_t pages)
{
	int err;

	if (store->fd >= 0 && ftruncate(store->fd, (off_t)pages))
		return -errno;
	err = map_range(store, store->mapped, pages);
	if (!err)
		store->mapped = pages;
	else if (store->fd >= 0 && ftruncate(store->fd, (off_t)store->mapped))
		return err; /* memory that is nowhere mapped takes no room either */
	return err;
}

int store_cut(struct store *store, uint64_t size)
{
	const size_t pages = store_pages(size);
	int err = 0;

	if (store->fd >= 0)
		err = ftruncate(store->fd, (off_t)pages) ? -errno : 0;
	else
		err = store_give_back(store, pages, store->mapped);
	if (err)
		return err;
	/* Bytes beside whole pages stay, but must not come back as anything else. */
	memset(store->bytes + size, 0, pages - size);
	if (store->written)
		for (size_t nr = pages / store->page; nr < store->mapped / store->page; nr++)
			__atomic_fetch_and(&store->written[nr / 64], ~(1ull << nr % 64),
					   __ATOMIC_RELAXED);
	/* Memory of our own stays mapped: it takes none. */
	store->mapped = pages;
	return 0;
}

bool store_was_written(const struct store *store, size_t page_nr)
{
	return __atomic_load_n(&store->written[page_nr / 64], __ATOMIC_RELAXED) >> page_nr % 64 & 1;
}

void store_mark_written(const struct store *store, uint64_t offset, uint64_t length)
{
	uint64_t page = offset / store->page, last = (offset + length - 1) / store->page;

	for (; page <= last; page++) {
		uint64_t *word = &store->written[page / 64], bit = 1ull << page % 64;

		if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
			__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	}
}

int store_give_back(const struct store *store, uint64_t start, uint64_t end)
{
	char *at = store->bytes + start;
	size_t length = end - start;
	int failed;

	if (start >= end)
		return 0;
	if (store->fd >= 0)
		failed = fallocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)start, (off_t)length);
	else
		failed = madvise(at, length, MADV_DONTNEED) &&
			 (errno != EINVAL || madvise(at, length, MADV_DONTNEED_LOCKED));
	return failed ? -errno : 0;
}
