/* SPDX-License-Identifier: MIT */
/*
 * ublk-plugin.h - the whole contract between ublk-host and a backend plugin, ABI 1.1.
 *
 * A plugin is a shared object that exports one const data symbol, `ublk_plugin_v1`. It links
 * against nothing of the host: services come as a table (struct ublk_host) through load().
 *
 * A backend serves each operation in one of three ways:
 *   map     say where the bytes are (a file, memory, nowhere); the host moves them
 *   call    plain blocking functions, run by the host on worker threads
 *   async   submit() an io, complete() it later; may use the queue's own io_uring
 *
 * Units are bytes unless a name says otherwise. Errors are negative errnos, never -1, never errno.
 * Reserved members are 0. Macros and inline functions are a convenience: nothing needs them.
 * The manual is ublk-plugin(3).
 *
 * Rules of growth. What is in this file stays as it is, for all of major 1; a minor only appends:
 *  - Structs get members at their end. Those with a struct_size tell by it what they have; who
 *    reads one never looks beyond. struct ublk_io has the members of the minor in host->abi_minor.
 *    struct ublk_opt and struct ublk_extent never grow.
 *  - A host may be older than the plugin. What it does not know of a descriptor and its table of
 *    options (members, bits; of a thread model it takes the next lower one) it does not use. What a
 *    plugin cannot do without, it says by min_host_minor. What it decides while it runs (limits,
 *    extents, services that it calls) it decides by host->abi_minor, or UBLK_HAS(): unknown bits
 *    are refused there.
 *  - A plugin may be older than the host. It is never given an operation, or a flag that must not
 *    be ignored, that came after its abi_minor.
 *  - The first 16 bytes of struct ublk_plugin are frozen for ever, in every major.
 */
#ifndef UBLK_PLUGIN_H
#define UBLK_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UBLK_PLUGIN_MAGIC 0x4b4c4255u /* "UBLK", little endian */
#define UBLK_PLUGIN_ABI_MAJOR 1u      /* changes when anything is not append-only */
#define UBLK_PLUGIN_ABI_MINOR 1u /* changes when a field, an operation or a service is appended */

struct io_uring_sqe; /* kernel UAPI, <linux/io_uring.h>; no liburing type crosses this contract */
struct ublk_dev;     /* opaque, the host's: one device */
struct ublk_queue;   /* opaque, the host's: one queue of a device */

/* Operations; also the bit numbers of the masks UBLK_OPS_*. */
enum {
	UBLK_OP_READ = 0,
	UBLK_OP_WRITE = 1,
	UBLK_OP_FLUSH = 2,
	UBLK_OP_DISCARD = 3,
	UBLK_OP_WRITE_ZEROES = 4
};

enum {
	UBLK_OPS_READ = 1u << UBLK_OP_READ,
	UBLK_OPS_WRITE = 1u << UBLK_OP_WRITE,
	UBLK_OPS_FLUSH = 1u << UBLK_OP_FLUSH,
	UBLK_OPS_DISCARD = 1u << UBLK_OP_DISCARD,
	UBLK_OPS_WRITE_ZEROES = 1u << UBLK_OP_WRITE_ZEROES
};

/* struct ublk_io flags, and the flags argument of the call profile. */
enum {
	UBLK_IOF_FUA = 1u << 0,	   /* the data must be stable before the io completes */
	UBLK_IOF_NOUNMAP = 1u << 1 /* WRITE_ZEROES: keep the space allocated */
};

/* struct ublk_limits attrs. */
enum {
	UBLK_DEV_READ_ONLY = 1u << 0,
	UBLK_DEV_ROTATIONAL = 1u << 1,
	UBLK_DEV_VOLATILE_CACHE = 1u << 2, /* completed writes may be lost until a FLUSH */
	UBLK_DEV_FUA = 1u << 3,	      /* async and call: writes honour UBLK_IOF_FUA themselves */
	UBLK_DEV_MEM_FAULTS = 1u << 4 /* READ_ONLY devices: reading a MEM extent may raise SIGBUS */
};

