#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Other people's programs below `capstan exec`: what the guest test does not have.  Run by root, the
# whole runs once more as nobody.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034,SC2016
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

tree=$work/tree
mkdir -p "$tree/sub"
for i in 1 2 3 4 5; do head -c $((i * 100001)) /dev/urandom >"$tree/sub/file$i"; done
ln -s sub/file1 "$tree/link"

flags() {
    x mt-st -f "$1" status | sed -n '/General status bits/{n;p}'
}
at() {
    x mt-st -f "${1:-/dev/nst0}" tell | sed -n 's/^At block \([0-9]*\).*/\1/p'
}
is() { # WHAT WANTED GOT
    checks=$((checks + 1))
    [ "$2" = "$3" ] || bad "$1: wanted '$2', got '$3'"
}
# says WORDS COMMAND...: below capstan exec it fails and says so
says() {
    local words=$1
    shift
    checks=$((checks + 1))
    if out=$(x "$@" 2>&1 </dev/null); then
        bad "succeeded: $*"
    elif ! grep -q -- "$words" <<<"$out"; then
        bad "no '$words': $*: $out"
    fi
}
has() { # PACKAGE PROGRAM: or say that it is left out
    command -v "$2" >/dev/null || {
        echo "without $2: the package $1 is not installed"
        return 1
    }
}

expect 0 "made" "$capstan" init --cartridges 4 --portal 127.0.0.1:0
expect 0 "SML001L8" "$capstan" cartridge create --capacity 8M SML001L8
expect 1 "no daemon|not running|is running" "$capstan" exec -- true
serve
expect 2 "needs: COMMAND" "$capstan" exec
expect 2 "drive" "$capstan" exec --drive 7 -- true
expect 1 "cannot be run" "$capstan" exec -- /nowhere/program
expect 0 "/dev/nst1" "$capstan" exec --drive 1 -- sh -c 'echo $TAPE'

# ---- installed, and moved as a whole: make install DESTDIR=, a package that was unpacked somewhere
mkdir -p "$work/moved/bin" "$work/moved/lib/capstan"
cp "$capstan" "$work/moved/bin/capstan" && cp "$preload" "$work/moved/lib/capstan"
expect 0 "/dev/nst0" "$work/moved/bin/capstan" exec -- sh -c 'echo $TAPE'
rm -r "$work/moved"

# ---- what is there
is "a tape is a character device" "9,128 21,0 21,2 9,1" \
    "$(x stat -c '%Hr,%Lr' /dev/nst0 /dev/sg0 /dev/sg2 /dev/st1 | paste -sd ' ')"
says "No such file" stat /dev/nst2
says "No such file" stat /dev/sg3
says "No medium found" dd if=/dev/nst0 of=/dev/null
is "an empty drive is open" " DR_OPEN IM_REP_EN" "$(flags /dev/nst0)"

# ---- mtx and its friends
check "loaderinfo" x loaderinfo -f /dev/sg0 >"$work/out"
check "mtx inquiry" x mtx -f /dev/sg0 inquiry >"$work/out"
check "mtx load" x mtx -f /dev/sg0 load 1 0 >"$work/out"
check "mtx load" x mtx -f /dev/sg0 load 2 1 >"$work/out"
check "tapeinfo" x tapeinfo -f /dev/sg1 >"$work/out"
check "tapeinfo knows the product" grep -q "Product Type: Tape Drive" "$work/out"

# ---- sg3-utils
for command in "sg_inq" "sg_vpd" "sg_vpd -p di" "sg_turs" "sg_luns" "sg_logs -a" "sg_modes -a" \
    "sg_opcodes" "sg_requests"; do
    for device in /dev/sg0 /dev/sg1; do
        # shellcheck disable=SC2086 # the options are words
        check "$command $device" x $command $device >"$work/out" 2>&1
    done
done
check "sg_read_attr" x sg_read_attr /dev/sg1 >"$work/out" 2>&1
is "three logical units" 3 "$(x sg_luns /dev/sg1 | grep -c '^ *[0-9a-f]\{16\}')"
x sg_raw -r 96 /dev/sg1 ff 00 00 00 00 00 >"$work/out" 2>&1
check "an unknown command has its sense data" grep -qi 'illegal request' "$work/out"

