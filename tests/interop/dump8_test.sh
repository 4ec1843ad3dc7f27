#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# dump8_test.sh - we restore what Debian's dump(8) wrote: an ext4 file system in an image, in one
# file and in several volumes.
set -u

dump8=$(command -v dump || echo /usr/sbin/dump)
if [ ! -x "$dump8" ] || ! command -v mke2fs >/dev/null || ! command -v losetup >/dev/null; then
    echo "SKIP: dump(8), mke2fs or losetup is not installed (Debian packages dump, e2fsprogs, mount)"
    exit 77
fi
if [ "$(id -u)" != 0 ]; then
    echo "SKIP: dump(8) reads a block device, which only root may"
    exit 77
fi
restore_tool=$CAPSTAN_BUILDDIR/tests/interop/restore_tool
stream_tool=$CAPSTAN_BUILDDIR/tests/interop/stream_tool
work=$(mktemp -d /tmp/capstan-dump8-XXXXXX) || exit 1
loop=
trap '[ -n "$loop" ] && losetup -d "$loop"; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# The source: our test tree, without what mke2fs -d can't put into an image.
"$stream_tool" 32 "$work/stream"
"$restore_tool" restore source "file:$work/stream" >/dev/null 2>&1
rm -f source/large-attribute source/full-group source/attribute-only source/hole-and-attribute \
    source/long-link
setfattr -x user.blob source/attributes
setfattr -x user.blob2 source/attributes
truncate -s 32M image
mke2fs -q -F -t ext4 -b 1024 -d source image || fail "mke2fs"
loop=$(losetup -f --show image 2>/dev/null)
if [ -z "$loop" ]; then
    echo "SKIP: no loop device can be had here"
    exit 77
fi

"$dump8" -0 -f one "$loop" >log 2>&1 || fail "dump: $(tail -1 log)"
"$dump8" -0 -B 500 -b 8 -M -f many "$loop" >log 2>&1 </dev/null || fail "dump -M: $(tail -1 log)"

# compare DIRECTORY WHAT: as the source, but for the nanoseconds that the format does not have.
compare() {
    rmdir "$1/lost+found" 2>/dev/null || fail "$2: lost+found"
    (cd source && find . -printf '%p %y %m %U %G %s %l %Ts\n' | grep -a -v '^\. ' | sort) |
        sed 's/ d \([0-9]* [0-9]* [0-9]*\) [0-9]*/ d \1/' >want
    (cd "$1" && find . -printf '%p %y %m %U %G %s %l %Ts\n' | grep -a -v '^\. ' | sort) |
        sed 's/ d \([0-9]* [0-9]* [0-9]*\) [0-9]*/ d \1/' >got
    cmp -s want got || {
        fail "$2: attributes differ"
        diff want got | head -10
    }
    (cd source && find . -type f -exec sha256sum {} + | sort) >want
    (cd "$1" && find . -type f -exec sha256sum {} + | sort) >got
    cmp -s want got || fail "$2: data differs"
    (cd source && getfattr -R -h -d -m - . 2>/dev/null) >want
    (cd "$1" && getfattr -R -h -d -m - . 2>/dev/null) >got
    sort want >want.s
    sort got >got.s
    cmp -s want.s got.s || fail "$2: extended attributes differ"
    [ "$(stat -c '%t %T' "$1/block")" = "103 12c" ] || fail "$2: the device"
    [ "$(stat -c %i "$1/hard")" = "$(stat -c %i "$1/d/e/hard-too")" ] || fail "$2: the hard link"
    [ "$(stat -c %b "$1/sparse")" -lt 6200 ] || fail "$2: the sparse file"
}

"$restore_tool" restore tree "file:$work/one" || fail "restore ended with $?"
compare tree "one file"
"$restore_tool" list "file:$work/one" | grep -a -q ' d/e/3m$' || fail "list"

urls=
for volume in many*; do
    urls="$urls file:$work/$volume"
done
[ "$(ls many* | wc -l)" -ge 5 ] || fail "dump -M wrote few volumes"
rm -rf tree
# shellcheck disable=SC2086
"$restore_tool" restore tree $urls || fail "restore of volumes ended with $?"
compare tree "$(ls many* | wc -l) volumes"

if [ $failures -ne 0 ]; then
    echo "$failures failures"
    exit 1
fi
echo "dump(8)'s streams are restored"
