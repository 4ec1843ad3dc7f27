/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security_out.c - SECURITY PROTOCOL OUT: the Set Data Encryption page (SSC-5 8.5.3.2).
 *
 * The whole page is checked before anything of it counts.
 */
#include "vtl/scsi/drive.h"
#include "vtl/scsi/security.h"

enum {
    PROTOCOL_TAPE_ENCRYPTION = 0x20,
    PAGE_SET_DATA_ENCRYPTION = 0x0010,
    KEY_FORMAT_PLAIN = 0,
    KAD_FORMATS = 3, /* unspecified, binary, ASCII */
    FIXED_SIZE = 20, /* of the page before the key */
    AT_KEY_LENGTH = 18,
    LIST_MAX = 65536,
};

/* Where the parser is, and what it found wrong. */
struct parser {
    const uint8_t *list;
    size_t len; /* of the page with its header */
    unsigned *at;
    int *bit;
    uint16_t *code;
};

static bool refuse(const struct parser *p, uint16_t code, size_t at, int bit)
{
    *p->code = code;
    *p->at = (unsigned)at;
    *p->bit = bit;
    return false;
}

static bool bad_field(const struct parser *p, size_t at, int bit)
{
    return refuse(p, ASC_INVALID_FIELD_IN_LIST, at, bit);
}

static bool parse_header(struct parser *p, size_t len)
{
    if (len < 4)
        return refuse(p, ASC_LIST_LENGTH_ERROR, 0, -1);
    if (get_be16(p->list) != PAGE_SET_DATA_ENCRYPTION)
        return bad_field(p, 0, 7);
    p->len = 4u + get_be16(p->list + 2);
    if (p->len > len)
        return refuse(p, ASC_LIST_LENGTH_ERROR, 2, -1);
    return p->len >= FIXED_SIZE || bad_field(p, 2, 7);
}

/* Bytes 4 and 5: scope and flags. */
static bool parse_control(const struct parser *p, struct security_request *out)
{
    uint8_t control = p->list[4], flags = p->list[5];
    struct security_set *set = &out->set;

    out->scope = control >> 5;
    out->lock = control & 0x01;
    if (out->scope > SCOPE_ALL_NEXUS)
        return bad_field(p, 4, 7);
    if (out->scope == SCOPE_PUBLIC) /* nothing else counts */
        return true;
    set->check = flags >> 6;
    set->raw = flags >> 4 & 3;
    set->clear_on_demount = flags & 0x04;
    set->clear_on_preempt = flags & 0x02;
    set->clear_on_loss = flags & 0x01;
    if (set->raw == RAW_RESERVED)
        return bad_field(p, 5, 5);
    return !(flags & 0x08) || bad_field(p, 5, 3); /* SDK: one key at a time */
}

static bool set_needs_key(const struct security_set *set)
{
    return set->encryption == ENCRYPTION_ENCRYPT || set->decryption == DECRYPTION_DECRYPT ||
           set->decryption == DECRYPTION_MIXED;
}

/* Bytes 6 .. 10: modes, algorithm, formats.  With both modes DISABLE there is no algorithm to be
 * wrong: some hosts leave its index out then. */
static bool parse_modes(const struct parser *p, struct security_set *set)
{
    const uint8_t *list = p->list;

    if (list[6] > ENCRYPTION_ENCRYPT)
        return bad_field(p, 6, 7);
    if (list[7] > DECRYPTION_MIXED)
        return bad_field(p, 7, 7);
    set->encryption = list[6];
    set->decryption = list[7];
    if (list[8] != SECURITY_ALGORITHM &&
        (set->encryption != ENCRYPTION_DISABLE || set->decryption != DECRYPTION_DISABLE))
        return bad_field(p, 8, 7);
    if (set_needs_key(set) && list[9] != KEY_FORMAT_PLAIN)
        return bad_field(p, 9, 7);
    set->kad_format = list[10];
    return list[10] < KAD_FORMATS || bad_field(p, 10, 7);
}

