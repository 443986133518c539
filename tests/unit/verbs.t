#!/bin/bash
# SPDX-License-Identifier: MIT
# The verbs that make, change and end devices, over a driver that is made up: fake_host is all of ublk-host
# but for what asks the kernel. Nothing here needs privilege or a driver. What real kernels do with the same
# verbs is in tests/vm/cases.
set -u
top_builddir=$(cd "${top_builddir:-.}" && pwd) || exit 99
host=$top_builddir/tests/unit/fake_host
[ -x "$host" ] || { echo "Bail out! no $host"; exit 99; }
# Memory that outlives a server is a file system of root's: it goes away with this.
if [ -z "${verbs_apart:-}" ] && unshare --mount true 2>/dev/null; then
	verbs_apart=1 exec unshare --mount --propagation private bash "$0"
fi
why=$(UBLK_FAKE_DRIVER='?' "$host")
[ -z "$why" ] || { echo "$why"; exit 0; }
dir=$(mktemp -d -p /dev/shm) || exit 99
trap 'end_all; rm -rf "$dir" 2>/dev/null || { umount -l "$dir/run/memory"; rm -rf "$dir"; }' EXIT
mkdir "$dir/run" "$dir/devices"
export UBLK_FAKE_DRIVER=$dir UBLK_HOST_RUN_DIR=$dir/run UBLK_HOST_PLUGIN_PATH=$top_builddir/plugins/.libs
nr=0 failed=0

end_all() { # what a failed test may have left
	local file pid
	for file in "$dir"/run/*.json "$dir"/serve.pid; do
		[ -e "$file" ] || continue
		pid=$(sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p; s/^\([0-9]*\)$/\1/p' "$file")
		[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	done
}

ok() { # STATUS TEXT
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		failed=$((failed + 1))
		sed 's/^/# out: /' "$dir/out"
		sed 's/^/# err: /' "$dir/err"
	fi
}

skip() { # TEXT WHY
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

host() { # ARGUMENT...: the status is left in $status
	timeout 60 "$host" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

does() { # TEXT PATTERN ARGUMENT...: ends with 0, and says PATTERN
	local text=$1 pattern=$2
	shift 2
	host "$@"
	[ $status -eq 0 ] && grep -Eq -- "$pattern" "$dir/out" "$dir/err"
	ok $? "$text"
}

refuses() { # STATUS TEXT PATTERN ARGUMENT...: with that status, and one line that says PATTERN
	local wanted=$1 text=$2 pattern=$3
	shift 3
	host "$@"
	[ $status -eq "$wanted" ] && grep -Eq -- "$pattern" "$dir/err" && [ "$(wc -l <"$dir/err")" -eq 1 ]
	ok $? "$text"
}

until_true() { # COMMAND...: within 20 seconds
	local i
	for ((i = 0; i < 400; i++)); do
		"$@" >"$dir/out" 2>"$dir/err" && return
		sleep 0.05
	done
	return 1
}

pid_of() { # NAME
	"$host" info "$1" 2>/dev/null | sed -n 's/^pid: *//p'
}

is_live() { "$host" list 2>/dev/null | grep -Eq "^[0-9]+ +$1 .* live "; } # NAME
is_down() { ! "$host" info "$1" >/dev/null 2>&1; }                       # NAME

nothing_left() { # TEXT
	local left
	left=$(find "$dir/run" "$dir" -maxdepth 1 \( -name '*.json' -o -name '*.stats' -o -name 'ublk[bc]*' \))
	[ -z "$left" ]
	ok $? "$1${left:+: left are $left}"
}

# a plugin that takes registered buffers only, which this driver does not have
mkdir "$dir/plugins"
cp "$top_builddir/tests/plugins/.libs/fixed.so" "$dir/plugins"
refuses 1 "a plugin that no data path can serve" \
	'no data path can serve plugin fixed.*UBLK_DATA_FIXED.*SUPPORT_ZERO_COPY, Linux 6\.15' \
	run --plugin fixed --plugin-dir "$dir/plugins" --sandbox off
does "features tells of it" '^ +fixed +- +zero-copy needs a newer ublk driver' features --plugin-dir "$dir/plugins"
does "features --json tells of it" '"data_path": null' features --json --plugin-dir "$dir/plugins"
nothing_left "a device that cannot be leaves nothing"

