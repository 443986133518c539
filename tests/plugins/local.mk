# SPDX-License-Identifier: MIT
# Backends for tests only. -rpath makes libtool build a .so of a library that is never installed.
TEST_PLUGIN_LDFLAGS = -rpath /nowhere $(PLUGIN_LDFLAGS)

# Well-behaved ones, for what the three backends that we ship leave out: the call and async profiles.
check_LTLIBRARIES += tests/plugins/callmem.la tests/plugins/asyncmem.la \
	tests/plugins/mortal.la tests/plugins/sized.la tests/plugins/fixed.la

tests_plugins_callmem_la_SOURCES = tests/plugins/callmem.c
tests_plugins_callmem_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_callmem_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_callmem_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_mortal_la_SOURCES = tests/plugins/mortal.c
tests_plugins_mortal_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_mortal_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_mortal_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_sized_la_SOURCES = tests/plugins/sized.c
tests_plugins_sized_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_sized_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_sized_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_fixed_la_SOURCES = tests/plugins/fixed.c
tests_plugins_fixed_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_fixed_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_fixed_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_asyncmem_la_SOURCES = tests/plugins/asyncmem.c
tests_plugins_asyncmem_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_asyncmem_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS) -pthread
tests_plugins_asyncmem_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

# A file whose limits change with its server, and the same with one thread for the whole device.
check_LTLIBRARIES += tests/plugins/fickle.la tests/plugins/fickle-serial.la

tests_plugins_fickle_la_SOURCES = tests/plugins/fickle.c
tests_plugins_fickle_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_fickle_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_fickle_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_fickle_serial_la_SOURCES = tests/plugins/fickle.c
tests_plugins_fickle_serial_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DFICKLE_NAME=\"fickle-serial\" \
	-DFICKLE_THREADS=UBLK_THREADS_SERIAL
tests_plugins_fickle_serial_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_fickle_serial_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

# Of the conformance kit's: bytes in memory that flush() writes to a file.
check_LTLIBRARIES += tests/plugins/good-map.la

tests_plugins_good_map_la_SOURCES = tests/defects/good-map.c tests/defects/ram.h
tests_plugins_good_map_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_good_map_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_good_map_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

# The example of the plugin author's guide, as the tests see it; a third party has its own Makefile.
check_LTLIBRARIES += tests/plugins/concat.la

tests_plugins_concat_la_SOURCES = doc/example-plugin/concat.c
tests_plugins_concat_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -D_FILE_OFFSET_BITS=64
tests_plugins_concat_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_concat_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

# Three that misbehave.
check_LTLIBRARIES += tests/plugins/bad.la tests/plugins/hang.la tests/plugins/liar.la

tests_plugins_liar_la_SOURCES = tests/plugins/liar.c
tests_plugins_liar_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_liar_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_liar_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_bad_la_SOURCES = tests/plugins/bad.c
tests_plugins_bad_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_bad_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS) -pthread
tests_plugins_bad_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_hang_la_SOURCES = tests/plugins/hang.c
tests_plugins_hang_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_hang_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
tests_plugins_hang_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

# One that tries what it must not, and the same with sockets and programs declared.
check_LTLIBRARIES += tests/plugins/outlaw.la tests/plugins/licensed.la

tests_plugins_outlaw_la_SOURCES = tests/plugins/outlaw.c
tests_plugins_outlaw_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_outlaw_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS) -pthread
tests_plugins_outlaw_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)

tests_plugins_licensed_la_SOURCES = tests/plugins/outlaw.c
tests_plugins_licensed_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DOUTLAW_NAME=\"licensed\" \
	-D'OUTLAW_NEEDS=(UBLK_PLUGIN_NEEDS_NETWORK | UBLK_PLUGIN_NEEDS_PROCESSES)'
tests_plugins_licensed_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS) -pthread
tests_plugins_licensed_la_LDFLAGS = -module $(TEST_PLUGIN_LDFLAGS)
