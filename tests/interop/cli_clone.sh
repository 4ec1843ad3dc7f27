#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `capstan cartridge clone`: on a file system that can't share and, where they can be mounted, on
# btrfs and xfs, which do; beside a drive; what fails leaves nothing.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

overwrite=${CAPSTAN_BUILDDIR:-$PWD}/tests/interop/cartridge_overwrite
[ -x "$overwrite" ] || skip "$overwrite is not built"

stores=${CAPSTAN_BUILDDIR:-$PWD}/tests/unit/test_store

content() {
    "$capstan" cartridge export "$1" - --format raw 2>/dev/null | sha256sum
}

field() {
    sed -n "s/^ *\"$1\": \"*\([^\",]*\)\"*,*$/\1/p" <<<"$out"
}

# All objects of a cartridge, with what is in them.
objects() {
    (cd "$CAPSTAN_ROOT/cartridges/$1" && sha256sum identity super.a super.b seg-*)
}

# A library at $CAPSTAN_ROOT with cartridges of one file of 8 MiB; $1: are bytes shared (true, false)?
clones() {
    local shared=$1 before free
    expect 0 '' "$capstan" init --portal 127.0.0.1:0
    head -c 8388608 /dev/urandom >"$work/raw"
    expect 0 '' "$capstan" cartridge import "$work/raw" SRC001L8 --format raw
    sync -f "$CAPSTAN_ROOT"
    before=$(objects SRC001L8)
    free=$(stat -f -c '%f*%S' "$CAPSTAN_ROOT")

    expect 0 'a clone of SRC001L8, in slot:5: 32 objects in 1 segments' \
        "$capstan" cartridge clone SRC001L8 CPY01XL8 --slot 5
    sync -f "$CAPSTAN_ROOT"
    free=$((free - $(stat -f -c '%f*%S' "$CAPSTAN_ROOT")))
    [ "$shared" = false ] || check "the clone takes $free bytes" test "$free" -lt 4000000
    expect 0 "\"shared\": $shared" "$capstan" cartridge clone SRC001L8 CPY02XL8 --json
    check "the place is not a slot" test "$(field place)" != "" -a "$(field source)" = SRC001L8
    expect 0 'good' "$capstan" cartridge verify SRC001L8 CPY01XL8 CPY02XL8
    check "a clone holds other data" test "$(content CPY01XL8)" = "$(content SRC001L8)"
    check "cloning changes the source" test "$(objects SRC001L8)" = "$before"

    # Neither disturbs the other.
    check "a clone can't be overwritten" "$overwrite" "$CAPSTAN_ROOT/cartridges/CPY01XL8" 3 other
    check "overwriting changes nothing" test "$(content CPY01XL8)" != "$(content SRC001L8)"
    check "overwriting a clone changes the source" test "$(objects SRC001L8)" = "$before"
    expect 0 '32 blocks' "$capstan" cartridge undo CPY01XL8
    check "undo does not bring it back" test "$(content CPY01XL8)" = "$(content SRC001L8)"
    before=$(objects CPY02XL8)
    check "the source can't be overwritten" "$overwrite" "$CAPSTAN_ROOT/cartridges/SRC001L8" 0 other
    expect 0 '' "$capstan" cartridge retention SRC001L8 --days 0
    check "the source can't be overwritten" "$overwrite" "$CAPSTAN_ROOT/cartridges/SRC001L8" 0 again
    check "overwriting the source changes a clone" test "$(objects CPY02XL8)" = "$before"

    # Of a clone, and of its clone when the map of it is gone.
    expect 0 '' "$capstan" cartridge clone CPY02XL8 CPY03XL8
    rm "$CAPSTAN_ROOT"/cartridges/CPY03XL8/super.[ab]
    expect 0 '32 objects' "$capstan" cartridge rebuild CPY03XL8
    check "a rebuilt clone holds other data" test "$(content CPY03XL8)" = "$(content CPY02XL8)"
    rm -rf "$CAPSTAN_ROOT"
}

clones_on() {
    local type=$1
    dd if=/dev/zero of="$work/image" bs=1M seek=400 count=0 status=none
    if [ "$(id -u)" != 0 ] || ! command -v "mkfs.$type" >/dev/null; then
        echo "SKIP of $type: it takes root and mkfs.$type"
    elif ! { "mkfs.$type" -q "$work/image" >/dev/null && mount -o loop "$work/image" "$work/small"; } 2>"$work/why"; then
        echo "SKIP of $type: $(head -1 "$work/why")"
    else
        CAPSTAN_ROOT=$work/small/lib
        clones true
        [ ! -x "$stores" ] || check "stores on $type" env TMPDIR="$work/small" "$stores"
        umount "$work/small"
        CAPSTAN_ROOT=$work/lib
    fi
    rm -f "$work/image"
}

mkdir "$work/small"
clones_on btrfs
clones_on xfs

# Within tmpfs nothing is shared; as the rest goes: root or not, wherever the work is.
"$capstan" init --portal 127.0.0.1:0 >/dev/null || exit 1
printf 'first' >"$work/raw"
expect 0 '' "$capstan" cartridge import "$work/raw" SRC001L8 --format raw --slot 1
expect 0 '' "$capstan" cartridge protect SRC001L8 on
expect 0 'slot:3' "$capstan" cartridge clone SRC001L8 ABC001L8 --slot 3
expect 0 '"protected": false' "$capstan" cartridge show ABC001L8 --json
uuid=$(field uuid)
expect 0 '"uuid"' "$capstan" cartridge show SRC001L8 --json
check "the clone has the same uuid" test -n "$uuid" -a "$uuid" != "$(field uuid)"

before=$(places)
expect 1 'cartridge ABC001L8 already' "$capstan" cartridge clone SRC001L8 ABC001L8
expect 1 'slot:3 is full' "$capstan" cartridge clone SRC001L8 ABC002L8 --slot 3
expect 1 'no cartridge NONE01L8' "$capstan" cartridge clone NONE01L8 ABC002L8
expect 2 'no barcode' "$capstan" cartridge clone SRC001L8 a/../b
expect 2 'says LTO-7' "$capstan" cartridge clone SRC001L8 ABC002L7
expect 2 'cleaning' "$capstan" cartridge clone SRC001L8 CLN001L1
expect 2 'slot must be' "$capstan" cartridge clone SRC001L8 ABC002L8 --slot x
mv "$CAPSTAN_ROOT"/cartridges/ABC001L8/seg-* "$work/seg"
expect 1 'has lost its object seg-' "$capstan" cartridge clone ABC001L8 ABC002L8
mv "$work/seg" "$CAPSTAN_ROOT/cartridges/ABC001L8/seg-0000000000000001"
check "a failed clone leaves something" \
    test -z "$(find "$CAPSTAN_ROOT/cartridges" -regex ".*/\(import\|ABC002\|CLN\).*")"
check "a failed clone moves something" test "$(places)" = "$before"

# Beside a drive that has it.
serve
expect 0 '' "$capstan" load SRC001L8
expect 0 'a clone of SRC001L8' "$capstan" cartridge clone SRC001L8 ABC002L8
check "a clone of a loaded one holds other data" \
    test "$(content SRC001L8)" = "$(content ABC002L8)"
expect 0 'ABC002L8' "$capstan" cartridge list
expect 0 '' "$capstan" stop
