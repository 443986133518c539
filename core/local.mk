# SPDX-License-Identifier: MIT
# The host is a library of rooms plus main.c, so that unit tests link what the program runs.
noinst_LTLIBRARIES += libcore.la
libcore_la_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS) $(LIBURING_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS) -pthread
libcore_la_LIBADD = $(LIBURING_LIBS) $(JANSSON_LIBS) $(SECCOMP_LIBS) -ldl -lpthread
libcore_la_SOURCES =

include core/base/local.mk
include core/config/local.mk
include core/plugin/local.mk
include core/kernel/local.mk
include core/transport/local.mk
include core/queue/local.mk
include core/device/local.mk
include core/check/local.mk
include core/cli/local.mk

bin_PROGRAMS += ublk-host
ublk_host_SOURCES = core/main.c
ublk_host_LDADD = libcore.la $(CORE_LIBS)
