/* SPDX-License-Identifier: Apache-2.0 */
/* model_motion.c - REWIND, SPACE, LOCATE, READ POSITION, LOAD UNLOAD, PREVENT, MODE SELECT. */
#include <string.h>

#include "common/bytes.h"
#include "tests/oracle/model.h"

void model_rewind(struct model *m, const struct model_request *r, struct model_answer *a)
{
    (void)r;
    (void)a;
    m->at = 0;
}

/* ---- SPACE (SSC-5) --------------------------------------------------------------------------- */

static bool filemark_at(struct model *m, uint32_t at)
{
    return model_here(m)->objects[at].len == MODEL_FILEMARK;
}

static void at_end_of_data(const struct model *m, struct model_answer *a, int64_t left)
{
    model_stop(m, a, MODEL_BLANK_CHECK, MODEL_END_OF_DATA, left);
}

static void at_beginning(const struct model *m, struct model_answer *a, int64_t left)
{
    model_stop(m, a, MODEL_NO_SENSE, MODEL_BEGINNING, left);
}

/* A filemark ends it, on the far side of the motion. */
static void space_blocks(struct model *m, struct model_answer *a, int64_t count)
{
    while (count != 0 && a->status == MODEL_GOOD) {
        bool forward = count > 0, filemark;
        int64_t left = forward ? count : -count;

        if (forward && model_at_end(m)) {
            at_end_of_data(m, a, left);
        } else if (!forward && m->at == 0) {
            at_beginning(m, a, left);
        } else {
            filemark = filemark_at(m, forward ? m->at : m->at - 1);
            m->at = forward ? m->at + 1 : m->at - 1;
            if (filemark)
                model_stop(m, a, MODEL_NO_SENSE, MODEL_FILEMARK_FOUND, left);
            count += forward ? -1 : 1;
        }
    }
}

static void space_filemarks(struct model *m, struct model_answer *a, int64_t count)
{
    for (; count > 0; m->at++) {
        if (model_at_end(m)) {
            at_end_of_data(m, a, count);
            return;
        }
        count -= filemark_at(m, m->at);
    }
    for (; count < 0; m->at--) {
        if (m->at == 0) {
            at_beginning(m, a, -count);
            return;
        }
        count += filemark_at(m, m->at - 1);
    }
}

/* To the far side of the first n consecutive filemarks; there is no residual to tell (VALID=0). */
static void space_sequential(struct model *m, struct model_answer *a, int64_t count)
{
    int64_t run = 0, wanted = count < 0 ? -count : count;

    while (run < wanted && a->status == MODEL_GOOD) {
        if (count > 0 && model_at_end(m))
            at_end_of_data(m, a, 0);
        else if (count < 0 && m->at == 0)
            at_beginning(m, a, 0);
        else if (count > 0)
            run = filemark_at(m, m->at++) ? run + 1 : 0;
        else
            run = filemark_at(m, --m->at) ? run + 1 : 0;
        a->valid = false;
    }
}

static void space(struct model *m, const struct model_request *r, struct model_answer *a,
                  int64_t count)
{
    switch (r->cdb[1] & 0x0f) {
    case 0:
        space_blocks(m, a, count);
        break;
    case 1:
        space_filemarks(m, a, count);
        break;
    case 2:
        space_sequential(m, a, count);
        break;
    case 3:
        m->at = model_here(m)->count;
        break;
    default: /* setmarks are obsolete, the rest is reserved */
        model_bad_cdb(a);
    }
}

void model_space6(struct model *m, const struct model_request *r, struct model_answer *a)
{
    space(m, r, a, get_be24_signed(r->cdb + 2));
}

void model_space16(struct model *m, const struct model_request *r, struct model_answer *a)
{
    int64_t count = (int64_t)get_be64(r->cdb + 4);

    a->unknown = count == INT64_MIN; /* its magnitude does not fit into INFORMATION */
    if (!a->unknown)
        space(m, r, a, count);
}

/* ---- LOCATE ---------------------------------------------------------------------------------- */

/* A motion that does not come to where it should ends at end of data.  Whether EOM is told behind
 * early warning is not said here. */
static bool go_object(struct model *m, struct model_answer *a, uint64_t number)
{
    uint32_t end = model_here(m)->count;

    m->at = number < end ? (uint32_t)number : end;
    if (number <= end)
        return true;
    model_fail(a, MODEL_BLANK_CHECK, MODEL_END_OF_DATA);
    a->eom_free = true;
    return false;
}

