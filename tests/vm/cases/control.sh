# SPDX-License-Identifier: MIT
# limit: 120
# Control commands against the driver, without a server: the unit test that can only be run where there is one.
. "$UBLK_TEST_LIB"
[[ -x $plugins/kernel_ctrl ]] || skip "tests/unit/kernel_ctrl was not built"
"$plugins/kernel_ctrl" >"$T/tap" 2>&1 || fail "it failed: $(cat "$T/tap")"
not_matches "$T/tap" '^not ok|SKIP'
at_least "tests" "$(grep -c '^ok' "$T/tap")" 10
nothing_served
