# SPDX-License-Identifier: Apache-2.0
# Make the C source that holds the data files of personalities/ as text, one string a line:
#   awk -f embed.awk FILE.conf... >builtin.c
FNR == 1 {
    if (open) print "    },"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.conf$/, "", name)
    if (!open) {
        print "/* SPDX-License-Identifier: Apache-2.0 */"
        print "/* Made by vtl/personality/embed.awk from personalities/: do not edit. */"
        print "#include \"vtl/personality/personality.h\"\n"
        print "const struct personality_file personality_files[] = {"
    }
    open = 1
    print "    {\"" name "\","
}
{
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    print "     \"" $0 "\\n\""
}
END {
    if (!open) { print "no file was given" > "/dev/stderr"; exit 1 }
    print "    },\n    {NULL, NULL},\n};"
}
