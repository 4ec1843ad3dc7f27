#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stenc, by which administrators set the keys of LTO drives, as it comes with the distribution: a
# tape is encrypted by tar, can't be read without the key or with another, and can with it; the key
# is in no file of the library and in no log.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"
command -v stenc >/dev/null || skip "the package stenc is not installed"

key=00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef
raw='\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff'
printf '%s\nthe vault key\n' "$key" >"$work/key"
printf '%064x\nanother key\n' 7 >"$work/other"
mkdir "$work/data" "$work/back"
seq 1 50000 >"$work/data/numbers"
cp "$capstan" "$work/data/program"

tape() { x tar -b 128 -C "$work/$1" "$2" -f /dev/st0 .; }
tried() { tape back -x >/dev/null 2>&1; }

expect 0 "made" "$capstan" init --cartridges 2 --portal 127.0.0.1:0
serve
expect 0 "done" x mtx -f /dev/sg0 load 1 0
check "a file is written in the clear" x mt-st -f /dev/nst0 weof
expect 0 "Success" x stenc -f /dev/nst0 -e on -k "$work/key" -a 1
expect 0 "Encrypting" x bash -c 'mt-st -f /dev/nst0 rewind; stenc -f /dev/nst0 --detail'
check "tar writes with a key" tape data -c
expect 0 "Encrypted and able to decrypt" x stenc -f /dev/nst0 --detail
expect 0 "uKAD.*the vault key" x stenc -f /dev/nst0 --detail
check "tar reads with the key" tried
check "what it read is what it wrote" cmp "$work/data/numbers" "$work/back/numbers"
check "... all of it" cmp "$work/data/program" "$work/back/program"

expect 0 "Success" x stenc -f /dev/nst0 -e off
check "no key, no data" eval '! tried'
expect 0 "Encrypted, but unable to decrypt" x stenc -f /dev/nst0 --detail
expect 0 "Success" x stenc -f /dev/nst0 -e on -k "$work/other" -a 1
check "another key, no data" eval '! tried'
expect 0 "Success" x stenc -f /dev/nst0 -e mixed -k "$work/key" -a 1
check "the key again" tried

# --ckod: the key ends with the volume.
expect 0 "Success" x stenc -f /dev/nst0 -e on -k "$work/key" -a 1 --ckod
expect 0 "Encrypting" x stenc -f /dev/nst0 --detail
expect 0 "done" x mtx -f /dev/sg0 unload 1 0
expect 0 "done" x mtx -f /dev/sg0 load 1 0
expect 0 "Not encrypting" x stenc -f /dev/nst0 --detail

# Nothing of the key is on disk: neither its bytes nor its digits.  (What is there is found: the
# name of the key is in the blocks.)
checks=$((checks + 3))
grep -rqaF "the vault key" "$CAPSTAN_ROOT" || bad "the name of the key is not in the cartridge"
! grep -rqaP "$raw" "$CAPSTAN_ROOT" || bad "the key is in a file of the library"
! grep -rqaiF "${key:0:16}" "$CAPSTAN_ROOT" || bad "the key is in a log"
expect 0 "stopped" "$capstan" stop
