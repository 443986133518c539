libcore_la_SOURCES += core/transport/commit.h core/transport/fake.c core/transport/fake.h core/transport/fake_app.c core/transport/fake_batch.c \
	core/transport/fake_internal.h core/transport/kernel.c \
	core/transport/kernel_batch.c core/transport/kernel_internal.h core/transport/ring.h \
	core/transport/transport.h
