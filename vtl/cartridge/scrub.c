/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub.c - see scrub.h.
 *
 * A pass has a number, and each segment the number of the pass that saw it last: that is the mark
 * to resume at, whatever the writer did to the tape in the meantime.
 *
 *            first segment             last segment, saved
 *   none/finished ----------> unfinished ----------> finished
 *                              |    ^
 *                              +----+  interrupted: saved at the latest a second ago
 *
 * The writer may take a segment away while it is read.  So damage is believed only if the map, read
 * again, still has the segment.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/scrub_internal.h"

#define SAVE_NS 1000000000LL /* so much work may be lost */

struct pass {
    struct cartridge *c;
    const struct cartridge_scrub_options *options;
    struct cartridge_scrub_report *report;
    struct cartridge_scrub_progress progress;
    struct verify verify;
    uint64_t before;         /* progress.done at the present segment's beginning */
    struct scrub_bad *found; /* in the present segment */
    size_t found_count, found_room;
    int64_t saved_ns;
    const struct segment *dead; /* the part of limbo that is looked at; NULL: it is the tape */
};

/* ---- one segment ----------------------------------------------------------------------------- */

static int on_read(void *ctx, size_t bytes, struct error *err)
{
    struct pass *p = ctx;

    p->progress.read += bytes;
    p->progress.done = p->before + p->verify.offset;
    return p->options->step ? p->options->step(p->options->ctx, &p->progress, err) : 0;
}

static int on_damaged(void *ctx, const struct segment *seg, uint64_t lba, uint64_t count,
                      struct error *err)
{
    struct pass *p = ctx;
    struct scrub_bad *last = p->found_count ? &p->found[p->found_count - 1] : NULL;

    if (last && last->lba + last->count == lba) {
        last->count += count;
        return 0;
    }
    if (p->found_count == p->found_room) {
        size_t room = p->found_room ? p->found_room * 2 : 16;
        struct scrub_bad *found = reallocarray(p->found, room, sizeof(*found));

        if (!found)
            return error_set(err, ERR_NO_MEMORY, "no memory for a list of damaged blocks");
        p->found = found;
        p->found_room = room;
    }
    p->found[p->found_count++] = (struct scrub_bad){seg->seq, seg->epoch, seg->partition,
                                                    lba,      count,      store_now(p->c->store)};
    return 0;
}

static void add_report(struct cartridge_report *sum, const struct cartridge_report *r)
{
    if (r->damaged && (sum->damaged == 0 || r->first_damaged < sum->first_damaged))
        sum->first_damaged = r->first_damaged;
    sum->blocks += r->blocks;
    sum->filemarks += r->filemarks;
    sum->bytes += r->bytes;
    sum->damaged += r->damaged;
}

/* Remember what was found of seg.  One that a writer has open may grow: then it is seen again. */
static int remember(struct pass *p, const struct segment *seg, struct error *err)
{
    struct scrub *s = &p->c->scrub;
    struct scrub_mark mark = {seg->seq,
                              seg->epoch,
                              seg->end.lba,
                              s->pass,
                              store_now(p->c->store),
                              p->verify.frame_bad && p->found_count == 0};
    int rc = scrub_bad_replace(s, seg->seq, p->found, p->found_count, err);

    if (rc == 0)
        rc = scrub_mark_add(s, &mark, err);
    if (rc == 0 && (p->found_count || mark.verified_ns - p->saved_ns >= SAVE_NS)) {
        rc = scrub_save(p->c, err);
        p->saved_ns = mark.verified_ns;
    }
    return rc;
}

/* Of lba .. lba + count - 1, how many are in seg? */
static uint64_t inside(const struct segment *seg, uint64_t lba, uint64_t count)
{
    uint64_t from = lba > seg->first.lba ? lba : seg->first.lba;
    uint64_t to = lba + count < seg->end.lba ? lba + count : seg->end.lba;

    return to > from ? to - from : 0;
}

static void count_segment_done(struct pass *p, const struct cartridge_report *report)
{
    if (!p->dead) {
        p->report->frames += p->verify.frame_bad && p->found_count == 0;
        add_report(&p->report->found, report);
        p->report->segments++;
        return;
    }
    p->report->limbo_segments++;
    for (size_t i = 0; i < p->found_count; i++)
        p->report->limbo_damaged += inside(p->dead, p->found[i].lba, p->found[i].count);
}

/* Does the cartridge still have it?  A part of limbo may be on the tape again. */
static bool still_there(struct pass *p, const struct segment *seg)
{
    const struct segment_list *limbo = &cartridge_map(p->c)->limbo;

    if (map_has(cartridge_map(p->c), p->dead ? p->dead : seg))
        return true;
    for (size_t i = 0; p->dead && i < limbo->count; i++)
        if (limbo->items[i].note == NOTE_NONE && limbo->items[i].seq == seg->seq &&
            limbo->items[i].end.lba >= p->dead->end.lba)
            return true;
    return false;
}

