// SPDX-License-Identifier: MIT
/* The data plane under test: see plane.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/log.h"
#include "base/mix.h"
#include "plane.h"
#include "queue/internal.h"

static void plane_failed(struct ublk_dev *dev, int err, const char *why)
{
	struct plane *p = container_of(dev, struct plane, dev);

	log_err("the device failed: %s (%s)", why, strerror(-err));
	atomic_store(&p->failed_err, err);
	atomic_fetch_add(&p->failures, 1);
}

void plane_need_fake(void)
{
	struct fake_config config = { .nr_queues = 1, .depth = 1, .max_io = 4096 };
	struct fake *f;
	int err = fake_create(&config, &f);

	if (!err) {
		fake_destroy(f);
		return;
	}
	printf("1..0 # SKIP no fake transport: %s\n",
	       err == -EOPNOTSUPP ? "this kernel's io_uring passes no messages between rings"
				  : strerror(-err));
	exit(EXIT_SUCCESS);
}

void plane_init(struct plane *p, const struct ublk_plugin *plugin, void *priv)
{
	*p = (struct plane){ .plugin = *plugin, .nr_queues = 1, .depth = 16 };
	if (!p->plugin.name)
		p->plugin.name = "test";
	p->dev.name = "test";
	p->dev.plugin = &p->plugin;
	p->dev.priv = priv;
	p->dev.path = &path_copy;
	p->dev.threads_per_queue = 1;
	p->dev.failed = plane_failed;
	p->dev.nr_files = 1; /* slot 0 is the transport's */
	p->dev.notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(p->dev.notify_fd, 0);
	p->dev.limits = (struct ublk_limits){
		.struct_size = sizeof(struct ublk_limits),
		.size_bytes = 16u << 20,
		.logical_block = 512,
		.physical_block = 4096,
		.max_io_bytes = 64u << 10,
		.max_discard_bytes = UINT32_MAX,
		.max_write_zeroes_bytes = UINT32_MAX,
		.map_kinds = plugin->map_kinds,
		.data_modes = plugin->data_modes,
	};
}

int plane_file(struct plane *p, int fd)
{
	int slot;

	p->dev.open_phase = true;
	slot = host_services.file_register(&p->dev, fd);
	p->dev.open_phase = false;
	ck_assert_int_gt(slot, 0);
	return slot;
}

int plane_map_pieces(const struct plane_pieces *pieces, const struct ublk_io *io,
		     struct ublk_extent *out, uint32_t max)
{
	uint64_t offset = io->offset, left = io->length;
	uint32_t n = 0;

	for (; left && n < max; n++) {
		uint64_t length = min_of(pieces->piece - offset % pieces->piece, left);

		out[n] = (struct ublk_extent){ .length = length,
					       .kind = pieces->kinds[offset / pieces->piece % 4] };
		if (out[n].kind == UBLK_EXT_MEM)
			out[n].at.addr = pieces->mem + offset;
		if (out[n].kind == UBLK_EXT_FD) {
			out[n].file = pieces->slot;
			out[n].at.offset = offset;
		}
		offset += length;
		left -= length;
	}
	return (int)n;
}

static unsigned int plane_threads(const struct plane *p)
{
	return p->nr_queues * p->dev.threads_per_queue;
}

void plane_start(struct plane *p)
{
	struct fake_config config = {
		.nr_queues = p->nr_queues,
		.depth = p->depth,
		.max_io = p->dev.limits.max_io_bytes,
		.flags = p->dev.path->dev_flags | (p->dev.batch ? UBLK_F_BATCH_IO : 0),
		.mem_faults = p->dev.limits.attrs & UBLK_DEV_MEM_FAULTS,
	};

	p->dev.limits.max_queues = p->nr_queues;
	p->dev.limits.max_depth = p->depth;
	ck_assert_int_eq(fake_create(&config, &p->fake), 0);
	for (uint16_t tag = 0; p->need_register && tag < p->depth; tag++)
		for (uint16_t qid = 0; qid < p->nr_queues && p->need_register(tag); qid++)
			fake_need_register(p->fake, qid, tag);
	p->dev.transport = fake_transport(p->fake);
	p->dev.stats = stats_alloc(plane_threads(p));
	ck_assert_ptr_nonnull(p->dev.stats);
	ck_assert_int_eq(dev_prepare(&p->dev), 0);
	for (uint16_t i = 0; i < plane_threads(p); i++)
		ck_assert_int_eq(queue_start(&p->dev, i, p->cpus, sizeof(*p->cpus), &p->q[i]), 0);
	for (uint16_t i = 0; i < plane_threads(p); i++)
		ck_assert_int_eq(queue_wait_started(p->q[i]), 0);
}

void plane_wait_ended(struct plane *p)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	for (unsigned int i = 0; i < plane_threads(p); i++)
		for (unsigned int waited = 0; !queue_ended(p->q[i]); waited++) {
			if (waited > PLANE_PATIENCE_MS)
				ck_abort_msg("queue %u does not end; %u ios are held", i,
					     queue_held(p->q[i]));
			nanosleep(&ms, NULL);
		}
}

