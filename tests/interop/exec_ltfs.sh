#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an LTFS implementation does with a drive, command by command through sg: two partitions, labels and
# indexes in both, volume coherency in medium auxiliary memory, append-only mode, and all that read back after
# the cartridge was carried away and the daemon began anew.  (LTFS Format Specification 2.4; SSC-5; SPC-5 7.4.)
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

command -v sg_raw >/dev/null || skip "the package sg3-utils is not installed"
expect 0 "made" "$capstan" init --cartridges 1 --portal 127.0.0.1:0
serve
expect 0 "drive:0" "$capstan" load CAP001L8 0

is() { # WHAT WANTED GOT
    checks=$((checks + 1))
    [ "$2" = "$3" ] || bad "$1: wanted '$2', got '$3'"
}
hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }
bytes() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; } # of hexadecimal digits
cmd() { # CDB: without data
    # shellcheck disable=SC2086 # the bytes are words
    x sg_raw /dev/sg1 $1 >"$work/said" 2>&1 || bad "$1: $(tail -n 3 "$work/said")"
    checks=$((checks + 1))
}
refused() { # WORDS CDB [FILE]: it ends with that sense
    checks=$((checks + 1))
    # shellcheck disable=SC2086
    if x sg_raw ${3:+-s "$(stat -c %s "$3")" -i "$3"} /dev/sg1 $2 >"$work/said" 2>&1; then
        bad "accepted: $2"
    fi
    grep -qi -- "$1" "$work/said" || bad "$2: no '$1': $(cat "$work/said")"
}
to() { # CDB FILE: with data to the drive
    # shellcheck disable=SC2086
    x sg_raw -s "$(stat -c %s "$2")" -i "$2" /dev/sg1 $1 >"$work/said" 2>&1 ||
        bad "$1: $(tail -n 3 "$work/said")"
    checks=$((checks + 1))
}
from() { # CDB LENGTH FILE: with data from the drive
    : >"$3"
    # shellcheck disable=SC2086
    x sg_raw -r "$2" -o "$3" /dev/sg1 $1 >"$work/said" 2>&1
}
be() { printf "%0$((2 * $1))x" "$2"; } # BYTES NUMBER: big-endian
words() { sed 's/../& /g' <<<"$1"; }

