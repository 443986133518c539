# SPDX-License-Identifier: MIT
# limit: 400
# 100 devices, one after another: nothing grows, in the kernel or in /run.
. "$UBLK_TEST_LIB"

open_files() { cut -f 1 /proc/sys/fs/file-nr; }
tasks() { find /proc -maxdepth 1 -name "[0-9]*" | wc -l; }
kernel_kib() { awk '/^(Slab|KernelStack|Percpu|PageTables|VmallocUsed):/ { n += $2 } END { print n }' /proc/meminfo; }

round() {
	case $(($1 % 4)) in
	0) up --plugin null ;;
	1) up --plugin mem --opt size=8M --name "round-$1" ;;
	2) truncate -s 1M "$T/backing" && up --plugin file --opt path="$T/backing" ;;
	3) up --plugin null --queues 1 --depth 32 --read-only ;;
	esac
	dd if="$dev" of=/dev/null bs=64k count=4 iflag=direct status=none
	down "$id"
	[[ ! -e $dev && ! -e /dev/ublkc$id ]] || fail "round $1: a node is left"
}

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
