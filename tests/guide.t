#!/bin/bash
# SPDX-License-Identifier: MIT
# doc/guide.md says what is true: all of it is done as far as it goes without root and the driver, with what
# is installed. tests/vm/cases/guide.sh does the rest.
# shellcheck source=tests/sdk.sh
. "${top_srcdir:-.}/tests/sdk.sh"
guide=$top_srcdir/doc/guide.md
export CMAKE_PREFIX_PATH=$sdk

mkdir "$work/guide"
bash "$top_srcdir/tests/run-guide" "$guide" "$work/guide" >"$work/tap"
blocks=$(grep -c '^```.' "$guide")
while IFS= read -r line; do
	case $line in
	ok* | not\ ok*) nr=$((nr + 1)) && echo "${line/ok -/ok $nr -}" ;;
	*) echo "$line" ;;
	esac
done <"$work/tap"
# All blocks but the installation.
((nr == blocks - 1 && nr > 10))
result $? "each of the $blocks blocks is accounted for"

after() { # COMMENT FILE: the block that follows it
	awk -v comment="<!-- $1 -->" '/^```/ && on { if (++n == 2) exit; next } on && n { print } $0 == comment { on = 1 }' "$2"
}

# How to install is said in README.md and known to bootstrap.
after install "$guide" | sed -n 's/^sudo apt-get install //p' | tr ' ' '\n' | sort -u >"$work/packages"
sed -n '/^needs_build="/,/"$/p' "$top_srcdir/bootstrap" | tr -s ' \t"' '\n' | sed -n 's/^\([a-z][^:]*\):.*/\1/p' |
	sort -u | diff "$work/packages" - >"$work/why" && [[ -s $work/packages ]]
result $? "the packages are those that bootstrap installs"
while IFS= read -r line; do
	grep -qxF "    $line" "$top_srcdir/README.md" || echo "not in README.md: $line" >>"$work/why"
done < <(after install "$guide" | grep -v apt-get)
[[ ! -s $work/why ]]
result $? "the commands are those of README.md"

echo "1..$nr"
