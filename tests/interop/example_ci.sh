#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/ci/workflow.yml: its steps are taken from there and run as a runner does, in the order
# they stand in, with the capstan under test in place of the one that the job builds.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"
# shellcheck source=tests/interop/exec_common.sh
. "$srcdir/tests/interop/exec_common.sh"
workflow=$srcdir/examples/ci/workflow.yml

# "### NAME" and the lines of its script, for each step that has one.
awk '
    /^      - / { name = ""; inside = 0 }
    /^      - name: / { name = substr($0, 15) }
    /^        run: \|$/ { print "### " name; inside = 1; next }
    inside && /^          / { print substr($0, 11); next }
    inside && NF { inside = 0 }' "$workflow" >"$work/steps"
mapfile -t names < <(sed -n 's/^### //p' "$work/steps")
check "the steps of the job are others: ${names[*]}" test "${names[*]}" = \
    "Build Capstan Start a library Back up Restore and compare A bad spot on the tape is noticed Stop"
script_of() { # NAME
    awk -v wanted="### $1" '/^### / { inside = ($0 == wanted); next } inside' "$work/steps"
}

# What a runner gives: a checkout, a directory for scratch files, and files through which a step tells
# those after it variables and directories of programs.
export GITHUB_WORKSPACE=$work/project RUNNER_TEMP=$work/temp GITHUB_ENV=$work/env GITHUB_PATH=$work/path
mkdir -p "$GITHUB_WORKSPACE/.capstan" "$RUNNER_TEMP"
: >"$GITHUB_ENV"
: >"$GITHUB_PATH"
cp -r "$srcdir/doc" "$srcdir/README.md" "$GITHUB_WORKSPACE"
head -c 3000000 /dev/urandom >"$GITHUB_WORKSPACE/random"
ln -s doc/man "$GITHUB_WORKSPACE/link"
export PATH=${capstan%/*}:$PATH

run_step() { # NAME: as a runner does with "shell: bash"
    local line
    while IFS= read -r line; do
        export "${line?}"
    done <"$GITHUB_ENV"
    script_of "$1" >"$work/step.sh"
    checks=$((checks + 1))
    (cd "$GITHUB_WORKSPACE" && timeout -k 10 120 bash --noprofile --norc -eo pipefail "$work/step.sh") \
        >"$work/step.out" 2>&1 </dev/null || {
        bad "the step \"$1\" fails"
        tail -20 "$work/step.out"
    }
}

# The build is what tests/run does all the time; its commands are those of the manual.
script_of "Build Capstan" >"$work/build.sh"
check "the build is no script" bash -n "$work/build.sh"
check "examples/install-packages is no more" test -x "$srcdir/examples/install-packages"
check "it has no section [build]" grep -q '^\[build\]$' "$srcdir/examples/packages.txt"
for command in "autoreconf -fi" ../configure make; do
    check "README.md does not build by $command" grep -qF "$command" "$srcdir/README.md"
done

for name in "${names[@]:1}"; do
    run_step "$name"
    [ "$name" != "Start a library" ] || {
        check "no variable for the steps behind" grep -q '^CAPSTAN_ROOT=' "$GITHUB_ENV"
        CAPSTAN_ROOT=$(sed -n 's/^CAPSTAN_ROOT=//p' "$GITHUB_ENV")
        export CAPSTAN_ROOT
        daemons+=("$(daemon_pid)")
    }
done
check "the daemon goes on" test -z "$(daemon_pid)"
check "nothing is on the tape" test "$(find "$CAPSTAN_ROOT" -type f -size +2900k | wc -l)" -ge 1
check "nothing was restored" cmp "$GITHUB_WORKSPACE/random" "$RUNNER_TEMP/restored/random"
