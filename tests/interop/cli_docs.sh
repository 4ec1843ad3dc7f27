#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tables of the program, its help and its manual say the same: verbs, options and their
# arguments, keys of the configuration and their defaults, exit codes.  In both directions.
# shellcheck source=tests/interop/cli_common.sh disable=SC2154,SC2034
. "$(dirname "$0")/cli_common.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
checks=1
python3 - "$capstan" "$srcdir/doc/man" <<'END' || failures=$((failures + 1))
import json, os, re, subprocess, sys

program, man = sys.argv[1:]
table = json.loads(subprocess.check_output([program, "help", "--json"]))
bad = 0


def complain(text):
    global bad
    bad += 1
    print("FAIL:", text)


def same(what, a, a_name, b, b_name):
    for item in sorted(set(a) - set(b)):
        complain(f"{what}: {a_name} has {item!r}, {b_name} has not")
    for item in sorted(set(b) - set(a)):
        complain(f"{what}: {b_name} has {item!r}, {a_name} has not")


def read(page):
    path = os.path.join(man, page)
    if not os.path.exists(path):
        complain(f"there is no {page}")
        return ""
    return open(path, encoding="utf-8").read()


def section(text, macro, name):
    """The lines behind `.Sh name` or `.Ss name` up to the next of the same or a higher rank."""
    stop = r"\.S[hs]" if macro == "Ss" else r"\.Sh"
    found = re.search(rf"^\.{macro} {re.escape(name)}\n(.*?)(?=^{stop} |\Z)", text, re.M | re.S)
    return found.group(1) if found else ""


def flags(lines, macro):
    """{"name": "argument" or ""} of `.It Fl -name Ar argument` or `.Op Fl ...`."""
    found = re.findall(rf"^\.{macro} Fl -([a-z-]+)(?: Ar ([a-z]+))?$", lines, re.M)
    return [f"--{name} {argument}".strip() for name, argument in found]


def option_text(option):
    return f"--{option['name']} {(option['argument'] or '').lower()}".strip()


common = {"root", "help"}
exit_codes = [str(code["code"]) for code in table["exit_codes"]]
for verb in table["verbs"]:
    name = verb["name"]
    help_text = subprocess.check_output([program, *name.split(), "--help"], text=True)
    shown = [f"--{n} {(a or '').lower()}".strip()
             for n, a in re.findall(r"^  --([a-z-]+)(?: ([A-Z]+))? ", help_text, re.M)]
    own = [option_text(o) for o in verb["options"] if o["name"] not in common]
    same(f"capstan {name}", [option_text(o) for o in verb["options"]], "the table", shown, "its help")
    same(f"capstan {name}: exit codes", re.findall(r"^  (\d)  ", help_text, re.M), "its help",
         exit_codes, "the table")

    page = f"capstan-{name.split()[0]}.1"
    text = read(page)
    group = " " in name
    listed = section(text, "Ss" if group else "Sh", name if group else "OPTIONS")
    if group and not listed:
        complain(f"{page} has no subsection for {name}")
    same(f"{page}: {name}", own, "the table", flags(listed, "It"), "the list of options")
    synopsis = re.search(rf"^\.Cm {re.escape(name)}\n((?:\.(?:Op|Ar) .*\n)*)",
                         section(text, "Sh", "SYNOPSIS"), re.M)
    lines = synopsis.group(1) if synopsis else ""
    same(f"{page}: {name}", own, "the table", flags(lines, "Op"), "the synopsis")
    operands = [w.lower() for w in re.findall(r"[A-Z]+", verb["operands"])]
    same(f"{page}: {name}", operands, "the table",
         re.findall(r"^\.(?:Op )?Ar ([a-z]+)", lines, re.M), "the synopsis")
    for code in re.findall(r"^\.It (\d+)$", section(text, "Sh", "EXIT STATUS"), re.M):
        if code not in exit_codes:
            complain(f"{page} has an unknown exit status {code}")

overview = read("capstan.1")
same("verbs", [v["name"] for v in table["verbs"]], "the table",
     re.findall(r"^\.It Cm (.+)$", section(overview, "Sh", "DESCRIPTION"), re.M), "capstan.1")
usage = subprocess.check_output([program, "help"], text=True)
same("verbs", [v["name"] for v in table["verbs"]], "the table",
     re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +[a-z]", usage.split("Exit status")[0], re.M),
     "capstan help")
same("common options", ["--root directory", "--json", "--help"], "the table",
     flags(section(overview, "Sh", "OPTIONS"), "It"), "capstan.1")
same("exit codes", exit_codes, "the table",
     re.findall(r"^\.It (\d+)$", section(overview, "Sh", "EXIT STATUS"), re.M), "capstan.1")
pages = {f"capstan-{v['name'].split()[0]}.1" for v in table["verbs"]} | {"capstan.1", "capstan.conf.5"}
same("pages", pages, "the table", os.listdir(man), "doc/man")

conf = read("capstan.conf.5")
documented = []
for name in re.findall(r"^\.Ss \[(.*)\]$", conf, re.M):
    lines = section(conf, "Ss", f"[{name}]")
    for key, body in re.findall(r"^\.It Cm (\S+)\n(.*?)(?=^\.It |^\.El)", lines, re.M | re.S):
        default = re.search(r"Default:\s+(?:\.Li )?(\S+?)\s*\.?$", body, re.M)
        default = None if "is required" in body else default.group(1) if default else "?"
        documented.append(f"[{name}] {key} = {'' if default == 'none' else default}")
same("configuration", [f"[{k['section']}] {k['key']} = {k['default']}" for k in table["config"]],
     "the table", documented, "capstan.conf.5")
sys.exit(bad != 0)
END

if command -v mandoc >/dev/null; then
    check "mandoc finds faults in the manual" mandoc -T lint -W warning "$srcdir"/doc/man/*
fi
