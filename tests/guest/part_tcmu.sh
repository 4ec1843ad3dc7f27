# SPDX-License-Identifier: Apache-2.0
# Inside the guest, groups of kernel_initiator.sh that only the kernel's target with handler_capstan.so
# has: residuals, what configfs may be told, a runner that restarts, the loopback fabric.
# shellcheck shell=dash disable=SC2154
LIO=/sys/kernel/config/target
RUNNER_LOG=/var/log/tcmu-runner.log

read6() { # BYTES [FLAGS]: READ(6) of a variable block into $D/got, the sense into /tmp/sense; 2 is SILI
    rm -f $D/got
    # shellcheck disable=SC2046 # three bytes, three words
    sg_raw -r "$1" -o $D/got "$SG0" 08 "0${2:-0}" \
        $(printf '%02x %02x %02x' $(($1 >> 16)) $(($1 >> 8 & 255)) $(($1 & 255))) 00 >/tmp/sense 2>&1
}

received() { # how many bytes, by the residual
    wc -c <$D/got
}

# TCMU alone gives the whole buffer and no residual, or nothing with CHECK CONDITION.
test_residuals() {
    heading "residuals of short reads"
    make_data
    mt rewind
    dd if=$D/c of=/dev/nst0 bs=512 2>/dev/null
    mt rewind
    read6 4096
    is "a block of 512, a buffer of 4096: received" 512 "$(received)"
    same "... the block" $D/c $D/got
    ok "... the length is told to be wrong" grep -q 'ILI\|Incorrect Length' /tmp/sense
    ok "... by 3584" grep -q '0xe00\|3584' /tmp/sense
    mt rewind
    read6 4096 2
    is "with SILI: received" 512 "$(received)"
    same "... the block" $D/c $D/got
    mt rewind
    read6 512
    is "a buffer that fits: received" 512 "$(received)"
    mt rewind
    read6 256
    is "a buffer that is too small: received" 256 "$(received)"
    read6 4096
    ok "a filemark is told" grep -qi filemark /tmp/sense
    sg_raw -r 4096 -o $D/got "$SG0" 12 00 00 10 00 00 >/tmp/out 2>&1
    ok "INQUIRY of 4096 gets less" test "$(received)" -lt 4096
    mt rewind
}

