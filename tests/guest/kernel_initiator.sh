#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the guest (busybox ash): the kernel's initiator, st, ch and sg with mt, mtx, tar and dd
# on a library of 2 drives, 8 slots and 1 import/export element with 8 cartridges.
#
# /root/target.sh says how the target is started: target_start [plain|chap], target_stop, target_kill
# and the variables PORTAL and TARGET.  Every check prints "ok" or "not ok"; the status is the number
# of those that were not, 99 if the machinery itself failed.
# shellcheck shell=dash
# shellcheck source=/dev/null
. /root/target.sh

D=/tmp/data
checks=0
bad=0

die() {
    echo "Bail out: $*"
    tail -n 30 /tmp/target.log /tmp/iscsid.log 2>/dev/null
    dmesg | tail -n 15
    exit 99
}

verdict() { # STATUS NAME: count it; on failure the output is in /tmp/out
    checks=$((checks + 1))
    if [ "$1" = 0 ]; then
        echo "ok $checks - $2"
    else
        echo "not ok $checks - $2"
        sed 's/^/#   /' /tmp/out | tail -n 15
        bad=$((bad + 1))
    fi
}

ok() { # NAME COMMAND...
    name=$1
    shift
    "$@" >/tmp/out 2>&1
    verdict $? "$name"
}

fails() { # NAME WORDS COMMAND...: it must fail, and say these words
    name=$1 words=$2
    shift 2
    if "$@" >/tmp/out 2>&1; then
        echo "succeeded, but should fail with: $words" >>/tmp/out
        verdict 1 "$name"
    else
        grep -q -- "$words" /tmp/out
        verdict $? "$name"
    fi
}

is() { # NAME WANTED GOT
    echo "wanted \"$2\", got \"$3\"" >/tmp/out
    [ "$2" = "$3" ]
    verdict $? "$1"
}

told() { # NAME WORDS: the last command has said them
    grep -q -- "$2" /tmp/out
    verdict $? "$1"
}

same() { # NAME FILE FILE
    ok "$1" /usr/bin/cmp "$2" "$3"
}

heading() {
    echo "# $(cut -d. -f1 /proc/uptime) s: $*"
}

mt() {
    /usr/bin/mt-st -f "${T:-/dev/nst0}" "$@"
}

mtx() {
    /usr/bin/mtx -f "$CHANGER" "$@"
}

dd() {
    /usr/bin/dd "$@"
}

at() { # the address of the next block
    mt tell 2>&1 | sed -n 's/^At block \([0-9]*\).*/\1/p'
}

file_number() {
    mt status 2>&1 | sed -n 's/^File number=\([-0-9]*\),.*/\1/p'
}

block_number() {
    mt status 2>&1 | sed -n 's/^File number=.*block number=\([-0-9]*\),.*/\1/p'
}

flags() { # of the drive, such as " BOT ONLINE IM_REP_EN"
    mt status 2>&1 | sed -n '/General status bits/{n;p}'
}

has() { # NAME WORD TEXT
    echo "\"$3\" has no $2" >/tmp/out
    case " $3 " in
    *" $2 "*) verdict 0 "$1" ;;
    *) verdict 1 "$1" ;;
    esac
}

hasnt() { # NAME WORD TEXT
    echo "\"$3\" has $2" >/tmp/out
    case " $3 " in
    *" $2 "*) verdict 1 "$1" ;;
    *) verdict 0 "$1" ;;
    esac
}

wait_for() { # COMMAND...: at most 20 s
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    return 1
}

# ---- the session

have_devices() {
    [ -c /dev/nst0 ] && [ -c /dev/nst1 ] && [ -n "$(ls /sys/class/scsi_changer 2>/dev/null)" ]
}

login() {
    iscsiadm -m node -T "$TARGET" -p "$PORTAL" --login >/tmp/out 2>&1 && wait_for have_devices
}

logout() {
    iscsiadm -m node -T "$TARGET" -p "$PORTAL" --logout >/tmp/out 2>&1
}

