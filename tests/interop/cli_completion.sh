#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The completion of command lines offers what the table of verbs and the library have.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

expect 0 "made" "$capstan" init --portal 127.0.0.1:0 --cartridges 2
"$capstan" help --completion >"$work/completion" || exit 1
check "it is bash" bash -n "$work/completion"
if command -v shellcheck >/dev/null; then
    check "shellcheck has nothing to say" shellcheck -s bash -S warning "$work/completion"
fi
# shellcheck disable=SC1091
. "$work/completion"
check "it is set up" complete -p capstan

# offers "WORDS" ITEM... [! ITEM...]: completing the last of the words offers these, and not those.
offers() {
    local words=$1 wanted=0 item
    shift
    checks=$((checks + 1))
    IFS=' ' read -r -a COMP_WORDS <<<"$words"
    [ "${words% }" = "$words" ] || COMP_WORDS+=('')
    COMP_WORDS[0]=$capstan
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _capstan
    for item; do
        if [ "$item" = ! ]; then
            wanted=1
        else
            grep -qxF -- "$item" <<<"$(printf '%s\n' "${COMPREPLY[@]}")"
            [ $? = $wanted ] || bad "'$words' offers: ${COMPREPLY[*]}; $item is wrong ($wanted)"
        fi
    done
}

offers "capstan " init serve cartridge catalog fault --root ! create set
offers "capstan car" cartridge ! catalog
offers "capstan cartridge " create list verify ! cartridge init
offers "capstan --root $CAPSTAN_ROOT cartridge v" verify vault ! create
offers "capstan cartridge create --" --slot --json --root --help ! --level
offers "capstan exec --" --help ! --json
offers "capstan cartridge show " CAP001L8 CAP002L8 ! CAP003L8
offers "capstan load CAP002" CAP002L8 ! CAP001L8
offers "capstan fault set m" medium-error ! robot-jam
offers "capstan fault set medium-error --cartridge " CAP001L8
offers "capstan init --drive-model IBM-ULT3580-TD" IBM-ULT3580-TD8 ! STK-L700
offers "capstan personality show STK" STK-L700
mkdir "$work/tree"
offers "capstan dump $work/tr" "$work/tree"
offers "capstan nonsense " ! init create
