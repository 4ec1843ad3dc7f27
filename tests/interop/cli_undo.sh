#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `capstan cartridge undo`: what a host overwrote comes back, and goes again.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

overwrite=${CAPSTAN_BUILDDIR:-$PWD}/tests/interop/cartridge_overwrite
[ -x "$overwrite" ] || skip "$overwrite is not built"
"$capstan" init --portal 127.0.0.1:0 >/dev/null || exit 1

content() {
    "$capstan" cartridge export "$1" - --format raw 2>/dev/null
}

printf 'first' >"$work/raw"
expect 0 '1 blocks' "$capstan" cartridge import "$work/raw" UND001L8 --format raw
expect 1 'nothing on cartridge UND001L8 was overwritten' "$capstan" cartridge undo UND001L8
expect 0 '^POINT' "$capstan" cartridge undo UND001L8 --list
check "it can't be overwritten" "$overwrite" "$CAPSTAN_ROOT/cartridges/UND001L8" 0 second
check "what is on it is not the second" test "$(content UND001L8)" = second
expect 0 '"blocks": 1' "$capstan" cartridge undo UND001L8 --list --json
point=$(sed -n 's/.*"point": \([0-9]*\).*/\1/p' <<<"$out")

# A divided one: what is in each partition, and what is left there.
expect 0 'DIV001L8' "$capstan" cartridge create DIV001L8
check "it can't be divided" "$overwrite" "$CAPSTAN_ROOT/cartridges/DIV001L8" divide three
expect 0 '^partition 1 +5 B used, 1.0 GB left of 1.0 GB; 1 objects' "$capstan" cartridge show DIV001L8
expect 0 '"remaining": 999999995' "$capstan" cartridge show DIV001L8 --json
expect 0 '^DIV001L8 .* 5 B +1.0 GB +1.0 GB +1 ' "$capstan" cartridge list

expect 1 "can't go back to 4000" "$capstan" cartridge undo UND001L8 --to 4000
expect 0 'until .*: 1 blocks, 0 filemarks' "$capstan" cartridge undo UND001L8
check "what is on it is not the first" test "$(content UND001L8)" = first
expect 0 '"point"' "$capstan" cartridge undo UND001L8 --json
check "what is on it is not the second again" test "$(content UND001L8)" = second
expect 0 '' "$capstan" cartridge undo UND001L8 --to "$point"
check "what is on it is not the first again" test "$(content UND001L8)" = first
expect 0 'good' "$capstan" cartridge verify UND001L8

expect 1 'no cartridge NONE01L8' "$capstan" cartridge undo NONE01L8
expect 2 'contradict' "$capstan" cartridge undo UND001L8 --list --to 3
expect 2 'to must be' "$capstan" cartridge undo UND001L8 --to x

# How long it is kept, and that nothing is.
expect 0 'kept for 30 days' "$capstan" cartridge retention UND001L8
expect 0 '"days": 7.0' "$capstan" cartridge retention UND001L8 --days 7 --bytes 1GiB --json
expect 0 '7 days, at most 1073741824 bytes' "$capstan" cartridge retention UND001L8
expect 2 'days must be' "$capstan" cartridge retention UND001L8 --days x
expect 1 'no cartridge NONE01L8' "$capstan" cartridge retention NONE01L8

# Both superblocks are gone: the segments still know.
expect 1 'nothing to rebuild' "$capstan" cartridge rebuild UND001L8
printf 'lost' >"$work/lost"
expect 0 '1 blocks' "$capstan" cartridge import "$work/lost" REB001L8 --format raw
rm "$CAPSTAN_ROOT"/cartridges/REB001L8/super.[ab]
expect 1 'cartridge rebuild' "$capstan" cartridge verify REB001L8
expect 0 '^REB001L8: 1 objects' "$capstan" cartridge rebuild REB001L8
check "what is on it is not what was" test "$(content REB001L8)" = lost
expect 0 '"protected": true' "$capstan" cartridge show REB001L8 --json
expect 1 'no cartridge NONE01L8' "$capstan" cartridge rebuild NONE01L8

# In a drive it is the drive's; in a slot it can be undone beside a daemon.
serve
expect 0 '' "$capstan" cartridge undo UND001L8
expect 0 '' "$capstan" load UND001L8
expect 1 'is in drive:0; unload it' "$capstan" cartridge undo UND001L8
expect 0 '^POINT' "$capstan" cartridge undo UND001L8 --list
expect 0 '' "$capstan" stop
