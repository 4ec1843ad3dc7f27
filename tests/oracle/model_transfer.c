/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_transfer.c - READ, READ REVERSE, VERIFY, WRITE, WRITE FILEMARKS, ERASE (SSC-5 clause 5, 6).
 *
 * INFORMATION is what was asked for less what was done: blocks if FIXED, else bytes.
 */
#include <string.h>

#include "common/bytes.h"
#include "tests/oracle/model.h"

struct transfer {
    bool fixed, sili;
    uint32_t count, size; /* of blocks; of each */
};

static bool explicit_address(const struct model_request *r)
{
    return r->cdb[0] >= 0x80;
}

static uint32_t length_of(const struct model_request *r)
{
    return get_be24(r->cdb + (explicit_address(r) ? 12 : 2));
}

/* FIXED in variable-block mode is an error, and so is SILI with FIXED (SSC-5, READ(6)). */
static bool decode(const struct model *m, const struct model_request *r, struct model_answer *a,
                   bool has_sili, struct transfer *t)
{
    uint32_t length = length_of(r);

    t->fixed = r->cdb[1] & 0x01;
    t->sili = has_sili && (r->cdb[1] & 0x02);
    t->count = t->fixed ? length : length != 0;
    t->size = t->fixed ? m->block_length : length;
    if (t->fixed && (m->block_length == 0 || t->sili)) {
        model_bad_cdb(a);
        return false;
    }
    a->unknown = (uint64_t)t->count * t->size > MODEL_DATA_MAX;
    return !a->unknown;
}

static int64_t residual(const struct transfer *t, uint32_t done)
{
    return t->fixed ? (int64_t)t->count - done : done ? 0 : (int64_t)t->size;
}

static void incorrect_length(const struct model *m, struct model_answer *a, int64_t information)
{
    model_stop(m, a, MODEL_NO_SENSE, 0, information);
    a->ili = true;
}

/* SILI hides a block that is too short, one that is too long only if no block length is set. */
static bool is_odd(const struct model *m, const struct transfer *t, uint32_t len)
{
    if (len < t->size)
        return !t->sili;
    return len > t->size && (!t->sili || m->block_length != 0);
}

static uint8_t byte_of(const struct model_object *o, uint32_t i)
{
    return model_byte(o->seed, o->offset + i);
}

/* Where a transfer that works at the position ends without one, or of a command that names its
 * object, when that is not there.  SSC-5: an empty transfer changes nothing, not even the position.
 */
static bool may_begin(struct model *m, const struct model_request *r, struct model_answer *a,
                      const struct transfer *t)
{
    return t->count != 0 && model_go(m, r, a);
}

/* ---- READ ------------------------------------------------------------------------------------ */

/* Hand over block o as block `done` of the transfer: as written, or the last byte first. */
static void hand_over(const struct model_object *o, const struct transfer *t, uint32_t done,
                      bool reversed, struct model_answer *a)
{
    uint32_t at = done * t->size, len = o->len < t->size ? o->len : t->size;

    for (uint32_t i = 0; i < len; i++)
        a->in[at + i] = byte_of(o, reversed ? o->len - 1 - i : i);
    a->in_want = at + len;
}

/* The block that was met: false if it ends the command. */
static bool read_block(const struct model *m, const struct model_object *o,
                       const struct transfer *t, uint32_t done, bool reversed,
                       struct model_answer *a)
{
    if (t->fixed && o->len != t->size) { /* choice: nothing of such a block is handed over */
        incorrect_length(m, a, residual(t, done));
        return false;
    }
    hand_over(o, t, done, reversed, a);
    if (!is_odd(m, t, o->len))
        return true;
    incorrect_length(m, a, (int64_t)t->size - o->len);
    return false;
}

void model_read(struct model *m, const struct model_request *r, struct model_answer *a)
{
    struct transfer t;

    if (!decode(m, r, a, true, &t) || !may_begin(m, r, a, &t))
        return;
    for (uint32_t done = 0; done < t.count; done++) {
        const struct model_object *o = &model_here(m)->objects[m->at];

        if (model_at_end(m)) {
            model_stop(m, a, MODEL_BLANK_CHECK, MODEL_END_OF_DATA, residual(&t, done));
            return;
        }
        m->at++;
        if (o->len == MODEL_FILEMARK) {
            model_stop(m, a, MODEL_NO_SENSE, MODEL_FILEMARK_FOUND, residual(&t, done));
            return;
        }
        if (!read_block(m, o, &t, done, false, a))
            return;
    }
}

/* The nearest block first; filemark: on its beginning-of-partition side.  BYTORD=1: bytes as they
 * were written. */
