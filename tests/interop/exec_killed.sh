#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that are ended while they are busy with a drive or the changer below `capstan exec`: they
# end at once and cleanly, whenever the signal comes, and the next one finds the drive in order.
#
#   EXEC_KILLED_ROUNDS  how often each; default 5
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

program=${EXEC_SIGNALS:-tests/interop/exec_signals}
[ -x "$program" ] || skip "$program is not built"
expect 0 "made" "$capstan" init --cartridges 2 --portal 127.0.0.1:0
serve
expect 0 "drive:0" "$capstan" load CAP001L8 drive:0

# End a program SIGNAL microseconds after it is busy; its exit status must be as wanted.
killed() { # SIGNAL STATUS WORK DEVICE [thread]
    local signal=$1 wanted=$2 pid got=0
    shift 2
    checks=$((checks + 1))
    : >"$work/busy"
    "$capstan" exec -- "$program" "$@" >"$work/busy" 2>"$work/error" &
    pid=$!
    for _ in {1..200}; do
        [ ! -s "$work/busy" ] || break
        sleep 0.05
    done
    sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
    kill -"$signal" "$pid"
    for _ in {1..200}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null && bad "$* does not end"
    wait "$pid" 2>/dev/null || got=$?
    [ "$got" = "$wanted" ] || bad "$signal of $*: $got: $(cat "$work/error")"
}

for ((round = 0; round < ${EXEC_KILLED_ROUNDS:-5}; round++)); do
    for how in "" thread; do
        killed TERM 0 write /dev/nst0 $how
        killed TERM 0 status /dev/nst0 $how
        killed TERM 0 sg /dev/sg0 $how
        killed TERM 0 sg /dev/sg1 $how
    done
    killed KILL 137 write /dev/nst0
    check "the drive is in order" x sh -c 'mt-st -f /dev/nst0 rewind && echo x | dd of=/dev/nst0' 2>"$work/error"
done
expect 0 "stopped" "$capstan" stop