/* How the data of an async READ or WRITE reaches the plugin. */
enum {
	UBLK_DATA_MAPPED = 1u << 0, /* io->buf points to it */
	UBLK_DATA_FIXED = 1u << 1 /* io->buf_index is a registered buffer: only ring ops reach it */
};

/* Where a run of bytes is; also usable as a mask (map_kinds). */
enum {
	UBLK_EXT_FD = 1u << 0,	 /* in a registered file, at.offset */
	UBLK_EXT_MEM = 1u << 1,	 /* in memory, at.addr */
	UBLK_EXT_ZERO = 1u << 2, /* nowhere: reads are zeroes, writes are dropped */
	UBLK_EXT_VOID = 1u << 3	 /* nowhere: reads return whatever was there, writes are dropped */
};

/* struct ublk_plugin flags. */
enum {
	/* call functions never block: run them on the queue thread */
	UBLK_PLUGIN_NONBLOCKING = 1u << 0,
	/* open() with UBLK_OPEN_RECOVER finds all that ios of a former server have done */
	UBLK_PLUGIN_RECOVERS = 1u << 1,
	/* with RECOVERS: ios that a former server had begun may be done again, from the start */
	UBLK_PLUGIN_REISSUE = 1u << 2,
	/* 1.1, with RECOVERS: open() may be called with UBLK_OPEN_BESIDE */
	UBLK_PLUGIN_OPENS_BESIDE = 1u << 3,
	/* Needs, from start() on, beyond memory, threads, the clock and files that are open: */
	UBLK_PLUGIN_NEEDS_FILES = 1u << 8,	/* opens, makes, renames files by name */
	UBLK_PLUGIN_NEEDS_NETWORK = 1u << 9,	/* sockets */
	UBLK_PLUGIN_NEEDS_PROCESSES = 1u << 10, /* starts programs; implies FILES */
	UBLK_PLUGIN_NEEDS_IOCTLS = 1u << 11	/* any ioctl on what it has opened */
};

/* Which of a plugin's data calls (map, submit, cqe, event, read ... write_zeroes) may overlap. */
enum {
	UBLK_THREADS_SERIAL = 0,       /* one at a time in the whole device */
	UBLK_THREADS_PER_QUEUE = 1000, /* one at a time in each queue */
	UBLK_THREADS_PARALLEL =
		2000 /* queue callbacks one at a time per queue, call functions any */
};

enum {
	UBLK_OPT_STRING = 1,
	UBLK_OPT_BOOL = 2,  /* u64 is 0 or 1 */
	UBLK_OPT_U64 = 3,   /* u64 */
	UBLK_OPT_SIZE = 4,  /* u64 in bytes; written 4096, 512K, 1M, 2G, 3T */
	UBLK_OPT_PATH = 5,  /* str is an absolute path */
	UBLK_OPT_ENUM = 6,  /* u64 is the index into choices, str the word */
	UBLK_OPT_SECRET = 7 /* str; never shown; written @FILE to be read from a file */
};

enum { UBLK_OPTF_REQUIRED = 1u << 0 };

/* resize() flags. */
enum { UBLK_RESIZE_CHECK = 1u << 0 /* change nothing: tell whether it could be done */ };

/* struct ublk_open_args flags. */
enum {
	UBLK_OPEN_READ_ONLY = 1u << 0, /* do not open the backing for writing */
	UBLK_OPEN_RECOVER = 1u << 1,   /* the device lives on under a new server: same state */
	UBLK_OPEN_KEEP = 1u << 2,      /* the device is to outlive its server: see keep_memory() */
	/* 1.1, with RECOVER: the former server still serves, and start() comes when it is gone. Until then
	 * take nothing from it, and look at nothing that ios change. -EBUSY, without a message: that
	 * cannot be done; then open() comes once more, without this flag, when it is gone. */
	UBLK_OPEN_BESIDE = 1u << 3
};

