# SPDX-License-Identifier: MIT
# limit: 180
# doctor finds nothing bad on a healthy machine, and each thing that is: with what to do, status 1, and
# nothing changed.
. "$UBLK_TEST_LIB"
disabled=/proc/sys/kernel/io_uring_disabled ublks_max=/sys/module/ublk_drv/parameters/ublks_max
was_max=$(cat $ublks_max)
restore() {
	[[ ! -e $disabled ]] || echo 0 >$disabled
	echo "$was_max" >$ublks_max
}
trap restore EXIT

doctor() { # STATUS COMMAND-BEFORE...
	local status=0 want=$1
	shift
	timeout --kill-after=5 60 "$@" ublk-host doctor >"$T/doctor" 2>&1 </dev/null || status=$?
	same "status of doctor ($(cat "$T/doctor"))" "$status" "$want"
}

doctor 0
not_matches "$T/doctor" '^bad'
for check in kernel driver io_uring data-path ublks_max open-files locked-memory memory nodes users \
	state-folder plugins leftovers huge-pages cpus mount-namespace; do
	matches "$T/doctor" "^(ok|note) +$check "
done
grep -qF "$(uname -r)," "$T/doctor" || fail "doctor does not name the kernel"
ublk-host doctor --json >"$T/json"
matches "$T/json" '"check": "driver"'
same "findings in JSON" "$(grep -c '"level"' "$T/json")" "$(wc -l <"$T/doctor")"

doctor 1 prlimit --nofile=24:24
matches "$T/doctor" '^bad +open-files .*RLIMIT_NOFILE.*LimitNOFILE='
if [[ -e $disabled ]]; then
	echo 2 >$disabled
	doctor 1
	matches "$T/doctor" '^bad +io_uring .*io_uring_disabled is 2.*sysctl'
	same "bad findings" "$(grep -c '^bad' "$T/doctor")" 1
	echo 0 >$disabled
fi

up --plugin null --name one
echo 1 >$ublks_max
if kernel_has support_zero_copy; then
	doctor 0
	matches "$T/doctor" '^ok +ublks_max .*unprivileged'
else
	doctor 1
	matches "$T/doctor" "^bad +ublks_max .*limit is 1.*$ublks_max"
fi
echo "$was_max" >$ublks_max
doctor 0

# What a killed server leaves.
kill -9 "$(server_pid one)"
wait_for 10 bash -c "ublk-host list | grep -Eq ' one .* (dead|quiesced|fail-io) '"
doctor 1
matches "$T/doctor" "^bad +leftovers +$dev \(one\): .*\`ublk-host down one\` removes it"
down one
ln -s /dev/ublkb999 /run/ublk-host/by-name/astray
doctor 0
matches "$T/doctor" '^note +leftovers .*ublk-host gc --yes'
rm /run/ublk-host/by-name/astray

# A plugin that others could change.
mkdir "$T/plugins"
cp "$UBLK_TEST_PREFIX/lib/ublk-host/plugins/null.so" "$T/plugins/loose.so"
chmod 666 "$T/plugins/loose.so"
doctor 1 env UBLK_HOST_PLUGIN_PATH="$T/plugins"
matches "$T/doctor" '^bad +plugins .*loose.so.*could put other code there'
mkdir -m 777 "$T/run" && chmod 777 "$T/run"
doctor 1 env UBLK_HOST_RUN_DIR="$T/run"
matches "$T/doctor" '^bad +state-folder .*others could change what is there'

# An ordinary user is told what to do.
if command -v setpriv >/dev/null; then
	doctor 1 setpriv --reuid 65534 --regid 65534 --clear-groups
	matches "$T/doctor" '^bad +driver +no permission to open /dev/ublk-control; run as root'
	doctor 1 setpriv --reuid 65534 --regid 65534 --clear-groups prlimit --memlock=4096
	matches "$T/doctor" '^(ok|bad) +locked-memory .* KiB'
fi
nothing_served
