# SPDX-License-Identifier: MIT
# The backends, each loaded from the build tree under a mock host: nothing of the host is linked.
BACKENDS_LIBS = $(CHECK_LIBS) $(LIBURING_LIBS) -ldl
BACKENDS_MOCK = tests/unit/mock_host.c tests/unit/mock_host.h
BACKENDS_FILE_FIXTURE = tests/unit/file_fixture.c tests/unit/file_fixture.h $(BACKENDS_MOCK)

check_PROGRAMS += tests/unit/backends_memory
TESTS += tests/unit/backends_memory

tests_unit_backends_memory_SOURCES = tests/unit/backends_memory.c $(BACKENDS_MOCK)
tests_unit_backends_memory_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_memory_LDADD = $(BACKENDS_LIBS)

check_PROGRAMS += tests/unit/backends_file
TESTS += tests/unit/backends_file

tests_unit_backends_file_SOURCES = tests/unit/backends_file.c $(BACKENDS_FILE_FIXTURE)
tests_unit_backends_file_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_file_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_file_LDADD = $(BACKENDS_LIBS)

check_PROGRAMS += tests/unit/backends_file_access
TESTS += tests/unit/backends_file_access

tests_unit_backends_file_access_SOURCES = tests/unit/backends_file_access.c \
	$(BACKENDS_FILE_FIXTURE)
tests_unit_backends_file_access_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_file_access_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_file_access_LDADD = $(BACKENDS_LIBS)

check_PROGRAMS += tests/unit/backends_block
TESTS += tests/unit/backends_block

tests_unit_backends_block_SOURCES = tests/unit/backends_block.c $(BACKENDS_MOCK)
tests_unit_backends_block_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_block_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_block_LDADD = $(BACKENDS_LIBS)

check_PROGRAMS += tests/unit/backends_profiles
TESTS += tests/unit/backends_profiles

tests_unit_backends_profiles_SOURCES = tests/unit/backends_profiles.c $(BACKENDS_MOCK)
tests_unit_backends_profiles_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_profiles_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_profiles_LDADD = $(BACKENDS_LIBS)

check_PROGRAMS += tests/unit/backends_stripe
TESTS += tests/unit/backends_stripe

tests_unit_backends_stripe_SOURCES = tests/unit/backends_stripe.c $(BACKENDS_MOCK)
tests_unit_backends_stripe_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_backends_stripe_CFLAGS = $(UNIT_CFLAGS)
tests_unit_backends_stripe_LDADD = $(BACKENDS_LIBS)

# The example by the async profile: its source is that of plugin authors, who may leave arguments unused.
check_PROGRAMS += tests/unit/example_ring
TESTS += tests/unit/example_ring
tests_unit_example_ring_SOURCES = tests/unit/example_ring.c doc/example-plugin/ring.c tests/unit/scratch.h tests/unit/tap.h
tests_unit_example_ring_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_example_ring_CFLAGS = $(UNIT_CFLAGS) -Wno-unused-parameter
tests_unit_example_ring_LDADD = $(CHECK_LIBS)
