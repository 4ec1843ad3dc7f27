#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 500 images: what lists them takes little time and memory, and a listing that was begun before an
# image appeared neither repeats nor leaves out a name.
# shellcheck source=tests/interop/view_common.sh disable=SC2154,SC2034
source "$(dirname "${BASH_SOURCE[0]}")/view_common.sh"

count=500
# The address sanitizer keeps what was freed: only little of it here.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=8
"$view_tool" images "$root" 1 "$count" || exit 1
start_view

# Kilobytes that the server has in use; descriptors that it has open.
memory() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"
}
descriptors() {
    find "/proc/$server/fd" -mindepth 1 -maxdepth 1 | wc -l
}
lists() {
    same "$(timeout 20 "$@" | wc -l)" "$lines"
}

before=$(memory)
lines=$count
check "all images" lists ls "$mnt/images"
check "all dates" lists ls "$mnt/by-date"
check "all dates with their trees" lists find "$mnt/by-date" -mindepth 2 -maxdepth 2
check "every image on its volume" lists find "$mnt/by-volume" -mindepth 2 -maxdepth 2
lines=$((2 * count))
check "every file, by two ways" lists find "$mnt/images" "$mnt/by-date" -type f -size 5c
lines=10
check "all volumes" lists ls "$mnt/by-volume"
# Indexes that are open are few.
after=$(memory)
check "memory ($before KiB before, $after after)" test "$((after - before))" -lt 131072
check "descriptors ($(descriptors))" test "$(descriptors)" -lt 400

added() {
    "$view_tool" list "$mnt/$1" "'$view_tool' images '$root' $2 1" >"$work/list"
    sed '/^again$/,$d' "$work/list" >"$work/first"
    sed '1,/^again$/d' "$work/list" >"$work/second"
}
# In order of date or name these come first, among those that were read already.
number=4294967295
for directory in images by-date by-volume/MANY05L8; do
    ls "$mnt/$directory" >"$work/before"
    added "$directory" "$number"
    check "nothing twice, nothing left out ($directory)" diff "$work/before" "$work/first"
    ls "$mnt/$directory" >"$work/after"
    check "from the beginning: as it is now ($directory)" diff "$work/after" "$work/second"
    check "one more ($directory)" test "$(($(wc -l <"$work/after") - $(wc -l <"$work/before")))" = 1
    number=$((number - 10))
done
stop_view TERM
