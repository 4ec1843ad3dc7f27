/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the `capstan` program: find the verb, run it, make an exit code of what it says. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"

static const char *verb_name(size_t i)
{
    size_t count;

    return cli_verbs(&count)[i].name;
}

/* The verbs that begin with this word, for a person who stopped after it. */
static int explain_group(const char *word, struct error *err)
{
    size_t count, len = strlen(word);
    const struct cli_verb *verbs = cli_verbs(&count);
    char list[160] = "";

    for (size_t i = 0; i < count; i++)
        if (strncmp(verbs[i].name, word, len) == 0 && verbs[i].name[len] == ' ')
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "",
                     verbs[i].name + len + 1);
    if (*list)
        return error_set(err, ERR_USAGE, "'capstan %.40s' needs one of: %s", word, list);
    return 0;
}

static int unknown_verb(const char *word, struct error *err)
{
    size_t count;
    const char *nearest;
    int rc = explain_group(word, err);

    if (rc)
        return rc;
    cli_verbs(&count);
    nearest = cli_nearest(word, verb_name, count);
    return error_set(err, ERR_USAGE, "there is no verb '%.40s'%s%s%s", word,
                     nearest ? "; did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?" : "");
}

/* The verb that argv[0], or argv[0] and argv[1], name; *words says how many were used. */
static int find_verb(int argc, char **argv, const struct cli_verb **out, int *words,
                     struct error *err)
{
    size_t count;
    const struct cli_verb *verbs = cli_verbs(&count);
    char two[80];

    if (argc > 1 && snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]) >= (int)sizeof(two))
        two[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        bool one_word = strcmp(verbs[i].name, argv[0]) == 0;

        if (!one_word && (argc < 2 || strcmp(verbs[i].name, two) != 0))
            continue;
        *out = &verbs[i];
        *words = one_word ? 1 : 2;
        return 0;
    }
    return unknown_verb(argv[0], err);
}

static int run_verb(struct cli *cli, int argc, char **argv, struct error *err)
{
    CLEANUP_FREE char *root = NULL;
    bool help = false;
    int rc = cli_parse(cli, argc, argv, &help, err);

    if (rc)
        return rc;
    if (help) {
        cli_help_verb(cli->verb);
        return 0;
    }
    rc = cli_root(cli->root, &root, err);
    cli->root = root;
    return rc ? rc : cli->verb->run(cli, err);
}

/* Options in front of the verb: only --root. */
static int take_leading(int argc, char **argv, struct cli *cli, int *used, struct error *err)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            cli->root = argv[++i];
        else if (strncmp(argv[i], "--root=", 7) == 0)
            cli->root = argv[i] + 7;
        else
            return error_set(err, ERR_USAGE, "there is no option %.60s in front of a verb",
                             argv[i]);
    }
    *used = i;
    return 0;
}

/* `capstan --help` and `capstan --version`, as people type them before they know the verbs. */
static void translate(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        argv[1] = help;
    else if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
}

static int run(int argc, char **argv, struct cli *cli, struct error *err)
{
    int used = argc, words = 1, rc = take_leading(argc, argv, cli, &used, err);

    if (rc)
        return rc;
    if (used >= argc)
        return error_set(err, ERR_USAGE, "what shall be done? 'capstan help' lists the verbs");
    rc = find_verb(argc - used, argv + used, &cli->verb, &words, err);
    if (rc)
        return rc;
    /* getopt_long() skips its first word: the last one of the verb. */
    used += words - 1;
    return run_verb(cli, argc - used, argv + used, err);
}

static enum cli_exit exit_code(int rc)
{
    switch (-rc) {
    case 0:
        return CLI_DONE;
    case ERR_USAGE:
        return CLI_USAGE;
    case ERR_PARTIAL:
        return CLI_PARTIAL;
    case ERR_OPERATOR:
        return CLI_OPERATOR;
    default:
        return CLI_FAILURE;
    }
}

/* Everything printed must have been taken. */
static int finish_output(struct error *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return error_errno(err, "the output could not be written");
}

/* Who closed the pipe has seen enough (`| head`): then end as every filter does, by SIGPIPE and
 * without a word. */
static void end_with_the_pipe(const struct error *err)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    if (err->code != ERR_IO || !ferror(stdout))
        return;
    if (poll(&out, 1, 0) != 1 || !(out.revents & POLLERR))
        return; /* it was another write that failed */
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct cli cli = {0};
    int rc;

    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of write() */
    translate(argc, argv);
    rc = run(argc, argv, &cli, &err);
    if (!rc)
        rc = finish_output(&err);
    if (rc)
        end_with_the_pipe(&err);
    if (rc)
        fprintf(stderr, "capstan: %s\n",
                err.message[0] ? err.message : error_code_sentence((enum error_code) - rc));
    if (rc == -ERR_USAGE)
        fprintf(stderr, "Try 'capstan %s%s--help'.\n", cli.verb ? cli.verb->name : "",
                cli.verb ? " " : "");
    return (int)exit_code(rc);
}
