/* SPDX-License-Identifier: Apache-2.0 */
/*
 * super.c - the superblocks: two copies of the map of segments, limbo, attributes and flags.
 *
 * A store_put() is atomic, so a copy is never torn; the second one is there for bit rot.  Both are
 * written each time, one after the other, and the newer valid one counts.  If one can't be written
 * the other is enough.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "vtl/cartridge/internal.h"

#define SUPER_MAGIC       "CAPSUPR\n"
#define SUPER_HEADER_SIZE 128
#define SUPER_ENTRY_SIZE  112
#define SUPER_SIZE_MAX                                                                             \
    (SUPER_HEADER_SIZE + (uint64_t)SEGMENTS_MAX * SUPER_ENTRY_SIZE + ATTRIBUTES_MAX)

#define SUPER_FLAG_PROTECT 1u

#define ENTRY_FLAG_SEALED   1u
#define ENTRY_FLAG_END      2u /* limbo: where a partition ended that was not cut */
#define ENTRY_FLAG_DIVISION 4u /* limbo: how the tape was divided */

#define ATTRIBUTE_HEAD 4u

static const char *const super_names[2] = {"super.a", "super.b"};

/* ---- encoding -------------------------------------------------------------------------------- */

static void entry_encode(const struct segment *s, uint8_t *out)
{
    memset(out, 0, SUPER_ENTRY_SIZE);
    put_le64(out, s->seq);
    put_le64(out + 8, s->epoch);
    put_le32(out + 16, s->partition);
    put_le32(out + 20, s->note == NOTE_END        ? ENTRY_FLAG_END
                       : s->note == NOTE_DIVISION ? ENTRY_FLAG_DIVISION
                       : s->sealed                ? ENTRY_FLAG_SEALED
                                                  : 0);
    put_le64(out + 24, s->first.lba);
    put_le64(out + 32, s->first.file);
    put_le64(out + 40, s->first.used);
    put_le64(out + 48, s->end.lba);
    put_le64(out + 56, s->end.file);
    put_le64(out + 64, s->end.used);
    put_le64(out + 72, s->records_end);
    put_le64(out + 80, (uint64_t)s->died_ns);
    put_le64(out + 88, s->died_generation);
}

/* notes: it may be one. */
static void entry_decode(const uint8_t *in, bool notes, struct segment *s)
{
    uint32_t flags = get_le32(in + 20);

    s->note = !notes                        ? NOTE_NONE
              : flags & ENTRY_FLAG_END      ? NOTE_END
              : flags & ENTRY_FLAG_DIVISION ? NOTE_DIVISION
                                            : NOTE_NONE;
    s->seq = get_le64(in);
    s->epoch = get_le64(in + 8);
    s->partition = get_le32(in + 16);
    s->sealed = flags & ENTRY_FLAG_SEALED;
    s->first = (struct place){get_le64(in + 24), get_le64(in + 32), get_le64(in + 40)};
    s->end = (struct place){get_le64(in + 48), get_le64(in + 56), get_le64(in + 64)};
    s->records_end = get_le64(in + 72);
    s->died_ns = (int64_t)get_le64(in + 80);
    s->died_generation = get_le64(in + 88);
}

static size_t map_count(const struct map *map)
{
    size_t count = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        count += map->partition[p].count;
    return count;
}

static size_t attributes_count(const struct super *super)
{
    size_t len = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        len += super->attributes[p].len;
    return len;
}

/* What version 2 says more: the division, and whose the attributes are. */
static void division_encode(const struct super *super, uint8_t *raw)
{
    put_le32(raw + 64, super->map.division.count);
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        put_le64(raw + 72 + (size_t)p * 8, super->map.division.capacity[p]);
    for (uint32_t p = 1; p < CARTRIDGE_PARTITIONS; p++)
        put_le32(raw + 100 + (size_t)p * 4, (uint32_t)super->attributes[p].len);
}

