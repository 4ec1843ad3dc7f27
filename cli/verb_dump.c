/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_dump.c - `capstan dump`: a directory tree to tape.
 *
 * Without --tape the drives of the running library are used, and the robot brings the cartridges;
 * with it, one tape by its URL, and the dump ends when that is full.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/robot.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "engine/dump/dump.h"
#include "vtl/control/config.h"
#include "vtl/library/library.h"

#define SPACE_LEFT (64u << 20) /* bytes below which a file system counts as full */
#define LABEL_MAX  15          /* bytes, as the header of a dump has room for them */

const struct cli_option verb_dump_options[] = {
    {"drive", "N", "use that drive; default: one that suits"},
    {"tape", "URL",
     "write to iscsi://HOST:PORT/TARGET/LUN, cartridge:DIRECTORY or file:PATH instead"},
    {"blocking", "N", "blocks of 1,024 bytes in a tape record, 4 to 256; default: 256"},
    {"label", "TEXT", "label of the dump, at most 15 bytes"},
    {"pool", "GLOB", "use cartridges with such barcodes only, for instance 'CAP*'"},
    {"volume", "BARCODE", "begin on that cartridge"},
    {"one-file-system", NULL, "do not descend into other file systems"},
    {NULL, NULL, NULL},
};

struct dump_job {
    const struct cli *cli;
    struct dump_options options;
    struct report report;
    struct catalog *catalog; /* NULL: the dump is not recorded */
    struct robot *robot;     /* NULL with --tape */
    struct tape *tape;       /* ours to close only with --tape */
    char barcode[40];
};

/* ---- what the engine calls --------------------------------------------------------------- */

static void on_progress(void *ctx, const struct dump_progress *p)
{
    static const char *const phases[] = {
        [DUMP_PHASE_WALK] = "walking",
        [DUMP_PHASE_MAPS] = "writing maps",
        [DUMP_PHASE_DIRECTORIES] = "directories",
        [DUMP_PHASE_FILES] = "files",
        [DUMP_PHASE_ACLS] = "attributes",
    };
    struct dump_job *job = ctx;
    char what[80];
    size_t phase = (size_t)p->phase;

    snprintf(what, sizeof(what), "%s %" PRIu64 "/%" PRIu64 ", volume %u",
             phase < sizeof(phases) / sizeof(phases[0]) && phases[phase] ? phases[phase] : "dump",
             p->files_done, p->files_total, p->volume);
    report_progress(&job->report, what, p->bytes_done, p->bytes_total);
}

static void on_warning(void *ctx, const char *path, const char *message)
{
    report_warning(&((struct dump_job *)ctx)->report, path, message);
}

static int on_next_volume(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    struct dump_job *job = ctx;
    char note[64];
    int rc = robot_bring_blank(job->robot, job->catalog, barcode, err);

    if (rc)
        return error_prefix(err, "volume %u", volume);
    snprintf(note, sizeof(note), "going on with volume %u", volume);
    report_warning(&job->report, barcode, note);
    return 0;
}

/* ---- getting ready ----------------------------------------------------------------------- */

static int dump_configure(struct dump_job *job, struct error *err)
{
    const struct cli *cli = job->cli;
    const char *label = cli_value(cli, "label");
    struct stat st;

    job->options = (struct dump_options){
        .path = cli->operands[0],
        .blocking = DUMP_BLOCKING_DEFAULT,
        .label = label,
        .one_file_system = cli_flag(cli, "one-file-system"),
        .progress = on_progress,
        .warning = on_warning,
        .ctx = job,
    };
    if (label && strlen(label) > LABEL_MAX)
        return error_set(err, ERR_USAGE, "--label has at most %d bytes", LABEL_MAX);
    if (cli_value(cli, "tape") &&
        (cli_value(cli, "drive") || cli_value(cli, "pool") || cli_value(cli, "volume")))
        return error_set(err, ERR_USAGE,
                         "--tape names the tape itself; --drive, --pool and --volume do not go with"
                         " it");
    if (stat(cli->operands[0], &st) < 0)
        return error_errno(err, "%s cannot be dumped", cli->operands[0]);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERR_USAGE, "%s is not a directory; a dump begins at one",
                         cli->operands[0]);
    return cli_number(cli, "blocking", DUMP_BLOCKING_MIN, DUMP_BLOCKING_MAX, &job->options.blocking,
                      err);
}

static int open_robot(struct dump_job *job, struct error *err)
{
    struct robot_options options = {.root = job->cli->root,
                                    .drive = ROBOT_ANY_DRIVE,
                                    .pool = cli_value(job->cli, "pool"),
                                    .mode = TAPE_WRITE};
    unsigned drive = 0;
    int rc = cli_number(job->cli, "drive", 0, LIBRARY_DRIVES_MAX - 1, &drive, err);

    if (rc)
        return rc;
    if (cli_value(job->cli, "drive"))
        options.drive = (int)drive;
    rc = images_open(job->cli, &job->catalog, err);
    if (!rc)
        rc = robot_open(&options, &job->robot, err);
    if (rc == -ERR_NOT_FOUND && job->catalog)
        return error_set(err, ERR_NOT_FOUND,
                         "no daemon is running for the library %s; start it with 'capstan serve"
                         " --detach', or write to one tape with --tape",
                         job->cli->root);
    if (!rc)
        rc = robot_bring_first(job->robot, job->catalog, cli_value(job->cli, "volume"), &job->tape,
                               job->barcode, err);
    job->options.next_volume = on_next_volume;
    return rc;
}