enum {
	UBLK_LOG_ERR = 3, /* syslog's values */
	UBLK_LOG_WARN = 4,
	UBLK_LOG_INFO = 6,
	UBLK_LOG_DEBUG = 7
};

/* One option that a plugin takes. The table is static; the host parses, checks and prints it. */
struct ublk_opt_spec {
	const char *name;    /* [a-z][a-z0-9_-]*, not x-*, unique in the table */
	const char *help;    /* one line, no full stop */
	const char *def;     /* default, as a user would write it; NULL: none */
	const char *choices; /* ENUM: "auto|on|off"; otherwise NULL */
	uint64_t min, max;   /* U64 and SIZE: inclusive bounds; max 0: no upper bound */
	uint32_t type;	     /* UBLK_OPT_* */
	uint32_t flags;	     /* UBLK_OPTF_* */
};

/* The parsed value of opts[i] of the plugin's table. */
struct ublk_opt {
	const char *str; /* as written, or NULL if not set and without default */
	uint64_t u64;	 /* BOOL, U64, SIZE, ENUM */
	uint32_t is_set; /* 1: given by the user; 0: the default, or nothing */
	uint32_t reserved;
};

struct ublk_limits;
struct ublk_open_args {
	uint32_t struct_size;
	uint32_t flags;		     /* UBLK_OPEN_* */
	uint32_t nr_opts;	     /* as in the plugin's table, same order */
	uint32_t opt_size;	     /* sizeof(struct ublk_opt): the same in all of major 1 */
	const struct ublk_opt *opts; /* the array and its strings live until close() returns */
	/* 1.1, with RECOVER, until open() returns: what the device has been made with, and is refused to a
	 * plugin that cannot keep it. Of the limits, size_bytes to dma_align, those of discards and writes of
	 * zeroes, and attrs; the rest are 0. NULL: not known. */
	const struct ublk_limits *former;
};

/*
 * Limits of a device. get_limits() finds the host's defaults and maxima in it, sets size_bytes and
 * narrows the rest; the host checks each value, and start() gets the final ones.
 */
struct ublk_limits {
	uint32_t struct_size;
	uint32_t attrs;		 /* UBLK_DEV_*; in: READ_ONLY if the user asked for it */
	uint64_t size_bytes;	 /* must be set: a multiple of logical_block */
	uint32_t logical_block;	 /* power of two, 512..4096; in: 512 */
	uint32_t physical_block; /* power of two, >= logical_block; in: 4096 */
	uint32_t io_min, io_opt; /* power of two; 0: physical_block */
	uint32_t max_io_bytes;	 /* largest READ or WRITE; in: what the user or host chose */
	uint32_t chunk_bytes;	 /* no READ or WRITE crosses a multiple of it; 0: no such border */
	uint32_t dma_align; /* that the data's memory needs, power of two up to a page; in: 4 */
	uint32_t discard_granularity;	 /* in: 4096 */
	uint64_t max_discard_bytes;	 /* in: the largest there is; 0: discards are not offered */
	uint64_t max_write_zeroes_bytes; /* likewise; 0: the kernel writes zeroes itself */
	uint32_t map_kinds;   /* UBLK_EXT_* that map returns on this device; in: the plugin's */
	uint32_t data_modes;  /* UBLK_DATA_* that submit takes on this device; in: the plugin's */
	uint32_t sqes_per_io; /* async: ring operations that one io has in flight at most; in: 0 */
	uint32_t background_sqes; /* async: ring operations beside those of ios, per queue; in: 0 */
	uint32_t io_scratch_bytes; /* per-io memory of the plugin's own (io->scratch); in: 0 */
	uint32_t max_queues;	   /* in: what the user or host chose */
	uint32_t max_depth;	   /* likewise */
	uint32_t reserved;
};

struct ublk_queue_info {
	uint32_t struct_size;
	uint16_t qid;
	uint16_t depth;
	int32_t cpu;	    /* first CPU that this queue's thread runs on; -1: anywhere */
	uint32_t data_mode; /* the UBLK_DATA_* in force */
};