static uint8_t *attributes_encode(const struct super *super, uint8_t *at)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct attributes *a = &super->attributes[p];

        if (a->len)
            memcpy(at, a->list, a->len);
        at += a->len;
    }
    return at;
}

static uint8_t *super_encode(const struct super *super, const uint8_t uuid[16], size_t *len)
{
    size_t count = map_count(&super->map), attributes = attributes_count(super);
    size_t body = (count + super->map.limbo.count) * SUPER_ENTRY_SIZE + attributes;
    uint8_t *raw = calloc(1, SUPER_HEADER_SIZE + body);
    uint8_t *at = raw + SUPER_HEADER_SIZE;

    if (!raw)
        return NULL;
    *len = SUPER_HEADER_SIZE + body;
    memcpy(raw, SUPER_MAGIC, 8);
    put_le32(raw + 8, super->divided ? FORMAT_VERSION_NEW : FORMAT_VERSION);
    put_le32(raw + 12, SUPER_ENTRY_SIZE);
    memcpy(raw + 16, uuid, 16);
    put_le64(raw + 32, super->generation);
    put_le64(raw + 40, super->next_seq);
    put_le32(raw + 48, super->protect ? SUPER_FLAG_PROTECT : 0);
    put_le32(raw + 52, (uint32_t)count);
    put_le32(raw + 56, (uint32_t)super->map.limbo.count);
    put_le32(raw + 60, (uint32_t)attributes);
    if (super->divided)
        division_encode(super, raw);
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        for (size_t i = 0; i < super->map.partition[p].count; i++, at += SUPER_ENTRY_SIZE)
            entry_encode(&super->map.partition[p].items[i], at);
    for (size_t i = 0; i < super->map.limbo.count; i++, at += SUPER_ENTRY_SIZE)
        entry_encode(&super->map.limbo.items[i], at);
    attributes_encode(super, at);
    put_le32(raw + 120, crc32c(raw + SUPER_HEADER_SIZE, body));
    put_le32(raw + 124, crc32c(raw, 124));
    return raw;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static int entries_decode(const uint8_t *raw, uint32_t count, uint32_t limbo, bool divided,
                          struct map *map, struct error *err)
{
    for (uint32_t i = 0; i < count + limbo; i++) {
        struct segment s;
        int rc;

        entry_decode(raw + (size_t)i * SUPER_ENTRY_SIZE, divided && i >= count, &s);
        if (s.partition >= CARTRIDGE_PARTITIONS)
            return error_set(err, ERR_CORRUPT, "the map names partition %u", s.partition);
        rc = segment_list_add(i < count ? &map->partition[s.partition] : &map->limbo, &s, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* The list of attributes is a chain of lengths: does it end where it should? */
static bool attributes_sane(const uint8_t *raw, size_t len)
{
    size_t at = 0;

    while (len - at >= ATTRIBUTE_HEAD) {
        size_t value = get_le16(raw + at + 2);

        if (value > len - at - ATTRIBUTE_HEAD)
            return false;
        at += ATTRIBUTE_HEAD + value;
    }
    return at == len;
}

static int attributes_decode(const uint8_t *raw, size_t len, struct attributes *out,
                             struct error *err)
{
    if (!attributes_sane(raw, len))
        return error_set(err, ERR_CORRUPT, "its attributes do not hold");
    if (len == 0)
        return 0;
    out->list = malloc(len);
    if (!out->list)
        return error_set(err, ERR_NO_MEMORY, "no memory for attributes");
    memcpy(out->list, raw, len);
    out->len = len;
    return 0;
}

/* raw: the attributes of all partitions, len bytes; header: that of the superblock. */
static int all_attributes_decode(const uint8_t *header, const uint8_t *raw, size_t len,
                                 struct super *super, struct error *err)
{
    size_t first = len, part[CARTRIDGE_PARTITIONS] = {0};
    int rc = 0;

    for (uint32_t p = 1; super->divided && p < CARTRIDGE_PARTITIONS; p++) {
        part[p] = get_le32(header + 100 + (size_t)p * 4);
        if (part[p] > first)
            return error_set(err, ERR_CORRUPT, "its attributes do not hold");
        first -= part[p];
    }
    part[0] = first;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS && rc == 0; p++) {
        rc = attributes_decode(raw, part[p], &super->attributes[p], err);
        raw += part[p];
    }
    return rc;
}

static int division_decode(const uint8_t *raw, const struct cartridge_identity *id,
                           struct super *super, struct error *err)
{
    struct division *d = &super->map.division;

    super->divided = get_le32(raw + 8) >= FORMAT_VERSION_NEW;
    *d = division_whole(id);
    if (!super->divided)
        return 0;
    d->count = get_le32(raw + 64);
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        d->capacity[p] = get_le64(raw + 72 + (size_t)p * 8);
    if (!division_sane(d, id->capacity))
        return error_set(err, ERR_CORRUPT, "its partitions do not fit on the medium");
    return 0;
}

/* The parts of a superblock, whose lengths and checksums hold. */
static int super_parts_decode(const uint8_t *raw, size_t len, const struct cartridge_identity *id,
                              struct super *super, struct error *err)
{
    uint32_t attributes = get_le32(raw + 60);
    int rc = division_decode(raw, id, super, err);

    super->generation = get_le64(raw + 32);
    super->next_seq = get_le64(raw + 40);
    super->protect = get_le32(raw + 48) & SUPER_FLAG_PROTECT;
    if (rc == 0)
        rc = entries_decode(raw + SUPER_HEADER_SIZE, get_le32(raw + 52), get_le32(raw + 56),
                            super->divided, &super->map, err);
    if (rc == 0)
        rc = map_check(&super->map, super->next_seq, id->capacity, err);
    return rc ? rc : all_attributes_decode(raw, raw + len - attributes, attributes, super, err);
}

static int super_decode(const uint8_t *raw, size_t len, const struct cartridge_identity *id,
                        struct super *super, struct error *err)
{
    uint32_t version, count, limbo, attributes;

    if (len < SUPER_HEADER_SIZE || memcmp(raw, SUPER_MAGIC, 8) != 0 ||
        get_le32(raw + 124) != crc32c(raw, 124))
        return error_set(err, ERR_CORRUPT, "its header is damaged");
    version = get_le32(raw + 8);
    if (version == 0 || version > FORMAT_VERSION_NEW || get_le32(raw + 12) != SUPER_ENTRY_SIZE)
        return error_set(err, ERR_FORMAT, "it has format version %u", version);
    if (memcmp(raw + 16, id->uuid, 16) != 0)
        return error_set(err, ERR_FORMAT, "it belongs to another cartridge");
    count = get_le32(raw + 52);
    limbo = get_le32(raw + 56);
    attributes = get_le32(raw + 60);
    if (get_le64(raw + 32) > INT64_MAX || count > SEGMENTS_MAX || limbo > SEGMENTS_MAX ||
        attributes > ATTRIBUTES_MAX ||
        len != SUPER_HEADER_SIZE + ((size_t)count + limbo) * SUPER_ENTRY_SIZE + attributes ||
        get_le32(raw + 120) != crc32c(raw + SUPER_HEADER_SIZE, len - SUPER_HEADER_SIZE))
        return error_set(err, ERR_CORRUPT, "its lengths or its checksum do not hold");
    return super_parts_decode(raw, len, id, super, err);
}

/* A copy as it is on the store. */
struct super_raw {
    uint8_t *data;
    size_t len;
};

static int super_read(struct store *store, const char *name, struct super_raw *raw,
                      struct error *err)
{
    uint64_t size;
    int rc = store_size(store, name, &size, err);

    if (rc)
        return rc;
    if (size > SUPER_SIZE_MAX)
        return error_set(err, ERR_CORRUPT, "it is larger than any map can be");
    raw->data = malloc((size_t)size + 1);
    if (!raw->data)
        return error_set(err, ERR_NO_MEMORY, "no memory for the map of segments");
    return store_read(store, name, 0, raw->data, (size_t)size, &raw->len, err);
}

/* Take the newer one of the valid copies.  Two that are the same, as they are but for a crash
 * between them, are decoded once: a map may have 100,000 entries. */
static int super_choose(const struct super_raw raw[2], int rc[2],
                        const struct cartridge_identity *id, struct super *super, bool *whole,
                        struct error why[2])
{
    struct super copy[2];
    bool same = rc[0] == 0 && rc[1] == 0 && raw[0].len == raw[1].len &&
                memcmp(raw[0].data, raw[1].data, raw[0].len) == 0;
    int newest;

    memset(copy, 0, sizeof(copy));
    for (int i = 0; i < (same ? 1 : 2); i++) {
        if (rc[i] == 0)
            rc[i] = super_decode(raw[i].data, raw[i].len, id, &copy[i], &why[i]);
        if (rc[i])
            super_free(&copy[i]);
    }
    if (same) {
        rc[1] = rc[0];
        why[1] = why[0];
    }
    newest = rc[0] ? 1 : same || rc[1] ? 0 : copy[1].generation > copy[0].generation;
    *whole = same && rc[0] == 0;
    *super = copy[newest];
    super_free(&copy[!newest]);
    return rc[newest];
}

int super_load(struct store *store, const struct cartridge_identity *id, struct super *super,
               bool *whole, struct error *err)
{
    struct super_raw raw[2] = {{NULL, 0}, {NULL, 0}};
    struct error why[2] = {ERROR_INIT, ERROR_INIT};
    int rc[2] = {0, 0}, failed = -1;

    for (int i = 0; i < 2 && failed < 0; i++) {
        rc[i] = super_read(store, super_names[i], &raw[i], &why[i]);
        /* A copy that can't be read just now may be the newer one: do not guess. */
        if (rc[i] == -ERR_IO || rc[i] == -ERR_NO_MEMORY || rc[i] == -ERR_PERMISSION)
            failed = i;
    }
    if (failed < 0) {
        (void)super_choose(raw, rc, id, super, whole, why);
        for (int i = 0; i < 2; i++)
            failed = rc[i] == -ERR_NO_MEMORY ? i : failed; /* nor here */
        if (failed >= 0)
            super_free(super);
    }
    free(raw[0].data);
    free(raw[1].data);
    if (failed >= 0)
        return error_set(err, why[failed].code, "%s: %s", super_names[failed], why[failed].message);
    if (rc[0] && rc[1])
        return error_set(err, why[0].code == ERR_NOT_FOUND ? why[1].code : why[0].code,
                         "no valid superblock (%s: %.160s; %s: %.160s); bring one back from a copy "
                         "of the cartridge, or let 'capstan cartridge rebuild' make one",
                         super_names[0], why[0].message, super_names[1], why[1].message);
    super->published = super->generation;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

int super_write(struct store *store, const uint8_t uuid[16], struct super *super, struct error *err)
{
    CLEANUP_FREE uint8_t *raw = NULL;
    struct error why = ERROR_INIT;
    size_t len = 0;
    int failed = 0;

    super->generation++; /* also when it fails: what came of the try is not known */
    raw = super_encode(super, uuid, &len);
    if (!raw)
        return error_set(err, ERR_NO_MEMORY, "no memory for the map of segments");
    for (int i = 0; i < 2; i++)
        if (store_put(store, super_names[i], raw, len, &why) != 0)
            failed++;
    if (failed == 2)
        return error_set(err, why.code, "the map could not be written: %s", why.message);
    if (failed)
        log_warning("one of two superblocks could not be written: %s", why.message);
    return 0;
}

void super_free(struct super *super)
{
    map_free(&super->map);
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        free(super->attributes[p].list);
    memset(super, 0, sizeof(*super));
}

/* ---- limbo ----------------------------------------------------------------------------------- */

/* How many of the oldest limbo entries must go.  They go by whole generations, so that what is
 * left can be brought back; WORM keeps all. */
static size_t limbo_expired(const struct cartridge *c, const struct map *map, int64_t now)
{
    const struct segment_list *limbo = &map->limbo;
    uint64_t bytes = 0;
    size_t keep = limbo->count;

    if (c->identity.worm)
        return 0;
    while (keep > 0) {
        const struct segment *s = &limbo->items[keep - 1];
        /* Notes, and what the tape itself has (after an undo), cost limbo nothing. */
        uint64_t size = s->note || map_has(map, s) ? 0 : s->end.used - s->first.used;

        if (size > c->identity.limbo_bytes - bytes || now - s->died_ns > c->identity.limbo_ns ||
            limbo->count - keep >= SEGMENTS_MAX / 4)
            break;
        bytes += size;
        keep--;
    }
    while (keep > 0 && keep < limbo->count &&
           limbo->items[keep].died_generation == limbo->items[keep - 1].died_generation)
        keep++;
    return keep;
}

size_t super_limbo_expired(const struct cartridge *c, const struct map *map)
{
    return limbo_expired(c, map, store_now(c->store));
}

/* Take the oldest n entries off limbo and delete what nothing needs any more.  A failure to delete
 * only leaves an orphan, which the next open removes. */
static void limbo_drop(struct cartridge *c, const struct segment *dead, size_t n)
{
    struct needed needed;

    if (n == 0 || needed_make(&c->super.map, &needed, NULL) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        char name[STORE_NAME_MAX + 1];

        if (dead[i].note || needed_has(&needed, dead[i].seq))
            continue;
        segment_name(dead[i].seq, name);
        (void)store_delete(c->store, name, NULL);
    }
    needed_free(&needed);
}

static int publish(struct cartridge *c, struct error *err)
{
    struct segment_list *limbo = &c->super.map.limbo;
    size_t n = limbo_expired(c, &c->super.map, store_now(c->store));
    CLEANUP_FREE struct segment *dead = n ? malloc(n * sizeof(*dead)) : NULL;
    int rc;

    if (!dead)
        n = 0;
    if (n) {
        memcpy(dead, limbo->items, n * sizeof(*dead));
        memmove(limbo->items, limbo->items + n, (limbo->count - n) * sizeof(*dead));
        limbo->count -= n;
    }
    rc = super_write(c->store, c->identity.uuid, &c->super, err);
    if (rc)
        return rc;
    c->dirty = false;
    c->branching = false;
    c->super.published = c->super.generation;
    limbo_drop(c, dead, n);
    return 0;
}

int super_publish(struct cartridge *c, struct error *err)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) /* invariant 3 */
        assert(!c->writer[p].open || c->writer[p].stored == c->writer[p].len);
    return publish(c, err);
}

int super_publish_map(struct cartridge *c, struct map *then, struct error *err)
{
    struct map now = c->super.map;
    int rc;

    c->super.map = *then;
    rc = super_publish(c, err);
    if (rc) {
        *then = c->super.map;
        c->super.map = now;
        map_free(then);
        c->dirty = true; /* what is on the store now is not known: it is said again */
        return rc;
    }
    map_free(&now);
    c->lost = false;
    c->pos = (struct position){0};
    return 0;
}

void super_drop_limbo(struct cartridge *c)
{
    struct segment_list *limbo = &c->super.map.limbo;
    CLEANUP_FREE struct segment *dead = NULL;
    size_t n = 0;

    /* What died since the last publishing is still alive in the superblock on the store. */
    while (n < limbo->count && limbo->items[n].died_generation <= c->super.published)
        n++;
    dead = n && !c->identity.worm ? malloc(n * sizeof(*dead)) : NULL;
    if (!dead)
        return;
    /* The published superblock goes on naming them: limbo may have holes, the map may not. */
    memcpy(dead, limbo->items, n * sizeof(*dead));
    memmove(limbo->items, limbo->items + n, (limbo->count - n) * sizeof(*dead));
    limbo->count -= n;
    limbo_drop(c, dead, n);
    c->dirty = true;
}
