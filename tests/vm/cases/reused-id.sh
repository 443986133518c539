# SPDX-License-Identifier: MIT
# A state file that outlived its device says nothing of the device that has the id now: down, gc and up
# leave that one alone, and see to what is left of the former.
. "$UBLK_TEST_LIB"
run=/run/ublk-host

haunted() { # the state of a former device where the new one's is not written yet, as it starts
	[[ -e $T/new ]] || mv "$run/$id.json" "$T/new"
	rm -f "$run/by-name/"*
	cp "$T/former" "$run/$id.json"
	touch -d '1 hour ago' "$run/$id.json"
	ln -s "$dev" "$run/by-name/former"
}

there() { [[ -b $dev && -c ${dev/ublkb/ublkc} ]] || fail "the new device was removed by $1"; }

up --plugin null --name former --recovery none
kill -9 "$(server_pid former)"
cp "$run/$id.json" "$T/former"
wait_for 10 bash -c "ublk-host list | grep -q ' former .* dead '"
down former
up --plugin null --name new --id "$id"

haunted
ublk-host list >"$T/list" 2>&1
matches "$T/list" "^$id +former .* gone "
matches "$T/list" "^$id +- +$dev .* live "
down former
matches "$T/down.out" 'tidied former'
there "down of the former"
[[ ! -e $run/$id.json && ! -L $run/by-name/former && -e $run/$id.stats ]] || fail "left: $(ls -R $run)"

haunted
down --force former
there "down --force of the former"

haunted
ublk-host gc --yes --force >"$T/gc" 2>&1 || fail "gc: $(cat "$T/gc")"
matches "$T/gc" "removed +state +$run/$id.json \(former\)"
there "gc"

haunted
first=$id was=$dev
expect_fail 1 'gone from the kernel' ublk-host recover former
up --plugin null --name former
down former
dev=$was
there "up with the name of the former"
[[ ! -e $run/$first.json ]] || fail "the state of the former is left"

mv "$T/new" "$run/$first.json"
down "$first"
nothing_served
