# SPDX-License-Identifier: MIT
# Tests of the plugin room, of the contract's layout, and of the verb that lists plugins.
check_PROGRAMS += tests/unit/plugin_check tests/unit/plugin_file tests/unit/plugin_find \
	tests/unit/plugin_load tests/unit/verb_plugins
TESTS += tests/unit/plugin_check tests/unit/plugin_file tests/unit/plugin_find \
	tests/unit/plugin_load tests/unit/verb_plugins tests/abi/header.t
dist_check_SCRIPTS += tests/abi/header.t

tests_unit_plugin_check_SOURCES = tests/unit/plugin_check.c tests/unit/capture.h
tests_unit_plugin_check_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_plugin_check_CFLAGS = $(UNIT_CFLAGS)
tests_unit_plugin_check_LDADD = $(UNIT_LIBS)

tests_unit_plugin_file_SOURCES = tests/unit/plugin_file.c tests/unit/capture.h \
	tests/unit/scratch.h
tests_unit_plugin_file_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_plugin_file_CFLAGS = $(UNIT_CFLAGS)
tests_unit_plugin_file_LDADD = $(UNIT_LIBS)
EXTRA_tests_unit_plugin_file_DEPENDENCIES = tests/plugins/load/stamp

tests_unit_plugin_find_SOURCES = tests/unit/plugin_find.c tests/unit/capture.h \
	tests/unit/scratch.h
tests_unit_plugin_find_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_plugin_find_CFLAGS = $(UNIT_CFLAGS)
tests_unit_plugin_find_LDADD = $(UNIT_LIBS)
EXTRA_tests_unit_plugin_find_DEPENDENCIES = tests/plugins/load/stamp

tests_unit_plugin_load_SOURCES = tests/unit/plugin_load.c tests/unit/capture.h \
	tests/unit/scratch.h
tests_unit_plugin_load_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_plugin_load_CFLAGS = $(UNIT_CFLAGS)
tests_unit_plugin_load_LDADD = $(UNIT_LIBS)
EXTRA_tests_unit_plugin_load_DEPENDENCIES = tests/plugins/load/stamp

tests_unit_verb_plugins_SOURCES = tests/unit/verb_plugins.c tests/unit/capture.h tests/unit/verb_run.h \
	tests/unit/scratch.h
tests_unit_verb_plugins_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_verb_plugins_CFLAGS = $(UNIT_CFLAGS)
tests_unit_verb_plugins_LDADD = $(UNIT_LIBS)
EXTRA_tests_unit_verb_plugins_DEPENDENCIES = tests/plugins/load/stamp

# The contract as it was frozen, and what tells whether it still is so.
EXTRA_DIST += tests/abi/1.0/ublk-plugin.h tests/abi/1.0/layout.h tests/abi/layout.c \
	tests/abi/cross/stdio.h tests/abi/make-future

# Plugins that are broken in one way each, made by the compiler alone, as a third party would.
LOAD_FIXTURES = good future no-symbol v2 major function short-symbol other-name bad-option \
	undefined secret constructor
LOAD_FIXTURE_FILES = tests/plugins/load/fixture.h tests/plugins/load/good.c \
	tests/plugins/load/future.c tests/plugins/load/no-symbol.c tests/plugins/load/v2.c \
	tests/plugins/load/major.c tests/plugins/load/function.c \
	tests/plugins/load/short-symbol.c tests/plugins/load/other-name.c \
	tests/plugins/load/bad-option.c tests/plugins/load/undefined.c \
	tests/plugins/load/borrowed.c tests/plugins/load/newer.c tests/plugins/load/secret.c \
	tests/plugins/load/constructor.c
EXTRA_DIST += $(LOAD_FIXTURE_FILES)
LOAD_FIXTURE_CC = $(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARN_CFLAGS) -I$(top_srcdir)/include \
	-fPIC -shared

# Built for a minor to come: one that can live without it, and one that cannot.
tests/abi/future/ublk-plugin.h: include/ublk-plugin.h tests/abi/make-future
	$(AM_V_GEN)$(MKDIR_P) tests/abi/future && \
		$(top_srcdir)/tests/abi/make-future <$(top_srcdir)/include/ublk-plugin.h >$@

tests/plugins/load/stamp: $(LOAD_FIXTURE_FILES) include/ublk-plugin.h tests/abi/future/ublk-plugin.h
	$(AM_V_GEN)$(MKDIR_P) tests/plugins/load && for f in $(LOAD_FIXTURES); do \
		$(LOAD_FIXTURE_CC) -o tests/plugins/load/$$f.so \
			$(top_srcdir)/tests/plugins/load/$$f.c || exit 1; \
	done && $(LOAD_FIXTURE_CC) -o tests/plugins/load/borrowed.so \
		$(top_srcdir)/tests/plugins/load/borrowed.c -Wl,--no-as-needed \
		-Ltests/plugins/load -l:good.so -Wl,-rpath,'$$ORIGIN' && \
	for minor in 0 2; do \
		$(CC) $(CPPFLAGS) -Itests/abi/future $(CFLAGS) -std=gnu11 $(WARN_CFLAGS) -fPIC -shared \
			-DMIN_HOST_MINOR=$$minor -DNAME="\"newer$$minor\"" \
			-o tests/plugins/load/newer$$minor.so $(top_srcdir)/tests/plugins/load/newer.c || exit 1; \
	done && : > $@

CLEANFILES += tests/abi/future/ublk-plugin.h tests/plugins/load/stamp tests/plugins/load/*.so
