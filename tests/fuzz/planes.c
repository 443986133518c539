// SPDX-License-Identifier: MIT
/*
 * Requests of the driver, with any descriptor, through the whole data plane over the fake transport: a
 * plugin by map, call or async, on any data path that serves it. Each request ends once, with the result
 * that its descriptor calls for; nothing that is not on the device reaches the plugin; nothing stays.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "fuzz.h"

#include "plane.h"

#define MAX_TOGETHER 8

const unsigned int fuzz_runs = 300; /* each makes a device */

/* A device in pieces of several kinds, whose memory ends where it ends. */
static struct {
	struct plane_pieces in;
	int fd;
	uint64_t size;
	uint32_t max_io;
	uint8_t how; /* an async plugin completes */
	struct ublk_queue *q;
	struct ublk_io *held[64];
	unsigned int nr_held;
} dev;

static struct plane plane;
static char data[64 << 10];

/* Check's own, of the helpers that this shares with unit tests: there is no test that could be failed. */
void __wrap__mark_point(const char *file, int line);
void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
	__printf_like(4, 5);

void __wrap__mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	char text[512] = "";
	va_list ap;

	va_start(ap, msg);
	if (msg)
		vsnprintf(text, sizeof(text), msg, ap);
	va_end(ap);
	fuzz_fail(file, line, expr, " %s", text);
}

static void check_range(uint64_t offset, uint64_t length)
{
	FUZZ_CHECK(length && offset < dev.size && length <= dev.size - offset,
		   "%llu bytes at %llu of %llu", (unsigned long long)length,
		   (unsigned long long)offset, (unsigned long long)dev.size);
	FUZZ_CHECK(offset % 512 == 0 && length % 512 == 0);
}

static void check_io(const struct ublk_io *io)
{
	FUZZ_CHECK(io->op < NR_OPS && io->tag < plane.depth && io->qid == 0);
	FUZZ_CHECK(!(io->flags & ~(uint32_t)(UBLK_IOF_FUA | UBLK_IOF_NOUNMAP)), "%#x", io->flags);
	if (io->op == UBLK_OP_FLUSH)
		FUZZ_CHECK(!io->offset && !io->length);
	else
		check_range(io->offset, io->length);
	if (io->op <= UBLK_OP_WRITE)
		FUZZ_CHECK(io->length <= dev.max_io, "%llu", (unsigned long long)io->length);
}

static int do_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	check_io(io);
	return plane_map_pieces(&dev.in, io, out, max);
}

static int do_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	check_range(offset, length);
	memcpy(buf, dev.in.mem + offset, length);
	return 0;
}

static int do_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	check_range(offset, length);
	memcpy(dev.in.mem + offset, buf, length);
	return 0;
}

static int do_flush(void *priv)
{
	(void)priv;
	return 0;
}

static int do_zero(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	check_range(offset, length);
	memset(dev.in.mem + offset, 0, length);
	return 0;
}

static int32_t serve(struct ublk_io *io)
{
	bool has_data = io->op <= UBLK_OP_WRITE;

	FUZZ_CHECK(!has_data || io->buf);
	if (io->op == UBLK_OP_READ)
		memcpy(io->buf, dev.in.mem + io->offset, io->length);
	else if (io->op == UBLK_OP_WRITE)
		memcpy(dev.in.mem + io->offset, io->buf, io->length);
	else if (io->op != UBLK_OP_FLUSH)
		memset(dev.in.mem + io->offset, 0, io->length);
	return has_data ? (int32_t)io->length : 0;
}

static int do_submit(void *qpriv, struct ublk_io *io)
{
	(void)qpriv;
	check_io(io);
	switch (dev.how % 3) {
	case 0:
		host_services.complete(dev.q, io, serve(io));
		return 0;
	case 1:
		host_services.wake(dev.q);
		break;
	}
	FUZZ_CHECK(dev.nr_held < ARRAY_SIZE(dev.held), "more than there are tags");
	dev.held[dev.nr_held++] = io;
	return 0;
}

static void complete_held(void)
{
	while (dev.nr_held) {
		struct ublk_io *io = dev.held[--dev.nr_held];

		host_services.complete(dev.q, io, serve(io));
	}
}

static void do_event(void *qpriv)
{
	(void)qpriv;
	complete_held();
}

static void do_batch_end(void *qpriv)
{
	(void)qpriv;
	if (dev.how % 3 == 2)
		complete_held();
}