setting() { # NAME VALUE of the node record
    iscsiadm -m node -T "$TARGET" -p "$PORTAL" -o update -n "$1" -v "$2"
}

sg_of() { # of a /sys/class node
    echo "/dev/$(ls "$1/device/scsi_generic" | head -n 1)"
}

find_devices() {
    CHANGER=$(sg_of /sys/class/scsi_changer/sch0)
    SG0=$(sg_of /sys/class/scsi_tape/nst0)
    [ -c "$CHANGER" ] && [ -c "$SG0" ] || die "no sg nodes"
    mt setblk 0 >/dev/null 2>&1
    T=/dev/nst1 mt setblk 0 >/dev/null 2>&1
    true
}

session_start() {
    mkdir -p $D
    for m in sg st ch iscsi_tcp crc32c_generic; do
        modprobe $m || die "no module $m"
    done
    target_start plain || die "the target did not start"
    iscsid -f >/tmp/iscsid.log 2>&1 &
    wait_for iscsiadm -m discovery -t st -p "$PORTAL" || die "discovery failed"
    is "discovery finds the target" "$TARGET" "$(iscsiadm -m discovery -t st -p "$PORTAL" | sed 's/.* //')"
    ok "login" login
    have_devices || die "st and ch did not bind"
    find_devices
}

# ---- the robot

element() { # WORDS: the rest of the line of mtx status that begins so
    mtx status 2>&1 | sed -n "s/^ *$1:\(.*\)/\1/p" | sed 's/^Empty:VolumeTag=$/Empty/; s/ *$//'
}

tag() { # of a slot
    element "Storage Element $1" | sed -n 's/^Full *:VolumeTag=\([^ ]*\).*/\1/p'
}

test_changer() {
    heading "the robot: $CHANGER"
    ok "mtx inquiry" mtx inquiry
    is "mtx status counts" "2 Drives, 9 Slots ( 1 Import/Export )" \
        "$(mtx status 2>&1 | sed -n 's/^ *Storage Changer [^:]*:\(.*\)/\1/p' | sed 's/ *$//')"
    first=$(tag 1) second=$(tag 2)
    is "barcodes are told" 8 "$(mtx status | grep -c 'Full *:VolumeTag=')"
    ok "mtx load 1 0" mtx load 1 0
    is "drive 0 tells cartridge and source" "Full (Storage Element 1 Loaded):VolumeTag = $first" \
        "$(element 'Data Transfer Element 0')"
    is "slot 1 is empty" Empty "$(element 'Storage Element 1')"
    fails "loading a full drive" . mtx load 3 0
    fails "loading from an empty slot" . mtx load 1 1
    ok "mtx transfer 2 9 (to import/export)" mtx transfer 2 9
    is "the cartridge is at the door" "Full :VolumeTag=$second" "$(element 'Storage Element 9 IMPORT\/EXPORT')"
    ok "mtx transfer 9 2 (back)" mtx transfer 9 2
    is "the cartridge is back" "$second" "$(tag 2)"
    fails "transfer to a full slot" . mtx transfer 2 3
    ok "mtx load 2 1" mtx load 2 1
    wait_for mt status || true
}

# ---- files, marks, positions: 3 files of 32 KiB, 10 KiB and 512-byte blocks
# address  0..19  20  21..25  26   27   28
#          A      FM  B       FM   C    FM  end of data

make_data() {
    head -c 655360 /dev/urandom >$D/a
    head -c 51200 /dev/urandom >$D/b
    head -c 512 /dev/urandom >$D/c
}

test_write() {
    heading "files and filemarks"
    make_data
    has "a loaded drive is online at the beginning" BOT "$(flags)"
    has "a loaded drive is online" ONLINE "$(flags)"
    ok "write 20 x 32 KiB" dd if=$D/a of=/dev/nst0 bs=32k
    ok "write 5 x 10 KiB" dd if=$D/b of=/dev/nst0 bs=10k
    ok "write 1 x 512" dd if=$D/c of=/dev/nst0 bs=512
    is "position behind it all" 29 "$(at)"
    is "file number behind it all" 3 "$(file_number)"
    ok "rewind" mt rewind
    is "tell at the beginning" 0 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "file A reads back (buffer larger than the blocks)" $D/a $D/got
    is "behind A's filemark" 21 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=10k 2>/tmp/out
    same "file B reads back" $D/b $D/got
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "file C reads back" $D/c $D/got
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    is "end of data reads as nothing" 0 "$(wc -c <$D/got)"
    has "end of data is flagged" EOD "$(flags)"
}

