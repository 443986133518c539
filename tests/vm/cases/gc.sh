# SPDX-License-Identifier: MIT
# limit: 180
# dmesg-ok: error, dev ublkb|Buffer I/O error|EXT4-fs|Aborting journal|JBD2|device offline
# gc finds what killed servers leave, of ublk-host and as if of another program; tells it, changes
# nothing, and with --yes removes it, but for what is in use.
. "$UBLK_TEST_LIB"
run=/run/ublk-host

killed() { # NAME: kill -9 its server, and wait for the driver to notice
	local server
	server=$(server_pid "$1")
	kill -9 "$server"
	# shellcheck disable=SC2016 # of the inner shell
	wait_for 10 bash -c '! [[ -d /proc/$0 ]] || grep -q "^State:.Z" /proc/$0/status' "$server"
	wait_for 10 bash -c "ublk-host list | grep -Eq ' $1 .* (dead|quiesced|fail-io) '"
}

gc() { # OPTION...
	timeout --kill-after=5 60 ublk-host gc "$@" >"$T/gc" 2>&1 </dev/null || fail "gc $*: $(cat "$T/gc")"
}

gc
matches "$T/gc" 'nothing is left over'
up --plugin null --name alive
alive=$id
up --plugin mem --opt size=16M --name orphan --recovery none
orphan=$id
killed orphan
up --plugin mem --opt size=16M --name foreign --recovery none
foreign=$id
killed foreign
rm "$run/$foreign.json" "$run/by-name/foreign" "$run/$foreign.stats"
up --plugin mem --opt size=16M --name waiting
killed waiting
ln -s /dev/ublkb999 $run/by-name/astray
echo '{ damaged' >$run/998.json
chmod 644 $run/998.json

# Told, and left as it is.
find $run | sort >"$T/before"
gc
matches "$T/gc" "would-remove +device +/dev/ublkb$orphan \(orphan\) +its server"
matches "$T/gc" "would-keep +device +/dev/ublkb$id \(waiting\) .*ublk-host recover $id"
matches "$T/gc" "would-keep +device +/dev/ublkb$foreign +.*may be about to start"
matches "$T/gc" "would-remove +link +$run/by-name/astray"
matches "$T/gc" "would-remove +state +$run/998.json"
not_matches "$T/gc" "alive|/dev/ublkb$alive "
gc --dry-run --json
matches "$T/gc" '"outcome": "would-remove"'
find $run | sort | diff "$T/before" - || fail "gc changed the folder without --yes"
[[ -c /dev/ublkc$orphan && -c /dev/ublkc$foreign ]] || fail "gc removed a device without --yes"

# Removed, but for what is young, and what waits for a new server.
gc --yes
matches "$T/gc" "kept +device +/dev/ublkb$foreign "
[[ ! -e $run/998.json && ! -L $run/by-name/astray ]] || fail "files are left: $(cat "$T/gc")"
[[ -c /dev/ublkc$foreign && -b /dev/ublkb$alive ]] || fail "gc removed what it must not"
[[ ! -c /dev/ublkc$orphan ]] || fail "an orphan is left: $(cat "$T/gc")"
matches "$T/gc" "kept +device +/dev/ublkb$id \(waiting\)"
# A state that cannot be read may name memory that is all that a RAM disk has.
mv "$run/$id.json" "$T/state"
echo '{ damaged' >"$run/$id.json"
gc --yes
mv "$T/state" "$run/$id.json"
ublk-host recover waiting >"$T/recover" 2>&1 || fail "recover: $(cat "$T/recover")"
gc
not_matches "$T/gc" waiting
killed waiting
gc --yes --force
matches "$T/gc" "removed +device +/dev/ublkb$foreign "
matches "$T/gc" "removed +device +/dev/ublkb$id \(waiting\)"
[[ ! -e /dev/ublkc$id && ! -e /dev/ublkc$foreign ]] || fail "devices are left: $(cat "$T/gc")"
gc --yes
matches "$T/gc" 'nothing is left over'
[[ -b /dev/ublkb$alive ]] || fail "gc removed a device that is served"
down alive
nothing_served

# A filesystem that is still mounted.
need_tool mkfs.ext4
need_module ext4
up --plugin mem --opt size=32M --name mounted --recovery none
make_fs ext4 "$dev"
mkdir "$T/mnt"
mount "$dev" "$T/mnt"
killed mounted
gc --yes
matches "$T/gc" "kept +device +$dev \(mounted\) .*in use: mounted on $T/mnt"
[[ -c /dev/ublkc$id ]] || fail "gc removed a device that is mounted"
umount -l "$T/mnt"
wait_for 10 bash -c "ublk-host gc --yes --force; ! [[ -e /dev/ublkc$id ]]"
nothing_served