void model_read_reverse(struct model *m, const struct model_request *r, struct model_answer *a)
{
    bool reversed = !(r->cdb[1] & 0x04);
    struct transfer t;

    if (!decode(m, r, a, true, &t) || !may_begin(m, r, a, &t))
        return;
    for (uint32_t done = 0; done < t.count; done++) {
        const struct model_object *o;

        if (m->at == 0) {
            model_stop(m, a, MODEL_NO_SENSE, MODEL_BEGINNING, residual(&t, done));
            return;
        }
        o = &model_here(m)->objects[--m->at];
        if (o->len == MODEL_FILEMARK) {
            model_stop(m, a, MODEL_NO_SENSE, MODEL_FILEMARK_FOUND, residual(&t, done));
            return;
        }
        if (!read_block(m, o, &t, done, reversed, a))
            return;
    }
}

/* ---- VERIFY ---------------------------------------------------------------------------------- */

static uint8_t data_out(const struct model_request *r, uint32_t i)
{
    uint8_t byte = r->out ? r->out[i] : model_byte(r->seed, i);

    return r->differs && i + 1 == r->out_len ? (uint8_t)~byte : byte;
}

/* False if a byte differs: MISCOMPARE, with what was not verified from it on. */
static bool compare_block(const struct model *m, const struct model_request *r,
                          const struct model_object *o, const struct transfer *t, uint32_t done,
                          struct model_answer *a)
{
    uint32_t len = o->len < t->size ? o->len : t->size;

    for (uint32_t i = 0; i < len; i++) {
        if (byte_of(o, i) != data_out(r, done * t->size + i)) {
            model_stop(m, a, MODEL_MISCOMPARE, 0x1d00,
                       t->fixed ? residual(t, done) : (int64_t)t->size - i);
            return false;
        }
    }
    return true;
}

/* Up to the first that is not as it should be. */
static void verify_blocks(struct model *m, const struct model_request *r, const struct transfer *t,
                          struct model_answer *a)
{
    for (uint32_t done = 0; done < t->count; done++) {
        const struct model_object *o = &model_here(m)->objects[m->at];

        if (model_at_end(m)) {
            model_stop(m, a, MODEL_BLANK_CHECK, MODEL_END_OF_DATA, residual(t, done));
            return;
        }
        m->at++;
        if (o->len == MODEL_FILEMARK) {
            model_stop(m, a, MODEL_NO_SENSE, MODEL_FILEMARK_FOUND, residual(t, done));
            return;
        }
        if (t->fixed && o->len != t->size) {
            incorrect_length(m, a, residual(t, done));
            return;
        }
        if ((r->cdb[1] & 0x02) && !compare_block(m, r, o, t, done, a))
            return;
        if (o->len != t->size) {
            incorrect_length(m, a, (int64_t)t->size - o->len);
            return;
        }
    }
}

void model_verify(struct model *m, const struct model_request *r, struct model_answer *a)
{
    bool compare = r->cdb[1] & 0x02;
    struct transfer t;

    a->unknown = r->cdb[1] & 0x38; /* by filemarks, to end of data, with protection */
    if (a->unknown || !decode(m, r, a, false, &t))
        return;
    if (compare && r->out_len < (size_t)t.count * t.size) { /* choice: nothing is done */
        model_bad_cdb(a);
        return;
    }
    if (!may_begin(m, r, a, &t))
        return;
    verify_blocks(m, r, &t, a);
    if (r->cdb[1] & 0x04) /* IMMED */
        model_defer(m, r, a);
}

/* ---- WRITE ----------------------------------------------------------------------------------- */

/* Where nothing is written over: at end of data, or where only filemarks lie ahead and one lies
 * behind, or nothing. */
static bool is_append_point(const struct model *m)
{
    const struct model_partition *p = &m->tape.partitions[m->partition];

    for (uint32_t i = m->at; i < p->count; i++) {
        if (p->objects[i].len != MODEL_FILEMARK)
            return false;
    }
    return m->at == p->count || m->at == 0 || p->objects[m->at - 1].len == MODEL_FILEMARK;
}

/* At the beginning, when one or two blocks and then only filemarks are there (choice, that of LTO
 * drives: IBM LTO reference 4.14.1). */
static bool is_label(const struct model *m)
{
    const struct model_partition *p = &m->tape.partitions[m->partition];
    uint32_t blocks = 0;

    while (blocks < p->count && p->objects[blocks].len != MODEL_FILEMARK)
        blocks++;
    for (uint32_t i = blocks; i < p->count; i++) {
        if (p->objects[i].len != MODEL_FILEMARK)
            return false;
    }
    return m->at == 0 && blocks <= 2;
}

/* SSC-5: write protection, append-only mode, WORM (what mode page 1Dh says of labels and
 * filemarks). Choice: the tab goes before the switch. */