/* A dump to a cartridge of this library is recorded; the catalog could not find any other. */
static int open_catalog_of(struct dump_job *job, const char *barcode, struct error *err)
{
    char path[4096];

    if (!*barcode || access(job->cli->root, F_OK) < 0 ||
        library_cartridge_path(job->cli->root, barcode, path, sizeof(path), err) ||
        access(path, F_OK) < 0)
        return 0;
    snprintf(job->barcode, sizeof(job->barcode), "%s", barcode);
    return images_open(job->cli, &job->catalog, err);
}

static int open_tape(struct dump_job *job, const char *url, struct error *err)
{
    struct tape_info info;
    int rc = tape_open_at(job->cli->root, url, TAPE_WRITE, &job->tape, err);

    if (!rc)
        rc = tape_load(job->tape, err);
    if (!rc)
        rc = tape_get_info(job->tape, &info, err);
    if (!rc && info.has_filemarks)
        rc = tape_append_here(job->tape, err);
    return rc ? rc : open_catalog_of(job, info.barcode, err);
}

/* ---- the end ----------------------------------------------------------------------------- */

static int print_result_json(const struct dump_job *job, const struct dump_result *r,
                             struct error *err)
{
    json_t *image = NULL, *result;
    int rc = image_json(&r->image, r->parts, r->part_count, &image, err);

    if (rc)
        return rc;
    result = json_pack("{sosfsfsb}", "image", image, "seconds", r->seconds, "mb_per_second",
                       report_rate(r->image.stream_blocks * 1024, r->seconds), "recorded",
                       job->catalog != NULL);
    rc = result ? cli_print_json(result, err)
                : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    json_decref(result);
    return rc;
}

static void print_result(const struct dump_job *job, const struct dump_result *r)
{
    uint64_t stream = r->image.stream_blocks * 1024;
    char data[16], size[16];

    printf("dumped %" PRIu64 " files and %" PRIu64 " directories, %s of data, %s on tape, in %.1f"
           " s (%.1f MB/s)\n",
           r->image.files, r->image.directories, size_text(data, r->image.bytes),
           size_text(size, stream), r->seconds, report_rate(stream, r->seconds));
    printf("image %s%s", r->image.uuid, job->catalog ? "" : ", not recorded in a catalog");
    for (size_t i = 0; i < r->part_count && r->parts[i].barcode[0]; i++)
        printf("%s%s", i ? ", " : " on ", r->parts[i].barcode);
    printf("\n");
    if (r->image.warnings)
        printf("%" PRIu64 " files could not be read or changed meanwhile; the warnings name them\n",
               r->image.warnings);
}

/* A drive can only say that it could not write, or that the tape ends, and then other cartridges do
 * not help: whether the disk behind it is full, we can see. */
static int explain_failure(const struct dump_job *job, int rc, struct error *err)
{
    char why[ERROR_MESSAGE_SIZE];
    struct statvfs fs;

    if (!job->robot || rc == -ERR_CANCELLED || statvfs(job->cli->root, &fs) < 0 ||
        (uint64_t)fs.f_bavail * fs.f_frsize > SPACE_LEFT)
        return rc;
    memcpy(why, err->message, sizeof(why));
    return error_set(
        err, ERR_NO_SPACE,
        "the file system of %.200s has no space left, free some and dump again (%.200s)",
        job->cli->root, why);
}

static int dump_perform(struct dump_job *job, struct error *err)
{
    struct dump_result result = {0};
    const char *url = cli_value(job->cli, "tape");
    int rc = url ? open_tape(job, url, err) : open_robot(job, err);
    int printed = 0;

    if (rc)
        return rc;
    job->options.cancel = interrupt_catch();
    rc = dump_run(&job->options, job->tape, job->barcode, job->catalog, &result, err);
    progress_clear(&job->report.progress);
    if (rc == 0 || rc == -ERR_PARTIAL) {
        struct error unsaid;

        if (job->cli->json)
            printed = print_result_json(job, &result, rc ? &unsaid : err);
        else
            print_result(job, &result);
    } else {
        rc = explain_failure(job, rc, err);
    }
    free(result.parts);
    return rc ? rc : printed;
}

int verb_dump(struct cli *cli, struct error *err)
{
    struct dump_job job = {.cli = cli};
    int rc = dump_configure(&job, err);

    if (rc)
        return rc;
    report_begin(&job.report);
    rc = dump_perform(&job, err);
    report_end(&job.report);
    if (job.robot)
        robot_close(job.robot);
    else
        tape_close(job.tape);
    if (job.catalog)
        catalog_close(job.catalog);
    return rc;
}
