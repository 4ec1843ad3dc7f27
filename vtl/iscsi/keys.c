/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - see keys.h.
 *
 * A text is walked once per pass: names and SessionType first (other keys' relevance hangs on
 * them), then most keys, then FirstBurstLength, whose limit and relevance hang on three others.
 */
#include "vtl/iscsi/keys.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "common/checked.h"

enum key_kind {
    KEY_NAME,    /* declared: InitiatorName, TargetName */
    KEY_SESSION, /* declared: SessionType */
    KEY_DECLARE, /* declared number: no answer */
    KEY_COMMENT, /* declared, of no consequence: aliases, NodeArchitecture */
    KEY_MIN,     /* number: the smaller one */
    KEY_MAX,     /* number: the larger one */
    KEY_AND,     /* Yes if both say Yes */
    KEY_OR,      /* Yes if one says Yes */
    KEY_LIST,    /* the first of the initiator's list that we have */
    KEY_NO,      /* obsolete markers: always No (13.25) */
    KEY_REJECT,  /* obsolete marker intervals: always Reject */
    KEY_OTHER,   /* somebody else's: authentication, SendTargets */
};

enum relevance { ALWAYS, NOT_IN_DISCOVERY, ONLY_UNSOLICITED };

#define LOGIN_ONLY  STAGE_OPERATIONAL
#define LOGIN_BOTH  (STAGE_SECURITY | STAGE_OPERATIONAL)
#define ANY_STAGE   (LOGIN_BOTH | STAGE_FULL_FEATURE)
#define LATER       (STAGE_OPERATIONAL | STAGE_FULL_FEATURE)
#define NUMBER_SPAN 0xffffffu /* 2^24 - 1 */

struct key_row {
    const char *name;
    enum key_kind kind;
    unsigned pass;
    unsigned stages;
    enum relevance relevant;
    uint32_t low, high; /* what may be offered */
    uint32_t ours;      /* what we want; for a list: a mask of its words that we have */
    uint32_t initial;   /* default */
    size_t at;          /* in struct params */
    const char *const *words;
};

static const char *const digest_words[] = {"None", "CRC32C", NULL};
static const char *const reporting_words[] = {"RFC3720", "ResponseFence", "FastAbort", NULL};

#define AT(field) offsetof(struct params, field)
#define NOWHERE   AT(task_reporting) /* for rows that keep nothing; never written */

