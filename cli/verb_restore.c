/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_restore.c - `capstan restore`: from tape back to a directory, or compared with one.
 *
 * With a daemon the robot brings the cartridges by barcode; on a stopped library they are opened
 * directly; with --tape one tape is read without the catalog.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/robot.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "engine/dump/dump.h"
#include "engine/restore/restore.h"
#include "vtl/control/control.h"

const struct cli_option verb_restore_options[] = {
    {"compare", NULL, "compare with DESTINATION instead of writing to it"},
    {"drive", "N", "use that drive; default: one that suits"},
    {"tape", "URL", "read that tape, without the catalog; there is no IMAGE then"},
    {"file", "N", "with --tape: skip N filemarks first; default: 0"},
    {"blocking", "N", "with --tape file: blocks of 1,024 bytes in a record, 4 to 256"},
    {"no-owner", NULL, "do not set owners; the default unless root restores"},
    {"no-devices", NULL, "do not make device nodes; the default unless root restores"},
    {NULL, NULL, NULL},
};

struct restore_job {
    const struct cli *cli;
    struct restore_options options;
    struct report report;
    struct catalog *catalog;
    struct robot *robot; /* NULL: no daemon, or --tape */
    struct tape *tape;   /* ours to close if there is no robot */
};

/* ---- what the engine calls --------------------------------------------------------------- */

static void on_progress(void *ctx, const struct restore_progress *p)
{
    struct restore_job *job = ctx;
    char what[80];

    if (p->files_total)
        snprintf(what, sizeof(what), "files %" PRIu64 "/%" PRIu64, p->files_done, p->files_total);
    else
        snprintf(what, sizeof(what), "files %" PRIu64, p->files_done);
    report_progress(&job->report, what, p->bytes_done, p->bytes_total);
}

static void on_warning(void *ctx, const char *path, const char *message)
{
    report_warning(&((struct restore_job *)ctx)->report, path, message);
}

/* On a stopped library: straight into the cartridge, which no drive can hold now. */
static int open_cartridge(struct restore_job *job, const char *barcode, struct tape **out,
                          struct error *err)
{
    char path[4096], url[4200];
    int rc = library_cartridge_path(job->cli->root, barcode, path, sizeof(path), err);

    if (rc)
        return rc;
    if (access(path, F_OK) < 0)
        return error_set(err, ERR_OPERATOR, "the cartridge %s is not in the library %s", barcode,
                         job->cli->root);
    tape_close(job->tape);
    job->tape = NULL;
    snprintf(url, sizeof(url), "cartridge:%s", path);
    rc = tape_open(url, TAPE_READ, NULL, &job->tape, err);
    if (!rc)
        *out = job->tape;
    return rc;
}

static int on_volume(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                     struct error *err)
{
    struct restore_job *job = ctx;
    int rc;

    if (!*barcode)
        return error_set(err, ERR_OPERATOR,
                         "volume %u of the dump is on another tape; restore it with the catalog",
                         volume);
    rc = job->robot ? robot_bring(job->robot, barcode, out, err)
                    : open_cartridge(job, barcode, out, err);
    /* A cartridge that nobody has is a matter for a person. */
    return rc == -ERR_NOT_FOUND ? error_set(err, ERR_OPERATOR,
                                            "volume %u is on the cartridge %s, which is not in the"
                                            " library; bring it back",
                                            volume, barcode)
                                : rc;
}

/* ---- getting ready ----------------------------------------------------------------------- */

static int restore_configure(struct restore_job *job, struct error *err)
{
    const struct cli *cli = job->cli;
    bool root = geteuid() == 0;
    unsigned first = cli_value(cli, "tape") ? 0 : 1; /* operand that is the destination */

    if (cli->operand_count <= first)
        return error_set(err, ERR_USAGE,
                         "'capstan restore' needs: IMAGE DESTINATION [PATH...], or"
                         " --tape URL DESTINATION [PATH...]");
    if (!first && cli_value(cli, "drive"))
        return error_set(err, ERR_USAGE,
                         "--tape names the tape itself; --drive does not go with it");
    if (first && (cli_value(cli, "file") || cli_value(cli, "blocking")))
        return error_set(err, ERR_USAGE,
                         "--file and --blocking go with --tape only; the catalog"
                         " knows them");
    job->options = (struct restore_options){
        .destination = cli->operands[first],
        .name_count = cli->operand_count - first - 1,
        .compare = cli_flag(cli, "compare"),
        .keep_owner = root && !cli_flag(cli, "no-owner"),
        .devices = root && !cli_flag(cli, "no-devices"),
        .progress = on_progress,
        .warning = on_warning,
        .volume = on_volume,
        .ctx = job,
    };
    if (job->options.name_count)
        job->options.names = (const char *const *)cli->operands + first + 1;
    if (job->options.compare && access(job->options.destination, F_OK) < 0)
        return error_errno(err, "%s cannot be compared with", job->options.destination);
    return 0;
}