# ---- tar, plain and by a compressor, cpio
check "tar writes" x tar -C "$work" -b 128 -cf /dev/st0 tree
is "rewound at the last close" 0 "$(at)"
check "tar compares" x tar -C "$work" -b 128 -df /dev/st0
check "tar and gzip write" x tar -C "$work" -czf /dev/nst0 tree
is "one file" 1 "$(x mt-st -f /dev/nst0 status | sed -n 's/^File number=\([-0-9]*\),.*/\1/p')"
x mt-st -f /dev/nst0 rewind
is "tar lists" 8 "$(x tar -tzf /dev/st0 | wc -l)"
if has cpio cpio; then
    (cd "$work" && find tree | x cpio -o -C 65536 --quiet -O /dev/st1 2>"$work/out") ||
        bad "cpio writes: $(cat "$work/out")"
    is "cpio lists" 8 "$(x cpio -it -C 65536 --quiet -I /dev/st1 2>/dev/null | wc -l)"
fi

# ---- programs that buffer streams for tapes
for program in mbuffer:mbuffer:-q:-f buffer:buffer::; do
    IFS=: read -r package name quiet force <<<"$program"
    has "$package" "$name" || continue
    x mt-st -f /dev/nst0 rewind
    # shellcheck disable=SC2086 # an option or none
    x sh -c 'head -c 3000000 /dev/zero | "$@"' - $name $quiet -s 64k -o /dev/nst0 $force 2>"$work/out" || bad "$name: $(cat "$work/out")"
    x mt-st -f /dev/nst0 rewind
    is "what $name wrote" 3000000 "$(x dd if=/dev/nst0 bs=64k 2>/dev/null | wc -c)"
done
if has sdparm sdparm; then
    x sdparm --all /dev/sg1 >"$work/out" 2>&1
    check "sdparm knows the compression page" grep -q "Data compression" "$work/out"
fi

# ---- what st counts: two files of three blocks
place() { # file and block number, flags
    x mt-st -f /dev/nst0 status |
        sed -n -e 's/^File number=\([-0-9]*\), block number=\([-0-9]*\),.*/\1 \2/p' \
            -e '/General status bits/{n;s/ IM_REP_EN//p}' | paste -sd ''
}
x mt-st -f /dev/nst0 rewind
x sh -c 'for i in 1 2; do dd if=/dev/zero of=/dev/nst0 bs=10k count=3 2>/dev/null; done'
is "behind two files" "2 0 EOF ONLINE" "$(place)"
x mt-st -f /dev/nst0 rewind
is "at the beginning" "0 0 BOT ONLINE" "$(place)"
x dd if=/dev/nst0 of=/dev/null bs=10k count=2 2>/dev/null
is "two blocks read" "0 2 ONLINE" "$(place)"
x dd if=/dev/nst0 of=/dev/null bs=10k 2>/dev/null
is "the filemark met" "1 0 EOF ONLINE" "$(place)"
x sh -c 'dd if=/dev/nst0 bs=10k; dd if=/dev/nst0 bs=10k' >/dev/null 2>&1
is "the end of data met" "2 -1 EOD ONLINE" "$(place)"
says "Input/output error" dd if=/dev/nst0 of=/dev/null bs=10k
x mt-st -f /dev/nst0 rewind
check "compression can be asked for" x mt-st -f /dev/nst0 compression 1

# ---- shells: descriptors that go from program to program
check "two programs write one file" x bash -c \
    '{ dd if="$1" bs=10k count=1; dd if="$1" bs=10k count=1; } 2>/dev/null >/dev/nst0' - "$tree/sub/file5"
