/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.c - see oracle.h.
 *
 * A place is reached by commands, which are compared as well, and only by those that are needed:
 * `now` is the state of the drive, and most sequences leave the tape as they found it.
 */
#include "tests/oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

struct oracle_counts oracle_counts;

static struct oracle {
    struct model now;                   /* of the drive */
    struct model_tape tapes[RIG_TAPES]; /* those that are not in it */
    enum rig_tape loaded;
    bool quiet;     /* do not print what differs: making a sequence shorter */
    bool differed;  /* ... and it did: nothing is known of the drive any more */
    char said[512]; /* what did */
    struct model_answer expected;
    uint8_t pages[2][64]; /* mode pages 0Ah and 10h/01h as the drive has them */
} oracle;

/* ---- comparing ------------------------------------------------------------------------------- */

static bool differs(const char *what, long long expected, long long got)
{
    snprintf(oracle.said, sizeof(oracle.said), "%s: expected %lld (%llx), got %lld (%llx)", what,
             expected, (unsigned long long)expected, got, (unsigned long long)got);
    oracle.differed = true;
    return false;
}

#define SAME(what, wanted, got)                                                                    \
    do {                                                                                           \
        if ((long long)(wanted) != (long long)(got))                                               \
            return differs((what), (long long)(wanted), (long long)(got));                         \
    } while (0)

/* The meaning of sense data in fixed or descriptor format (SPC-5 4.4). */
struct heard {
    uint8_t response, key;
    uint16_t code;
    bool filemark, eom, ili, valid;
    int64_t information;
};

static void hear_descriptors(const struct rig_answer *a, struct heard *h)
{
    size_t end = 8u + a->sense[7];

    h->key = a->sense[1] & 0x0f;
    h->code = get_be16(a->sense + 2);
    for (size_t at = 8; at + 2 <= end && at + 2u + a->sense[at + 1] <= end;
         at += 2u + a->sense[at + 1]) {
        if (a->sense[at] == 0x00) {
            h->valid = a->sense[at + 2] & 0x80;
            h->information = (int64_t)get_be64(a->sense + at + 4);
        } else if (a->sense[at] == 0x04) {
            h->filemark = a->sense[at + 3] & 0x80;
            h->eom = a->sense[at + 3] & 0x40;
            h->ili = a->sense[at + 3] & 0x20;
        }
    }
}

static void hear(const struct rig_answer *a, struct heard *h)
{
    memset(h, 0, sizeof(*h));
    h->response = a->sense[0] & 0x7f;
    if (h->response >= 0x72) {
        hear_descriptors(a, h);
        return;
    }
    h->key = a->sense[2] & 0x0f;
    h->code = get_be16(a->sense + 12);
    h->filemark = a->sense[2] & 0x80;
    h->eom = a->sense[2] & 0x40;
    h->ili = a->sense[2] & 0x20;
    h->valid = a->sense[0] & 0x80;
    h->information = (int32_t)get_be32(a->sense + 3);
}

static bool same_sense(const struct model_answer *e, const struct rig_answer *a, bool descriptors)
{
    /* SPC-5 4.4.3: what does not fit is not valid */
    bool fits = descriptors || (e->information >= INT32_MIN && e->information <= UINT32_MAX);
    struct heard h;

    if (e->status != MODEL_CHECK_CONDITION) {
        SAME("sense data with GOOD", 0, a->sense_len);
        return true;
    }
    hear(a, &h);
    SAME("response code", (descriptors ? 0x72 : 0x70) + e->deferred, h.response);
    SAME("sense length", descriptors ? 8u + a->sense[7] : 18, a->sense_len);
    SAME("sense key", e->key, h.key);
    SAME("additional sense code", e->code, h.code);
    SAME("FILEMARK", e->filemark, h.filemark);
    if (!e->eom_free)
        SAME("EOM", e->eom, h.eom);
    SAME("ILI", e->ili, h.ili);
    SAME("VALID", e->valid && fits, h.valid);
    if (e->valid && fits)
        SAME("INFORMATION", descriptors ? e->information : (uint32_t)e->information,
             descriptors ? h.information : (uint32_t)h.information);
    return true;
}