/* One request. Allocated by the host; a plugin never copies, sizes or indexes it, and keeps what
 * belongs to it in scratch. */
struct ublk_io {
	uint64_t offset; /* from the start of the device; in bounds, a multiple of logical_block */
	uint64_t length; /* likewise; 0 for FLUSH */
	void *buf;	 /* the data (READ: to fill, WRITE: to store), or NULL: see buf_index */
	void *scratch; /* io_scratch_bytes, aligned to 64, zeroed once at start, then the plugin's */
	uint64_t
		fixed_addr; /* buf NULL: address of the first byte for IORING_OP_{READ,WRITE}_FIXED */
	uint32_t flags;	    /* UBLK_IOF_* */
	uint16_t qid, tag;  /* for messages: the kernel's request; may serve several ios at once */
	uint16_t buf_index; /* buf NULL: registered buffer of this queue's ring */
	uint8_t op;	    /* UBLK_OP_* */
	uint8_t reserved[5];
};

/* A run of an io's bytes and where it is. The same size in all of major 1. */
struct ublk_extent {
	uint64_t length; /* > 0 */
	union {
		uint64_t offset; /* FD: byte offset in the file */
		void *addr;	 /* MEM: must stay valid until the io completes */
	} at;
	uint32_t kind; /* one UBLK_EXT_* */
	int32_t file;  /* FD: what file_register() returned */
};

/* What the host offers to a plugin; valid from load() until the process ends. */
struct ublk_host {
	uint32_t struct_size;
	uint16_t abi_major, abi_minor;
	const char *version; /* of the host program, for messages */

	/* Any thread: log() until close() returns, the others until stop() does, or, for a queue or an io of
	 * it, until its queue_exit() does. */

	/* One line of text, without a newline. dev may be NULL. ERR during open, get_limits, start or
	 * queue_init is what the user reads as the reason of the failure. */
	void (*log)(struct ublk_dev *dev, int level, const char *msg);
	/* Complete an io from a thread that is not the queue's. See complete(). */
	void (*complete_remote)(struct ublk_queue *q, struct ublk_io *io, int32_t res);
	/* Have event() called on the queue's thread, soon, at least once after this call. */
	void (*wake)(struct ublk_queue *q);
	/* The backend is lost for good: ask for an orderly stop of the device. err: negative errno. */
	void (*dev_fail)(struct ublk_dev *dev, int err, const char *why);

	/* Control thread, from open() to start(). */

	/* Make a file known to every queue. Returns a slot > 0 for ublk_extent.file, which is also the
	 * fixed-file index for a plugin's own SQEs, or -errno. The fd stays the plugin's, open until
	 * close(). Block devices and regular files are told apart by the host. A next server
	 * (UBLK_OPEN_RECOVER) that registers as many has to register the same ones, in this order. */
	int (*file_register)(struct ublk_dev *dev, int fd);

	/*
	 * Control thread, in open(): memory that outlives a server that dies. Returns a descriptor of
	 * size bytes to be mapped shared, the plugin's to close: with UBLK_OPEN_RECOVER the same
	 * memory that the former server had under this name ([a-z0-9-]{1,16}, -ENOENT: there is
	 * none), otherwise all zeroes. Of a device that is not to be recovered, it is ordinary
	 * memory. -ENOSYS: the host has no such memory, which it has said. Pages that are punched
	 * (MADV_REMOVE) are zeroes and take no memory. An end in good order takes it away.
	 */
	int (*keep_memory)(struct ublk_dev *dev, const char *name, uint64_t size);

	/* The queue's own thread only. */