# one device
does "list without devices" 'no ublk devices' list
does "up" '^/dev/ublkb900001$' up --plugin null --opt size=1M --name one --sandbox off
does "list" '^900001 +one +/dev/ublkb900001 +1M +null +live' list
does "list --json" '"name": "one"' list --json
does "info" '^size: +1M$' info one
does "info by id" '^name: +one$' info 900001
does "info by node" '^name: +one$' info /dev/ublkb900001
does "info --json" '"manifest": \{' info one --json
does "stats" '^read +0 ' stats one
does "stats --json" '"queues"' stats one --json
does "stats --latency" 'latenc|one: 0 requests' stats one --latency on
refuses 1 "a name that is taken" 'the name one is taken' up --plugin null --opt size=1M --name one --sandbox off
refuses 2 "a size that the plugin does not take" 'logical-block 4096: the size of plugin null' \
	up --plugin null --opt size=512 --logical-block 4096 --sandbox off
refuses 1 "info of nothing" 'two' info two
refuses 1 "down of nothing" 'two' down two
does "resize" 'from 1M to 2M' resize one 2M
does "resize is in the state" '^option size: +2M$' info one
refuses 2 "resize to what cannot be" 'no multiple' resize one 1000
refuses 1 "recover of what is served" '900001 cannot be recovered: process' recover one
does "another beside it" '^/dev/ublkb900002$' up --plugin mem --opt size=1M --name two --sandbox off --queues 1

exchanged() { # N ARGUMENT...: sets status; what was named former when the state was read N times is one then
	local i verb_pid n=$1 state=$dir/run/900001.json
	shift
	cp "$state" "$dir/now"
	sed -i 's/^  "name": "one"/  "name": "former"/' "$state"
	: >"$dir/strace"
	ASAN_OPTIONS=detect_leaks=0 strace -o "$dir/strace" -P 900001.json -e trace=openat \
		-e inject=openat:delay_enter=1000000:when=$((n + 1)) "$host" "$@" >"$dir/out" 2>"$dir/err" </dev/null &
	verb_pid=$!
	for ((i = 0; i < 2000 && $(grep -c 900001.json "$dir/strace") < n; i++)); do sleep 0.01; done
	cp "$dir/now" "$state"
	wait $verb_pid
	status=$?
}

# The id goes to another device between the look for the name and the look at the device.
if command -v strace >/dev/null; then
	for verb in "down --force former" "resize former 4M" "upgrade former" "recover former" "info former" \
		"stats former" "export former"; do
		# shellcheck disable=SC2086 # words
		exchanged 2 $verb
		[ $status -eq 1 ] && grep -q ' former: it has just gone' "$dir/err" && is_live one
		ok $? "${verb%% *} of a name whose id is another's by now"
	done
else
	skip "verbs of a name whose id is another's by now" "there is no strace"
fi
does "down" '^stopped one' down one
does "down by node" 'two' down /dev/ublkb900002
nothing_left "down leaves nothing"

# a device that outlives its server
exec 9>"$dir/lock"
does "up with recovery" '^/dev/ublkb900001$' up --plugin null --opt size=1M --name one --sandbox off --recovery queue
exec 9>&-
! find "/proc/$(pid_of one)/fd" -lname "$dir/lock" | grep -q .
ok $? "a server keeps nothing that who started it had open"
kill -KILL "$(pid_of one)"
until_true bash -c "'$host' list 2>/dev/null | grep -q quiesced"
ok $? "a server that was killed leaves it waiting"
does "list names the cure" 'ublk-host recover one' list
if command -v strace >/dev/null; then
	exchanged 1 up --recover --plugin null --opt size=1M --name former --sandbox off
	grep -q '^/dev/ublkb900002$' "$dir/out"
	ok $? "up --recover of a name whose id is another's by now"
	host down former
else
	skip "up --recover of a name whose id is another's by now" "there is no strace"
