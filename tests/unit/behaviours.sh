#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The table of behaviours in doc/testing.md names tests: each of them exists and passes.
set -u
srcdir=${CAPSTAN_SRCDIR:-.} builddir=${CAPSTAN_BUILDDIR:-.}
failed=0 rows=0

# The rows' tests, one a line: NUMBER PROGRAM CASE...
tests_of_rows() {
    sed -n 's/^| \([0-9]\{1,2\}\) |.*| \(`.*`\) |$/\1 \2/p' "$srcdir/doc/testing.md" |
        while read -r number tests; do
            tr ',' '\n' <<<"$tests" | tr -d '`' | sed "s/^ */$number /"
        done
}

while read -r number program cases; do
    path=$builddir/tests/unit/$program
    [ "$program" != test_oracle ] || path=$builddir/tests/oracle/$program
    rows=$number
    if [ ! -x "$path" ]; then
        echo "row $number: there is no $path"
        failed=1
        continue
    fi
    # shellcheck disable=SC2086 # words are case names
    if ! output=$("$path" $cases 2>&1); then
        echo "row $number: $program $cases failed:"
        tail -n 20 <<<"$output"
        failed=1
    fi
done < <(tests_of_rows)

[ "$rows" = 30 ] || {
    echo "there are $rows rows, not 30"
    failed=1
}
[ "$failed" = 0 ] && echo "30 rows"
exit "$failed"
