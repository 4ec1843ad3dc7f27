#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# iscsi-test-cu (libiscsi-bin), unmodified, against the daemon with a test disk.  Its iSCSI family
# must pass whole, and its SCSI family too, but that the tool may skip a test of it for a reason that
# stands here.  The tool wants a disk: on a tape or changer it ends before its first test, as READ
# CAPACITY fails, which the last check holds on to.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"

command -v iscsi-test-cu >/dev/null || skip "iscsi-test-cu is not installed (libiscsi-bin)"
iscsi-test-cu -l >"$work/list" 2>/dev/null
grep -q '^ALL\.iSCSITMF\.' "$work/list" || skip "this iscsi-test-cu has no iSCSI family"

# Tests that may be skipped, and what the disk would have to be.  None of the iSCSI family.
skips=(
    'CompareAndWrite.*|COMPARE AND WRITE is not offered'
    'ExtendedCopy.*|EXTENDED COPY is not offered'
    'ReceiveCopyResults.*|EXTENDED COPY is not offered'
    'GetLBAStatus.*|the disk is fully provisioned'
    'Inquiry.BlockLimits|its part on UNMAP: the disk is fully provisioned'
    'Unmap.*|the disk is fully provisioned'
    'WriteSame1[06].Unmap*|the disk is fully provisioned'
    'WriteSame1[06].InvalidDataOutSize|the disk is fully provisioned'
    'OrWrite.*|ORWRITE is not offered'
    'Prefetch1[06].*|PRE-FETCH is not offered: there is no cache'
    'PreventAllow.*|the medium is not removable'
    'StartStopUnit.Simple|the medium is not removable'
    'ReadDefectData1[02].*|memory has no defects'
    'ReadOnly.*|the disk is not write-protected'
    'Sanitize.*|not without --allow-sanitize, and SANITIZE is not offered'
    'WriteAtomic16.*|WRITE ATOMIC is not offered'
    'MultipathIO.*|there is one path'
)
may_be_skipped() {
    local entry
    for entry in "${skips[@]}"; do
        # shellcheck disable=SC2053 # the left side is a pattern
        [[ $1 == ${entry%%|*} ]] && return 0
    done
    return 1
}

# What the tool printed, as "SUITE.TEST passed", "... failed" or "... skipped REASON".  What comes
# behind the result of a test is the set-up of the next suite.
results() {
    awk '
        /^Suite: / { suite = $2 }
        /^  Test: / { name = suite "." $2; open = 1; sub(/^  Test: [^ ]+ \.\.\./, "") }
        open && /^(passed|FAILED)/ { print name, /^passed/ ? "passed" : "failed"; open = 0 }
        open && /\[SKIPPED\]/ { sub(/^.*\[SKIPPED\] */, ""); print name, "skipped", $0 }' "$1"
}

# family FAMILY PATTERN: every test of it that -l lists has run and passed, skipped only as allowed.
family() {
    local listed ran name what reason
    listed=$(grep -c "^$2[^.]*\.[^.]*$" "$work/list")
    timeout 300 iscsi-test-cu --dataloss --fail -t "$2*" "$url/$disk" >"$work/$1" 2>&1
    results "$work/$1" >"$work/$1.results"
    ran=$(grep -cE ' (passed|failed)$' "$work/$1.results")
    checks=$((checks + 1))
    if [ "$listed" = 0 ] || [ "$ran" != "$listed" ]; then
        bad "of $listed tests of $1 $ran have run"
        tail -20 "$work/$1"
    fi
    while read -r name what reason; do
        checks=$((checks + 1))
        if [ "$what" = failed ]; then
            bad "$1: $name"
            sed -n "/Suite: ${name%.*}\$/,/^Suite: /p" "$work/$1" | grep -A12 "Test: ${name#*.} "
        elif [ "$what" = skipped ] && ! may_be_skipped "$name"; then
            bad "$1: $name is skipped: $reason"
        fi
    done <"$work/$1.results"
    echo "$1: $(grep -c ' passed$' "$work/$1.results") passed of $listed, skipped or in part:" \
        "$(grep ' skipped ' "$work/$1.results" | cut -d' ' -f1 | sort -u | wc -l)"
}

# ---- a library with a disk behind its two drives
disk=3
expect 0 "made" "$capstan" init --cartridges 1 --drives $((disk - 1)) --portal 127.0.0.1:0
sed -i 's/^test_disk = 0$/test_disk = 16/' "$CAPSTAN_ROOT/capstan.conf"
serve
check "the log does not tell of the test disk" \
    grep -q "LUN $disk is a test disk of 16 MiB" "$CAPSTAN_ROOT/run/serve.log"
target=$("$capstan" status --json | sed -n 's/^ *"target": "\(.*\)",*$/\1/p')
portal=$("$capstan" status --json | sed -n 's/^ *"\(127\.0\.0\.1:[0-9]*\)",*$/\1/p')
url=iscsi://$portal/$target

family iSCSI ALL.iSCSI
check "a test of the iSCSI family is skipped" test -z "$(grep ' skipped ' "$work/iSCSI.results")"
family SCSI SCSI.

# ---- tape and changer: the tool gives up
for lun in 0 1; do
    checks=$((checks + 1))
    if out=$(timeout 60 iscsi-test-cu --dataloss -t SCSI.Inquiry "$url/$lun" 2>&1) ||
        ! grep -q 'READCAPACITY10 command: failed' <<<"$out"; then
        bad "iscsi-test-cu runs on LUN $lun now: have it tested"
        echo "$out" | tail
    fi
done

expect 0 "" "$capstan" stop