void plane_join(struct plane *p)
{
	p->joined = true;
	for (unsigned int i = 0; i < plane_threads(p); i++) {
		if (queue_join(p->q[i]))
			queue_free(p->q[i]);
		else
			p->joined = false;
	}
	stats_sum(p->dev.stats, &p->stats);
	p->counters = p->stats.counters;
	dev_unprepare(&p->dev);
	if (p->joined)
		free(p->dev.stats);
	close(p->dev.notify_fd);
	ck_assert_msg(!fake_violations(p->fake), "%u protocol violations, the first: %s",
		      fake_violations(p->fake), fake_first_violation(p->fake));
	fake_destroy(p->fake);
}

void plane_stop(struct plane *p)
{
	fake_abort_all(p->fake);
	plane_wait_ended(p);
	plane_join(p);
	ck_assert_msg(!atomic_load(&p->failures), "the device failed");
	ck_assert_msg(p->joined, "a worker never came back");
}

int plane_submit(struct plane *p, uint16_t qid, unsigned int op, unsigned int flags,
		 uint64_t offset, uint64_t length, const void *data)
{
	struct fake_request req = fake_request_of(op, flags, offset, length, data);
	struct timespec ms = { .tv_nsec = 1000000 };
	int tag = fake_submit(p->fake, qid, &req);

	for (unsigned int i = 0; tag == -EBUSY && i < PLANE_PATIENCE_MS; i++) {
		nanosleep(&ms, NULL);
		tag = fake_submit(p->fake, qid, &req);
	}
	ck_assert_msg(tag >= 0, "submitting a request: %s", strerror(-tag));
	return tag;
}

int32_t plane_wait(struct plane *p, uint16_t qid, int tag, void *data)
{
	int32_t res = 0;

	if (fake_wait(p->fake, qid, tag, PLANE_PATIENCE_MS, &res, data))
		ck_abort_msg("queue %u tag %d: no result", qid, tag);
	return res;
}

int32_t plane_io(struct plane *p, unsigned int op, unsigned int flags, uint64_t offset,
		 uint64_t length, void *data)
{
	int tag = plane_submit(p, 0, op, flags, offset, length, op == UBLK_OP_WRITE ? data : NULL);

	return plane_wait(p, 0, tag, data);
}

void plane_tick(struct plane *p, unsigned int n)
{
	const uint32_t *tick = &p->q[0]->tick;
	struct timespec ms = { .tv_nsec = 1000000 };

	for (unsigned int i = 0; i < n; i++) {
		uint32_t before = __atomic_load_n(tick, __ATOMIC_RELAXED);

		queue_ask(p->q[0], QUEUE_ASK_TICK);
		for (int waited = 0; __atomic_load_n(tick, __ATOMIC_RELAXED) == before; waited++) {
			ck_assert_int_lt(waited, PLANE_PATIENCE_MS);
			nanosleep(&ms, NULL);
		}
	}
}

void plane_wait_count(const atomic_uint *value, unsigned int wanted)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	for (unsigned int i = 0; atomic_load(value) < wanted; i++) {
		if (i > PLANE_PATIENCE_MS)
			ck_abort_msg("waited for %u, it is %u", wanted, atomic_load(value));
		nanosleep(&ms, NULL);
	}
}

uint64_t plane_misuse(const struct plane *p)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < plane_threads(p); i++)
		n += __atomic_load_n(&queue_counters(p->q[i])->misuse, __ATOMIC_RELAXED);
	return n;
}

void plane_expect_misuse(const struct plane *p, uint64_t wanted)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < 3000 && plane_misuse(p) < wanted; i++)
		nanosleep(&ms, NULL);
	ck_assert_uint_eq(plane_misuse(p), wanted);
}

static unsigned char pattern_byte(uint64_t seed, uint64_t pos)
{
	return mix((seed << 40) + (pos >> 3) + 1) >> ((pos & 7) * 8);
}

void plane_pattern(void *buf, uint64_t seed, uint64_t pos, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)buf)[i] = pattern_byte(seed, pos + i);
}

bool plane_is_pattern(const void *buf, uint64_t seed, uint64_t pos, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((const unsigned char *)buf)[i] != pattern_byte(seed, pos + i))
			return false;
	return true;
}

bool plane_is_zero(const void *buf, size_t length)
{
	const unsigned char *bytes = buf;

	return !length || (!bytes[0] && !memcmp(bytes, bytes + 1, length - 1));
}

unsigned int plane_nr_picks(void)
{
	return 2 * nr_data_paths;
}

bool plane_pick(unsigned int i, struct path_choice *choice)
{
	*choice = (struct path_choice){ data_paths[i / 2], i % 2 };
	return !choice->batch || choice->path->batch_name;
}

uint32_t plane_random(uint64_t *state)
{
	return mix_next(state);
}

int plane_temp_file(uint64_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) {
		char path[] = "/tmp/ublk-host-test-XXXXXX";

		fd = mkstemp(path);
		unlink(path);
	}
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	return fd;
}
