# SPDX-License-Identifier: Apache-2.0
# What the tests of `capstan exec` share: sourced after cli_common.sh.
# shellcheck shell=bash disable=SC2154

preload=$(dirname "$capstan")/libcapstan-preload.so
[ -e "$preload" ] || skip "$preload is not built"
# A program without the sanitizers' run time can't load a library that needs it.
! ldd "$preload" | grep -E 'lib[at]san|libubsan|libclang_rt' >/dev/null &&
    ! nm -D "$preload" 2>/dev/null | grep -E ' U __(asan|tsan|ubsan)_' >/dev/null ||
    skip "the preload library is built with sanitizers"

for tool in mt-st:mt-st mtx:mtx sg_inq:sg3-utils; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null ||
        skip "the package ${tool##*:} is not installed"
done
export PATH=$PATH:/usr/sbin:/sbin

# Run a command under `capstan exec`.
x() {
    timeout -k 5 60 "$capstan" exec -- "$@"
}
