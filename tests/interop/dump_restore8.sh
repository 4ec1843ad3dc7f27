#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Dump a tree with everything in it, list and extract the stream with Debian's restore(8), and
# compare every name: type, data, holes, links, modes, owners, times, xattrs, ACLs.
#
# What restore(8) can't bring back, so that it is not compared: nanoseconds (the format has
# microseconds), the birth time, and the change time; the time of the root directory (it puts its
# own file there); and names of 255 bytes, which it cuts to nothing, also from dump(8)'s own tapes.
# Without root: owners, devices, trusted.*.
set -uo pipefail

skip() {
    echo "skipped: $*"
    exit 77
}
fail() {
    echo "FAIL: $*"
    exit 1
}

command -v restore >/dev/null || skip "restore(8) is not installed (package dump)"
for tool in getfattr setfattr setfacl getfacl; do
    command -v $tool >/dev/null || skip "$tool is not installed (packages attr, acl)"
done
tool="${CAPSTAN_BUILDDIR:-.}/tests/interop/dump_tool"
[ -x "$tool" ] || fail "there is no $tool; run this by make check"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/capstan-restore8.XXXXXX") || exit 1
trap 'chmod -R u+rwx "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
tree=$scratch/tree
root=no
[ "$(id -u)" = 0 ] && root=yes

# ---- a tree with everything
make_tree() {
    mkdir -p "$tree"/{dir/deeper/deepest,empty,acl,odd,many} && cd "$tree" || fail "cannot make a tree"
    echo hello >plain
    : >size0
    for n in 1 1023 1024 1025 4096 524287 524288 524289 1048579; do
        head -c $n /dev/urandom >"dir/size$n"
    done
    ln plain dir/second-name
    ln plain dir/deeper/third-name
    ln -s plain symlink
    ln -s "$(printf 'x%.0s' {1..4000})" long-symlink
    ln -s dangling/target dir/dangling
    ln symlink dir/linked-symlink
    mkfifo fifo
    truncate -s 1G sparse-empty
    truncate -s 5M sparse
    echo middle | dd of=sparse bs=1 seek=2500000 conv=notrunc status=none
    echo end | dd of=sparse bs=1 seek=5242879 conv=notrunc status=none
    truncate -s 3000000 sparse-tail
    head -c 10000 /dev/urandom | dd of=sparse-tail conv=notrunc status=none
    touch odd/$'new\nline' odd/$'\xff\xfe' odd/"$(printf 'n%.0s' {1..254})" odd/' ' odd/'*' odd/-rf
    for i in $(seq 1 1500); do echo "$i" >many/file-with-a-longer-name-$i; done
    deep=$tree/dir/deeper
    for i in $(seq 1 60); do deep=$deep/d$i; done
    mkdir -p "$deep" && echo deep >"$deep/file"
    chmod 4755 dir/size1
    chmod 2755 dir/size1023
    chmod 1777 empty
    chmod 0 dir/size1024
    chmod 600 dir/size4096
    touch -d '1995-03-04 05:06:07.123456' dir/size524287
    touch -d '2037-12-31 23:59:59.654321' dir/size524288
    touch -h -d '2001-02-03 04:05:06.5' dir/dangling
    setfattr -n user.comment -v 'an attribute' plain
    setfattr -n user.comment -v 'of a directory' dir
    setfattr -n user.empty dir/size1025
    setfattr -n user.large -v "$(printf 'v%.0s' {1..3000})" dir/size4096
    setfacl -m u:1234:rwx,g:4321:r-x acl || echo "no ACLs here"
    setfacl -d -m u:1234:rwx acl
    setfacl -m u:1:r--,u:2:-w-,g:3:--x dir/size1025
    perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("socket"))' ||
        fail "cannot make a socket"
    if [ $root = yes ]; then
        mknod dev-null c 1 3
        mknod block b 7 9
        chown 1234:4321 dir/size4096 acl empty
        chown -h 1:2 dir/dangling
        chown 4294967290:70000 dir/size524289
        setfattr -n trusted.secret -v t dir/size4096
        setfattr -h -n trusted.onlink -v l symlink
        setfattr -n security.capstan -v s plain
    fi
    touch -d '2020-01-01 00:00:00' dir/deeper empty many odd acl dir .
    cd "$scratch" || exit 1
}

