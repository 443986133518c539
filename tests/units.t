#!/bin/sh
# SPDX-License-Identifier: MIT
# The units for systemd: they name this installation, and systemd itself finds nothing wrong with them.
set -u
srcdir=$(cd "$(dirname "$0")/.." && pwd) || exit 99
top_builddir=$(cd "${top_builddir:-.}" && pwd) || exit 99
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
nr=0 failed=0

ok() # STATUS TEXT
{
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		failed=$((failed + 1))
		sed 's/^/# /' "$dir/out"
	fi
}

echo "1..7"
cd "$top_builddir/etc" || exit 99
grep -H '@[a-z]*@' ublk-host.service ublk-host@.service ublk-host.conf >"$dir/out"
[ $? -eq 1 ]
ok $? "every path is filled in"

# Conflicts= would stop devices under their mounts, of the one that is started or of the other: it works both ways.
! grep -H '^Conflicts=.*ublk-host' ublk-host.service ublk-host@.service >"$dir/out"
ok $? "neither is stopped by the other"

# What systemd stops, and it stops much (updates of libraries, reboots), may be in use.
sed -n 's/^ExecStop=.*MAINPID.*exec [^ ]* //p; s/^KillSignal=//p' ublk-host@.service | tr '\n' ' ' >"$dir/out"
[ "$(cat "$dir/out")" = "down --wait 60 %i' SIGUSR1 " ]
ok $? "a device is left to its users before it is stopped"

grep '^RestartKillSignal=' ublk-host.service >"$dir/out"
[ "$(cat "$dir/out")" = "RestartKillSignal=SIGUSR1" ]
ok $? "a restart of the supervisor leaves the devices alone"

# The program need not be installed yet: its place is taken by one that is there.
program=$(sed -n 's/^ExecSt[a-z]*=.*[= ]\([^ ]*ublk-host\) .*/\1/p; s/^ExecStart=\([^ ]*\) .*/\1/p' ublk-host.service ublk-host@.service | sort -u)
echo "$program" >"$dir/out"
[ "$(echo "$program" | wc -l)" -eq 1 ] && [ "${program##*/}" = ublk-host ]
ok $? "both start the same program"

if command -v systemd-analyze >/dev/null; then
	sed "s|$program|/bin/true|" ublk-host.service >"$dir/ublk-host.service"
	sed "s|$program|/bin/true|" ublk-host@.service >"$dir/ublk-host@disk.service"
	SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$dir/ublk-host.service" \
		"$dir/ublk-host@disk.service" >"$dir/out" 2>&1
	status=$?
	[ $status -eq 0 ] && ! grep "ublk-host" "$dir/out" | grep -v modprobe
	ok $? "systemd-analyze verify"
else
	nr=$((nr + 1))
	echo "ok $nr - systemd-analyze verify # SKIP there is none"
fi

# As ublk-host(8) has it for filesystems on devices.
generator=
for generator in /usr/lib/systemd/system-generators/systemd-fstab-generator \
	/lib/systemd/system-generators/systemd-fstab-generator; do
	[ ! -x "$generator" ] || break
done
if command -v systemd-analyze >/dev/null && [ -x "$generator" ]; then
	options=$(sed -n 's/.*C<\(_netdev,[^>]*\)>.*/\1/p' "$srcdir/doc/ublk-host.pod")
	mkdir "$dir/made"
	echo "/dev/disk/by-id/ublk-host-disk /data ext4 defaults,$options 0 2" >"$dir/fstab"
	SYSTEMD_FSTAB=$dir/fstab "$generator" "$dir/made" "$dir/made" "$dir/made" >"$dir/out" 2>&1
	cp "$dir/ublk-host.service" "$dir/made"
	SYSTEMD_UNIT_PATH=$dir/made: SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no \
		"$dir/made/data.mount" "$dir/made/ublk-host.service" >>"$dir/out" 2>&1
	grep -q 'Requires=ublk-host.service' "$dir/made/data.mount" && ! grep -q 'ordering cycle' "$dir/out"
	ok $? "a filesystem in fstab is mounted after the service, without a cycle"
else
	nr=$((nr + 1))
	echo "ok $nr - a filesystem in fstab # SKIP there is no systemd-analyze, or no systemd-fstab-generator"
fi
exit $failed
