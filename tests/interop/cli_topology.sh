#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Drives, slots and cartridges that come and go, in a running library and in a stopped one: what the
# verbs say, what capstan.conf says, and that a killed daemon has forgotten nothing.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

conf() { sed -n "s/^$1 = //p" "$CAPSTAN_ROOT/capstan.conf"; }
is() { # WHAT WANTED GOT
    checks=$((checks + 1))
    [ "$2" = "$3" ] || bad "$1: wanted '$2', got '$3'"
}

expect 0 "made" "$capstan" init --drives 2 --slots 4 --import-export 1 --cartridges 2 --portal 127.0.0.1:0
sed -i '1i # a remark of mine' "$CAPSTAN_ROOT/capstan.conf"

# The same verbs in both states of the library.
tour() {
    expect 0 "^drive:2: added" "$capstan" drive add
    is "drives in capstan.conf" 3 "$(conf drives)"
    expect 0 "drive:2 .*0x102|drive:2 " "$capstan" drive list
    expect 0 "^drive:1: removed" "$capstan" drive remove 1
    is "a gap leaves the count" 3 "$(conf drives)"
    expect 0 "drive:1 .*removed" "$capstan" drive list
    expect 1 "no drive 1" "$capstan" drive remove drive:1
    expect 0 "^drive:1: added" "$capstan" drive add
    expect 0 "^drive:2: removed" "$capstan" drive remove 2
    is "drives in capstan.conf" 2 "$(conf drives)"
    expect 2 "must be a number" "$capstan" drive remove x
    expect 1 "no drive 200" "$capstan" drive remove 200

    expect 0 "^6 slots" "$capstan" slot add 2
    expect 0 "^2 import/export" "$capstan" slot add --import-export
    expect 0 "slot:6 " "$capstan" slot list
    expect 0 "CAP001L8" "$capstan" move CAP001L8 slot:6
    expect 1 "holds the cartridge CAP001L8" "$capstan" slot remove
    is "a refusal leaves capstan.conf" 6 "$(conf slots)"
    expect 0 "CAP001L8" "$capstan" move CAP001L8 slot:1
    expect 0 "^4 slots" "$capstan" slot remove 2
    expect 2 "may have 1 to" "$capstan" slot remove 4
    expect 0 "^1 import/export" "$capstan" slot remove --import-export

    expect 1 "into an import/export element first" "$capstan" slot export slot:2
    expect 0 "CAP002L8" "$capstan" move CAP002L8 ie:1
    expect 0 "ie:1 -> shelf" "$capstan" slot export ie:1 --place "shelf 3"
    expect 0 "CAP002L8 .*shelf 3" "$capstan" cartridge vaulted
    expect 0 "shelf 3" "$capstan" status
    expect 1 "no cartridge CAP002L8" "$capstan" load CAP002L8
    expect 1 "already" "$capstan" cartridge create CAP002L8
    expect 0 "the vault -> ie:1" "$capstan" slot import CAP002L8
    expect 1 "full" "$capstan" slot import CAP002L8
    expect 0 "ie:1 -> safe B" "$capstan" cartridge vault CAP002L8 "safe B"
    expect 0 "the vault -> slot:2" "$capstan" cartridge unvault CAP002L8 --to slot:2
    expect 1 "not in the vault|no cartridge CAP002L8 in the vault" "$capstan" cartridge unvault CAP002L8

    expect 0 "write-protected" "$capstan" cartridge protect CAP002L8 on
    expect 0 "protected *yes" "$capstan" cartridge show CAP002L8
    expect 0 "may be written" "$capstan" cartridge protect CAP002L8 off
    expect 2 "on or off" "$capstan" cartridge protect CAP002L8 maybe

    expect 0 "DEL001L8" "$capstan" cartridge create DEL001L8
    expect 2 "say --yes" "$capstan" cartridge delete DEL001L8
    expect 0 "deleted" "$capstan" cartridge delete --yes DEL001L8
    expect 1 "no cartridge DEL001L8" "$capstan" cartridge delete --yes DEL001L8
    expect 0 "2 cartridges are where they should be, 0" "$capstan" library inventory
    expect 0 "slots +4" "$capstan" library show
    expect 0 '"drives": 2' "$capstan" library show --json
}

tour
serve
tour
is "my remark is still there" 1 "$(grep -c 'a remark of mine' "$CAPSTAN_ROOT/capstan.conf")"

# ---- a cartridge in a drive
expect 0 "CAP001L8" "$capstan" load CAP001L8
expect 1 "unload it first" "$capstan" drive remove 0
expect 1 "unload it first" "$capstan" cartridge protect CAP001L8 on
expect 1 "in a drive" "$capstan" cartridge delete --yes CAP001L8
expect 1 "in a drive" "$capstan" cartridge vault CAP001L8 x
expect 0 '"state_source": "observed"' "$capstan" drive list --json
expect 0 '"age_ms": [0-9]+' "$capstan" drive list --json
expect 0 "ejected" "$capstan" drive eject 0
expect 0 "drive:0 .*unloaded" "$capstan" drive list

# ---- a killed daemon has forgotten nothing
expect 0 "added" "$capstan" drive add
expect 0 "removed" "$capstan" drive remove 1
expect 0 "slots" "$capstan" slot add 3
expect 0 "safe" "$capstan" cartridge vault CAP002L8 "safe"
pid=$(daemon_pid)
kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
serve
expect 0 "drive:1 .*removed" "$capstan" drive list
expect 0 "slots +7" "$capstan" library show
expect 0 "CAP002L8 .*safe" "$capstan" cartridge vaulted
expect 0 "drive:0 .*CAP001L8" "$capstan" drive list

# ---- killed at any moment: no cartridge is lost, and the library opens
for i in 1 2 3 4 5 6; do
    rm -f "$work/enough"
    (
        while [ ! -e "$work/enough" ] && "$capstan" slot add 5 && "$capstan" drive add && "$capstan" slot remove 5 &&
            "$capstan" cartridge unvault CAP002L8 && "$capstan" cartridge vault CAP002L8 safe &&
            "$capstan" drive remove 2; do :; done
    ) >/dev/null 2>&1 &
    sleep "0.$((i * 13 % 10 + 1))"
    pid=$(daemon_pid)
    [ -z "$pid" ] || kill -KILL "$pid"
    while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done # it holds the lock
    touch "$work/enough" # the verbs go on by themselves without a daemon
    wait $!
    serve
    seen=$({ "$capstan" cartridge list && "$capstan" cartridge vaulted; } | grep -cE '^CAP00[12]L8')
    is "cartridges after kill $i" 2 "$seen"
    # what the interrupted verb left over, so that the next round begins as this one
    "$capstan" cartridge vault CAP002L8 safe >/dev/null 2>&1
    "$capstan" drive remove 2 >/dev/null 2>&1
done
check "stop" "$capstan" stop
