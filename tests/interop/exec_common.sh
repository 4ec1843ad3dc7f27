# SPDX-License-Identifier: Apache-2.0
# What the tests of `capstan exec` share: sourced after cli_common.sh.
# shellcheck shell=bash disable=SC2154

[ -e "$preload" ] || skip "$preload is not built"
preload_is_plain || skip "the preload library is built with sanitizers"

for tool in mt-st:mt-st mtx:mtx sg_inq:sg3-utils; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null ||
        skip "the package ${tool##*:} is not installed"
done
export PATH=$PATH:/usr/sbin:/sbin

# Run a command under `capstan exec`.
x() {
    timeout -k 5 60 "$capstan" exec -- "$@"
}
