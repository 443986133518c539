# SPDX-License-Identifier: MIT
# The conformance kit, on what keeps the contract and on what has one defect each.
TESTS += tests/check.t
dist_check_SCRIPTS += tests/check.t
EXTRA_DIST += $(top_srcdir)/tests/defects/*.[ch]

# The program, with what tools that look at memory need to know of io_uring.
check_PROGRAMS += tests/kit
tests_kit_SOURCES = core/main.c tests/unit/plane_tools.c
tests_kit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_kit_CFLAGS = $(UNIT_CFLAGS)
tests_kit_LDADD = libcore.la $(CORE_LIBS) -ldl

# Made by the compiler alone, as a third party would; and the examples, for the sanitizers of this build.
DEFECT_CC = $(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARN_CFLAGS) -I$(top_srcdir)/include -fPIC \
	-shared -fvisibility=hidden -pthread
DEFECT_EXAMPLES = heap ram ring concat
tests/defects/stamp: $(top_srcdir)/tests/defects/*.c $(top_srcdir)/tests/defects/ram.h \
		$(top_srcdir)/doc/example-plugin/*.c include/ublk-plugin.h
	$(AM_V_GEN)$(MKDIR_P) tests/defects && \
		for f in $(top_srcdir)/tests/defects/*.c; do basename $$f .c; done | \
		xargs -P 2 -I NAME $(DEFECT_CC) -o tests/defects/NAME.so $(top_srcdir)/tests/defects/NAME.c && \
		for f in $(DEFECT_EXAMPLES); do \
			$(DEFECT_CC) -Wno-unused-parameter -o tests/defects/$$f.so $(top_srcdir)/doc/example-plugin/$$f.c || exit 1; \
		done && \
		: > $@
check_DATA += tests/defects/stamp
CLEANFILES += tests/defects/stamp tests/defects/*.so
