#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The options, modes and partitions of st below `capstan exec`: what st.rst says of each, seen by mt
# and dd.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2016
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

expect 0 "made" "$capstan" init --drives 2 --cartridges 4 --portal 127.0.0.1:0
serve

cat >"$work/options.sh" <<'END'
exec 2>&1
bad=0 checks=0
is() { # WHAT WANTED GOT
    checks=$((checks + 1))
    [ "$2" = "$3" ] && return
    bad=$((bad + 1))
    echo "not ok: $1: wanted '$2', got '$3'"
}
mt() { mt-st -f "${T:-/dev/nst0}" "$@"; }
# File, block and partition, the flags.
place() {
    mt status | sed -n -e 's/^File number=\([-0-9]*\), block number=\([-0-9]*\), partition=\([0-9]*\).*/\1 \2 \3/p' \
        -e '/General status bits/{n;p}' | paste -sd ''
}
at() { mt tell | sed -n 's/^At block \([0-9]*\).*/\1/p'; }
put() { dd if=/dev/zero of="${T:-/dev/nst0}" bs="$1" count="$2" 2>/dev/null; }
says() { # WORDS COMMAND...
    checks=$((checks + 1))
    local words=$1 out
    shift
    out=$("$@" 2>&1 </dev/null) && out="it succeeded"
    case $out in *"$words"*) ;; *)
        bad=$((bad + 1))
        echo "not ok: $*: wanted '$words', got '$out'"
        ;;
    esac
}
tape() { # HOW CODE: of perl, with the tape open and mtop(OPERATION, COUNT)
    perl -e 'sub mtop { ioctl(T, 0x40086d01, pack("s x2 i", @_)) or die "$!\n" }
        open(T, $ARGV[0], $ENV{T} // "/dev/nst0") or die "$!\n"; eval "$ARGV[1]; 1" or die $@' "$@"
}
mtx load 1 0 >/dev/null
mtx load 2 1 >/dev/null

# ---- filemarks at the end of a file
put 1k 2
is "one filemark" 3 "$(at)"
mt stsetoptions two-fms
mt rewind
put 1k 2
is "two filemarks, and between them" "1 0 0 EOF ONLINE IM_REP_EN 3" "$(place) $(at)"
mt fsf 1
is "the second one is there" 4 "$(at)"
mt stclearoptions two-fms
mt rewind
put 1k 2
put 1k 2
is "one filemark again" 6 "$(at)"

# ---- System V: a close goes behind the filemark of the file that was read
mt rewind
dd if=/dev/nst0 of=/dev/null bs=1k count=1 2>/dev/null
is "BSD stays in the file" "0 1 0 ONLINE IM_REP_EN" "$(place)"
mt stsetoptions sysv
mt rewind
dd if=/dev/nst0 of=/dev/null bs=1k count=1 2>/dev/null
is "System V leaves it" "1 0 0 EOF ONLINE IM_REP_EN 3" "$(place) $(at)"
dd if=/dev/nst0 of=/dev/null bs=1k 2>/dev/null
is "read to its end" "2 0 0 EOF ONLINE IM_REP_EN 6" "$(place) $(at)"
mt stclearoptions sysv

# ---- MTEOM counts files, unless it is to be fast
mt rewind
mt eod
is "end of data" "2 -1 0 EOD ONLINE IM_REP_EN" "$(place)"
mt stsetoptions fast-eod
mt rewind
mt eod
is "fast end of data" "-1 -1 0 EOD ONLINE IM_REP_EN" "$(place)"
mt stclearoptions fast-eod

# ---- blocks of a fixed length, read in other pieces
head -c 10000 /dev/urandom >"$D/data"
mt rewind
mt setblk 500
dd if="$D/data" of=/dev/nst0 bs=5000 2>/dev/null
mt rewind
dd if=/dev/nst0 of="$D/got" bs=777 2>/dev/null
cmp "$D/data" "$D/got" || bad=$((bad + 1))
mt rewind
dd if=/dev/nst0 of=/dev/null bs=777 count=2 2>/dev/null
is "behind the block that was read in part" "0 4 0 ONLINE IM_REP_EN 4" "$(place) $(at)"
mt rewind
(
    dd bs=777 count=1 of=/dev/null
    mt-st -f /dev/fd/0 tell >/dev/null 2>&1
    dd bs=500 count=1 of="$D/third"
) </dev/nst0 2>/dev/null
is "what follows is the next whole block" "$(tail -c +1001 "$D/data" | head -c 500 | cksum)" "$(cksum <"$D/third")"
mt stclearoptions read-ahead
says "Invalid argument" dd if=/dev/nst0 of=/dev/null bs=777 count=1
mt stsetoptions read-ahead
says "Invalid argument" dd if=/dev/zero of=/dev/nst0 bs=777 count=1
mt setblk 0

# ---- SILI: a shorter block is no special case
mt rewind
put 1k 1
put 3k 1
mt stsetoptions sili
mt rewind
is "SILI" "1024 3072" "$(for i in 1 2; do dd if=/dev/nst0 bs=64k 2>/dev/null | wc -c; done | paste -sd ' ')"
mt stclearoptions sili

# ---- immediate motion: the next operation finds the tape there
mt stsetoptions no-wait
mt rewind
is "rewound at once" "0 0 0 BOT ONLINE IM_REP_EN 0" "$(place) $(at)"
mt stclearoptions no-wait

# ---- defaults
mt defblksize 2048
is "a default at once" 2048 "$(mt status | sed -n 's/^Tape block size \([0-9]*\) .*/\1/p')"
mt setblk 512
is "the program's own" 512 "$(mt status | sed -n 's/^Tape block size \([0-9]*\) .*/\1/p')"
mt offline
mtx unload 1 0 >/dev/null
mtx load 3 0 >/dev/null
is "the default for the next medium" 2048 "$(mt status | sed -n 's/^Tape block size \([0-9]*\) .*/\1/p')"
mt defblksize 0xffffff 2>/dev/null || mt defblksize 16777215
mt setblk 0
mt defcompression 0
put 64k 1
is "compression is off" 40 "$(sg_raw -b -r 32 /dev/sg1 1a 08 0f 00 20 00 2>/dev/null | od -An -tx1 -j6 -N1 | tr -d ' ')"
mt defcompression 1048575
mt defdrvbuffer 1
mt sttimeout 600
mt stlongtimeout 7200
says "Input/output error" mt stwrthreshold 4000
mt stwrthreshold 16

# ---- modes are dormant until they are defined
T=/dev/nst1l says "No such device or address" mt rewind
T=/dev/nst1l mt stsetoptions sysv
T=/dev/nst1l mt defblksize 1024
T=/dev/nst1 mt defblksize 0
T=/dev/nst1 put 1k 4
is "mode 0 has blocks of any length" 0 "$(T=/dev/nst1 mt status | sed -n 's/^Tape block size \([0-9]*\) .*/\1/p')"
T=/dev/nst1l mt rewind
is "mode 1 has fixed ones" 1024 "$(T=/dev/nst1l mt status | sed -n 's/^Tape block size \([0-9]*\) .*/\1/p')"
says "No such file" mt-st -f /dev/nst1x status

# ---- who opens for reading does not write, with whatever
says "Permission denied" tape '<' 'mtop(5, 1)'
says "busy" bash -c 'exec 5<>/dev/nst0; mt-st -f /dev/fd/5 status'

# ---- partitions
says "Invalid argument" mt setpartition 1
says "Invalid argument" mt mkpartition 0
mt stsetoptions can-partitions scsi2logical
says "Invalid argument" mt setpartition 1
mt mkpartition 1000000 || bad=$((bad + 1))
is "formatted" "0 0 0 BOT ONLINE IM_REP_EN" "$(place)"
put 1k 5
mt setpartition 1
is "the other one" "0 0 1 BOT ONLINE IM_REP_EN" "$(place)"
put 1k 3
is "a file there" "1 0 1 EOF ONLINE IM_REP_EN 4" "$(place) $(at)"
mt setpartition 0
is "back where it was" "-1 -1 0 ONLINE IM_REP_EN 6" "$(place) $(at)"
mt partseek 1 2
is "straight to a block" "-1 -1 1 ONLINE IM_REP_EN 2" "$(place) $(at)"
is "which has what was written" 1024 "$(dd if=/dev/nst0 bs=64k count=1 2>/dev/null | wc -c)"
says "Invalid argument" mt setpartition 2
tape '+>' 'syswrite(T, "x" x 1024); mtop(22, 0)' || bad=$((bad + 1))
is "a seek ends the file that is written" "0 0 1 BOT ONLINE IM_REP_EN" "$(place)"
mt partseek 1 0
mt fsf 1
is "there is its filemark" "1 0 1 EOF ONLINE IM_REP_EN" "$(place)"
mt mkpartition -1000000 || bad=$((bad + 1))
mt setpartition 1
is "sized the other way" "0 0 1 BOT ONLINE IM_REP_EN" "$(place)"
mt mkpartition 0 || bad=$((bad + 1))
says "Invalid argument" mt setpartition 1
mt stclearoptions can-partitions

# ---- a drive that is empty or not to be written to
mt offline
says "No medium found" dd if=/dev/nst0 of=/dev/null count=1
says "reading '/dev/nst0': No medium found" dd if=/dev/nst0 of=/dev/null iflag=nonblock count=1
echo "$checks checks, $bad not ok"
[ $bad = 0 ] && [ $checks -gt 35 ]
END
mkdir "$work/d"
checks=$((checks + 1))
D=$work/d timeout -k 5 300 "$capstan" exec -- bash "$work/options.sh" >"$work/log" 2>&1 </dev/null ||
    bad "options of st"
cat "$work/log"
expect 0 "stopped" "$capstan" stop
