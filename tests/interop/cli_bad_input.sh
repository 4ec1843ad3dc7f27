#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What people get wrong on the command line: each is a sentence that says what and what to do, with
# the right exit code, and nothing is lost by it.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

# ---- the command line itself
expect 2 "there is no verb 'dmup'; did you mean 'dump'" "$capstan" dmup
expect 2 "there is no verb 'zzzzzzzz'" "$capstan" zzzzzzzz
expect 2 "Try 'capstan --help'" "$capstan" ""
expect 2 "what shall be done" "$capstan"
expect 2 "needs one of: create, list, show, verify" "$capstan" cartridge
expect 2 "there is no verb|needs one of" "$capstan" catalog liist
expect 2 "has no option --pol; did you mean --pool" "$capstan" dump --pol=x /etc
expect 2 "has no option -q" "$capstan" dump -q /etc
expect 2 "needs a value" "$capstan" dump --drive
expect 2 "takes no value" "$capstan" dump --one-file-system=yes /etc
expect 2 "needs: DIRECTORY" "$capstan" dump
expect 2 "takes only: DIRECTORY; 'b' is too many" "$capstan" dump a b
expect 2 "takes no operands" "$capstan" status now
expect 2 "is empty" "$capstan" dump ""
expect 2 "no option --frob in front of a verb" "$capstan" --frob status
expect 2 "--root is empty" "$capstan" --root= status
expect 2 "contradict" "$capstan" serve --foreground --detach
expect 2 "--portal is not right: .*ADDRESS:PORT" "$capstan" init --portal nowhere
expect 2 "--drives is not right: .*from 1 to 255" "$capstan" init --drives 0
expect 2 "--drives is not right: .*from 1 to 255" "$capstan" init --drives 99999999999999999999
expect 2 "--serial is not right" "$capstan" init --serial "AB CD"
expect 2 "do not fit into 8 slots" "$capstan" init --cartridges 9
expect 2 "leaves room for 9 barcodes" "$capstan" init --cartridges 10 --slots 20 --prefix ABCDE
expect 2 "--prefix must be" "$capstan" init --prefix abc
expect 2 "--capacity must be a size" "$capstan" init --capacity 5X
expect 2 "--capacity must be a size" "$capstan" init --capacity 99999999999T
[ ! -e "$CAPSTAN_ROOT" ] || bad "a refused init has left something behind"

# ---- no library
expect 1 "is no library.*capstan init" "$capstan" status
expect 1 "is no library" "$capstan" serve
expect 1 "is no library" "$capstan" serve --detach
expect 1 "is no library" "$capstan" stop
expect 1 "is no library" "$capstan" catalog list
expect 1 "is no library" "$capstan" restore latest "$work/back"
expect 1 "is no library" "$capstan" mount "$work"
[ ! -e "$CAPSTAN_ROOT" ] || bad "a verb on a missing library has made one"
mkdir "$work/full" && touch "$work/full/precious"
expect 1 "is not empty" "$capstan" --root "$work/full" init
[ "$(ls "$work/full")" = precious ] || bad "init has touched a directory that is not its own"
touch "$work/file"
expect 1 "$work/file" "$capstan" --root "$work/file" init
expect 1 "$work/file" "$capstan" --root "$work/file" status

