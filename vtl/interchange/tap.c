/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.c - the tape images of SIMH ("SIMH Magtape Representation and Handling", R. M. Supnik).
 *
 * A record is its length (4 bytes, little-endian), the data, a byte of padding if that is odd, and
 * the length again.  The upper four bits of the length are a class:
 *     0  good data; all zero: a tape mark      8     bad data: what could be read of a bad block
 *     1-6, E  private data, descriptions: not of the tape's contents, skipped
 *     7  private markers: no data follows      F     FFFFFFFFh end of medium, FFFFFFFEh erase gap
 * E11, and programs before SIMH 2.3, leave the padding out; whether it is there shows at each
 * record of odd length by where the length behind it is. FFFEFFFFh is an erase gap read from its
 * middle: the next word is two bytes further on.
 */
#include "common/bytes.h"
#include "vtl/interchange/internal.h"

#define TAP_MARK          0u
#define TAP_END_OF_MEDIUM 0xffffffffu
#define TAP_GAP           0xfffffffeu
#define TAP_HALF_GAP      0xfffeffffu

#define TAP_CLASS(word)  ((word) >> 28)
#define TAP_LENGTH(word) ((word)&0x00ffffffu)

#define CLASS_GOOD           0u
#define CLASS_PRIVATE_MARKER 7u
#define CLASS_BAD            8u
#define CLASS_DESCRIPTION    14u
#define BAD_RECORD           (CLASS_BAD << 28)

static bool has_data(uint32_t word)
{
    return TAP_CLASS(word) < CLASS_PRIVATE_MARKER || TAP_CLASS(word) == CLASS_BAD ||
           TAP_CLASS(word) == CLASS_DESCRIPTION;
}

/* Bits 27-24 are reserved. */
static bool word_valid(uint32_t word)
{
    if (word == TAP_END_OF_MEDIUM || word == TAP_GAP || word == TAP_HALF_GAP)
        return true;
    return TAP_CLASS(word) == CLASS_PRIVATE_MARKER || (has_data(word) && (word & 0x0f000000u) == 0);
}

/* Is the padding of a record of odd length left out?  behind: the 5 bytes behind its data, as many
 * as there are. */
static bool is_unpadded(uint32_t word, const uint8_t *behind, size_t have)
{
    return (TAP_LENGTH(word) & 1) && have >= 4 && get_le32(behind) == word &&
           !(have >= 5 && get_le32(behind + 1) == word);
}

/* The bytes behind the length of a record, with the length behind it; 0: the two differ, or there
 * are too few. */
static size_t record_rest(uint32_t word, const uint8_t *data, size_t have)
{
    size_t len = TAP_LENGTH(word);

    if (have < len + 4)
        return 0;
    if (is_unpadded(word, data + len, have - len))
        return len + 4;
    len += len & 1;
    return have >= len + 4 && get_le32(data + len) == word ? len + 4 : 0;
}

/* Every record that can be seen must hold, and there must be one to hold: the first, unless it is
 * so long that its end is out of sight. */
static bool tap_detect(const uint8_t *data, size_t len, bool all)
{
    size_t at = 0, rest;

    while (len - at >= 4) {
        uint32_t word = get_le32(data + at);

        if (!word_valid(word))
            return false;
        if (word == TAP_END_OF_MEDIUM)
            return true;
        if (word == TAP_MARK || !has_data(word)) {
            at += word == TAP_HALF_GAP ? 2 : 4;
            continue;
        }
        at += 4;
        if (!all && len - at < (size_t)TAP_LENGTH(word) + 5)
            return true;
        rest = record_rest(word, data + at, len - at);
        if (rest == 0)
            return false;
        at += rest;
    }
    return at > 0 && (!all || at == len);
}

static int tap_record(struct interchange_import *in, uint32_t word, struct item *item,
                      struct error *err)
{
    struct source *s = &in->source;
    unsigned long long at = s->offset - 4;
    const uint8_t *behind;
    uint8_t raw[4];
    size_t have = 0;
    int rc;

    item->len = TAP_LENGTH(word);
    item->bad = TAP_CLASS(word) == CLASS_BAD;
    item->kind = item->bad || TAP_CLASS(word) == CLASS_GOOD ? ITEM_BLOCK : ITEM_SKIPPED;
    rc = source_exact(s, in->block, item->len, "a record", err);
    if (!rc)
        rc = source_peek(s, 5, &behind, &have, err);
    if (!rc && (item->len & 1) && !is_unpadded(word, behind, have))
        rc = source_skip(s, 1, "a record", err);
    if (!rc)
        rc = source_exact(s, raw, sizeof(raw), "a record", err);
    if (!rc && get_le32(raw) != word)
        rc = error_set(err, ERR_CORRUPT,
                       "the record at byte %llu of the stream contradicts itself: its length is "
                       "%08xh in front and %08xh behind",
                       at, word, get_le32(raw));
    return rc;
}

static int tap_next(struct interchange_import *in, struct item *item, struct error *err)
{
    struct source *s = &in->source;

    for (;;) {
        unsigned long long at = s->offset;
        const uint8_t *raw;
        uint32_t word;
        size_t have;
        int rc = source_peek(s, 4, &raw, &have, err);

        if (rc)
            return rc;
        item->kind = ITEM_END;
        if (have == 0)
            return 0;
        word = have == 4 ? get_le32(raw) : 0;
        rc = source_skip(s, word == TAP_HALF_GAP ? 2 : 4, "a length", err);
        if (rc || word == TAP_END_OF_MEDIUM)
            return rc;
        if (word == TAP_GAP || word == TAP_HALF_GAP || (TAP_CLASS(word) == CLASS_PRIVATE_MARKER))
            continue;
        if (!word_valid(word))
            return error_set(err, ERR_CORRUPT,
                             "the word %08xh at byte %llu of the stream is no length of a record",
                             word, at);
        if (word != TAP_MARK)
            return tap_record(in, word, item, err);
        item->kind = ITEM_FILEMARKS;
        item->count = 1;
        return 0;
    }
}

static int put_word(struct exporter *out, uint32_t word, struct error *err)
{
    uint8_t raw[4];

    put_le32(raw, word);
    return sink_put(&out->sink, raw, sizeof(raw), err);
}

static int tap_block(struct exporter *out, uint32_t partition, const uint8_t *data, uint32_t len,
                     struct error *err)
{
    int rc = put_word(out, len, err);

    (void)partition;
    if (!rc)
        rc = sink_put(&out->sink, data, len, err);
    if (!rc)
        rc = sink_put(&out->sink, "", len & 1, err);
    return rc ? rc : put_word(out, len, err);
}

static int tap_filemarks(struct exporter *out, uint32_t partition, uint32_t count,
                         struct error *err)
{
    int rc = 0;

    (void)partition;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = put_word(out, TAP_MARK, err);
    return rc;
}

/* A bad record of which nothing could be read. */
static int tap_bad(struct exporter *out, struct error *err)
{
    int rc = put_word(out, BAD_RECORD, err);

    return rc ? rc : put_word(out, BAD_RECORD, err);
}

static int tap_finish(struct exporter *out, struct error *err)
{
    return put_word(out, TAP_END_OF_MEDIUM, err);
}

const struct interchange_format format_tap = {
    .name = "tap",
    .detect = tap_detect,
    .next = tap_next,
    .block = tap_block,
    .filemarks = tap_filemarks,
    .bad = tap_bad,
    .finish = tap_finish,
};
