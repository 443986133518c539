# SPDX-License-Identifier: MIT
# The surroundings: this kernel has the driver, and the program is where it is installed.
. "$UBLK_TEST_LIB"

note "$(uname -r), $(nproc) CPUs, $UBLK_TEST_SPEED"
[[ -c /dev/ublk-control ]] || fail "no /dev/ublk-control"
[[ -d /sys/class/ublk-char ]] || fail "no /sys/class/ublk-char"
same "place of the program" "$(command -v ublk-host)" "$UBLK_TEST_PREFIX/bin/ublk-host"
ublk-host --version