# ---- the commands, as LTFS uses them
write_block() { to "0a 00 $(words "$(be 3 "$(stat -c %s "$1")")") 00" "$1"; }
filemarks() { cmd "10 0$2 00 00 0$1 00"; } # COUNT IMMED: LTFS has the last one before a sync wait
locate() { cmd "92 02 00 0$1 $(words "$(be 8 "$2")") 00 00 00 00"; } # PARTITION BLOCK
end_of_data() { cmd "92 1a 00 0$1 00 00 00 00 00 00 00 00 00 00 00 00"; } # DEST TYPE 011b: EOD; CP
position() { # the partition, block and file: READ POSITION in its long form
    from "34 06 00 00 00 00 00 00 00 00" 32 "$work/position"
    echo "$((16#$(hex -j4 -N4 "$work/position"))) $((16#$(hex -j8 -N8 "$work/position"))) $((16#$(hex -j16 -N8 "$work/position")))"
}
read_block() { # LENGTH FILE: SILI, as blocks are shorter than asked
    from "08 02 $(words "$(be 3 "$1")") 00" "$1" "$2"
}
attribute() { # PARTITION ID: its value, hexadecimal
    from "8c 00 00 00 00 00 00 0$1 $(words "$2") 00 00 02 00 00 00" 512 "$work/attribute"
    hex -j9 -N$((16#$(hex -j7 -N2 "$work/attribute"))) "$work/attribute"
}
set_attribute() { # PARTITION ID FORMAT HEX
    local value
    value="$2$3$(be 2 $((${#4} / 2)))$4"
    bytes "$(be 4 $((${#value} / 2)))$value" >"$work/attribute"
    to "8d 00 00 00 00 00 00 0$1 00 00 $(words "$(be 4 "$(stat -c %s "$work/attribute")")") 00 00" "$work/attribute"
}
uuid=30a91a08-daae-48d1-ae75-69804e61d2ea
coherency() { # PARTITION GENERATION BLOCK: LTFS Format 10.4; the drive's own number stands in front
    local vcr
    vcr=$(attribute "$1" 0009)
    set_attribute "$1" 080c 00 "$(be 1 $((${#vcr} / 2)))$vcr$(be 8 "$2")$(be 8 "$3")$(be 2 43)$(printf 'LTFS\0%s\0\1' $uuid | hex)"
}
coherent() { # PARTITION: does the drive's number still stand in the attribute?
    local vcr got
    vcr=$(attribute "$1" 0009)
    got=$(attribute "$1" 080c)
    if [ "${got:2:${#vcr}}" = "$vcr" ]; then echo yes; else echo no; fi
}
select_page() { # HEX: MODE SELECT(10) of that page, the header as MODE SENSE has it
    from "5a 08 ${1:0:2} 00 00 00 00 00 ff 00" 255 "$work/mode"
    bytes "000000$(hex -j3 -N1 "$work/mode")00000000$1" >"$work/select"
    to "55 10 00 00 00 00 00 $(words "$(be 2 "$(stat -c %s "$work/select")")") 00" "$work/select"
}

# ---- mkltfs: partition 0 for the indexes, 1 for the data; IDP, megabytes (PSUM 11b, 6): 64 and all the rest
select_page 110a03013c0306000040ffff
cmd "04 00 01 00 00 00"
is "two partitions" "1 0 0" "$(locate 1 0 && position)"
from "5a 08 0f 00 00 00 00 00 ff 00" 255 "$work/mode"
select_page "0f$(hex -j9 -N1 "$work/mode")c0$(hex -j11 "$work/mode")" # data compression
for named in 0800:01:"IBM     " 0801:01:"LTFS                            " 0802:01:"2.4.0.0 " 080b:01:"2.4.0           "; do
    IFS=: read -r id format value <<<"$named"
    set_attribute 0 "$id" "$format" "$(printf %s "$value" | hex)"
    is "attribute $id" "$(printf %s "$value" | hex)" "$(attribute 0 "$id")"
done
printf 'VOL1CAP001L%68s4' LTFS >"$work/vol1"
is "an ANSI label" 80 "$(stat -c %s "$work/vol1")"
for partition in 0 1; do
    printf '<ltfslabel version="2.4.0"><location><partition>%s</partition></location></ltfslabel>' $partition >"$work/label$partition"
    locate $partition 0
    write_block "$work/vol1"
    filemarks 1 0
    write_block "$work/label$partition"
    filemarks 1 0
done

# An index: filemark, XML, filemark, and the coherency of both partitions anew: the drive counts changes of the
# volume, and has one number for all partitions (SPC-5 7.4.2.2.8).  In place of it a longer one comes.
generation=("0 0" "0 0")
index() { # PARTITION GENERATION
    local at
    printf '<ltfsindex><generationnumber>%s</generationnumber>%0*d</ltfsindex>' "$2" $(($2 * 1000)) 7 >"$work/index$1.$2"
    filemarks 1 1
    at=$(position)
    at=${at#* }
    write_block "$work/index$1.$2"
    filemarks 1 0
    generation[$1]="$2 ${at% *}"
    for partition in 0 1; do
        # shellcheck disable=SC2086 # a generation and a block
        coherency $partition ${generation[partition]}
        is "partition $partition is coherent at generation $2 of $1" yes "$(coherent $partition)"
    done
}
locate 1 4
index 1 1
locate 0 4
index 0 1

# ---- files: extents behind the data partition's index, then an index there, then in the index partition
head -c 524288 /dev/urandom >"$work/extent1"
head -c 100001 /dev/urandom >"$work/extent2"
end_of_data 1
is "the end of the data" "1 7 4" "$(position)"
write_block "$work/extent1"
write_block "$work/extent2"
is "data makes the index stale" no "$(coherent 1)"
index 1 2
locate 0 4
index 0 2
is "the end of the index partition" "0 7 4" "$(end_of_data 0 && position)"

# ---- carried away, another daemon: the mount
expect 0 "slot:1" "$capstan" unload 0
expect 0 "stopped" "$capstan" stop
serve
expect 0 "drive:0" "$capstan" load CAP001L8 0
for partition in 0 1; do
    is "partition $partition is coherent still" yes "$(coherent $partition)"
    locate $partition 0
    read_block 1000 "$work/got"
    check "the ANSI label of $partition" cmp "$work/got" "$work/vol1"
    read_block 1000 "$work/got" # the filemark
    check "a filemark behind it" grep -qi "filemark" "$work/said"
    read_block 1000 "$work/got"
    check "the label of $partition" cmp "$work/got" "$work/label$partition"
done
value=$(attribute 0 080c)
is "the generation and the block" "$(be 8 2)$(be 8 5)" "${value:$((2 + 2 * 16#${value:0:2})):32}"
locate 0 5
read_block 65536 "$work/got"
check "the index of the index partition" cmp "$work/got" "$work/index0.2"
locate 1 7
read_block 524288 "$work/got"
check "the first extent" cmp "$work/got" "$work/extent1"
read_block 524288 "$work/got"
check "the second extent" cmp "$work/got" "$work/extent2"
locate 1 10
read_block 65536 "$work/got"
check "the index of the data partition" cmp "$work/got" "$work/index1.2"

# ---- append-only: nothing is overwritten by mistake, the index partition by permission
from "5a 08 10 01 00 00 00 00 ff 00" 255 "$work/mode"
select_page "50$(hex -j9 -N4 "$work/mode")10$(hex -j14 "$work/mode")"
locate 1 7
refused "protect" "0a 00 $(words "$(be 3 100001)") 00" "$work/extent2"
end_of_data 1
write_block "$work/extent2"
index 1 3
locate 0 4
refused "protect" "10 00 00 00 01 00"
cmd "82 00 01 00 $(words "$(be 8 4)") 00 00 00 00" # ALLOW OVERWRITE: here, in partition 0
index 0 3
locate 1 7
read_block 524288 "$work/got"
check "the first extent is untouched" cmp "$work/got" "$work/extent1"
locate 0 5
read_block 65536 "$work/got"
check "the third index" cmp "$work/got" "$work/index0.3"
refused "" "04 00 00 00 00 00" # FORMAT MEDIUM is refused too
expect 0 "CAP001L8" "$capstan" cartridge show CAP001L8
expect 0 "stopped" "$capstan" stop
