libcore_la_SOURCES += core/transport/fake.c core/transport/fake.h core/transport/fake_app.c \
	core/transport/fake_internal.h core/transport/kernel.c core/transport/ring.h \
	core/transport/transport.h
