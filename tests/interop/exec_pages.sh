#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What sg3-utils read out of the pages of a changer and a drive: decoded whole, without a complaint,
# and with the values that are true.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

# What they say when a page is not as it should be; of pages 2Dh, 33h, 34h and 37h to 39h sg_logs knows
# no more of a real LTO drive than of ours, and of a changer not the TapeAlert page.
complaints='unknown|unable to decode|too short|short descriptor|overflow|malformed|bad |error parsing|exceeds|residual'
known='page = 0x(2d|33|34|37|38|39)|page = 0x2e'

quiet() { # WHAT: $work/out has no complaint
    checks=$((checks + 1))
    if grep -iE "$complaints" "$work/out" | grep -vE "$known" >"$work/bad"; then
        bad "$1: $(head -3 "$work/bad")"
    fi
}
says() { # PATTERN: $work/out has a line like that
    checks=$((checks + 1))
    grep -E "$1" "$work/out" >/dev/null || bad "no '$1' in: $(head -40 "$work/out")"
}

expect 0 "made" "$capstan" init --cartridges 2 --portal 127.0.0.1:0
serve
check "load" x mtx -f /dev/sg0 load 1 0 >"$work/out"
x sh -c 'dd if=/dev/zero of=/dev/nst0 bs=1000000 count=7 2>/dev/null'

for device in /dev/sg0 /dev/sg1; do
    for command in "sg_inq -d" "sg_vpd -a" "sg_logs -a" "sg_logs -l" "sg_logs -L" "sg_modes -a" "sg_modes -aa" \
        "sg_modes -a -6" "sg_modes -a -c 1" "sg_modes -a -c 2" "sg_modes -a -c 3" "sg_opcodes -t --repd" \
        "sg_opcodes -R" "sg_opcodes -R -m" "sg_opcodes -o 0x12 -R" "sg_opcodes -o 0xa3,0xc -R" \
        "sg_persist -i -c" "sg_persist -i -k" "sg_persist -i -s" "sg_persist -i -r" "sg_timestamp" \
        "sg_ident"; do
        # shellcheck disable=SC2086 # the options are words
        check "$command $device" x $command $device >"$work/out" 2>&1
        quiet "$command $device"
    done
done

x sg_logs -a /dev/sg1 >"$work/out" 2>&1
says 'Lifetime media loads: 1$'
says 'Lifetime power cycles: 1$'
says 'Last mount megabytes written: 7$'
says 'Volume barcode: CAP001L8'
says 'Total native capacity \[MB\]: 12000000$'
says 'Current temperature = <not available>'
says 'Total bytes processed = 7000000$'
says 'Recovery not requested'
says 'MSTD=1 MTHRD=1 MOUNTED=1'
x sg_vpd -a /dev/sg1 >"$work/out" 2>&1
says 'WORM=1'
says 'method: 2, info_len: 4, LBP_W_C=1, LBP_R_C=1'
says 'Policy: shared'
says 'Data transfer device element address: 0x0+100$'
says 'SCSI name string,'
x sg_opcodes -t --repd /dev/sg1 >"$work/out" 2>&1
says 'tmf long timeout: 1200'
check "an identifier is set" x sg_ident --set /dev/sg1 < <(printf 'rack 7')
x sg_ident --ascii /dev/sg1 >"$work/out" 2>&1
says 'rack 7'

# registrations that outlive the daemon
check "register" x sg_persist -o -G -S 0xabc -Z /dev/sg1 >"$work/out" 2>&1
x sg_persist -i -k /dev/sg1 >"$work/out" 2>&1
says '0xabc'
expect 0 "stopped" "$capstan" stop
serve
x sg_persist -i -k /dev/sg1 >"$work/out" 2>&1
says '0xabc'
x sg_persist -i -c /dev/sg1 >"$work/out" 2>&1
says 'PTPL_A\): 1'

# programs one after the other are one initiator, at the same time they are several
check "reserve" x sg_persist -o -R -K 0xabc -T 3 /dev/sg1 >"$work/out" 2>&1
x sg_persist -i -r /dev/sg1 >"$work/out" 2>&1
says 'Key *= *0xabc'
rewind="sg_raw /dev/sg1 01 00 00 00 00 00"
# shellcheck disable=SC2086 # the arguments are words
check "its initiator uses the drive" x $rewind 2>"$work/out"
x bash -c "exec 3<>/dev/sg1; $rewind; echo status \$?" >"$work/out" 2>&1
says 'status 24'
x bash -c "exec 3<>/dev/sg1; exec 3>&-; ($rewind; echo child \$?)" >"$work/out" 2>&1
says 'child 24'
x bash -c "sg_turs /dev/sg1; ($rewind; echo next \$?)" >"$work/out" 2>&1
says 'next 0'
x sg_persist -o -R -K 0xabc -T 1 /dev/sg1 >"$work/out" 2>&1
says 'conflict'
check "release" x sg_persist -o -L -K 0xabc -T 3 /dev/sg1 >"$work/out" 2>&1
x sg_persist -i -r /dev/sg1 >"$work/out" 2>&1
says 'NO reservation'
check "clear" x sg_persist -o -C -K 0xabc /dev/sg1 >"$work/out" 2>&1
x sg_persist -i -k /dev/sg1 >"$work/out" 2>&1
says 'NO registered'
x sg_logs -p 0x14 /dev/sg1 >"$work/out" 2>&1
says 'Lifetime power cycles: 2$'

# a saved mode page outlives it too
check "PEWS is saved" x sg_wr_mode -p 0x10,1 -s -c 50,1,0,1c,0,0,0,9,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 \
    -m 0,0,0,0,0,0,ff,ff,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 /dev/sg1 >"$work/out" 2>&1
expect 0 "stopped" "$capstan" stop
serve
x sg_modes -p 0x10,1 -c 3 /dev/sg1 >"$work/out" 2>&1
says '00 +d0 01 00 1c 00 00 00 09'
x sg_modes -p 0x10,1 /dev/sg1 >"$work/out" 2>&1
says '00 +d0 01 00 1c 00 00 00 09'
expect 0 "stopped" "$capstan" stop
