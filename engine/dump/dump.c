/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - one dump from beginning to end; see dump.h and phases.h. */
#include "engine/dump/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "engine/dump/history.h"
#include "engine/dump/phases.h"

#define LABEL_MAX        15
#define READERS_MIN      4
#define READERS_MAX      32
#define READERS_PER_CPU  8 /* they wait for the disk most of the time */
#define WALKERS_MAX      8
#define PROGRESS_SECONDS 0.2

/* ---- what the phases share ---------------------------------------------------------------------
 */

static double seconds_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int64_t wall_clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void dump_warn(struct dump *d, const struct tree *tree, uint32_t node, const char *name,
               const char *message)
{
    char path[4096 + STREAM_NAME_MAX + 2];
    size_t len;
    CLEANUP_UNLOCK(&d->mutex);

    d->warnings++;
    if (!d->options->warning)
        return;
    tree_path(tree, node, path, 4096);
    len = strlen(path);
    if (name[0])
        snprintf(path + len, sizeof(path) - len, "/%.255s", name);
    d->options->warning(d->options->ctx, path, message);
}

static void tell_progress(struct dump *d)
{
    struct dump_progress *p = &d->progress;

    if (!d->options->progress)
        return;
    d->progress_told = seconds_now();
    if (d->writer)
        p->bytes_done = stream_writer_position(d->writer) * STREAM_BLOCK;
    if (p->bytes_total < p->bytes_done)
        p->bytes_total = p->bytes_done;
    p->volume = d->output ? output_volume(d->output) : 1;
    d->options->progress(d->options->ctx, p);
}

void dump_enter(struct dump *d, enum dump_phase phase)
{
    d->progress.phase = phase;
    tell_progress(d);
}

void dump_tick(struct dump *d)
{
    if (d->options->progress && seconds_now() - d->progress_told >= PROGRESS_SECONDS)
        tell_progress(d);
}

int dump_cancelled(const struct dump *d, struct error *err)
{
    if (d->options->cancel && atomic_load(d->options->cancel))
        return error_set(err, ERR_CANCELLED, "the dump was cancelled");
    return 0;
}

int dump_inode(struct dump *d, uint32_t node, const struct stream_inode *inode,
               struct stream_xattr *xattrs, size_t *count, uint64_t *address, struct error *err)
{
    for (;;) {
        size_t largest = 0;
        int rc = stream_writer_inode(d->writer, inode, xattrs, *count, address, err);

        if (rc != -ERR_RANGE || *count == 0)
            return rc;
        for (size_t i = 1; i < *count; i++)
            if (xattrs[i].len > xattrs[largest].len)
                largest = i;
        xattrs[largest] = xattrs[--*count];
        dump_warn(d, d->tree, node, "",
                  "has more extended attributes than the dump can carry, the largest was left out");
    }
}

/* ---- before -------------------------------------------------------------------------------------
 */

static int check_options(const struct dump_options *o, struct tape *tape, struct error *err)
{
    struct tape_info info;
    int rc;

    if (o->blocking < DUMP_BLOCKING_MIN || o->blocking > DUMP_BLOCKING_MAX)
        return error_set(err, ERR_RANGE,
                         "a blocking factor of %u is not possible; it is %d to %d blocks of 1,024 "
                         "bytes",
                         o->blocking, DUMP_BLOCKING_MIN, DUMP_BLOCKING_MAX);
    if (o->label && strlen(o->label) > LABEL_MAX)
        return error_set(err, ERR_RANGE, "the label \"%s\" has more than %d bytes", o->label,
                         LABEL_MAX);
    rc = tape_get_info(tape, &info, err);
    if (rc)
        return rc;
    if (info.write_protected)
        return error_set(err, ERR_PROTECTED, "the cartridge %s is write protected", info.barcode);
    if (info.block_max && info.block_max < o->blocking * STREAM_BLOCK)
        return error_set(err, ERR_RANGE,
                         "the drive takes blocks of at most %u bytes; use a blocking factor of %u "
                         "or less",
                         info.block_max, info.block_max / STREAM_BLOCK);
    return 0;
}

static int new_uuid(uint8_t uuid[16], struct error *err)
{
    if (getrandom(uuid, 16, 0) != 16)
        return error_errno(err, "no random numbers for a UUID");
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 9562 section 5.4 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return 0;
}

/* What the stream and the catalog call this image. */
static int name_image(struct dump *d, struct catalog_image *image, struct error *err)
{
    const struct dump_options *o = d->options;
    char path[PATH_MAX];
    int rc;

    if (!realpath(o->path, path))
        return error_errno(err, "cannot dump %s", o->path);
    rc = new_uuid(d->image.uuid, err);
    if (rc)
        return rc;
    stream_uuid_format(d->image.uuid, image->uuid);
    snprintf(image->path, sizeof(image->path), "%s", path);
    snprintf(image->label, sizeof(image->label), "%s", o->label ? o->label : "none");
    if (gethostname(image->host, sizeof(image->host)) != 0)
        snprintf(image->host, sizeof(image->host), "localhost");
    image->host[sizeof(image->host) - 1] = '\0';
    image->date_ns = wall_clock_ns();
    image->blocking = o->blocking;
    d->image.date_ns = image->date_ns;
    d->image.blocking = image->blocking;
    d->image.label = image->label;
    d->image.host = image->host;
    d->image.path = image->path;
    return 0;
}

