# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/unit/kernel_ctrl
TESTS += tests/unit/kernel_ctrl
tests_unit_kernel_ctrl_SOURCES = tests/unit/kernel_ctrl.c
tests_unit_kernel_ctrl_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_kernel_ctrl_CFLAGS = $(UNIT_CFLAGS)
tests_unit_kernel_ctrl_LDADD = $(UNIT_LIBS)
