# SPDX-License-Identifier: MIT
# limit: 900
# dmesg-ok: I/O error|error, dev ublkb
# Every system call and control command of making and ending a device fails once, one at a time (tests/faults):
# each ends with a message or is borne, and nothing stays behind that gc does not name and remove. A sample of
# them, of another beginning each time; UBLK_TEST_STEP=1 takes all.
. "$UBLK_TEST_LIB"
need_plugin faults
emulated && skip "an emulated machine is too slow for hundreds of devices"
step=${UBLK_TEST_STEP:-4}
first=$((RANDOM % step + 1))
export FAULTS=$T/shared
size=$((64 + 4096 * 48))

arm() { # N: the call that fails; 0: none
	truncate -s 0 "$FAULTS"
	truncate -s $size "$FAULTS"
	# shellcheck disable=SC2059 # bytes
	printf "$(printf '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8)))" |
		dd of="$FAULTS" bs=1 seek=4 conv=notrunc status=none
}
word() { od -An -t u4 -j "$1" -N 4 "$FAULTS" | tr -d ' '; } # OFFSET
failed_call() { dd if="$FAULTS" bs=1 skip=16 count=48 status=none | tr -d '\0'; }
call_name() { dd if="$FAULTS" bs=48 skip=$((64 + 48 * $1))B count=48B iflag=fullblock status=none | tr -d '\0'; } # N

run() { # OUT COMMAND...: its status
	local out=$1 status=0
	shift
	timeout --kill-after=5 40 env LD_PRELOAD="$plugins/faults.so" "$@" >"$out" 2>&1 </dev/null || status=$?
	return $status
}

left() { # what is there of devices, processes, and files of the host's
	ls /sys/class/ublk-char
	find /run/ublk-host -mindepth 1 ! -type d
	find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/exe' -lname '*/ublk-host' 2>/dev/null || :
}

nothing_left() {
	local end=$((${EPOCHREALTIME/./} + 3000000))
	while [[ $(left) ]]; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.02
	done
}

said() { sed 's/^/#     /' "$T/up" "$T/down" "$T/log" 2>/dev/null || :; }
complain() { # what it is, and what was said
	problems+=("call $n ($call): $*")
	echo "# call $n ($call): $*"
	said
}

clean() { # by the means that a user has
	timeout 20 ublk-host down --force --all >"$T/clean" 2>&1 || :
	timeout 20 ublk-host gc --yes --force >>"$T/clean" 2>&1 || :
	nothing_left || fail "call $n ($call): neither down nor gc removes: $(left); $(cat "$T/clean")"
}

# Up, a little use, down. One of the calls on the way fails.
round() { # N PLUGIN OPTION...
	local up=0 down=0
	n=$1
	shift
	rm -f "$T/log" "$T/down"
	arm "$n"
	run "$T/up" ublk-host up --plugin-timeout 5 --log-file "$T/log" --name victim --plugin "$@" || up=$?
	if ((up == 0)); then
		node=$(grep -m 1 -o '^/dev/ublkb[0-9]*$' "$T/up") || node=
		[[ $node ]] || complain "up says 0 and names no node"
		timeout 20 dd if="$T/data" of="$node" bs=64k oflag=direct conv=notrunc status=none 2>"$T/dd" ||
			[[ $(failed_call) ]] || fail "writing: $(cat "$T/dd")"
		run "$T/down" ublk-host down victim || down=$?
	fi
	call=$(failed_call)
	[[ $call ]] || return 0
	nr=$((nr + 1))
	if ((up == 124 || up == 137 || down == 124 || down == 137)); then
		complain "it hung"
	elif ((up > 2 || down > 2)); then
		complain "status $up of up, $down of down"
	elif ((up || down)); then
		ended=$((ended + 1))
		[[ -s $T/up && (down -eq 0 || -s $T/down) ]] || complain "it says nothing"
	else
		borne=$((borne + 1))
	fi
	if ! nothing_left; then
		# A server that died of it, or a removal that failed: then somebody was told.
		stays=$(left | tr '\n' ' ')
		if ((up == 0 && down == 0)) && [[ ! -s $T/down && ! -s $T/log ]]; then
			complain "this is left, and nobody was told: $stays"
		else
			tidied=$((tidied + 1))
			echo "# call $n ($call), up $up, down $down: left to gc: $stays"
			said
		fi
		clean
	fi
}

sequence() { # PLUGIN OPTION...
	local calls
	call=none
	round 0 "$@"
	calls=$(word 0)
	at_least "calls on the way" "$calls" 200
	note "$1: $calls calls"
	for ((at = first; at <= calls; at += step)); do
		armed=$((armed + 1))
		round "$at" "$@"
	done
}

problems=() armed=0 nr=0 ended=0 borne=0 tidied=0
random_file "$T/data" 65536
truncate -s 16M "$T/backing"
sequence mem --opt size=16M
sequence file --opt path="$T/backing"
note "$nr calls failed: $ended ended it, $borne were borne; $tidied left something to gc"
((${#problems[@]} == 0)) || fail "${#problems[@]} of $nr: $(printf '%s\n' "${problems[@]}" | head -n 5)"
at_least "calls that failed" "$nr" $((armed / 2))
# And after all that a device is a device.
up --plugin mem --opt size=16M --name after
fio_verify "$dev"
down after
