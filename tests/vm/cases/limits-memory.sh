# SPDX-License-Identifier: MIT
# A control group with too little memory: what could not even begin is refused, what may end badly one
# day is told.
. "$UBLK_TEST_LIB"
cgroup=$T/cgroup
restore() {
	[[ ! -d $cgroup/small ]] || rmdir "$cgroup/small"
	! mountpoint -q "$cgroup" || umount "$cgroup"
}
trap restore EXIT

mkdir "$cgroup"
mount -t cgroup2 none "$cgroup" || skip "no control groups"
grep -qw memory "$cgroup/cgroup.controllers" || skip "no control groups for memory"
echo +memory >"$cgroup/cgroup.subtree_control"
mkdir "$cgroup/small"
echo 64M >"$cgroup/small/memory.max"
# shellcheck disable=SC2016 # of that script
printf '%s\n' '#!/bin/bash' "echo \$\$ >$cgroup/small/cgroup.procs" 'exec "$@"' >"$T/inside"
chmod +x "$T/inside"
"$T/inside" ublk-host up --plugin mem --opt size=1G --name big >"$T/out" 2>&1 || fail "$(cat "$T/out")"
matches "$T/out" 'small/memory.max allows 64 MiB.*1024 MiB for what it stores.*MemoryMax='
down big
"$T/inside" ublk-host up --plugin mem --opt size=1M --max-io 4K --name fits >"$T/out" 2>&1 || fail "$(cat "$T/out")"
not_matches "$T/out" memory.max
down fits
truncate -s 128M "$T/shared"
expect_fail 1 'from the start.*MemoryMax=' "$T/inside" ublk-host --plugin null --shared-memory "$T/shared"
nothing_served
