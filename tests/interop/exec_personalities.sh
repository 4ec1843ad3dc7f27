#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every model that there is, as sg3-utils see it: each page and list is decoded whole and without a
# complaint, and vendor and product are the model's.
#
# One library after the other shows two models: a changer's and a drive's.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

# As in exec_pages.sh, which looks at what the pages say.
complaints='unknown|unable to decode|too short|short descriptor|overflow|malformed|bad |error parsing|exceeds|residual|^failed:'
# sg_read_attr takes "there is none" of encrypted blocks for unknown
known='page = 0x(2d|33|34|37|38|39)|page = 0x2e|encrypted block: <unknown> .ff.'

# All in one `exec`: a program's start costs more than its question.
cat >"$work/ask" <<'EOF'
for device in /dev/sg0 /dev/sg1; do
    for command in "sg_inq" "sg_vpd -a" "sg_logs -a" "sg_modes -a" "sg_opcodes -t" "sg_persist -i -c" "sg_turs"; do
        $command $device 2>&1 || echo "failed: $command $device: status $?"
    done
done
sg_read_attr /dev/sg1 2>&1 || echo "failed: sg_read_attr"
EOF

field() { # FILE KEY
    sed -n "s/^$2 = //p" "$1" | head -1
}

drives=() changers=()
for file in "$srcdir"/personalities/*.conf; do
    name=$(basename "$file" .conf)
    if grep -q '^type = drive' "$file"; then drives+=("$name"); else changers+=("$name"); fi
done
check "there are models" test $((${#drives[@]} + ${#changers[@]})) -ge 30

look() { # DRIVE CHANGER
    rm -rf "$CAPSTAN_ROOT"
    expect 0 "made" "$capstan" init --drive-model "$1" --library-model "$2" --cartridges 1 \
        --portal 127.0.0.1:0
    # shellcheck disable=SC2119
    serve
    x mtx -f /dev/sg0 load 1 0 >"$work/load" 2>&1 || bad "$1 in $2: $(cat "$work/load")"
    x bash "$work/ask" >"$work/out" 2>&1
    checks=$((checks + 1))
    if grep -iE "$complaints" "$work/out" | grep -vE "$known" >"$work/bad"; then
        bad "$1 in $2: $(head -3 "$work/bad")"
    fi
    for model in "$1" "$2"; do
        for key in vendor product; do
            value=$(field "$srcdir/personalities/$model.conf" $key)
            grep -qiE "$key identification: $value *\$" "$work/out" ||
                bad "$model: INQUIRY does not say $key '$value'"
        done
    done
    expect 0 "stopped" "$capstan" stop
}

for i in "${!drives[@]}"; do
    look "${drives[$i]}" "${changers[$((i % ${#changers[@]}))]}"
done

