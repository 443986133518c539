# SPDX-License-Identifier: MIT
# Fuzz targets. Configured with --enable-fuzzing (as `make fuzz` does, in a folder of its own) their main is
# libFuzzer's; otherwise it is driver.c, and they are tests.
if HAVE_CHECK
FUZZ_PLANES = tests/fuzz/planes
else
FUZZ_PLANES =
endif
FUZZERS = \
	tests/fuzz/sizes \
	tests/fuzz/cpulists \
	tests/fuzz/json_text \
	tests/fuzz/device_manifests \
	tests/fuzz/plugin_manifests \
	tests/fuzz/config \
	tests/fuzz/options \
	tests/fuzz/limits \
	tests/fuzz/descriptors \
	tests/fuzz/plugin_files \
	tests/fuzz/states \
	$(FUZZ_PLANES)
check_PROGRAMS += $(FUZZERS)
check_LTLIBRARIES += tests/fuzz/libfuzz.la
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run

FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/fuzz
FUZZ_CFLAGS = $(AM_CFLAGS) $(LIBURING_CFLAGS) $(JANSSON_CFLAGS) -pthread
FUZZ_LIBS = tests/fuzz/libfuzz.la libcore.la $(CORE_LIBS)
tests_fuzz_libfuzz_la_SOURCES = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
tests_fuzz_libfuzz_la_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_libfuzz_la_CFLAGS = $(FUZZ_CFLAGS)
if FUZZING
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_LINK =
tests_fuzz_libfuzz_la_SOURCES += tests/fuzz/driver.c
TESTS += $(FUZZERS)
endif

tests_fuzz_sizes_SOURCES = tests/fuzz/sizes.c
tests_fuzz_sizes_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_sizes_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_sizes_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_sizes_LDADD = $(FUZZ_LIBS)

tests_fuzz_cpulists_SOURCES = tests/fuzz/cpulists.c
tests_fuzz_cpulists_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_cpulists_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_cpulists_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_cpulists_LDADD = $(FUZZ_LIBS)

tests_fuzz_json_text_SOURCES = tests/fuzz/json_text.c
tests_fuzz_json_text_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_json_text_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_json_text_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_json_text_LDADD = $(FUZZ_LIBS)

tests_fuzz_device_manifests_SOURCES = tests/fuzz/device_manifests.c
tests_fuzz_device_manifests_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_device_manifests_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_device_manifests_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_device_manifests_LDADD = $(FUZZ_LIBS)

tests_fuzz_plugin_manifests_SOURCES = tests/fuzz/plugin_manifests.c
tests_fuzz_plugin_manifests_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_plugin_manifests_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_plugin_manifests_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_plugin_manifests_LDADD = $(FUZZ_LIBS)

tests_fuzz_config_SOURCES = tests/fuzz/config.c
tests_fuzz_config_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_config_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_config_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_config_LDADD = $(FUZZ_LIBS)

tests_fuzz_options_SOURCES = tests/fuzz/options.c
tests_fuzz_options_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_options_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_options_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_options_LDADD = $(FUZZ_LIBS)

tests_fuzz_limits_SOURCES = tests/fuzz/limits.c
tests_fuzz_limits_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_limits_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_limits_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_limits_LDADD = $(FUZZ_LIBS)

tests_fuzz_descriptors_SOURCES = tests/fuzz/descriptors.c
tests_fuzz_descriptors_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_descriptors_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_descriptors_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_descriptors_LDADD = $(FUZZ_LIBS)

tests_fuzz_plugin_files_SOURCES = tests/fuzz/plugin_files.c
tests_fuzz_plugin_files_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_plugin_files_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_plugin_files_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_plugin_files_LDADD = $(FUZZ_LIBS)

tests_fuzz_states_SOURCES = tests/fuzz/states.c
tests_fuzz_states_CPPFLAGS = $(FUZZ_CPPFLAGS)
tests_fuzz_states_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_states_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_states_LDADD = $(FUZZ_LIBS)

# With the rig of the data plane's unit tests.
tests_fuzz_planes_SOURCES = tests/fuzz/planes.c $(PLANE)
tests_fuzz_planes_CPPFLAGS = $(FUZZ_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_fuzz_planes_CFLAGS = $(FUZZ_CFLAGS) $(CHECK_CFLAGS)
tests_fuzz_planes_LDFLAGS = $(FUZZ_LINK) -Wl,--wrap=_mark_point,--wrap=_ck_assert_failed
tests_fuzz_planes_LDADD = $(FUZZ_LIBS) $(CHECK_LIBS)

# make fuzz [FUZZ_SECONDS=N] [FUZZ_TARGETS="states planes"]: run them, with a table at the end.
# make fuzz-corpus [FUZZ_TARGETS=...]: take what they found into the tree's corpora, as little as will do.
# make fuzz-afl [FUZZ_SECONDS=N]: AFL++ on `ublk-host --manifest`.
.PHONY: fuzz fuzz-corpus fuzz-afl
fuzz:
	$(srcdir)/tests/fuzz/run fuzz '$(abs_top_srcdir)' '$(abs_top_builddir)/fuzz' $(FUZZ_TARGETS)
fuzz-corpus:
	$(srcdir)/tests/fuzz/run corpus '$(abs_top_srcdir)' '$(abs_top_builddir)/fuzz' $(FUZZ_TARGETS)
fuzz-afl:
	$(srcdir)/tests/fuzz/run afl '$(abs_top_srcdir)' '$(abs_top_builddir)/fuzz-afl'
