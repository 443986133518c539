#!/bin/bash
# SPDX-License-Identifier: MIT
# What the benchmark would run, for what it is asked for. The program under test is played by a script.
set -u
export LC_ALL=C
run=$(cd "$(dirname "$0")" && pwd)/run
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
nr=0
mkdir -p "$work/stage/usr/bin"
cat >"$work/stage/usr/bin/ublk-host" <<'END'
#!/bin/sh
cat <<'JSON'
{
  "data_paths": {
    "fast+batch": "a path",
    "copy": "another"
  },
  "plugins": []
}
JSON
END
chmod +x "$work/stage/usr/bin/ublk-host"

plan() { "$run" --stage "$work/stage" --plan "$@" >"$work/out" 2>"$work/err"; }

result() { # STATUS NAME
	nr=$((nr + 1))
	if (($1 == 0)); then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		sed 's/^/# /' "$work/out" "$work/err"
	fi
}

prints() { # NAME LINE...: what the last plan is
	local name=$1
	shift
	diff <(printf '%s\n' "$@") "$work/out" >"$work/err"
	result $? "$name"
}

fails() { # NAME REGEX ARGUMENT...
	local name=$1 regex=$2 status
	shift 2
	plan "$@"
	status=$?
	[[ $status == 2 ]] && grep -Eq -- "$regex" "$work/err"
	result $? "$name"
}

plan --candidates copy,null_blk null-4k-randread-d32
prints "two candidates of one workload" \
	"null-4k-randread-d32 copy ublk --data-path copy" "null-4k-randread-d32 null_blk null_blk"

plan --candidates null_blk,copy,loop-direct,loop-tmpfs,brd mem-4k-randread-d3-j2-q2
prints "candidates that do not fit the target are left out; any workload may be named" \
	"mem-4k-randread-d3-j2-q2 copy ublk --data-path copy" "mem-4k-randread-d3-j2-q2 loop-tmpfs loop tmpfs" \
	"mem-4k-randread-d3-j2-q2 brd brd"

plan --also "old=$work/stage" --candidates "copy,copy@old,two=--data-path copy --depth 2,both@old=--poll 1" null-4k-read-d1
prints "other builds and other options" "null-4k-read-d1 copy ublk --data-path copy" \
	"null-4k-read-d1 copy@old ublk build=old --data-path copy" "null-4k-read-d1 two ublk --data-path copy --depth 2" \
	"null-4k-read-d1 both@old ublk build=old --poll 1"

plan --candidates copy 'null-512k-*' null-512k-read-d8
prints "patterns, and nothing twice" "null-512k-read-d8 copy ublk --data-path copy" \
	"null-512k-write-d8 copy ublk --data-path copy"

plan null-4k-randread-d32
grep -q '^null-4k-randread-d32 fast+batch ublk --data-path fast+batch$' "$work/out"
result $? "every data path that the program names is a candidate"
grep -q '^null-4k-randread-d32 nbd nbd' "$work/out"
result $? "so is every line of the table"

plan --kublk /bin/true --candidates kublk-batch null-4k-randread-d32
prints "the server of the kernel's tests, where it is given" "null-4k-randread-d32 kublk-batch kublk --auto_zc --batch"

plan --candidates copy && [[ $(wc -l <"$work/out") -ge 10 ]]
result $? "without a workload: the set main"
plan --candidates copy all && ! cut -d ' ' -f 1 "$work/out" | sort | uniq -d | grep -q .
result $? "all has no workload twice"
for set in $("$run" --stage "$work/stage" --list | sed -n '/^Sets/,/^Cand/s/^  \([a-z0-9-]*\): .*/\1/p'); do
	plan --candidates copy "$set" && [[ -s $work/out ]]
	result $? "set $set"
done

fails "an unknown workload" 'no workload or set null-5x' null-5x
fails "an unknown pattern" 'no workload or set null-4k-sideways-d1' null-4k-sideways-d1
fails "an unknown candidate" 'no candidate fastest' --candidates fastest null-4k-read-d1
fails "a build that was not given" 'no build new' --candidates copy@new null-4k-read-d1
fails "the server of the kernel's tests is not given" 'no candidate kublk' --candidates kublk null-4k-read-d1
fails "it is not there" '--kublk /nowhere: no program' --kublk /nowhere null-4k-read-d1
fails "an option without its value" '--rounds needs a value' --rounds
fails "an unknown option" 'no option --fast' --fast yes
echo "1..$nr"
