#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the daemon in a dump: after a restart every cartridge is in exactly one place, what was
# synchronised before is read back, the broken dump is not in the catalog, and the cartridge can be
# written again behind what is good.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

mkdir "$work/first" "$work/second"
head -c 3000000 /dev/urandom >"$work/first/data"
for i in $(seq 40); do
    head -c 4000000 /dev/urandom >"$work/second/$i"
done

expect 0 "made" "$capstan" init --cartridges 4 --portal 127.0.0.1:0
serve
expect 0 "dumped 1 files" "$capstan" dump --volume CAP001L8 "$work/first"
first=$("$capstan" catalog list --json | sed -n 's/^ *"uuid": "\([^"]*\)".*/\1/p')
expect 0 "slot:3 -> ie:1" "$capstan" move CAP003L8 ie:1

# The daemon dies when the second dump has written something, but not all.
"$capstan" dump --volume CAP001L8 "$work/second" >"$work/dump.log" 2>&1 &
dump=$!
for _ in $(seq 500); do
    written=$(du -sk "$CAPSTAN_ROOT/cartridges/CAP001L8" | cut -f1)
    [ "$written" -lt 20000 ] || break
    sleep 0.01
done
kill -KILL "${daemons[0]}"
wait "$dump"
status=$?
checks=$((checks + 1))
if [ "$status" = 0 ]; then
    echo "the dump was through before the daemon was killed"
elif ! grep -q '^capstan: .*is lost: .*went away' "$work/dump.log"; then
    bad "the dump ended with $status and without saying that the daemon went away"
    cat "$work/dump.log"
elif grep 'SENSE KEY' "$work/dump.log"; then
    bad "sense data of long ago as the reason"
fi

# A stale socket and a lock without an owner stand in nobody's way.
[ -S "$CAPSTAN_ROOT/run/control.sock" ] || bad "there is no stale socket: the test tests nothing"
expect 0 "CAP001L8 +(drive:|slot:)" "$capstan" cartridge list
[ "$(grep -c ' good ' <<<"$out")" = 4 ] || bad "a cartridge is not good: $out"
[ "$(places | wc -l)" = 4 ] || bad "there are not four cartridges"
[ "$(places | cut -d= -f2 | sort -u | wc -l)" = 4 ] || bad "two cartridges are in one place"
places | grep -x 'CAP003L8=ie:1' >/dev/null || bad "a move that was done is undone"
serve
places | grep -x 'CAP001L8=drive:[01]' >/dev/null || bad "CAP001L8 is not in the drive it was in"
if [ "$status" != 0 ] && [ "$("$capstan" catalog list | wc -l)" != 2 ]; then
    bad "the broken dump is in the catalog"
fi
expect 0 "the catalog is good" "$capstan" catalog check
expect 0 "CAP001L8 +good" "$capstan" cartridge verify CAP001L8
expect 0 "identical" "$capstan" restore --compare "$first" "$work/first"

# The same cartridge takes another dump, and both are read back.
expect 0 "dumped 40 files" "$capstan" dump --volume CAP001L8 "$work/second"
expect 0 "identical" "$capstan" restore --compare latest "$work/second"
expect 0 "restored" "$capstan" restore "$first" "$work/back"
check "the first dump came back changed" cmp "$work/first/data" "$work/back/data"
expect 0 "stopped" "$capstan" stop
