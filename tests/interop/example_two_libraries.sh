#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/two-libraries: each line of its README is typed, and hosts see what it says they do.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
example=$srcdir/examples/two-libraries
mapfile -t lines < <(sed -n 's/^    \([a-z.].*\)/\1/p' "$example/README.md" | grep -v '──')
check "the README has ${#lines[@]} commands" test "${#lines[@]}" = 10
export D=$work/data PATH=${capstan%/*}:$PATH
export CAPSTAN_ROOT=$D/cellar
name=iqn.2026-11.org.example
cd "$example" || exit 99

address() { # ROOT N: of its portal n
    "$capstan" --root "$1" status --json |
        awk -v n="$2" '/"portals"/ { on = 1; next } on && /\]/ { exit } on { gsub(/[ ",]/, ""); if (i++ == n) print }'
}
type_line() { # N PATTERN: the line of the README, and what it prints
    expect 0 "$2" timeout 60 bash -c "${lines[$1]}"
}
host() { # NAME LUN: what it finds there
    timeout 20 iscsi-inq -i "$name:$1" "iscsi://$BACKUP/$name:cellar/$2" 2>&1
}

type_line 0 "made the library .*attic"
check "the views are not in the file" grep -q '^views = .*host-b=changer+1@drive:1' "$D/cellar/capstan.conf"
type_line 1 "serving $name:attic at 127.0.0.2:.*, portal group 2"
daemons+=("$(daemon_pid)")
BACKUP=$(address "$D/cellar" 0)
MANAGEMENT=$(address "$D/attic" 1)
export BACKUP MANAGEMENT
check "the libraries do not share the portal" test "$BACKUP" = "$(address "$D/attic" 0)"
type_line 2 .
type_line 3 "library attic at .*/attic"
type_line 4 "drive:0"
for tool in iscsi-ls iscsi-inq; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (libiscsi-bin)"
done
# iscsi-ls is none of the hosts that the cellar lets in.
type_line 5 "Target:$name:attic Portal:$BACKUP,1"
check "the cellar is told of to a stranger" test "$(grep -c cellar <<<"$out")" = 0
check "the other portal is not told of" grep -q "Target:$name:attic Portal:$MANAGEMENT,2" <<<"$out"
type_line 6 "Target:$name:attic Portal:$MANAGEMENT,2"
check "the cellar is offered where it is not" test "$(grep -c cellar <<<"$out")" = 0
expect 0 "Portal:$BACKUP,1" timeout 20 iscsi-ls -i "$name:host-a" "iscsi://$BACKUP"
check "host-a is not told of both" test "$(grep -c 'Target:' <<<"$out")" -ge 2
type_line 7 "SEQUENTIAL_ACCESS"
check "host-a does not find its drive" grep -q SEQUENTIAL <(host host-a 1)
check "host-a finds the drive of host-b" test -z "$(host host-a 2 | grep SEQUENTIAL)"
check "host-b has a LUN 2" test -z "$(host host-b 2 | grep SEQUENTIAL)"
check "host-c gets in" test -z "$(host host-c 0 | grep -i changer)"
sed -i "s|^initiators = .*|& $name:host-c|; s|^views = .*|& $name:host-c=changer|" "$D/cellar/capstan.conf"
type_line 8 "reloaded"
check "host-c does not get in" grep -qi changer <(host host-c 0)
check "host-c sees a drive" test -z "$(host host-c 1 | grep SEQUENTIAL)"
expect 0 stopped "$capstan" --root "$D/cellar" stop
check "the daemon goes on for the attic" test -z "$("$capstan" --root "$D/attic" status --json | grep '"pid"')"
check "the log of the attic does not tell where the log is" grep -q "cellar/run/serve.log" "$D/attic/run/serve.log"