fi
does "gc lets it wait" 'recover' gc
host doctor
grep -q '^bad .*ublk-host recover one' "$dir/out"
ok $? "doctor speaks of it"
does "recover" 'recovered one' recover one
before=$(pid_of one)
does "upgrade" 'upgraded one' upgrade one
[ -n "$before" ] && [ "$(pid_of one)" != "$before" ]
ok $? "upgrade gives it another server"
in_hand_of() { # PID: as a verb that is about to change the server of device one would note it
	local start
	start=$(cut -d ' ' -f 22 "/proc/$1/stat")
	sed -i "s/^ *\"pid\":/\"in_hand\": $1, \"in_hand_start\": $start,\n&/" "$dir/run/900001.json"
}
sleep 60 &
other=$!
in_hand_of $other
refuses 1 "two upgrades at once" "one|900001.*upgraded: process $other is changing its server" upgrade one
kill -KILL "$(pid_of one)"
until_true bash -c "'$host' list 2>/dev/null | grep -q quiesced"
refuses 1 "recover during an upgrade" "recovered: process $other is changing its server" recover one
kill $other
wait $other 2>/dev/null
does "recover when that has ended" 'recovered one' recover one
kill -KILL "$(pid_of one)"
does "down without a server" 'one' down one
nothing_left "down without a server leaves nothing"

# of another user
if [ "$(id -u)" -eq 0 ]; then
	chmod 777 "$dir" # the driver that is made up makes nodes in the server's name
	does "up --user" '^/dev/ublkb900001$' up --plugin mem --opt size=1M --name one --user 3999999999:3999999998 \
		--sandbox off --recovery reissue
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$(pid_of one)/status")" = 3999999999 ]
	ok $? "is that user's"
	[ "$(stat -c %u "$dir/run/900001.json")" = 0 ]
	ok $? "its state is root's"
	kill -TERM "$(pid_of one)"
	until_true is_down one
	nothing_left "it removes its files"
	[ -z "$(find "$dir/run/memory" -type f)" ]
	ok $? "and its memory"
else
	skip "up --user" "only root can"
fi
refuses 2 "--user of nobody" 'there is no such user|only root' up --plugin null --opt size=1M --user no-such-user

# names that a state file cannot have
bytes=$(printf 'a\377b')
mkdir "$dir/$bytes"
cp "$UBLK_HOST_PLUGIN_PATH/null.so" "$dir/$bytes/nil.so"
refuses 2 "a folder of plugins that is not UTF-8" 'its path is not text in UTF-8' up --plugin nil --opt size=1M \
	--plugin-dir "$dir/$bytes"
refuses 2 "a log that is not UTF-8" '--log-file: expected a path in UTF-8' up --plugin null --opt size=1M --log-file "$dir/$bytes/log"

# a cache that nothing flushes
does "up of a plugin that cannot flush" 'warning: plugin flush-nothing: .*a flush does nothing' up \
	--plugin "$top_builddir/tests/defects/flush-nothing.so" --name one --sandbox off
host down one

# one that does not
does "up without recovery" '^/dev/ublkb900001$' up --plugin null --opt size=1M --name one --sandbox off --recovery none
refuses 1 "upgrade of what cannot be handed over" 'one' upgrade one
kill -KILL "$(pid_of one)"
until_true bash -c "! '$host' list 2>/dev/null | grep -q live"
ok $? "its server's end is its own"
refuses 1 "recover of what does not wait" 'one|900001' recover one
does "gc tells of it" 'would-remove.*ublkb900001' gc
does "gc removes it" 'removed.*ublkb900001' gc --yes
nothing_left "gc leaves nothing"
does "several at once: one" 900001 up --plugin null --opt size=1M --sandbox off
does "several at once: two" 900002 up --plugin null --opt size=1M --sandbox off
does "down --all" 'null-900002' down --all
nothing_left "down --all leaves nothing"

# in the foreground
"$host" run --plugin null --opt size=1M --name fore --sandbox off >"$dir/fore" 2>&1 </dev/null &
fore=$!
until_true is_live fore
ok $? "run"
kill -TERM $fore
wait $fore
ok $? "run ends by SIGTERM with 0"
grep -q '^/dev/ublkb900001$' "$dir/fore"
ok $? "run tells its node"
nothing_left "run leaves nothing"

# supervised
manifest() { # NAME SIZE [MEMBERS]
	printf '{ "ublk_device_manifest": "1.0", "plugin": "null", "options": { "size": "%s" },
		"device": { "sandbox": "off"%s } }\n' "$2" "${3:-}" >"$dir/devices/$1.json"
}

