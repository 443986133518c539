# SPDX-License-Identifier: MIT
# Preloaded by tests/vm/cases/faults.sh: has single system calls fail.
check_LTLIBRARIES += tests/faults/faults.la
tests_faults_faults_la_SOURCES = tests/faults/faults.c
tests_faults_faults_la_CFLAGS = $(AM_CFLAGS) $(LIBURING_CFLAGS) -Wno-missing-prototypes
tests_faults_faults_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_faults_faults_la_LIBADD = -ldl
