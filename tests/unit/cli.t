#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line without a driver: help, wrong usage, and verbs that must work on any machine.
# Nothing here needs privilege; with a driver, what would create a device is skipped.
set -u
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd) || exit 99
top_builddir=$(cd "${top_builddir:-.}" && pwd) || exit 99
host=$top_builddir/ublk-host
[ -x "$host" ] || { echo "Bail out! no $host"; exit 99; }
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
UBLK_HOST_RUN_DIR=$dir/run
UBLK_HOST_PLUGIN_PATH=$top_builddir/plugins/.libs
export UBLK_HOST_RUN_DIR UBLK_HOST_PLUGIN_PATH
nr=0 failed=0
verbs="run up down serve recover upgrade resize export diff apply list info stats plugins new-plugin check features doctor gc udev help version"

ok() # STATUS TEXT
{
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

skip() # TEXT WHY
{
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

# Run ublk-host; its status is left in $status.
host()
{
	timeout 30 "$host" "$@" >"$dir/out" 2>"$dir/err"
	status=$?
}

lines() # FILE
{
	wc -l <"$dir/$1"
}

# usage TEXT PATTERN ARG...: exit status 2, one line on stderr that matches, nothing on stdout,
# nothing created.
usage()
{
	text=$1 pattern=$2
	shift 2
	host "$@"
	[ $status -eq 2 ] && [ "$(lines err)" -eq 1 ] && [ "$(lines out)" -eq 0 ] &&
		grep -q -- "$pattern" "$dir/err" && [ ! -e "$dir/run" ]
	ok $? "$text"
}

# --- help and version

for how in --help -h help; do
	host $how
	good=0
	[ $status -eq 0 ] && [ "$(lines err)" -eq 0 ] || good=1
	for verb in $verbs; do
		grep -q "^  $verb " "$dir/out" || good=1
	done
	ok $good "$how names every verb"
done

for verb in $verbs; do
	host "$verb" --help
	[ $status -eq 0 ] && [ "$(lines err)" -eq 0 ] && grep -q "^Usage: ublk-host $verb" "$dir/out" &&
		grep -q -- '--help ' "$dir/out"
	ok $? "$verb --help"
	awk 'length > 100 { bad = 1 } END { exit bad }' "$dir/out"
	ok $? "$verb --help fits 100 columns"
	cp "$dir/out" "$dir/help"
	host help "$verb"
	[ $status -eq 0 ] && cmp -s "$dir/out" "$dir/help"
	ok $? "help $verb prints the same"
	# each option that help names is one that the parser knows
	good=0
	# shellcheck disable=SC2013 # words are what is wanted
	for opt in $(sed -n 's/^ .* \(--[a-z-]*\) .*/\1/p' "$dir/help"); do
		host "$verb" "$opt" x --help
		grep -q "unknown option" "$dir/err" && good=1
	done
	ok $good "$verb knows the options of its help"
done

for verb in run up; do
	host $verb --help
	good=0
	for opt in plugin opt plugin-dir manifest id name queues depth max-io read-only logical-block \
		physical-block cpus data-path io-timeout plugin-timeout threads-per-queue poll-us \
		shared-memory sandbox swap-safe user verbose quiet; do
		grep -q -- "--$opt " "$dir/out" || good=1
	done
	ok $good "$verb --help names every option of a device"
done
host up --help
grep -q -- '--log-file FILE|syslog' "$dir/out"
ok $? "up has --log-file"

host --version
[ $status -eq 0 ] && grep -Eq '^ublk-host [0-9.]+ \(plugin ABI 1\.[0-9]+\)$' "$dir/out"
ok $? "--version"
cp "$dir/out" "$dir/version"
host version
cmp -s "$dir/out" "$dir/version"
ok $? "version"

# --- wrong usage

usage "unknown verb" 'unknown verb "lsit" (did you mean "list"?)' lsit
usage "unknown verb that is like none" 'unknown verb "xyzzy"; there are run, up' xyzzy
usage "help of an unknown verb" 'unknown verb "lsit"' help lsit
usage "help of two verbs" 'unexpected argument "up"' help run up
usage "no plugin" 'plugin' run
usage "no plugin, without a verb" 'plugin'
usage "unknown option" 'unknown option --dept (did you mean --depth?)' --plugin mem --dept 4
usage "abbreviated option" 'unknown option --read (did you mean --read-only?)' --plugin mem --read
usage "unknown option with value" 'unknown option --dept ' --plugin mem --dept=4
usage "unknown option that is like none" 'unknown option --xyzzy; see ublk-host run --help' \
	--plugin mem --xyzzy
usage "unknown letter" 'unknown option -x' --plugin mem -x
usage "missing argument" 'option --depth needs an argument' --plugin mem --depth
usage "argument where none belongs" 'option --read-only takes no argument' \
	--plugin mem --read-only=yes
usage "stray argument" 'unexpected argument "mem"' --plugin mem mem
usage "stray argument after --" 'unexpected argument "--depth"' --plugin mem -- --depth
usage "control characters are made visible" 'unexpected argument "a\\x1bb"' \
	--plugin mem "$(printf 'a\033b')"
for verb in list features doctor gc version; do
	usage "$verb takes no word" 'unexpected argument "mem"' $verb mem
done
for verb in down export diff apply list info stats new-plugin check features doctor gc; do
	usage "$verb with an unknown option" 'unknown option --bogus' $verb --bogus
done
usage "check of nothing" 'which plugin' check
usage "check of two" 'unexpected argument "b"' check a b
usage "check of an unknown check" 'there is no check "dat" (did you mean "data"?)' check null --only dat
usage "info of nothing" 'NAME or ID' info
usage "export of nothing" 'NAME or ID' export
usage "export of two" 'unexpected argument "b"' export a b
for verb in diff apply; do
	usage "$verb of nothing" 'which folder? Give DIR' $verb
	usage "$verb of two folders" 'unexpected argument "b"' $verb a b
	usage "$verb of a folder that is not there" 'expected a folder of manifests: No such' $verb "$dir/none"
	usage "$verb of a file" 'expected a folder of manifests: it is none' $verb "$0"
done
usage "diff does not remove" 'unknown option --prune' diff --prune a
usage "dump of nothing" 'takes one plugin' --dump-plugin
usage "dump of two" 'takes one plugin' --dump-plugin a.so b.so
usage "info of two" 'unexpected argument "b"' info a b
usage "down of nothing" 'NAME, ID or --all' down
usage "down of a name and all" 'exclude' down a --all
usage "stats of nothing" 'NAME, ID or --all' stats
usage "stats of two" 'unexpected argument "b"' stats a b
usage "stats of a name and all" 'exclude' stats a --all
usage "stats --count without --interval" '\-\-count needs --interval' stats a --count 3
for value in 0 x -1 86401 ''; do
	usage "stats --interval '$value'" '\-\-interval' stats a --interval "$value"
done
for value in 0 x -1 ''; do
	usage "stats --count '$value'" '\-\-count' stats a --interval 1 --count "$value"
done
for value in yes 1 ON ''; do
	usage "stats --latency '$value'" '\-\-latency: expected on or off' stats a --latency "$value"
done
usage "gc with --dry-run and --yes" 'exclude' gc --yes --dry-run
for value in 0 x -1 86401 ''; do
	usage "down --timeout '$value'" '\-\-timeout' down a --timeout "$value"
done
for value in x -1 86401 ''; do
	usage "down --wait '$value'" '\-\-wait' down a --wait "$value"
done

# --- each option's wrong values

bad() # OPTION VALUE...
{
	option=$1
	shift
	for value; do
		usage "$option '$value'" "$option" run --plugin mem "$option" "$value"
		usage "$option='$value'" "$option" up --plugin mem "$option=$value"
	done
}
bad --depth 0 4097 5000 -1 x 1x '' 99999999999999999999
bad --queues 0 4097 -1 x ''
bad --id -1 1048576 x ''
bad --name '' a/b .. 'a b' -a "$(printf 'a%.0s' $(seq 65))"
bad --max-io 0 100 4097 64M 1Q x ''
bad --logical-block 0 300 513 8192 x ''
bad --physical-block 0 300 x ''
bad --cpus x 3-1 1, ,1 0- 65535 0-65535 70000 ''
bad --io-timeout -1 x 86401 ''
bad --plugin-timeout -1 0 x 86401 ''
bad --threads-per-queue 0 17 x ''
bad --poll-us -1 10001 x ''
bad --sandbox ful on x ''
bad --user :x x: a:b:c -a a/b 'a b' ''
bad --data-path xyzzy ''
bad --opt size =1 ''
bad --manifest ''
usage "a manifest that is not there" '/nonexistent.json: ' run --manifest /nonexistent.json
usage "--plugin ''" '\-\-plugin' run --plugin ''
usage "--log-file ''" '\-\-log-file' up --plugin mem --log-file ''
usage "run has no --log-file" 'unknown option --log-file' run --plugin mem --log-file x
usage "verbose and quiet" 'exclude' run --plugin mem --verbose --quiet
usage "physical below logical" 'physical' run --plugin mem --logical-block 4096 \
	--physical-block 512
usage "an option twice" '\-\-depth' run --plugin mem --depth 4 --depth 5

host run --plugin mem --depth 0 --queues x --bogus word --max-io 1
[ $status -eq 2 ] && [ "$(lines err)" -eq 4 ] && [ ! -e "$dir/run" ]
ok $? "all mistakes are told at once, each in one line"

# --- verbs that need no driver

host list
[ $status -eq 0 ]
ok $? "list"
host list --json
[ $status -eq 0 ] && { [ -e /dev/ublk-control ] || [ "$(cat "$dir/out")" = "[]" ]; }
ok $? "list --json"
host features
[ $status -eq 0 ] && grep -q '^  auto_buf_reg ' "$dir/out" && grep -q '^  mem ' "$dir/out"
ok $? "features"
host features --json
[ $status -eq 0 ] && grep -q '"auto_buf_reg"' "$dir/out"
ok $? "features --json"
odd=$dir/$(printf '\351')
mkdir "$odd" && cp "$UBLK_HOST_PLUGIN_PATH/mem.so" "$odd/odd.so"
UBLK_HOST_RUN_DIR=$odd host features --json --plugin-dir "$odd"
[ $status -eq 0 ] && grep -q '"name": "odd"' "$dir/out" && iconv -f UTF-8 -t UTF-8 "$dir/out" >/dev/null
ok $? "features --json of folders that are not UTF-8"
rm -r "$odd"
host doctor
[ "$(lines err)" -eq 0 ] && grep -Eq '^(ok|note|bad) +plugins ' "$dir/out" &&
	grep -Eq '^(ok|note|bad) +kernel ' "$dir/out" && if grep -q '^bad' "$dir/out"; then [ $status -eq 1 ]; else [ $status -eq 0 ]; fi
ok $? "doctor"
host doctor --json
[ "$(lines err)" -eq 0 ] && grep -q '"check": "kernel"' "$dir/out"
ok $? "doctor --json"
host plugins
[ $status -eq 0 ] && grep -q mem "$dir/out"
ok $? "plugins"
for plugin in null mem file stripe; do
	host --dump-plugin "$top_builddir/plugins/.libs/$plugin.so"
	[ $status -eq 0 ] && [ "$(lines err)" -eq 0 ] && cmp -s "$dir/out" "$top_builddir/plugins/$plugin.json"
	ok $? "--dump-plugin says what is installed beside $plugin.so"
	host plugins $plugin
	[ $status -eq 0 ] && grep -q '^Operations: ' "$dir/out" && grep -q '^  size=SIZE \|^  paths=' "$dir/out"
	ok $? "plugins $plugin"
done
host --dump-plugin "$0"
[ $status -eq 1 ] && [ "$(lines err)" -eq 1 ] && grep -q 'not an ELF shared object' "$dir/err"
ok $? "--dump-plugin of what is no plugin"
mkdir "$dir/devices"
echo '{ "ublk_device_manifest": "1.0", "plugin": "null" }' >"$dir/devices/new.json"
host diff "$dir/devices"
[ $status -eq 1 ] && [ "$(lines err)" -eq 0 ] && grep -q '^to-be-added  new  /.*/new.json$' "$dir/out" && [ ! -e "$dir/run" ]
ok $? "diff"
host apply --dry-run "$dir/devices"
[ $status -eq 1 ] && grep -q '^to-be-added  new ' "$dir/out" && [ ! -e "$dir/run" ]
ok $? "apply --dry-run"
echo '{ "ublk_device_manifest": "1.0", "plugin": "null", "device": { "depth": 0 } }' >"$dir/devices/wrong.json"
for verb in diff apply; do
	usage "$verb of a wrong manifest" 'wrong.json:1:[0-9]*: /device/depth: expected integer' $verb "$dir/devices"
done
rm "$dir"/devices/*
host diff "$dir/devices"
[ $status -eq 0 ] && [ "$(lines out)" -eq 0 ]
ok $? "diff of an empty folder"
POSIXLY_CORRECT=1 timeout 30 "$host" down a --force >"$dir/out" 2>"$dir/err"
[ $? -eq 1 ] && grep -q 'no device' "$dir/err"
ok $? "options may follow words, whatever POSIXLY_CORRECT says"
for verb in down export info stats; do
	host $verb nothing
	[ $status -eq 1 ] && [ "$(lines err)" -eq 1 ] && grep -q 'no device is named "nothing"' "$dir/err"
	ok $? "$verb of an unknown name"
	host $verb 1048000
	[ $status -eq 1 ] && [ "$(lines err)" -eq 1 ] && grep -q 'no device 1048000' "$dir/err"
	ok $? "$verb of an unknown id"
done
host down --all
[ $status -eq 0 ]
ok $? "down --all with no device"
host stats --all --json
[ $status -eq 0 ] && [ "$(cat "$dir/out")" = "[]" ]
ok $? "stats --all with no device"
host list >/dev/full 2>"$dir/err"
"$host" features >/dev/full 2>"$dir/err"
[ $? -eq 1 ] && grep -q 'standard output' "$dir/err"
ok $? "output that is lost is a failure"

# --- completion

offered() # WORD...: what bash offers for the last one
{
	bash -c '. "$1/etc/ublk-host.bash"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_ublk_host 2>/dev/null; printf "%s\n" "${COMPREPLY[@]}"' - "$top_srcdir" "$host" "$@" \
		>"$dir/out" 2>"$dir/err"
}

offers() # WANTED WORD...
{
	wanted=$1
	shift
	if ! command -v bash >/dev/null; then
		skip "completion of $*" "no bash"
		return
	fi
	offered "$@"
	[ "$(LC_ALL=C sort "$dir/out" | tr '\n' ' ')" = "$wanted " ]
	ok $? "completion of $*"
}

offers "udev up upgrade" u
offers "--plugin" upgrade --p
offers "--depth" --de
offers "--dump-plugin" --du
offers "--data-path --depth" run --d
offers "--log-file --logical-block" up --log
offers "--all" down --a
offers "mem" --plugin m
offers "mem" plugins m
offers "auto auto-buf-reg" --data-path auto
offers "none" --cpus n
offers "on" stats --latency on
offers "--interval" stats --i
offers "features" help f
offers "--yes" gc --y
offers "new-plugin" n
offers "--profile" new-plugin --p
offers "async" new-plugin --profile a
offers "--dry-run" apply --d
offers "--recreate" apply --r
offers "--data-path --depth --dump-plugin" --d

# --- state of a device that is gone

mkdir -p "$dir/run/by-name"
cat >"$dir/run/1048001.json" <<EOT
{ "ublk_device_state": "1.0", "id": 1048001, "name": "lost", "node": "/dev/ublkb1048001",
  "plugin_path": "/x/mem.so", "data_path": "copy", "pid": 2147483647, "pid_start": 1,
  "source": "/x/lost.json" }
EOT
ln -s /dev/ublkb1048001 "$dir/run/by-name/lost"
host list
[ $status -eq 0 ] && grep -Eq '^1048001 +lost ' "$dir/out" && grep -q gone "$dir/out"
ok $? "list shows what is left of a gone device"
offers "lost" down l
offers "lost" stats l
offers "lost" recover l
offers "lost" export l
host stats lost
[ $status -eq 1 ] && [ "$(lines err)" -eq 1 ] && grep -q 'lost has no statistics' "$dir/err"
ok $? "stats of a gone device"
offers "1048001" info 10
host info lost
[ $status -eq 0 ] && grep -q /x/mem.so "$dir/out" && grep -q '^source: */x/lost.json$' "$dir/out"
ok $? "info of a gone device"
host info lost --json
[ $status -eq 0 ] && grep -q '"gone"' "$dir/out"
ok $? "info --json of a gone device"
host gc
[ $status -eq 0 ] && grep -q '^would-remove  state .*lost' "$dir/out" && [ -e "$dir/run/1048001.json" ]
ok $? "gc tells what is left of a gone device"
host down lsot
[ $status -eq 1 ] && grep -q 'did you mean "lost"' "$dir/err"
ok $? "down of a mistyped name suggests"
host down lost
[ $status -eq 0 ] && [ ! -e "$dir/run/1048001.json" ] && [ ! -L "$dir/run/by-name/lost" ]
ok $? "down of a gone device cleans up"
echo '{ damaged' >"$dir/run/1048001.json"
host list
[ $status -eq 0 ] && [ "$(grep -c 'damaged' "$dir/err")" -eq 1 ]
ok $? "list goes on after a damaged file"
rm -rf "$dir/run"

# --- no driver

for verb in run up; do
	if [ -e /dev/ublk-control ]; then
		skip "$verb without a driver" "there is a driver"
		continue
	fi
	host $verb --plugin mem --opt size=1M
	[ $status -eq 1 ] && [ "$(lines err)" -ge 1 ] && grep -q 'ublk' "$dir/err" &&
		[ ! -e "$dir/run" ] && [ "$(lines out)" -eq 0 ]
	ok $? "$verb without a driver"
done

echo "1..$nr"
[ "$failed" -eq 0 ]
