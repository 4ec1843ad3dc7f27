#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A tree with everything in it is dumped to two cartridges and browsed: what find, stat, diff, cp,
# getfattr and getfacl say of the view is what they say of the source.  Writers hold the
# cartridges meanwhile, new images appear, and nothing is left after unmounting.
# shellcheck source=tests/interop/view_common.sh disable=SC2154,SC2034
source "$(dirname "${BASH_SOURCE[0]}")/view_common.sh"

src=$work/src
copy=$work/copy
as_root=$([ "$(id -u)" = 0 ] && echo yes || echo no)

# ---- the source ----------------------------------------------------------------------------------

make_sizes() {
    local size
    for size in 0 1 1023 1024 1025 16384 524288 524289 3000000; do
        head -c "$size" /dev/urandom >"$src/sizes/$size"
    done
}

make_sparse() {
    truncate -s 60M "$src/sparse"
    local at
    for at in 0 1000000 1500000 40000000; do
        head -c 3000 /dev/urandom | dd of="$src/sparse" bs=1 seek="$at" conv=notrunc status=none
    done
}

make_names() {
    touch "$src/names/"$'new\nline' "$src/names/"$'not\xff\xfeutf8' "$src/names/o'quote\"s" \
        "$src/names/ leading space" "$src/names/-dash" "$src/names/$(printf 'n%.0s' {1..255})"
}

make_specials() {
    mkfifo "$src/fifo"
    ln -s no/such/target "$src/dangling"
    ln -s "$(printf 'long/%.0s' {1..200})" "$src/longlink"
    ln "$src/sizes/1025" "$src/hard1"
    ln "$src/sizes/1025" "$src/names/hard2"
    [ "$as_root" = no ] || {
        mknod "$src/char" c 1 3
        mknod "$src/block" b 7 200
        chown 12345:54321 "$src/sizes/1"
        touch "$src/setuid"
        chmod 6711 "$src/setuid"
    }
}

make_attributes() {
    setfattr -n user.capstan-test -v "$(printf 'v%.0s' {1..500})" "$src/sizes/1024" || return 1
    setfattr -n user.empty "$src/sizes/1024"
    setfattr -n user.onadir -v x "$src/many"
    setfacl -m u:1234:rw,g:99:r "$src/sizes/1023" || return 1
    setfacl -d -m u:1234:rwx "$src/many"
}

mkdir -p "$src"/{sizes,names,many,empty,a/b/c/d/e/f}
make_sizes
make_sparse
make_names
make_specials
for ((i = 0; i < 3000; i++)); do echo "$i" >"$src/many/file$i"; done
with_attributes=yes
make_attributes 2>/dev/null || with_attributes=no
chmod 0500 "$src/empty"
chmod 0600 "$src/sizes/16384"
touch -d '1969-12-31 23:59:58.25Z' "$src/sizes/0"
touch -h -d '2038-01-20 03:14:08.987654321Z' "$src/dangling"
touch -d '2001-02-03 04:05:06.000000007Z' "$src/a/b"

create_cartridge AAA001L8 6
create_cartridge AAA002L8 200
dump "$src" AAA001L8 AAA002L8
check "the dump spans two cartridges" grep -q '"volumes": 2' "$work/dump.json"
check "the catalog is right" "$view_tool" check "$root/catalog"

# ---- with writers at both cartridges -------------------------------------------------------------

mkfifo "$work/release"
"$view_tool" hold "$root/cartridges/AAA002L8" <"$work/release" >"$work/held" &
holder=$!
exec 6>"$work/release"
check "a writer holds the second cartridge" eventually grep -q held "$work/held"