static unsigned reader_count(const struct dump_options *o)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long n = o->readers ? (long)o->readers : (cpus > 0 ? cpus : 1) * READERS_PER_CPU;

    if (!o->readers && n < READERS_MIN)
        n = READERS_MIN;
    return (unsigned)(n < READERS_MAX ? n : READERS_MAX);
}

/* ---- phases I and II ---------------------------------------------------------------------------
 */

static void walk_warning(void *ctx, const struct tree *tree, uint32_t node, const char *name,
                         const char *message)
{
    dump_warn(ctx, tree, node, name, message);
}

static void walk_found(void *ctx, uint64_t names)
{
    struct dump *d = ctx;

    d->progress.files_total = names;
    dump_tick(d);
}

static int find_files(struct dump *d, struct error *err)
{
    struct walk_options options = {.path = d->image.path,
                                   .threads = d->readers < WALKERS_MAX ? d->readers : WALKERS_MAX,
                                   .one_file_system = d->options->one_file_system,
                                   .cancel = d->options->cancel,
                                   .warning = walk_warning,
                                   .found = walk_found,
                                   .ctx = d};
    int rc;

    dump_enter(d, DUMP_PHASE_WALK);
    rc = walk_tree(&options, &d->tree, &d->found, err);
    if (!rc)
        rc = tree_number(d->tree, &d->last, err);
    if (rc)
        return rc;
    /* An estimate: data, half a block of padding and a header for each, entries of directories. */
    d->progress.files_total = d->last - STREAM_ROOT_INODE + 1;
    d->progress.bytes_total = d->found.bytes + d->progress.files_total * (STREAM_BLOCK * 3 / 2) +
                              d->found.directories * STREAM_BLOCK;
    return 0;
}

/* ---- the dump ----------------------------------------------------------------------------------
 */

static int open_stream(struct dump *d, struct tape *tape, const char *barcode, bool need_barcode,
                       struct error *err)
{
    struct output_options output = {.tape = tape,
                                    .image = &d->image,
                                    .barcode = barcode,
                                    .need_barcode = need_barcode,
                                    .blocking = d->options->blocking,
                                    .cancel = d->options->cancel,
                                    .next_volume = d->options->next_volume,
                                    .ctx = d->options->ctx};
    struct stream_writer_options writer = {.image = &d->image, .write = output_put};
    int rc = output_open(&output, &d->output, err);

    if (rc)
        return rc;
    writer.ctx = d->output;
    return stream_writer_open(&writer, &d->writer, err);
}

static int write_stream(struct dump *d, struct error *err)
{
    int rc = dump_maps(d, err);

    if (!rc)
        rc = dump_directories(d, err);
    if (!rc)
        rc = dump_files(d, err);
    if (rc)
        return rc;
    d->totals.warnings = d->warnings;
    d->totals.state = d->warnings ? STREAM_PARTIAL : STREAM_COMPLETE;
    d->totals.ended_ns = wall_clock_ns();
    return stream_writer_end(d->writer, &d->totals, err);
}

static void fill_image(const struct dump *d, struct catalog_image *image)
{
    image->ended_ns = d->totals.ended_ns;
    image->files = d->totals.files;
    image->directories = d->totals.directories;
    image->bytes = d->totals.bytes;
    image->stream_blocks = d->totals.stream_blocks;
    image->warnings = d->totals.warnings;
    image->state = d->totals.state == STREAM_COMPLETE ? CATALOG_COMPLETE : CATALOG_PARTIAL;
}

/* Everything up to the durable tape, then the catalog. */
static int run(struct dump *d, struct tape *tape, const char *barcode, struct catalog *cat,
               struct dump_result *result, struct error *err)
{
    int rc = check_options(d->options, tape, err);

    if (!rc && cat && (!barcode || !barcode[0]))
        rc = error_set(err, ERR_USAGE,
                       "the cartridge has no barcode, so that the catalog could not find it again");
    if (!rc)
        rc = name_image(d, &result->image, err);
    if (!rc)
        rc = find_files(d, err);
    if (!rc)
        rc = history_begin(cat, result->image.uuid, &d->history, err);
    if (!rc)
        rc = open_stream(d, tape, barcode, cat != NULL, err);
    if (!rc)
        rc = write_stream(d, err);
    if (!rc)
        rc = output_finish(d->output, &result->parts, &result->part_count, err);
    if (rc)
        return rc;
    fill_image(d, &result->image);
    tell_progress(d);
    rc = history_commit(steal_pointer(&d->history), &result->image, result->parts,
                        result->part_count, err);
    if (rc)
        error_prefix(err, "the dump is whole on tape, but the catalog could not take it; "
                          "rebuild the catalog from the cartridges");
    return rc;
}

int dump_run(const struct dump_options *options, struct tape *tape, const char *barcode,
             struct catalog *cat, struct dump_result *result, struct error *err)
{
    struct dump d = {.options = options, .readers = reader_count(options)};
    double start = seconds_now();
    int rc;

    memset(result, 0, sizeof(*result));
    pthread_mutex_init(&d.mutex, NULL);
    rc = run(&d, tape, barcode, cat, result, err);
    stream_writer_close(d.writer);
    output_close(d.output);
    history_abort(d.history);
    tree_free(d.tree);
    pthread_mutex_destroy(&d.mutex);
    result->seconds = seconds_now() - start;
    if (rc) {
        free(result->parts);
        result->parts = NULL;
        result->part_count = 0;
        return rc;
    }
    if (d.warnings)
        return error_set(err, ERR_PARTIAL,
                         "%" PRIu64 " files were left out or changed while they were read",
                         d.warnings);
    return 0;
}
