#!/bin/bash
# SPDX-License-Identifier: MIT
# The verb new-plugin: what it writes, whatever the name, and what it refuses without leaving anything.
# That the folder builds with what is installed is tests/sdk.t's business.
set -u
export LC_ALL=C
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd) || exit 99
top_builddir=$(cd "${top_builddir:-.}" && pwd) || exit 99
host=$top_builddir/ublk-host
examples=$top_srcdir/doc/example-plugin
cc=$(sed -n 's/^CC = //p' "$top_builddir/Makefile")
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
umask 022
nr=0

result() { # STATUS NAME
	nr=$((nr + 1))
	if (($1 == 0)); then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		cat out err why 2>/dev/null | sed 's/^/# /'
	fi
	rm -f out err why
}

new_plugin() { # ARGUMENT...: fills out and err, and status
	timeout 30 "$host" new-plugin "$@" >out 2>err </dev/null
	status=$?
}

refused() { # NAME PATTERN ARGUMENT...: status 2, one line, and the folder as it was
	local name=$1 pattern=$2 before
	shift 2
	before=$(find . | sort)
	new_plugin "$@"
	((status == 2)) && (($(wc -l <err) == 1)) && [[ ! -s out ]] && grep -q -- "$pattern" err &&
		rm -f out err && [[ $(find . ! -name out ! -name err | sort) == "$before" ]]
	result $? "refused: $name"
}

# -- what it writes is the example, with the name

examples_of=(map:heap call:ram async:ring)
for pair in "${examples_of[@]}"; do
	profile=${pair%:*} example=${pair#*:}
	new_plugin "my-$profile" --profile "$profile"
	((status == 0)) && [[ ! -s err ]] && grep -q "my-$profile" out
	result $? "$profile: written"
	(cd "my-$profile" && find . -type f | sort) >found
	more=()
	[[ $profile != async ]] || more=(my-async.check)
	printf './%s\n' Makefile README.md "devices/my-$profile.json" "my-$profile.c" "${more[@]}" | sort |
		diff - found >why
	result $? "$profile: these files and no others"
	# The example again, when the name is put back.
	sed "s/my_${profile}_/${example}_/g; s/my-$profile/$example/g" "my-$profile/my-$profile.c" |
		diff "$examples/$example.c" - >why
	result $? "$profile: the source is the example's"
	sed "s/my-$profile/$example/g" "my-$profile/devices/my-$profile.json" |
		diff "$examples/devices/$example.json" - >why
	result $? "$profile: the device is the example's"
	[[ $profile != async ]] || sed "s/my-async/ring/g" my-async/my-async.check | diff "$examples/ring.check" - >why
	result $? "$profile: so is what make check needs"
	cmp "$examples/Makefile" "my-$profile/Makefile" >why
	result $? "$profile: the Makefile is the examples'"
	! grep -n '@' "my-$profile/README.md" >why && grep -q "my_${profile}_" "my-$profile/README.md"
	result $? "$profile: the name is in the README"
done
rm -f found
new_plugin plain
cmp -s <(sed 's/plain/ram/g' plain/plain.c) "$examples/ram.c" && ((status == 0))
result $? "without --profile it is call"

# -- any name that the loader takes

for name in int if 9p 0 a-b-c x- main free io-uring shm ublk heap ram ring size u64 \
	abcdefghijklmnopqrstuvwxyz-12345; do
	for pair in "${examples_of[@]}"; do
		profile=${pair%:*}
		rm -rf d
		new_plugin "$name" --profile "$profile" --directory d
		# shellcheck disable=SC2086 # CC may have options
		((status == 0)) && $cc -Wall -Wextra -Wno-unused-parameter -Werror -fPIC -shared -fvisibility=hidden \
			-I"$top_srcdir/include" -o "d/$name.so" "d/$name.c" >why 2>&1 &&
			"$host" --dump-plugin "./d/$name.so" >"d/$name.json" 2>why &&
			"$host" plugins "./d/$name.so" >why 2>&1
		result $? "$profile named $name"
		# All of the manifest is right but for an option that the plugin does not have.
		"$host" run --plugin-dir d --manifest "d/devices/$name.json" --opt nonsense=1 >why 2>&1 </dev/null
		[[ $? == 2 && $(wc -l <why) == 1 ]] && grep -q 'has no option "nonsense"' why
		result $? "device of $profile named $name"
	done
done
rm -rf d

# -- what it refuses

refused "no name" 'needs a name'
for name in '' A a_b -- -x .a a/b aé abcdefghijklmnopqrstuvwxyz-123456; do
	refused "name \"$name\"" 'must be 1 to 32 characters' -- "$name"
done
refused "two names" 'unexpected argument "b"' a b
refused "an unknown profile" '"cal": must be map, call or async (did you mean "call"?)' a --profile cal
refused "no folder" '--directory needs a folder' a --directory ''
refused "a folder that is not empty" 'folder plain is not empty' plain
refused "a folder that is not empty, by --directory" 'folder my-map is not empty' a --directory my-map
echo kept >file
refused "a file" 'cannot use folder file: Not a directory' a --directory file
grep -q kept file
result $? "and the file is as it was"
new_plugin a --directory none/a
((status == 1)) && (($(wc -l <err) == 1)) && grep -q 'none/a: No such file' err && [[ ! -e none ]]
result $? "a folder in one that does not exist"

mkdir -m 0750 empty
new_plugin a --directory empty
((status == 0)) && [[ -e empty/a.c && $(stat -c %a empty) == 750 ]]
result $? "an empty folder is taken as it is"
mkdir installed
touch installed/taken.so
UBLK_HOST_PLUGIN_PATH=$PWD/installed new_plugin taken
((status == 0)) && (($(wc -l <err) == 1)) && grep -q "there is a plugin taken already, $PWD/installed/taken.so" err
result $? "a name that an installed plugin has"
mkdir here
(cd here && "$host" new-plugin a --directory . >/dev/null) && [[ -e here/a.c ]]
result $? "the current folder"

# A file of more than a kilobyte cannot be written: the folder is as it was.
full() { (trap '' XFSZ && ulimit -f 1 && exec "$host" new-plugin "$@" >/dev/null 2>err); }
full b
[[ $? == 1 && ! -e b ]] && grep -q 'cannot write b/b.c: File too large' err && (($(wc -l <err) == 1))
result $? "no space: nothing is left"
mkdir c
full b --directory c
[[ $? == 1 && -d c && -z $(ls -A c) ]]
result $? "no space: a folder that was there is empty again"

echo "1..$nr"
