#!/bin/bash
# SPDX-License-Identifier: MIT
# What authors of plugins get, used out of the tree as they use it: the examples and a new plugin, built with
# make and pkg-config, CMake and autoconf against an installation, and loaded.
# shellcheck disable=SC2016 # variables of CMake and configure
# shellcheck source=tests/sdk.sh
. "${top_srcdir:-.}/tests/sdk.sh"
examples=$top_srcdir/doc/example-plugin

checked() { # NAME FOLDER NR: make check there tries NR plugins out
	make -C "$2" RUSTC="${rustc:-none}" CFLAGS="$strict" check >"$work/why" 2>&1 &&
		(($(grep -c '^# [0-9]* passed, 0 failed' "$work/why") == $3))
	result $? "$1: make check"
}

# -- ublk-host.pc

header=$(find "$stage" -name ublk-plugin.h)
for number in MAJOR MINOR; do
	in_header=$(sed -n "s/^#define UBLK_PLUGIN_ABI_$number \([0-9]*\)u.*/\1/p" "$header")
	[[ $in_header && $(pkg-config --variable="abi_${number,,}" ublk-host) == "$in_header" ]]
	result $? "ublk-host.pc: abi_${number,,} is the header's"
done
pkg-config --validate ublk-host >"$work/why" 2>&1
result $? "ublk-host.pc is valid"
plugindir=$(pkg-config --variable=plugindir ublk-host)
[[ -e $plugindir/null.so ]]
result $? "ublk-host.pc: plugindir is where plugins are"

# -- the examples, by their own Makefile

