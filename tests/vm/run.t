#!/bin/bash
# SPDX-License-Identifier: MIT
# Whom tests/vm/run blames when a machine ends: machines here are scripts in a User Mode Linux kernel's
# place, which do what their name says.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/stage/usr/local/bin"
touch "$work/stage/usr/local/bin/ublk-host"
mapfile -t cases < <("$here/run" --list | head -n 3)
count=0

machine() { # NAME; standard input is what it does with boot (1, 2, ...), share, and case_is NAME VERDICT
	{
		echo '#!/bin/bash'
		# shellcheck disable=SC2016 # for the machine to expand
		echo 'for word; do [[ $word != UBLK_SHARE=* ]] || share=${word#*=}; done
			echo >>"$share/boots"; boot=$(wc -l <"$share/boots")
			case_is() { echo "$1" >>"$share/begun"; [[ ! ${2-} ]] || echo "$2 $1 0.1 " >>"$share/results"; }'
		cat
	} >"$work/$1"
	chmod +x "$work/$1"
}

check() { # NAME REGEX: what the whole run must say
	local out
	count=$((count + 1))
	out=$("$here/run" --stage "$work/stage" --build "$work" --output "$work/out-$1" \
		--kernel "uml:$work/$1" "${cases[@]}" 2>&1)
	if grep -Eqz -- "$2" <<<"$out"; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		# shellcheck disable=SC2001 # lines
		sed 's/^/# /' <<<"$out"
	fi
}

machine well <<END
for c in ${cases[*]}; do case_is \$c ok; done
echo "guest: exit 0"
END
check well "$(printf '\n3 passed, 0 failed, 0 skipped')"

machine dies-in-its-boot <<END
((boot > 2)) || exit 1
for c in ${cases[*]}; do case_is \$c ok; done
echo "guest: exit 0"
END
check dies-in-its-boot "again.*again.*$(printf '\n3 passed, 0 failed, 0 skipped')"

machine dies-of-a-case <<END
if ((boot == 1)); then
	case_is ${cases[0]} ok; case_is ${cases[1]}
	echo "it crashed"; exit 1
fi
case_is ${cases[2]} ok
echo "guest: exit 0"
END
check dies-of-a-case "failed: ${cases[1]}: the machine ended .*it crashed.*2 passed, 1 failed, 0 skipped"

oops() { # RELEASE: what such a kernel writes when it dies of CVE-2025-37906
	echo "echo '[  1.0] CPU: 0 UID: 0 PID: 2 Comm: ublk-q0 Tainted: G      D            $1 #1'"
	echo "echo '[  1.0] RIP: 0010:io_fallback_tw+0x79/0x1b0'"
}

machine dies-of-its-own-fault <<END
case_is ${cases[0]}
if ((boot == 1)); then
	$(oops 6.12.95+deb12-amd64)
	exit 1
fi
for c in ${cases[*]}; do case_is \$c ok; done
echo "guest: exit 0"
END
check dies-of-its-own-fault "CVE-2025-37906.: again.*3 passed, 0 failed, 0 skipped"

machine dies-of-it-twice <<END
case_is ${cases[0]}
if ((boot < 3)); then
	$(oops 6.14.5)
	exit 1
fi
for c in ${cases[@]:1}; do case_is \$c ok; done
echo "guest: exit 0"
END
check dies-of-it-twice "again.*failed: ${cases[0]}: the machine ended.*2 passed, 1 failed, 0 skipped"

# One that should not have that fault is not excused.
for release in 6.14.6-amd64 6.18.4 7.3.4+deb13-amd64; do
	machine dies-on-$release <<-END
		case_is ${cases[0]}
		if ((boot == 1)); then
			$(oops $release)
			exit 1
		fi
		for c in ${cases[@]:1}; do case_is \$c ok; done
		echo "guest: exit 0"
	END
	check dies-on-$release "failed: ${cases[0]}: the machine ended.*2 passed, 1 failed, 0 skipped"
done

machine never-boots <<END
exit 1
END
check never-boots "0 passed, 3 failed, 0 skipped"
echo "1..$count"
