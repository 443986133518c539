# SPDX-License-Identifier: MIT
# limit: 1800
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb|ublkb[0-9]*: unable to read partition table
# Devices come and go, 64 at a time, while their servers, and the programs that start and stop them, are
# interrupted, killed and stopped at random moments. Every verb ends in time, and nothing is left behind:
# gc removes what those that were killed could not. UBLK_TEST_CYCLES and UBLK_TEST_SEED change a run.
. "$UBLK_TEST_LIB"
n=64 cycles=64
emulated && cycles=32
cycles=${UBLK_TEST_CYCLES:-$cycles}
RANDOM=${UBLK_TEST_SEED:-$RANDOM}
seed=$RANDOM
note "UBLK_TEST_SEED=$seed"
# Before Linux 7.0, START_DEV reads partitions itself, and hangs for ever if its server dies of SIGKILL then.
no_kill=1
! kernel_has batch_io || no_kill=

kernel_kib() { awk '/^(Slab|KernelStack|Percpu|PageTables|VmallocUsed|Shmem):/ { n += $2 } END { print n }' /proc/meminfo; }
available_kib() { awk '/^MemAvailable:/ { print $2 }' /proc/meminfo; }
settle() { sleep 1; echo 3 >/proc/sys/vm/drop_caches; }
programs() { find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/exe' -lname '*/ublk-host' 2>/dev/null || true; }

# In a cycle, which is a process of its own. A failure ends it, and is in the file of its number.
pause() { # MILLISECONDS: at most
	local ms=$((RANDOM % $1))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

run_in() { # SECONDS STATUS COMMAND...: ends in time, with a status that matches the pattern
	local seconds=$1 want=$2 status=0
	shift 2
	timeout --kill-after=1 "$seconds" "$@" >"$out" 2>&1 </dev/null || status=$?
	# shellcheck disable=SC2053 # a pattern
	[[ $status == $want ]] || fail "$*: status $status: $(cat "$out")"
}

strike() { # SIGNAL PID: at a random moment; one that was stopped goes on later
	pause $window
	kill -"$1" "$2" 2>/dev/null || true
	[[ $1 == STOP ]] || return 0
	pause 500
	kill -CONT "$2" 2>/dev/null || true
}

its_server() { # sets server, of a device that is up
	server=$(sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p' "/run/ublk-host/${dev#/dev/ublkb}.json")
	[[ $server ]] || fail "no server in the state of $dev"
}

its_end() { # however it got here: down, unless it is gone
	local status=0
	# A server that comes up although its starter was killed still writes to $out.
	timeout --kill-after=1 60 ublk-host down --force --timeout 20 "$name" >"$out.end" 2>&1 </dev/null || status=$?
	((status == 0)) || grep -Eq "no device|has just gone" "$out.end" ||
		fail "down --force $name: status $status: $(cat "$out.end")"
}

cycle() { # NUMBER HOW
	local name=cycle-$1 out=$T/out-$1 how=$2 dev server pid signal options window=600
	((RANDOM % 2)) || window=6000 # so many at a time are slow to start
	case $((RANDOM % 4)) in
	0) options=(--plugin null) ;;
	1 | 2) options=(--plugin mem --opt size=4M) ;;
	3)
		truncate -s 4M "$T/backing-$1"
		options=(--plugin file --opt path="$T/backing-$1")
		;;
	esac
	options+=(--name "$name" --depth 16 --queues $((RANDOM % 2 + 1)) --quiet)
	signal=TERM
	case $((RANDOM % 3)) in 1) signal=KILL ;; 2) signal=STOP ;; esac
	[[ ! $no_kill || $how != server-starts || $signal != KILL ]] || signal=TERM

	case $how in
	server-starts)
		ublk-host run "${options[@]}" >"$out" 2>"$T/log-$1" </dev/null &
		pid=$!
		strike $signal $pid
		[[ $signal == KILL ]] || kill -TERM $pid 2>/dev/null || true
		wait $pid || [[ $? != 2 ]] || fail "run: $(cat "$T/log-$1")"
		;;
	up)
		ublk-host up --log-file "$T/log-$1" "${options[@]}" >"$out" 2>&1 </dev/null &
		pid=$!
		strike $signal $pid
		wait $pid || [[ $? != 2 ]] || fail "up: $(cat "$out")"
		;;
	*)
		run_in 60 0 ublk-host up --log-file "$T/log-$1" "${options[@]}"
		dev=$(cat "$out")
		[[ -b $dev ]] || fail "up printed \"$dev\""
		dd if="$dev" of=/dev/null bs=64k count=4 iflag=direct status=none || fail "$dev cannot be read"
		;;
	esac
	case $how in
	calm) run_in 60 0 ublk-host down "$name" ;;
	server)
		its_server
		strike $signal "$server"
		# Whatever has become of it, the device can be removed.
		;;
	recover)
		its_server
		kill -KILL "$server"
		ublk-host recover "$name" >"$out" 2>&1 </dev/null &
		pid=$!
		strike $signal $pid
		wait $pid || true
		;;
	down)
		ublk-host down "$name" >"$out" 2>&1 </dev/null &
		pid=$!
		strike $signal $pid
		wait $pid || true
		;;
	down-of-stopped)
		its_server
		kill -STOP "$server"
		run_in 25 1 ublk-host down --timeout 1 "$name"
		((RANDOM % 2)) || kill -CONT "$server" # and it stops; else --force kills it
		;;
	esac
	[[ $how == calm ]] || its_end
	rm -f "$out" "$out.end" "$T/log-$1" "$T/backing-$1"
}

ways=(calm server-starts server-starts up server recover down down-of-stopped)
done=0 rounds=0 found=0 worst=0
while ((done < cycles)); do
	began=$(now_ms) pids=()
	for ((i = 0; i < n && done < cycles; i++, done++)); do
		(
			RANDOM=$(((seed + done) * 7919))
			how=${ways[RANDOM % ${#ways[@]}]}
			note "cycle $done: $how"
			cycle $done "$how"
		) 2>"$T/err-$done" &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}" || {
			c=$((done - ${#pids[@]} + i))
			fail "$(cat "$T/err-$c"; tail -n 5 "$T/log-$c" 2>/dev/null || true)"
		}
	done
	rm -f "$T"/err-*
	took=$(($(now_ms) - began))
	((took <= worst)) || worst=$took

	# Servers whose starter was killed end by themselves. Half-written files count as left after 10 s.
	# shellcheck disable=SC2016 # of eval
	wait_for 40 eval '[[ ! $(programs) ]]'
	[[ ! $(find /run/ublk-host -name '*.tmp') ]] || sleep 12
	ublk-host gc >"$T/gc" 2>&1 </dev/null || fail "gc: $(cat "$T/gc")"
	found=$((found + $(grep -c '^would-' "$T/gc" || true)))
	timeout 60 ublk-host gc --yes --force >"$T/gc" 2>&1 </dev/null || fail "gc --yes --force: $(cat "$T/gc")"
	nothing_served
	if ((rounds++ == 0)); then
		settle
		memory=$(kernel_kib) available=$(available_kib)
	fi
done
settle
note "$done cycles, $found things left to gc, the longest $n at a time $worst ms;" \
	"kernel memory $memory -> $(kernel_kib) KiB, available $available -> $(available_kib) KiB"
at_most "growth of kernel memory (KiB)" $(($(kernel_kib) - memory)) 8192
at_most "loss of available memory (KiB)" $((available - $(available_kib))) 16384
same "device numbers in use" "$(ls /sys/class/ublk-char)" ""
