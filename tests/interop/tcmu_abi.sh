#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vtl/tcmu/tcmur_abi.h against tcmu-runner's own headers: every field that the handler uses is at the
# same offset, has the same size, and every number the same value.
#
#   TCMU_RUNNER_SOURCE=DIR    a source tree of tcmu-runner; no distribution packages its headers
set -euo pipefail
srcdir=${CAPSTAN_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
theirs=${TCMU_RUNNER_SOURCE:-}
[ -n "$theirs" ] || {
    echo "TCMU_RUNNER_SOURCE is not set: apt-get source tcmu-runner has tcmu-runner's headers"
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-abi.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/abi.c" <<'EOC'
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#ifdef THEIRS
#include "libtcmu.h"
#include "libtcmu_common.h"
#include "tcmur_device.h"
#include "tcmu-runner.h"
#include "tcmur_cmd_handler.h"
#define STATUS(x) TCMU_STS_##x
#else
#include "vtl/tcmu/tcmur_abi.h"
#define STATUS(x) TCMUR_STATUS_##x
#endif
#define FIELD(t, m) printf(#t "." #m " %zu %zu\n", offsetof(struct t, m), sizeof(((struct t *)0)->m))
#define NUMBER(n) printf(#n " %d\n", n)
int main(int argc, char **argv)
{
    FIELD(tcmur_handler, name), FIELD(tcmur_handler, subtype), FIELD(tcmur_handler, cfg_desc);
    FIELD(tcmur_handler, opaque), FIELD(tcmur_handler, check_config);
    FIELD(tcmur_handler, reconfig), FIELD(tcmur_handler, open), FIELD(tcmur_handler, close);
    FIELD(tcmur_handler, nr_threads), FIELD(tcmur_handler, handle_cmd);
    FIELD(tcmulib_cmd, cmd_id), FIELD(tcmulib_cmd, cdb), FIELD(tcmulib_cmd, iovec);
    FIELD(tcmulib_cmd, iov_cnt), FIELD(tcmulib_cmd, sense_buf), FIELD(tcmur_cmd, lib_cmd);
    FIELD(tcmulib_cfg_info, type), FIELD(tcmulib_cfg_info, data);
    NUMBER(TCMULIB_CFG_DEV_CFGSTR), NUMBER(TCMULIB_CFG_DEV_SIZE), NUMBER(TCMULIB_CFG_WRITE_CACHE);
    printf("%d %d %d %d %d\n", STATUS(NOT_HANDLED), STATUS(OK), STATUS(NO_RESOURCE),
           STATUS(PASSTHROUGH_ERR), STATUS(BUSY));
    if (argc > 1) /* how large is struct tcmur_handler: ours may be the larger one */
        printf("%s %zu\n", argv[1], sizeof(struct tcmur_handler));
    return 0;
}
EOC
cc=${CC:-gcc}
$cc -D_GNU_SOURCE -DTHEIRS -I"$theirs" -I"$theirs/ccan" -o "$work/theirs" "$work/abi.c"
$cc -D_GNU_SOURCE -I"$srcdir" -o "$work/ours" "$work/abi.c"
"$work/theirs" >"$work/theirs.txt"
"$work/ours" >"$work/ours.txt"
diff "$work/theirs.txt" "$work/ours.txt" || {
    echo "vtl/tcmu/tcmur_abi.h (right) is not what $theirs has (left)"
    exit 1
}
their_size=$("$work/theirs" size | sed -n 's/^size //p')
our_size=$("$work/ours" size | sed -n 's/^size //p')
[ "$our_size" -ge "$their_size" ] || {
    echo "struct tcmur_handler has $our_size bytes, there $their_size"
    exit 1
}
echo "$(wc -l <"$work/ours.txt") facts are the same"