static bool may_write(struct model *m, struct model_answer *a)
{
    bool allowed = m->allow == MODEL_CURRENT_POSITION;

    if (m->tape.protect)
        model_fail(a, MODEL_DATA_PROTECT, 0x2700);
    else if (m->software_protect)
        model_fail(a, MODEL_DATA_PROTECT, 0x2702);
    else if (m->append_only && !allowed && !is_append_point(m))
        model_fail(a, MODEL_DATA_PROTECT, 0x5a02);
    else if (m->tape.worm && !is_append_point(m) && !is_label(m))
        model_fail(a, MODEL_DATA_PROTECT, 0x300c);
    if (a->status == MODEL_GOOD)
        m->allow = MODEL_DISABLED;
    return a->status == MODEL_GOOD;
}

/* SSC-5, ALLOW OVERWRITE: at the position only, and only in append-only mode. */
void model_allow_overwrite(struct model *m, const struct model_request *r, struct model_answer *a)
{
    unsigned allow = r->cdb[2] & 0x0f;

    m->allow = MODEL_DISABLED;
    if (!m->append_only) {
        model_fail(a, MODEL_ILLEGAL_REQUEST, 0x200c);
    } else if (allow > MODEL_FORMAT) {
        model_bad_cdb(a);
    } else if (allow && (r->cdb[3] != m->partition || get_be64(r->cdb + 4) != m->at)) {
        model_fail(a, MODEL_ILLEGAL_REQUEST, 0x3b00);
    } else {
        m->allow = (uint8_t)allow;
        m->allow_partition = m->partition;
        m->allow_at = m->at;
    }
}

static bool fits(const struct model *m, uint64_t cost)
{
    uint64_t capacity = m->tape.partitions[m->partition].capacity, used = model_used(m);

    return used <= capacity && cost <= capacity - used;
}

static void append(struct model *m, uint32_t len, uint32_t seed, uint32_t offset)
{
    struct model_partition *p = model_here(m);

    p->objects[m->at++] = (struct model_object){len, offset, seed};
    memset(p->objects + m->at, 0, (MODEL_OBJECTS - m->at) * sizeof(p->objects[0]));
    p->count = m->at;
}

/* A write behind early warning was done, and says so each time: NO SENSE, EOM, nothing left.  The
 * programmable warning is told by the command that comes behind it. */
static void warn(const struct model *m, struct model_answer *a, bool was_beyond_pews)
{
    if (model_beyond_early_warning(m)) {
        model_stop(m, a, MODEL_NO_SENSE, MODEL_END_OF_MEDIUM, 0);
    } else if (!was_beyond_pews && model_beyond_pews(m)) {
        model_stop(m, a, MODEL_NO_SENSE, 0x0007, 0);
        a->eom = true;
    }
}

void model_write(struct model *m, const struct model_request *r, struct model_answer *a)
{
    struct transfer t;
    bool beyond;

    if (!decode(m, r, a, false, &t))
        return;
    if (r->out_len < (size_t)t.count * t.size) { /* choice: half a block is worse than none */
        model_bad_cdb(a);
        return;
    }
    if (!may_begin(m, r, a, &t) || !may_write(m, a))
        return;
    beyond = model_beyond_pews(m);
    a->unknown = m->at + t.count > MODEL_OBJECTS;
    for (uint32_t done = 0; !a->unknown && done < t.count; done++) {
        if (!fits(m, t.size)) {
            model_stop(m, a, MODEL_VOLUME_OVERFLOW, MODEL_END_OF_MEDIUM, residual(&t, done));
            return;
        }
        append(m, t.size, r->seed, done * t.size);
    }
    warn(m, a, beyond);
}

/* No filemarks: synchronise only.  Choice: those that do not all fit are not written at all. */
void model_write_filemarks(struct model *m, const struct model_request *r, struct model_answer *a)
{
    uint32_t count = length_of(r);
    bool beyond;

    if ((r->cdb[1] & 0x01) && !m->buffered) {
        model_bad_cdb(a);
        return;
    }
    if (count == 0 || !model_go(m, r, a) || !may_write(m, a))
        return;
    if (!fits(m, (uint64_t)count * MODEL_FILEMARK_COST)) {
        model_stop(m, a, MODEL_VOLUME_OVERFLOW, MODEL_END_OF_MEDIUM, count);
        return;
    }
    a->unknown = m->at + count > MODEL_OBJECTS;
    beyond = model_beyond_pews(m);
    for (uint32_t i = 0; !a->unknown && i < count; i++)
        append(m, MODEL_FILEMARK, 0, 0);
    warn(m, a, beyond);
}

/* Short and long: what is behind the position is gone, the position stays (for LONG=1 a choice). */
void model_erase(struct model *m, const struct model_request *r, struct model_answer *a)
{
    struct model_partition *p;

    if (!model_go(m, r, a) || !may_write(m, a))
        return;
    p = model_here(m);
    memset(p->objects + m->at, 0, (MODEL_OBJECTS - m->at) * sizeof(p->objects[0]));
    p->count = m->at;
}
