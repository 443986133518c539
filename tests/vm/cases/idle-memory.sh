# SPDX-License-Identifier: MIT
# An idle null server keeps less than 8 MiB beside its I/O buffers, and takes no processor time.
. "$UBLK_TEST_LIB"

ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }

serve --plugin null --queues 4 --depth 128
sleep 1
# I/O buffers are anonymous mappings of at least one queue's worth; thread arenas are not resident.
rest=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { anon = NF < 6 || $6 ~ /^\[anon/ }
	/^Size:/ { size = $2 } /^Rss:/ { if (!(anon && size >= 16384 && $2 > 1024)) rest += $2 } END { print rest }' "/proc/$pid/smaps")
note "resident: $(rss_kib "$pid") KiB, beside buffers $rest KiB"
at_most "resident memory beside I/O buffers (KiB)" "$rest" 8191
before=$(ticks)
sleep 3
at_most "processor time of 3 idle seconds (ticks)" $(($(ticks) - before)) 2
stop
