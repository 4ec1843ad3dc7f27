#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon killed with -9 under load, KILL9_COUNT (30) times: kill9_load.c says what must hold.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

build=${CAPSTAN_BUILDDIR:-$PWD}
count=${KILL9_COUNT:-30}
seed=${KILL9_SEED:-1}

# A port that is free now; the daemon is to come back on the same.
port=$(perl -MIO::Socket::INET -e \
    'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
expect 0 "made" "$capstan" init --cartridges 2 --portal "127.0.0.1:$port"
serve
expect 0 "CAP001L8" "$capstan" load CAP001L8 0
url=iscsi://127.0.0.1:$port/$(sed -n 's/^target = //p' "$CAPSTAN_ROOT/capstan.conf")/1
expect 0 "stopped" "$capstan" stop
check "what was synchronised is lost, or the daemon comes back late" \
    "$build/tests/interop/kill9_load" "$capstan" "$url" CAP001L8 "$count" "$seed" 2>"$work/serve.log"
if grep -E 'Sanitizer|runtime error' "$work/serve.log"; then
    bad "the daemon has faults"
    grep -A20 Sanitizer "$work/serve.log" | head -40
fi
[ "$failures" = 0 ] || tail -5 "$work/serve.log"
expect 0 "CAP001L8 +drive:0" "$capstan" cartridge list
expect 0 "CAP001L8 +good" "$capstan" cartridge verify CAP001L8
