# SPDX-License-Identifier: MIT
# Queue threads run where --cpus says: on their queue's own CPUs, anywhere, or on a list.
. "$UBLK_TEST_LIB"

(($(nproc) >= 2)) || skip "this machine has one CPU"
lists() { # the CPUs of every thread but the first, as far as they differ from the process's own
	local t
	for t in "/proc/$pid/task"/*; do
		[[ ${t##*/} == "$pid" ]] || sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$t/status"
	done | sort -u | tr '\n' ' '
}
all=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)

serve --plugin mem --opt size=4M --queues 2 --cpus none
same "--cpus none" "$(lists)" "$all "
stop
serve --plugin mem --opt size=4M --queues 2 --cpus 1
same "--cpus 1" "$(lists | tr ' ' '\n' | grep -cx 1)" 1
fio_verify "$dev" --size=1M
stop
serve --plugin mem --opt size=4M --queues 2 --cpus auto
[[ $(lists) != "$all " ]] || fail "--cpus auto binds nothing: $(lists)"
stop
