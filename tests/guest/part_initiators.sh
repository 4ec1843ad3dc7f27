# SPDX-License-Identifier: Apache-2.0
# Inside the guest, groups of kernel_initiator.sh: two initiators at one library.  The second has a
# name of its own (an iface of open-iscsi), a third session the first one's name with another ISID.
# SG1_1 is the first initiator's drive 0, SG1_2 the second's, CHANGER_1 and CHANGER_2 alike.
# shellcheck shell=dash disable=SC2154

second_login() {
    iscsiadm -m iface -I second -o new &&
        iscsiadm -m iface -I second -o update -n iface.initiatorname -v iqn.2026-11.capstan:second &&
        iscsiadm -m discovery -t st -p "$PORTAL" -I second &&
        iscsiadm -m node -T "$TARGET" -p "$PORTAL" -I second --login
}

second_logout() {
    iscsiadm -m node -T "$TARGET" -p "$PORTAL" -I second --logout
}

# The sysfs device of a kind at a LUN of a session: device_of scsi_tape 'nst?' SESSION LUN
device_of() {
    for n in /sys/class/"$1"/$2; do
        case $(readlink -f "$n/device") in
        */session"$3"/*:"$4")
            echo "$n"
            return
            ;;
        esac
    done
    false
}

sessions() { # their numbers, the newest last
    ls /sys/class/iscsi_session | sed 's/session//' | sort -n
}

second_ready() {
    S2=$(sessions | tail -n 1)
    [ -n "$(device_of scsi_tape 'nst?' "$S2" 1)" ] && [ -n "$(device_of scsi_changer 'sch?' "$S2" 0)" ]
}

sense() { # DEV: what TEST UNIT READY says: good, conflict or the additional sense
    sg_raw "$1" 00 00 00 00 00 00 >/tmp/sense 2>&1
    case $? in
    0) echo good ;;
    24) echo conflict ;;
    *)
        if grep -qi 'reservation conflict' /tmp/sense; then
            echo conflict
        else
            sed -n 's/^ *Additional sense: *\(.*\)/\1/p' /tmp/sense
        fi
        ;;
    esac
}

settle() { # use up the unit attentions of each
    for dev in "$SG1_1" "$SG1_2" "$CHANGER_1" "$CHANGER_2"; do
        for _ in 1 2 3 4 5; do
            sg_turs "$dev" >/dev/null 2>&1 && break
        done
    done
}

# UNIT ATTENTIONS of each nexus for itself; only the daemon knows its nexuses.
attentions_per_nexus() {
    is "power on: the second initiator is told" "$POWER_ON" "$(sense "$SG1_2")"
    is "... once" good "$(sense "$SG1_2")"
    is "... and the first is not disturbed" good "$(sense "$SG1_1")"
    settle
    ok "the second sets fixed blocks" mt-st -f "$T2" setblk 1024
    is "the first hears of it" "Mode parameters changed" "$(sense "$SG1_1")"
    is "... once" good "$(sense "$SG1_1")"
    is "the second does not" good "$(sense "$SG1_2")"
    mt-st -f "$T2" setblk 0 >/dev/null 2>&1
    settle
    ok "the second unloads the drive" /usr/bin/mtx -f "$CHANGER_2" unload 1 0
    is "the first finds it empty" "Medium not present" "$(sense "$SG1_1" | sed 's/ - .*//')"
    ok "and loads another" /usr/bin/mtx -f "$CHANGER_2" load 3 0
    wait_for sg_turs "$SG1_2"
    is "the first hears of another medium" "Not ready to ready change, medium may have changed" \
        "$(sense "$SG1_1")"
    is "... once" good "$(sense "$SG1_1")"
    /usr/bin/mtx -f "$CHANGER_2" unload 3 0 >/dev/null 2>&1
    /usr/bin/mtx -f "$CHANGER_2" load 1 0 >/dev/null 2>&1
    wait_for mt rewind
    settle
}

prevent_per_nexus() {
    ok "the first locks the drive" mt lock
    fails "the second can't unload it" . mt-st -f "$T2" offline
    ok "the second unlocks what it has not locked" mt-st -f "$T2" unlock
    fails "which frees nothing" . /usr/bin/mtx -f "$CHANGER_2" unload 1 0
    ok "the first unlocks" mt unlock
    ok "now the second can" mt-st -f "$T2" offline
    mt load
    settle
    ok "the second locks" mt-st -f "$T2" lock
    fails "the first can't unload" . mt offline
}

reserve6() { # a RESERVE(6) holds off the other, by commands and by st
    ok "the second reserves (RESERVE)" sg_raw "$SG1_2" 16 00 00 00 00 00
    is "the first is told of a conflict" conflict "$(sense "$SG1_1")"
    fails "st of the first can't write" "$BUSY" dd if=$D/c of=/dev/nst0 bs=512
    fails "nor rewind" "$BUSY" mt rewind
    ok "INQUIRY is no conflict" sg_inq "$SG1_1"
    fails "nor is it a second reservation" '[Cc]onflict' sg_raw "$SG1_1" 16 00 00 00 00 00
    ok "RELEASE of another is ignored" sg_raw "$SG1_1" 17 00 00 00 00 00
    is "so the conflict stays" conflict "$(sense "$SG1_1")"
    ok "the holder writes" dd if=$D/c of="$T2" bs=512
    ok "the holder releases" sg_raw "$SG1_2" 17 00 00 00 00 00
    is "and the first works" good "$(sense "$SG1_1")"
}