# a server that has ended before it is told to go on
if command -v strace >/dev/null; then
	manifest unfit sixteen
	ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace=none -e inject=pidfd_open:delay_enter=500000 \
		"$host" serve "$dir/devices" >"$dir/serve" 2>&1 </dev/null &
	serve=$!
	until_true grep -q '^ublk-host: ready: ' "$dir/serve"
	grep -q 'unfit: given up: its manifest is wrong' "$dir/serve"
	ok $? "a server that ends at once is told of as such"
	kill -TERM "$(ps -o pid= --ppid $serve | head -n 1)"
	wait $serve
	rm "$dir/devices/unfit.json"
else
	skip "a server that ends at once is told of as such" "there is no strace"
fi

manifest one 1M ', "recovery": "queue"'
manifest two 1M ', "recovery": "none"'
echo '{ "ublk_device_manifest": "1.0", "plugin": "null", "devise": 1 }' >"$dir/devices/wrong.json"
"$host" serve "$dir/devices" >"$dir/serve" 2>&1 </dev/null &
serve=$!
echo $serve >"$dir/serve.pid"
until_true is_live one && until_true is_live two
ok $? "serve brings up what its folder names"
until_true grep -q 'wrong.json:1:.*devise' "$dir/serve"
ok $? "serve tells of a manifest that is wrong"
refuses 1 "one supervisor at a time" "ublk-host serve, process $serve, already sees to" serve "$dir/devices"
for name in one two; do
	before=$(pid_of $name)
	kill -KILL "$before"
	anew() { now=$(pid_of "$name") && [ -n "$now" ] && [ "$now" != "$before" ] && is_live "$name"; }
	until_true anew
	ok $? "serve gives $name another server"
done
does "down of a supervised one" 'stopped two' down two
manifest three 2M
rm "$dir/devices/one.json" "$dir/devices/wrong.json"
kill -HUP $serve
until_true is_live three && until_true is_down one
ok $? "SIGHUP: serve follows the folder"
manifest three 4M
kill -HUP $serve
until_true grep -q 'three: .*asks for another /options/size' "$dir/serve"
ok $? "SIGHUP: serve tells of a change that it cannot follow"
kill -TERM $serve
wait $serve
ok $? "serve ends by SIGTERM with 0"
rm -f "$dir/serve.pid"
nothing_left "serve leaves nothing"

