# SPDX-License-Identifier: MIT
# limit: 120
# A supervisor brings up what a folder of manifests names, follows the folder, and takes all down again.
. "$UBLK_TEST_LIB"

manifest() { # NAME PLUGIN OPTIONS [MEMBERS]: of a device
	printf '{\n\t"ublk_device_manifest": "1.0",\n\t"plugin": "%s",\n\t"options": { %s }%s\n}\n' \
		"$2" "$3" "${4:-}" >"$T/devices/$1.json"
}
down_is() { ! ublk-host info "$1" >/dev/null 2>&1; } # NAME

mkdir "$T/devices"
supervise "$T/devices"
matches "$log" 'ready: 0 of 0 devices served'
stop "$supervisor"

# All come up, but for the wrong ones, which are told.
truncate -s 16M "$T/image"
manifest ram mem '"size": "16M"'
manifest image file '"path": "../image"' ',
	"device": { "queues": 1 }'
manifest other null '"size": "1G"' ', "name": "nothing"'
manifest same null '"size": "1G"' ', "name": "nothing"'
manifest broken mem '"size": "16M"' ', "devise": {}'
manifest unfit mem '"size": "sixteen"'
supervise "$T/devices"
matches "$log" 'broken.json:4:.*devise'
matches "$log" 'same.json: the name nothing is that of other.json, too'
matches "$log" 'unfit: .*size'
matches "$log" 'unfit: given up: its manifest is wrong'
matches "$log" 'ready: 3 of 4 devices served, failed: unfit, 2 wrong manifests'
for name in ram image nothing; do
	state_is $name live || fail "$name is not live: $(ublk-host list)"
done
same "processes" "$(for name in ram image nothing; do server_pid $name; done | sort -u | wc -l)" 3
image=$(server_pid image)

# One supervisor at a time; by the folder, whatever it is called.
expect_fail 1 "ublk-host serve, process $supervisor, already sees to" ublk-host serve "$T/./devices"
expect_fail 1 'nosuch' ublk-host serve "$T/nosuch"

# A server that ends without leave gets a successor; one that is taken down does not.
random_file "$T/data" 1M
ram=$(readlink -f /run/ublk-host/by-name/ram)
write_at "$ram" 0 1048576 "$T/data"
before=$(server_pid ram)
kill -9 "$before"
served_anew() { now=$(server_pid ram) && [[ $now && $now != "$before" ]] && state_is ram live; }
wait_for 10 served_anew
same "contents" "$(read_at "$ram" 0 1048576 | sum)" "$(sum <"$T/data")"
ublk-host down nothing >/dev/null
sleep 0.5
down_is nothing || fail "a device that was taken down came back"
matches "$log" 'nothing: it was stopped'

# A folder that is away says nothing of its devices.
mv "$T/devices" "$T/away"
kill -HUP "$supervisor"
wait_for 10 matches "$log" "cannot read the folder .*devices: .*; the devices stay as they are"
sleep 0.5
for name in ram image; do
	state_is $name live || fail "$name is not live: $(ublk-host list)"
done
mv "$T/away" "$T/devices"

# SIGHUP: what is new, gone, changed, repaired or was taken down.
manifest more null '"size": "2G"'
manifest forced null '"size": "2G"'
rm "$T/devices/same.json" "$T/devices/ram.json"
manifest unfit mem '"size": "8M"'
manifest image file '"path": "../image", "direct": true' ',
	"device": { "queues": 1, "depth": 16 }'
kill -HUP "$supervisor"
wait_ready 3
for name in more forced nothing unfit image; do
	state_is $name live || fail "$name is not live: $(ublk-host list)"
done
down_is ram || fail "a device without a manifest is served"
matches "$log" 'image: .*its manifest asks for another /device/depth, /options/direct'
same "a changed device's server" "$(server_pid image)" "$image"
# One whose server has to be killed for it does not come back, either.
kill -STOP "$(server_pid forced)"
ublk-host down --force --timeout 1 forced >/dev/null 2>&1
sleep 0.5
down_is forced || fail "a device that was taken down by force came back"
matches "$log" 'forced: it was stopped'
rm "$T/devices/forced.json"
matches "$log" 'ram: its manifest is gone'
# A wrong manifest does not take down what it once said.
echo '{' >"$T/devices/image.json"
kill -HUP "$supervisor"
wait_ready 4
state_is image live || fail "a device whose manifest became wrong"
# A device in use stays, also without a manifest.
exec 3<"$(readlink -f /run/ublk-host/by-name/more)"
rm "$T/devices/more.json"
kill -HUP "$supervisor"
in_use() { grep -q 'more.*is in use' "$log"; }
wait_for 10 in_use
state_is more live || fail "a device in use was stopped"
exec 3<&-
stop "$supervisor"
nothing_served

# At the end, too: it stays with its server, and the exit status says so.
manifest used null '"size": "1G"'
rm "$T/devices/image.json" "$T/devices/broken.json"
supervise "$T/devices"
used=$(server_pid used)
exec 3<"$(readlink -f /run/ublk-host/by-name/used)"
kill -TERM "$supervisor"
status=0
wait "$supervisor" || status=$?
same "exit status with a device in use" "$status" 1
matches "$log" 'used.*is in use'
same "the server of a device in use" "$(server_pid used)" "$used"
exec 3<&-
# A second signal does not wait for a server that hangs. The next supervisor stops what is left.
supervise "$T/devices"
kill -STOP "$used"
kill -TERM "$supervisor"
wait_for 5 grep -q 'stopping all devices' "$log"
kill -TERM "$supervisor"
began=$SECONDS status=0
wait "$supervisor" || status=$?
same "exit status after a second signal" "$status" 1
at_most "seconds from the second signal to the end" $((SECONDS - began)) 5
matches "$log" 'again: leaving at once'
kill -CONT "$used"
wait_for 10 eval '! ublk-host info used >/dev/null 2>&1'
supervise "$T/devices"
stop "$supervisor"
nothing_served

# Without DIR: /run over /usr (that /etc comes before both is seen in tests/unit/supervisor.c); a link to /dev/null masks.
folders="/run/ublk-host/devices.d $UBLK_TEST_PREFIX/lib/ublk-host/devices.d"
# shellcheck disable=SC2086 # words
mkdir -p $folders
for folder in $folders; do
	for name in shadowed masked; do
		manifest $name null '"size": "1G"'
		mv "$T/devices/$name.json" "$folder"
	done
done
sed -i 's/1G/2G/' /run/ublk-host/devices.d/shadowed.json
ln -sf /dev/null /run/ublk-host/devices.d/masked.json
supervise
matches "$log" 'ready: 1 of 1 devices served'
same "the size" "$(size_of "$(readlink -f /run/ublk-host/by-name/shadowed)")" 2147483648
expect_fail 1 "ublk-host serve, process $supervisor, already sees to the devices of this machine" ublk-host serve
for folder in $folders; do
	expect_fail 1 "ublk-host serve, process $supervisor, already sees to $folder" ublk-host serve "$folder"
	expect_fail 1 "ublk-host serve, process $supervisor, sees to $folder" ublk-host apply "$folder"
done
stop "$supervisor"
supervise /run/ublk-host/devices.d
expect_fail 1 "ublk-host serve, process $supervisor, already sees to /run/ublk-host/devices.d" ublk-host serve
stop "$supervisor"
# shellcheck disable=SC2086 # words
rm -r $folders
nothing_served
