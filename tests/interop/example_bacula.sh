#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/bacula: Debian's Bacula labels, backs up and restores with our drives and changer.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"

for program in bacula-dir bacula-sd bacula-fd bconsole sqlite3; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
export CAPSTAN=$capstan TMPDIR=$work # its scratch directory ends up here
example=$srcdir/examples/bacula

# ---- a tree with something of everything, 12 MB: dozens of tape blocks
tree="$work/a tree"
mkdir -p "$tree/sub/deep" "$tree/empty"
head -c 12000000 /dev/urandom >"$tree/random"
truncate -s 5M "$tree/sparse" && echo end >>"$tree/sparse"
: >"$tree/nothing"
echo "a name" >"$tree/sub/sp ace Ünd 'quotes'"
ln -s "../random" "$tree/sub/link"
ln -s nowhere "$tree/sub/dangling"
ln "$tree/random" "$tree/sub/deep/hard"
printf '#!/bin/sh\n' >"$tree/sub/run" && chmod 750 "$tree/sub/run"
touch -d '2001-02-03 04:05:06' "$tree/sub/run" "$tree/sub/deep" "$tree/sub"

# Names, types, modes, times (Bacula keeps seconds), links.
list() {
    (cd "$1" && find . -printf '%P %y %m %Ts %l\n' | sed 's/^\([^ ]* l [0-7]*\) [0-9]*/\1/' | sort)
}

expect 0 "restore: identical" timeout -k 10 300 "$example/run" "$work/bacula" "$tree"
check "a job complains" test -z "$(grep -E "Error:|Warning:|Fatal" "$work/bacula/log/jobs.log")"
check "names or attributes differ" diff <(list "$tree") <(list "$work/bacula/restored$tree")
check "hard links are no more" test "$work/bacula/restored$tree/random" -ef "$work/bacula/restored$tree/sub/deep/hard"

# ---- what Bacula says it has done is where the library says
export CAPSTAN_ROOT=$work/bacula/tapes
volume=$(sqlite3 "$work/bacula/state/catalog.db" "select VolumeName from Media where VolBytes > 12000000")
check "no volume has the backup" test -n "$volume"
expect 0 "^$volume +(drive:1|slot:[12]) +.* good +1[0-9]\.[0-9] MB" "$capstan" cartridge list
expect 0 "^BACULA=2/2/0$" sqlite3 "$work/bacula/state/catalog.db" \
    "select 'BACULA=' || count(*) || '/' || sum(JobStatus = 'T') || '/' || sum(JobErrors) from Job"

# ---- nothing is left
# The directory stands in the arguments of every process of the example.
running=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ') # before grep has it in its own arguments
left=$(grep -oaF "$work/bacula/conf" <<<"$running" || true)
check "left running: $left" test -z "$left"
check "scratch is left" test "$(cd "$work" && echo *)" = "a tree bacula"

# ---- wrong use
expect_words() { # CODE PATTERN COMMAND...: the same without the sentence of capstan
    local code=$1 pattern=$2 got=0
    shift 2
    checks=$((checks + 1))
    out=$("$@" 2>&1 </dev/null) || got=$?
    { [ "$got" = "$code" ] && grep -qE -- "$pattern" <<<"$out"; } || bad "$got: $out: $*"
}
expect_words 2 "usage:" "$example/run" --unknown
expect_words 2 "usage:" "$example/set-up" "$work/x"
expect_words 1 "set-up: .*exists" "$example/set-up" "$work/bacula" "$tree"
expect_words 1 "set-up: .*no directory" "$example/set-up" "$work/x" "$work/nothing"
