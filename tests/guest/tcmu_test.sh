#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kernel's initiator, st, ch and sg against the kernel's target with handler_capstan.so in
# tcmu-runner: what guest_test.sh checks of the daemon, through LIO.  Exit as guest_test.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
handler=${CAPSTAN_BUILDDIR:-.}/handler_capstan.so
[ -f "$handler" ] || {
    echo "built without the tcmu-runner handler (configure --with-tcmu)"
    exit 77
}
export CAPSTAN_GUEST_TARGET=target_tcmu.sh CAPSTAN_GUEST_HANDLER=$handler
[ $# -gt 0 ] || set -- changer write motion lengths fixed marks tar load partitions tape_operations \
    persistent attributes second_initiator two_drives sg residuals configurations runner_restart loopback
exec "$here/guest_test.sh" "$@"
