#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon's log: every line has its time, SIGHUP opens it anew, a large one is put aside; and what
# a command says whose daemon goes away before it has answered.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

log=$CAPSTAN_ROOT/run/serve.log
time='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z '

# soon COMMAND...: it succeeds within ten seconds.
soon() {
    local i
    for ((i = 0; i < 100; i++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

daemon_pid() {
    "$capstan" status --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'
}

expect 0 "" "$capstan" init --portal 127.0.0.1:0 --cartridges 2
mkdir -p "$CAPSTAN_ROOT/run"
truncate -s 17M "$log"
expect 0 "serving" "$capstan" serve --detach
pid=$(daemon_pid)
daemons+=("$pid")
check "a large log is put aside" [ "$(stat -c %s "$log.1")" = $((17 << 20)) ]
check "the new one is small" [ "$(stat -c %s "$log")" -lt 4096 ]
check "there are lines" [ -s "$log" ]
check "each has its time" [ -z "$(grep -vE "$time" "$log")" ]

mv "$log" "$log.old"
kill -HUP "$pid"
check "SIGHUP opens the log anew" soon grep -qsE "${time}the log was opened anew" "$log"
expect 0 "process $pid" "$capstan" status

# A command whose answer takes a while, and a daemon that is killed meanwhile.
expect 0 "fault" "$capstan" fault set slow-robot --delay 20000
"$capstan" move slot:1 slot:5 >"$work/said" 2>&1 &
command=$!
struck() { grep -q '"strikes": 1' <<<"$("$capstan" fault list --json)"; }
check "the robot is under way" soon struck
kill -KILL "$pid"
wait "$command"
check "exit code 1" [ $? = 1 ]
check "it says that the daemon went away" grep -q "daemon of .* (process $pid) went away" "$work/said"
check "and no more" [ "$(wc -l <"$work/said")" = 1 ]
