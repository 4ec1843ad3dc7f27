/* SPDX-License-Identifier: Apache-2.0 */
/* tape.c - see tape.h. */
#include "tests/crash/tape.h"

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9e3779b97f4a7c15u + 1;
}

void tape_cut(struct tape *t, size_t count)
{
    if (count < t->count)
        t->count = count;
}

void tape_add(struct tape *t, uint64_t id)
{
    t->ids[t->count] = id;
    t->hash[t->count + 1] = mix(t->hash[t->count], id);
    t->count++;
}

bool tape_is_prefix(const struct tape *a, const struct tape *b)
{
    return a->count <= b->count && a->hash[a->count] == b->hash[a->count];
}

uint64_t medium_hash(const struct medium *m)
{
    uint64_t hash = mix(0, m->partitions);

    for (unsigned p = 0; p < m->partitions; p++) {
        hash = mix(hash, m->capacity[p]);
        hash = mix(hash, m->part[p].count);
        hash = mix(hash, m->part[p].hash[m->part[p].count]);
    }
    return hash ^ hash >> 29;
}

size_t medium_count(const struct medium *m)
{
    size_t count = 0;

    for (unsigned p = 0; p < m->partitions; p++)
        count += m->part[p].count;
    return count;
}

/* Only what is in use: this is done at each overwrite. */
void medium_copy(struct medium *to, const struct medium *from)
{
    to->partitions = from->partitions;
    memcpy(to->capacity, from->capacity, sizeof(to->capacity));
    for (unsigned p = 0; p < from->partitions; p++) {
        const struct tape *t = &from->part[p];

        to->part[p].count = t->count;
        memcpy(to->part[p].ids, t->ids, t->count * sizeof(t->ids[0]));
        memcpy(to->part[p].hash, t->hash, (t->count + 1) * sizeof(t->hash[0]));
    }
}

/* Sizes come in few kinds, so that stale records fall where new ones are expected. */
static uint32_t block_size(uint64_t id)
{
    static const uint32_t sizes[] = {16, 100, 400, 448, 960, 1984, 3000, 448};
    uint64_t z = id * 0xd1342543de82ef95u >> 40;

    if (id & (TAPE_HABIT | TAPE_SMALL))
        return 448;
    if (id & TAPE_LARGE)
        return 1400;
    return z % 64 == 0 ? (uint32_t)(8 + (z >> 6) % (TAPE_BLOCK_MAX - 8)) : sizes[(z >> 6) % 8];
}

uint32_t block_form(uint64_t id, struct cartridge_block *form)
{
    uint64_t z = (id ^ id >> 31) * 0xbf58476d1ce4e5b9u >> 24;

    memset(form, 0, sizeof(*form));
    form->stored = form->length = block_size(id);
    if (z % 2 || id & TAPE_HABIT)
        return form->stored;
    form->compression = (uint8_t)((z >> 1) % 3);
    form->encryption = (uint8_t)((z >> 4) % 2);
    form->protection = (uint8_t)((z >> 6) % 3);
    form->protection_crc = form->protection ? (uint32_t)z * 2654435761u : 0;
    if (form->compression)
        form->length = form->stored * 3 + 1;
    else if (form->encryption)
        form->length = form->stored > 80 ? form->stored - 80 : 1;
    return form->stored;
}

uint32_t block_fill(uint8_t *out, uint64_t id)
{
    uint32_t len = block_size(id);
    uint64_t word = id;
    uint32_t i = 0;

    for (; i + 8 <= len; i += 8, word = word * 6364136223846793005u + 1442695040888963407u)
        put_le64(out + i, word);
    for (; i < len; i++)
        out[i] = (uint8_t)(word >> (i % 8 * 8));
    return len;
}

static bool same_form(const struct cartridge_block *a, const struct cartridge_block *b)
{
    return a->length == b->length && a->stored == b->stored && a->compression == b->compression &&
           a->encryption == b->encryption && a->protection == b->protection &&
           a->protection_crc == b->protection_crc;
}

