# SPDX-License-Identifier: MIT
# The real-kernel suite, for the tarball; tests/vm/run runs it.
EXTRA_DIST += .ci/run tests/vm/boot tests/vm/demo tests/vm/fetch-kernel tests/vm/guest-init \
	tests/vm/lib.sh tests/vm/make-initrd tests/vm/run tests/vm/run.t tests/vm/suite tests/vm/uml-init
TESTS += tests/vm/run.t
check_PROGRAMS += tests/vm/ledger tests/vm/stalls
tests_vm_ledger_SOURCES = tests/vm/ledger.c
tests_vm_stalls_SOURCES = tests/vm/stalls.c
EXTRA_DIST += tests/vm/machines/power-loss.sh
EXTRA_DIST += \
	tests/vm/cases/apply.sh \
	tests/vm/cases/blocks-4k.sh \
	tests/vm/cases/confine.sh \
	tests/vm/cases/control.sh \
	tests/vm/cases/cpus.sh \
	tests/vm/cases/crash.sh \
	tests/vm/cases/cycles.sh \
	tests/vm/cases/data-path.sh \
	tests/vm/cases/devices.sh \
	tests/vm/cases/discard-file.sh \
	tests/vm/cases/discard-mem.sh \
	tests/vm/cases/doctor.sh \
	tests/vm/cases/down-busy.sh \
	tests/vm/cases/down-try.sh \
	tests/vm/cases/enters.sh \
	tests/vm/cases/errno.sh \
	tests/vm/cases/example.sh \
	tests/vm/cases/faults.sh \
	tests/vm/cases/features.sh \
	tests/vm/cases/flush.sh \
	tests/vm/cases/fs-ext4.sh \
	tests/vm/cases/fs-xfs.sh \
	tests/vm/cases/gc.sh \
	tests/vm/cases/guide.sh \
	tests/vm/cases/hang.sh \
	tests/vm/cases/idle-memory.sh \
	tests/vm/cases/kernel.sh \
	tests/vm/cases/large.sh \
	tests/vm/cases/lifecycle.sh \
	tests/vm/cases/limits-memory.sh \
	tests/vm/cases/limits.sh \
	tests/vm/cases/manifest.sh \
	tests/vm/cases/many.sh \
	tests/vm/cases/misbehaving.sh \
	tests/vm/cases/mmap-file.sh \
	tests/vm/cases/notify.sh \
	tests/vm/cases/partial.sh \
	tests/vm/cases/paths.sh \
	tests/vm/cases/poll.sh \
	tests/vm/cases/read-only.sh \
	tests/vm/cases/recover.sh \
	tests/vm/cases/replaced-file.sh \
	tests/vm/cases/resize-refused.sh \
	tests/vm/cases/resize.sh \
	tests/vm/cases/reused-id.sh \
	tests/vm/cases/serve-crash.sh \
	tests/vm/cases/serve-keep.sh \
	tests/vm/cases/serve-killed.sh \
	tests/vm/cases/serve-resize.sh \
	tests/vm/cases/serve-standby.sh \
	tests/vm/cases/serve.sh \
	tests/vm/cases/server-killed.sh \
	tests/vm/cases/shared-memory.sh \
	tests/vm/cases/signal-io.sh \
	tests/vm/cases/start-time.sh \
	tests/vm/cases/stats.sh \
	tests/vm/cases/steady.sh tests/vm/cases/successor.sh \
	tests/vm/cases/swap.sh \
	tests/vm/cases/threads-per-queue.sh tests/vm/cases/touched-nodes.sh \
	tests/vm/cases/up-down.sh \
	tests/vm/cases/upgrade-other-plugin.sh \
	tests/vm/cases/upgrade.sh \
	tests/vm/cases/user.sh \
	tests/vm/cases/users.sh \
	tests/vm/cases/verify-async.sh \
	tests/vm/cases/verify-call.sh \
	tests/vm/cases/verify-file-direct.sh \
	tests/vm/cases/verify-file.sh \
	tests/vm/cases/verify-mem.sh \
	tests/vm/cases/verify-null.sh \
	tests/vm/cases/verify-stripe.sh \
	tests/vm/cases/wrong-device.sh \
	tests/vm/cases/wrong-file.sh \
	tests/vm/cases/wrong-plugin.sh