# ---- a library, stopped
expect 0 "made the library" "$capstan" init --cartridges 4 --slots 5 --portal 127.0.0.1:0
expect 1 "is a library already" "$capstan" init
[ "$(stat -c %a "$CAPSTAN_ROOT")" = 700 ] || bad "the library is not private"
before=$(places)
expect 1 "no daemon is running.*capstan serve" "$capstan" stop
expect 1 "no daemon is running.*--tape" "$capstan" dump /etc
expect 2 "is no barcode" "$capstan" cartridge create "bad code"
expect 2 "barcode" "$capstan" cartridge create "$(printf 'A\377B')"
expect 2 "barcode" "$capstan" cartridge create "$(printf 'A%.0s' {1..33})"
expect 1 "CAP001L8" "$capstan" cartridge create CAP001L8
expect 2 "at least 1000000 bytes" "$capstan" cartridge create --capacity 999999 NEW001L8
expect 2 "no kind of media 'L33'" "$capstan" cartridge create --media L33 NEW001L8
expect 2 "contradict" "$capstan" cartridge create --slot 1 --import-export 1 NEW001L8
expect 1 "slot:1 is full: it holds the cartridge CAP001L8" "$capstan" cartridge create --slot 1 NEW001L8
expect 1 "there is no slot 6: they are numbered 1 to 5" "$capstan" cartridge create --slot 6 NEW001L8
expect 1 "no cartridge NEW001L8 in this library" "$capstan" cartridge show NEW001L8
expect 1 "no cartridge|not good" "$capstan" cartridge verify NEW001L8
expect 2 "names no place" "$capstan" move here there
expect 1 "there is no slot 0" "$capstan" move slot:0 slot:5
expect 1 "there is no drive 2" "$capstan" load CAP001L8 2
expect 1 "no element with the address 9999" "$capstan" move 9999 slot:5
expect 1 "there is no cartridge in slot:5" "$capstan" move slot:5 drive:0
expect 1 "slot:2 is full: it holds the cartridge CAP002L8" "$capstan" move slot:1 slot:2
expect 1 "is in slot:1 already" "$capstan" move CAP001L8 slot:1
expect 1 "there is no cartridge in any drive" "$capstan" unload
expect 1 "there is no cartridge in drive:1" "$capstan" unload 1
expect 2 "is not a drive" "$capstan" load CAP001L8 slot:5
[ "$(places)" = "$before" ] || bad "a refused request has moved a cartridge"
expect 0 "NEW001L8" "$capstan" cartridge create NEW001L8
expect 1 "no empty slot" "$capstan" cartridge create NEW002L8
expect 1 "latest|image" "$capstan" catalog show latest
expect 1 "." "$capstan" catalog show 00000000
expect 2 "." "$capstan" catalog show 0
expect 1 "cannot be mounted on" "$capstan" mount "$work/nowhere"
expect 2 "is not a directory" "$capstan" mount "$work/file"

# ---- dump and restore
expect 1 "cannot be dumped: No such file" "$capstan" dump "$work/nowhere"
expect 2 "is not a directory" "$capstan" dump "$work/file"
expect 2 "--blocking must be a number from 4 to 256" "$capstan" dump --blocking 3 /etc
expect 2 "--blocking must be a number from 4 to 256" "$capstan" dump --blocking 257 /etc
expect 2 "--label has at most 15 bytes" "$capstan" dump --label 1234567890123456 /etc
expect 2 "do not go with" "$capstan" dump --tape file:x --drive 1 /etc
expect 2 "is not a tape" "$capstan" dump --tape /tmp/x /etc
expect 2 "needs: IMAGE DESTINATION" "$capstan" restore latest
expect 2 "go with --tape only" "$capstan" restore --file 1 latest "$work/back"
expect 1 "image" "$capstan" restore latest "$work/back"
expect 1 "cannot be compared with" "$capstan" restore --compare latest "$work/nowhere"
expect 1 "No such file" "$capstan" restore --tape "file:$work/nowhere" "$work/back"

# ---- cartridges that are damaged or foreign
mkdir -p "$CAPSTAN_ROOT/keep"
cp -a "$CAPSTAN_ROOT/cartridges/CAP002L8" "$CAPSTAN_ROOT/keep/"
for f in "$CAPSTAN_ROOT"/cartridges/CAP002L8/*; do
    [ -f "$f" ] && head -c 4096 /dev/urandom >"$f"
done
expect 0 "CAP002L8 +slot:2 +- +(corrupt|format)" "$capstan" cartridge list
expect 1 "CAP002L8" "$capstan" cartridge verify CAP002L8
rm -rf "$CAPSTAN_ROOT/cartridges/CAP002L8"
mv "$CAPSTAN_ROOT/keep/CAP002L8" "$CAPSTAN_ROOT/cartridges/"
expect 0 "CAP002L8 +good" "$capstan" cartridge verify CAP002L8

# ---- a daemon, and a second one
before=$(places)
serve
expect 1 "open|another|Another" "$capstan" serve
expect 1 "open|another|Another" "$capstan" serve --detach
port=$("$capstan" status --json | sed -n 's/^ *"127.0.0.1:\([0-9]*\)".*/\1/p')
expect 0 "made" "$capstan" --root "$work/second" init --portal "127.0.0.1:$port"
expect 1 "$port" "$capstan" --root "$work/second" serve
expect 1 "$port" "$capstan" --root "$work/second" serve --detach
expect 4 "no cartridge of the pool ZZZ.* is left" "$capstan" dump --pool 'ZZZ*' /etc
expect 1 "NOPE" "$capstan" dump --volume NOPE /etc
expect 2 "there is no drive 5: they are numbered 0 to 1" "$capstan" dump --drive 5 /etc
[ "$(places)" = "$before" ] || bad "a refused request has moved a cartridge of the running library"
expect 0 "CAP001L8: slot:1 -> drive:1" "$capstan" load CAP001L8 1
expect 1 "drive:1 is full" "$capstan" load CAP003L8 1
expect 1 "in drive:1 already" "$capstan" load CAP001L8 0
expect 0 "CAP001L8: drive:1 -> slot:1" "$capstan" unload
expect 0 "stopped" "$capstan" stop
[ "$(places)" = "$before" ] || bad "the places have changed over a stop"