static const struct key_row table[] = {
    /* name, kind, pass, stages, relevance, low, high, ours, initial, at, words */
    {"InitiatorName", KEY_NAME, 0, LOGIN_BOTH, ALWAYS, 0, 0, 0, 0, AT(initiator), NULL},
    {"TargetName", KEY_NAME, 0, LOGIN_BOTH, ALWAYS, 0, 0, 0, 0, AT(target), NULL},
    {"SessionType", KEY_SESSION, 0, LOGIN_BOTH, ALWAYS, 0, 1, 0, 0, AT(discovery), NULL},
    {"InitiatorAlias", KEY_COMMENT, 1, ANY_STAGE, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"TargetAlias", KEY_COMMENT, 1, ANY_STAGE, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"X#NodeArchitecture", KEY_COMMENT, 1, ANY_STAGE, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"HeaderDigest", KEY_LIST, 1, LOGIN_ONLY, ALWAYS, 0, 0, 3, 0, AT(header_digest), digest_words},
    {"DataDigest", KEY_LIST, 1, LOGIN_ONLY, ALWAYS, 0, 0, 3, 0, AT(data_digest), digest_words},
    {"MaxConnections", KEY_MIN, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 1, 65535, 1, 1,
     AT(max_connections), NULL},
    {"InitialR2T", KEY_OR, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 1, 0, 1, AT(initial_r2t), NULL},
    {"ImmediateData", KEY_AND, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 1, 1, 1, AT(immediate_data),
     NULL},
    {"MaxRecvDataSegmentLength", KEY_DECLARE, 1, LATER, ALWAYS, 512, NUMBER_SPAN, 0, 8192,
     AT(peer_recv_length), NULL},
    {"MaxBurstLength", KEY_MIN, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 512, NUMBER_SPAN, KEYS_BURST_MAX,
     262144, AT(max_burst), NULL},
    {"FirstBurstLength", KEY_MIN, 2, LOGIN_ONLY, ONLY_UNSOLICITED, 512, NUMBER_SPAN, KEYS_BURST_MAX,
     65536, AT(first_burst), NULL},
    {"DefaultTime2Wait", KEY_MAX, 1, LOGIN_ONLY, ALWAYS, 0, 3600, 0, 2, AT(time2wait), NULL},
    {"DefaultTime2Retain", KEY_MIN, 1, LOGIN_ONLY, ALWAYS, 0, 3600, 0, 20, AT(time2retain), NULL},
    {"MaxOutstandingR2T", KEY_MIN, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 1, 65535, KEYS_OUTSTANDING_R2T,
     1, AT(outstanding_r2t), NULL},
    {"DataPDUInOrder", KEY_OR, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 1, 1, 1, AT(pdu_in_order), NULL},
    {"DataSequenceInOrder", KEY_OR, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 1, 1, 1,
     AT(sequence_in_order), NULL},
    {"ErrorRecoveryLevel", KEY_MIN, 1, LOGIN_ONLY, ALWAYS, 0, 2, 0, 0, AT(error_recovery), NULL},
    {"TaskReporting", KEY_LIST, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 0, 1, 0, AT(task_reporting),
     reporting_words},
    {"iSCSIProtocolLevel", KEY_MIN, 1, LOGIN_ONLY, NOT_IN_DISCOVERY, 0, 31, 1, 1,
     AT(protocol_level), NULL},
    {"OFMarker", KEY_NO, 1, LOGIN_ONLY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"IFMarker", KEY_NO, 1, LOGIN_ONLY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"OFMarkInt", KEY_REJECT, 1, LOGIN_ONLY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"IFMarkInt", KEY_REJECT, 1, LOGIN_ONLY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"AuthMethod", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"CHAP_A", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"CHAP_I", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"CHAP_C", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"CHAP_N", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"CHAP_R", KEY_OTHER, 1, STAGE_SECURITY, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
    {"SendTargets", KEY_OTHER, 1, STAGE_FULL_FEATURE, ALWAYS, 0, 0, 0, 0, NOWHERE, NULL},
};
_Static_assert(ARRAY_LENGTH(table) <= 64, "params.offered has a bit per row");

static uint64_t row_bit(const struct key_row *row)
{
    return (uint64_t)1 << (row - table);
}

static uint32_t *value_of(struct params *p, const struct key_row *row)
{
    return (uint32_t *)(void *)((char *)p + row->at);
}

void params_init(struct params *p)
{
    memset(p, 0, sizeof(*p));
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (table[i].kind >= KEY_DECLARE && table[i].kind <= KEY_LIST &&
            table[i].kind != KEY_COMMENT)
            *value_of(p, &table[i]) = table[i].initial;
}

static const struct key_row *find_row(struct text key)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (text_is(key, table[i].name))
            return &table[i];
    return NULL;
}

/* 4.2.7.1 and RFC 3722: iqn., eui. or naa., no white space or control bytes; case is folded. */
static int take_name(char *name, const struct key_row *row, struct text value, struct error *err)
{
    char folded[ISCSI_NAME_MAX + 1];

    if (value.len == 0 || value.len > ISCSI_NAME_MAX)
        return error_set(err, ERR_PROTOCOL, "%s of %zu bytes; 1 to %d are allowed", row->name,
                         value.len, ISCSI_NAME_MAX);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];

        if (c <= ' ' || c == 0x7f || (c < 0x80 && !isalnum(c) && !strchr("-.:_", c)))
            return error_set(err, ERR_PROTOCOL, "%s has an illegal character", row->name);
        folded[i] = (char)(c < 0x80 ? tolower(c) : c);
    }
    folded[value.len] = '\0';
    if (strncmp(folded, "iqn.", 4) != 0 && strncmp(folded, "eui.", 4) != 0 &&
        strncmp(folded, "naa.", 4) != 0)
        return error_set(err, ERR_PROTOCOL, "%s does not start with iqn., eui. or naa.", row->name);
    /* Initiators repeat their names in the next stage; that is harmless while they are the same. */
    if (name[0] && strcmp(name, folded) != 0)
        return error_set(err, ERR_PROTOCOL, "%s was declared twice, differently", row->name);
    memcpy(name, folded, value.len + 1);
    return 0;
}

static int take_session(struct params *p, const struct key_row *row, struct text value,
                        struct error *err)
{
    uint32_t *discovery = value_of(p, row);
    bool wanted = text_is(value, "Discovery");

    if (!wanted && !text_is(value, "Normal"))
        return error_set(err, ERR_UNSUPPORTED, "SessionType is neither Normal nor Discovery");
    if ((p->offered & row_bit(row)) && *discovery != wanted)
        return error_set(err, ERR_PROTOCOL, "SessionType was declared twice, differently");
    p->offered |= row_bit(row);
    *discovery = wanted;
    return 0;
}

static bool row_relevant(const struct params *p, const struct key_row *row)
{
    if (row->relevant == ALWAYS)
        return true;
    if (p->discovery)
        return false;
    return row->relevant != ONLY_UNSOLICITED || !p->initial_r2t || p->immediate_data;
}

