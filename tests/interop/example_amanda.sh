#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/amanda: Debian's Amanda labels, checks, backs up, vaults and restores with our drives and
# changer.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

for program in amdump amcheck amvault amfetchdump amrestore /usr/lib/amanda/application/amgtar; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
[ "$(id -u)" = 0 ] || skip "needs root, to become Amanda's user"
unshare --mount true 2>/dev/null || skip "no mount namespace can be made here"
chmod 755 "$work"
as_backup() {
    setpriv --reuid=backup --regid=backup --init-groups "$@"
}
as_backup test -x "$capstan" || skip "the user backup cannot reach this build tree"
export CAPSTAN=$capstan TMPDIR=$work
example=$srcdir/examples/amanda

# ---- a tree with something of everything, 12 MB
tree=$work/tree
mkdir -p "$tree/sub/deep" "$tree/empty"
head -c 12000000 /dev/urandom >"$tree/random"
truncate -s 5M "$tree/sparse" && echo end >>"$tree/sparse"
: >"$tree/nothing"
echo "a name" >"$tree/sub/sp ace Ünd 'quotes'"
ln -s "../random" "$tree/sub/link"
ln "$tree/random" "$tree/sub/deep/hard"
printf '#!/bin/sh\n' >"$tree/sub/run" && chmod 750 "$tree/sub/run"
echo secret >"$tree/sub/mine" && chmod 600 "$tree/sub/mine" # only amgtar's privileges read it
touch -d '2001-02-03 04:05:06' "$tree/sub/run" "$tree/sub/deep" "$tree/sub"

list() { # names, types, modes, times, links
    (cd "$1" && find . -printf '%P %y %m %Ts %l\n' | sort)
}

before=$(ls -A /etc/amanda /var/lib/amanda /var/log/amanda)
expect 0 "restore: identical, twice" timeout -k 10 400 "$example/run" "$work/amanda" "$tree"
checks=$((checks + 4))
grep -q "0 problems found" <<<"$out" || bad "amcheck has found problems"
grep -qE "^[0-9-]+ [0-9:]+ localhost $tree +0 +capstan +capstan +CAP-001 +1 +1/1 OK" <<<"$out" || bad "the backup is not in Amanda's list"
grep -qE "^[0-9-]+ [0-9:]+ localhost $tree +0 +vault +vault +VLT-001 +1 +1/1 OK" <<<"$out" || bad "the copy is not in Amanda's list"
if grep -qE "FAILED|STRANGE|FAILURE" <<<"$out"; then bad "a dump complains"; fi
for where in restored from-vault; do
    check "names or attributes differ: $where" diff <(list "$tree") <(list "$work/amanda/$where")
    check "hard links are no more" test "$work/amanda/$where/random" -ef "$work/amanda/$where/sub/deep/hard"
done

# ---- what Amanda says it has done is where the library says
expect 0 "^CAP001L8 +(drive:0|slot:1) +.* good +1[0-9]\.[0-9] MB" as_backup "$capstan" cartridge list --root "$work/amanda/tapes"
expect 0 "^CAP005L8 +(drive:1|slot:5) +.* good +1[0-9]\.[0-9] MB" as_backup "$capstan" cartridge list --root "$work/amanda/tapes"

# ---- nothing is left
check "the machine's own Amanda was touched" test "$before" = "$(ls -A /etc/amanda /var/lib/amanda /var/log/amanda)"
running=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ') # before grep has it in its own arguments
left=$(grep -oaF "$work/amanda/tapes" <<<"$running" || true)
check "left running: $left" test -z "$left"
check "scratch is left" test "$(cd "$work" && echo *)" = "amanda tree"

# ---- wrong use
expect_words() { # CODE PATTERN COMMAND...: the same without the sentence of capstan
    local code=$1 pattern=$2 got=0
    shift 2
    checks=$((checks + 1))
    out=$("$@" 2>&1 </dev/null) || got=$?
    { [ "$got" = "$code" ] && grep -qE -- "$pattern" <<<"$out"; } || bad "$got: $out: $*"
}
expect_words 2 "usage:" "$example/run" --unknown
expect_words 2 "usage:" "$example/room" "$work/nothing" true
expect_words 2 "usage:" "$example/set-up" "$work/x"
expect_words 1 "set-up: .*exists" "$example/set-up" "$work/amanda" "$tree"
expect_words 1 "set-up: .*no directory" "$example/set-up" "$work/x" "$work/nothing"
expect_words 1 "needs root" as_backup "$example/set-up" "$work/x" "$tree"
