#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/open-iscsi: what its README says to type is what the test in the virtual machine types
# (iscsiadm, modprobe need a kernel), or it is run here under `capstan exec` (mtx, mt, tar, capstan).
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
readme=$srcdir/examples/open-iscsi/README.md
guest=$srcdir/tests/guest/kernel_initiator.sh
mapfile -t lines < <(sed -n 's/^    //p' "$readme")
check "the README has ${#lines[@]} commands" test "${#lines[@]}" -ge 20

# ---- the commands of the initiator are those of the guest
update='iscsiadm -m node -T "$TARGET" -p "$PORTAL" -o update -n '
of_the_guest() { # COMMAND: is it there, in the guest's words?
    local words module
    case $1 in
    "$update"*)
        read -r name _ value <<<"${1#"$update"}"
        grep -qF -- "$update\"\$1\" -v \"\$2\"" "$guest" && grep -qxF "    setting $name $value" "$guest"
        ;;
    "modprobe "*)
        module=${1#modprobe }
        grep -qE "^ *for m in .*\b$module\b.*; do\$" "$guest" && grep -qF 'modprobe $m' "$guest"
        ;;
    *) grep -qF -- "$1" "$guest" ;;
    esac
}
here=()
initiator=0
for line in "${lines[@]}"; do
    case $line in
    iscsiadm* | modprobe*)
        initiator=$((initiator + 1))
        check "the guest does not run: $line" of_the_guest "$line"
        ;;
    *) here+=("$line") ;;
    esac
done
check "only $initiator commands are the initiator's" test "$initiator" -ge 10
for wrong in "modprobe sd_mod" "${update}node.session.auth.username -v nobody" "iscsiadm -m fw"; do
    check "anything is taken for a command of the guest" eval "! of_the_guest '$wrong'"
done

# ---- the others are run
[ "$failures" = 0 ] || exit 1 # what follows may be skipped
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"
export D=$work/data PATH=${capstan%/*}:$PATH
mkdir -p "$D/tree/sub"
head -c 1000000 /dev/urandom >"$D/tree/sub/random"
ln -s sub/random "$D/tree/link"
{
    echo 'set -e'
    for line in "${here[@]}"; do
        case $line in
        "capstan init"*) echo "$line --portal 127.0.0.1:0" ;;
        "mtx "* | "mt "* | "tar "*) echo "timeout -k 5 60 capstan exec -- $line" ;;
        *) echo "$line" ;;
        esac
    done
} >"$work/commands"
expect 0 "VolumeTag=CAP001L8" bash "$work/commands"
left=$(daemon_pid)
[ -z "$left" ] || daemons+=("$left") # a command has failed: the clean-up stops it
check "the cartridge is not home" grep -q '^CAP001L8=slot:1$' <(places)
check "the daemon goes on" test -z "$(daemon_pid)"
check "nothing is on the tape" test "$(find "$CAPSTAN_ROOT" -type f -size +950k | wc -l)" -ge 1