/* What READ POSITION tells of the buffer must agree with itself. */
static bool same_buffer(const struct rig_answer *a, bool extended, bool buffered)
{
    uint64_t first, last, count, bytes;

    if (a->in_len < (extended ? 32 : 20))
        return true;
    first = extended ? get_be64(a->in + 8) : get_be32(a->in + 4);
    last = extended ? get_be64(a->in + 16) : get_be32(a->in + 8);
    count = get_be24(a->in + (extended ? 5 : 13));
    bytes = extended ? get_be64(a->in + 24) : get_be32(a->in + 16);
    SAME("objects in the buffer", first - last, count);
    SAME("bytes without objects in the buffer", 0, bytes > 0 && count == 0);
    SAME("objects in the buffer of an unbuffered drive", 0, !buffered && count > 0);
    return true;
}

static bool same_data(const struct model_request *r, const struct model_answer *e,
                      const struct rig_answer *a)
{
    size_t len = e->in_want < r->in_size ? (size_t)e->in_want : r->in_size;
    bool extended = e->buffer_at == 16;

    SAME("bytes wanted", e->in_want, a->in_want);
    SAME("bytes of data-in", len, a->in_len);
    for (size_t i = 0; i < len; i++) {
        if (e->buffer_at && (i >= e->buffer_at || (extended && i >= 5 && i < 8)))
            continue;
        if (e->in[i] != a->in[i]) {
            char what[64];

            snprintf(what, sizeof(what), "byte %zu of data-in", i);
            return differs(what, e->in[i], a->in[i]);
        }
    }
    return !e->buffer_at || same_buffer(a, extended, oracle.now.buffered);
}

static bool same_state(const struct model *m)
{
    struct scsi_drive_state state;

    rig_state(&state);
    SAME("loaded", m->medium == MODEL_READY, state.loaded);
    SAME("a cartridge in the drive", m->medium != MODEL_ABSENT, state.present);
    if (!state.loaded)
        return true;
    SAME("partition", m->partition, state.position.partition);
    SAME("position", m->at, state.position.lba);
    SAME("file number", model_file(m), state.position.file);
    SAME("end of data", m->tape.partitions[m->partition].count, state.position.eod_lba);
    SAME("early warning", model_beyond_early_warning(m), state.position.early_warning);
    return true;
}

/* ---- one command ----------------------------------------------------------------------------- */

static const uint8_t *data_out(const struct model_request *r)
{
    static uint8_t buf[MODEL_DATA_MAX];

    if (r->out)
        return r->out;
    for (uint32_t i = 0; i < r->out_len; i++)
        buf[i] = model_byte(r->seed, i);
    if (r->differs && r->out_len)
        buf[r->out_len - 1] = (uint8_t)~buf[r->out_len - 1];
    return buf;
}

/* True also if the model has no opinion: then nothing was sent. */
static bool run_request(const struct model_request *r)
{
    static struct model next;
    struct model_answer *e = &oracle.expected;
    const struct rig_answer *a;
    bool descriptors = oracle.now.descriptors;

    memcpy(&next, &oracle.now, sizeof(next));
    model_run(&next, r, e);
    if (e->unknown)
        return true;
    memcpy(&oracle.now, &next, sizeof(next));
    oracle_counts.commands++;
    a = rig_run(r, data_out(r));
    if (a->status != e->status && a->status == MODEL_CHECK_CONDITION) {
        struct heard h;

        hear(a, &h);
        return differs("GOOD was due; sense key and code", 0, (long long)h.key << 16 | h.code);
    }
    SAME("status", e->status, a->status);
    return same_sense(e, a, descriptors) && same_data(r, e, a) && same_state(&oracle.now);
}

/* ---- steps as requests ----------------------------------------------------------------------- */