test_motion() {
    heading "motion"
    mt rewind
    ok "fsf 1" mt fsf 1
    is "fsf 1: address" 21 "$(at)"
    is "fsf 1: file number" 1 "$(file_number)"
    is "fsf 1: block number" 0 "$(block_number)"
    ok "fsr 3" mt fsr 3
    is "fsr 3: address" 24 "$(at)"
    ok "bsr 2" mt bsr 2
    is "bsr 2: address" 22 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=10k count=1 2>/tmp/out
    dd if=$D/b of=$D/want bs=10k skip=1 count=1 2>/dev/null
    same "bsr 2: the block there" $D/want $D/got
    ok "bsf 1" mt bsf 1
    is "bsf 1: before the filemark" 20 "$(at)"
    ok "fsf 1 again" mt fsf 1
    ok "bsfm 1" mt bsfm 1
    is "bsfm 1: behind the filemark" 21 "$(at)"
    ok "seek 25" mt seek 25
    is "seek 25: address" 25 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=10k count=1 2>/tmp/out
    dd if=$D/b of=$D/want bs=10k skip=4 count=1 2>/dev/null
    same "seek 25: the block there" $D/want $D/got
    mt rewind # a seek made st forget the file number
    ok "eod" mt eod
    is "eod: address" 29 "$(at)"
    is "eod: file number" 3 "$(file_number)"
    mt rewind
    fails "fsf beyond the end of data" 'Input/output error' mt fsf 10
    is "fsf beyond: at the end of data" 29 "$(at)"
    mt rewind
    fails "fsr over a filemark" 'Input/output error' mt fsr 22
    is "fsr over a filemark: behind it" 21 "$(at)"
    mt rewind
    fails "bsr at the beginning" 'Input/output error' mt bsr 1
    is "bsr at the beginning: still there" 0 "$(at)"
    fails "seek beyond the end of data" 'Input/output error' mt seek 1000
    ok "asf 2" mt asf 2
    is "asf 2: address" 27 "$(at)"
}

test_lengths() {
    echo "# block lengths (ILI)"
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=256k count=1 2>/tmp/out
    dd if=$D/a of=$D/want bs=32k count=1 2>/dev/null
    same "a short block is read alone and whole" $D/want $D/got
    fails "a block longer than the buffer" 'Cannot allocate memory' dd if=/dev/nst0 of=$D/got bs=4k count=1
    is "it was stepped over" 2 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=32k count=1 2>/tmp/out
    dd if=$D/a of=$D/want bs=32k skip=2 count=1 2>/dev/null
    same "the next block is the right one" $D/want $D/got
    mt fsf 3
    head -c 1048576 /dev/urandom >$D/big
    ok "write a block of 1 MiB" dd if=$D/big of=/dev/nst0 bs=1M
    ok "back to it" mt bsf 1
    ok "and to its beginning" mt bsr 1
    dd if=/dev/nst0 of=$D/got bs=1M count=1 2>/tmp/out
    same "1 MiB reads back" $D/big $D/got
}

test_fixed() {
    heading "fixed blocks"
    head -c 65536 /dev/urandom >$D/fixed
    mt rewind
    ok "setblk 1024" mt setblk 1024
    ok "write 64 x 1 KiB, 16 a command" dd if=$D/fixed of=/dev/nst0 bs=16k
    is "64 blocks and a filemark" 65 "$(at)"
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=48k 2>/tmp/out
    same "reads that meet a filemark give what is before it" $D/fixed $D/got
    mt rewind
    ok "setblk 512" mt setblk 512
    fails "a fixed read of another length" 'Input/output error' dd if=/dev/nst0 of=$D/got bs=8k count=1
    mt rewind
    ok "setblk 0" mt setblk 0
    dd if=/dev/nst0 of=$D/got bs=64k count=1 2>/tmp/out
    is "fixed blocks are blocks" 1024 "$(wc -c <$D/got)"
    mt seek 32
    ok "overwriting in the middle" dd if=$D/c of=/dev/nst0 bs=512
    mt eod
    is "ends the data there" 34 "$(at)"
}

