/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_cartridge_stream.c - `capstan cartridge export`, `import`: cartridges as one stream.
 *
 * An export that fails leaves no file; an import that fails leaves no cartridge.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/control.h"
#include "vtl/interchange/interchange.h"
#include "vtl/personality/medium.h"

/* One end of a stream, and who is told of it. */
struct job {
    struct cli *cli;
    const char *name; /* FILE, or "-" */
    int fd;
    bool made; /* by us: removed if it stays unfinished */
    uint64_t total;
    struct report report;
    struct interchange_watch watch;
    struct interchange_report done;
};

static void job_warning(void *ctx, const char *message)
{
    struct job *job = ctx;

    report_warning(&job->report, job->name, message);
}

static void job_progress(void *ctx, uint64_t done)
{
    struct job *job = ctx;

    report_progress(&job->report, "cartridge", done, job->total);
}

static void job_begin(struct job *job, struct cli *cli, const char *name)
{
    *job = (struct job){.cli = cli, .name = name, .fd = -1};
    report_begin(&job->report);
    job->watch = (struct interchange_watch){
        .warning = job_warning, .progress = job_progress, .ctx = job, .stop = interrupt_catch()};
}

/* Damage is told by the exit code, too. */
static int job_verdict(const struct job *job, struct error *err)
{
    if (!job->done.bad && !job->done.skipped)
        return 0;
    return error_set(err, ERR_PARTIAL,
                     "%" PRIu64 " blocks are damaged or missing, %" PRIu64 " records were left out",
                     job->done.bad, job->done.skipped);
}

static int job_say(const struct job *job, const char *barcode, const char *place, struct error *err)
{
    const struct interchange_report *r = &job->done;
    const char *format = interchange_format_name(r->format);
    json_t *row;
    int rc;

    if (!job->cli->json) { /* the stream may be the output */
        fprintf(!*place && strcmp(job->name, "-") == 0 ? stderr : stdout,
                "%s: %" PRIu64 " blocks and %" PRIu64 " filemarks, %" PRIu64
                " bytes; format %s%s%s\n",
                barcode, r->blocks, r->filemarks, r->bytes, format, *place ? ", in " : "", place);
        return 0;
    }
    row = json_pack("{sssssIsIsIsIsIsI}", "barcode", barcode, "format", format, "blocks",
                    (json_int_t)r->blocks, "filemarks", (json_int_t)r->filemarks, "bytes",
                    (json_int_t)r->bytes, "stream_bytes", (json_int_t)r->stream_bytes, "bad",
                    (json_int_t)r->bad, "skipped", (json_int_t)r->skipped);
    if (row && *place)
        json_object_set_new(row, "place", json_string(place));
    rc = row ? cli_print_json(row, err)
             : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    json_decref(row);
    return rc;
}

static int find_format(const struct cli *cli, const struct interchange_format **out,
                       struct error *err)
{
    const char *name = cli_value(cli, "format");

    return name ? interchange_format_find(name, out, err) : 0;
}

/* ---- export ------------------------------------------------------------------------------ */

const struct cli_option verb_cartridge_export_options[] = {
    {"format", "FORMAT", "capstan (default), tap, aws, het or raw"},
    {"file", "N", "with raw: only this file of the tape, from 0"},
    {NULL, NULL, NULL},
};