is "two blocks, one filemark" 3 "$(at)"
x mt-st -f /dev/nst0 rewind
check "a program reads what the shell opened" x sh -c 'dd bs=64k </dev/nst0 2>/dev/null >"$1"' - "$work/got"
is "both blocks" 20480 "$(stat -c %s "$work/got")"
x mt-st -f /dev/nst0 rewind
check "cat writes" x sh -c 'cat "$1" >/dev/nst0' - "$tree/sub/file1"
x mt-st -f /dev/nst0 rewind
x sh -c 'cat /dev/nst0' >"$work/got"
check "cat reads" cmp "$work/got" "$tree/sub/file1"
says "busy" sh -c 'exec 5<>/dev/nst0; dd if=/dev/nst0 of=/dev/null count=1'
says "busy" sh -c 'exec 5<>/dev/nst0; tar -tf /dev/st0'
says "used by another" sh -c 'exec 5<>/dev/nst0; "$1" dump --drive 0 --volume CAP001L8 /tmp' - "$capstan"
x mt-st -f /dev/nst0 rewind
check "the children of a shell" x bash -c \
    'exec 5>/dev/nst0; dd if=/dev/zero bs=10k count=1 >&5 2>/dev/null; (true); (true)
        dd if=/dev/zero bs=10k count=1 >&5 2>/dev/null'
is "a child that ends does not end the file" 3 "$(at)"

# ---- stdio, and calls that are meant for files
x mt-st -f /dev/nst0 rewind
x sh -c 'tee /dev/nst0 <"$1" >"$2"' - "$tree/sub/file1" "$work/got"
for how in 'md5sum /dev/nst0' 'md5sum </dev/nst0'; do
    x mt-st -f /dev/nst0 rewind
    is "$how" "$(md5sum <"$tree/sub/file1" | cut -c1-32)" "$(x sh -c "$how" | cut -c1-32)"
done
x mt-st -f /dev/nst0 rewind
x sh -c 'awk "BEGIN { for (i = 0; i < 2000; i++) print \"line\", i }" >/dev/nst0'
x mt-st -f /dev/nst0 rewind
is "sort reads what awk wrote" 2000 "$(x sort /dev/nst0 | wc -l)"
x mt-st -f /dev/nst0 rewind
is "cp copies a file of the tape" 0 "$(x cp /dev/nst0 "$work/got" && tail -n 1 "$work/got" | grep -vc '^line 1999$')"
is "a tape is no link" /dev/nst0 "$(x readlink -f /dev/nst0)"
if has python3 python3; then
    x mt-st -f /dev/nst0 rewind
    is "sendfile, locks, fsync and vectors" "18890 22 29 ok" "$(x python3 -c '
import errno, fcntl, os, shutil, sys
def refusal(call, *args):
    try: call(*args)
    except OSError as e: return e.errno
shutil.copyfile("/dev/nst0", sys.argv[1])
f = os.open("/dev/nst0", os.O_RDWR)
fcntl.lockf(f, fcntl.LOCK_EX)
fcntl.flock(f, fcntl.LOCK_UN)
still = refusal(os.open, "/dev/nst0", os.O_RDONLY) == errno.EBUSY
both = os.writev(f, [b"a" * 100, b"b" * 200]) == 300
print(os.path.getsize(sys.argv[1]), refusal(os.fsync, f), refusal(os.pread, f, 1, 0),
      "ok" if still and both else "not ok")' "$work/got")"
fi

# ---- a program that was killed: the next one finds its file ended
x mt-st -f /dev/nst0 rewind
x bash -c '(dd if=/dev/zero bs=10k count=3; kill -KILL $BASHPID) >/dev/nst0' 2>/dev/null
x bash -c 'exec 5>/dev/nst0; dd if=/dev/zero bs=10k count=3 >&5; kill -KILL $$' 2>/dev/null
is "three blocks and a filemark, twice" 8 "$(at)"

# ---- the end of the tape
x mtx -f /dev/sg0 unload 2 1 >/dev/null
x mtx -f /dev/sg0 load 5 1 >/dev/null
says "No space left" dd if=/dev/zero of=/dev/nst1 bs=64k
checks=$((checks + 1))
[ "$(at /dev/nst1)" -gt 50 ] || bad "the tape ended after $(at /dev/nst1) blocks"
x mt-st -f /dev/nst1 rewind
is "what was written reads" "$(($(x dd if=/dev/nst1 bs=64k 2>/dev/null | wc -c) / 65536 * 65536))" \
    "$(x sh -c 'mt-st -f /dev/nst1 rewind; dd if=/dev/nst1 bs=64k 2>/dev/null' | wc -c)"

