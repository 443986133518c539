# SPDX-License-Identifier: MIT
CONFIG_TESTS = tests/unit/config_basics
check_PROGRAMS += $(CONFIG_TESTS)
TESTS += $(CONFIG_TESTS)
EXTRA_DIST += tests/unit/config_help.h

tests_unit_config_basics_SOURCES = tests/unit/config_basics.c
tests_unit_config_basics_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_basics_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_basics_LDADD = $(UNIT_LIBS)
