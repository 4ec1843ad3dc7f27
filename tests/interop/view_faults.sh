#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the view does when a cartridge is damaged, missing or overwritten: an error for the bytes
# that are concerned and a sentence in the log, never wrong data, never a hang.
# shellcheck source=tests/interop/view_common.sh disable=SC2154,SC2034
source "$(dirname "${BASH_SOURCE[0]}")/view_common.sh"

src=$work/src
mkdir "$src"
needle='a needle in the middle of the file'
{
    head -c 2000000 /dev/urandom
    printf '%s' "$needle"
    head -c 2000000 /dev/urandom
} >"$src/big"
echo small >"$src/small"
create_cartridge BBB001L8 100
create_cartridge BBB002L8 100
dump "$src" BBB001L8
mkdir "$work/other"
head -c 100000 /dev/urandom >"$work/other/file"
dump "$work/other" BBB002L8

image_of() {
    local image
    for image in "$mnt"/images/*; do
        [ -e "$image/$1" ] && echo "$image"
    done
}

# Bytes of a file that can be read and are right, in pages; others must be errors.
good_pages() {
    local have=$1 want=$2 pages page good=0
    pages=$((($(stat -c %s "$want") + 4095) / 4096))
    for ((page = 0; page < pages; page++)); do
        if dd if="$have" of="$work/page" bs=4096 skip="$page" count=1 status=none 2>/dev/null; then
            cmp -s "$work/page" <(dd if="$want" bs=4096 skip="$page" count=1 status=none) || {
                echo "page $page is wrong"
                return 1
            }
            good=$((good + 1))
        fi
    done
    echo "$good"
}

# ---- one damaged block ---------------------------------------------------------------------------

segment=$(grep -la "$needle" "$root"/cartridges/BBB001L8/* | head -1)
offset=$(grep -obUa "$needle" "$segment" | head -1 | cut -d: -f1)
if [ -z "$offset" ]; then
    echo "(the cartridge keeps the data in another form: no block was damaged)"
else
    cp "$segment" "$work/segment"
    printf 'DAMAGED!' | dd of="$segment" bs=1 seek="$offset" conv=notrunc status=none
    start_view
    image=$(image_of big)
    check "reading over the damage is an error" fails cat "$image/big"
    good=$(good_pages "$image/big" "$src/big")
    # A tape block is 16 KiB here; read-ahead must not take its neighbours along.
    check "and it is one block only ($good of 977 pages are good)" test "$good" -ge 965 -a "$good" -lt 977
    check "the log names the cartridge or the block" grep -qE 'Cannot read .* image' "$log"
    check "the other file is well" same "$(cat "$image/small")" small
    stop_view TERM
    cp "$work/segment" "$segment"
fi

# ---- a cartridge that is not there, and comes back -----------------------------------------------

mv "$root/cartridges/BBB002L8" "$work/away"
start_view
image=$(image_of file)
check "names and attributes need no cartridge" same "$(stat -c %s "$image/file")" 100000
check "its data does" fails cat "$image/file"
check "the log names it" grep -q 'Cartridge BBB002L8 is not in the library' "$log"
check "online is 0" same "$(getfattr --absolute-names --only-values -n user.capstan.online "$image/file")" 0
check ".status says so too" grep -q '"online": false' "$mnt/.status"
check "other cartridges are well" cmp "$src/big" "$(image_of big)/big"
mv "$work/away" "$root/cartridges/BBB002L8"
check "it is read when it comes back" cmp "$work/other/file" "$image/file"

# ---- a cartridge taken away while it is open, another one in its place ---------------------------

mv "$root/cartridges/BBB001L8" "$work/away"
create_cartridge BBB001L8 100
stop_view TERM
start_view
check "another cartridge of this barcode is no source" fails cat "$(image_of big)/big"
rm -r "$root/cartridges/BBB001L8"
mv "$work/away" "$root/cartridges/BBB001L8"
check "the right one is" cmp "$src/big" "$(image_of big)/big"

# ---- overwritten, erased -------------------------------------------------------------------------

"$view_tool" erase "$root/cartridges/BBB002L8" || exit 1
stop_view TERM
start_view
check "what was erased is an error" fails cat "$(image_of file)/file"
stop_view TERM

# The next dump of the same tree to the same cartridge: every header is where the old one's was, of
# the same inode and size.  What the view shows of the old image must not be the new one's data.
create_cartridge BBB003L8 100
printf 'old' >"$work/other/file"
dump "$work/other" BBB003L8
old=$(sed 's/.*"uuid": "\(........\).*/\1/' "$work/dump.json")
start_view
check "before" same "$(cat "$mnt"/images/*-"$old"/file)" old
stop_view TERM
printf 'new' >"$work/other/file"
dump "$work/other" BBB003L8
new=$(sed 's/.*"uuid": "\(........\).*/\1/' "$work/dump.json")
start_view
check "the new one is right" same "$(cat "$mnt"/images/*-"$new"/file)" new
check "the old one is an error" fails cat "$mnt"/images/*-"$old"/file
check "the log says so" grep -q 'Cartridge BBB003L8 does not hold volume 1 of image' "$log"
stop_view TERM

# ---- a damaged catalog ---------------------------------------------------------------------------

index=$(find "$root/catalog/images" -name '*.idx' | head -1)
cp "$index" "$work/index"
head -c 5000 /dev/urandom | dd of="$index" bs=1 seek=4096 conv=notrunc status=none
start_view
check "the top level stands" same "$(find "$mnt/images" -maxdepth 1 -mindepth 1 2>/dev/null | wc -l)" 4
check "the damaged image does not list" fails find "$mnt/images" -mindepth 2
check "the server lives" kill -0 "$server"
stop_view TERM
check "and ends well" same "$stopped" 0
cp "$work/index" "$index"