static void go_file(struct model *m, struct model_answer *a, uint64_t number)
{
    uint64_t seen = 0;

    for (m->at = 0; seen < number && !model_at_end(m); m->at++)
        seen += filemark_at(m, m->at);
    if (seen < number)
        go_object(m, a, UINT64_MAX);
}

static bool go_partition(struct model *m, struct model_answer *a, uint32_t partition)
{
    if (partition >= m->tape.partition_count) {
        model_bad_cdb(a);
        return false;
    }
    if (partition != m->partition)
        m->at = 0;
    m->partition = partition;
    return true;
}

bool model_go(struct model *m, const struct model_request *r, struct model_answer *a)
{
    if (r->cdb[0] < 0x80)
        return true;
    return go_partition(m, a, r->cdb[3]) && go_object(m, a, get_be64(r->cdb + 4));
}

static void behind_status(struct model *m, const struct model_request *r, struct model_answer *a)
{
    if (r->cdb[1] & 0x01) /* IMMED */
        model_defer(m, r, a);
}

/* CP=1: to the partition named, which must be there; else within the present one, whatever the
 * field says. */
void model_locate10(struct model *m, const struct model_request *r, struct model_answer *a)
{
    if ((r->cdb[1] & 0x02) && !go_partition(m, a, r->cdb[8]))
        return;
    go_object(m, a, get_be32(r->cdb + 3));
    behind_status(m, r, a);
}

void model_locate16(struct model *m, const struct model_request *r, struct model_answer *a)
{
    unsigned type = r->cdb[1] >> 3 & 0x07;

    if (type == 2 || type > 3) { /* sets are obsolete */
        model_bad_cdb(a);
        return;
    }
    if ((r->cdb[1] & 0x02) && !go_partition(m, a, r->cdb[3]))
        return;
    if (type == 0)
        go_object(m, a, get_be64(r->cdb + 4));
    else if (type == 1)
        go_file(m, a, get_be64(r->cdb + 4));
    else
        m->at = model_here(m)->count;
    behind_status(m, r, a);
}

/* ---- READ POSITION --------------------------------------------------------------------------- */

static uint8_t flags(const struct model *m)
{
    bool warning = model_beyond_early_warning(m);
    return (uint8_t)((m->at == 0 ? 0x80 : 0) | (warning ? 0x40 : 0) |
                     (warning || model_beyond_pews(m) ? 0x01 : 0));
}

/* The last location, and the counts of what is in the buffer, are up to the drive: see
 * buffer_at. */
void model_read_position(struct model *m, const struct model_request *r, struct model_answer *a)
{
    unsigned form = r->cdb[1] & 0x1f, allocation = get_be16(r->cdb + 7);

    if (form != 0x08 && allocation != 0) {
        model_bad_cdb(a);
        return;
    }
    memset(a->in, 0, 32);
    a->in[0] = flags(m);
    if (form == 0x06) { /* long */
        put_be32(a->in + 4, m->partition);
        put_be64(a->in + 8, m->at);
        put_be64(a->in + 16, model_file(m));
        a->in_want = 32;
    } else if (form == 0x08) { /* extended */
        a->in[1] = (uint8_t)m->partition;
        put_be16(a->in + 2, 0x1c);
        put_be64(a->in + 8, m->at);
        a->in_want = allocation < 32 ? allocation : 32;
        a->buffer_at = 16;
    } else if (form <= 0x01) {
        a->in[1] = (uint8_t)m->partition;
        put_be32(a->in + 4, m->at);
        a->in_want = 20;
        a->buffer_at = 8;
    } else {
        model_bad_cdb(a);
    }
}

/* ---- FORMAT MEDIUM, SET CAPACITY ---------------------------------------------------------------
 */

static bool is_blank(const struct model *m)
{
    for (uint32_t p = 0; p < m->tape.partition_count; p++) {
        if (m->tape.partitions[p].count > 0)
            return false;
    }
    return true;
}

/* A WORM tape is formatted once and for all. */
static bool may_format(struct model *m, struct model_answer *a)
{
    if (m->tape.protect)
        model_fail(a, MODEL_DATA_PROTECT, 0x2700);
    else if (m->software_protect)
        model_fail(a, MODEL_DATA_PROTECT, 0x2702);
    else if (m->append_only && m->allow != MODEL_FORMAT && !is_blank(m))
        model_fail(a, MODEL_DATA_PROTECT, 0x5a02);
    else if (m->tape.worm)
        model_fail(a, MODEL_DATA_PROTECT, is_blank(m) ? 0x3006 : 0x300c);
    return a->status == MODEL_GOOD;
}

static bool at_beginning_of_medium(const struct model *m, struct model_answer *a)
{
    if (m->partition == 0 && m->at == 0)
        return true;
    model_fail(a, MODEL_ILLEGAL_REQUEST, 0x3b0c); /* position past beginning of medium */
    return false;
}

