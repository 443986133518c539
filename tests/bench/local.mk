# SPDX-License-Identifier: MIT
# make bench [BENCH="null-4k file-512k-* ..."] [BENCH_FLAGS="--quick --candidates copy,null_blk ..."]:
# see tests/bench/run --help. Results go to bench/ in the build tree.
EXTRA_DIST += tests/bench/Analysis.pm tests/bench/candidates tests/bench/guest.sh tests/bench/report \
	tests/bench/run tests/bench/workloads

bench: all
	rm -rf bench/stage && $(MAKE) $(AM_MAKEFLAGS) -s install DESTDIR="$(abs_builddir)/bench/stage"
	$(top_srcdir)/tests/bench/run --build . --stage bench/stage --output bench $(BENCH_FLAGS) $(BENCH)

.PHONY: bench
