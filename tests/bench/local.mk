# SPDX-License-Identifier: MIT
# make bench [BENCH="null-4k file-512k-* ..."] [BENCH_FLAGS="--quick --candidates copy,null_blk ..."]:
# see tests/bench/run --help. Tables, JSON and plots go to bench/ in the build tree.
EXTRA_DIST += tests/bench/Analysis.pm tests/bench/Plot.pm tests/bench/Series.pm tests/bench/candidates \
	tests/bench/candidates-kublk tests/bench/copies tests/bench/guest.sh tests/bench/report tests/bench/report.t tests/bench/run \
	tests/bench/run.t tests/bench/workloads

TESTS += tests/bench/run.t
if HAVE_POD2MAN
# Where that is, perl is.
TESTS += tests/bench/report.t
endif

bench: all
	rm -rf bench/stage
	$(MAKE) $(AM_MAKEFLAGS) -s install DESTDIR='$(abs_builddir)/bench/stage' >/dev/null
	$(top_srcdir)/tests/bench/run --build . --stage bench/stage --output bench $(BENCH_FLAGS) $(BENCH)
	@echo 'To keep the tables and plots in the source: cp bench/results.* bench/*.svg $(top_srcdir)/doc/benchmarks/'

.PHONY: bench
