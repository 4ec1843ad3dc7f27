#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tape images of other programs: what Hercules and SIMH write is imported, and they read what is
# exported.  One tape goes through all formats, and must come back byte by byte.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

for tool in hetinit hetupd hetmap hetget tapemap mtdump mtcvtodd; do
    command -v "$tool" >/dev/null || skip "$tool is not there (packages hercules and simh)"
done
"$capstan" init --portal 127.0.0.1:0 --slots 40 >/dev/null || exit 1

# A label, blocks of all kinds of lengths, an empty file, a short last one.
word() { # N: 4 bytes, little-endian
    local octal
    octal=$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) 0)
    # shellcheck disable=SC2059
    printf "$octal"
}
block() { # LENGTH PADDED SOURCE
    word "$1"
    head -c "$1" "$3"
    [ "$2" = no ] || [ $(($1 % 2)) = 0 ] || printf '\0'
    word "$1"
}
tape() { # PADDED
    block 80 "$1" "$work/label"
    word 0
    for length in 1 18 80 4095 4096 4097 32767 65535; do
        block "$length" "$1" "$work/text"
    done
    block 20001 "$1" "$work/noise"
    word 0
    word 0
    block 3 "$1" "$work/text"
    word 0
}
printf '%-80s' VOL1CAP001 >"$work/label"
yes 'to and fro goes the tape' | head -c 65536 >"$work/text"
head -c 20001 /dev/urandom >"$work/noise"
tape yes >"$work/tape.tap"
tape no >"$work/tape.e11"
content='11 blocks and 4 filemarks, 130773 bytes'

number=0
same_tape() { # FILE WHAT: an image that must hold the tape
    local barcode
    number=$((number + 1))
    barcode=$(printf 'FT%04dL8' "$number")
    expect 0 "^$barcode: $content" "$capstan" cartridge import "$1" "$barcode"
    "$capstan" cartridge export "$barcode" "$work/back.tap" --format tap >/dev/null
    check "$2 comes back different" cmp -n "$(stat -c %s "$work/tape.tap")" "$work/back.tap" "$work/tape.tap"
    rm -f "$work/back.tap"
}

# ---- SIMH
same_tape "$work/tape.tap" "a .tap"
same_tape "$work/tape.e11" "a .tap without padding"
(cd "$work" && mtcvtodd tape.e11 >/dev/null 2>&1)
same_tape "$work/tape.new" "what mtcvtodd padded"
(cat "$work/tape.tap" && printf '\376\377\377\377\377\377\377\377rubbish behind the end') >"$work/gap.tap"
same_tape "$work/gap.tap" "a .tap with a gap, an end and more behind it"
"$capstan" cartridge export FT0001L8 "$work/ours.tap" --format tap >/dev/null
mtdump "$work/ours.tap" >"$work/dump" 2>&1
# It stops at the second of two tape marks.
check "mtdump finds other records" test "$(grep -c 'length = ' "$work/dump")" = 10
check "mtdump finds another end" grep -q 'position 130864, end of logical tape' "$work/dump"

# ---- Hercules
for format in het aws; do
    "$capstan" cartridge export FT0001L8 "$work/ours.$format" --format "$format" >/dev/null
    expect 0 'Blocks +: 11' hetmap "$work/ours.$format"
    check "hetmap counts other bytes in $format" grep -q '^Uncompressed bytes *: 130773' <<<"$out"
done
expect 0 'File 2: Blocks=9, block size min=1, max=65535' tapemap "$work/ours.aws"
expect 0 '' hetget -n "$work/ours.het" "$work/file4" 4 U 0 65535
check "hetget gets something else" cmp -n 3 "$work/file4" "$work/text"
for how in -d -s '-z -1' '-z -9' '-b -1' '-b -9' '-z -c 4096' '-b -c 4096' '-d -c 4096'; do
    # shellcheck disable=SC2086
    hetupd $how "$work/ours.aws" "$work/theirs" >/dev/null 2>&1
    same_tape "$work/theirs" "what hetupd $how wrote"
    rm -f "$work/theirs"
done
hetinit "$work/new.het" HET001 CAPSTAN >/dev/null 2>&1
expect 0 'HETIN1L8: [23] blocks and [0-9]+ filemarks' "$capstan" cartridge import "$work/new.het" HETIN1L8
hetinit -d -n "$work/new.aws" >/dev/null 2>&1
expect 0 'HETIN2L8: 0 blocks and [0-9]+ filemarks' "$capstan" cartridge import "$work/new.aws" HETIN2L8
