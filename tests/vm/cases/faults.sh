# SPDX-License-Identifier: MIT
# limit: 1800
# dmesg-ok: I/O error|error, dev ublkb
# Every system call and control command of making and ending a device fails once, one at a time (tests/faults):
# each ends with a message or is borne, and nothing stays behind that `down` does not remove. All of them under
# User Mode Linux; elsewhere those that found something once, and from Linux 7.0 on a sample of the others, with
# another beginning each time: before, START_DEV reads partitions itself, and the driver hangs for ever if a
# server ends then. UBLK_TEST_STEP, UBLK_TEST_SEED and UBLK_TEST_CALLS (a regular expression of names) change a
# run.
. "$UBLK_TEST_LIB"
need_plugin faults
shopt -s globstar nullglob
program=$(command -v ublk-host)
RANDOM=${UBLK_TEST_SEED:-$RANDOM}
seed=$RANDOM
RANDOM=$seed
step=8
grep -q "User Mode Linux" /proc/cpuinfo && step=1
step=${UBLK_TEST_STEP:-$step}
export FAULTS=$T/shared
hangs=1
! kernel_has batch_io || hangs=

# -- no processes where bash will do: there are thousands of rounds

preloaded() { # N OUT COMMAND...: its status; its N-th call fails, or its N-th of the name $only
	local nr=$1 out=$2 status=0
	shift 2
	LD_PRELOAD=$plugins/faults.so FAULTS_FAIL=$nr FAULTS_ONLY=${only:-} timeout --kill-after=5 40 "$@" >"$out" 2>&1 </dev/null || status=$?
	return $status
}