static int do_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			 void **qpriv)
{
	(void)info;
	dev.q = q;
	*qpriv = priv;
	return 0;
}

#define ALL_OPS                                                                                    \
	(UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES)

static const struct ublk_plugin plugins[] = {
	{ .name = "map",
	  .thread_model = UBLK_THREADS_PARALLEL,
	  .map_ops = ALL_OPS & ~(uint32_t)UBLK_OPS_FLUSH,
	  .map = do_map,
	  .discard = do_zero,
	  .write_zeroes = do_zero },
	{ .name = "call",
	  .thread_model = UBLK_THREADS_PER_QUEUE,
	  .flags = UBLK_PLUGIN_NONBLOCKING,
	  .read = do_read,
	  .write = do_write,
	  .flush = do_flush,
	  .discard = do_zero,
	  .write_zeroes = do_zero },
	{ .name = "async",
	  .thread_model = UBLK_THREADS_PER_QUEUE,
	  .submit_ops = ALL_OPS,
	  .data_modes = UBLK_DATA_MAPPED,
	  .queue_init = do_queue_init,
	  .submit = do_submit,
	  .event = do_event,
	  .batch_end = do_batch_end },
};

static bool third_tag(uint16_t tag)
{
	return tag % 3 == 2;
}

/* The data path that the input asks for, or the next that can serve this plugin. */
static void choose_path(const struct ublk_plugin *plugin, unsigned int i)
{
	const struct path_kernel kernel = { .features = ~0ull,
					    .buf_table = true,
					    .buf_ring = true };
	struct path_needs needs = path_needs_of(plugin, 0, plugin->data_modes);
	struct path_choice choice;

	while (!plane_pick(i % plane_nr_picks(), &choice) || path_obstacle(choice, &kernel, &needs))
		i++;
	plane.dev.path = choice.path;
	plane.dev.batch = choice.batch;
}

static void start(struct fuzz_input *in)
{
	static const uint32_t sizes[] = { 512, 4096, 4608, 64 << 10, 1 << 20, (1 << 20) + 512 };
	uint8_t which = fuzz_byte(in), path = fuzz_byte(in), kinds = fuzz_byte(in);
	const struct ublk_plugin *plugin = &plugins[which % ARRAY_SIZE(plugins)];
	unsigned int nr_kinds = 0;

	dev.size = sizes[fuzz_byte(in) % ARRAY_SIZE(sizes)];
	dev.how = which / 16;
	dev.max_io = which & 8 ? sizeof(data) : 4096;
	dev.in.piece = path & 0x80 ? 512 : 1 << 20;
	dev.nr_held = 0;
	dev.in.mem = malloc(dev.size);
	dev.fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(dev.in.mem && dev.fd >= 0 && !ftruncate(dev.fd, (off_t)dev.size));
	memset(dev.in.mem, 0x5a, dev.size);
	plane_init(&plane, plugin, NULL);
	choose_path(plugin, path & 0x7f);
	plane.depth = MAX_TOGETHER;
	plane.dev.limits.size_bytes = dev.size;
	plane.dev.limits.max_io_bytes = dev.max_io;
	for (uint32_t kind = UBLK_EXT_FD; plugin->map_ops && nr_kinds < 4;
	     kind = kind == UBLK_EXT_VOID ? UBLK_EXT_FD : kind << 1)
		if (kind & plane.dev.path->map_kinds &&
		    (kind & kinds || !(kinds & plane.dev.path->map_kinds & 15)))
			dev.in.kinds[nr_kinds++] = kind;
	for (unsigned int i = 0; i < nr_kinds; i++)
		plane.dev.limits.map_kinds |= dev.in.kinds[i];
	if (plane.dev.path->dev_flags & UBLK_F_AUTO_BUF_REG)
		plane.need_register = third_tag;
	dev.in.slot = plane_file(&plane, dev.fd);
	plane_start(&plane);
}

/* What the block layer's request would end with. */
static int32_t expected(const struct fake_request *req)
{
	uint64_t sectors = dev.size >> 9, length = (uint64_t)req->nr_sectors << 9;
	bool has_data = false;

	switch (req->op_flags & 0xff) {
	case UBLK_IO_OP_FLUSH:
		return 0;
	case UBLK_IO_OP_READ:
	case UBLK_IO_OP_WRITE:
		has_data = true;
		break;
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!length || req->start_sector >= sectors ||
	    req->nr_sectors > sectors - req->start_sector)
		return -EIO;
	/* No memory is shared here. */
	if (has_data && (length > dev.max_io || req->op_flags & UBLK_IO_F_SHMEM_ZC))
		return -EIO;
	return has_data ? (int32_t)length : 0;
}

