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

# In a drive it is the drive's; in a slot it can be undone beside a daemon.
serve
expect 0 '' "$capstan" cartridge undo UND001L8
expect 0 '' "$capstan" load UND001L8
expect 1 'is in drive:0; unload it' "$capstan" cartridge undo UND001L8
expect 0 '^POINT' "$capstan" cartridge undo UND001L8 --list
expect 0 '' "$capstan" stop