/* One descriptor of key-associated data; *last is the type of the one before it. */
static bool parse_kad(const struct parser *p, size_t at, int *last, struct codec_kads *kads,
                      size_t *size)
{
    static const uint8_t room[] = {CODEC_UKAD_MAX, CODEC_AKAD_MAX, 0, CODEC_MKAD_MAX};
    uint8_t *const values[] = {kads->u, kads->a, NULL, kads->m};
    uint8_t *const lengths[] = {&kads->u_len, &kads->a_len, NULL, &kads->m_len};
    const uint8_t *d = p->list + at;
    unsigned type;
    size_t len;

    if (p->len - at < 4)
        return bad_field(p, 2, 7);
    type = d[0];
    len = get_be16(d + 2);
    /* In rising order of their types, none twice; the nonce (02h) is the drive's. */
    if (type >= ARRAY_LENGTH(room) || !values[type] || (int)type <= *last)
        return bad_field(p, at, 7);
    if (len > room[type] || len > p->len - at - 4)
        return bad_field(p, at + 2, 7);
    memcpy(values[type], d + 4, len);
    *lengths[type] = (uint8_t)len;
    *last = (int)type;
    *size = 4 + len;
    return true;
}

static bool parse_kads(const struct parser *p, size_t at, struct codec_kads *kads)
{
    int last = -1;
    size_t size;

    for (; at < p->len; at += size) {
        if (!parse_kad(p, at, &last, kads, &size))
            return false;
    }
    return true;
}

/* The key and what goes with it. */
static bool parse_key(const struct parser *p, struct security_set *set)
{
    size_t len = get_be16(p->list + AT_KEY_LENGTH);
    struct error err = ERROR_INIT;

    if (len > p->len - FIXED_SIZE)
        return bad_field(p, AT_KEY_LENGTH, 7);
    if (set->encryption == ENCRYPTION_DISABLE && set->decryption == DECRYPTION_DISABLE)
        return true; /* what else there is is of no use */
    if ((len != 0 || set_needs_key(set)) && len != CODEC_KEY_SIZE)
        return bad_field(p, AT_KEY_LENGTH, 7);
    if (!parse_kads(p, FIXED_SIZE + len, &set->kads))
        return false;
    if (!set_needs_key(set))
        return true;
    set->key = codec_key_new(p->list + FIXED_SIZE, &set->kads, set->raw == RAW_DISABLED, &err);
    return set->key || refuse(p, ASC_INTERNAL_FAILURE, 0, -1);
}

bool security_parse(const uint8_t *list, size_t len, struct security_request *out, unsigned *at,
                    int *bit, uint16_t *code)
{
    struct parser p = {list, 0, at, bit, code};

    memset(out, 0, sizeof(*out));
    if (!parse_header(&p, len) || !parse_control(&p, out))
        return false;
    if (out->scope == SCOPE_PUBLIC)
        return true;
    return parse_modes(&p, &out->set) && parse_key(&p, &out->set);
}

/* ---- the command ----------------------------------------------------------------------------- */

static void answer_refusal(struct scsi_lu *lu, struct scsi_task *task, unsigned at, int bit,
                           uint16_t code)
{
    if (code == ASC_INVALID_FIELD_IN_LIST)
        task_bad_list(lu, task, at, bit);
    else
        task_fail(lu, task, code == ASC_INTERNAL_FAILURE ? KEY_HARDWARE_ERROR : KEY_ILLEGAL_REQUEST,
                  code);
}

/* A key that is to end with a reservation needs one (SSC-5 8.5.3.2). */
static bool reservations_hold(struct scsi_lu *lu, struct scsi_task *task,
                              const struct security_set *set)
{
    const char *port = task->nexus->name;
    bool preempt = set->clear_on_preempt && !security_reserved(lu, port, true);

    if (!preempt && (!set->clear_on_loss || security_reserved(lu, port, false)))
        return true;
    task_bad_list(lu, task, 5, preempt ? 1 : 0);
    return false;
}

void cmd_security_out(struct scsi_lu *lu, struct scsi_task *task)
{
    size_t len = get_be32(task->cdb + 6);
    struct security_request request;
    uint16_t code = 0;
    unsigned at = 0;
    int bit = -1;

    if (task->cdb[1] != PROTOCOL_TAPE_ENCRYPTION) {
        task_bad_cdb(lu, task, 1, 7);
    } else if (get_be16(task->cdb + 2) != PAGE_SET_DATA_ENCRYPTION) {
        task_bad_cdb(lu, task, 2, 7);
    } else if (len > LIST_MAX) {
        task_bad_cdb(lu, task, 6, 7);
    } else if (len != 0 && task_list(lu, task, len)) {
        if (!security_parse(task->out, len, &request, &at, &bit, &code))
            answer_refusal(lu, task, at, bit, code);
        else if (reservations_hold(lu, task, &request.set) &&
                 !security_apply(lu, task->nexus, &request))
            task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        codec_key_free(request.set.key); /* NULL if it was taken over */
    }
}
