# SPDX-License-Identifier: Apache-2.0
# Inside the guest, groups of kernel_initiator.sh: what else mt, mtx, tar and sg3-utils can ask for.
# They need the real st, ch and sg, or a tool that the preload library's tests have no use for.
# shellcheck shell=dash disable=SC2154

# Every operation of mt that the groups before leave out.
test_tape_operations() {
    heading "what else mt can do"
    make_data
    mt rewind
    ok "densities" mt densities
    ok "retension" mt retension
    ok "lock" mt lock
    fails "a locked drive keeps its cartridge" . mtx unload 1 0
    ok "unlock" mt unlock
    ok "compression 0" mt compression 0
    is "compression is off" 0 "$(compression)"
    ok "compression 1" mt compression 1
    is "compression is on" 1 "$(compression)"
    ok "setdensity to what the cartridge has" mt setdensity 0x5e
    ok "drvbuffer 1" mt drvbuffer 1
    ok "defblksize 2048" mt defblksize 2048
    ok "defblksize: none" mt defblksize -1
    ok "defdensity 0x5e" mt defdensity 0x5e
    ok "defdensity: none" mt defdensity -1
    ok "stoptions" mt stoptions
    ok "stsetoptions scsi2logical" mt stsetoptions scsi2logical
    ok "sttimeout" mt sttimeout 900
    ok "stlongtimeout" mt stlongtimeout 14000
    mt setblk 0
    mt rewind
    dd if=$D/b of=/dev/nst0 bs=10k 2>/dev/null # 0..4 FM 6..10 FM 12
    dd if=$D/b of=/dev/nst0 bs=10k 2>/dev/null
    ok "bsf 2" mt bsf 2
    is "bsf 2: before the first filemark" 5 "$(at)"
    mt rewind
    ok "fsfm 1" mt fsfm 1
    is "fsfm 1: before the filemark" 5 "$(at)"
    fails "setmarks are of other tapes: wset" . mt wset 1
    fails "fss" . mt fss 1
    fails "bss" . mt bss 1
    is "and nothing has moved" 5 "$(at)"
    ok "seod" mt seod
    is "seod: address" 12 "$(at)"
    ok "rewoffl" mt rewoffl
    hasnt "rewoffl: not online" ONLINE "$(flags)"
    ok "load" mt load
    mt setblk 0
    ok "eject" mt eject
    hasnt "eject: not online" ONLINE "$(flags)"
    ok "the device that rewinds: status" mt-st -f /dev/st0 status
    ok "load again" mt load
    mt setblk 0
    ok "a write to /dev/st0" dd if=$D/a of=/dev/st0 bs=32k
    is "has rewound at close" 0 "$(at)"
    dd if=/dev/st0 of=$D/got bs=32k 2>/tmp/out
    same "and is there" $D/a $D/got
    dd if=/dev/nst0 of=$D/got bs=64k count=20 2>/tmp/out
    mt fsf 1
    fails "seek to a partition without partitions" . mt setpartition 1
    mt rewind
}

compression() { # DCE of mode page 0Fh: 0 or 1
    sg_modes -p 0x0f "$SG0" | sed -n 's/^ *00 *.f 0e \(.\).*/\1/p' | tr 0-9a-f 0000000011111111
}

