# SPDX-License-Identifier: Apache-2.0
# Inside the guest, groups of kernel_initiator.sh: the daemon is slow, hangs, or dies under load.
# shellcheck shell=dash disable=SC2154

# A motion may take minutes; the initiator's NOP-Outs are answered meanwhile, or it would give the
# connection up.  That it would is tried with a daemon that is stopped.
test_long_motion() {
    heading "NOPs in a long motion"
    quiet_kernel
    logout
    setting node.conn[0].timeo.noop_out_interval 1
    setting node.conn[0].timeo.noop_out_timeout 2
    ok "login with NOPs every second" login
    have_devices || die "no devices after login"
    find_devices
    mt rewind
    dmesg -c >/dev/null
    ok "the drive is slow" capstan fault set slow-drive --drive 0 --delay 6000
    before=$(cut -d. -f1 /proc/uptime)
    ok "rewind" mt rewind
    ok "has taken its time" test $(($(cut -d. -f1 /proc/uptime) - before)) -ge 5
    capstan fault clear >/dev/null 2>&1
    dmesg | grep -iE 'ping timeout|conn error|detected conn' >/tmp/out
    is "and no NOP was missed" 0 "$(wc -l </tmp/out)"
    kill -STOP "$(pidof capstan)"
    wait_for grep_dmesg 'ping timeout\|detected conn error'
    kill -CONT "$(pidof capstan)"
    ok "a daemon that hangs is noticed" grep_dmesg 'ping timeout\|detected conn error'
    wait_for sg_turs "$SG0"
    ok "and the session heals" wait_for sg_turs "$SG0"
    dmesg -c >/dev/null # it had to complain
    logout
    setting node.conn[0].timeo.noop_out_interval 5
    setting node.conn[0].timeo.noop_out_timeout 5
    login
    have_devices || die "no devices after login"
    find_devices
    wait_for mt rewind
}

grep_dmesg() {
    dmesg | grep -qi -- "$1"
}

# Killed in the middle of a write: the writer is told, the session heals, what was synchronised is
# there, and what follows it is what was written, as far as it goes.
test_kill_under_load() {
    heading "kill -9 under load"
    [ -s $D/c ] || make_data
    wait_for mt rewind
    mt setblk 0
    ok "a file, synchronised" dd if=$D/two of=/dev/nst0 bs=64k
    first_end=$(at)
    head -c 33554432 /dev/urandom >$D/load
    (
        while dd if=$D/load of=/dev/nst0 bs=64k; do :; done >/tmp/load.log 2>&1
        echo ended >>/tmp/load.log
    ) &
    writer=$!
    sleep 1.5
    target_kill
    sleep 0.5
    target_start chap || die "the target did not come back"
    wait_for grep -q ended /tmp/load.log
    ok "the writer is told" grep -q 'Input/output error' /tmp/load.log
    wait $writer
    wait_for sg_turs "$SG0"
    wait_for mt rewind
    mt setblk 0
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    same "what was synchronised is there" $D/two $D/got
    is "to its end" "$first_end" "$(at)"
    dd if=/dev/nst0 of=$D/got bs=64k 2>/tmp/out
    ok "behind it is what was written, no more" prefix_of $D/load $D/got
    ok "eod" mt eod
    ok "and writing goes on there" dd if=$D/c of=/dev/nst0 bs=512
    mt bsf 1
    mt bsr 1
    dd if=/dev/nst0 of=$D/got bs=512 count=1 2>/tmp/out
    same "to be read" $D/c $D/got
}

prefix_of() { # WHOLE PART
    head -c "$(wc -c <"$2")" "$1" | /usr/bin/cmp - "$2"
}