left() { # sets left: what is there of devices, processes, and files of the host's
	local path
	left=
	for path in /sys/class/ublk-char/* /dev/ublk[bc]* /run/ublk-host/**; do
		[[ -d $path && ! -L $path && $path == /run/* ]] || left+=" $path"
	done
	for path in /proc/[0-9]*; do
		[[ ! $path/exe -ef $program ]] || left+=" $path"
	done
	[[ $left ]]
}

nothing_left() { # soon
	local end=$((${EPOCHREALTIME/./} + 2000000))
	while left; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.02
	done
}

said() { sed 's/^/#     /' "$T/up" "$T/down" "$T/log" 2>/dev/null || :; }

complain() { # what it is, and what was said
	problems+=("call $n ($call): $*")
	echo "# $kind, call $n ($call: $why): status $up of up, $down of down: $*"
	said
}

# By the means that a user has, and without force.
clean() {
	local status=0 gc=0
	timeout 20 ublk-host down victim >"$T/clean" 2>&1 || status=$?
	nothing_left && return
	timeout 20 ublk-host gc --yes >>"$T/clean" 2>&1 || gc=$?
	nothing_left && return
	complain "neither down ($status) nor gc ($gc) removes$left: $(cat "$T/clean")"
	timeout 20 ublk-host down --force --all >>"$T/clean" 2>&1 || :
	timeout 20 ublk-host gc --yes --force >>"$T/clean" 2>&1 || :
	nothing_left || fail "call $n ($call): even force does not remove$left: $(cat "$T/clean")"
}

# What failed and why; its own words, where it knows more than the kernel's.
told() { # FILE...: somebody was told, and properly
	local text line=
	text=$(cat "$@" 2>/dev/null) || :
	[[ ! $text =~ Success|\(null\)|[Uu]nknown\ error|Error\ 0 ]] || return 1
	while read -r line; do
		[[ ! $line =~ (^|Z )ublk-host: || $line =~ ", data path "|": served "[0-9] ]] || return 0
	done <<<"$text"
	return 1
}

# Up, a little use, down. One of the calls on the way fails.
round() { # N PLUGIN OPTION...
	local wrote=0
	n=$1 up=0 down=0 call='' why=''
	shift
	rm -f "$T/log" "$T/down"
	: >"$FAULTS"
	preloaded "$n" "$T/up" ublk-host up --plugin-timeout 5 --log-file "$T/log" --name victim --plugin "$@" || up=$?
	if ((up == 0)); then
		[[ $(<"$T/up") =~ (^|$'\n')(/dev/ublkb[0-9]+)($|$'\n') ]] || complain "it names no node"
		timeout 20 dd if="$T/data" of="${BASH_REMATCH[2]}" bs=64k oflag=direct conv=notrunc,nocreat status=none 2>"$T/dd" || wrote=$?
		preloaded "$n" "$T/down" ublk-host down victim || down=$?
	fi
	IFS=$'\t' read -r -d '' call why <"$FAULTS" || :
	if [[ ! $call ]]; then # it came to fewer calls this time
		((up == 0 && down == 0 && wrote == 0)) || complain "nothing failed; writing: $(cat "$T/dd")"
		nothing_left || clean
		return 0
	fi
	nr=$((nr + 1))
	if ((up == 124 || up == 137 || down == 124 || down == 137 || wrote == 124)); then
		complain "it hung"
	elif ((up > 1 || down > 1)); then
		complain "an exit status that is not for failures"
	elif ((up || down)); then
		ended=$((ended + 1))
		told "$T/up" "$T/down" || complain "it does not say what failed"
	elif ((wrote)); then
		[[ -s $T/log ]] || complain "writing failed, and the log does not say why"
		ended=$((ended + 1))
	else
		borne=$((borne + 1))
	fi
	nothing_left && return
	stayed=$((stayed + 1))
	if ((up == 0 && down == 0)); then # a server that ended of it, or a removal that failed
		told "$T/log" "$T/down" || complain "this is left, and nobody was told:$left"
	elif ((up)); then
		told "$T/log" "$T/up" || complain "up failed and left this:$left"
	fi
	echo "# $kind, call $n ($call: $why), up $up, down $down: left to the next down or gc:$left"
	said
	clean
}

sequence() { # PLUGIN OPTION...
	local names at
	kind="$*"
	round 0 "$@"
	mapfile -t names < <(head -c $((96 + 48 * 4096)) "$FAULTS" | tr -s '\0' '\n' | grep .)
	at_least "calls on the way ($kind)" ${#names[@]} 200
	note "$kind: ${#names[@]} calls"
	for ((at = RANDOM % step + 1; at <= ${#names[@]}; at += step)); do
		[[ ${names[at - 1]} =~ ${UBLK_TEST_CALLS:-} ]] || continue
		armed=$((armed + 1))
		round "$at" "$@"
	done
}

# What has found something wrong, once.
known() { # PLUGIN OPTION...
	kind="$*"
	for only in lstat write poll unshare umount2 io_uring_submit_and_wait io_uring_submit_and_wait_timeout START_DEV \
		SET_PARAMS DEL_DEV; do
		[[ $only =~ ${UBLK_TEST_CALLS:-} && ! ($hangs && $only == io_uring_submit_and_wait*) ]] || continue
		armed=$((armed + 1))
		round 1 "$@"
	done
	only=
}

problems=() armed=0 nr=0 ended=0 borne=0 stayed=0
random_file "$T/data" 65536
truncate -s 16M "$T/backing"
((step == 1)) || known mem --opt size=16M
if [[ ! $hangs ]]; then
	sequence mem --opt size=16M
	sequence file --opt path="$T/backing"
	sequence mem --opt size=16M --user 6001:6002
fi
note "$nr calls made to fail (every $step-th, seed $seed${hangs:+; this driver hangs if a server ends early}): $ended ended it, $borne were borne; $stayed left something to down or gc"
((${#problems[@]} == 0)) || fail "${#problems[@]} of $nr: $(printf '%s\n' "${problems[@]}" | head -n 5)"
at_least "calls that failed" "$nr" $((armed / 2))
# And after all that a device is a device.
up --plugin mem --opt size=16M --name after
fio_verify "$dev"
down after