/* With a daemon, its robot; without one, the cartridges themselves. */
static int open_library(struct restore_job *job, struct error *err)
{
    struct robot_options options = {
        .root = job->cli->root, .drive = ROBOT_ANY_DRIVE, .mode = TAPE_READ};
    unsigned drive = 0;
    int rc = cli_number(job->cli, "drive", 0, LIBRARY_DRIVES_MAX - 1, &drive, err);

    if (rc)
        return rc;
    if (cli_value(job->cli, "drive"))
        options.drive = (int)drive;
    rc = images_open(job->cli, &job->catalog, err);
    if (rc)
        return rc;
    rc = robot_open(&options, &job->robot, err);
    if (rc == -ERR_NOT_FOUND && options.drive == ROBOT_ANY_DRIVE)
        rc = 0;
    return rc;
}

static int restore_from_catalog(struct restore_job *job, struct restore_result *result,
                                struct error *err)
{
    struct catalog_image image;
    int rc = open_library(job, err);

    if (!rc)
        rc = catalog_image(job->catalog, job->cli->operands[0], &image, err);
    if (rc)
        return rc;
    job->options.cancel = interrupt_catch();
    return restore_image(&job->options, job->catalog, image.uuid, result, err);
}

static int restore_from_tape(struct restore_job *job, const char *url,
                             struct restore_result *result, struct error *err)
{
    struct tape_info info;
    unsigned blocking = 0, file = 0;
    int rc = cli_number(job->cli, "blocking", DUMP_BLOCKING_MIN, DUMP_BLOCKING_MAX, &blocking, err);

    if (!rc)
        rc = cli_number(job->cli, "file", 0, INT32_MAX, &file, err);
    if (!rc)
        rc = tape_open_at(job->cli->root, url, TAPE_READ, &job->tape, err);
    if (!rc)
        rc = tape_load(job->tape, err);
    if (!rc)
        rc = tape_get_info(job->tape, &info, err);
    if (rc)
        return rc;
    if (!info.has_filemarks && file)
        return error_set(err, ERR_USAGE, "%s has no filemarks, so --file means nothing there", url);
    /* Without records there is nothing to find the blocking factor from. */
    if (!info.has_filemarks && !blocking)
        blocking = DUMP_BLOCKING_DEFAULT;
    rc = tape_rewind(job->tape, err);
    if (!rc && file)
        rc = tape_space_filemarks(job->tape, (int)file, err);
    if (rc)
        return rc;
    job->options.cancel = interrupt_catch();
    return restore_stream(&job->options, job->tape, blocking, result, err);
}

/* ---- the end ----------------------------------------------------------------------------- */

static int print_result(const struct restore_job *job, const struct restore_result *r, int rc,
                        struct error *err)
{
    double rate = report_rate(r->bytes, r->seconds);
    char size[16];
    json_t *result;
    int printed;

    if (!job->cli->json) {
        printf("%s %" PRIu64 " files and %" PRIu64 " directories, %s, in %.1f s (%.1f MB/s)%s\n",
               job->options.compare ? "compared" : "restored", r->files, r->directories,
               size_text(size, r->bytes), r->seconds, rate,
               !job->options.compare ? ""
               : rc                  ? ": they differ"
                                     : ": identical");
        return 0;
    }
    result = json_pack("{sIsIsIsIsfsf}", "files", (json_int_t)r->files, "directories",
                       (json_int_t)r->directories, "bytes", (json_int_t)r->bytes, "warnings",
                       (json_int_t)r->warnings, "seconds", r->seconds, "mb_per_second", rate);
    if (job->options.compare)
        json_object_set_new(result, "identical", json_boolean(rc == 0));
    printed = cli_print_json(result, err);
    json_decref(result);
    return printed;
}

int verb_restore(struct cli *cli, struct error *err)
{
    struct restore_job job = {.cli = cli};
    struct restore_result result = {0};
    const char *url = cli_value(cli, "tape");
    int rc = restore_configure(&job, err);

    if (rc)
        return rc;
    report_begin(&job.report);
    rc =
        url ? restore_from_tape(&job, url, &result, err) : restore_from_catalog(&job, &result, err);
    report_end(&job.report);
    if (rc == 0 || rc == -ERR_PARTIAL) {
        struct error unsaid;
        int printed = print_result(&job, &result, rc, rc ? &unsaid : err);

        rc = rc ? rc : printed;
    }
    if (job.robot)
        robot_close(job.robot);
    else
        tape_close(job.tape);
    if (job.catalog)
        catalog_close(job.catalog);
    return rc;
}
