/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_cartridge_scrub.c - `capstan cartridge scrub`: read a cartridge slowly, beside whoever uses
 * it, and list what is damaged on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "common/checked.h"
#include "common/json.h"
#include "vtl/cartridge/scrub.h"

const struct cli_option verb_cartridge_scrub_options[] = {
    {"rate", "SIZE", "read at most so many bytes a second; default: as fast as it goes"},
    {"restart", NULL, "begin anew instead of going on where it was interrupted"},
    {"list", NULL, "read nothing: only list what is in quarantine"},
    {NULL, NULL, NULL},
};

static const struct table_column quarantine_columns[] = {
    {"PARTITION", "partition", TABLE_NUMBER},
    {"BLOCK", "block", TABLE_NUMBER},
    {"COUNT", "count", TABLE_NUMBER},
    {"FOUND", "found", TABLE_TIME},
};

/* ---- pace and progress ----------------------------------------------------------------------- */

struct job {
    struct report report;
    const atomic_bool *stop;
    uint64_t rate; /* bytes a second; 0: no bound */
    double started;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Wait until so many bytes may have been read; in short naps, for the sake of Ctrl-C. */
static void keep_pace(const struct job *job, uint64_t bytes)
{
    double due = job->started + (double)bytes / (double)job->rate, left;

    while ((left = due - now()) > 0 && !atomic_load(job->stop)) {
        double nap = left < 0.2 ? left : 0.2;
        struct timespec t = {.tv_nsec = (long)(nap * 1e9)};

        nanosleep(&t, NULL);
    }
}

static int on_step(void *ctx, const struct cartridge_scrub_progress *p, struct error *err)
{
    struct job *job = ctx;

    report_progress(&job->report, "scrub", p->done, p->total);
    if (job->rate)
        keep_pace(job, p->read);
    if (atomic_load(job->stop))
        return error_set(err, ERR_CANCELLED,
                         "the scrub was stopped; call it again, and it goes on there");
    return 0;
}

/* ---- what is printed ------------------------------------------------------------------------- */

static int add_entry(void *ctx, const struct cartridge_quarantine *entry)
{
    json_t *row = json_pack("{sisIsI}", "partition", (int)entry->partition, "block",
                            (json_int_t)entry->lba, "count", (json_int_t)entry->count);

    if (row && json_set_time(row, "found", entry->found_ns, NULL)) {
        json_decref(row);
        row = NULL;
    }
    return row && json_array_append_new(ctx, row) == 0 ? 0 : -ERR_NO_MEMORY;
}

static int add_segment(void *ctx, const struct cartridge_scrub_segment *s)
{
    json_t *row = json_pack("{sIsisIsIsb}", "segment", (json_int_t)s->segment, "partition",
                            (int)s->partition, "block", (json_int_t)s->first_lba, "count",
                            (json_int_t)(s->end_lba - s->first_lba), "frame_damaged", s->frame_bad);

    if (row && s->verified_ns && json_set_time(row, "verified", s->verified_ns, NULL)) {
        json_decref(row);
        row = NULL;
    }
    return row && json_array_append_new(ctx, row) == 0 ? 0 : -ERR_NO_MEMORY;
}

static json_t *state_json(struct cartridge *c, const struct cartridge_scrub_state *s)
{
    json_t *quarantine = json_array(), *segments = json_array(), *result;

    if (!quarantine || !segments || cartridge_quarantine(c, add_entry, quarantine) ||
        cartridge_scrub_segments(c, add_segment, segments)) {
        json_decref(quarantine);
        json_decref(segments);
        return NULL;
    }
    result =
        json_pack("{sssbsIsIsIsIsIsoso}", "barcode", cartridge_identity(c)->barcode, "unfinished",
                  s->unfinished, "verified", (json_int_t)s->verified, "quarantined",
                  (json_int_t)s->quarantined, "limbo_segments", (json_int_t)s->limbo_segments,
                  "limbo_verified", (json_int_t)s->limbo_verified, "limbo_quarantined",
                  (json_int_t)s->limbo_quarantined, "quarantine", quarantine, "segments", segments);
    if (result && s->oldest_ns && json_set_time(result, "oldest", s->oldest_ns, NULL)) {
        json_decref(result);
        result = NULL;
    }
    return result;
}

static void say_state(struct cartridge *c, const struct cartridge_scrub_state *s)
{
    if (!s->scrubbed)
        printf("%s was never scrubbed\n", cartridge_identity(c)->barcode);
    else
        printf("%s: %" PRIu64 " of %" PRIu64 " segments were verified%s; %" PRIu64
               " objects are in quarantine, the frames of %" PRIu64 " segments are damaged\n",
               cartridge_identity(c)->barcode, s->verified, s->segments,
               s->unfinished ? ", and the last scrub was interrupted" : "", s->quarantined,
               s->frames);
    if (s->limbo_quarantined)
        printf("%s: of what undo could bring back, %" PRIu64 " objects are damaged\n",
               cartridge_identity(c)->barcode, s->limbo_quarantined);
}

/* scrubbed: what was done just now, or NULL. */
static int print(struct cli *cli, struct cartridge *c, const struct cartridge_scrub_report *done,
                 struct error *err)
{
    struct cartridge_scrub_state state;
    json_t *result;
    int rc = 0;

    cartridge_scrub_state(c, &state);
    result = state_json(c, &state);
    if (!result)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    if (done)
        json_object_set_new(result, "scrub",
                            json_pack("{sIsIsIsIsIsb}", "segments", (json_int_t)done->segments,
                                      "before", (json_int_t)done->before, "blocks",
                                      (json_int_t)done->found.blocks, "bytes",
                                      (json_int_t)done->found.bytes, "damaged",
                                      (json_int_t)done->found.damaged, "resumed", done->resumed));
    if (cli->json) {
        rc = cli_print_json(result, err);
    } else {
        say_state(c, &state);
        if (state.quarantined)
            rc = table_print(stdout, quarantine_columns, ARRAY_LENGTH(quarantine_columns),
                             json_object_get(result, "quarantine"), err);
    }
    json_decref(result);
    return rc;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int scrub(struct cli *cli, struct cartridge *c, struct error *err)
{
    struct job job = {.started = now()};
    struct cartridge_scrub_options options = {
        .restart = cli_flag(cli, "restart"), .step = on_step, .ctx = &job};
    struct cartridge_scrub_report done;
    struct error unsaid;
    int rc = cli_size(cli, "rate", &job.rate, err), printed;

    if (rc)
        return rc;
    job.stop = interrupt_catch();
    report_begin(&job.report);
    rc = cartridge_scrub(c, &options, &done, err);
    report_end(&job.report);
    printed = print(cli, c, &done, rc ? &unsaid : err);
    return rc ? rc : printed;
}

int verb_cartridge_scrub(struct cli *cli, struct error *err)
{
    bool only_list = cli_flag(cli, "list");
    struct cartridge *c = NULL;
    struct store *store = NULL;
    int rc = 0;

    if (only_list && (cli_flag(cli, "restart") || cli_value(cli, "rate")))
        rc =
            error_set(err, ERR_USAGE, "--list reads nothing: it goes without --rate and --restart");
    if (!rc)
        rc = cartridge_use_store(cli, cli->operands[0], false, &store, err);
    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &c, err);
    if (!rc)
        rc = only_list ? print(cli, c, NULL, err) : scrub(cli, c, err);
    cartridge_close(c);
    store_close(store);
    return rc;
}
