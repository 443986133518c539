# SPDX-License-Identifier: MIT
# Limits of the machine that leave no room for a device are refused with the knob's name, before there
# is one; those that only may be too narrow are told.
. "$UBLK_TEST_LIB"
disabled=/proc/sys/kernel/io_uring_disabled ublks_max=/sys/module/ublk_drv/parameters/ublks_max
was_max=$(cat $ublks_max)
restore() {
	[[ ! -e $disabled ]] || echo 0 >$disabled
	echo "$was_max" >$ublks_max
}
trap restore EXIT

# Open files: by our own reckoning, by the kernel's refusal, and a limit that we may raise.
expect_fail 1 'RLIMIT_NOFILE.*LimitNOFILE=' prlimit --nofile=20:20 ublk-host --plugin null
expect_fail 1 '6 files open.*LimitNOFILE=' prlimit --nofile=6:6 ublk-host --plugin null
nothing_served
prlimit --nofile=20:4096 ublk-host up --plugin null --name raised >"$T/out" 2>&1 || fail "$(cat "$T/out")"
down raised

if [[ -e $disabled ]]; then
	echo 2 >$disabled
	expect_fail 1 'kernel.io_uring_disabled is 2.*sysctl' ublk-host --plugin null
	echo 0 >$disabled
	nothing_served
fi

# The driver counts all devices, or those of unprivileged users only.
devices=$(find /sys/class/ublk-char -name 'ublkc*' 2>/dev/null | wc -l)
echo "$devices" >$ublks_max
if kernel_has support_zero_copy; then
	serve --plugin null
	stop
else
	expect_fail 1 "limit is $devices.*$ublks_max" ublk-host --plugin null
fi
echo "$was_max" >$ublks_max
nothing_served