	/* End an io that submit() accepted. res: bytes done for READ and WRITE, 0 for the rest, or a
	 * negative errno. Less than io->length is an error of the backend: -EIO for the application. */
	void (*complete)(struct ublk_queue *q, struct ublk_io *io, int32_t res);
	/* n SQEs, cleared, in one submission, all or nothing: 0, or -EBUSY when more than the budget
	 * (max_depth * sqes_per_io + background_sqes, 16384 at most) would be in flight, or -ECANCELED
	 * when the queue ends. Each must be given back by sqe_commit() before the callback returns. */
	int (*sqe_get)(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out);
	/* Queue a prepared SQE; its completion comes to cqe() with io and cookie. io NULL: background
	 * work. user_data is the host's; read after this, it names the operation in an ASYNC_CANCEL of
	 * the plugin's. 0, or -EINVAL for an SQE that was not lent, and for what the host cannot account
	 * for (IOSQE_IO_DRAIN, IOSQE_CQE_SKIP_SUCCESS) or is its own (fixed file 0, the table of files,
	 * its operations, messages to rings: ublk-plugin(3) has them all); -ECANCELED for an io that
	 * was completed, or taken away because it took too long. */
	int (*sqe_commit)(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
			  uint32_t cookie);
	/* append new services here only, and raise UBLK_PLUGIN_ABI_MINOR */
};

/*
 * The plugin. Order of calls:
 *
 *   load -> open -> get_limits -> start -> queue_init (per queue, on its thread)
 *        -> map / submit / cqe / event / batch_end / cancel | read ... write_zeroes | resize
 *        -> cqe, until no ring operation is in flight -> queue_exit -> stop -> close
 *
 * load() is called once in a process. open() may be called again while a device is open, for another
 * device: what belongs to a device is in its priv, to a queue in its qpriv. A plugin that can be open
 * once only answers -EBUSY.
 *
 * From start() on, the process has only those rights that serving takes, and what the plugin's flags
 * say that it needs. What takes more belongs into load() and open(), threads into start().
 *
 * Every successful open is paired with one close, every successful start with one stop, every
 * successful queue_init with one queue_exit, on error paths too: unless a call of the plugin does not
 * return. A NULL callback is one that the plugin does not need.
 */
struct ublk_plugin {
	uint32_t magic;		       /* these 16 bytes are frozen, */
	uint16_t abi_major, abi_minor; /* in this and every */
	uint32_t struct_size;	       /* future major */
	uint16_t min_host_minor;       /* oldest host minor that this plugin can live with */
	uint16_t reserved0;
	const char *name; /* [a-z0-9][a-z0-9-]{0,31}, the file's name without .so */
	const char *version;
	const char *description; /* one line, no full stop */
	const struct ublk_opt_spec *opts;
	uint32_t nr_opts;
	uint32_t opt_spec_size; /* sizeof(struct ublk_opt_spec) */
	uint32_t thread_model;	/* UBLK_THREADS_* */
	uint32_t flags;		/* UBLK_PLUGIN_* */
	uint32_t map_ops;	/* UBLK_OPS_* that map serves */
	uint32_t submit_ops;	/* UBLK_OPS_* that submit serves; the rest: read ... write_zeroes */
	uint32_t map_kinds;	/* UBLK_EXT_* that map may return */
	uint32_t data_modes;	/* UBLK_DATA_* that submit can take */

	/* Control thread, never two at once, but for resize. */

	int (*load)(const struct ublk_host *host);
	int (*open)(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv);
	int (*get_limits)(void *priv, struct ublk_limits *limits);
	int (*start)(void *priv, const struct ublk_limits *final_limits);
	/*
	 * Between start and stop, on a thread of the host's own, while ios are served, whatever the
	 * thread model: the device is to have size_bytes, a multiple of logical_block. First with
	 * UBLK_RESIZE_CHECK, then without. 0, or -errno with nothing changed: -EINVAL for a size that
	 * cannot be, -ENOSPC, -EFBIG, -EOPNOTSUPP. NULL: such a device keeps its size.
	 * More than before: no io reaches beyond the old end until this has returned. Less: no io is in
	 * flight beyond the new end, none will come, and the space there may be given back. What it is
	 * given later, once more, has to read as zeroes or as what was there.
	 * A size that the device has kept becomes the value of the plugin's option `size` for its next
	 * server, if it has one of type SIZE.
	 */
	int (*resize)(void *priv, uint64_t size_bytes, uint32_t flags);
	void (*stop)(void *priv);
	void (*close)(void *priv);

