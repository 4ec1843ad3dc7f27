#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The picture of a library: wide and narrow, small and huge, with and without UTF-8; and that every
# state tells how it is known and how old that is.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

# soon COMMAND...: it succeeds within ten seconds.
soon() {
    local i
    for ((i = 0; i < 100; i++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

expect 0 "" "$capstan" init --portal 127.0.0.1:0 --cartridges 4 --slots 20 --import-export 2
expect 0 "daemon: not running" "$capstan" status
expect 0 '"state": "unknown"' "$capstan" status --json # the robot: nobody can ask it
expect 0 "serving" "$capstan" serve --detach
daemons+=("$("$capstan" status --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')")

expect 0 "^robot: idle" "$capstan" status
expect 0 "slot:1 +CAP001L8 +slot:2 +CAP002L8" env COLUMNS=100 "$capstan" status
check "as wide as it may be" [ "$(sed -n '/^SLOTS/,$p' <<<"$out" | awk 'length > 100' | wc -l)" = 0 ]
expect 0 "^  slot:1 +CAP001L8$" env COLUMNS=20 "$capstan" status
expect 0 "4 of 20 full; seen (just now|[0-9]+ (s|min) ago)" "$capstan" status

# how it is known
expect 0 "slot:1 +[0-9]+ +CAP001L8 +full +inventory" "$capstan" slot list
expect 0 "" "$capstan" move slot:1 slot:9
expect 0 "slot:9 +[0-9]+ +CAP001L8 +full +move" "$capstan" slot list
expect 0 "robot: idle, last slot:1 -> slot:9" "$capstan" status
expect 0 "" "$capstan" cartridge create NEW001L8 --slot 5
expect 0 "slot:5 +[0-9]+ +NEW001L8 +full +operator" "$capstan" slot list
expect 0 '"age_ms": [0-9]+' "$capstan" slot list --json
expect 0 '"door": \{' "$capstan" status --json

# what can't be seen is unknown, what is not there is missing
mv "$CAPSTAN_ROOT/cartridges/CAP003L8" "$work/aside"
ln -s CAP003L8 "$CAPSTAN_ROOT/cartridges/CAP003L8"
expect 0 "of 1 it is unknown" "$capstan" library inventory
expect 0 "slot:3 CAP003L8 \(unknown\)" "$capstan" status
expect 0 '"last": "full"' "$capstan" slot list --json
rm "$CAPSTAN_ROOT/cartridges/CAP003L8"
expect 0 "1 are missing" "$capstan" library inventory
expect 0 ", 1 missing;" "$capstan" status
mv "$work/aside" "$CAPSTAN_ROOT/cartridges/CAP003L8"
expect 0 "5 cartridges are where they should be, 0 are missing" "$capstan" library inventory

# alternate volume tags
expect 0 "CAP001L8: no alternate volume tag" "$capstan" cartridge tag CAP001L8
expect 0 "CAP001L8: Year end" "$capstan" cartridge tag CAP001L8 "Year end" --sequence 7
expect 0 "Year end" "$capstan" slot list
expect 1 "printable ASCII" "$capstan" cartridge tag CAP001L8 $'J\303\274rgen'
expect 2 "given or removed" "$capstan" cartridge tag CAP001L8 x --remove
expect 0 '"sequence": 7' "$capstan" cartridge tag CAP001L8 --json
expect 0 "no alternate" "$capstan" cartridge tag slot:9 --remove
expect 1 "no cartridge in slot:1" "$capstan" cartridge tag slot:1 x

# the robot at work, and jammed
expect 0 "" "$capstan" fault set slow-robot --delay 3000 --count 1
"$capstan" move slot:9 slot:10 >/dev/null &
moving() { grep -q "^robot: moving, slot:9 -> slot:10" <<<"$("$capstan" status)"; }
check "it is seen moving" soon moving
wait $!
expect 0 "" "$capstan" fault set robot-jam --count 1
expect 1 "jammed" "$capstan" move slot:10 slot:11
expect 0 "^robot: failed, last slot:10 -> slot:11" "$capstan" status
expect 0 "" "$capstan" move slot:10 slot:11
expect 0 "^robot: idle" "$capstan" status

# a library too large to be drawn place by place
expect 0 "stopped" "$capstan" stop
sed -i 's/^slots = .*/slots = 60000/' "$CAPSTAN_ROOT/capstan.conf"
expect 0 "^  slot:1 +[-+*]" env LC_ALL=C COLUMNS=80 "$capstan" status
check "no wider than the terminal" [ "$(sed -n '/^SLOTS/,$p' <<<"$out" | awk 'length > 80' | wc -l)" = 0 ]
check "one screen" [ "$(wc -l <<<"$out")" -lt 50 ]
check "ASCII only" [ -z "$(LC_ALL=C tr -d '\t\n -~' <<<"$out")" ]
expect 0 "5 of 60000 full" env COLUMNS=40 "$capstan" status
expect 0 "slot:11 CAP001L8" "$capstan" status
if grep -qix 'c.utf-\?8' <<<"$(locale -a)"; then
    expect 0 "·" env LC_ALL=C.UTF-8 "$capstan" status
fi
