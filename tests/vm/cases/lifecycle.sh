# SPDX-License-Identifier: MIT
# limit: 400
# 100 devices, one after another: nothing grows, in the kernel or in /run.
. "$UBLK_TEST_LIB"

open_files() { cut -f 1 /proc/sys/fs/file-nr; }
tasks() { find /proc -maxdepth 1 -name "[0-9]*" | wc -l; }
kernel_kib() { awk '/^(Slab|KernelStack|Percpu|PageTables|VmallocUsed):/ { n += $2 } END { print n }' /proc/meminfo; }

# Without up and down of lib.sh: each process costs, and there are 112 rounds.
options=("null" "mem --opt size=8M" "file --opt path=$T/backing" "null --queues 1 --depth 32 --read-only")
round() {
	# shellcheck disable=SC2086 # words
	ublk-host up --quiet --plugin ${options[$1 % 4]} >"$T/node" || fail "round $1: up"
	read -r dev <"$T/node"
	(($1 % 3)) || dd if="$dev" of=/dev/null bs=64k count=4 iflag=direct status=none
	ublk-host down "${dev#/dev/ublkb}" >"$T/down" 2>&1 || fail "round $1: $(cat "$T/down")"
	[[ ! -e $dev && ! -e ${dev/ublkb/ublkc} ]] || fail "round $1: a node is left"
}

truncate -s 1M "$T/backing"
for ((i = 0; i < 12; i++)); do
	round $i
done
sleep 1
echo 3 >/proc/sys/vm/drop_caches
files=$(open_files) memory=$(kernel_kib) tasks=$(tasks)
for ((; i < 112; i++)); do
	round $i
done
sleep 1
echo 3 >/proc/sys/vm/drop_caches
note "open files $files -> $(open_files), kernel memory $memory -> $(kernel_kib) KiB"
# The kernel counts files in batches of 32 for each CPU.
at_most "growth of open files in 100 rounds" $(($(open_files) - files)) $((32 * $(nproc) + 16))
at_most "growth of kernel memory in 100 rounds (KiB)" $(($(kernel_kib) - memory)) 6144
at_most "growth of tasks in 100 rounds" $(($(tasks) - tasks)) 10
same "device numbers in use" "$(ls /sys/class/ublk-char)" ""