	/* The queue's thread; queue_init of several queues at once. Without queue_init, qpriv is priv. */

	int (*queue_init)(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			  void **qpriv);
	void (*queue_exit)(void *qpriv);
	/* map profile. Fill out[0..max) with extents that cover the io from its start, in order, and
	 * return their number, or -errno. Covering less than the io is allowed only with max extents:
	 * the host asks again for the rest. FLUSH: name the files to sync (length 1 each), if any; without
	 * FLUSH in map_ops and without flush(), all registered files are synced. Must not block. */
	int (*map)(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max);
	/* async profile. 0: exactly one complete() follows, possibly inside this call. -EBUSY: not
	 * now, the host asks again later. Another -errno ends it: the io fails with it, or, where the errno
	 * is a passing one (-EAGAIN, -ENOMEM, -EINTR), is submitted anew for a while before that. */
	int (*submit)(void *qpriv, struct ublk_io *io);
	/* A completion of an SQE of the plugin's own, whose place in the budget is free again. Before
	 * queue_exit() the host cancels what is in flight: each is told here, mostly with -ECANCELED. */
	void (*cqe)(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
		    uint32_t cqe_flags);
	/* After wake(). */
	void (*event)(void *qpriv);
	/* All requests that were there have been handed over: a good moment to start coalesced work. */
	void (*batch_end)(void *qpriv);
	/* The device is stopping and this io still is with the plugin: complete it soon. The result is
	 * final, also if it is a passing error. */
	void (*cancel)(void *qpriv, struct ublk_io *io);

	/* call profile: worker threads (queue threads with UBLK_PLUGIN_NONBLOCKING). 0 or -errno, all
	 * of the range or an error. discard and write_zeroes also serve MEM extents of map. */

	int (*read)(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags);
	int (*write)(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags);
	int (*flush)(void *priv);
	int (*discard)(void *priv, uint64_t length, uint64_t offset, uint32_t flags);
	int (*write_zeroes)(void *priv, uint64_t length, uint64_t offset, uint32_t flags);
	/* append new members here only, and raise UBLK_PLUGIN_ABI_MINOR */
};

/* Does *p, a struct with a struct_size, have this member? UBLK_HAS(host, struct ublk_host, wake) */
#define UBLK_HAS(p, type, member) ((p)->struct_size >= offsetof(type, member) + sizeof((p)->member))

#define UBLK_PLUGIN_V1_0_SIZE (offsetof(struct ublk_plugin, write_zeroes) + sizeof(void *))
#define UBLK_HOST_V1_0_SIZE (offsetof(struct ublk_host, sqe_commit) + sizeof(void *))

/* The first members of a descriptor; min_minor: oldest host minor that the plugin can live with.
 * Where positions and names do not mix (C++, other languages), the six are written by name. */
#define UBLK_PLUGIN_INIT(min_minor)                                                                \
	UBLK_PLUGIN_MAGIC, UBLK_PLUGIN_ABI_MAJOR, UBLK_PLUGIN_ABI_MINOR,                           \
		(uint32_t)sizeof(struct ublk_plugin), (min_minor), 0

#if defined(__GNUC__)
#define UBLK_PLUGIN_EXPORT __attribute__((visibility("default")))
#define UBLK_PLUGIN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define UBLK_PLUGIN_EXPORT
#define UBLK_PLUGIN_PRINTF(f, a)
#endif

/* The one symbol that a plugin exports. */
extern UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1;

/* printf into host->log(); a convenience, not part of the ABI. Truncates at 511 bytes. */
static inline void ublk_logf(const struct ublk_host *host, struct ublk_dev *dev, int level,
			     const char *fmt, ...) UBLK_PLUGIN_PRINTF(4, 5);

static inline void ublk_logf(const struct ublk_host *host, struct ublk_dev *dev, int level,
			     const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	host->log(dev, level, msg);
}

#ifdef __cplusplus
}
#endif
#endif