start_view
check "no trace of writing" grep -q " $mnt fuse.capstan ro,nosuid,nodev" /proc/mounts
top=$(ls "$mnt")
check "top level" same "$top" "by-date
by-volume
images
latest"
image=$mnt/$(readlink "$mnt/latest")
dated=$(echo "$mnt"/by-date/*/*)
check "one image" same "$(ls "$mnt/images")" "$(basename "$image")"
check "latest leads to it" test -d "$image"
check "volumes" same "$(ls "$mnt/by-volume")" "AAA001L8
AAA002L8"
check "an image by its volume" test "$mnt/by-volume/AAA002L8/$(basename "$image")" -ef "$image"
check "by date is named after host and path" \
    same "$(basename "$dated")" "$(uname -n)$(echo "$src" | tr / _)"

listing() {
    (cd "$1" && find . -mindepth 1 -printf '%P %y %m %U %G %n %s %T@ %b %l\0' | sort -z | tr '\0' '\n')
}
listing "$src" >"$work/want"
for way in "$image" "$dated"; do
    listing "$way" >"$work/have"
    check "types, modes, owners, links, sizes, times ($way)" diff "$work/want" "$work/have"
done
check "the root directory's own" same "$(stat -c '%f %u %g %y' "$image")" "$(stat -c '%f %u %g %y' "$src")"
# diff calls two FIFOs or devices different whatever they are.
same_contents() {
    diff -r --no-dereference -x fifo -x char -x block "$1" "$2"
}
check "contents" same_contents "$src" "$image"
check "contents by date" same_contents "$src" "$dated"
if [ "$as_root" = yes ]; then
    check "device numbers" same "$(stat -c '%t %T' "$image/char" "$image/block")" \
        "$(stat -c '%t %T' "$src/char" "$src/block")"
fi
check "hard links are one inode" test "$image/hard1" -ef "$image/names/hard2"
check "other files are not" fails test "$image/hard1" -ef "$image/sizes/1024"
for f in sizes/3000000 sparse sizes/524289; do
    check "random reads of $f" "$view_tool" pread "$src/$f" "$image/$f" 42
done
check "the same bytes by mmap" cmp "$src/sizes/3000000" "$image/sizes/3000000"

attributes() {
    (cd "$1" && getfattr -R -h -d -m - -e hex . && getfacl -R -n -P . 2>/dev/null) | sort
}
if [ "$with_attributes" = yes ]; then
    attributes "$src" >"$work/want"
    attributes "$image" >"$work/have"
    check "extended attributes and ACLs" diff "$work/want" "$work/have"
else
    echo "(the scratch file system has no extended attributes or ACLs: not compared)"
fi
xattr() {
    getfattr --absolute-names --only-values -n "user.capstan.$1" "$2"
}
check "user.capstan.volume" same "$(xattr volume "$image")" AAA001L8
volumes=$(getfattr -R --absolute-names --only-values -n user.capstan.volume "$image" 2>/dev/null)
check "files on both cartridges" same "$(grep -oE 'AAA...L8' <<<"$volumes" | sort -u | tr '\n' ' ')" \
    "AAA001L8 AAA002L8 "
check "user.capstan.online" same "$(xattr online "$image/sparse")" 1
check "user.capstan.level" same "$(xattr level "$image/sparse")" 0
check "user.capstan.image" grep -q "$(xattr image "$image")" "$work/dump.json"
check "user.capstan.date" grep -qE '^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z$' <(xattr date "$image")
check "user.capstan.block" grep -qE '^[0-9]+$' <(xattr block "$image/sparse")

exec 6>&-
check "the writer was there until now" wait "$holder"

# ---- copying -------------------------------------------------------------------------------------

cp -a "$image/." "$copy" 2>"$work/cp.err"
check "cp -a" same "$(cat "$work/cp.err")" ""
check "the copy has the contents" same_contents "$src" "$copy"
holes() {
    "$view_tool" holes "$1"
}
check "the view tells of the holes" same "$(holes "$image/sparse")" "$(holes "$src/sparse")"
check "and of none where there is none" same "$(holes "$image/sizes/3000000")" "0-3000000"
# stays_sparse SOURCE IN-THE-VIEW
stays_sparse() {
    local blocks
    blocks=$(stat -c %b "$1")
    timeout 30 cp -a "$2" "$work/sparse" && same "$(stat -c %b "$work/sparse")" "$blocks" &&
        timeout 30 cp --sparse=auto "$2" "$work/sparse" &&
        same "$(stat -c %b "$work/sparse")" "$blocks" &&
        timeout 30 tar -C "$(dirname "$2")" -cSf "$work/tar" "$(basename "$2")" &&
        test "$(stat -c %s "$work/tar")" -lt 65536 && rm "$work/sparse" "$work/tar"
}
check "a copy of a sparse file is sparse" stays_sparse "$src/sparse" "$image/sparse"
check "all of them" same "$(stat -c %b "$copy/sparse")" "$(stat -c %b "$src/sparse")"
# Allocated blocks are the copy's own matter.
for d in "$src" "$copy"; do listing "$d" | sed -E 's/ [0-9]+ ([^ ]*)$/ \1/' >"$d.list"; done
check "the copy has the attributes" diff "$src.list" "$copy.list"
if [ "$with_attributes" = yes ]; then
    attributes "$src" >"$work/want"
    attributes "$copy" >"$work/have"
    check "the copy has the extended attributes, and none of ours" diff "$work/want" "$work/have"
fi

# ---- what is not there, and what is not allowed --------------------------------------------------

check "a name that is not there" fails stat "$image/nothing"
check "a name longer than any" fails stat "$image/$(printf 'n%.0s' {1..256})"
check "a file is no directory" fails ls "$image/sizes/1/."
check "no date that is not there" fails ls "$mnt/by-date/2001-01-01T000000Z"
for change in "touch $image/new" "rm -f $image/hard1" "mkdir $mnt/new" "chmod 777 $image/hard1" \
    "ln -s x $image/link" "truncate -s 0 $image/hard1" "mv $image/hard1 $image/hard3"; do
    # shellcheck disable=SC2086 # words
    check "read-only" fails $change
done
check "statfs" test "$(stat -f -c '%l %f' "$mnt")" = "255 0"
check ".status" grep -q '"format_version"' "$mnt/.status"
check ".status is as long as it says" same "$(stat -c %s "$mnt/.status")" "$(wc -c <"$mnt/.status")"

# ---- growing -------------------------------------------------------------------------------------

mkdir "$work/second"
echo second >"$work/second/file"
truncate -s 32G "$work/second/hole"
echo end >>"$work/second/hole"
"$view_tool" append "$root" AAA002L8 "$work/second" || exit 1
image_count() {
    [ "$(find "$mnt/images" -mindepth 1 -maxdepth 1 | wc -l)" = "$1" ]
}
check "a new image appears" eventually image_count 2
check "and can be read from the cartridge that was open" \
    eventually grep -q second "$mnt/latest/file"
# Reading 32 GiB of zeros takes minutes.
check "a huge hole takes no time" stays_sparse "$work/second/hole" "$mnt/latest/hole"
check "what is behind it" same "$(tail -c 4 "$mnt/latest/hole")" end
check "the first is still there" cmp "$src/sizes/524288" "$image/sizes/524288"
check "both on one volume" same "$(find "$mnt/by-volume/AAA002L8" -type l | wc -l)" 2

# ---- unmounting ----------------------------------------------------------------------------------

for signal in TERM INT HUP; do
    exec 7<"$mnt/latest/file" # a file in use does not keep it
    stop_view "$signal"
    exec 7<&-
    check "SIG$signal ends it well" same "$stopped" 0
    check "nothing is mounted after SIG$signal" fails grep -q " $mnt " /proc/mounts
    start_view
done
stop_view TERM

mkdir "$root/run"
exec 8>"$work/alive"
flock 8 # held by whoever has the descriptor: this shell and the daemon
check "in the background" "$view_tool" daemon "$root" "$mnt"
check "it stands when that returns" test -f "$mnt/latest/file"
mv "$root/cartridges/AAA002L8" "$work/away"
check "a file on a cartridge that went away" fails cat "$mnt/latest/file"
check "is in the log" grep -q AAA002L8 "$root/run/view.log"
mv "$work/away" "$root/cartridges/AAA002L8"
exec 8>&-
check "the daemon lives" fails flock -n "$work/alive" true
fusermount3 -u "$mnt" || umount "$mnt"
check "and ends when it is unmounted" flock -w 60 "$work/alive" true

check "a mountpoint that is not there" fails "$view_tool" daemon "$root" "$work/nothing"
check "says so" grep -q "Cannot mount on $work/nothing" "$work/said"
check "no catalog" fails "$view_tool" daemon "$work" "$mnt"
check "says so" grep -q "$work/catalog" "$work/said"
check "a file as a mountpoint" fails "$view_tool" daemon "$root" "$work/want"
check "says so" grep -q "not a directory" "$work/said"
check "nothing is left" fails grep -q "$work" /proc/mounts
