#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# restore8_test.sh - Debian's restore(8) lists and extracts our streams: -t, -x, -r, over several
# volumes, with and without EXT_XATTR records.  What it brings back is checked by our own restore in
# compare mode, which knows the tree from the stream, and by stat(1) and getfattr(1).
set -u

restore8=$(command -v restore || echo /usr/sbin/restore)
if [ ! -x "$restore8" ]; then
    echo "SKIP: restore(8) is not installed (Debian package dump)"
    exit 77
fi
if [ "$(id -u)" != 0 ]; then
    echo "SKIP: restore(8) sets owners and makes devices, which only root may"
    exit 77
fi
stream_tool=$CAPSTAN_BUILDDIR/tests/interop/stream_tool
restore_tool=$CAPSTAN_BUILDDIR/tests/interop/restore_tool
work=$(mktemp -d /tmp/capstan-restore8-XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# compare DIRECTORY STREAM WHAT: all is there but for nanoseconds and for attributes that ext4 has
# no room for; warnings of other kinds are failures.
compare() {
    "$restore_tool" compare "$1" "file:$2" >"$work/compare" 2>&1
    grep -a -v -e '^\.: its modification time' -e 'modification time differs by -[0-9]\{1,3\} ns$' -e '^restore_tool: ' \
        -e "$large_attribute" "$work/compare" >"$work/differences"
    if [ -s "$work/differences" ]; then
        fail "$3: differences"
        sed 's/^/    /' "$work/differences" | head -20
    fi
    [ -e "$1/d/e/3m" ] || fail "$3: nothing was extracted"
}

large_attribute='the attribute user.large is missing'
cd "$work" || exit 1

for options in "" "-e"; do
    for blocking in 4 32 256; do
        # shellcheck disable=SC2086
        "$stream_tool" $options $blocking "$work/stream" || fail "no stream"

        "$restore8" -tf stream >list 2>list.err || fail "restore -t ended with $?"
        grep -a -q 'd/e/hard-too$' list || fail "restore -t does not list everything"
        [ "$(wc -l <list)" -ge 330 ] || fail "restore -t lists $(wc -l <list) lines only"
        [ -s list.err ] && fail "restore -t says: $(head -c 300 list.err)"

        rm -rf tree && mkdir tree
        (cd tree && "$restore8" -rf ../stream >../log 2>&1) || fail "restore -r ended with $?"
        rm -f tree/restoresymtable
        grep -a -v -e '^$' log >said && fail "restore -r says: $(head -c 300 said)"
        [ -n "$options" ] && large_attribute='attribute'
        compare tree stream "restore -r, blocking $blocking $options"
        [ -n "$options" ] && large_attribute='the attribute user.large is missing'

        rm -rf tree && mkdir tree
        (cd tree && echo y | "$restore8" -x -a -o -f ../stream >../log 2>&1) ||
            fail "restore -x ended with $?"
        grep -i -e 'expected' -e 'missing' -e 'resync' log && fail "restore -x complains"
    done
done

# What only an independent eye should say: attributes and ACL as the tools of the system see them.
"$stream_tool" 32 "$work/stream"
rm -rf tree && mkdir tree
(cd tree && "$restore8" -rf ../stream >/dev/null 2>&1)
[ "$(getfattr --only-values -n user.a tree/attributes 2>/dev/null)" = value ] || fail "user.a"
[ "$(getfattr --only-values -n trusted.t tree/attributes 2>/dev/null)" = hidden ] ||
    fail "trusted.t"
if command -v getfacl >/dev/null; then
    getfacl -n tree/attributes 2>/dev/null | grep '^user:1234:r--' >/dev/null || fail "access ACL"
    getfacl -n tree/d/e 2>/dev/null | grep '^default:user:1234:r--' >/dev/null || fail "default ACL"
fi
[ "$(stat -c '%a %u %g %s %Y' tree/setuid)" = "4755 1000 1000 20 1600000000" ] || fail "setuid"
[ "$(stat -c '%F %t %T' tree/block)" = "block special file 103 12c" ] || fail "block device"
[ "$(stat -c %b tree/sparse)" -lt 6200 ] || fail "the sparse file is not sparse"
[ "$(stat -c %i tree/hard)" = "$(stat -c %i tree/d/e/hard-too)" ] || fail "hard link"

# Several volumes.
for shape in "10 20" "32 11" "64 5"; do
    rm -rf volumes tree && mkdir volumes tree
    # shellcheck disable=SC2086
    set -- $shape
    "$stream_tool" "$1" "$work/volumes/v" "$2"
    (cd tree && "$restore8" -r -M -f ../volumes/v >../log 2>&1 </dev/null) ||
        fail "restore -r of $(ls volumes | wc -l) volumes: $(tail -1 log)"
    rm -f tree/restoresymtable
    compare tree stream "restore -r of volumes of $2 records"
    rm -rf tree && mkdir tree
    (cd tree && echo n | "$restore8" -x -a -o -M -f ../volumes/v >../log 2>&1) ||
        fail "restore -x of $(ls volumes | wc -l) volumes: $(tail -1 log)"
    [ -e tree/large-attribute ] || fail "restore -x of volumes of $2 records: files are missing"
done

if [ $failures -ne 0 ]; then
    echo "$failures failures"
    exit 1
fi
echo "restore(8) reads our streams"