# with a server that stands by
standby_of() { "$host" info "$1" 2>/dev/null | sed -n 's/^standby: *//p'; } # NAME
stands_by() { [ -n "$(standby_of one)" ]; }
served_by_standby() { [ "$(pid_of one)" = "$standby" ] && is_live one; }
rm -f "$dir"/devices/*
manifest one 1M ', "recovery": "queue"'
manifest two 1M ', "recovery": "none"'
"$host" serve "$dir/devices" --standby --restart-limit 0 >"$dir/serve" 2>&1 </dev/null &
serve=$!
echo $serve >"$dir/serve.pid"
until_true stands_by
ok $? "serve --standby"
for round in first second; do
	until_true stands_by
	standby=$(standby_of one)
	kill -KILL "$(pid_of one)"
	until_true served_by_standby
	ok $? "who stands by for the $round server is the next"
done
[ -z "$(standby_of two)" ]
ok $? "nobody stands by for what ends with its server"
until_true stands_by
kill -KILL "$(standby_of one)"
until_true grep -q 'one: .*the server that stood by was killed' "$dir/serve"
ok $? "one that stood by, and died, is told of"
before=$(pid_of one)
kill -KILL "$before"
name=one
until_true anew
ok $? "and the next server comes without it"
until_true stands_by
standby=$(standby_of one) before=$(pid_of one)
does "upgrade beside it" 'upgraded one' upgrade one
exchanged_too() { now=$(standby_of one) && [ -n "$now" ] && [ "$now" != "$standby" ]; }
until_true exchanged_too
ok $? "another one stands by for the server after it"
standby=$(standby_of one)
does "down of what has one" 'stopped one' down one
[ ! -e "/proc/$standby" ] || [ "$(cut -d ' ' -f 3 "/proc/$standby/stat")" = Z ]
ok $? "which has ended, too"
# one that is taken down while the supervisor waits before it gives it the next server
kill -HUP $serve
until_true is_live one
ok $? "a reload brings it back"
for round in 0 1 2 3; do
	before=$(pid_of one)
	kill -KILL "$before"
	until_true anew
done
kill -KILL "$(pid_of one)"
until_true grep -q 'one: .*the next one in [48]00 ms' "$dir/serve"
does "down of one that waits for its next server" 'one' down one
sleep 1.2
is_down one
ok $? "it stays down"
kill -TERM $serve
wait $serve
ok $? "serve --standby ends by SIGTERM with 0"
rm -f "$dir/serve.pid"
nothing_left "serve --standby leaves nothing"

# the driver does not answer when a server has died: that says nothing of the device
rm -f "$dir"/devices/*
manifest one 1M ', "recovery": "queue"'
"$host" serve "$dir/devices" >"$dir/serve" 2>&1 </dev/null &
serve=$!
echo $serve >"$dir/serve.pid"
until_true is_live one
ok $? "serve, and a driver that will not answer"
before=$(pid_of one)
touch "$dir/fail-GET_DEV_INFO"
kill -KILL "$before"
until_true grep -q 'one: .*its server was killed by signal 9 (Killed)$' "$dir/serve"
sleep 2.5
[ "$(grep -c 'one: .*it has no server, and the driver does not tell' "$dir/serve")" -eq 1 ] && [ -e "$dir/ublkc900001" ]
ok $? "the device is left as it is, and that is told once"
host diff "$dir/devices"
[ $status -eq 1 ] && grep -q 'server' "$dir/out" && ! grep -q 'recreate\|anew' "$dir/out"
ok $? "diff does not want to make it anew"
rm "$dir/fail-GET_DEV_INFO"
until_true anew && grep -q 'one: served again' "$dir/serve"
ok $? "it is served on when the driver answers"
touch "$dir/fail-GET_DEV_INFO" "$dir/used"
kill -KILL "$(pid_of one)"
until_true grep -q 'one: .*its server was killed by signal 9 (Killed); the next one in' "$dir/serve"
kill -TERM $serve
wait $serve
[ $? -eq 1 ] && [ -e "$dir/ublkc900001" ]
ok $? "SIGTERM: it is not stopped under users, either"
rm -f "$dir/serve.pid" "$dir/fail-GET_DEV_INFO" "$dir/used"
does "down of it" 'one' down one
nothing_left "which leaves nothing"

# one that cannot be stopped while it waits for a server
rm -f "$dir"/devices/*
manifest one 1M ', "recovery": "queue"'
"$host" serve "$dir/devices" --restart-limit 0 >"$dir/serve" 2>&1 </dev/null &
serve=$!
echo $serve >"$dir/serve.pid"
until_true is_live one
ok $? "serve, and a device that gets users"
touch "$dir/used"
for round in 0 1 2 3; do
	before=$(pid_of one)
	kill -KILL "$before"
	until_true anew
done
before=$(pid_of one)
kill -KILL "$before"
until_true grep -q 'one: .*the next one in 800 ms' "$dir/serve"
rm "$dir/devices/one.json"
kill -HUP $serve
until_true grep -q 'cannot tell whether one .* is in use' "$dir/serve"
ok $? "SIGHUP: it is not stopped"
until_true anew
ok $? "and gets its next server as before"
kill -KILL "$(pid_of one)"
until_true grep -q 'one: .*the next one in 1600 ms' "$dir/serve"
kill -TERM $serve
wait $serve
[ $? -eq 1 ] && [ -e "$dir/run/900001.json" ]
ok $? "SIGTERM: it stays, and the status says so"
rm -f "$dir/serve.pid" "$dir/used"
does "down of what has no users any more" 'one' down one
nothing_left "which leaves nothing"
# what is left of one cannot be removed
manifest two 1M ', "recovery": "none"'
"$host" serve "$dir/devices" >"$dir/serve" 2>&1 </dev/null &
serve=$!
echo $serve >"$dir/serve.pid"
until_true is_live two
touch "$dir/fail-DEL_DEV"
kill -KILL "$(pid_of two)"
until_true grep -q DEL_DEV "$dir/serve"
ok $? "serve, and a device that the driver does not remove"
kill -TERM $serve
wait $serve
[ $? -eq 1 ]
ok $? "SIGTERM: the status says so"
rm -f "$dir/serve.pid" "$dir/fail-DEL_DEV"
does "down when it can be" 'two' down two
nothing_left "which leaves nothing"

echo "1..$nr"
[ $failed -eq 0 ]