# ---- operations that there are not, and those that are refused
says "Invalid argument" mt-st -f /dev/nst0 setpartition 1 # exec_options.sh has it with partitions
says "Input/output error" mt-st -f /dev/nst0 fss 1
for mode in 0 1; do
    check "buffered mode $mode" x mt-st -f /dev/nst0 drvbuffer "$mode"
    is "buffered mode $mode" "$mode" "$(x sg_raw -r 12 -b /dev/sg1 1a 00 00 00 0c 00 2>/dev/null | od -An -tu1 -j2 -N1 | awk '{print int($1 / 16) % 8}')"
done
says "Input/output error" mt-st -f /dev/nst0 drvbuffer 5
check "lock" x mt-st -f /dev/nst0 lock
check "retension" x mt-st -f /dev/nst0 retension

# ---- our own dump on tape, read by restore(8), and the stream of dump(8)
expect 0 "unloaded|carried|SML" "$capstan" unload 1
if has dump restore; then
    expect 0 "dumped" "$capstan" dump --pool CAP003L8 --blocking 256 --drive 1 "$tree"
    check "restore(8) reads /dev/nst1" x sh -c \
        'mt-st -f /dev/nst1 rewind; restore -tf /dev/nst1 -b 256 >"$1"' - "$work/out"
    is "restore(8) lists the files" 5 "$(grep -c 'sub/file[0-9]$' "$work/out")"
fi
# dump(8) makes its writers by a clone() of its own; it wants a block device.
if has dump restore && mke2fs -q -t ext4 -d "$tree" "$work/image" 16M 2>"$work/out" &&
    loop=$(losetup --find --show "$work/image" 2>"$work/out"); then
    x mt-st -f /dev/nst1 rewind
    check "dump(8) writes to /dev/nst1" x timeout 120 dump -0 -b 64 -f /dev/nst1 "$loop"
    losetup -d "$loop"
    check "restore(8) reads what dump(8) wrote" x sh -c \
        'mt-st -f /dev/nst1 rewind; restore -tf /dev/nst1 -b 64 >"$1"' - "$work/out"
    is "restore(8) lists the files of dump(8)" 5 "$(grep -c 'sub/file[0-9]$' "$work/out")"
else
    echo "dump(8) to tape is left out: $(tail -n 1 "$work/out")"
fi

# ---- the daemon ends under a program that has a drive
says "Input/output error" bash -c \
    'exec 5<>/dev/nst0; "$1" stop >/dev/null; read -r -u 5 line' - "$capstan"
serve
says "No such device or address" sh -c '"$1" stop >/dev/null; dd if=/dev/nst0 of=/dev/null' - "$capstan"
serve
says "No such device or address" sh -c '"$1" stop >/dev/null; mtx -f /dev/sg0 status' - "$capstan"

# ---- CHAP
printf 'secret-of-16-byte' >"$CAPSTAN_ROOT/secret"
chmod 600 "$CAPSTAN_ROOT/secret"
sed -i 's/^\[chap\]/&\nuser = me\nsecret_file = secret/' "$CAPSTAN_ROOT/capstan.conf"
serve
check "with CHAP" x sg_turs /dev/sg0
x env >"$work/out"
check "the secret is not in the environment" bash -c '! grep -q secret-of "$1"' - "$work/out"
printf 'another-16-bytes!' >"$CAPSTAN_ROOT/secret"
says "No such device or address" sh -c 'cat /dev/nst0'
expect 0 "stopped" "$capstan" stop

# ---- as nobody
if [ "$(id -u)" = 0 ] && [ -z "${EXEC_AS_NOBODY:-}" ]; then
    mkdir -m 777 "$work/nobody"
    chmod 755 "$work"
    checks=$((checks + 1))
    if setpriv --reuid=nobody --clear-groups test -x "$capstan" -a -r "$srcdir/tests/interop/cli_common.sh"; then
        EXEC_AS_NOBODY=1 TMPDIR=$work/nobody HOME=$work/nobody setpriv --reuid=nobody \
            --regid=nogroup --clear-groups bash "$0" || bad "as nobody"
    else
        echo "nobody cannot reach this build tree: that part is left out"
    fi
fi