# tar over two cartridges, changed by the robot from its own script.
test_volumes() {
    heading "an archive on two cartridges"
    mtx unload 1 0 >/tmp/out 2>&1 || { mt offline && mtx unload 1 0; } >/tmp/out 2>&1
    mtx load 5 0 >/tmp/out 2>&1
    wait_for mt rewind
    mt setblk 0
    rm -rf $D/tree2
    mkdir $D/tree2
    for i in 1 2 3; do
        head -c 700001 /dev/urandom >$D/tree2/file$i
    done
    cat >/tmp/next <<'NEXT'
#!/bin/sh
[ "$TAR_VOLUME" = 2 ] || exit 1
{
    mt-st -f /dev/nst0 offline
    mtx -f "$CHANGER" unload 5 0 && mtx -f "$CHANGER" load 6 0
} >/tmp/next.log 2>&1 || exit 1
for i in 1 2 3 4 5; do
    mt-st -f /dev/nst0 rewind 2>/dev/null && exec mt-st -f /dev/nst0 setblk 0
    sleep 0.2
done
exit 1
NEXT
    chmod +x /tmp/next
    export CHANGER
    ok "tar writes the second volume" /usr/bin/tar -C $D -b 128 -M -L 1100 -F /tmp/next -cf /dev/nst0 tree2
    mt offline
    mtx unload 6 0 >/dev/null 2>&1
    mtx load 5 0 >/dev/null 2>&1
    wait_for mt rewind
    mt setblk 0
    mkdir -p $D/restored
    ok "tar reads both" /usr/bin/tar -C $D/restored -b 128 -M -F /tmp/next -xf /dev/nst0
    ok "every byte of it" diff -r $D/tree2 $D/restored/tree2
    mt offline
    mtx unload 6 0 >/dev/null 2>&1
    fails "exchange with an empty drive" . mtx exchange 1 2
    ok "mtx exchange 3 4 7: slots change places" exchange_slots
    ok "mtx first 0" mtx first 0
    wait_for mt rewind
    ok "mtx next 0" mtx next 0
    ok "mtx previous 0" mtx previous 0
    ok "mtx last 0" mtx last 0
    mt offline
    ok "mtx unload 8 0" mtx unload 8 0
    ok "mtx load 1 0" mtx load 1 0
    wait_for mt rewind
    mt setblk 0
}

# EXCHANGE MEDIUM: what was in 4 goes to 3, what was in 3 to 4.
exchange_slots() {
    was3=$(tag 3) was4=$(tag 4)
    mtx exchange 3 4 || return 1
    [ "$(tag 4)" = "$was3" ] && [ "$(tag 3)" = "$was4" ]
}

# PERSISTENT RESERVE of one initiator; two of them are in part_initiators.sh.
test_persistent() {
    heading "persistent reservations"
    for dev in "$SG0" "$CHANGER"; do
        ok "register $dev" sg_persist -n --out --register --param-sark=0x1234 "$dev"
        ok "keys" sg_persist -n --in --read-keys "$dev"
        told "the key is told" 0x1234
        ok "reserve" sg_persist -n --out --reserve --param-rk=0x1234 --prout-type=3 "$dev"
        ok "read reservation" sg_persist -n --in --read-reservation "$dev"
        told "its type is told" '[Ee]xclusive [Aa]ccess'
        ok "full status" sg_persist -n --in --read-full-status "$dev"
        ok "capabilities" sg_persist -n --in --report-capabilities "$dev"
        ok "the holder works on" sg_turs "$dev"
        fails "a wrong key" '[Cc]onflict' sg_persist -n --out --release --param-rk=0x9999 --prout-type=3 "$dev"
        ok "release" sg_persist -n --out --release --param-rk=0x1234 --prout-type=3 "$dev"
        ok "unregister" sg_persist -n --out --register --param-rk=0x1234 --param-sark=0 "$dev"
    done
}

test_attributes() {
    heading "attributes and logs"
    ok "sg_read_attr" sg_read_attr "$SG0"
    told "the barcode is there" "Volume identifier: $first"
    told "the cartridge's length" 'Medium length'
    ok "sg_logs: tape alerts" sg_logs -p 0x2e "$SG0"
    ok "sg_logs: device statistics" sg_logs -p 0x14 "$SG0"
    ok "sg_logs: tape capacity" sg_logs -p 0x31 "$SG0"
    ok "sg_vpd: the device identification" sg_vpd -p di "$SG0"
    ok "sg_opcodes: each command's time-out" sg_opcodes -R "$SG0"
    ok "lsscsi" /usr/bin/lsscsi -g
    is "lsscsi: two drives and a robot" "1 2" \
        "$(/usr/bin/lsscsi -g | grep -c mediumx) $(/usr/bin/lsscsi -g | grep -c ' tape ')"
}
