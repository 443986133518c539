# SPDX-License-Identifier: MIT
# limit: 90
# What run and serve tell a service manager, by the protocol of sd_notify.
. "$UBLK_TEST_LIB"
need_tool perl

export NOTIFY_SOCKET=$T/notify
perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
	$| = 1; while (defined $s->recv(my $m, 4096)) { $m =~ s/\n/ /g; print "$m\n" }' \
	"$NOTIFY_SOCKET" >"$T/told" 2>"$T/perl" &
manager=$!
trap 'kill $manager' EXIT
listening() { [[ -S $NOTIFY_SOCKET ]] || ! kill -0 $manager; }
wait_for 10 listening
kill -0 $manager 2>/dev/null || { trap - EXIT; skip "no IO::Socket::UNIX of perl: $(head -n 1 "$T/perl")"; }
told() { grep -Eq -- "$1" "$T/told"; }

WATCHDOG_USEC=600000 serve --plugin null
wait_for 5 told '^READY=1$'
wait_for 5 told '^WATCHDOG=1$'
! told STOPPING || fail "it is said to stop: $(cat "$T/told")"
stop
wait_for 5 told '^STOPPING=1$'

# Not every server of a supervisor, but the supervisor.
: >"$T/told"
mkdir "$T/devices"
echo '{ "ublk_device_manifest": "1.0", "plugin": "null" }' >"$T/devices/one.json"
export WATCHDOG_USEC=600000
supervise "$T/devices"
unset WATCHDOG_USEC
wait_for 5 told '^READY=1$'
told '^STATUS=1 of 1 devices served$' || fail "no status: $(cat "$T/told")"
wait_for 5 told '^WATCHDOG=1$'
cp "$T/devices/one.json" "$T/devices/two.json"
kill -HUP "$supervisor"
wait_ready 2
wait_for 5 told '^STATUS=2 of 2 devices served$'
told '^RELOADING=1 MONOTONIC_USEC=[0-9]+$' || fail "no reload: $(cat "$T/told")"
stop "$supervisor"
wait_for 5 told '^STOPPING=1$'
same "times ready" "$(grep -c '^READY=1$' "$T/told")" 2
same "times stopping" "$(grep -c '^STOPPING=1$' "$T/told")" 1
nothing_served
