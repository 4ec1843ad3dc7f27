# SPDX-License-Identifier: Apache-2.0
# Inside the guest: the kernel's own target (LIO) in front of handler_capstan.so in tcmu-runner, in the
# place of the daemon.  The checks of kernel_initiator.sh are the same.
# shellcheck shell=dash
export CAPSTAN_ROOT=/tmp/library
PORTAL=127.0.0.1:3260
TARGET=iqn.2026-11.test:tcmu
CONFIGFS=/sys/kernel/config/target
export PORTAL TARGET

capstan init --cartridges 8 --prefix GUEST >/tmp/target.log 2>&1 || cat /tmp/target.log

tcmu_device() { # LUN: 0 is the changer
    d=$CONFIGFS/core/user_$1/lun$1
    mkdir -p "$d"
    echo "dev_config=capstan/$1$CAPSTAN_ROOT" >"$d/control"
    echo 0 >"$d/attrib/cmd_time_out"
    echo "capstan-guest-$1" >"$d/wwn/vpd_unit_serial"
    echo 1 >"$d/enable" || return 1
    mkdir "$tpg/lun/lun_$1"
    ln -s "$d" "$tpg/lun/lun_$1/capstan"
}

target_start() { # plain
    for m in configfs target_core_mod uio target_core_user iscsi_target_mod; do
        modprobe $m || return 1
    done
    mount -t configfs configfs /sys/kernel/config
    tcmu-runner --debug >>/tmp/target.log 2>&1 &
    wait_for grep -q 'capstan' /var/log/tcmu-runner.log || return 1
    tpg=$CONFIGFS/iscsi/$TARGET/tpgt_1
    mkdir -p "$tpg" && mkdir "$tpg/np/$PORTAL"
    echo 0 >"$tpg/attrib/authentication"
    echo 1 >"$tpg/attrib/generate_node_acls"
    echo 0 >"$tpg/attrib/demo_mode_write_protect"
    for lun in 0 1 2; do
        tcmu_device $lun || return 1
    done
    echo 1 >"$tpg/enable"
}

target_stop() {
    cat /var/log/tcmu-runner.log >>/tmp/target.log
    kill "$(pidof tcmu-runner)"
}

# The runner killed with -9 and started again: the devices are opened anew.
target_kill() {
    kill -9 "$(pidof tcmu-runner)"
}
