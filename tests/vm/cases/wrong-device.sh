# SPDX-License-Identifier: MIT
# limit: 150
# Wishes about the device that this kernel, or a device that is there already, does not grant.
. "$UBLK_TEST_LIB"

up --plugin null --id 5 --name five
expect_fail 1 '5.*(taken|exists|in use)|(taken|exists|in use).*5' ublk-host --plugin null --id 5
expect_fail 1 'five.*taken|taken.*five' ublk-host --plugin null --name five
[[ -b /dev/ublkb5 ]] || fail "a failed start took the other's device away"
same "link by name" "$(readlink -f /run/ublk-host/by-name/five)" /dev/ublkb5
[[ -e /run/ublk-host/5.json ]] || fail "a failed start took the other's state away"
down five

# More queues than CPUs: what is granted is used, and said.
serve --plugin mem --opt size=16M --queues 64
matches "$log" "grants? $(nproc) queue"
same "queues" "$(entries "/sys/block/${dev#/dev/}/mq")" "$(nproc)"
stop

for wrong in "--depth 0" "--depth 5000" "--queues 0" "--queues 5000" "--logical-block 300" "--logical-block 8192" \
	"--max-io 1000" "--max-io 0" "--id -1" "--id 2000000" "--cpus x" "--data-path warp" \
	"--physical-block 300" "--name a/b" "--name=" "--io-timeout x"; do
	# shellcheck disable=SC2086 # words
	expect_fail 2 '.' ublk-host --plugin null $wrong
	nothing_served
done
# A CPU that this machine does not have.
expect_fail '[12]' '4095' ublk-host --plugin null --cpus 4095
nothing_served
expect_fail 1 'logical block|4096' ublk-host --plugin mem --opt size=1000 --logical-block 4096
nothing_served

# Somebody without the right to do this.
if ((EUID == 0)); then
	expect_fail 1 'ermission|root|privilege' setpriv --reuid 65534 --regid 65534 --clear-groups \
		ublk-host --plugin null
	expect_fail 1 'ermission|root|privilege' setpriv --reuid 65534 --regid 65534 --clear-groups \
		ublk-host up --plugin null
	nothing_served
fi