test_marks() {
    heading "filemarks and erasing"
    mt rewind
    ok "weof 2" mt weof 2
    is "weof 2: address" 2 "$(at)"
    is "weof 2: file number" 2 "$(file_number)"
    ok "a block behind them" dd if=$D/c of=/dev/nst0 bs=512
    ok "weof 0 (flush)" mt weof 0
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=512 2>/tmp/out
    is "an empty file reads as nothing" 0 "$(wc -c <$D/got)"
    mt rewind
    ok "fsf 2" mt fsf 2
    dd if=/dev/nst0 of=$D/got bs=512 count=1 2>/tmp/out
    same "the block behind two filemarks" $D/c $D/got
    mt seek 2
    ok "erase from here" mt erase
    mt rewind
    mt fsf 2
    dd if=/dev/nst0 of=$D/got bs=512 count=1 2>/tmp/out
    is "what was behind is gone" 0 "$(wc -c <$D/got)"
    mt eod
    is "what was before is there" 2 "$(at)"
}

test_tar() {
    heading "tar"
    mkdir -p $D/tree/sub
    for i in 1 2 3 4 5 6 7 8; do
        head -c $((i * 123457)) /dev/urandom >$D/tree/sub/file$i
    done
    ln -s sub/file1 $D/tree/link
    mt rewind
    ok "tar writes blocks of 64 KiB" /usr/bin/tar -C $D -b 128 -cf /dev/nst0 tree
    ok "tar writes a second archive" /usr/bin/tar -C $D -b 20 -cf /dev/nst0 tree/link
    mt rewind
    /usr/bin/tar -b 128 -tf /dev/nst0 >/tmp/out 2>&1
    is "tar lists every member" 11 "$(wc -l </tmp/out)"
    mt rewind
    ok "tar compares" /usr/bin/tar -C $D -b 128 -df /dev/nst0
    mt asf 1
    is "the second archive" tree/link "$(/usr/bin/tar -tf /dev/nst0 2>&1)"
}

test_load() {
    heading "offline and load"
    ok "offline" mt offline
    hasnt "offline: not online" ONLINE "$(flags)"
    fails "an unloaded drive is not ready" 'not ready' sg_turs "$SG0"
    fails "reading an unloaded drive" . dd if=/dev/nst0 of=$D/got bs=64k count=1 iflag=nonblock
    ok "load" mt load
    has "load: online" ONLINE "$(flags)"
    mt setblk 0
    ok "and the data is there" /usr/bin/tar -C $D -b 128 -df /dev/nst0
    mt offline
    ok "mtx unload 1 0" mtx unload 1 0
    is "the cartridge is home" "$first" "$(tag 1)"
    is "drive 0 is empty" Empty "$(element 'Data Transfer Element 0')"
    ok "mtx load 1 0 again" mtx load 1 0
    wait_for mt status
    mt rewind
    ok "the other way round the data is there" /usr/bin/tar -C $D -b 128 -df /dev/nst0
}

# MTMKPART, MTSETPART: mode page 11h as st makes it, FORMAT MEDIUM, LOCATE between partitions.
partition_number() {
    mt status 2>&1 | sed -n 's/^File number=.*partition=\([0-9]*\).*/\1/p'
}

