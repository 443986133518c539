# SPDX-License-Identifier: MIT
# features and plugins tell of this kernel and these plugins, for people and for programs.
. "$UBLK_TEST_LIB"

ublk-host features >"$T/features"
grep -qF "$(uname -r)" "$T/features" || fail "features does not name the kernel"
for plugin in null mem file stripe; do
	matches "$T/features" "$plugin"
done
ublk-host features --json >"$T/features.json"
matches "$T/features.json" '"USER_RECOVERY|user_recovery|"user-recovery'
ublk-host plugins >"$T/plugins"
for plugin in null mem file stripe; do
	matches "$T/plugins" "^ *$plugin"
	ublk-host plugins $plugin >"$T/plugin"
	matches "$T/plugin" '(size|path|chunk)'
done
# What it says of a plugin is what a device gets.
truncate -s 1M "$T/backing"
serve --plugin file --opt path="$T/backing"
path=$(ublk-host features --json | tr -d ' \n' | grep -o '"name":"file",[^{}]*"data_path":"[^"]*"' | cut -d '"' -f 16)
matches "$log" "data path ${path/+/\\+}:"
stop
nothing_served
