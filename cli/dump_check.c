/* SPDX-License-Identifier: Apache-2.0 */
/* dump_check.c - see dump_check.h. */
#include "cli/dump_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "engine/stream/decoder.h"

#define RECORD_MAX   ((size_t)STREAM_BLOCKING_MAX * STREAM_BLOCK)
#define WARNINGS_MAX 10 /* of one dump: the first of them tell what is to be told */

/* One tape file that is a dump. */
struct reading {
    struct dump_check *check;
    struct stream_decoder *decoder;
    char where[40];
    unsigned wrong;
    bool compressed;
};

static void warn(const struct reading *r, const char *message)
{
    if (r->check->warning)
        r->check->warning(r->check->ctx, r->where, message);
}

static void tell_wrong(struct reading *r, const char *message)
{
    if (r->wrong++ < WARNINGS_MAX)
        warn(r, message);
}

static void look_at_events(struct reading *r)
{
    struct stream_event ev;

    while (stream_decoder_next(r->decoder, &ev)) {
        if (ev.type == STREAM_EVENT_DAMAGE)
            tell_wrong(r, ev.message);
        else if (ev.type == STREAM_EVENT_VOLUME)
            r->compressed = r->compressed || ev.volume.compressed;
    }
}

/* Is block the header of a dump? */
static bool begins_dump(const uint8_t *block)
{
    struct stream_decoder *d;
    struct stream_event ev;
    bool dump;

    if (stream_decoder_open(&d, NULL) != 0)
        return false;
    stream_decoder_feed(d, block, 1);
    dump = stream_decoder_next(d, &ev) && ev.type == STREAM_EVENT_VOLUME;
    stream_decoder_close(d);
    return dump;
}

static bool is_end(int rc)
{
    return rc == -ERR_FILEMARK || rc == -ERR_END_OF_DATA || rc == -ERR_END_OF_TAPE;
}

/* The dump whose first record, len bytes, is in buf.  *rc: how the tape file ended. */
static int read_dump(struct reading *r, struct tape *tape, uint8_t *buf, size_t len, int *end,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = 0;

    while (rc == 0 || rc == -ERR_CORRUPT || rc == -ERR_LENGTH) {
        if (rc == 0 && len % STREAM_BLOCK)
            tell_wrong(r, "a record has a length that no record of a dump has");
        if (rc)
            tell_wrong(r, why.message);
        else
            stream_decoder_feed(r->decoder, buf, len / STREAM_BLOCK);
        look_at_events(r);
        rc = tape_read(tape, buf, RECORD_MAX, &len, &why);
    }
    *end = rc;
    return is_end(rc) ? 0 : error_set(err, why.code, "%s", why.message);
}

static void judge(struct reading *r)
{
    r->check->dumps++;
    if (r->wrong) {
        r->check->damaged++;
    } else if (r->compressed) {
        r->check->partial++;
        warn(r, "the dump is compressed: what is in it can't be looked at");
    } else if (!stream_decoder_ended(r->decoder)) {
        r->check->partial++;
        warn(r, "the dump has no end here: it goes on on another cartridge, or was cut off");
    }
}

/* The tape file at the position; *end: how it ended, 0 if it was not read to its end. */
static int check_file(struct dump_check *check, struct tape *tape, uint8_t *buf, int *end,
                      struct error *err)
{
    struct reading r = {.check = check};
    struct error why = ERROR_INIT;
    struct tape_position at = {0};
    size_t len = 0;
    int rc = tape_tell(tape, &at, err);

    *end = 0;
    if (rc)
        return rc;
    rc = tape_read(tape, buf, RECORD_MAX, &len, &why);
    if (is_end(rc))
        *end = rc;
    else if (rc && rc != -ERR_LENGTH && rc != -ERR_CORRUPT && rc != -ERR_ENCRYPTED)
        return error_set(err, why.code, "%s", why.message);
    snprintf(r.where, sizeof(r.where), "tape file %llu", (unsigned long long)at.file);
    if (rc == -ERR_ENCRYPTED) {
        check->partial++;
        warn(&r, "it is encrypted: whether it is a dump can't be seen without the key");
    }
    if (rc || len < STREAM_BLOCK || !begins_dump(buf))
        return 0;
    rc = stream_decoder_open(&r.decoder, err);
    if (rc == 0)
        rc = read_dump(&r, tape, buf, len, end, err);
    if (rc == 0)
        judge(&r);
    stream_decoder_close(r.decoder);
    return rc;
}

int dump_check(struct dump_check *check, struct tape *tape, struct error *err)
{
    CLEANUP_FREE uint8_t *buf = malloc(RECORD_MAX);
    int end = 0, rc;

    if (!buf)
        return error_set(err, ERR_NO_MEMORY, "there is no memory for a tape record");
    rc = tape_rewind(tape, err);
    while (rc == 0) {
        struct error why = ERROR_INIT;

        rc = check_file(check, tape, buf, &end, err);
        if (rc == 0 && end == 0) {
            end = tape_space_filemarks(tape, 1, &why);
            if (end && !is_end(end))
                rc = error_set(err, why.code, "%s", why.message);
        }
        if (end == -ERR_END_OF_DATA || end == -ERR_END_OF_TAPE)
            break;
    }
    return rc;
}