test_partitions() {
    heading "partitions"
    make_data
    ok "st may use partitions" mt stsetoptions can-partitions
    mt rewind
    ok "mkpartition: the second of 500 GB" mt mkpartition 500000
    is "at the beginning" 0 "$(at)"
    is "of partition 0" 0 "$(partition_number)"
    ok "the drive has two" sg_raw -r 4 "$SG0" 8c 03 00 00 00 00 00 00 00 00 00 00 00 04 00 00
    is "partitions" 02 "$(sed -n 's/^ *00 *\(.. .. .. ..\).*/\1/p' /tmp/out | cut -d' ' -f4)"
    ok "write to partition 0" dd if=$D/a of=/dev/nst0 bs=32k
    ok "setpartition 1" mt setpartition 1
    ok "write to partition 1" dd if=$D/b of=/dev/nst0 bs=10k
    is "tell counts in partition 1" 6 "$(at)"
    is "and st knows where it is" 1 "$(partition_number)"
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=10k 2>/tmp/out
    same "partition 1 reads back" $D/b $D/got
    ok "setpartition 0" mt setpartition 0
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=32k 2>/tmp/out
    same "partition 0 reads back" $D/a $D/got
    ok "partseek 1 2" mt partseek 1 2
    is "partseek: address" 2 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=10k count=1 2>/tmp/out
    dd if=$D/b of=$D/want bs=10k skip=2 count=1 2>/dev/null
    same "partseek: the block there" $D/want $D/got
    fails "a partition that is not there" 'Invalid argument' mt partseek 2 0
    ok "back to partition 0" mt partseek 0 0
    ok "mkpartition 0: one again" mt mkpartition 0
    dd if=/dev/nst0 of=$D/got bs=32k count=1 2>/tmp/out
    is "and empty" 0 "$(wc -c <$D/got)"
    fails "partition 1 is gone" 'Invalid argument' mt partseek 1 0
    ok "without partitions" mt stclearoptions can-partitions
    mt rewind
}

test_two_drives() {
    heading "two drives at once"
    head -c 4194304 /dev/urandom >$D/one
    head -c 4194304 /dev/urandom >$D/two
    mt rewind
    dd if=$D/one of=/dev/nst0 bs=64k 2>/dev/null &
    ok "drive 1 writes while drive 0 does" dd if=$D/two of=/dev/nst1 bs=64k
    wait $!
    mt rewind
    T=/dev/nst1 mt rewind
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "drive 0 has its data" $D/one $D/got
    dd if=/dev/nst1 of=$D/got bs=64k 2>/tmp/out
    same "drive 1 has its data" $D/two $D/got
}

test_sg() {
    heading "sg3-utils"
    for dev in "$SG0" "$CHANGER"; do
        ok "sg_turs $dev" sg_turs "$dev"
        ok "sg_inq $dev" sg_inq "$dev"
        for page in sn di sv; do
            ok "sg_vpd $page $dev" sg_vpd -p $page "$dev"
        done
        ok "sg_luns $dev" sg_luns "$dev"
        ok "sg_opcodes $dev" sg_opcodes "$dev"
        ok "sg_modes $dev" sg_modes -a "$dev"
        ok "sg_logs $dev" sg_logs -a "$dev"
    done
    is "3 logical units" 3 "$(sg_luns "$SG0" | grep -c '^ *[0-9a-f]\{16\}')"
}

relogin() { # NAME: log in again and prove that the data is there
    ok "$1" login
    have_devices || die "no devices after login"
    find_devices
    mt rewind
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "$1: the data is right" $D/one $D/got
}

test_sessions() {
    heading "sessions"
    ok "logout" logout
    setting node.conn[0].iscsi.HeaderDigest CRC32C
    setting node.conn[0].iscsi.DataDigest CRC32C
    relogin "login with header and data digests"
    is "the digests are in use" "CRC32C CRC32C" "$(iscsiadm -m session -P 2 |
        sed -n 's/^.*\(Header\|Data\)Digest: //p' | paste -s -d ' ')"
    logout
    setting node.conn[0].iscsi.HeaderDigest None
    setting node.conn[0].iscsi.DataDigest None
    target_stop
    target_start chap || die "the target did not start with CHAP"
    iscsiadm -m discovery -t st -p "$PORTAL" >/dev/null 2>&1
    fails "login without CHAP is refused" . login
    setting node.session.auth.authmethod CHAP
    setting node.session.auth.username guest
    setting node.session.auth.password wrong-secret-12345
    fails "login with a wrong secret is refused" . login
    setting node.session.auth.password right-secret-12345
    relogin "login with CHAP"
    logout
    setting node.session.auth.username_in library
    setting node.session.auth.password_in wrong-mutual-12345
    fails "a target with a wrong secret is refused" . login
    setting node.session.auth.password_in right-mutual-12345
    relogin "login with mutual CHAP"
}

