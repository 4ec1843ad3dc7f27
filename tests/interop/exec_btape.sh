#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bacula's own test of tape drives and changers below `capstan exec`: btape test (with the autochanger) and
# btape fill over two cartridges, which reads back the last block of the first and both ends of the second.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

command -v btape >/dev/null || skip "the package bacula-sd is not installed"
changer=/etc/bacula/scripts/mtx-changer
[ -x "$changer" ] || skip "$changer, of the package bacula-sd, is not here"

# fill reads 10,000 records, about 5,000 blocks, of the first cartridge before it spaces to the last block.
expect 0 "made" "$capstan" init --cartridges 0 --portal 127.0.0.1:0
expect 0 "FIL002L8" "$capstan" cartridge create --capacity 250M FIL001L8 FIL002L8
serve
expect 0 "drive:0" "$capstan" load FIL001L8 0
cat >"$work/bacula-sd.conf" <<END
Storage { Name = t-sd; SDPort = 9103; WorkingDirectory = $work; Pid Directory = $work; }
Director { Name = t-dir; Password = x; }
Messages { Name = Standard; director = t-dir = all; }
Autochanger { Name = changer; Device = drive; Changer Device = /dev/sg0; Changer Command = "$changer %c %o %S %a %d"; }
Device {
  Name = drive; Media Type = LTO8; Archive Device = /dev/nst0; Autochanger = yes; Drive Index = 0;
  AutomaticMount = yes; AlwaysOpen = yes; RemovableMedia = yes; RandomAccess = no;
  Changer Device = /dev/sg0; Changer Command = "$changer %c %o %S %a %d";
}
END

btape() { # ANSWERS...: a line each
    # shellcheck disable=SC2016
    printf '%s\n' "$@" '' '' '' '' '' quit |
        timeout -k 5 250 "$capstan" exec -- btape -c "$work/bacula-sd.conf" /dev/nst0 >"$work/out" 2>&1
}
saw() { # WORDS: btape said so
    check "btape did not say '$1': $(tail -n 5 "$work/out")" grep -qF -- "$1" "$work/out"
}

check "btape test" btape test y
saw "The test autochanger worked!!"
saw "=== Append files test ==="
saw "This is correct!"
check "btape found: $(grep -iE 'error|incorrect|failed' "$work/out")" test -z \
    "$(grep -iE 'error|incorrect|failed' "$work/out" | grep -v 'there should be no I/O errors')"

check "btape fill" btape fill m
saw "The last block of the first tape matches."
saw "The first block on the second tape matches."
saw "The last block on the second tape matches. Test succeeded."
expect 0 "stopped" "$capstan" stop
