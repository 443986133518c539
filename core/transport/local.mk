libcore_la_SOURCES += core/transport/kernel.c core/transport/ring.h core/transport/transport.h
