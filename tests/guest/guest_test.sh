#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kernel's own initiator against the daemon, both in a small virtual machine.
#
#   guest_test.sh [GROUP...]    only these groups of checks: changer write motion lengths fixed ...
#
# Exit: 0 all checks ok, 77 the machine can't be made here, 1 otherwise.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
capstan=${CAPSTAN:-$(command -v capstan || true)}
[ -x "$capstan" ] || {
    echo "no capstan program; build it and set CAPSTAN"
    exit 1
}
if nm -D "$capstan" 2>/dev/null | grep -E '__[at]san_init' >/dev/null; then
    echo "the guest is for programs without sanitizers: emulation is slow enough"
    exit 77
fi
reason=$("$here/guest" prepare 2>&1) || {
    echo "SKIP: the guest can't be made on this machine: $(tail -n 1 <<<"$reason")"
    exit 77
}

tree=$(mktemp -d "${TMPDIR:-/tmp}/capstan-guest-tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/root"
"$here/guest" add "$tree" "$capstan" usr/bin/capstan
if [ -n "${CAPSTAN_GUEST_HANDLER:-}" ]; then
    "$here/guest" add "$tree" "$CAPSTAN_GUEST_HANDLER" \
        usr/lib/x86_64-linux-gnu/tcmu-runner/handler_capstan.so
fi
cp "$here/${CAPSTAN_GUEST_TARGET:-target.sh}" "$tree/root/target.sh"
cp "$here"/part_*.sh "$here/../../examples/tcmu/lio" "$tree/root/"
{
    printf 'TESTS="%s"\n' "$*"
    cat "$here/kernel_initiator.sh"
} >"$tree/root/test.sh"
status=0
"$here/guest" run "$tree" || status=$?
echo "guest: status $status"
[ "$status" = 0 ] || exit 1