cp -r "$examples" "$work/examples"
chmod -R u+w "$work/examples" # make distcheck has it read-only
cd "$work/examples" || exit 99
for pair in heap.c:60 ram.c:60 ring.c:150; do
	(($(wc -l <"${pair%:*}") <= ${pair#*:}))
	result $? "${pair%:*} has at most ${pair#*:} lines"
done
for file in *.c *.cc *.rs; do
	grep -q "^| \`$file\` | [^|]* | $(wc -l <"$file") |" README.md
	result $? "$file: README.md knows it, and its lines"
done
plugins="concat heap ram ring"
if command -v c++ >/dev/null; then
	plugins+=" sparse"
else
	skip "sparse" "no C++ compiler"
	rm sparse.cc
fi
if [[ $rustc ]]; then
	plugins+=" offsets"
else
	skip "offsets" "no rustc"
fi
make RUSTC="${rustc:-none}" CFLAGS="$strict" >"$work/why" 2>&1
result $? "examples: make"
for plugin in $plugins; do
	[[ -s $plugin.json ]] && loads "./$plugin.so"
	result $? "examples: $plugin loads"
	valid_device "devices/$plugin.json" .
	result $? "examples: the device of $plugin"
done
for plugin in concat heap ram ring; do
	# What the linker and the C library put there begins with '_', or is a flag of theirs.
	nm "$plugin.so" | awk '$2 ~ /^[bBdD]$/ && $3 !~ /^(_|completed|host$|opts$|ublk_plugin_v1$)/' >"$work/why"
	[[ ! -s $work/why ]] && nm -D --defined-only "$plugin.so" | awk '$3 != "ublk_plugin_v1"' >"$work/why" &&
		[[ ! -s $work/why ]]
	result $? "examples: $plugin keeps nothing outside of its device, and exports one symbol"
done
checked "examples" . "$(wc -w <<<"$plugins")"
make RUSTC="${rustc:-none}" CFLAGS="$strict" DESTDIR="$work/inst" PKG_CONFIG_SYSROOT_DIR= install >"$work/why" 2>&1
result $? "examples: make install"
for plugin in $plugins; do
	[[ -e $work/inst${plugindir#"$stage"}/$plugin.so && -e $work/inst${plugindir#"$stage"}/$plugin.json ]] &&
		loads "$work/inst${plugindir#"$stage"}/$plugin.so"
	result $? "examples: $plugin is installed"
done
make clean >"$work/why" 2>&1 && diff -r "$examples" . | grep -v '^Only in .*: sparse.cc$' >"$work/why"
[[ ! -s $work/why ]]
result $? "examples: make clean"

# -- new plugins, likewise

cd "$work" || exit 99
for profile in map call async; do
	"$host" new-plugin "mine-$profile" --profile $profile >"$work/why" 2>&1 &&
		make -C "mine-$profile" CFLAGS="$strict" >"$work/why" 2>&1 && loads "./mine-$profile/mine-$profile.so" &&
		[[ -s mine-$profile/mine-$profile.json ]]
	result $? "new-plugin by $profile: make"
	valid_device "mine-$profile/devices/mine-$profile.json" "mine-$profile"
	result $? "new-plugin by $profile: its device"
	checked "new-plugin by $profile" "mine-$profile" 1
done

# -- CMake

cmake_project() { # FOLDER LINE...: of CMakeLists.txt, after find_package
	mkdir "$1"
	printf '%s\n' 'cmake_minimum_required(VERSION 3.13)' 'project(mine C CXX)' "${@:2}" >"$1/CMakeLists.txt"
}

if ! command -v cmake >/dev/null || ! command -v c++ >/dev/null; then
	skip "CMake" "no cmake, or no C++ compiler"
else
	cp "$examples"/*.c "$examples"/*.cc mine-async/mine-async.c "$work/"
	cmake_project cm 'find_package(ublk-host 1.0 REQUIRED)' \
		'foreach(name concat heap ram ring mine-async)' '  ublk_host_add_plugin(${name} ../${name}.c)' \
		'endforeach()' 'set(CMAKE_CXX_STANDARD 17)' 'ublk_host_add_plugin(sparse ../sparse.cc)'
	cmake -S cm -B cm/build -DCMAKE_PREFIX_PATH="$sdk" -DCMAKE_C_FLAGS="$strict" >"$work/why" 2>&1 &&
		cmake --build cm/build >"$work/why" 2>&1
	result $? "CMake: build"
	for plugin in concat heap ram ring mine-async sparse; do
		[[ -s cm/build/$plugin.json ]] && loads "./cm/build/$plugin.so"
		result $? "CMake: $plugin loads, with its manifest"
	done
	DESTDIR=$work/cm/inst cmake --install cm/build >"$work/why" 2>&1 &&
		[[ -e $work/cm/inst$plugindir/heap.so ]] && cmp cm/build/heap.json "$work/cm/inst$plugindir/heap.json" >"$work/why"
	result $? "CMake: install"
	for version in 2.0 1.99; do
		cmake_project "cm-$version" "find_package(ublk-host $version REQUIRED)"
		! cmake -S "cm-$version" -B "cm-$version/build" -DCMAKE_PREFIX_PATH="$sdk" >"$work/why" 2>&1 &&
			grep -q 'compatible with requested' "$work/why"
		result $? "CMake: contract $version is refused"
	done
	cmake_project cm-name 'find_package(ublk-host REQUIRED)' 'ublk_host_add_plugin(a_b ../heap.c)'
	! cmake -S cm-name -B cm-name/build -DCMAKE_PREFIX_PATH="$sdk" >"$work/why" 2>&1 &&
		grep -q '"a_b": the name of a plugin' "$work/why"
	result $? "CMake: a name that no plugin can have is refused"
fi

# -- autoconf

configure_project() { # FOLDER MACRO
	mkdir "$1"
	cat >"$1/configure.ac" <<-EOT
		AC_INIT([mine], [1.0])
		AC_PROG_CC
		$2
		AC_CONFIG_FILES([Makefile])
		AC_OUTPUT
	EOT
	printf '%s\n' 'mine-map.so: ../mine-map/mine-map.c' \
		$'\t@CC@ @UBLK_HOST_CFLAGS@ @CFLAGS@ @UBLK_HOST_LDFLAGS@ -o mine-map.so ../mine-map/mine-map.c' \
		'where:' $'\t@echo @UBLK_HOST_PLUGINDIR@' >"$1/Makefile.in"
	(cd "$1" && ACLOCAL_PATH=$(pkg-config --variable=aclocaldir ublk-host) autoreconf -i && ! grep -n UBLK_HOST_PLUGIN\( configure) >"$work/why" 2>&1
}

if ! command -v autoreconf >/dev/null; then
	skip "autoconf" "no autoconf"
else
	configure_project ac 'UBLK_HOST_PLUGIN' && (cd ac && ./configure CFLAGS="$strict" && make) >"$work/why" 2>&1
	result $? "autoconf: configure and make"
	loads ./ac/mine-map.so
	result $? "autoconf: the plugin loads"
	[[ $(make -s -C ac where) == "$plugindir" ]]
	result $? "autoconf: UBLK_HOST_PLUGINDIR"
	configure_project ac-99 'UBLK_HOST_PLUGIN([99])' && ! (cd ac-99 && ./configure) >"$work/why" 2>&1 &&
		grep -q 'ublk-host with plugin ABI 1.99 or newer is missing' "$work/why"
	result $? "autoconf: a contract that is too old ends configure"
	configure_project ac-no 'UBLK_HOST_PLUGIN([], [have=yes], [have=no])
		AC_MSG_NOTICE([found: $have])' && (cd ac-no && PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=/none ./configure) >"$work/why" 2>&1 &&
		grep -q 'found: no' "$work/why"
	result $? "autoconf: without the package, the other action"
fi

echo "1..$nr"