/* *stays: the cartridge has seg all the same, and what was found counts. */
static int scrub_segment(struct pass *p, const struct segment *seg, bool *stays, struct error *err)
{
    struct cartridge_report report = {0};
    struct error why = ERROR_INIT;
    int rc;

    *stays = true;
    p->found_count = 0;
    p->verify.report = &report;
    p->verify.frame_bad = false;
    p->verify.offset = 0;
    rc = verify_segment(p->c, &p->verify, seg, &why);
    if (rc == -ERR_IO) {
        p->report->unreadable++;
        return 0;
    }
    if (rc)
        return error_set(err, why.code, "%s", why.message);
    if (p->found_count || p->verify.frame_bad) {
        rc = cartridge_refresh(p->c, err);
        *stays = rc == 0 && still_there(p, seg);
    }
    if (rc || !*stays)
        return rc;
    count_segment_done(p, &report);
    return remember(p, seg, err);
}

/* ---- the pass -------------------------------------------------------------------------------- */

static bool is_done(const struct scrub *s, const struct segment *seg)
{
    const struct scrub_mark *mark = scrub_mark_of(s, seg);

    return mark && mark->pass == s->pass;
}

/* Bytes of a segment's object; of an open one, about. */
static uint64_t extent(const struct segment *seg)
{
    return seg->records_end ? seg->records_end : seg->end.used - seg->first.used;
}

static uint64_t extent_left(const struct scrub *s, const struct segment_list *list)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].note == NOTE_NONE && !is_done(s, &list->items[i]))
            sum += extent(&list->items[i]);
    return sum;
}

static void begin(struct pass *p)
{
    struct scrub *s = &p->c->scrub;

    p->report->resumed = s->unfinished && !p->options->restart;
    if (!p->report->resumed)
        s->pass++;
    s->unfinished = true;
    for (uint32_t i = 0; i < CARTRIDGE_PARTITIONS; i++)
        p->progress.total += extent_left(s, &cartridge_map(p->c)->partition[i]);
    p->progress.total += extent_left(s, &cartridge_map(p->c)->limbo);
}

/* The map may change under us: go by addresses. */
static int scrub_partition(struct pass *p, uint32_t partition, struct error *err)
{
    const struct segment *there;
    uint64_t lba = 0;
    int rc = 0;

    while (rc == 0 && (there = map_find(cartridge_map(p->c), partition, lba))) {
        struct segment seg = *there;
        bool stays = true;

        if (is_done(&p->c->scrub, &seg)) {
            p->report->before++;
        } else {
            rc = scrub_segment(p, &seg, &stays, err);
            p->before += stays ? extent(&seg) : 0;
        }
        if (stays)
            lba = seg.end.lba;
    }
    return rc;
}

/* The whole segment of which limbo has a part, up to the end of that; if its header does not say
 * where it begins, the part, which is damaged then. */
static int whole_of(struct cartridge *c, const struct segment *part, struct segment *whole,
                    struct error *err)
{
    uint8_t raw[SEGMENT_HEADER_SIZE];
    struct segment_header h;
    size_t got = 0;
    int rc = segment_read(c, part, 0, raw, sizeof(raw), &got, err);

    *whole = *part;
    if (rc == 0 && got == sizeof(raw) && segment_header_decode(raw, &h) && h.seq == part->seq &&
        h.epoch == part->epoch && h.partition == part->partition && h.first_lba <= part->first.lba)
        whole->first = (struct place){h.first_lba, h.first_file, h.first_used};
    return rc;
}

static int scrub_dead(struct pass *p, const struct segment *part, struct error *err)
{
    struct error why = ERROR_INIT;
    struct segment whole;
    bool stays;
    int rc;

    if (part->note != NOTE_NONE || is_done(&p->c->scrub, part))
        return 0;
    rc = whole_of(p->c, part, &whole, &why);
    if (rc == -ERR_IO) {
        p->report->unreadable++;
        return 0;
    }
    if (rc)
        return error_set(err, why.code, "%s", why.message);
    p->dead = part;
    rc = scrub_segment(p, &whole, &stays, err);
    p->dead = NULL;
    p->before += extent(part);
    return rc;
}

/* A writer may take it away meanwhile: go by a copy. */
static int scrub_limbo(struct pass *p, struct error *err)
{
    const struct segment_list *limbo = &cartridge_map(p->c)->limbo;
    struct segment_list copy = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < limbo->count; i++)
        rc = segment_list_add(&copy, &limbo->items[i], err);
    for (size_t i = 0; rc == 0 && i < copy.count; i++)
        rc = scrub_dead(p, &copy.items[i], err);
    free(copy.items);
    return rc;
}

static int verdict(struct pass *p, struct error *err)
{
    struct cartridge_scrub_state state;
    const char *barcode = p->c->identity.barcode;

    cartridge_scrub_state(p->c, &state);
    if (p->report->unreadable)
        return error_set(err, ERR_IO, "cartridge %s: %llu segments could not be read", barcode,
                         (unsigned long long)p->report->unreadable);
    if (state.quarantined)
        return error_set(err, ERR_CORRUPT, "cartridge %s: %llu objects are in quarantine", barcode,
                         (unsigned long long)state.quarantined);
    if (state.frames)
        return error_set(err, ERR_CORRUPT,
                         "cartridge %s: all data is good, but the frames of %llu segments are "
                         "damaged",
                         barcode, (unsigned long long)state.frames);
    return 0;
}

