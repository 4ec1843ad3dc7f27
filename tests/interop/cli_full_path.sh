#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole path on a small tree: init, serve, load, dump over several cartridges, restore, compare,
# single files, the catalog lost and rebuilt, the stopped library, a plain file, stop.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

# ---- a tree with a bit of everything
tree=$work/tree
mkdir -p "$tree/a/b/c" "$tree/empty" "$tree/many"
for i in $(seq 200); do echo "file $i" >"$tree/many/$i"; done
for i in 1 2 3 4 5 6; do head -c 5000000 /dev/urandom >"$tree/a/random$i"; done
truncate -s 100M "$tree/a/sparse" && printf end >>"$tree/a/sparse"
ln "$tree/a/random1" "$tree/a/b/hard"
ln -s ../random2 "$tree/a/b/soft"
ln -s /nowhere "$tree/a/b/dangling"
mkfifo "$tree/a/b/fifo"
chmod 4751 "$tree/many/1"
[ "$(id -u)" != 0 ] || chmod 000 "$tree/many/2" # nobody else could read it
printf x >"$tree/a/b/c/$(printf 'bytes\377\n\tname')"
touch -d '1999-12-31 23:59:59.123456789' "$tree/many/3"
touch -h -d '2001-02-03 04:05:06.7' "$tree/a/b/soft"
setfattr -n user.capstan -v value "$tree/many/4" 2>/dev/null || true
touch -d '2020-01-01' "$tree/a/b/c" "$tree/empty"

