#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `capstan cartridge scrub` and the depths of `cartridge verify`: damage is found where it is, put in
# quarantine, listed, and gone when it is overwritten or healed; a scrub that is stopped goes on.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

overwrite=${CAPSTAN_BUILDDIR:-$PWD}/tests/interop/cartridge_overwrite
[ -x "$overwrite" ] || skip "$overwrite is not built"
"$capstan" init --cartridges 1 --portal 127.0.0.1:0 >/dev/null || exit 1
store=$CAPSTAN_ROOT/cartridges/SCR001L8

# Turn over the byte at offset $2 of the object $1; twice: as it was.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    printf '%b' "\\x$(printf '%x' $((byte ^ 4)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Eight blocks of 262,144 bytes; block 5 begins behind the header and five records.
head -c 2097152 /dev/urandom >"$work/raw"
fifth=$((128 + 5 * (64 + 262144) + 64 + 1000))
expect 0 '8 blocks' "$capstan" cartridge import "$work/raw" SCR001L8 --format raw
expect 0 'never scrubbed' "$capstan" cartridge scrub SCR001L8 --list
expect 0 '1 of 1 segments were verified; 0 objects' "$capstan" cartridge scrub SCR001L8
expect 0 '"quarantined": 0' "$capstan" cartridge scrub SCR001L8 --json

# The depths of verify.
segment=$(echo "$store"/seg-*)
flip "$segment" "$fifth"
expect 0 'SCR001L8 +good' "$capstan" cartridge verify --headers SCR001L8
expect 1 'damaged, first block 5' "$capstan" cartridge verify SCR001L8
expect 1 'damaged, first block 5' "$capstan" cartridge verify --payload SCR001L8
expect 1 '"first_damaged": 5' "$capstan" cartridge verify --protection SCR001L8 --json
expect 2 'contradict' "$capstan" cartridge verify --headers --protection SCR001L8

# The quarantine: right address, right number, and the list says it even if the block is healed.
expect 1 '1 objects are in quarantine' "$capstan" cartridge scrub SCR001L8
expect 0 '^ *0 +5 +1 ' "$capstan" cartridge scrub SCR001L8 --list
expect 0 '"block": 5' "$capstan" cartridge scrub SCR001L8 --list --json
expect 0 '"quarantined": 1' "$capstan" cartridge show SCR001L8 --json
expect 0 '^quarantined +1$' "$capstan" cartridge show SCR001L8
expect 0 '^SCR001L8 .* damaged ' "$capstan" cartridge list
flip "$segment" "$fifth"
expect 1 'block 5: it is in quarantine' "$capstan" cartridge export SCR001L8 "$work/out" --format raw
expect 0 ' good' "$capstan" cartridge verify SCR001L8
expect 0 ' 0 objects' "$capstan" cartridge scrub SCR001L8
check "it is not what it was" cmp "$work/raw" <("$capstan" cartridge export SCR001L8 - --format raw)

expect 0 '^SCR001L8 .* good ' "$capstan" cartridge list

# ... and gone when it is overwritten.
flip "$segment" "$fifth"
expect 1 'quarantine' "$capstan" cartridge scrub SCR001L8
check "it can't be overwritten" "$overwrite" "$store" 5 new
expect 0 ' 0 objects' "$capstan" cartridge scrub SCR001L8 --list
expect 0 ' 0 objects' "$capstan" cartridge scrub SCR001L8

# The rate: 1.3 MB at 1 MB/s take a second.
started=$(date +%s%N)
expect 0 ' 0 objects' "$capstan" cartridge scrub SCR001L8 --rate 1M
check "the rate was not kept" test $((($(date +%s%N) - started) / 1000000)) -ge 900

# Stopped in the middle, it goes on: the first of the two segments is not read again.
"$capstan" cartridge scrub SCR001L8 --rate 1310K >"$work/scrub.log" 2>&1 &
scrub=$!
sleep 0.2
kill -INT "$scrub"
wait "$scrub"
check "a scrub that was stopped does not say so" grep -q 'was stopped; call it again' "$work/scrub.log"
expect 0 'was interrupted' "$capstan" cartridge scrub SCR001L8 --list
expect 0 '"resumed": true' "$capstan" cartridge scrub SCR001L8 --json
expect 0 '"resumed": false' "$capstan" cartridge scrub SCR001L8 --restart --json

# What it remembers is advice: damaged, it is no harm.
printf 'CAPSCRB\n and no more' >"$store/scrub"
expect 0 'never scrubbed' "$capstan" cartridge scrub SCR001L8 --list
expect 0 ' 0 objects' "$capstan" cartridge scrub SCR001L8

expect 1 'no cartridge NONE01L8' "$capstan" cartridge scrub NONE01L8
expect 2 '--list reads nothing' "$capstan" cartridge scrub SCR001L8 --list --restart
expect 2 'rate' "$capstan" cartridge scrub SCR001L8 --rate x

# Dumps, beside the drive that has the cartridge.
expect 0 'there is no dump on it' "$capstan" cartridge verify --dump SCR001L8
mkdir "$work/tree"
head -c 300000 /dev/urandom >"$work/tree/data"
serve
expect 0 'dumped 1 files' "$capstan" dump --volume CAP001L8 "$work/tree"
expect 0 '"dumps": 1' "$capstan" cartridge verify --dump CAP001L8 --json
expect 0 ' 0 objects' "$capstan" cartridge scrub CAP001L8
expect 0 '' "$capstan" stop

# A stream that is not well-formed, on a cartridge that is: its records in another order.
"$capstan" cartridge export CAP001L8 "$work/dump" --format raw --file 0 >/dev/null
record=$((64 * 1024))
{
    head -c $record "$work/dump"
    tail -c +$((3 * record + 1)) "$work/dump"
} >"$work/hole"
expect 0 'blocks' "$capstan" cartridge import "$work/hole" BAD001L8 --format raw --blocking 64
expect 0 ' good' "$capstan" cartridge verify BAD001L8
expect 1 '1 of 1 dumps are damaged' "$capstan" cartridge verify --dump BAD001L8
head -c $((3 * record)) "$work/dump" >"$work/cut"
expect 0 'blocks' "$capstan" cartridge import "$work/cut" CUT001L8 --format raw --blocking 64
expect 3 'has no end here' "$capstan" cartridge verify --dump CUT001L8
