#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Faults set and cleared in a running daemon, and what other people's programs see of them.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

expect 0 "made" "$capstan" init --cartridges 3 --portal 127.0.0.1:0
expect 1 "start it with 'capstan serve'" "$capstan" fault set robot-jam
expect 0 "medium-error +store +cartridge block" "$capstan" fault list --vocabulary
serve
for name in $("$capstan" fault list --vocabulary --json | sed -n 's/.*"name": "\(.*\)".*/\1/p'); do
    expect 0 "^fault [0-9]+: $name" "$capstan" fault set "$name" --rate 1 --count 1
done
expect 0 "corrupt-digest +connection" "$capstan" fault list
expect 0 '"rate": 1,' "$capstan" fault list --json
expect 0 "medium-error .*MEDIUM ERROR" "$capstan" fault set --help
expect 0 "^ +--cartridge --block$" "$capstan" fault set --help
expect 0 "fault" "$capstan" fault set robot-jam --rate 1
expect 0 "robot-jam .* endless " "$capstan" fault list
expect 0 '"count": 0,' "$capstan" fault list --json
expect 0 "^13 cleared" "$capstan" fault clear
expect 0 "^0 cleared" "$capstan" fault clear
expect 1 "no fault 'x' is set" "$capstan" fault clear x
expect 2 "there is no fault 'flood'" "$capstan" fault set flood
expect 2 "does not depend on a drive" "$capstan" fault set robot-jam --drive 0
expect 2 "say which" "$capstan" fault set medium-error --block 3
expect 2 "takes no delay" "$capstan" fault set robot-jam --delay 5
expect 2 "must be a number|from 1 to 100" "$capstan" fault set robot-jam --rate 101

# ---- an operator sees them
expect 0 "fault" "$capstan" fault set robot-jam --count 1
expect 1 "the robot is jammed" "$capstan" load CAP001L8
expect 0 "CAP001L8" "$capstan" load CAP001L8
expect 0 "fault" "$capstan" fault set drive-stuck --drive 0
expect 1 "the drive is stuck" "$capstan" unload 0
expect 0 "cleared" "$capstan" fault clear drive-stuck
expect 0 "CAP001L8" "$capstan" unload 0

# ---- a killed daemon has none
expect 0 "fault" "$capstan" fault set robot-jam
pid=$(daemon_pid)
kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
serve
expect 0 "CAP001L8" "$capstan" load CAP001L8

# ---- hosts see them
[ -e "$(dirname "$capstan")/libcapstan-preload.so" ] || exit 0
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

head -c 1048576 /dev/urandom >"$work/data"
check "write 16 blocks" x dd if="$work/data" of=/dev/nst0 bs=64k 2>/dev/null
check "rewind" x mt-st -f /dev/nst0 rewind
expect 0 "fault" "$capstan" fault set medium-error --cartridge CAP001L8 --block 5
x dd if=/dev/nst0 of="$work/back" bs=64k 2>"$work/err"
check "dd meets the bad block" grep -q "Input/output error" "$work/err"
check "and has what was before it" test "$(stat -c %s "$work/back")" = 327680
check "which is right" cmp -n 327680 "$work/data" "$work/back"
expect 0 "strikes.: [1-9]" "$capstan" fault list --json
expect 0 "1 cleared" "$capstan" fault clear medium-error
check "rewind" x mt-st -f /dev/nst0 rewind
check "dd reads all" x dd if=/dev/nst0 of="$work/back" bs=64k 2>/dev/null
check "as it was written" cmp "$work/data" "$work/back"

expect 0 "fault" "$capstan" fault set robot-jam
out=$(x mtx -f /dev/sg0 transfer 2 5 2>&1) && bad "mtx moves with a jammed robot"
check "mtx tells why: $out" grep -qE "15 01|0x15|Mechanical|Hardware" <<<"$out"
expect 0 "1 cleared" "$capstan" fault clear robot-jam
check "mtx moves" x mtx -f /dev/sg0 transfer 2 5

expect 0 "fault" "$capstan" fault set label-unreadable --cartridge CAP003L8
out=$(x mtx -f /dev/sg0 status 2>&1)
check "mtx shows no label" test -z "$(grep CAP003L8 <<<"$out")"
check "but a cartridge" grep -q "Storage Element 3:Full" <<<"$out"
expect 0 "1 cleared" "$capstan" fault clear
out=$(x mtx -f /dev/sg0 status 2>&1)
check "mtx shows the label" grep -q "Storage Element 3:Full :VolumeTag=CAP003L8" <<<"$out"

# every connection is cut, twice; the engine's sessions come back
expect 0 "fault" "$capstan" fault set connection-drop --delay 200 --count 2
sleep 1
expect 0 "cleared" "$capstan" fault clear connection-drop
check "status after the storm" x mt-st -f /dev/nst0 status >/dev/null
check "stop" "$capstan" stop
