#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A restore to a read-only file system ends at once with one sentence, and does not warn once a file.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

unshare -rm true 2>/dev/null || skip "no user namespaces here (needed to mount something read-only)"

mkdir "$work/tree" "$work/frozen"
for i in 1 2 3 4 5; do echo "$i" >"$work/tree/file$i"; done
expect 0 "" "$capstan" init --portal 127.0.0.1:0 --cartridges 1
expect 0 "" "$capstan" dump "$work/tree" --tape "file:$work/tape"
expect 1 "frozen: Read-only file system" unshare -rm sh -c \
    'mount -t tmpfs -o ro none "$1/frozen" && "$2" restore --tape "file:$1/tape" "$1/frozen"' \
    sh "$work" "$capstan"
check "one sentence" [ "$(grep -c . <<<"$out")" = 1 ]
expect 0 "" "$capstan" restore --tape "file:$work/tape" "$work/again"
check "it was the file system" [ -e "$work/again/file5" ]
