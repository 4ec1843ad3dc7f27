#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The five-minute tour of README.md is true: its commands are taken from there and run, with another
# port and scratch directories, and what they must have done is looked at.
set -euo pipefail
top=${CAPSTAN_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
capstan=${CAPSTAN:-$(command -v capstan || true)}
[ -x "$capstan" ] || {
    echo "no capstan program; build it and set CAPSTAN"
    exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-tour.XXXXXX")
export HOME=$work
finish() {
    fusermount3 -uz "$work/view" 2>/dev/null || true
    "$capstan" stop --root "$work/tapes" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
export PATH=${capstan%/*}:$PATH

port=$((20000 + $$ % 10000))
while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    port=$((port + 1))
done

# The indented lines of the section, without comments; building and the kernel's initiator are
# other tests' business.
tour=$(sed -n '/^## Five minutes/,/^## Exit codes/s/^    //p' "$top/README.md" |
    sed -e 's/ *#.*//' -e '/install-packages\|autoreconf\|iscsiadm/d' \
        -e "s|/tmp/|$work/|g; s|:3260|:$port|g; s|capstan init|& --portal 127.0.0.1:$port|")
command -v iscsi-ls >/dev/null || tour=$(grep -v iscsi-ls <<<"$tour")
if ! [ -w /dev/fuse ]; then
    echo "no /dev/fuse: the tour without the view"
    tour=$(grep -v "$work/view" <<<"$tour")
fi
[ "$(wc -l <<<"$tour")" -ge 10 ] || {
    echo "README has no tour"
    exit 1
}

# A check behind a command of the tour: PATTERN COMMAND...
after() {
    case $line in
    $1*)
        shift
        eval "$*" || {
            echo "after \"$line\" this does not hold: $*"
            exit 1
        }
        ;;
    esac
}

while IFS= read -r line; do
    [ -n "$line" ] || continue
    echo "\$ $line"
    eval "$line" </dev/null 2>&1 || {
        echo "status $?"
        exit 1
    }
    after 'capstan init' '[ -f "$work/tapes/capstan.conf" ]'
    after 'capstan load' 'capstan status | grep CAP001L8 >/dev/null'
    after 'capstan catalog list' 'capstan catalog list | grep /usr/share/doc >/dev/null'
    after 'capstan restore' 'diff -r /usr/share/doc/bash "$work"/back/bash'
    after 'capstan mount' '[ -n "$(find "$work/view" -name bash)" ]'
    after 'capstan stop' '! capstan stop 2>/dev/null'
done <<<"$tour"
echo "the tour is true"
