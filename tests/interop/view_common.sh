# SPDX-License-Identifier: Apache-2.0
# What the tests of the view share.  Sourced; sets $work (a scratch directory), $root (a library's
# directory), $mnt, and takes care that nothing is left mounted, running or lying around.
# shellcheck shell=bash
set -uo pipefail
export LC_ALL=C

build=${CAPSTAN_BUILDDIR:-$PWD}
view_tool=$build/tests/interop/view_tool
dump_tool=$build/tests/interop/dump_tool
failures=0
checks=0
server= # process that serves the mount

skip() {
    echo "SKIP: $*"
    exit 77
}

for program in "$view_tool" "$dump_tool"; do
    [ -x "$program" ] || skip "$program is not built"
done
[ -c /dev/fuse ] || skip "there is no /dev/fuse on this machine"
[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || skip "there is no fusermount3"

work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-view.XXXXXX") || exit 99
root=$work/root
mnt=$work/mnt
log=$work/log
mkdir -p "$root/cartridges" "$mnt"

cleanup() {
    local status=$?
    trap - EXIT
    if [ -n "$server" ] && kill "$server" 2>/dev/null; then
        wait "$server" 2>/dev/null
    fi
    ! mountpoint -q "$mnt" || fusermount3 -uz "$mnt" 2>/dev/null || umount -l "$mnt"
    if [ "$status" = 0 ] && [ "$failures" != 0 ]; then
        status=1
    fi
    if [ "$status" = 1 ] && [ -s "$log" ]; then
        echo "--- the view's messages"
        tail -20 "$log"
    fi
    [ "$status" = 77 ] || echo "$checks checks, $failures failed"
    rm -rf -- "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# check NAME COMMAND...: the command must succeed.  $work/said: what the one before it said.
check() {
    local name=$1
    shift
    [ ! -e "$work/out" ] || mv "$work/out" "$work/said"
    checks=$((checks + 1))
    if ! "$@" >"$work/out" 2>&1; then
        failures=$((failures + 1))
        echo "FAIL: $name: $*"
        head -20 "$work/out"
    fi
}

fails() {
    ! "$@"
}

same() {
    [ "$1" = "$2" ] || {
        echo "have: $1"
        echo "want: $2"
        return 1
    }
}

# Until the command succeeds; no longer than a minute, which only a hanging machine takes.
eventually() {
    local i
    for ((i = 0; i < 600; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "did not happen within a minute: $*"
    return 1
}

is_mounted_or_gone() {
    mountpoint -q "$mnt" || ! kill -0 "$server" 2>/dev/null
}

start_view() {
    # A shell lets its background processes ignore SIGINT: not this one.  It does not get the
    # descriptors by which a test holds something (6 to 8).
    env --default-signal=INT "$view_tool" mount "$root" "$mnt" >>"$log" 2>&1 6>&- 7>&- 8>&- &
    server=$!
    eventually is_mounted_or_gone
    mountpoint -q "$mnt" || {
        local status=0
        wait "$server" || status=$?
        server=
        cat "$log"
        [ "$status" = 77 ] && skip "the view cannot be mounted here"
        grep -q 'Cannot mount' "$log" && skip "mounting is not allowed here"
        exit 1
    }
}

# stop_view SIGNAL; sets $stopped to its exit status.
stop_view() {
    kill -"$1" "$server"
    stopped=0
    # shellcheck disable=SC2034 # for the tests
    wait "$server" || stopped=$?
    server=
}

create_cartridge() {
    "$view_tool" create "$root/cartridges/$1" "$1" "$2" || exit 1
}

# dump PATH BARCODE...
dump() {
    local path=$1 barcode urls=()
    shift
    for barcode; do
        urls+=("cartridge:$root/cartridges/$barcode")
    done
    "$dump_tool" -b 16 -c "$root/catalog" "$path" "${urls[@]}" >"$work/dump.json" 2>"$work/dump.err" || {
        echo "the dump failed:"
        cat "$work/dump.err"
        exit 1
    }
}
