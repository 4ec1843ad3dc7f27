# SPDX-License-Identifier: Apache-2.0
# What the tests of the command line share.  Sourced; sets $capstan, $work (a scratch directory) and
# CAPSTAN_ROOT, and takes care that nothing is left running, mounted or lying around.
# shellcheck shell=bash
set -uo pipefail
export LC_ALL=C

capstan=${CAPSTAN:-$PWD/capstan}
# shellcheck disable=SC2034 # for the tests
srcdir=${CAPSTAN_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
failures=0
checks=0
work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-cli.XXXXXX") || exit 99
export CAPSTAN_ROOT=$work/lib
daemons=() # every process this test has started and not yet waited for

skip() {
    echo "SKIP: $*"
    exit 77
}

[ -x "$capstan" ] || skip "$capstan is not built"

common_cleanup() {
    local status=$? pid
    trap - EXIT
    ! mountpoint -q "$work/view" 2>/dev/null || fusermount3 -uz "$work/view"
    for pid in "${daemons[@]}"; do
        [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" != "$(readlink -f "$capstan")" ] ||
            kill -KILL "$pid" 2>/dev/null
    done
    ! mountpoint -q "$work/small" 2>/dev/null || umount -l "$work/small"
    # In a build with sanitizers the daemon's faults stand in its log.
    if grep -qsE 'Sanitizer|runtime error' "$CAPSTAN_ROOT/run/serve.log"; then
        bad "the daemon has faults"
        grep -hE -A20 'Sanitizer|runtime error' "$CAPSTAN_ROOT/run/serve.log" | head -40
    fi
    if [ "$status" = 0 ] && [ "$failures" != 0 ]; then
        status=1
    fi
    [ "$status" = 77 ] || echo "$checks checks, $failures failed"
    rm -rf -- "$work"
    exit "$status"
}
trap common_cleanup EXIT
trap 'exit 130' INT TERM HUP

bad() {
    failures=$((failures + 1))
    echo "FAIL: $*"
}

# expect CODE PATTERN COMMAND...: the command ends with that code, and what it prints (both
# streams; $out) matches the extended regular expression.  A failure (1, 2, 4) must also say so in
# a sentence that begins with "capstan: ".
expect() {
    local code=$1 pattern=$2 got
    shift 2
    checks=$((checks + 1))
    out=$("$@" 2>&1 </dev/null)
    got=$?
    if [ "$got" != "$code" ]; then
        bad "exit code $got, not $code: $*"
        echo "$out" | head -20
    elif ! grep -qE -- "$pattern" <<<"$out"; then
        bad "no match for '$pattern': $*"
        echo "$out" | head -20
    elif [[ $code =~ ^[124]$ ]] && ! grep -q '^capstan: ' <<<"$out"; then
        bad "no sentence: $*"
        echo "$out" | head -20
    fi
}

# check "what" COMMAND...: the command succeeds.
check() {
    local what=$1
    shift
    checks=$((checks + 1))
    "$@" || bad "$what"
}

daemon_pid() {
    "$capstan" status --json 2>/dev/null | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p' | head -1
}

# Start the daemon of $CAPSTAN_ROOT and note its process for the clean-up.
serve() {
    local pid
    "$capstan" serve --detach "$@" || { bad "the daemon does not start" && exit 1; }
    pid=$(daemon_pid)
    [ -n "$pid" ] || { bad "the daemon does not answer" && exit 1; }
    daemons+=("$pid")
}

# barcode=place of every cartridge, one line each; the same before and after if nothing was lost.
places() {
    "$capstan" cartridge list --json |
        awk -F'"' '$2 == "barcode" { b = $4 } $2 == "place" { print b "=" $4 }' | sort
}

# Can `capstan exec` work?  A program without the sanitizers' run time can't load a library that
# needs it.
preload=$(dirname "$capstan")/libcapstan-preload.so
preload_is_plain() {
    [ -e "$preload" ] && ! ldd "$preload" | grep -E 'lib[at]san|libubsan|libclang_rt' >/dev/null &&
        ! nm -D "$preload" 2>/dev/null | grep -E ' U __(asan|tsan|ubsan)_' >/dev/null
}
