# SPDX-License-Identifier: Apache-2.0
# Inside the guest: how kernel_initiator.sh starts and ends the daemon it tests.
# shellcheck shell=dash
export CAPSTAN_ROOT=/tmp/library
PORTAL=127.0.0.1:3260
export MODELS=yes # the daemon starts anew as another model

if ! capstan init --cartridges 8 --prefix GUEST >/tmp/target.log 2>&1; then
    cat /tmp/target.log
fi
TARGET=$(sed -n 's/^target = //p' $CAPSTAN_ROOT/capstan.conf)
export PORTAL TARGET

target_start() { # plain|chap
    sed -i '/^\(mutual_\)\?\(user\|secret_file\) = /d' $CAPSTAN_ROOT/capstan.conf
    if [ "$1" = chap ]; then
        (umask 077 && printf right-secret-12345 >$CAPSTAN_ROOT/secret &&
            printf right-mutual-12345 >$CAPSTAN_ROOT/mutual)
        sed -i "s|^\[chap\]|&\nuser = guest\nsecret_file = $CAPSTAN_ROOT/secret\n\
mutual_user = library\nmutual_secret_file = $CAPSTAN_ROOT/mutual|" $CAPSTAN_ROOT/capstan.conf
    fi
    capstan serve --detach >>/tmp/target.log 2>&1
}

target_stop() {
    capstan stop >>/tmp/target.log 2>&1
}

target_kill() {
    kill -9 "$(pidof capstan)"
}
