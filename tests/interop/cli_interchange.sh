#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `capstan cartridge export` and `import`: files and pipes, with a daemon and without; what fails
# leaves nothing behind.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

"$capstan" init --portal 127.0.0.1:0 >/dev/null || exit 1

# abc, tape mark, Q, end of medium
printf '\3\0\0\0abc\0\3\0\0\0\0\0\0\0\1\0\0\0Q\0\1\0\0\0\377\377\377\377' >"$work/a.tap"

expect 0 '^TAP001L8: 2 blocks and 1 filemarks, 4 bytes; format tap, in slot:3$' \
    "$capstan" cartridge import "$work/a.tap" TAP001L8 --slot 3
expect 1 'cartridge TAP001L8 already' "$capstan" cartridge import "$work/a.tap" TAP001L8
expect 1 'slot:3 is full' "$capstan" cartridge import "$work/a.tap" TAP002L8 --slot 3
expect 0 'good' "$capstan" cartridge verify TAP001L8

round_trip() {
    local format=$1 barcode=$2
    expect 0 "format $format" "$capstan" cartridge export TAP001L8 "$work/x.$format" --format "$format"
    check "import of $format through a pipe" bash -c \
        'cat "$2" | "$1" cartridge import - "$3" >/dev/null' - "$capstan" "$work/x.$format" "$barcode"
    check "export of $format through a pipe" bash -c \
        '"$1" cartridge export "$3" - --format tap 2>/dev/null | cmp - "$2"' - "$capstan" \
        "$work/a.tap" "$barcode"
}
round_trip capstan CAP001L8
round_trip aws AWS001L8
serve
round_trip tap TAPX01L8
round_trip het HET001L8
expect 0 'HET001L8' "$capstan" cartridge list

# What fails leaves nothing.
before=$(places)
expect 1 'there already' "$capstan" cartridge export TAP001L8 "$work/a.tap"
expect 1 'no cartridge NONE01L8' "$capstan" cartridge export NONE01L8 "$work/none"
expect 1 'can.t be written' "$capstan" cartridge export TAP001L8 "$work/no/such"
expect 1 'can.t be written: No space' "$capstan" cartridge export TAP001L8 /dev/full
expect 1 'more than one file' "$capstan" cartridge export TAP001L8 "$work/raw" --format raw
check "a failed export leaves a file" test ! -e "$work/raw" -a ! -e "$work/none"
head -c 600 "$work/x.capstan" >"$work/cut"
expect 1 'truncated' "$capstan" cartridge import "$work/cut" CUT001L8
expect 1 'say it with --format' "$capstan" cartridge import "$capstan" ELF001L8
expect 1 'the cartridge is full at byte' \
    "$capstan" cartridge import "$capstan" RAW001L8 --format raw --capacity 1MB
check "a failed import leaves something" \
    test -z "$(find "$CAPSTAN_ROOT/cartridges" -regex ".*/\(import\|CUT\|ELF\|RAW\).*")"
check "a failed import moves something" test "$(places)" = "$before"

# Wrong use.
expect 2 'no format' "$capstan" cartridge export TAP001L8 "$work/y" --format zip
expect 2 'raw only' "$capstan" cartridge export TAP001L8 "$work/y" --file 1
expect 2 'raw only' "$capstan" cartridge import "$work/a.tap" ABC --blocking 3
expect 2 'no barcode' "$capstan" cartridge import "$work/a.tap" a/../b
expect 2 '' "$capstan" cartridge export TAP001L8 - --json

# One file of it, and back.
expect 0 '1 blocks' "$capstan" cartridge export TAP001L8 "$work/one" --format raw --file 1
check "the wrong file" test "$(cat "$work/one")" = Q
expect 0 '"blocks": 1' "$capstan" cartridge import "$work/one" RAW002L8 --format raw --json

# A damaged block in a stream is told, and is no failure.
printf '\2\0\0\200bd\2\0\0\200' >"$work/bad.tap"
expect 3 'byte 0 of the stream: the block was damaged' \
    "$capstan" cartridge import "$work/bad.tap" BAD001L8

# What a crash left is removed at the next opening; what is being built is not.
expect 0 '' "$capstan" stop
mkdir "$CAPSTAN_ROOT/cartridges/import.DEAD01L8" "$CAPSTAN_ROOT/cartridges/import.LIVE01L8"
(
    flock 9
    expect 0 'TAP001L8' "$capstan" cartridge list
    [ "$failures" = 0 ]
) 9<"$CAPSTAN_ROOT/cartridges/import.LIVE01L8" || bad "the list beside an import"
check "a leftover stays" test ! -e "$CAPSTAN_ROOT/cartridges/import.DEAD01L8"
check "an import is disturbed" test -e "$CAPSTAN_ROOT/cartridges/import.LIVE01L8"
