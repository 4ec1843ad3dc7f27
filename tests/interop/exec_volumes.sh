#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archives that go on over several cartridges below `capstan exec`: tar by its script, cpio by its question on
# the terminal, dump(8) and restore(8).  The changer carries the next cartridge in between.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

mkdir "$work/tree"
for i in 1 2 3 4 5; do head -c 3000000 /dev/urandom >"$work/tree/file$i"; done
expect 0 "made" "$capstan" init --cartridges 0 --portal 127.0.0.1:0
expect 0 "VOL004L8" "$capstan" cartridge create --capacity 8M VOL001L8 VOL002L8 VOL003L8 VOL004L8
serve
expect 0 "drive:0" "$capstan" load VOL001L8 0

cat >"$work/next" <<'END'
#!/bin/sh
# The next cartridge: the program that asks has closed the drive.
exec >/dev/null
now=$(mtx -f /dev/sg0 status | sed -n 's/.*Element 0:Full (Storage Element \([0-9]*\) Loaded).*/\1/p')
echo "$now" >>"${0%/*}/changes"
mtx -f /dev/sg0 unload "$now" 0 && mtx -f /dev/sg0 load $((now + 1)) 0
END
chmod +x "$work/next"

first() { # the first cartridge again, rewound, and no changes yet
    : >"$work/changes"
    check "the first cartridge" x sh -c \
        'mtx -f /dev/sg0 unload && mtx -f /dev/sg0 load 1 0 && mt-st -f /dev/nst0 rewind' >"$work/out"
}
went_on() { # PROGRAM: it used more than one cartridge
    check "$1 had no need of a second cartridge" test -s "$work/changes"
}
same() { # PROGRAM DIRECTORY: what came back
    check "$1 brings something else back" diff -r "$work/tree" "$2"
}

# ---- tar
check "tar writes" x tar -C "$work" -M -F "$work/next" -b 128 -cf /dev/nst0 tree
went_on tar
first
mkdir "$work/tar"
check "tar reads" x tar -C "$work/tar" -M -F "$work/next" -b 128 -xf /dev/nst0
went_on tar
same tar "$work/tar/tree"

# ---- programs that ask on the terminal: answered when the next cartridge is there
answer() { # WORDS ANSWER COMMAND...
    python3 -c '
import os, pty, subprocess, sys
words, answer, carry, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3], sys.argv[4:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
said = b""
while True:
    try: got = os.read(terminal, 4096)
    except OSError: got = b""
    if not got: break
    said += got
    if words in said:
        said = said.split(words)[-1]
        subprocess.run(carry, shell=True, check=True)
        os.write(terminal, answer + b"\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status: print(said.decode(errors="replace"))
sys.exit(status)' "$1" "$2" "'$capstan' exec -- '$work/next'" timeout -k 5 60 "$capstan" exec -- "${@:3}"
}
if command -v cpio >/dev/null && command -v python3 >/dev/null; then
    first
    check "cpio writes" answer BRING "" sh -c \
        'cd "$1" && find tree | cpio -o --quiet -C 65536 -M "BRING %d" -O /dev/nst0' - "$work"
    went_on cpio
    first
    mkdir "$work/cpio"
    check "cpio reads" answer BRING "" sh -c \
        'cd "$1/cpio" && cpio -idm --quiet -C 65536 -M "BRING %d" -I /dev/nst0' - "$work"
    went_on cpio
    same cpio "$work/cpio/tree"
else
    echo "cpio is left out: the package cpio or python3 is not installed"
fi

# ---- dump(8) of a file system image; restore(8) runs its script before the first volume too
# ---- dump(8) of a file system image; restore(8) runs its script before the first volume too.  Two volumes:
# dump(8) 0.4b47 repeats the last records of a full volume, and counts one block too few from the third
# volume on, so that restore(8) drops the wrong ones there.
rm "$work/tree/file4" "$work/tree/file5"
printf '#!/bin/sh\n[ "$2" = 1 ] || exec "%s"\n' "$work/next" >"$work/later"
chmod +x "$work/later"
if command -v dump >/dev/null && command -v restore >/dev/null && command -v python3 >/dev/null &&
    mke2fs -q -t ext4 -d "$work/tree" "$work/image" 24M >"$work/out" 2>&1 &&
    loop=$(losetup --find --show "$work/image" 2>"$work/out"); then
    first
    x dump -0 -a -b 64 -F "$work/next" -f /dev/nst0 "$loop" >"$work/out" 2>&1 ||
        bad "dump(8) writes: $(tail -n 3 "$work/out")"
    losetup -d "$loop"
    went_on "dump(8)"
    first
    mkdir "$work/restored"
    x sh -c 'cd "$1/restored" && restore -r -b 64 -F "$1/later" -f /dev/nst0' - "$work" >"$work/out" 2>&1 ||
        bad "restore(8) reads: $(tail -n 3 "$work/out")"
    went_on "restore(8)"
    rm -rf "$work/restored/lost+found" "$work/restored/restoresymtable"
    same "restore(8)" "$work/restored"
else
    echo "dump(8) is left out: $(tail -n 1 "$work/out")"
fi
expect 0 "stopped" "$capstan" stop
