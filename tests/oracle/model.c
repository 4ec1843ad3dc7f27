/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - what comes before a command (SAM-6 5.3, SPC-5 5.1), and the table of commands. */
#include "tests/oracle/model.h"

#include <string.h>

#include "common/bytes.h"

void model_init(struct model *m, uint64_t capacity, uint64_t early_warning)
{
    memset(m, 0, sizeof(*m));
    m->tape.partition_count = 1;
    m->tape.partitions[0].capacity = m->tape.whole = m->tape.total = capacity;
    m->tape.early_warning = early_warning;
    m->medium = MODEL_READY;
    m->buffered = true;
}

uint8_t model_byte(uint32_t seed, uint32_t i)
{
    uint64_t x = ((uint64_t)seed << 32 | i / 8) + 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (uint8_t)((x ^ x >> 31) >> i % 8 * 8);
}

uint64_t model_file(const struct model *m)
{
    const struct model_partition *p = &m->tape.partitions[m->partition];
    uint64_t file = 0;

    for (uint32_t i = 0; i < m->at; i++)
        file += p->objects[i].len == MODEL_FILEMARK;
    return file;
}

uint64_t model_used(const struct model *m)
{
    const struct model_partition *p = &m->tape.partitions[m->partition];
    uint64_t used = 0;

    for (uint32_t i = 0; i < m->at; i++)
        used += p->objects[i].len == MODEL_FILEMARK ? MODEL_FILEMARK_COST : p->objects[i].len;
    return used;
}

/* Native bytes at which early warning is on.  Choice: of a divided tape at most half a partition is
 * behind it. */
static uint64_t early_warning_at(const struct model *m)
{
    uint64_t capacity = m->tape.partitions[m->partition].capacity, zone = m->tape.early_warning;

    if (m->tape.partition_count > 1 && zone > capacity / 2)
        zone = capacity / 2;
    return zone < capacity ? capacity - zone : 0;
}

bool model_beyond_early_warning(const struct model *m)
{
    return model_used(m) > early_warning_at(m);
}

bool model_beyond_pews(const struct model *m)
{
    return m->pews && model_used(m) + m->pews * 1000000ull > early_warning_at(m);
}

/* ---- answers --------------------------------------------------------------------------------- */

void model_fail(struct model_answer *a, enum model_key key, uint16_t code)
{
    a->status = MODEL_CHECK_CONDITION;
    a->key = (uint8_t)key;
    a->code = code;
}

void model_bad_cdb(struct model_answer *a)
{
    model_fail(a, MODEL_ILLEGAL_REQUEST, 0x2400);
}

/* End of data at or behind early warning says so too: EOM with BLANK CHECK (SSC-5, READ: "If
 * end-of-data is encountered at or after early-warning, the EOM bit shall also be set to one"; so
 * in SPACE and VERIFY). */
void model_stop(const struct model *m, struct model_answer *a, enum model_key key, uint16_t code,
                int64_t information)
{
    model_fail(a, key, code);
    a->valid = true;
    a->information = information;
    a->filemark = code == MODEL_FILEMARK_FOUND;
    a->eom = code == MODEL_BEGINNING || code == MODEL_END_OF_MEDIUM ||
             (code == MODEL_END_OF_DATA && model_beyond_early_warning(m));
}

/* ---- deferred errors (SPC-5 4.4.6) ----------------------------------------------------------- */

/* Choice: of two that nobody has been told of, the first is the one to know. */
void model_defer(struct model *m, const struct model_request *r, struct model_answer *a)
{
    struct model_deferred *d = &m->deferred;

    if (a->unknown || a->status == MODEL_GOOD)
        return;
    if (!d->pending)
        *d = (struct model_deferred){.pending = 1,
                                     .key = a->key,
                                     .code = a->code,
                                     .filemark = a->filemark,
                                     .eom = a->eom,
                                     .ili = a->ili,
                                     .valid = a->valid,
                                     .eom_free = a->eom_free,
                                     .nexus = r->nexus,
                                     .information = a->information};
    memset(a, 0, offsetof(struct model_answer, in));
}

static bool deferred_take(struct model *m, unsigned nexus, struct model_answer *a)
{
    const struct model_deferred d = m->deferred;

    if (!d.pending || d.nexus != nexus)
        return false;
    memset(&m->deferred, 0, sizeof(m->deferred));
    model_fail(a, d.key, d.code);
    a->deferred = true;
    a->filemark = d.filemark;
    a->eom = d.eom;
    a->ili = d.ili;
    a->valid = d.valid;
    a->eom_free = d.eom_free;
    a->information = d.information;
    return true;
}

/* ---- unit attentions (SAM-6 5.14) ------------------------------------------------------------ */

static void attention_add(struct model *m, unsigned nexus, uint16_t code)
{
    if (code >> 8 == 0x29) /* a reset includes all that was before it */
        m->attentions[nexus] = 0;
    for (uint32_t i = 0; i < m->attentions[nexus]; i++) {
        if (m->attention[nexus][i] == code)
            return;
    }
    m->attention[nexus][m->attentions[nexus]++] = code;
}

void model_attention(struct model *m, uint16_t code, unsigned except)
{
    for (unsigned n = 0; n < MODEL_NEXUSES; n++) {
        if (n != except)
            attention_add(m, n, code);
    }
}

static bool attention_take(struct model *m, unsigned nexus, struct model_answer *a)
{
    uint16_t *queue = m->attention[nexus];

    if (m->attentions[nexus] == 0)
        return false;
    model_fail(a, MODEL_UNIT_ATTENTION, queue[0]);
    m->attentions[nexus]--;
    memmove(queue, queue + 1, 7 * sizeof(queue[0]));
    queue[m->attentions[nexus]] = 0; /* so that equal states are equal bytes */
    return true;
}