static bool take_number(struct params *p, const struct key_row *row, struct text value,
                        struct text_builder *out)
{
    uint64_t offered;
    uint32_t agreed;

    if (!text_number(value, &offered) || offered < row->low || offered > row->high)
        return false;
    agreed = (uint32_t)offered;
    if (row->kind == KEY_MIN && agreed > row->ours)
        agreed = row->ours;
    if (row->kind == KEY_MAX && agreed < row->ours)
        agreed = row->ours;
    if (row->at == AT(first_burst) && agreed > p->max_burst)
        agreed = p->max_burst;
    *value_of(p, row) = agreed;
    if (row->kind != KEY_DECLARE)
        text_addf(out, row->name, "%u", agreed);
    return true;
}

static bool take_boolean(struct params *p, const struct key_row *row, struct text value,
                         struct text_builder *out)
{
    bool yes = text_is(value, "Yes"), agreed;

    if (!yes && !text_is(value, "No"))
        return false;
    agreed = row->kind == KEY_AND ? yes && row->ours : yes || row->ours;
    *value_of(p, row) = agreed;
    text_addf(out, row->name, "%s", agreed ? "Yes" : "No");
    return true;
}

static bool take_list(struct params *p, const struct key_row *row, struct text value,
                      struct text_builder *out)
{
    struct text rest = value, word;
    bool none_offered = false;

    /* A digest in a discovery session only hurts: some initiators offer it and cannot do it. */
    while (p->discovery && text_list_next(&rest, &word))
        none_offered = none_offered || text_is(word, row->words[0]);
    rest = none_offered ? text_of(row->words[0]) : value;
    while (text_list_next(&rest, &word))
        for (uint32_t i = 0; row->words[i]; i++)
            if (row->ours >> i & 1 && text_is(word, row->words[i])) {
                *value_of(p, row) = i;
                text_addf(out, row->name, "%s", row->words[i]);
                return true;
            }
    return false;
}

/* One key that is negotiated: agree, or answer Reject and keep the default (6.2). */
static int take_negotiated(struct params *p, const struct key_row *row, struct text value,
                           struct text_builder *out, struct error *err)
{
    bool taken = false;

    if (row->kind == KEY_AND || row->kind == KEY_OR)
        taken = take_boolean(p, row, value, out);
    else if (row->kind == KEY_LIST)
        taken = take_list(p, row, value, out);
    else if (row->kind != KEY_REJECT)
        taken = take_number(p, row, value, out);
    if (!taken && row->kind == KEY_DECLARE)
        return error_set(err, ERR_PROTOCOL, "%s is declared with a value outside %u..%u", row->name,
                         row->low, row->high);
    if (!taken)
        text_addf(out, row->name, "Reject");
    return 0;
}

static int take_pair(struct params *p, const struct key_row *row, enum key_stage stage,
                     struct text value, struct text_builder *out, struct error *err)
{
    if (row->kind == KEY_OTHER && (row->stages & stage))
        return 0;
    if (!(row->stages & stage)) {
        if (stage != STAGE_FULL_FEATURE)
            return error_set(err, ERR_PROTOCOL, "%s does not belong in this stage", row->name);
        text_addf(out, row->name, "Reject");
        return 0;
    }
    if (row->kind == KEY_NAME)
        return take_name((char *)p + row->at, row, value, err);
    if (row->kind == KEY_SESSION)
        return take_session(p, row, value, err);
    if (row->kind == KEY_COMMENT)
        return 0;
    if ((p->offered & row_bit(row)) && stage != STAGE_FULL_FEATURE)
        return error_set(err, ERR_PROTOCOL, "%s is offered twice", row->name);
    p->offered |= row_bit(row);
    if (row->kind == KEY_NO) {
        text_addf(out, row->name, "No");
        return 0;
    }
    if (!row_relevant(p, row)) {
        text_addf(out, row->name, "Irrelevant");
        return 0;
    }
    return take_negotiated(p, row, value, out, err);
}

int keys_negotiate(struct params *p, enum key_stage stage, struct text text,
                   struct text_builder *out, struct error *err)
{
    for (unsigned pass = 0; pass <= 2; pass++) {
        struct text rest = text;
        struct text_pair pair;
        int rc;

        while ((rc = text_next(&rest, &pair, err)) > 0) {
            const struct key_row *row = find_row(pair.key);

            if (!row && pass == 1)
                text_add(out, pair.key, text_of("NotUnderstood"));
            if (!row || row->pass != pass)
                continue;
            rc = take_pair(p, row, stage, pair.value, out, err);
            if (rc)
                return rc;
        }
        if (rc)
            return rc;
        if (out->overflow)
            return error_set(err, ERR_PROTOCOL, "text needs an answer longer than %zu bytes",
                             out->size);
    }
    return 0;
}