bool block_is(const uint8_t *data, const struct cartridge_block *found, uint64_t id)
{
    static uint8_t expected[TAPE_BLOCK_MAX];
    struct cartridge_block form;

    block_fill(expected, id);
    block_form(id, &form);
    return same_form(&form, found) && memcmp(expected, data, form.stored) == 0;
}

static bool block_check(const uint8_t *data, const struct cartridge_block *found, uint64_t next_id,
                        uint64_t *id, char why[300])
{
    static uint8_t expected[TAPE_BLOCK_MAX];
    struct cartridge_block form;

    *id = found->stored >= 8 ? get_le64(data) : 0;
    if (found->stored < 8 || (*id & TAPE_NUMBER) >= next_id ||
        block_form(*id, &form) != found->stored) {
        snprintf(why, 300, "was never written like this (%u bytes)", found->stored);
        return false;
    }
    block_fill(expected, *id);
    if (memcmp(expected, data, found->stored) != 0) {
        snprintf(why, 300, "is mixed");
        return false;
    }
    if (!same_form(&form, found)) {
        snprintf(why, 300, "has other fields: length %u for %u, form %u/%u/%u for %u/%u/%u",
                 found->length, form.length, found->compression, found->encryption,
                 found->protection, form.compression, form.encryption, form.protection);
        return false;
    }
    return true;
}

static int tape_read(struct cartridge *c, uint64_t next_id, struct tape *t, uint64_t *files,
                     char why[300])
{
    static uint8_t buf[TAPE_BLOCK_MAX];
    struct cartridge_block block;
    struct error err = ERROR_INIT;
    char what[300];
    int rc;

    while ((rc = cartridge_read_block(c, buf, sizeof(buf), &block, &err)) != -ERR_END_OF_DATA) {
        uint64_t id = TAPE_FILEMARK;

        if (t->count == TAPE_OBJECTS_MAX) {
            snprintf(why, 300, "the tape is longer than anything written");
            return TAPE_WRONG;
        }
        if (rc == 0 && !block_check(buf, &block, next_id, &id, what)) {
            snprintf(why, 300, "block %zu %.200s", t->count, what);
            return TAPE_WRONG;
        }
        if (rc != 0 && rc != -ERR_FILEMARK) {
            snprintf(why, 300, "reading object %zu: %.200s", t->count, err.message);
            return rc;
        }
        tape_add(t, id);
        *files += id == TAPE_FILEMARK;
    }
    return 0;
}

static int partition_read(struct cartridge *c, uint32_t p, uint64_t next_id, struct tape *t,
                          uint64_t *blocks, char why[300])
{
    struct cartridge_position pos;
    struct error err = ERROR_INIT;
    uint64_t files = 0;
    int rc = cartridge_locate(c, p, 0, &err);

    t->count = 0;
    t->hash[0] = 0;
    if (rc) {
        snprintf(why, 300, "partition %u: %.200s", p, err.message);
        return rc;
    }
    rc = tape_read(c, next_id, t, &files, why);
    if (rc)
        return rc;
    *blocks += t->count - files;
    cartridge_tell(c, &pos);
    if (pos.partition == p && pos.eod_lba == t->count && pos.lba == t->count && pos.file == files)
        return 0;
    snprintf(why, 300, "at end of data of partition %u: block %llu of %llu, file %llu", p,
             (unsigned long long)pos.lba, (unsigned long long)pos.eod_lba,
             (unsigned long long)pos.file);
    return TAPE_WRONG;
}

int medium_read(struct cartridge *c, uint64_t next_id, struct medium *m, uint64_t *blocks,
                char why[300])
{
    int rc = 0;

    m->partitions = cartridge_partition_count(c);
    for (unsigned p = 0; rc == 0 && p < m->partitions; p++) {
        m->capacity[p] = cartridge_partition_capacity(c, p);
        rc = partition_read(c, p, next_id, &m->part[p], blocks, why);
    }
    return rc;
}
