#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stock tools of libiscsi-bin against the iSCSI server over disks in memory: iscsi-ls, iscsi-inq, and
# the transport tests of iscsi-test-cu (command window, DataSN, residuals, task management), which
# want a disk.  Exits 0, 1, or 77 if the tools are not installed.
set -uo pipefail

server=${CAPSTAN_BUILDDIR:-.}/tests/interop/iscsi_fake_server
target=iqn.2026-01.test:fake
user=user
secret=a-secret-of-24-bytes-....
failures=0

for tool in iscsi-ls iscsi-inq iscsi-test-cu; do
    command -v "$tool" >/dev/null || {
        echo "SKIP: $tool is not installed (libiscsi-bin)"
        exit 77
    }
done
[ -x "$server" ] || {
    echo "SKIP: $server is not built"
    exit 77
}

# The server lives until its standard input is closed.
coproc SERVER { "$server" -u "$user" -s "$secret"; }
server_pid=$SERVER_PID
trap 'kill "$server_pid" 2>/dev/null' EXIT
read -r -t 10 portal <&"${SERVER[0]}" || exit 1

# expect PATTERN COMMAND...: it ends with 0 and prints that.
expect() {
    local pattern=$1 out
    shift
    if out=$(timeout 60 "$@" 2>&1) && grep -qE "$pattern" <<<"$out"; then
        echo "ok: $1"
    else
        echo "FAIL: $*: no '$pattern' in:"
        echo "$out"
        failures=$((failures + 1))
    fi
}

with_login="iscsi://$user%$secret@$portal"
expect "Target:$target Portal:$portal,1" iscsi-ls "iscsi://$portal"
expect 'Lun:1 +Type:DIRECT_ACCESS' iscsi-ls -s "$with_login"
expect 'Product:FAKE DISK' iscsi-inq "$with_login/$target/0"
expect '^ +tests +15 +15 +15 +0 ' iscsi-test-cu --dataloss -t 'ALL.iSCSI*' "$with_login/$target/0"

# A target that has moved: another server sends us on to this one.
moved_file=$(mktemp)
exec {moved_in}> >(exec "$server" -r "$portal" -u "$user" -s "$secret" >"$moved_file" 2>/dev/null)
moved_pid=$!
trap 'kill "$server_pid" "$moved_pid" 2>/dev/null; rm -f "$moved_file"' EXIT
for _ in $(seq 100); do
    [ -s "$moved_file" ] && break
    sleep 0.1
done
expect 'Product:FAKE DISK' iscsi-inq "iscsi://$user%$secret@$(cat "$moved_file")/$target/0"
exec {moved_in}>&-
wait "$moved_pid" || failures=$((failures + 1))
rm -f "$moved_file"
trap 'kill "$server_pid" 2>/dev/null' EXIT

# A wrong secret is refused, and nobody hangs.
if timeout 20 iscsi-inq "iscsi://$user%not-the-secret-at-all@$portal/$target/0" >/dev/null 2>&1; then
    echo "FAIL: a wrong secret was taken"
    failures=$((failures + 1))
fi

eval "exec ${SERVER[1]}>&-"
wait "$server_pid"
status=$?
trap - EXIT
[ "$status" = 0 ] || {
    echo "FAIL: the server ended with $status"
    failures=$((failures + 1))
}
[ "$failures" = 0 ]
