#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `capstan exec` answers as the kernel's st, sg and ch do: the sequences of the guest test
# (tests/guest/kernel_initiator.sh), whose results are those of the real drivers, run here word for
# word below the preload library, without a kernel driver.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

expect 0 "made" "$capstan" init --cartridges 8 --portal 127.0.0.1:0
serve

# Without the session of the kernel's initiator: everything before its last lines, with our names.
{
    sed -e '/^session_start$/,$d' -e '/target\.sh$/d' -e "s|/tmp/|$work/guest/|g" \
        "$srcdir/tests/guest/kernel_initiator.sh"
    cat <<'END'
mt() { mt-st -f "${T:-/dev/nst0}" "$@"; }
mtx() { command mtx -f "$CHANGER" "$@"; }
dd() { command dd "$@"; }
CHANGER=/dev/sg0 SG0=/dev/sg1
mkdir -p "$D"
for t in changer write motion lengths fixed marks tar load two_drives sg; do
    "test_$t"
done
echo "# $checks checks, $bad not ok"
[ $bad = 0 ] && [ $checks -gt 100 ]
END
} >"$work/sequences.sh"
mkdir -p "$work/guest"
checks=$((checks + 1))
timeout -k 5 300 "$capstan" exec -- bash "$work/sequences.sh" >"$work/log" 2>&1 </dev/null ||
    bad "other results than the kernel's drivers give"
grep -vE '^ok ' "$work/log"
expect 0 "stopped" "$capstan" stop
