/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.c - `capstan help --completion`: completion for bash, made from the table of verbs.
 *
 * The script is a table, a line for each verb with its options, those that take an argument, and
 * its operands, and below it the same few functions for every verb.  What an argument or an operand
 * is called says what is offered for it: files, directories, the barcodes of the library, names.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "vtl/fault/faults.h"

static void print_options(const struct cli_verb *verb, bool valued)
{
    const struct cli_option *lists[] = {verb->options, cli_common_options()};

    for (size_t l = 0; l < 2; l++) {
        for (const struct cli_option *o = lists[l]; o->name; o++) {
            if (l == 1 && !verb->json && strcmp(o->name, "json") == 0)
                continue;
            if (valued && o->argument)
                printf(" --%s=%s", o->name, o->argument);
            else if (!valued)
                printf(" --%s", o->name);
        }
    }
}

static void print_table(void)
{
    size_t count;
    const struct cli_verb *verbs = cli_verbs(&count);

    printf("_capstan_verbs='");
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? "\n" : "", verbs[i].name);
    puts("'\n\n_capstan_verb() {\n    case $1 in");
    for (size_t i = 0; i < count; i++) {
        printf("    '%s')\n        options='", verbs[i].name);
        print_options(&verbs[i], false);
        printf("'\n        valued='");
        print_options(&verbs[i], true);
        printf(" '\n        operands='%s' ;;\n", verbs[i].operands);
    }
    printf("    esac\n}\n\n_capstan_faults='");
    for (unsigned i = 0; i < FAULT_NAMES; i++)
        printf("%s%s", i ? " " : "", faults_kinds()[i].name);
    puts("'");
}

static const char functions[] =
    "\n"
    "# What may stand for an argument of that name.\n"
    "_capstan_values() {\n"
    "    local cur=$1 kind=$2\n"
    "    case $kind in\n"
    "    *DIRECTORY* | *DESTINATION*) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "    *FILE* | TAPE | COMMAND*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "    BARCODE* | *CARTRIDGE* | SOURCE*) _capstan_ask \"$cur\" barcode cartridge list ;;\n"
    "    MODEL* | PERSONALITY*) _capstan_ask \"$cur\" name personality list ;;\n"
    "    IMAGE*) _capstan_ask \"$cur\" short catalog list ;;\n"
    "    FAULT) mapfile -t COMPREPLY < <(compgen -W \"$_capstan_faults\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# The values of one member of a listing.\n"
    "_capstan_ask() {\n"
    "    local cur=$1 member=$2\n"
    "    shift 2\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$(\"${_capstan_root[@]}\" \"$@\" --json "
    "2>/dev/null </dev/null |\n"
    "        sed -n 's/^ *\"'\"$member\"'\": \"\\([A-Za-z0-9._-]*\\)\",\\{0,1\\}$/\\1/p')\" "
    "-- \"$cur\")\n"
    "}\n"
    "\n"
    "_capstan() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local verb='' first='' options='' valued='' operands='' word kind i\n"
    "    local _capstan_root=(\"${COMP_WORDS[0]}\")\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        --root) _capstan_root+=(--root \"${COMP_WORDS[++i]}\") ;;\n"
    "        -*) ;;\n"
    "        *)\n"
    "            if [ -z \"$verb\" ] && [ -z \"$first\" ]; then\n"
    "                first=$word\n"
    "                ! grep -qxF -- \"$word\" <<<\"$_capstan_verbs\" || verb=$word\n"
    "            elif [ -z \"$verb\" ] && grep -qxF -- \"$first $word\" "
    "<<<\"$_capstan_verbs\"; then\n"
    "                verb=\"$first $word\"\n"
    "            fi ;;\n"
    "        esac\n"
    "    done\n"
    "    if [ \"$prev\" = --root ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "    elif [ -z \"$verb\" ] && [ -z \"$first\" ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"--root --help "
    "$(cut -d ' ' -f 1 <<<\"$_capstan_verbs\" | sort -u)\" -- \"$cur\")\n"
    "    elif [ -z \"$verb\" ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W "
    "\"$(sed -n \"s/^$first //p\" <<<\"$_capstan_verbs\")\" -- \"$cur\")\n"
    "    else\n"
    "        _capstan_verb \"$verb\"\n"
    "        kind=${valued##* \"$prev\"=}\n"
    "        [[ $prev != --*model ]] || kind=MODEL\n"
    "        if [ \"$kind\" != \"$valued\" ]; then\n"
    "            _capstan_values \"$cur\" \"${kind%% *}\"\n"
    "        elif [[ $cur == -* ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
    "        elif [ \"$verb\" = 'fault set' ]; then\n"
    "            _capstan_values \"$cur\" FAULT\n"
    "        elif [ \"$verb\" = 'personality show' ]; then\n"
    "            _capstan_values \"$cur\" MODEL\n"
    "        else\n"
    "            _capstan_values \"$cur\" \"${operands#[}\"\n"
    "        fi\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -o filenames -F _capstan capstan";

void cli_completion(void)
{
    puts("# bash completion for capstan, made by 'capstan help --completion'");
    print_table();
    puts(functions);
}