static void a_request(struct fuzz_input *in, struct fake_request *req)
{
	static const uint32_t flags[] = { 0, UBLK_IO_F_FUA, UBLK_IO_F_NOUNMAP,
					  UBLK_IO_F_FUA | UBLK_IO_F_FAILFAST_DEV };
	uint8_t how = fuzz_byte(in);

	*req = (struct fake_request){ .tag = FAKE_ANY_TAG, .data = data };
	req->op_flags = (how & 7) | flags[how >> 3 & 3];
	if (how & 0x20)
		req->op_flags = fuzz_u32(in);
	req->op_flags &=
		~UBLK_IO_F_NEED_REG_BUF; /* the fake transport's to set, where it is true */
	req->nr_sectors = how & 0x40 ? fuzz_u32(in) : fuzz_byte(in);
	req->start_sector = how & 0x80 ? fuzz_u64(in) : fuzz_byte(in);
	req->shared = req->start_sector;
}

/* A lone WRITE or READ of one kind of extent is in the store. */
static void check_store(const struct fake_request *req, int32_t res, const char *back)
{
	uint64_t offset = req->start_sector << 9;
	__cleanup_free char *copy = NULL;
	bool map = plane.plugin.map_ops;
	const char *store;

	if (res <= 0 || (map && dev.in.kinds[0] != plane.dev.limits.map_kinds) ||
	    (map && !(dev.in.kinds[0] & (UBLK_EXT_FD | UBLK_EXT_MEM))))
		return;
	store = dev.in.mem + offset;
	if (map && dev.in.kinds[0] == UBLK_EXT_FD) {
		copy = malloc((size_t)res);
		FUZZ_CHECK(copy && pread(dev.fd, copy, (size_t)res, (off_t)offset) == res);
		store = copy;
	}
	FUZZ_CHECK(!memcmp(store, (req->op_flags & 0xff) == UBLK_IO_OP_WRITE ? data : back,
			   (size_t)res));
}

/* Returns how many of them the server has to complain of. */
static unsigned int some_requests(struct fuzz_input *in, unsigned int n)
{
	static char back[sizeof(data)];
	struct fake_request reqs[MAX_TOGETHER];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < n; i++)
		a_request(in, &reqs[i]);
	FUZZ_CHECK(fake_submit_many(plane.fake, 0, reqs, n) == (int)n);
	for (unsigned int i = 0; i < n; i++) {
		int32_t res = plane_wait(&plane, 0, reqs[i].tag, back);

		FUZZ_CHECK(res == expected(&reqs[i]),
			   "op_flags %#x, sector %llu, %u sectors: %d, not %d", reqs[i].op_flags,
			   (unsigned long long)reqs[i].start_sector, reqs[i].nr_sectors, res,
			   expected(&reqs[i]));
		wrong += res < 0;
		if (n == 1)
			check_store(&reqs[i], res, back);
	}
	return wrong;
}

static uint64_t nr_ended(void)
{
	uint64_t n = 0;

	for (unsigned int op = 0; op < NR_OPS; op++)
		n += plane.counters.ops[op];
	return n;
}

static int lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	plane_need_fake();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fuzz_input in = { input, size };
	unsigned int submitted = 0, wrong = 0, lines;
	struct fuzz_log log;
	int fds;

	if (size < 4)
		return 0;
	fuzz_log_begin(&log); /* nothing is printed from here on */
	fuzz_log_end(&log, 0);
	plane_pattern(data, 1, 0, sizeof(data));
	fds = lowest_fd();
	lines = log_count(LOG_LVL_ERR);
	start(&in);
	while (in.size && submitted < 200) {
		unsigned int n = fuzz_byte(&in) % MAX_TOGETHER + 1;

		wrong += some_requests(&in, n);
		submitted += n;
	}
	plane_stop(&plane);
	FUZZ_CHECK(nr_ended() == submitted, "%u requests", submitted);
	FUZZ_CHECK(!plane.counters.misuse && !dev.nr_held);
	FUZZ_CHECK(log_count(LOG_LVL_ERR) - lines == wrong, "%u lines for %u",
		   log_count(LOG_LVL_ERR) - lines, wrong);
	close(dev.fd);
	free(dev.in.mem);
	FUZZ_CHECK(lowest_fd() == fds, "a descriptor is left");
	return 0;
}