# What can be compared of every name, sorted; times to the microsecond.
describe() {
    local owner='' time='|%.6Y'
    [ $root = yes ] && owner='|%u:%g|%t,%T'
    (
        cd "$1" || exit 1
        {
            stat -c "%n %F|%a$owner" .
            find . -mindepth 1 -type d -print0 | xargs -0 stat -c "%n %F|%a$owner$time"
            find . ! -type d ! -path ./restoresymtable -print0 |
                xargs -0 stat -c "%n %F|%a|%h|%s$owner$time"
            find . -type l -printf '%p -> %l\n'
            find . -type f ! -path ./restoresymtable ! -name sparse-empty -readable -print0 |
                xargs -0 md5sum
        } | sort
    )
}
describe_xattrs() {
    (cd "$1" && find . -path ./restoresymtable -prune -o -print0 | sort -z |
        xargs -0 getfattr -h -d -m - --absolute-names -e hex 2>/dev/null)
}

make_tree
describe "$tree" >"$scratch/expected"
describe_xattrs "$tree" >"$scratch/expected-xattrs"
[ "$(wc -l <"$scratch/expected")" -gt 3100 ] || fail "the description of the tree is too short"
grep -q user.comment "$scratch/expected-xattrs" || skip "the file system of $scratch has no xattrs"

warnings_allowed() { # without root the file with mode 0 can't be read
    [ $root = yes ] && return 1
    [ "$1" = 3 ]
}

for blocking in 4 10 64 256; do
    stream=$scratch/stream.$blocking
    "$tool" -b $blocking "$tree" "file:$stream" >"$scratch/said" 2>&1
    rc=$?
    [ $rc = 0 ] || warnings_allowed $rc || fail "the dump with -b $blocking ended with $rc: $(cat "$scratch/said")"
    size=$(stat -c %s "$stream")
    [ $((size % (blocking * 1024))) = 0 ] || fail "-b $blocking wrote $size bytes, not whole records"

    restore -b $blocking -tf "$stream" >"$scratch/list" 2>"$scratch/errors" ||
        fail "restore -t does not read the stream with -b $blocking: $(cat "$scratch/errors")"
    [ -s "$scratch/errors" ] && fail "restore -t complains: $(cat "$scratch/errors")"
    names=$(grep -c '	' "$scratch/list")
    [ "$names" -ge 1550 ] || fail "restore -t lists only $names names with -b $blocking"
done
for blocking in 0 3 257 1000; do
    if "$tool" -b $blocking "$tree" "file:$scratch/never" >"$scratch/said" 2>&1; then
        fail "a blocking factor of $blocking was taken"
    fi
    grep -q 'blocking factor' "$scratch/said" || fail "no clear word about -b $blocking: $(cat "$scratch/said")"
done

extract() { # how: -r or -x
    local there=$scratch/restored$1
    mkdir "$there" && cd "$there" || exit 1
    if [ "$1" = -r ]; then
        restore -rf "$scratch/stream.64" >"$scratch/said" 2>&1
    else
        echo y | restore -x -a -f "$scratch/stream.10" >"$scratch/said" 2>&1
    fi || fail "restore $1 ended with $?: $(cat "$scratch/said")"
    cd "$scratch" || exit 1
    describe "$there" >"$scratch/found"
    if [ $root = no ]; then # what could not be read is not there
        sed -i '/^.\/dir\/size1024 /d' "$scratch/expected"
    fi
    diff "$scratch/expected" "$scratch/found" >"$scratch/differences" ||
        fail "restore $1 brought back something else (< dumped, > restored): $(head -20 "$scratch/differences")"
    describe_xattrs "$there" >"$scratch/found-xattrs"
    diff "$scratch/expected-xattrs" "$scratch/found-xattrs" >"$scratch/differences" ||
        fail "restore $1 brought back other extended attributes: $(head -20 "$scratch/differences")"
    [ "$(stat -c %b "$there/sparse-empty")" -le 8 ] || fail "restore $1 filled the holes of an empty sparse file"
    # The oracle must be able to see a difference.
    echo x >>"$there/plain"
    describe "$there" | cmp -s "$scratch/expected" && fail "the comparison sees nothing"
    chmod -R u+rwx "$there" && rm -rf "$there"
}
extract -r
extract -x

# restore -C compares data, modes, owners and times with the file system.
(cd / && restore -C -f "$scratch/stream.256" -D "$tree" >"$scratch/said" 2>&1)
rc=$?
[ $rc = 0 ] || [ $root = no ] || fail "restore -C sees differences ($rc): $(tail -20 "$scratch/said")"

echo "restored by restore(8): identical ($names names, root: $root)"
