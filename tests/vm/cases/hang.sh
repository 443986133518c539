# SPDX-License-Identifier: MIT
# limit: 120
# A plugin that does not return from a call: the host ends in time, says from which, exits with 1,
# and leaves nothing behind.
. "$UBLK_TEST_LIB"
need_plugin hang
declare -A pids

hang() { # WHERE OPTION...: a server that gets stuck there, or will when it stops
	log=$T/$1.log
	ublk-host --plugin "$plugins/hang.so" --opt where="$1" --queues 2 "${@:2}" \
		>"$T/$1.out" 2>"$log" </dev/null &
	pids[$1]=$!
}

ends() { # WHERE SECONDS REGEX: with status 1, within so many seconds, and says so
	local pid=${pids[$1]} status=0
	wait_for "$2" eval "! kill -0 $pid"
	wait "$pid" || status=$?
	same "exit status of a plugin that hangs in $1" "$status" 1
	matches "$T/$1.log" "$3"
}

stops_in() { # WHERE: it is served, and gets stuck when it is stopped
	hang "$1" --plugin-timeout 2
	lib_wait_node "$T/$1.out" "${pids[$1]}" "$1"
	kill -TERM "${pids[$1]}"
}

# In a queue's thread at the end, where only the stop sequence's own end helps: that takes longest.
stops_in queue-exit

# Interrupted, long before its time is over.
for where in open start; do
	hang "$where"
	wait_for 20 grep -q hanging "$log"
	kill -TERM "${pids[$where]}"
	ends "$where" 8 "interrupted while plugin hang was in $where"
done

# All at once from here on: they do nothing but wait.
stops_in stop
stops_in close
for where in open get-limits start queue-init; do
	hang "$where" --plugin-timeout 2
done
expect_fail 1 'plugin hang has not returned from start within 1 s' \
	ublk-host up --plugin "$plugins/hang.so" --opt where=start --plugin-timeout 1
for where in open get-limits start queue-init stop close; do
	what=${where/-/_}
	[[ $where != queue-init ]] || what='queue_init of queue 1'
	ends "$where" 20 "plugin hang has not returned from $what within 2 s"
done
ends queue-exit 40 'plugin hang has not returned from a call: leaving without it'

# the driver forgets a device once the last thread's ring is gone
wait_for 5 nothing_served
up --plugin mem --opt size=1M --name after
down after
nothing_served