listing() {
    (cd "$1" && find . -printf '%p %y %m %U %G %n %T@ %l ' \( -type f -printf '%s' -o -true \) \
        -printf '\0' | sort -z && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
same() { # WHAT DIRECTORY
    checks=$((checks + 1))
    cmp -s <(listing "$tree") <(listing "$2") || {
        bad "$1 differs from what was dumped"
        diff <(listing "$tree" | tr '\0' '\n') <(listing "$2" | tr '\0' '\n') | head
    }
}

# ---- over iSCSI, from cartridge to cartridge
expect 0 "made" "$capstan" init --cartridges 2 --portal 127.0.0.1:0
expect 0 "SML003L8" "$capstan" cartridge create --capacity 15M SML001L8 SML002L8 SML003L8
serve
expect 0 "on SML001L8, SML002L8" "$capstan" dump --pool 'SML*' --label small "$tree"
expect 0 "identical" "$capstan" restore --compare latest "$tree"
expect 0 "restored" "$capstan" restore latest "$work/back"
same "the restored tree" "$work/back"
expect 4 "no cartridge of the pool SML\* is left" "$capstan" dump --pool 'SML*' "$tree"
[ "$("$capstan" catalog list | wc -l)" = 2 ] || bad "the dump without room is in the catalog"
expect 0 "dumped" "$capstan" dump --blocking 4 --drive 1 --pool 'CAP*' "$tree/many"
expect 0 "dumped" "$capstan" dump --drive 1 --pool 'CAP*' "$tree/a/b"
expect 0 "drive:1 +CAP001L8 +loaded" "$capstan" status
small=$("$capstan" catalog list --json | sed -n 's/^ *"uuid": "\([^"]*\)".*/\1/p' | head -1)

# ---- named files only, and differences
expect 0 "restored" "$capstan" restore "$small" "$work/part" many/3 a/b
check "a named file is missing" cmp "$tree/many/3" "$work/part/many/3"
[ ! -e "$work/part/a/random1" ] || bad "a file that was not named was restored"
echo changed >>"$work/back/many/7"
expect 3 "many/7" "$capstan" restore --compare "$small" "$work/back"

# ---- a file that cannot be read is reported, and the dump goes on
if [ "$(id -u)" != 0 ]; then
    mkdir "$work/locked" && echo open >"$work/locked/open" && echo shut >"$work/locked/shut"
    chmod 000 "$work/locked/shut"
    expect 3 "shut: cannot be read" "$capstan" dump --pool 'CAP*' "$work/locked"
    expect 0 "partial" "$capstan" catalog list
    expect 0 "deleted" "$capstan" catalog delete latest
fi

# ---- the catalog knows, and can be made anew
expect 0 "SML002L8" "$capstan" catalog show "$small"
expect 0 "random1" "$capstan" catalog files "$small" a
expect 0 "name_base64" "$capstan" catalog files --json "$small" a/b/c
expect 0 "the catalog is good: 3 images" "$capstan" catalog check
expect 0 "$small" "$capstan" cartridge show SML002L8
"$capstan" catalog show --json "$small" >"$work/before.json"
"$capstan" catalog files --json "$small" a/b >"$work/before.files"
expect 0 "stopped" "$capstan" stop
mv "$CAPSTAN_ROOT/catalog" "$work/catalog.lost"
[ "$(id -u)" = 0 ] || images=4 # with the partial one
expect 0 "added ${images:-3} images" "$capstan" catalog rebuild
[ "$(id -u)" = 0 ] || expect 0 "deleted" "$capstan" catalog delete latest
[ "$(id -u)" != 0 ] || expect 0 "added 0 images" "$capstan" catalog rebuild
check "the rebuilt image is another one" cmp "$work/before.json" <("$capstan" catalog show --json "$small")
check "the rebuilt files are others" cmp "$work/before.files" <("$capstan" catalog files --json "$small" a/b)

# ---- the stopped library, cartridges opened directly
rm -rf "$work/back"
expect 0 "restored" "$capstan" restore "$small" "$work/back"
same "the tree restored from the stopped library" "$work/back"
expect 0 "dumped" "$capstan" dump --tape "cartridge:$CAPSTAN_ROOT/cartridges/CAP002L8" "$tree/many"
expect 0 "identical" "$capstan" restore --compare latest "$tree/many"
expect 0 "deleted" "$capstan" catalog delete latest

# ---- a plain file, as dump(8) -f writes it
expect 0 "dumped" "$capstan" dump --tape "file:$work/plain" --blocking 10 "$tree"
expect 0 "identical" "$capstan" restore --tape "file:$work/plain" --blocking 10 --compare "$tree"
if command -v restore >/dev/null; then
    check "restore(8) cannot list the file" bash -c "cd '$work' && restore -tf plain | grep random1 >/dev/null"
fi

# ---- the view, where there is FUSE
mkdir "$work/view"
if [ -w /dev/fuse ] && "$capstan" version | grep 'fuse *yes' >/dev/null; then
    expect 0 "" "$capstan" mount "$work/view"
    expect 1 "mounted on .* already; unmount it" "$capstan" mount "$work/view"
    expect 0 "random1" find "$work/view" -name random1
    fusermount3 -u "$work/view"
fi

# ---- two dumps at once: two drives, two cartridges
serve
expect 1 "is in drive 1, not in drive 0" "$capstan" dump --drive 0 --volume CAP001L8 "$tree"
expect 1 "must not put away" "$capstan" dump --pool CAP002L8 "$tree"
expect 0 "SML" "$capstan" unload 0
"$capstan" dump --pool 'CAP*' "$tree" >"$work/one.log" 2>&1 &
one=$!
expect 0 "dumped" "$capstan" dump --pool 'CAP*' "$tree"
checks=$((checks + 1))
wait "$one" || {
    bad "the other of two dumps failed"
    cat "$work/one.log"
}
for image in $("$capstan" catalog list --json | sed -n 's/^ *"uuid": "\([^"]*\)".*/\1/p' | tail -2); do
    expect 0 "identical" "$capstan" restore --compare "$image" "$tree"
done
expect 0 "stopped" "$capstan" stop

# ---- a drive by its URL, as any initiator reaches it; with CHAP the library's own secrets are used
printf 'secret-of-16-byte' >"$CAPSTAN_ROOT/secret"
chmod 600 "$CAPSTAN_ROOT/secret"
sed -i 's/^\[chap\]/&\nuser = me\nsecret_file = secret/' "$CAPSTAN_ROOT/capstan.conf"
serve
url=iscsi://$("$capstan" status | sed -n 's/^daemon: process [0-9]*, target \(.*\) at \(.*\)$/\2\/\1/p')/1
mkdir "$work/tiny" && echo tiny >"$work/tiny/file"
expect 0 "dumped 1 files.*" "$capstan" dump --tape "$url" "$work/tiny"
expect 0 "identical" "$capstan" restore --tape "$url" --file 2 --compare "$work/tiny"
expect 0 "stopped" "$capstan" stop

# ---- SIGINT ends a dump politely
serve
"$capstan" dump --pool 'CAP*' / --one-file-system >"$work/dump.log" 2>&1 &
dump=$!
sleep 0.5
kill -INT "$dump"
wait "$dump"
status=$?
checks=$((checks + 1))
[ "$status" = 1 ] && grep -q '^capstan: ' "$work/dump.log" || {
    bad "an interrupted dump ended with $status"
    tail -3 "$work/dump.log"
}
expect 0 "6 images" "$capstan" catalog check
expect 0 "stopped" "$capstan" stop

# ---- the next cartridge comes into the drive in use, also if another blank one is in another drive
CAPSTAN_ROOT=$work/two
expect 0 "made" "$capstan" init --portal 127.0.0.1:0
expect 0 "TWO003L8" "$capstan" cartridge create --capacity 20M TWO001L8 TWO002L8 TWO003L8
serve
expect 0 "drive:1" "$capstan" load TWO002L8 1
expect 0 "on TWO001L8, TWO003L8" "$capstan" dump --volume TWO001L8 "$tree"
expect 0 "identical" "$capstan" restore --compare latest "$tree"
expect 0 "stopped" "$capstan" stop
