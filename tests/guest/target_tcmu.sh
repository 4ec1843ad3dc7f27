# SPDX-License-Identifier: Apache-2.0
# Inside the guest: the kernel's own target (LIO) in front of handler_capstan.so in tcmu-runner, in the
# place of the daemon, set up by examples/tcmu/lio.  The checks of kernel_initiator.sh are the same;
# part_tcmu.sh has more.
# shellcheck shell=dash
export CAPSTAN_ROOT=/tmp/library
export NEXUSES=one # the handler can't tell initiators apart; LIO keeps their reservations
PORTAL=127.0.0.1:3260

capstan init --cartridges 8 --prefix GUEST >/tmp/target.log 2>&1 || cat /tmp/target.log
TARGET=$(sed -n 's/^target = //p' $CAPSTAN_ROOT/capstan.conf)
export PORTAL TARGET

runner_start() {
    modprobe target_core_user || return 1
    [ -d /sys/kernel/config/target ] || mount -t configfs configfs /sys/kernel/config
    : >/var/log/tcmu-runner.log
    tcmu-runner --debug >>/tmp/target.log 2>&1 &
    wait_for grep -q 'capstan' /var/log/tcmu-runner.log
}

runner_end() { # SIGNAL
    kill "-$1" "$(pidof tcmu-runner)"
    wait_for no_runner
}

no_runner() {
    ! pidof tcmu-runner
}

target_start() { # plain
    runner_start && sh /root/lio start $CAPSTAN_ROOT iscsi $PORTAL >>/tmp/target.log 2>&1
}

target_stop() {
    sh /root/lio stop $CAPSTAN_ROOT iscsi >>/tmp/target.log 2>&1
    cat /var/log/tcmu-runner.log >>/tmp/target.log
    runner_end TERM
}

target_kill() {
    runner_end KILL
}
