# SPDX-License-Identifier: MIT
# From up to a usable device in less than 100 ms, with 4 queues of depth 128.
. "$UBLK_TEST_LIB"

best=100000
for _ in 1 2 3 4 5 6; do
	start=$(now_ms)
	ublk-host up --plugin null --queues 4 --depth 128 --name timed >"$T/node"
	elapsed=$(($(now_ms) - start))
	[[ -b $(cat "$T/node") ]] || fail "no node"
	down timed
	note "up took $elapsed ms"
	((elapsed >= best)) || best=$elapsed
done
if emulated; then
	at_most "time of the fastest start, emulated (ms)" $best 2000
else
	at_most "time of the fastest start (ms)" $best 100
fi