persist() { # DEV ARGS...
    dev=$1
    shift
    sg_persist -n --out "$@" "$dev"
}

persistent_of_two() {
    ok "the first registers" persist "$SG1_1" --register --param-sark=0x11
    ok "the second registers" persist "$SG1_2" --register --param-sark=0x22
    sg_persist -n --in --read-keys "$SG1_1" >/tmp/out 2>&1
    is "both keys are told" 2 "$(grep -c '^ *0x\(11\|22\)$' /tmp/out)"
    ok "the second reserves, write exclusive" persist "$SG1_2" --reserve --param-rk=0x22 --prout-type=1
    fails "the first can't write" "$BUSY" dd if=$D/c of=/dev/nst0 bs=512
    ok "nor reserve, but read who has it" sg_persist -n --in --read-reservation "$SG1_1"
    ok "the second writes" dd if=$D/c of="$T2" bs=512
    fails "the first can't reserve too" '[Cc]onflict' \
        persist "$SG1_1" --reserve --param-rk=0x11 --prout-type=1
    ok "the second releases" persist "$SG1_2" --release --param-rk=0x22 --prout-type=1
    settle
    ok "the second reserves, exclusive access, registrants only" \
        persist "$SG1_2" --reserve --param-rk=0x22 --prout-type=6
    ok "the first is a registrant and writes" dd if=$D/c of=/dev/nst0 bs=512
    ok "the first preempts" persist "$SG1_1" --preempt --param-rk=0x11 --param-sark=0x22 --prout-type=3
    sg_persist -n --in --read-reservation "$SG1_1" >/tmp/out 2>&1
    told "it holds now" 'Key=0x11'
    ok "the second hears that its registration is gone, or meets the conflict" \
        preempted "$(sense "$SG1_2")"
    fails "it can't rewind" "$BUSY" mt-st -f "$T2" rewind
    ok "the first clears" persist "$SG1_1" --clear --param-rk=0x11
    settle
    is "then both work: the first" good "$(sense "$SG1_1")"
    is "... the second" good "$(sense "$SG1_2")"
}

preempted() {
    case $1 in
    conflict | "Registrations preempted" | "Reservations preempted") return 0 ;;
    esac
    echo "sense: $1"
    return 1
}

# The same initiator name with another ISID is another initiator port (RFC 7143, 4.4.3).
other_isid() {
    s1=$(sessions | head -n 1)
    ok "a third session with the first one's name" iscsiadm -m session -r "$s1" --op new
    s3=$(sessions | tail -n 1)
    wait_for device_of scsi_tape 'nst?' "$s3" 1
    sg3=$(sg_of "$(device_of scsi_tape 'nst?' "$s3" 1)")
    ok "it has a device" test -c "$sg3"
    sense "$sg3" >/dev/null
    sense "$sg3" >/dev/null
    ok "it reserves" sg_raw "$sg3" 16 00 00 00 00 00
    is "the first is another nexus" conflict "$(sense "$SG1_1")"
    ok "it ends" iscsiadm -m session -r "$s3" --logout
    is "its reservation ends with it" good "$(sense "$SG1_1")"
}

test_second_initiator() {
    heading "a second initiator"
    S1=$(sessions | head -n 1)
    [ -s $D/c ] || make_data
    mt status >/tmp/out 2>&1
    ok "the second logs in" second_login
    wait_for second_ready
    tape=$(device_of scsi_tape 'nst?' "$S2" 1)
    T2=/dev/$(basename "$tape")
    SG1_1=$SG0 CHANGER_1=$CHANGER
    SG1_2=$(sg_of "$tape") CHANGER_2=$(sg_of "$(device_of scsi_changer 'sch?' "$S2" 0)")
    ok "it has devices of its own" test "$SG1_2" != "$SG1_1" -a "$S1" != "$S2" -a -c "$CHANGER_2"
    BUSY='Device or resource busy\|Input/output error\|Invalid exchange'
    POWER_ON='Power on, reset, or bus device reset occurred'
    [ "${NEXUSES:-}" = one ] || attentions_per_nexus
    settle
    mt rewind
    reserve6
    persistent_of_two
    [ "${NEXUSES:-}" = one ] || other_isid # LIO goes by the name alone
    settle
    mt rewind
    if [ "${NEXUSES:-}" = one ]; then
        ok "the second logs out" second_logout
    else
        prevent_per_nexus
        ok "the second logs out" second_logout
        ok "its lock goes with it" mt offline
        mt load
    fi
    iscsiadm -m node -T "$TARGET" -p "$PORTAL" -I second -o delete >/dev/null 2>&1
    iscsiadm -m iface -I second -o delete >/dev/null 2>&1
    settle
    mt setblk 0
    mt rewind
}