test_configurations() {
    heading "what configfs may be told"
    d=$LIO/core/user_9/wrong
    for config in x/tmp/library 1 /1/tmp/library 9/tmp/library 1/tmp/nowhere 1000/tmp/library; do
        mkdir -p $d
        echo "dev_size=1048576,dev_config=capstan/$config" >$d/control
        fails "no device of capstan/$config" . sh -c "echo 1 >$d/enable"
        rmdir $d
    done
    ok "the log says what is right" grep -q 'capstan/LUN/ROOT' $RUNNER_LOG
    ok "... which unit there is not" grep -q 'no logical unit 9' $RUNNER_LOG
    ok "... which library" grep -q '/tmp/nowhere' $RUNNER_LOG
    rmdir $LIO/core/user_9
    d=$(echo $LIO/core/user_*/*-1)
    mt rewind
    dd if=$D/a of=/dev/nst0 bs=32k 2>/dev/null
    was=$(at)
    ok "a tape of another size is the same tape" sh -c "echo 2097152 >$d/attrib/dev_size"
    fails "a drive becomes no other" . sh -c "echo capstan/2$CAPSTAN_ROOT >$d/attrib/dev_config"
    fails "whether it buffers is not said there" . sh -c "echo 1 >$d/attrib/emulate_write_cache"
    is "and nothing has moved" "$was" "$(at)"
    has "nor changed" ONLINE "$(flags)"
}

loaded() { # what is in drive 0 by the robot
    element 'Data Transfer Element 0' | sed 's/.*= *//'
}

# What the runner knew is in the library's files, reservations are in the kernel.
test_runner_restart() {
    heading "the runner restarts"
    [ -s $D/c ] || make_data
    head -c 4194304 /dev/urandom >$D/one
    head -c 33554432 /dev/urandom >$D/load
    mt rewind
    mt setblk 0
    dd if=$D/one of=/dev/nst0 bs=64k 2>/dev/null
    end=$(at)
    cartridge=$(loaded)
    ok "a reservation" persist "$SG0" --register --param-sark=0x77
    ok "... of the drive" persist "$SG0" --reserve --param-rk=0x77 --prout-type=3
    mt seek 33
    runner_end TERM
    sg_turs "$SG0" >/tmp/asked 2>&1 &
    asked=$!
    sleep 1
    ok "ended and started again" runner_start
    wait_for kill_0_not $asked
    ok "who asked meanwhile was answered" kill_0_not $asked
    is "the tape is where it was" 33 "$(at)"
    dd if=/dev/nst0 of=$D/got bs=64k count=1 2>/tmp/out
    dd if=$D/one of=$D/want bs=64k skip=33 count=1 2>/dev/null
    same "and reading goes on there" $D/want $D/got
    is "the cartridge is in the drive" "$cartridge" "$(loaded)"
    mt rewind
    mt setblk 0
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "the data is there" $D/one $D/got
    is "to its end" "$end" "$(at)"
    ok "who has reserved" sg_persist -n --in --read-reservation "$SG0"
    told "is known to the kernel" 'Key=0x77'
    ok "it ends" persist "$SG0" --clear --param-rk=0x77

    while dd if=$D/load of=/dev/nst0 bs=64k; do :; done >/tmp/load.log 2>&1 &
    writer=$!
    sleep 1
    runner_end KILL
    sleep 1
    ok "killed in the middle of a write, and started again" runner_start
    wait_for kill_0_not $writer
    ok "the writer is told" grep -q 'Input/output error' /tmp/load.log
    is "the cartridge is in the drive" "$cartridge" "$(loaded)"
    wait_for sg_turs "$SG0" # has used up the unit attention
    fails "a write that knows nothing of it is refused" 'Input/output error' \
        dd if=$D/c of=/dev/nst0 bs=512
    fails "so is a read" 'Input/output error' dd if=/dev/nst0 of=$D/got bs=64k
    wait_for mt rewind
    mt setblk 0
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "what was synchronised is there" $D/one $D/got
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    ok "behind it is what was written, no more" prefix_of $D/load $D/got
    ok "eod" mt eod
    ok "and writing goes on there" dd if=$D/c of=/dev/nst0 bs=512
    mt rewind
}

kill_0_not() {
    ! kill -0 "$1" 2>/dev/null
}

# The same devices of the machine itself, and those of a second library beside them.
test_loopback() {
    heading "the loopback fabric"
    logout
    ok "two libraries" capstan init --root /tmp/library2 --cartridges 2 --prefix OTHER
    sh /root/lio stop $CAPSTAN_ROOT iscsi >/tmp/out 2>&1
    verdict $? "no more by iSCSI"
    is "no device is left" "" "$(ls -d $LIO/core/user_*/*/ 2>/dev/null)"
    ok "by loopback" sh /root/lio start $CAPSTAN_ROOT loopback
    wait_for have_devices
    find_devices
    is "lsscsi: two drives and a robot" "1 2" \
        "$(/usr/bin/lsscsi -g | grep -c mediumx) $(/usr/bin/lsscsi -g | grep -c ' tape ')"
    mt status >/dev/null 2>&1
    mt offline
    T=/dev/nst1 mt offline
    mtx unload 1 0 >/dev/null 2>&1
    mtx unload 2 1 >/dev/null 2>&1
    for group in changer write lengths fixed tar residuals persistent; do
        "test_$group"
        [ $group != changer ] || mt setblk 0
    done
    ok "the second library" sh /root/lio start /tmp/library2 loopback
    wait_for test -c /dev/nst3
    other=$(sg_of /sys/class/scsi_changer/sch1)
    ok "its robot" /usr/bin/mtx -f "$other" load 1 0
    ok "its drive" mt-st -f /dev/nst2 status
    ok "writes" dd if=$D/c of=/dev/nst2 bs=512
    ok "its robot tells" /usr/bin/mtx -f "$other" status
    told "... cartridges of its own" OTHER1L8
    is "the first library is as it was" "$first" "$(loaded)"
    ok "the second ends" sh /root/lio stop /tmp/library2 loopback
    mt-st -f /dev/nst0 offline
    ok "the first goes on" mtx unload 1 0
    ok "the first ends" sh /root/lio stop $CAPSTAN_ROOT loopback
    is "nothing is left" "" "$(ls -d $LIO/core/user_*/*/ 2>/dev/null)"
    ok "the library is free: the daemon can have it" capstan serve --detach
    ok "... and ends" capstan stop
    sh /root/lio start $CAPSTAN_ROOT iscsi $PORTAL >/dev/null 2>&1 && login
}
