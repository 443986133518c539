libcore_la_SOURCES += core/queue/async.c core/queue/buffers.c core/queue/call.c \
	core/queue/dispatch.c core/queue/fast.c core/queue/files.c core/queue/internal.h \
	core/queue/latency.c core/queue/loop.c core/queue/map.c \
	core/queue/path.c core/queue/path.h core/queue/path_auto_buf_reg.c \
	core/queue/path_buf.c core/queue/path_commit_address.c core/queue/path_copy.c \
	core/queue/path_fixed.c core/queue/path_shared.c core/queue/path_user_copy.c \
	core/queue/path_zero_copy.c core/queue/poll.c \
	core/queue/queue.c core/queue/queue.h core/queue/range.c core/queue/services.c \
	core/queue/setup.c core/queue/shared.c core/queue/shared.h core/queue/size.c core/queue/sqes.c \
	core/queue/sqes.h core/queue/stats.c \
	core/queue/stats.h core/queue/watch.c core/queue/workers.c