/* Whatever happened, what was seen is remembered. */
static int end(struct pass *p, int rc, struct error *err)
{
    struct error unsaid = ERROR_INIT;
    int saved;

    if (rc == 0)
        p->c->scrub.unfinished = p->report->unreadable > 0;
    saved = scrub_save(p->c, rc ? &unsaid : err);
    return rc ? rc : saved;
}

int cartridge_scrub(struct cartridge *c, const struct cartridge_scrub_options *options,
                    struct cartridge_scrub_report *report, struct error *err)
{
    struct pass p = {.c = c, .options = options, .report = report};
    int rc = 0;

    memset(report, 0, sizeof(*report));
    if (c->mode != CARTRIDGE_READ_ONLY)
        return error_set(err, ERR_STATE, "cartridge %s is open for writing: scrub it beside that",
                         c->identity.barcode);
    p.verify = (struct verify){.depth = CARTRIDGE_PAYLOADS, .damaged = on_damaged, .ctx = &p};
    p.saved_ns = store_now(c->store);
    c->meter = on_read;
    c->meter_ctx = &p;
    begin(&p);
    for (uint32_t i = 0; i < CARTRIDGE_PARTITIONS && rc == 0; i++)
        rc = scrub_partition(&p, i, err);
    if (rc == 0)
        rc = scrub_limbo(&p, err);
    rc = end(&p, rc, err);
    c->meter = NULL;
    verify_free(&p.verify);
    free(p.found);
    cartridge_rewind(c);
    return rc ? rc : verdict(&p, err);
}

/* ---- what is remembered ----------------------------------------------------------------------
 */

int cartridge_scrub_segments(struct cartridge *c, cartridge_scrub_segment_fn *fn, void *ctx)
{
    int rc = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS && rc == 0; p++) {
        const struct segment_list *list = &cartridge_map(c)->partition[p];

        for (size_t i = 0; i < list->count && rc == 0; i++) {
            const struct segment *seg = &list->items[i];
            const struct scrub_mark *mark = scrub_mark_of(&c->scrub, seg);
            struct cartridge_scrub_segment out = {seg->seq,
                                                  p,
                                                  seg->first.lba,
                                                  seg->end.lba,
                                                  mark ? mark->verified_ns : 0,
                                                  mark && mark->frame_bad};

            rc = fn(ctx, &out);
        }
    }
    return rc;
}

int cartridge_quarantine(struct cartridge *c, cartridge_quarantine_fn *fn, void *ctx)
{
    int rc = 0;

    for (size_t i = 0; i < c->scrub.bad_count && rc == 0; i++) {
        const struct scrub_bad *b = &c->scrub.bad[i];
        const struct segment *seg = map_find(cartridge_map(c), b->partition, b->lba);
        struct cartridge_quarantine out = {b->partition, b->lba, b->count, b->found_ns};

        if (!seg || !scrub_is_bad(&c->scrub, seg, b->lba))
            continue; /* it was overwritten */
        if (out.count > seg->end.lba - b->lba)
            out.count = seg->end.lba - b->lba;
        rc = fn(ctx, &out);
    }
    return rc;
}

static int count_segment(void *ctx, const struct cartridge_scrub_segment *segment)
{
    struct cartridge_scrub_state *state = ctx;

    if (state->segments++ == 0 || segment->verified_ns < state->oldest_ns)
        state->oldest_ns = segment->verified_ns;
    state->verified += segment->verified_ns != 0;
    state->frames += segment->frame_bad;
    return 0;
}

static int count_bad(void *ctx, const struct cartridge_quarantine *entry)
{
    ((struct cartridge_scrub_state *)ctx)->quarantined += entry->count;
    return 0;
}

static uint64_t bad_inside(const struct scrub *s, const struct segment *seg)
{
    uint64_t sum = 0;

    for (size_t i = scrub_bad_of(s, seg->seq); i < s->bad_count && s->bad[i].seq == seg->seq; i++)
        if (s->bad[i].epoch == seg->epoch)
            sum += inside(seg, s->bad[i].lba, s->bad[i].count);
    return sum;
}

static void count_limbo(struct cartridge *c, struct cartridge_scrub_state *state)
{
    const struct segment_list *limbo = &cartridge_map(c)->limbo;

    for (size_t i = 0; i < limbo->count; i++) {
        const struct segment *seg = &limbo->items[i];

        if (seg->note != NOTE_NONE)
            continue;
        state->limbo_segments++;
        state->limbo_verified += scrub_mark_of(&c->scrub, seg) != NULL;
        state->limbo_quarantined += bad_inside(&c->scrub, seg);
    }
}

void cartridge_scrub_state(struct cartridge *c, struct cartridge_scrub_state *state)
{
    memset(state, 0, sizeof(*state));
    state->scrubbed = c->scrub.pass != 0;
    state->unfinished = c->scrub.unfinished;
    (void)cartridge_scrub_segments(c, count_segment, state);
    (void)cartridge_quarantine(c, count_bad, state);
    count_limbo(c, state);
}
