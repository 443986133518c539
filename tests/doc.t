#!/bin/bash
# SPDX-License-Identifier: MIT
# What the documentation says, against what the program does: options, examples, manifests.
set -u
export LC_ALL=C
top_srcdir=${top_srcdir:-.} top_builddir=${top_builddir:-build}
doc=$top_srcdir/doc
host=$top_builddir/ublk-host
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
nr=0

result() { # STATUS NAME; what is in $work/why is shown if it failed
	nr=$((nr + 1))
	if (($1 == 0)); then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		sed 's/^/# /' "$work/why" 2>/dev/null
	fi
	: >"$work/why"
}

skip() { # NAME WHY
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

same() { # NAME EXPECTED FOUND: two files
	diff -u "$2" "$3" >"$work/why" 2>&1
	result $? "$1"
}

plain() { # POD's formatting codes away
	sed -E 's/[BCFIL]<([^<>]*)>/\1/g; s/E<gt>/>/g; s/E<lt>/</g'
}

# -- every page is sound POD, and refers to pages that exist

for pod in "$doc"/*.pod; do
	name=podchecker:${pod##*/}
	if command -v podchecker >/dev/null; then
		podchecker -warnings "$pod" >"$work/why" 2>&1 && ! grep WARNING "$work/why"
		result $? "$name"
	else
		skip "$name" "there is no podchecker"
	fi
done

grep -rhoE 'ublk-[a-z-]+\([1-9]\)' "$doc"/*.pod "$doc"/*.md "$top_srcdir/README.md" | sort -u >"$work/linked"
sed -n 's/.*doc\/\(ublk[a-z-]*\)\.\([1-9]\).*/&/p' "$doc/local.mk" | grep -oE 'ublk[a-z-]*\.[1-9]' |
	sed -E 's/\.([1-9])/(\1)/' | sort -u >"$work/pages"
comm -23 "$work/linked" "$work/pages" >"$work/why"
[[ -s $work/pages && ! -s $work/why ]]
result $? "pages that are referred to exist"

# -- ublk-host(8): every verb and option, in the words of --help