/* SAM-6 6.3.3, SPC-5 7.5: mode pages as at power on, PREVENT gone; the medium stays where it is. */
static void lun_reset(struct model *m)
{
    m->block_length = 0;
    m->buffered = true;
    m->software_protect = m->descriptors = false;
    m->pews = 0;
    m->append_only = false;
    memset(m->prevents, 0, sizeof(m->prevents));
    memset(m->attention, 0, sizeof(m->attention));
    model_attention(m, 0x2903, MODEL_NOBODY);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void test_unit_ready(struct model *m, const struct model_request *r, struct model_answer *a)
{
    (void)m;
    (void)r;
    (void)a;
}

static const struct command {
    uint8_t opcode, length;
    bool medium;      /* NOT READY without one */
    uint8_t bits[15]; /* of the CDB from byte 1 on: those that are not reserved */
    model_command *run;
} commands[] = {
    {0x00, 6, true, {0}, test_unit_ready},
    {0x01, 6, true, {0x01}, model_rewind},
    {0x04, 6, true, {0x03, 0x0f}, model_format},
    {0x0b, 6, true, {0x01, [2 ... 3] = 0xff}, model_set_capacity},
    {0x08, 6, true, {0x03, [1 ... 3] = 0xff}, model_read},
    {0x0a, 6, true, {0x01, [1 ... 3] = 0xff}, model_write},
    {0x0f, 6, true, {0x07, [1 ... 3] = 0xff}, model_read_reverse},
    {0x10, 6, true, {0x01, [1 ... 3] = 0xff}, model_write_filemarks},
    {0x11, 6, true, {0x0f, [1 ... 3] = 0xff}, model_space6},
    {0x13, 6, true, {0x3f, [1 ... 3] = 0xff}, model_verify},
    {0x15, 6, false, {0x11, [3] = 0xff}, model_mode_select},
    {0x19, 6, true, {0x03}, model_erase},
    {0x1b, 6, false, {0x01, [3] = 0x0f}, model_load_unload},
    {0x1e, 6, false, {[3] = 0x03}, model_prevent},
    {0x2b, 10, true, {0x07, [2 ... 5] = 0xff, [7] = 0xff}, model_locate10},
    {0x34, 10, true, {0x1f, [6 ... 7] = 0xff}, model_read_position},
    {0x80, 16, true, {0x0d, [2 ... 13] = 0xff}, model_write_filemarks},
    {0x81, 16, true, {0x07, [2 ... 13] = 0xff}, model_read_reverse},
    {0x88, 16, true, {0x03, [2 ... 13] = 0xff}, model_read},
    {0x82, 16, true, {[1] = 0x0f, [2 ... 10] = 0xff}, model_allow_overwrite},
    {0x8a, 16, true, {0x0d, [2 ... 13] = 0xff}, model_write},
    {0x8f, 16, true, {0x3f, [2 ... 13] = 0xff}, model_verify},
    {0x91, 16, true, {0x0f, [3 ... 10] = 0xff}, model_space16},
    {0x92, 16, true, {0x3b, [2 ... 10] = 0xff}, model_locate16},
    {0x93, 16, true, {0x0f, [2 ... 10] = 0xff}, model_erase},
};

static const struct command *find(const uint8_t *cdb)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (commands[i].opcode == cdb[0])
            return &commands[i];
    }
    return NULL;
}

/* Reserved bits must be zero (SPC-5 4.2.1); of CONTROL, the vendor's two may be anything. */
static bool reserved_bits_are_zero(const struct command *c, const uint8_t *cdb)
{
    for (unsigned i = 1; i < c->length; i++) {
        uint8_t bits = i == c->length - 1u ? 0xc0 : c->bits[i - 1];

        if (cdb[i] & ~bits)
            return false;
    }
    return true;
}

static void not_ready(const struct model *m, struct model_answer *a)
{
    model_fail(a, MODEL_NOT_READY, m->medium == MODEL_HELD ? 0x0402 : 0x3a00);
}

/* What was allowed is so where it was, until the medium moves, is unloaded, or the mode ends
 * (SSC-5, ALLOW OVERWRITE). */
static void settle_allow(struct model *m)
{
    bool here = m->partition == m->allow_partition && m->at == m->allow_at;

    if (m->allow && here && m->append_only && m->medium == MODEL_READY)
        return;
    m->allow = MODEL_DISABLED;
    m->allow_partition = m->allow_at = 0;
}

/* Choice: a CDB that is wrong in itself is told before the medium is looked at. */
static void run_command(struct model *m, const struct model_request *r, struct model_answer *a)
{
    const struct command *c = find(r->cdb);

    if (!c)
        a->unknown = true;
    else if (attention_take(m, r->nexus, a))
        return;
    else if (!reserved_bits_are_zero(c, r->cdb))
        model_bad_cdb(a);
    else if (deferred_take(m, r->nexus, a))
        return;
    else if (c->medium && m->medium != MODEL_READY)
        not_ready(m, a);
    else
        c->run(m, r, a);
}

void model_run(struct model *m, const struct model_request *r, struct model_answer *a)
{
    memset(a, 0, offsetof(struct model_answer, in));
    a->buffer_at = 0;
    if (r->action == MODEL_LUN_RESET)
        lun_reset(m);
    else
        run_command(m, r, a);
    settle_allow(m);
}