# A daemon killed with -9 comes back: the session heals, what was synchronised is there.
test_kill() {
    heading "kill -9"
    mt rewind
    ok "write and synchronise" dd if=$D/two of=/dev/nst0 bs=64k
    target_kill
    target_start chap || die "the target did not come back"
    wait_for sg_turs "$SG0"
    ok "the session heals" wait_for sg_turs "$SG0"
    wait_for mt rewind
    mt setblk 0
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "what was synchronised is there" $D/two $D/got
    is "the robot knows where it is" "$first" "$(element 'Data Transfer Element 0' | sed 's/.*= *//')"
}

# The same library as another model: the kernel's drivers find its elements elsewhere.  (busybox has
# an lsscsi of its own, which says less.)
test_models() {
    heading "an HPE MSL with LTO-9 drives"
    logout
    target_stop
    sed -i 's/^model = .*/model = HPE-MSL-G3/; s/^drive_model = .*/drive_model = HPE-ULTRIUM-9/' \
        $CAPSTAN_ROOT/capstan.conf
    iscsiadm -m node -T "$TARGET" -o delete # it would still ask the target for a secret
    target_start plain || die "the target did not start as another model"
    iscsiadm -m discovery -t st -p "$PORTAL" >/dev/null 2>&1
    ok "login" login
    have_devices || die "no devices after login"
    find_devices
    is "lsscsi names the robot" "mediumx HP MSL G3 Series" \
        "$(/usr/bin/lsscsi | sed -n 's/^[^ ]* *\(mediumx .* Series\) .*/\1/p' | tr -s ' ')"
    is "lsscsi names both drives" 2 "$(/usr/bin/lsscsi | tr -s ' ' | grep -c 'tape HPE Ultrium 9-SCSI')"
    is "ch finds the slots" "0x3e9+8" "$(dmesg | sed -n 's/.*type #2 (st): \(0x[^ ]*\).*/\1/p' | tail -n 1)"
    is "ch finds the drives" "0x1+2" "$(dmesg | sed -n 's/.*type #4 (dt): \(0x[^ ]*\).*/\1/p' | tail -n 1)"
    ok "mtx status" mtx status
    mt offline >/dev/null 2>&1
    mtx unload 1 0 >/dev/null 2>&1
    ok "mtx load 3 0" mtx load 3 0
    wait_for mt rewind
    ok "an LTO-9 drive takes an LTO-8 cartridge" mt status
    is "and says so" 0x5e "$(mt status | sed -n 's/.*Density code \(0x[0-9a-f]*\).*/\1/p')"
}

quiet_kernel() {
    dmesg | grep -iE 'iscsi|st[01]:|ch0' | grep -iE 'timeout|timed out|conn error|reset|unexpected' >/tmp/out
    [ ! -s /tmp/out ]
    verdict $? "the kernel has nothing to complain about"
}

session_start
for part in /root/part_*.sh; do # more groups, which need the kernel itself
    . "$part"
done
# What writes the data of sessions and kill comes last.
groups='changer write motion lengths fixed marks tar load partitions tape_operations volumes persistent'
groups="$groups attributes second_initiator long_motion two_drives sg sessions"
for t in ${TESTS:-$groups}; do
    "test_$t"
done
quiet_kernel
[ -n "${TESTS:-}" ] || {
    test_kill
    [ -n "${NEXUSES:-}" ] || test_kill_under_load
    [ -z "${MODELS:-}" ] || test_models
}
logout
target_stop
echo "# $checks checks, $bad not ok"
[ $bad -le 98 ] || bad=98
exit $bad
