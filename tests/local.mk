# SPDX-License-Identifier: MIT
# Unit tests speak TAP: Check programs (tests/unit) and scripts (*.t).
TEST_EXTENSIONS = .t
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
T_LOG_DRIVER = $(LOG_DRIVER)
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
	CK_DEFAULT_TIMEOUT=60; export top_srcdir top_builddir CK_DEFAULT_TIMEOUT;
UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(LIBURING_CFLAGS) $(JANSSON_CFLAGS) -pthread
UNIT_LIBS = libcore.la $(CORE_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
include tests/unit/cli.mk
include tests/unit/config.mk
include tests/unit/plugin.mk
include tests/unit/backends.mk
include tests/unit/kernel.mk
include tests/unit/queue.mk
endif
include tests/plugins/local.mk
if HAVE_CHECK
include tests/defects/local.mk
endif
include tests/faults/local.mk
include tests/fuzz/local.mk
include tests/vm/local.mk
include tests/bench/local.mk
EXTRA_DIST += tests/unit/tap.h tests/coverage

# What authors of plugins get, out of the tree.
dist_check_SCRIPTS += tests/sdk.t tests/guide.t
EXTRA_DIST += tests/sdk.sh tests/run-guide
TESTS += tests/sdk.t tests/guide.t

# make coverage: which lines of core/ the tests here run. make coverage-kernels [KERNELS="uml:PATH ..."]
# [CASES="serve ..."]: adds the real-kernel suite, on the kernels and with the cases that tests/vm/run would take.
.PHONY: coverage coverage-kernels
coverage:
	$(srcdir)/tests/coverage unit '$(abs_top_srcdir)' '$(abs_top_builddir)/coverage'
coverage-kernels:
	$(srcdir)/tests/coverage kernels '$(abs_top_srcdir)' '$(abs_top_builddir)/coverage' \
		$(KERNELS:%=--kernel %) $(CASES)