/* One partition of all there is; mode page 11h has changed for the others. */
static void format(struct model *m, const struct model_request *r, uint64_t capacity)
{
    memset(m->tape.partitions, 0, sizeof(m->tape.partitions));
    m->tape.partitions[0].capacity = capacity;
    m->tape.partition_count = 1;
    m->allow = MODEL_DISABLED;
    model_attention(m, 0x2a01, r->nexus);
}

/* With FORMAT 1 and 2 mode page 11h decides, in which the oracle never chooses anything. */
void model_format(struct model *m, const struct model_request *r, struct model_answer *a)
{
    unsigned how = r->cdb[2] & 0x0f;

    if (how > 2)
        model_bad_cdb(a);
    else if (!at_beginning_of_medium(m, a))
        return;
    else if (how > 0)
        model_fail(a, MODEL_ILLEGAL_REQUEST, 0x2602);
    else if (may_format(m, a))
        format(m, r, m->tape.total);
}

/* In 65,535ths of the whole; choice, that of LTO drives: not less than a twentieth of it. */
void model_set_capacity(struct model *m, const struct model_request *r, struct model_answer *a)
{
    uint64_t capacity = m->tape.whole * get_be16(r->cdb + 3) / 0xffff;

    if (!at_beginning_of_medium(m, a) || !may_format(m, a))
        return;
    if (capacity < m->tape.whole / 20)
        capacity = m->tape.whole / 20;
    format(m, r, capacity);
    m->tape.total = capacity;
}

/* ---- LOAD UNLOAD, PREVENT -------------------------------------------------------------------- */

static void unload(struct model *m, struct model_answer *a, bool hold)
{
    for (unsigned n = 0; n < MODEL_NEXUSES; n++) {
        if (m->prevents[n]) {
            model_fail(a, MODEL_ILLEGAL_REQUEST, 0x5302);
            return;
        }
    }
    if (m->medium != MODEL_ABSENT)
        m->medium = hold ? MODEL_HELD : MODEL_EJECTED;
    m->partition = m->at = 0;
}

/* HOLD=1: drawn in, but not threaded.  Choice: the attention of a medium made ready goes to all,
 * who asked for it too. */
static void load(struct model *m, struct model_answer *a, bool hold)
{
    if (m->medium == MODEL_ABSENT) {
        model_fail(a, MODEL_NOT_READY, 0x3a00);
    } else if (hold) {
        if (m->medium == MODEL_EJECTED)
            m->medium = MODEL_HELD;
    } else {
        if (m->medium != MODEL_READY)
            model_attention(m, 0x2800, MODEL_NOBODY);
        m->medium = MODEL_READY;
        m->partition = m->at = 0;
    }
}

void model_load_unload(struct model *m, const struct model_request *r, struct model_answer *a)
{
    bool loads = r->cdb[4] & 0x01, end = r->cdb[4] & 0x04, hold = r->cdb[4] & 0x08;

    if (loads && end)
        model_bad_cdb(a);
    else if (loads)
        load(m, a, hold);
    else
        unload(m, a, hold);
}

void model_prevent(struct model *m, const struct model_request *r, struct model_answer *a)
{
    a->unknown = r->cdb[4] > 1; /* obsolete values */
    if (!a->unknown)
        m->prevents[r->nexus] = r->cdb[4] == 1;
}

/* ---- MODE SELECT ----------------------------------------------------------------------------- */

/* What the oracle sends: a header, a descriptor or none, pages 0Ah and 10h/01h.  Others are told
 * 2Ah/01h if anything has changed (SPC-5 6.14). */
void model_mode_select(struct model *m, const struct model_request *r, struct model_answer *a)
{
    const struct model before = *m;
    const uint8_t *list = r->out;
    size_t at = 4, len = r->cdb[4];

    a->unknown = !list || r->out_len != len || len < 4 || (r->cdb[1] & 1);
    if (a->unknown)
        return;
    m->buffered = list[2] & 0x10;
    if (list[3] == 8) {
        m->block_length = get_be24(list + 9);
        at += 8;
    }
    if (at < len && list[at] == 0x0a) {
        m->descriptors = list[at + 2] & 0x04;
        m->software_protect = list[at + 4] & 0x08;
    } else if (at < len && list[at] == 0x50) {
        m->append_only = list[at + 5] >> 4 == 1;
        m->pews = get_be16(list + at + 6);
    }
    if (memcmp(&before, m, sizeof(before)) != 0)
        model_attention(m, 0x2a01, r->nexus);
}