static size_t unhex(const char *text, uint8_t *out, size_t size)
{
    size_t len = 0;

    for (; *text && len < size; text += 2) {
        char digits[3] = {0};

        while (*text == ' ')
            text++;
        if (!*text)
            break;
        memcpy(digits, text, 2);
        out[len++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

static bool is_verify(uint8_t opcode)
{
    return opcode == 0x13 || opcode == 0x8f;
}

/* How many bytes the CDB asks for; *out: from the host. */
static size_t transfer_size(const struct model_request *r, const struct model *m, bool *out)
{
    uint64_t length = get_be24(r->cdb + (r->cdb[0] >= 0x80 ? 12 : 2));

    *out = r->cdb[0] == 0x0a || r->cdb[0] == 0x8a || is_verify(r->cdb[0]);
    switch (r->cdb[0]) {
    case 0x34:
        return 64;
    case 0x13:
    case 0x8f:
        if (!(r->cdb[1] & 0x02))
            return 0;
        break;
    case 0x08:
    case 0x0a:
    case 0x0f:
    case 0x81:
    case 0x88:
    case 0x8a:
        break;
    default:
        return 0;
    }
    if (r->cdb[1] & 0x01)
        length *= m->block_length;
    return length < MODEL_DATA_MAX ? (size_t)length : MODEL_DATA_MAX;
}

void oracle_fit(struct model_request *r, const struct model *m, unsigned divisor)
{
    bool out;
    size_t size = transfer_size(r, m, &out) / divisor;

    r->out_len = out ? size : 0;
    r->in_size = out ? 0 : size;
}

static uint32_t seed_here(const struct model *m, uint32_t fresh)
{
    const struct model_partition *p = &m->tape.partitions[m->partition];

    return m->at < p->count && p->objects[m->at].offset == 0 ? p->objects[m->at].seed : fresh;
}

/* A host changes what it wants in the page that it was told. */
static void complete_list(uint8_t *list, size_t len)
{
    size_t at = 4u + list[3];
    const uint8_t *page = oracle.pages[at < len && list[at] == 0x50];

    for (size_t i = 2; at + i < len; i++)
        list[at + i] |= page[i];
}

static void learn_page(uint8_t code, uint8_t subcode, uint8_t page[64])
{
    const struct model_request r = {
        .cdb = {0x1a, 0x08, code, subcode, 0xff}, .cdb_len = 6, .in_size = 255};
    const struct rig_answer *a = rig_run(&r, NULL);

    if (a->status == MODEL_GOOD && a->in_len > 4)
        memcpy(page, a->in + 4, a->in_len - 4 < 64 ? a->in_len - 4 : 64);
}

void oracle_request(const struct oracle_step *step, const struct model *m, uint32_t fresh,
                    struct model_request *r)
{
    static uint8_t list[64]; /* valid until the next request */

    memset(r, 0, sizeof(*r));
    r->nexus = step->nexus;
    r->action = step->cdb ? MODEL_COMMAND : MODEL_LUN_RESET;
    if (!step->cdb)
        return;
    r->cdb_len = unhex(step->cdb, r->cdb, sizeof(r->cdb));
    if (step->list) {
        r->out_len = unhex(step->list, list, sizeof(list));
        complete_list(list, r->out_len);
        r->out = list;
    } else {
        oracle_fit(r, m, step->short_room ? 2 : 1);
    }
    r->seed = step->data == ORACLE_FRESH ? fresh : seed_here(m, fresh);
    r->differs = step->data == ORACLE_DIFFERS && is_verify(r->cdb[0]); /* blocks keep to a seed */
}

static bool run_step(const struct oracle_step *step, uint32_t fresh)
{
    struct model_request r;

    oracle_request(step, &oracle.now, fresh, &r);
    return run_request(&r);
}

static bool run_text(const char *cdb, const char *list)
{
    return run_step(&(struct oracle_step){.cdb = cdb, .list = list}, 0);
}

/* ---- reaching a place ------------------------------------------------------------------------ */

/* A robot's move, and what it does to the drive's attentions, is not the subject here. */
static bool change_tape(enum rig_tape tape)
{
    struct model_request tur = {.cdb_len = 6};

    if (oracle.loaded != RIG_TAPES)
        oracle.tapes[oracle.loaded] = oracle.now.tape;
    rig_load(tape);
    oracle.loaded = tape;
    if (tape != RIG_TAPES)
        oracle.now.tape = oracle.tapes[tape];
    oracle.now.medium = tape == RIG_TAPES ? MODEL_ABSENT : MODEL_READY;
    oracle.now.partition = oracle.now.at = 0;
    memset(oracle.now.attentions, 0, sizeof(oracle.now.attentions));
    memset(oracle.now.attention, 0, sizeof(oracle.now.attention));
    for (tur.nexus = 0; tur.nexus < MODEL_NEXUSES; tur.nexus++) {
        for (unsigned i = 0; i < 4; i++)
            rig_run(&tur, NULL);
    }
    return same_state(&oracle.now);
}

static bool is_deferred(unsigned nexus)
{
    return oracle.now.deferred.pending && oracle.now.deferred.nexus == nexus;
}

/* Only what a reset does not undo. */
static bool settle(void)
{
    struct model_request tur = {.cdb_len = 6}, reset = {.action = MODEL_LUN_RESET};
    bool fine = run_request(&reset);

    for (tur.nexus = 0; fine && tur.nexus < MODEL_NEXUSES; tur.nexus++) {
        while (fine && (oracle.now.attentions[tur.nexus] || is_deferred(tur.nexus)))
            fine = run_request(&tur);
    }
    if (!fine || oracle.now.medium == MODEL_ABSENT || oracle.now.medium == MODEL_READY)
        return fine;
    fine = run_text("1b 00 00 00 01 00", NULL);
    for (tur.nexus = 0; fine && tur.nexus < MODEL_NEXUSES; tur.nexus++)
        fine = run_request(&tur);
    return fine;
}

static bool locate(uint32_t partition, uint32_t at)
{
    struct model_request r = {.cdb = {0x92, 0x02, 0, (uint8_t)partition}, .cdb_len = 16};

    put_be64(r.cdb + 4, at);
    return run_request(&r);
}

static bool write_object(const struct model_object *o)
{
    struct model_request r = {.cdb_len = 6, .seed = o->seed, .out_len = o->len};

    r.cdb[0] = o->len == MODEL_FILEMARK ? 0x10 : 0x0a;
    put_be24(r.cdb + 2, o->len == MODEL_FILEMARK ? 1 : o->len);
    return run_request(&r);
}

/* Make the partition what it should be, from the first object on that is not. */
static bool rewrite(const struct model_partition *want, uint32_t partition)
{
    const struct model_partition *have = &oracle.now.tape.partitions[partition];
    uint32_t same = 0;
    bool fine;

    while (same < want->count && same < have->count &&
           memcmp(&want->objects[same], &have->objects[same], sizeof(want->objects[0])) == 0)
        same++;
    if (same == want->count && same == have->count)
        return true;
    fine = locate(partition, same);
    if (same == want->count)
        return fine && run_text("19 00 00 00 00 00", NULL);
    for (uint32_t i = same; fine && i < want->count; i++)
        fine = write_object(&want->objects[i]);
    return fine;
}

/* What commands can't bring about, or not without what they were refused for. */
static bool rewritable(const struct model_tape *want)
{
    const struct model_tape *now = &oracle.now.tape;
    bool same = want->partition_count == now->partition_count && want->total == now->total;

    for (uint32_t p = 0; p < want->partition_count; p++)
        same = same && want->partitions[p].capacity == now->partitions[p].capacity;
    return same && !want->worm && !want->protect;
}

static bool same_tape(const struct model_tape *a, const struct model_tape *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* A new tape, divided as it should be, takes the place of the one in the drive. */
static bool replace_tape(const struct oracle_place *place, const struct model_tape *want)
{
    struct model_tape *tape = &oracle.tapes[place->tape];
    uint64_t capacities[MODEL_PARTITIONS];
    bool fine = change_tape(RIG_TAPES);

    rig_blank(place->tape);
    *tape = *want;
    tape->protect = false;
    for (uint32_t p = 0; p < MODEL_PARTITIONS; p++) {
        capacities[p] = want->partitions[p].capacity;
        memset(&tape->partitions[p], 0, sizeof(tape->partitions[p]));
        tape->partitions[p].capacity = capacities[p];
    }
    if (want->partition_count > 1)
        rig_divide(place->tape, capacities, want->partition_count);
    return change_tape(place->tape) && fine;
}

/* A tape that can't be rewritten is replaced; the tab is set at last. */
static bool write_tape(const struct oracle_place *place, const struct model_tape *want)
{
    bool tab = place->tape == RIG_PROTECTED, fine = true;

    if (same_tape(want, &oracle.now.tape))
        return true;
    if (!rewritable(want))
        fine = replace_tape(place, want);
    for (uint32_t p = 0; fine && p < want->partition_count; p++)
        fine = rewrite(&want->partitions[p], p);
    if (!fine || !tab)
        return fine;
    fine = change_tape(RIG_TAPES);
    rig_protect(place->tape, true);
    oracle.tapes[place->tape].protect = true;
    return fine && change_tape(place->tape);
}

/* Mode parameters; what they raise for the other nexus is taken. */
static bool set_modes(const struct model *want)
{
    struct model_request tur = {.cdb_len = 6, .nexus = 1};
    char list[96];
    bool fine = true;

    if (want->block_length || !want->buffered || want->descriptors || want->software_protect) {
        snprintf(list, sizeof(list),
                 "00 00 %s 08 00 00 00 00 00 %06x 0a 0a %s 00 %s 00 00 00 00 00 00 00",
                 want->buffered ? "10" : "00", (unsigned)want->block_length,
                 want->descriptors ? "04" : "00", want->software_protect ? "08" : "00");
        fine = run_text("15 10 00 00 18 00", list);
    }
    if (fine && (want->pews || want->append_only)) {
        snprintf(list, sizeof(list), "00 00 %s 00 50 01 00 1c 00 %s %04x %048x",
                 want->buffered ? "10" : "00", want->append_only ? "10" : "00", want->pews, 0);
        fine = run_text("15 10 00 00 24 00", list);
    }
    while (fine && oracle.now.attentions[1])
        fine = run_request(&tur);
    return fine;
}

static bool same_settings(const struct model *a, const struct model *b)
{
    size_t from = offsetof(struct model, block_length);

    return a->medium == b->medium &&
           memcmp((const char *)a + from, (const char *)b + from, sizeof(*a) - from) == 0;
}

bool oracle_reach(const struct oracle_place *place)
{
    static struct model want;
    enum rig_tape tape = place->medium == MODEL_ABSENT ? RIG_TAPES : place->tape;
    bool fine = true;

    oracle_place_model(place, &want);
    if (oracle.loaded == tape && same_settings(&oracle.now, &want)) {
        if (want.medium != MODEL_READY)
            return true;
        if (same_tape(&want.tape, &oracle.now.tape))
            return (oracle.now.partition == want.partition && oracle.now.at == want.at) ||
                   locate(want.partition, want.at);
    }
    fine = settle();
    if (fine && oracle.loaded != tape)
        fine = change_tape(tape);
    if (!fine || tape == RIG_TAPES)
        return fine;
    fine = write_tape(place, &want.tape) && locate(want.partition, want.at) && set_modes(&want);
    if (fine && want.medium == MODEL_HELD)
        fine = run_text("1b 00 00 00 08 00", NULL);
    else if (fine && want.medium == MODEL_EJECTED)
        fine = run_text("1b 00 00 00 00 00", NULL);
    return fine;
}

/* ---- sequences ------------------------------------------------------------------------------- */

void oracle_start(void)
{
    memset(&oracle, 0, sizeof(oracle));
    rig_start();
    model_init(&oracle.now, 0, 0);
    oracle.now.medium = MODEL_ABSENT;
    oracle.loaded = RIG_TAPES;
    for (unsigned t = 0; t < RIG_TAPES; t++) {
        struct model_tape *tape = &oracle.tapes[t];

        tape->partition_count = 1;
        rig_tape_size(t, &tape->whole, &tape->early_warning);
        tape->partitions[0].capacity = tape->total = tape->whole;
        tape->worm = t == RIG_WORM;
    }
    change_tape(RIG_TAPES);
    learn_page(0x0a, 0, oracle.pages[0]);
    learn_page(0x10, 1, oracle.pages[1]);
}

void oracle_stop(void)
{
    rig_stop();
}

/* How far it agrees: `count`, or the step that did not (0: not even the place was reached). */
static unsigned run_all(const struct oracle_place *place, const struct oracle_step *const *steps,
                        unsigned count)
{
    unsigned done = 0;

    oracle_counts.sequences++;
    if (!oracle_reach(place))
        return 0;
    while (done < count && run_step(steps[done], 1 + done))
        done++;
    return done;
}

static bool fails(const struct oracle_place *place, const struct oracle_step *const *steps,
                  unsigned count)
{
    oracle_stop();
    oracle_start();
    return run_all(place, steps, count) < count || oracle.differed;
}

/* Leave out what can be left out. */
static unsigned shorten(const struct oracle_place *place, const struct oracle_step **steps,
                        unsigned count)
{
    for (unsigned i = 0; i < count;) {
        const struct oracle_step *left_out = steps[i];

        memmove(steps + i, steps + i + 1, (count - i - 1) * sizeof(steps[0]));
        if (fails(place, steps, count - 1)) {
            count--;
        } else {
            memmove(steps + i + 1, steps + i, (count - i - 1) * sizeof(steps[0]));
            steps[i++] = left_out;
        }
    }
    return count;
}

bool oracle_run(const struct oracle_place *place, const struct oracle_step *const *steps,
                unsigned count)
{
    const struct oracle_step *shorter[ORACLE_STEPS_MAX];
    unsigned left = run_all(place, steps, count) + 1;

    if (!oracle.differed)
        return true;
    if (left > count)
        left = count;
    memcpy(shorter, steps, left * sizeof(steps[0]));
    printf("\n    the drive and the model differ: %s\n", oracle.said);
    if (fails(place, shorter, left)) {
        left = shorten(place, shorter, left);
        fails(place, shorter, left);
    } else {
        printf("    but not from a new start: what came before is the cause\n");
    }
    printf("    from \"%s\":", place->name);
    for (unsigned i = 0; i < left; i++)
        printf(" [%s]", shorter[i]->name);
    printf(": %s\n", oracle.said);
    oracle_stop();
    oracle_start();
    return false;
}

bool oracle_send(const struct model_request *r)
{
    return run_request(r);
}

const char *oracle_said(void)
{
    return oracle.said;
}

const struct model *oracle_now(void)
{
    return &oracle.now;
}

/* ---- names ----------------------------------------------------------------------------------- */

const struct oracle_place *oracle_place(const char *name)
{
    for (size_t i = 0; i < oracle_place_count; i++) {
        if (strcmp(oracle_places[i].name, name) == 0)
            return &oracle_places[i];
    }
    fprintf(stderr, "oracle: there is no place \"%s\"\n", name);
    exit(99);
}

const struct oracle_step *oracle_step(const char *name)
{
    for (size_t i = 0; i < oracle_step_count; i++) {
        if (strcmp(oracle_steps[i].name, name) == 0)
            return &oracle_steps[i];
    }
    fprintf(stderr, "oracle: there is no step \"%s\"\n", name);
    exit(99);
}
