#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Models: `capstan personality`, `init --drive-model --library-model`, files of one's own, and what
# sg3-utils and mtx make of an HPE MSL with LTO-9 drives.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

conf=$CAPSTAN_ROOT/capstan.conf

# ---- without a library -------------------------------------------------------------------------
expect 0 'IBM-ULT3580-TD9 .*built in' "$capstan" personality list
expect 0 'HPE-MSL-G3' "$capstan" personality list --changers
check "a drive is listed as a changer" test "$(grep -c ' drive ' <<<"$out")" = 0
expect 0 'LTO-9 .density 60h' "$capstan" personality show hpe-ultrium-9
expect 1 "no model .*'td9'; did you mean .*TD9" "$capstan" personality show td9
expect 0 '"density": 96' "$capstan" personality show --json IBM-ULT3580-TD9
expect 0 '"first": 1001' "$capstan" personality show --json HPE-MSL-G3
expect 2 'library_model|model of a medium changer .*MSL-G4.*HPE-MSL-G3' "$capstan" init \
    --library-model MSL-G4
expect 2 'not the model of a drive' "$capstan" init --drive-model HPE-MSL-G3
check "a failed init leaves something" test ! -e "$CAPSTAN_ROOT"

# ---- an HPE MSL with LTO-9 drives, one of them LTO-8 --------------------------------------------
expect 0 '2 drives, 24 slots' "$capstan" init --library-model hpe-msl-g3 \
    --drive-model HPE-ULTRIUM-9 --cartridges 2 --portal 127.0.0.1:0
sed -i 's/^#drive_models.*/drive_models = 1=HPE-ULTRIUM-8/' "$conf"
check "drive_models is not in the configuration" grep -q '^drive_models = 1=' "$conf"

# Barcode and cartridge agree.
expect 0 'LTO-9' "$capstan" cartridge create GEN001L9
expect 0 '"worm": true' sh -c '"$1" cartridge create GEN001LZ && "$1" cartridge show --json GEN001LZ' \
    - "$capstan"
expect 0 'LTO-8' "$capstan" cartridge create GEN001L8
expect 0 'LTO-7' "$capstan" cartridge create --generation 7 GEN001
expect 2 'says LTO-7, but LTO-9' "$capstan" cartridge create --generation LTO-9 GEN002L7
expect 2 'says that it is no WORM' "$capstan" cartridge create --worm GEN003L9
expect 2 'no WORM cartridges of the kind LTO-M8' "$capstan" cartridge create --worm GEN003M8
expect 2 'cleaning cartridge' "$capstan" cartridge create --worm CLN001CU
expect 0 '' "$capstan" cartridge create CLN001CU
expect 1 'barcodes of up to 8' "$capstan" cartridge create GEN00001L9

serve
if preload_is_plain && command -v sg_inq >/dev/null && command -v mtx >/dev/null; then
    run() { "$capstan" exec -- "$@"; }
    expect 0 'HP *$' run sg_inq /dev/sg0
    expect 0 'MSL G3 Series' run sg_inq /dev/sg0
    expect 0 'Ultrium 9-SCSI' run sg_inq /dev/sg1
    expect 0 'SSC-4' run sg_inq -d /dev/sg1
    expect 0 'Ultrium 8-SCSI' run sg_inq /dev/sg2
    serial=$(run sg_vpd -p sn /dev/sg1 | sed -n 's/.*number: //p')
    check "the serial number '$serial' is not one of HPE's" grep -qE '^HU[0-9A-Z]{8}$' <<<"$serial"
    expect 0 "vendor specific: Ultrium 9-SCSI  $serial" run sg_vpd -p di /dev/sg1
    expect 0 'Firmware' run sg_inq --hex --page=0xc0 /dev/sg1
    expect 0 "Product ID: 'MSL G3 Series" run mtx -f /dev/sg0 inquiry
    expect 0 '2 Drives, 25 Slots' run mtx -f /dev/sg0 status
    expect 0 'Element 1:Full :VolumeTag=CAP001L9' run mtx -f /dev/sg0 status
    expect 0 'done' run mtx -f /dev/sg0 load 1 0
    expect 0 '0b 98 .* 60 00' run sg_raw -r 12 /dev/sg1 1a 00 00 00 0c 00
    expect 0 '60 60 a0' run sg_raw -r 200 /dev/sg1 44 01 00 00 00 00 00 00 c8 00
    # An LTO-9 cartridge in the LTO-8 drive: it can't be read.
    expect 0 'done' run mtx -f /dev/sg0 load 2 1
    expect 0 'Cannot read medium|[Ii]ncompatible medium' run sg_requests /dev/sg2
else
    echo "no sg3-utils, no mtx, or a build with sanitizers: what they say of it is not tried"
fi
"$capstan" stop >/dev/null || bad "the daemon does not stop"
before=$(places)

# ---- another model; everything stays in its place ----------------------------------------------
sed -i 's/^model = .*/model = STK-SL500/' "$conf"
check "cartridges have moved" test "$(places)" = "$before"
expect 0 '"element": 500' "$capstan" status --json
expect 0 'LTO-9' "$capstan" cartridge create LAST01L9

# ---- models of one's own, good and bad ---------------------------------------------------------
mkdir "$CAPSTAN_ROOT/personalities"
sed 's/^product = .*/product = ACME TAPE 9/' "$srcdir/personalities/IBM-ULT3580-TD9.conf" \
    >"$CAPSTAN_ROOT/personalities/ACME-9.conf"
sed -i 's/^drive_model = .*/drive_model = ACME-9/' "$conf"
expect 0 'ACME-9 .*ACME TAPE 9 .*personalities/' "$capstan" personality list
expect 0 'ACME TAPE 9' "$capstan" personality show ACME-9
serve
if preload_is_plain && command -v sg_inq >/dev/null; then
    expect 0 'ACME TAPE 9' "$capstan" exec -- sg_inq /dev/sg1
fi
"$capstan" stop >/dev/null || bad "the daemon does not stop"
echo 'colour = red' >>"$CAPSTAN_ROOT/personalities/ACME-9.conf"
expect 1 'ACME-9.conf: line [0-9]+: \[vpd\] colour' "$capstan" serve
expect 1 'ACME-9.conf: line [0-9]+: \[vpd\] colour' "$capstan" personality list
rm "$CAPSTAN_ROOT/personalities/ACME-9.conf"
expect 1 "drive_model: .*'ACME-9'" "$capstan" serve
sed -i 's/^drive_model = .*/drive_model = ULT3580/' "$conf"
expect 1 "did you mean .*IBM-ULT3580-TD8" "$capstan" serve
sed -i 's/^drive_model = .*/drive_model = IBM-ULT3580-TD8/; s/^drive_models = .*/drive_models = 2=X/' \
    "$conf"
expect 1 'numbered 0 to 1' "$capstan" serve
sed -i 's/^drive_models = .*/drive_models = nonsense/' "$conf"
expect 1 'DRIVE=MODEL' "$capstan" serve
sed -i 's/^drive_models = .*//; s/^model = .*/model = HPE-MSL-G3/; s/^drives = .*/drives = 101/' "$conf"
expect 0 '"element": 102' "$capstan" status --json # no room in front of import/export: behind them
sed -i 's/^drives = .*/drives = 255/; s/^slots = .*/slots = 65280/' "$conf"
expect 1 'it can have 65278 slots|it can have 65279 slots' "$capstan" serve