# ---- configuration and secrets
conf=$CAPSTAN_ROOT/capstan.conf
cp "$conf" "$work/conf"
broken() { # SED PATTERN: the configuration with this change is refused with such a sentence
    sed "$1" "$work/conf" >"$conf"
    expect 1 "$2" "$capstan" serve
}
broken 's/^drives = .*/drives = many/' "capstan.conf: line [0-9]+: \[library\] drives = many"
broken 's/^drives = .*/&\n&/' "stands here a second time"
broken 's/^\[chap\]/[chop]\nx = 1/' "there is no section \[chop\]"
broken 's/^slots = .*/slots = 2/' "slot|shrunk|occupied|CAP00|element"
broken 's/^\[chap\]/&\nuser = me\nsecret_file = secret/' "secret.*No such file"
printf 'only-for-my-eyes' >"$CAPSTAN_ROOT/secret"
chmod 644 "$CAPSTAN_ROOT/secret"
expect 1 "can be read or written by others.*chmod 600" "$capstan" serve
chmod 600 "$CAPSTAN_ROOT/secret"
printf 'short' >"$CAPSTAN_ROOT/secret"
expect 1 "must have 12 to 255 bytes" "$capstan" serve

# ---- CHAP: the right secret works, the wrong one is a sentence and no data
printf 'only-for-my-eyes' >"$CAPSTAN_ROOT/secret"
mkdir "$work/tree" && echo data >"$work/tree/file"
serve
! grep -rqs only-for-my-eyes "$CAPSTAN_ROOT/run" || bad "the secret is in a log"
expect 0 "dumped 1 files" "$capstan" dump "$work/tree"
printf 'not-the-right-one' >"$CAPSTAN_ROOT/secret"
expect 1 "cannot log in.*look at \[chap\]" "$capstan" dump "$work/tree"
printf 'only-for-my-eyes' >"$CAPSTAN_ROOT/secret"
expect 0 "stopped" "$capstan" stop
[ "$("$capstan" catalog list | wc -l)" = 2 ] || bad "a dump that was not let in is in the catalog"

# ---- a reader that has seen enough, and a device that takes nothing
for args in help "catalog list" "cartridge list --json" "status --json" "help dump"; do
    # shellcheck disable=SC2086 # words
    { sleep 0.2 && "$capstan" $args 2>"$work/said"; } | true
    checks=$((checks + 1))
    [ ! -s "$work/said" ] || bad "a closed pipe is complained about: capstan $args: $(cat "$work/said")"
done
expect 1 "could not be written" sh -c '"$1" help >/dev/full' sh "$capstan"
expect 1 "could not be written" sh -c '"$1" cartridge list >/dev/full' sh "$capstan"

# ---- a full file system, and one that cannot be written
if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null; then
    expect 1 "space|full|device" "$capstan" --root "$work/small" init --cartridges 8
    [ -z "$(ls "$work/small")" ] || bad "an init without space has left something behind"
    umount "$work/small"
    # A disk that fills up under a dump: the dump before it stays whole.
    mount -t tmpfs -o size=20m tmpfs "$work/small"
    CAPSTAN_ROOT=$work/small/lib
    expect 0 "made" "$capstan" init --cartridges 2 --portal 127.0.0.1:0
    serve
    mkdir "$work/large" && head -c 40000000 /dev/urandom >"$work/large/file"
    expect 0 "dumped 1 files" "$capstan" dump "$work/tree"
    expect 1 "has no space left, free some" "$capstan" dump "$work/large"
    expect 0 "identical" "$capstan" restore --compare latest "$work/tree"
    expect 0 "CAP001L8 +good" "$capstan" cartridge verify CAP001L8
    expect 0 "stopped" "$capstan" stop
    umount "$work/small"
    CAPSTAN_ROOT=$work/lib
fi
expect 1 "output could not be written" bash -c "'$capstan' status >/dev/full"

# ---- what a signal does to a listing: nothing; --json is JSON on standard output, all of it
if command -v python3 >/dev/null; then
    for verb in status "cartridge list" "cartridge show CAP001L8" "catalog list" "catalog check" \
        "catalog show latest" "catalog files latest" "version" "help"; do
        # shellcheck disable=SC2086 # the words of a verb
        check "capstan $verb --json is no JSON that begins with format_version" \
            bash -c '"$0" "$@" --json 2>/dev/null | python3 -c "import json, sys
assert next(iter(json.load(sys.stdin))) == \"format_version\""' "$capstan" $verb
    done
fi
