#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The medium changer as mtx, loaderinfo and sg3-utils see it: every command that they can send.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

mtx() { x mtx -f /dev/sg0 "$@"; }
has() { # WHAT PATTERN COMMAND...: the command succeeds and says so
    local what=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    out=$("$@" 2>&1 </dev/null) || bad "$what: fails: $(head -5 <<<"$out")"
    grep -qE -- "$pattern" <<<"$out" || bad "$what: no '$pattern' in: $(head -20 <<<"$out")"
}
refused() { # WHAT PATTERN COMMAND...: the command fails and says why
    local what=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    if out=$("$@" 2>&1 </dev/null); then
        bad "$what: succeeds"
    elif ! grep -qE -- "$pattern" <<<"$out"; then
        bad "$what: no '$pattern' in: $(head -20 <<<"$out")"
    fi
}

expect 0 "made" "$capstan" init --drives 2 --slots 5 --import-export 2 --cartridges 3 --portal 127.0.0.1:0
expect 0 "CLN001CU" "$capstan" cartridge create --import-export 1 CLN001CU
serve

# ---- mtx
has "status" "Storage Changer /dev/sg0:2 Drives, 7 Slots \( 2 Import/Export \)" mtx status
has "labels" "Storage Element 3:Full :VolumeTag=CAP003L8" mtx status
has "import/export" "Storage Element 6 IMPORT/EXPORT:Full :VolumeTag=CLN001CU" mtx status
has "load" "" mtx load 1 0
has "where it came from" "Data Transfer Element 0:Full \(Storage Element 1 Loaded\):VolumeTag = CAP001L8" mtx status
refused "load into a full drive" "Drive 0 Full|already" mtx load 2 0
refused "load from an empty slot" "Empty|empty" mtx load 5 1
has "transfer" "" mtx transfer 2 5
has "transferred" "Storage Element 5:Full :VolumeTag=CAP002L8" mtx status
refused "transfer into a full slot" "Full|full" mtx transfer 3 5
has "exchange" "" mtx exchange 3 5
has "exchanged" "Storage Element 5:Full :VolumeTag=CAP003L8" mtx status
has "exchanged" "Storage Element 3:Full :VolumeTag=CAP002L8" mtx status
has "unload" "" mtx unload 1 0
has "unloaded" "Storage Element 1:Full :VolumeTag=CAP001L8" mtx status
has "export" "" mtx transfer 1 7
has "inventory" "" mtx inventory
has "position" "" mtx position 4
has "eepos" "" mtx eepos 0 transfer 7 1
has "next" "" mtx next 0
has "first" "" mtx unload 1 0
has "back again" "Storage Element 1:Full :VolumeTag=CAP001L8" mtx status

# ---- loaderinfo
has "loaderinfo" "Number of Storage Elements: 5" x loaderinfo -f /dev/sg0
has "loaderinfo" "Number of Import/Export Elements: 2" x loaderinfo -f /dev/sg0
has "loaderinfo" "Number of Data Transfer Elements: 2" x loaderinfo -f /dev/sg0
has "loaderinfo" "Bar Code Reader: Yes" x loaderinfo -f /dev/sg0

# ---- sg3-utils
serial=$(x sg_inq -p 0x80 /dev/sg0 | sed -n 's/.*serial number: *//p')
check "a serial number" test -n "$serial"
has "inquiry" "medium changer" x sg_inq /dev/sg0
has "identification" "NAA" x sg_vpd -p di /dev/sg0
for page in 0x1d 0x1e 0x1f 0x1f,0x41; do
    has "mode page $page" ">>|page_code" x sg_modes -p "$page" /dev/sg0
done
has "log pages" "0x14" x sg_logs -l /dev/sg0
has "statistics" "Number of moves: [1-9]" x sg_logs -p 0x14 /dev/sg0
has "elements" "Number of places: [1-9]" x sg_logs -p 0x15 /dev/sg0
has "TapeAlert" "" x sg_logs -p 0x2e /dev/sg0
has "opcodes" "[Ee]xchange medium" x sg_opcodes /dev/sg0
has "opcodes" "[Ss]end volume tag" x sg_opcodes /dev/sg0
has "prevent" "" x sg_prevent /dev/sg0
has "luns" "0002000000000000" x sg_luns /dev/sg0
has "reservation" "" x sg_persist --in -k /dev/sg0

# the cartridges whose label begins with CAP: SEND VOLUME TAG, then REQUEST VOLUME ELEMENT ADDRESS
{ printf 'CAP*%28s' '' && head -c 8 /dev/zero; } >"$work/template"
has "search" "" x sg_raw -s 40 -i "$work/template" /dev/sg0 b6 00 00 00 00 05 00 00 00 28 00 00
checks=$((checks + 1))
found=$(x sg_raw -r 4096 -b /dev/sg0 b5 10 00 00 ff ff 00 00 10 00 00 00 2>/dev/null | grep -aoE 'CAP00[0-9]L8' | sort | paste -sd ' ')
# each run of exec is a host of its own, which has asked nothing
[ -z "$found" ] || bad "another host's search is answered: $found"
has "open the mail slot" "" x sg_raw /dev/sg0 1b 00 00 10 00 00
refused "it is out of reach" "" mtx transfer 1 6
has "close it" "" x sg_raw /dev/sg0 1b 00 00 10 01 00

# ---- what comes and goes, as mtx sees it
expect 0 "drive:2" "$capstan" drive add
has "three drives" "Changer /dev/sg0:3 Drives" mtx status
expect 0 "removed" "$capstan" drive remove 1
has "the others are there" "Data Transfer Element 2:Empty" mtx status
expect 0 "8 slots" "$capstan" slot add 3
has "eight slots" ":3 Drives, 10 Slots" mtx status
expect 0 "outside" "$capstan" slot export ie:1
has "the mail slot is empty" "IMPORT/EXPORT:Empty" mtx status
expect 0 "the vault -> ie:1" "$capstan" slot import CLN001CU
has "and full" "IMPORT/EXPORT:Full :VolumeTag=CLN001CU" mtx status
check "stop" "$capstan" stop