static int job_write(void *ctx, const void *buf, size_t len, struct error *err)
{
    struct job *job = ctx;
    const char *at = buf;

    while (len > 0) {
        ssize_t n = write(job->fd, at, len);

        if (n < 0 && errno == EINTR && !atomic_load(job->watch.stop))
            continue;
        if (n < 0 && errno == EINTR)
            return error_set(err, ERR_CANCELLED, "the export was stopped");
        if (n < 0)
            return error_errno(err, "%s can't be written", job->name);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A file that is there is not ours to replace; a pipe or a device is there to be written to. */
static int open_output(struct job *job, struct error *err)
{
    struct stat st;

    if (strcmp(job->name, "-") == 0) {
        if (job->cli->json)
            return error_set(err, ERR_USAGE, "--json and the stream can't both be the output");
        if (isatty(STDOUT_FILENO))
            return error_set(err, ERR_USAGE, "a terminal is no place for a stream of bytes");
        job->fd = dup(STDOUT_FILENO);
        return job->fd < 0 ? error_errno(err, "standard output can't be used") : 0;
    }
    if (stat(job->name, &st) == 0 && S_ISREG(st.st_mode))
        return error_set(err, ERR_EXISTS, "%s is there already; remove it or choose another name",
                         job->name);
    job->made = stat(job->name, &st) != 0;
    job->fd = open(job->name, O_WRONLY | O_CLOEXEC | (job->made ? O_CREAT | O_EXCL : 0), 0666);
    if (job->fd < 0)
        job->made = false;
    return job->fd < 0 ? error_errno(err, "%s can't be written", job->name) : 0;
}

static int close_output(struct job *job, int rc, struct error *err)
{
    if (!rc && job->made && fsync(job->fd) != 0)
        rc = error_errno(err, "%s can't be written", job->name);
    if (job->fd >= 0 && close(job->fd) != 0 && !rc)
        rc = error_errno(err, "%s can't be written", job->name);
    if (rc && job->made)
        unlink(job->name);
    return rc;
}

static int export_cartridge(struct job *job, const char *barcode,
                            const struct interchange_format *format, uint64_t file,
                            struct error *err)
{
    struct cartridge_position pos;
    char path[PATH_MAX];
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = library_cartridge_path(job->cli->root, barcode, path, sizeof(path), err);

    if (!rc && access(path, F_OK) < 0)
        rc = error_set(err, ERR_NOT_FOUND, "there is no cartridge %s in the library %s", barcode,
                       job->cli->root);
    if (!rc)
        rc = store_directory_open(path, false, &store, err);
    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &c, err);
    if (!rc)
        rc = open_output(job, err);
    if (!rc) {
        cartridge_locate_end(c);
        cartridge_tell(c, &pos);
        job->total = pos.used;
        rc = close_output(
            job, interchange_export(c, format, file, job_write, job, &job->watch, &job->done, err),
            err);
    }
    cartridge_close(c);
    store_close(store);
    return rc;
}

int verb_cartridge_export(struct cli *cli, struct error *err)
{
    const struct interchange_format *format = NULL;
    unsigned file = UINT_MAX;
    struct job job;
    int rc = interchange_format_find("capstan", &format, err);

    if (!rc)
        rc = find_format(cli, &format, err);
    if (!rc)
        rc = cli_number(cli, "file", 0, INT_MAX, &file, err);
    if (rc)
        return rc;
    job_begin(&job, cli, cli->operands[1]);
    rc = export_cartridge(&job, cli->operands[0], format,
                          file == UINT_MAX ? INTERCHANGE_NO_FILE : file, err);
    report_end(&job.report);
    if (!rc)
        rc = job_say(&job, cli->operands[0], "", err);
    return rc ? rc : job_verdict(&job, err);
}

/* ---- import ------------------------------------------------------------------------------ */

const struct cli_option verb_cartridge_import_options[] = {
    {"format", "FORMAT", "capstan, tap, aws, het or raw; default: as the stream looks"},
    {"blocking", "N", "with raw: blocks of 1,024 bytes in a record, 1 to 16383; default: 256"},
    {"capacity", "SIZE", "native capacity; default: the stream's, or that of the kind of media"},
    {"slot", "N", "put it there; default: the first empty slot"},
    {NULL, NULL, NULL},
};

static int job_read(void *ctx, void *buf, size_t len, size_t *got, struct error *err)
{
    struct job *job = ctx;

    for (;;) {
        ssize_t n = read(job->fd, buf, len);

        *got = n > 0 ? (size_t)n : 0;
        if (n >= 0)
            return 0;
        if (errno != EINTR)
            return error_errno(err, "%s can't be read", job->name);
        if (atomic_load(job->watch.stop))
            return error_set(err, ERR_CANCELLED, "the import was stopped");
    }
}

static int open_input(struct job *job, struct error *err)
{
    struct stat st;

    job->fd =
        strcmp(job->name, "-") == 0 ? dup(STDIN_FILENO) : open(job->name, O_RDONLY | O_CLOEXEC);
    if (job->fd < 0)
        return error_errno(err, "%s can't be read", job->name);
    if (fstat(job->fd, &st) == 0 && S_ISREG(st.st_mode))
        job->total = (uint64_t)st.st_size;
    return 0;
}

/* What the cartridge will be: what the stream says, else what the barcode says. */
static int identity_for(const struct cli *cli, const struct interchange_import *in,
                        const char *barcode, struct cartridge_identity *id, struct error *err)
{
    const struct cartridge_identity *was = interchange_identity(in);
    struct medium_label label = medium_of_barcode(barcode);
    struct library_media media;
    uint64_t capacity = 0;
    int rc;

    library_barcode_media(barcode, &media);
    if (was && label.medium && label.medium->density != was->density)
        return error_set(err, ERR_USAGE,
                         "the barcode %.40s says %s, but the cartridge in the stream is another "
                         "kind; choose a barcode that ends as its own, %.40s",
                         barcode, label.medium->name, was->barcode);
    rc = cartridge_identity_default(id, barcode, was ? was->density : media.density, err);
    if (rc)
        return rc;
    id->worm = was ? was->worm : media.worm;
    if (was) {
        id->capacity = was->capacity;
        id->early_warning = was->early_warning;
        id->segment_size = was->segment_size;
        id->limbo_bytes = was->limbo_bytes;
        id->limbo_ns = was->limbo_ns;
    }
    rc = cli_size(cli, "capacity", &capacity, err);
    if (rc || capacity == 0)
        return rc;
    id->capacity = capacity;
    if (id->early_warning > capacity / 10)
        id->early_warning = capacity / 10;
    return 0;
}

/* Build the cartridge in a directory that the library does not look at. */
static int build(struct job *job, struct interchange_import *in, const char *barcode,
                 const char *path, struct error *err)
{
    struct cartridge_identity id;
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = identity_for(job->cli, in, barcode, &id, err);

    if (!rc)
        rc = store_directory_open(path, false, &store, err);
    if (!rc)
        rc = cartridge_create(store, &id, err);
    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_WRITE, &c, err);
    if (!rc)
        rc = interchange_import_run(in, c, &job->watch, &job->done, err);
    cartridge_close(c);
    if (!rc)
        rc = store_sync_names(store, err);
    store_close(store);
    return rc;
}