verbs=$("$host" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
printf '%s\n' "$verbs" | sort >"$work/verbs"
plain <"$doc/ublk-host.pod" | awk '/^=head1 /{on = $2 == "VERBS"} on && /^=head2 [a-z-]+$/{print $2}' |
	sort >"$work/verbs.pod"
same "verbs" "$work/verbs" "$work/verbs.pod"

help_options() { # VERB: "OPTION<tab>text" of --help
	"$host" "$1" --help | awk '
		/^Options:/ { on = 1; next }
		/^$/ { on = 0 }
		!on { next }
		/^  +-/ {
			if (opt) print opt "\t" text
			line = $0
			sub(/^ +/, "", line)
			i = match(line, /  +/)
			opt = substr(line, 1, i - 1)
			text = substr(line, i + RLENGTH)
			next
		}
		{ sub(/^ +/, ""); text = text " " $0 }
		END { if (opt) print opt "\t" text }' | sort
}

pod_options() { # SECTION...: the same of the page, with all of the first paragraph
	plain <"$doc/ublk-host.pod" | awk -v sections=" $* " '
		/^=head[12] / { name = $0; sub(/^=head[12] /, "", name); on = index(sections, " " tolower(name) " ") }
		tolower(name) ~ / / { tag = tolower(name); gsub(/ /, "-", tag); on = index(sections, " " tag " ") }
		!on { next }
		/^=item -/ { opt = substr($0, 7); text = ""; next }
		/^$/ { if (opt && text) { print opt "\t" text; opt = "" } next }
		opt { text = text (text ? " " : "") $0 }' | sort
}

# The page writes help as a sentence, and may go on after it.
compare_options() { # HELP POD
	local status=0 opt text said
	diff <(cut -f1 "$1") <(cut -f1 "$2") >"$work/why" || status=1
	while IFS=$'\t' read -r opt text; do
		said=$(awk -F '\t' -v opt="$opt" '$1 == opt { print $2; exit }' "$2")
		text=${text^}
		[[ $said == "$text."* ]] || {
			printf '%s\n  help: %s\n  page: %s\n' "$opt" "$text." "$said" >>"$work/why"
			status=1
		}
	done <"$1"
	[[ -s $1 ]] && return $status
}

for verb in $verbs; do
	sections="$verb all-verbs"
	[[ $verb != run && $verb != up ]] || sections+=" device-options"
	help_options "$verb" >"$work/help"
	# shellcheck disable=SC2086 # a list of words
	pod_options $sections >"$work/pod"
	compare_options "$work/help" "$work/pod"
	result $? "options of $verb"
	cut -f1 "$work/help" | grep -o -- '--[a-z-]*' >>"$work/options"
done

# -- every option that an example uses exists

grep -hE 'ublk-host( |$)' "$top_srcdir"/*.md "$doc"/*.pod "$doc"/{guide,porting}.md "$doc"/example-plugin/README.md |
	grep -oE -- '(^| )--[a-z][a-z-]*' | tr -d ' ' | sort -u >"$work/used"
{
	cat "$work/options"
	printf '%s\n' --help --version --dump-plugin
	grep -hoE -- '--(variable|cflags)' "$doc/ublk-plugin.pod" # of pkg-config
} | sort -u >"$work/known"
comm -23 "$work/used" "$work/known" >"$work/why"
[[ -s $work/used && ! -s $work/why ]]
result $? "options in examples exist"

# -- the page of each plugin: every option of its table

for plugin in null mem file stripe; do
	awk '/"options":/ { on = 1 } on' "$top_builddir/plugins/$plugin.json" |
		sed -n 's/.*"name": "\([^"]*\)".*/\1/p' | sort >"$work/table"
	plain <"$doc/ublk-host-$plugin.pod" | awk '/^=head1 /{on = $2 == "OPTIONS"} on' |
		sed -n 's/^=item \([a-z][a-z0-9_-]*\)=.*/\1/p' | sort >"$work/page"
	[[ -s $work/table ]] || echo "no options in plugins/$plugin.json" >>"$work/page"
	same "options of plugin $plugin" "$work/table" "$work/page"
done

# -- ublk-plugin(3): every name of the contract, and examples that build

header=$top_srcdir/include/ublk-plugin.h
sed ':a;N;$!ba;s@/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/@@g' "$header" >"$work/header"
{
	awk '/^enum/,/^}/' "$work/header" | grep -oE '\bUBLK_[A-Z0-9_]+' | grep -vE '^UBLK_OP_(STRING)$'
	awk '/^struct ublk_[a-z_]+ \{/ { on = 1; sub(/.*\{/, "") } /^\};/ { on = 0 } on' "$work/header" |
		tr '\n' ' ' | tr ';' '\n' | sed -E 's/.*\(\*([a-z_]+)\).*/\1/; t; s/\[[0-9]+\]//g; s/, /\n/g' |
		sed -E 's/.*[ *}]//' | grep -E '^[a-z_]+$'
} | sort -u >"$work/names"
while read -r word; do
	grep -qw -- "$word" "$doc/ublk-plugin.pod" || echo "not on the page: $word" >>"$work/why"
done <"$work/names"
(($(wc -l <"$work/names") > 100)) && [[ ! -s $work/why ]]
result $? "every name in ublk-plugin.h is on the page"

after() { # MARK PAGE: the verbatim text that follows "=for MARK"; the N-th of several is MARK:N
	awk -v mark="=for ${1%:*}" -v want="${1##*:}" '
		BEGIN { want = want ~ /^[0-9]+$/ ? want : 1 }
		on && /^[^ ]/ { exit }
		on { sub(/^ /, ""); if (NF || begun) { print; begun = 1 } }
		$0 == mark && ++n == want { on = 1 }' "$doc/$2"
}

cc=$(sed -n 's/^CC = //p' "$top_builddir/Makefile" 2>/dev/null)
mkdir -m 0755 "$work/plugins"
programs=$(sed -n 's/^=for example \(.*\)\.c$/\1/p' "$doc/ublk-plugin.pod")
for program in $programs; do
	# shellcheck disable=SC2086 # CC may have options
	${cc:-cc} -std=c11 -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -O1 -Wall -Wextra -Wno-unused-parameter -Wpedantic \
		-Werror -fPIC -shared -fvisibility=hidden -Wl,-z,defs -I"$top_srcdir/include" \
		-o "$work/plugins/$program.so" "$doc/example-plugin/$program.c" >"$work/why" 2>&1
	result $? "example $program builds"
	# All of it is on the page as it is read; tabs are not.
	if [[ -e $top_builddir/doc/ublk-plugin.3 ]] && command -v man >/dev/null; then
		MANWIDTH=200 man -l "$top_builddir/doc/ublk-plugin.3" 2>"$work/why" | col -bx | tr -d ' ' >"$work/page"
		tr -d ' \t' <"$doc/example-plugin/$program.c" | sed '/^$/d' | while IFS= read -r line; do
			grep -qxF -- "$line" "$work/page" || echo "not on the page: $line"
		done >>"$work/why"
		[[ ! -s $work/why ]]
		result $? "example $program is on the page"
	else
		skip "example $program is on the page" "there is no page, or no man"
	fi
done
[[ $(echo "$programs" | wc -w) == 4 ]]
result $? "there are examples of each profile"

awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$top_srcdir/README.md" >"$work/readme.c"
# shellcheck disable=SC2086 # CC may have options
[[ -s $work/readme.c ]] && ${cc:-cc} -std=c11 -Wall -Wextra -Wno-unused-function -Werror -fsyntax-only \
	-I"$top_srcdir/include" "$work/readme.c" >"$work/why" 2>&1
result $? "the example in README.md builds"

# Names of the contract, wherever they are mentioned.
grep -ohE '\bUBLK_(PLUGIN|DEV|THREADS|EXT|DATA|IOF|OPS?|OPT|OPEN|RESIZE|LOG|HOST_V1)_[A-Z0-9_]+' "$top_srcdir"/*.md "$doc"/*.md \
	"$doc"/example-plugin/README.md "$top_srcdir"/core/cli/new_plugin.{md,c} | sort -u | while read -r word; do
	grep -qw -- "$word" "$header" || echo "not in ublk-plugin.h: $word"
done >"$work/why"
[[ ! -s $work/why ]]
result $? "names of the contract are the header's"
# porting.md says what becomes what: functions, members and services, in its second column.
# shellcheck disable=SC2016 # no commands
awk -F ' [|] ' '/^[|] / { print $2 }' "$doc/porting.md" | grep -oE '`[^`]*`' | grep -oE '`[a-z_]+[(`]|>[a-z_]+' |
	tr -d '`(>' | sort -u >"$work/words"
while read -r word; do
	grep -qw -- "$word" "$header" || echo "not in ublk-plugin.h: $word"
done <"$work/words" >"$work/why"
sed -i '/: \(opts\|nanosleep\|down\|mem\|file\)$/d' "$work/why" # of plugins, of C, of the command line
(($(wc -l <"$work/words") > 25)) && [[ ! -s $work/why ]]
result $? "what porting.md names is in the header"

# -- links from page to page

for page in "$top_srcdir"/*.md "$doc"/*.md "$doc"/*/README.md; do
	grep -oE '\]\([^):]*\)' "$page" | sed -E 's/^\]\(([^#)]*).*/\1/' | sort -u | while read -r link; do
		[[ -e ${page%/*}/$link ]] || echo "${page#"$top_srcdir/"}: no $link"
	done
done >"$work/why"
grep -q '](doc/guide.md)' "$top_srcdir/README.md" && [[ ! -s $work/why ]]
result $? "links lead somewhere"

# A program on a page is one of the examples, or nobody checks it.
awk '/^ +#include/ { print FILENAME ": " $0 }' "$doc"/*.pod | grep -v '#include <ublk-plugin.h>$' >"$work/why"
[[ ! -s $work/why ]]
result $? "no page has a program of its own"

# -- manifests: the program reads them. An option that no plugin has ends each run before a device.

for plugin in null mem file stripe; do
	cp "$top_builddir/plugins/.libs/$plugin.so" "$top_builddir/plugins/$plugin.json" "$work/plugins/"
done
after "json plugin" ublk-host-manifest.pod >"$work/plugins/concat.json"
chmod 0755 "$work" "$work/plugins"
chmod go-w "$work/plugins"/*

accepts() { # NAME ARGUMENT...: right but for the option "nonsense"
	local name=$1 status
	shift
	"$host" run --plugin-dir "$work/plugins" "$@" --opt nonsense=1 >"$work/why" 2>&1 </dev/null
	status=$?
	((status == 2)) && (($(wc -l <"$work/why") == 1)) && grep -q 'has no option "nonsense"' "$work/why"
	result $? "$name"
}

count=$(grep -c '^=for json device$' "$doc/ublk-host-manifest.pod")
for ((i = 1; i <= count; i++)); do
	after "json device:$i" ublk-host-manifest.pod >"$work/device.json"
	accepts "device manifest $i" --manifest "$work/device.json"
done
((count > 1))
result $? "there are device manifests on the page"
# One that is not marked would be checked by nobody.
awk '/^=for json / { marked = 1 } /^[^ =]/ { marked = 0 } !marked && /^ .*"ublk_device_manifest":/ { print FILENAME ": " $0 }' \
	"$doc"/*.pod >"$work/why"
grep -n '"ublk_device_manifest":' "$top_srcdir"/*.md "$doc"/*.md >>"$work/why"
[[ ! -s $work/why ]]
result $? "no device manifest in the documents is left out"
accepts "plugin manifest" --plugin concat --opt first=/none --opt second=/none
for program in heap ram; do
	accepts "example $program loads" --plugin $program --opt size=1M
done
accepts "example ring loads" --plugin ring --opt path=/none

after "json broken" ublk-host-manifest.pod >"$work/broken.json"
after "output broken" ublk-host-manifest.pod | sed '/^$/d' >"$work/output"
"$host" run --manifest "$work/broken.json" >/dev/null 2>"$work/said" </dev/null
status=$?
sed -i "s|^ublk-host: $work/broken.json:||" "$work/said"
((status == 2)) || echo "exit status $status" >>"$work/said"
same "a broken manifest is answered as the page says" "$work/output" "$work/said"

echo "1..$nr"
