#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `capstan status` tells of a host's session: who, from where, since when, what it has done, and
# that it is gone afterwards.  The host is a socket that logs in and sends one INQUIRY.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
expect 0 "made" "$capstan" init --drives 1 --slots 2 --cartridges 0 --portal 127.0.0.1:0
expect 0 "" "$capstan" serve --detach
checks=$((checks + 1))
python3 - "$capstan" <<'END' || failures=$((failures + 1))
import json, socket, struct, subprocess, sys, time

NAME = "iqn.2026-01.test:cli-sessions"


def status():
    return json.loads(subprocess.check_output([sys.argv[1], "status", "--json"]))


def read(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        assert piece, "the target closed the connection"
        data += piece
    return data


def answer(s):
    head = read(s, 48)
    length = int.from_bytes(head[5:8], "big")
    read(s, (length + 3) & ~3)
    return head, length


before = status()
assert before["sessions"] == [], before["sessions"]
host, port = before["daemon"]["portals"][0].rsplit(":", 1)
s = socket.create_connection((host, int(port)), 30)
text = f"InitiatorName={NAME}\0TargetName={before['daemon']['target']}\0".encode()
s.sendall(bytes([0x43, 0x87, 0, 0, 0]) + len(text).to_bytes(3, "big") + b"\x80\0\0\0\0\7" + bytes(34)
          + text + bytes(-len(text) % 4))
head, _ = answer(s)
assert head[36:38] == b"\0\0", head.hex()
tsih = int.from_bytes(head[14:16], "big")
# INQUIRY of 36 bytes
s.sendall(struct.pack(">BBHI8sIIII", 1, 0xC1, 0, 0, bytes(8), 1, 36, 0, 1)
          + bytes([0x12, 0, 0, 0, 36, 0]) + bytes(10))
head, length = answer(s)
assert head[0] == 0x25 and length == 36, (head.hex(), length)

(row,) = status()["sessions"]
assert row["initiator"] == NAME, row
assert row["peer"] == "%s:%d" % s.getsockname(), row
assert row["tsih"] == tsih and row["discovery"] is False, row
assert row["commands"] == 1 and row["bytes_out"] >= 36, row
assert "since" in row, row
assert NAME in subprocess.check_output([sys.argv[1], "status"], text=True)
s.close()
until = time.monotonic() + 20
while status()["sessions"]:
    assert time.monotonic() < until, "the session stays"
END
expect 0 "" "$capstan" stop