static int import_cartridge(struct job *job, struct interchange_import *in, const char *barcode,
                            json_t **result, struct error *err)
{
    CLEANUP_CLOSE int lock = -1;
    char path[PATH_MAX];
    int rc = library_import_begin(job->cli->root, barcode, path, &lock, err);

    if (rc)
        return rc;
    rc = build(job, in, barcode, path, err);
    if (!rc)
        rc = cartridge_use_adopt(job->cli, barcode, result, err);
    if (rc)
        library_import_abandon(path);
    return rc;
}

/* The library, the barcode and the numbers are looked at before a long stream is. */
static int check_import(struct cli *cli, const char *barcode,
                        const struct interchange_format **format, unsigned *blocking,
                        struct error *err)
{
    struct config *config;
    char path[PATH_MAX];
    unsigned slot;
    uint64_t capacity;
    int rc = find_format(cli, format, err);

    if (!rc)
        rc = cli_number(cli, "blocking", 1, CARTRIDGE_BLOCK_MAX / 1024, blocking, err);
    if (!rc)
        rc = cli_number(cli, "slot", 1, LIBRARY_SLOTS_MAX, &slot, err);
    if (!rc)
        rc = cli_size(cli, "capacity", &capacity, err);
    if (!rc && cli_value(cli, "blocking") &&
        (!*format || strcmp(interchange_format_name(*format), "raw") != 0))
        rc = error_set(err, ERR_USAGE, "--blocking goes with --format raw only");
    if (!rc && library_cartridge_path(cli->root, barcode, path, sizeof(path), err))
        rc = -ERR_USAGE;
    if (!rc)
        rc = config_load(cli->root, &config, err);
    if (!rc)
        config_free(config);
    return rc;
}

int verb_cartridge_import(struct cli *cli, struct error *err)
{
    const struct interchange_format *format = NULL;
    struct interchange_import *in = NULL;
    const char *barcode = cli->operands[1];
    unsigned blocking = INTERCHANGE_BLOCKING_DEFAULT / 1024;
    json_t *result = NULL;
    struct job job;
    int rc = check_import(cli, barcode, &format, &blocking, err);

    if (rc)
        return rc;
    job_begin(&job, cli, cli->operands[0]);
    rc = open_input(&job, err);
    if (!rc)
        rc = interchange_import_open(job_read, &job, format, blocking * 1024, &in, err);
    if (!rc)
        rc = import_cartridge(&job, in, barcode, &result, err);
    interchange_import_close(in);
    if (job.fd >= 0)
        close(job.fd);
    report_end(&job.report);
    if (!rc)
        rc = job_say(&job, barcode, json_get_text(result, "place", "?"), err);
    json_decref(result);
    return rc ? rc : job_verdict(&job, err);
}
