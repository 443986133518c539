# SPDX-License-Identifier: MIT
# limit: 150
# Polling before sleeping: requests find the server awake, and a device without work costs nothing. How
# much sooner one at a time is answered is measured in turns; that it is no later holds natively.
. "$UBLK_TEST_LIB"
need_tool fio

turns=4 runtime=500ms
emulated && turns=2
# Long enough for the slowest machine to send its next request.
polls=(0 1000 auto)
# Who polls has a CPU of its own, where there are two.
apart=() program=()
if (($(nproc) > 1)); then apart=(--cpus 1) program=(--cpus_allowed=0); fi

mean_ns() { # NODE: of one read at a time
	fio --name=one --filename="$1" --rw=randread --bs=4k --size=8M --direct=1 --ioengine=psync \
		--time_based --runtime=$runtime --ramp_time=100ms --randrepeat=1 "${program[@]}" --output="$T/fio" \
		--output-format=json </dev/null >"$T/fio.err" 2>&1 || fail "fio: $(tail -n 5 "$T/fio.err" "$T/fio")"
	awk '$1 == "\"lat_ns\"" { here = 1 } here && $1 == "\"mean\"" { print int($3); exit }' "$T/fio"
}
# The best of some short turns: the machine's other work only adds.
best() { printf '%s\n' "$@" | sort -n | head -n 1; }
ticks() { # PID: CPU time of all its threads, in ticks
	local fields
	read -r -a fields <"/proc/$1/stat"
	echo $((fields[13] + fields[14]))
}
polls() { ublk-host stats "$1" --json | awk '$1 == "\"polls\":" { print $2 + 0; exit }'; }

# Who is awake need not call the kernel to see that there is nothing; a call serves many requests.
calls_per_read() { # NAME
	local before after calls dev=${nodes[1000]}
	before=$(calls_and_reads "$1")
	fio --name=many --filename="$dev" --rw=randread --bs=4k --size=8M --direct=1 --ioengine=libaio \
		--iodepth=32 --iodepth_batch_submit=8 --iodepth_batch_complete_max=32 --time_based \
		--runtime=$runtime "${program[@]}" --output="$T/fio" </dev/null || fail "$(cat "$T/fio")"
	after=$(calls_and_reads "$1")
	calls=$(((${after% *} - ${before% *}) * 1000 / (${after#* } - ${before#* })))
	note "$1: $calls system calls per 1000 reads at depth 32"
	at_most "system calls per 1000 reads of $1 at depth 32" $calls 2000
}
calls_and_reads() { # NAME
	ublk-host stats "$1" --json | awk '$1 == "\"system_calls\":" { calls = $2 + 0 }
		$1 == "\"read\":" { here = 1 } here && $1 == "\"requests\":" { reads = $2 + 0; here = 0 }
		END { print calls, reads }'
}

for poll in "${polls[@]}"; do random_file "$T/backing-$poll" 8388608; done
declare -A pids nodes means
compare() { # NAME OPTION...: of one backend; POLL in an option makes it each server's own
	local name=$1 poll i
	shift
	for poll in "${polls[@]}"; do
		serve "${@//POLL/$poll}" --queues 1 --depth 16 "${apart[@]}" --name "$name-$poll" --poll-us "$poll"
		pids[$poll]=$pid nodes[$poll]=$dev means[$poll]=
	done
	for ((i = 0; i < turns; i++)); do
		for poll in "${polls[@]}"; do
			means[$poll]+=" $(mean_ns "${nodes[$poll]}")"
		done
	done
	for poll in "${polls[@]}"; do
		# shellcheck disable=SC2086 # numbers
		means[$poll]=$(best ${means[$poll]})
	done
	note "$name: one read takes ${means[0]} ns, with --poll-us 1000 ${means[1000]} ns" \
		"($((means[1000] * 100 / means[0])) %), with auto ${means[auto]} ns ($((means[auto] * 100 / means[0])) %)"
	# A slow machine, or one with other work, may need more turns for as many.
	for ((i = 0; i < 8 && $(polls "$name-1000") < 100; i++)); do mean_ns "${nodes[1000]}" >"$T/more"; done
	at_least "reads of $name that found the server awake" "$(polls "$name-1000")" 100
	emulated || # it is too slow for what auto tries
		at_least "reads of $name that found the server awake (auto)" "$(polls "$name-auto")" 1
	same "reads that found a server awake that does not poll" "$(polls "$name-0")" 0
	calls_per_read "$name-1000"
}

cpu_of() { # SECONDS: of each server, the CPU time in percent, to standard output
	local poll hz
	declare -A before
	hz=$(getconf CLK_TCK)
	for poll in "${polls[@]}"; do before[$poll]=$(ticks "${pids[$poll]}"); done
	sleep "$1"
	for poll in "${polls[@]}"; do
		echo "$poll $((($(ticks "${pids[$poll]}") - before[$poll]) * 100 / ($1 * hz)))"
	done
}

idle() { # from a second after the last request on, no server takes CPU time; a slow machine may be wrong once
	local try
	sleep 1
	for try in 1 2 3; do
		cpu_of 3 >"$T/cpu"
		! grep -qvE ' 0$' "$T/cpu" || continue
		note "idle: below 1 % of a CPU, at the $try. look"
		return 0
	done
	fail "an idle server takes CPU time (percent): $(tr '\n' ' ' <"$T/cpu")"
}

# On one CPU, who polls keeps the program from running; and so it is where two CPUs of a guest share
# those of a machine with other work.
faster() { # NAME PERCENT
	(($(nproc) > 1)) && [[ $UBLK_TEST_SPEED == native && -e $UBLK_TEST_SHARE/stage ]] || return 0
	at_most "a read of $1 with polling, in percent of one without," $((means[1000] * 100 / means[0])) "$2"
}

compare null --plugin null --opt size=8M
idle
faster null 100
for poll in "${polls[@]}"; do stop "${pids[$poll]}"; done
compare file --plugin file --opt path="$T/backing-POLL"
idle
faster file 100
fio_verify "${nodes[auto]}" --size=2M
for poll in "${polls[@]}"; do stop "${pids[$poll]}"; done
nothing_served
