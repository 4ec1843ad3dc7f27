/* SPDX-License-Identifier: Apache-2.0 */
/*
 * position.c - locate and space (SSC-5 sections 7.3 and 7.10 say where a motion ends).
 *
 * Every motion is arithmetic on the addresses of filemarks, each found by binary search; nothing is
 * read on the way.
 */
#include "vtl/cartridge/internal.h"

static uint64_t end_lba(struct cartridge *c)
{
    return map_end(cartridge_map(c), c->pos.partition).lba;
}

static uint64_t end_file(struct cartridge *c)
{
    return map_end(cartridge_map(c), c->pos.partition).file;
}

static int move_to(struct cartridge *c, uint64_t lba, struct error *err)
{
    struct place at;
    int rc = place_of(c, c->pos.partition, lba, &at, err);

    if (rc == 0)
        c->pos.at = at;
    return rc;
}

static int filemark(struct cartridge *c, uint64_t n, uint64_t *lba, struct error *err)
{
    return place_filemark(c, c->pos.partition, n, lba, err);
}

static int at_end(struct cartridge *c, struct error *err)
{
    c->pos.at = map_end(cartridge_map(c), c->pos.partition);
    return error_set(err, ERR_END_OF_DATA, "end of data at block %llu",
                     (unsigned long long)c->pos.at.lba);
}

static int at_begin(struct cartridge *c, struct error *err)
{
    c->pos.at = (struct place){0, 0, 0};
    return error_set(err, ERR_BEGIN, "beginning of partition %u", c->pos.partition);
}

void cartridge_tell(const struct cartridge *c, struct cartridge_position *pos)
{
    uint64_t capacity = cartridge_partition_capacity(c, c->pos.partition);
    struct place end = map_end(&c->super.map, c->pos.partition);

    *pos = (struct cartridge_position){
        .partition = c->pos.partition,
        .lba = c->pos.at.lba,
        .file = c->pos.at.file,
        .eod_lba = end.lba,
        .early_warning =
            c->pos.at.used > cartridge_early_warning(c, c->pos.partition) || room_low(c),
        .used = c->pos.at.used,
        .remaining = end.used < capacity ? capacity - end.used : 0,
    };
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct writer *w = &c->writer[p];

        end = map_end(&c->super.map, p);
        pos->unsynced += w->open && w->pending ? end.lba - w->synced.lba : 0;
        pos->unsynced_bytes += w->open && w->pending ? end.used - w->synced.used : 0;
    }
}

void cartridge_rewind(struct cartridge *c)
{
    c->lost = false;
    c->pos.at = (struct place){0, 0, 0};
}

void cartridge_locate_end(struct cartridge *c)
{
    c->lost = false;
    c->pos.at = map_end(cartridge_map(c), c->pos.partition);
}

static int change_partition(struct cartridge *c, uint32_t partition, struct error *err)
{
    if (partition >= cartridge_partition_count(c))
        return error_set(err, ERR_RANGE, "cartridge %s has no partition %u", c->identity.barcode,
                         partition);
    c->lost = false;
    c->pos.partition = partition;
    return 0;
}

int cartridge_locate(struct cartridge *c, uint32_t partition, uint64_t lba, struct error *err)
{
    int rc = change_partition(c, partition, err);

    if (rc)
        return rc;
    return lba > end_lba(c) ? at_end(c, err) : move_to(c, lba, err);
}

int cartridge_locate_file(struct cartridge *c, uint32_t partition, uint64_t file, struct error *err)
{
    uint64_t lba;
    int rc = change_partition(c, partition, err);

    if (rc)
        return rc;
    if (file == 0) {
        cartridge_rewind(c);
        return 0;
    }
    if (file > end_file(c))
        return at_end(c, err);
    rc = filemark(c, file - 1, &lba, err);
    return rc ? rc : move_to(c, lba + 1, err);
}

static int space_blocks_forward(struct cartridge *c, uint64_t count, uint64_t *moved,
                                struct error *err)
{
    bool mark = c->pos.at.file < end_file(c);
    uint64_t stop = end_lba(c);
    int rc = 0;

    if (mark)
        rc = filemark(c, c->pos.at.file, &stop, err);
    if (rc)
        return rc;
    if (count <= stop - c->pos.at.lba) {
        *moved = count;
        return move_to(c, c->pos.at.lba + count, err);
    }
    *moved = stop - c->pos.at.lba;
    if (!mark)
        return at_end(c, err);
    rc = move_to(c, stop + 1, err);
    return rc ? rc
              : error_set(err, ERR_FILEMARK, "filemark at block %llu", (unsigned long long)stop);
}

static int space_blocks_back(struct cartridge *c, uint64_t count, uint64_t *moved,
                             struct error *err)
{
    bool mark = c->pos.at.file > 0;
    uint64_t stop = 0; /* behind the filemark, or the beginning */
    int rc = 0;

    if (mark) {
        rc = filemark(c, c->pos.at.file - 1, &stop, err);
        stop++;
    }
    if (rc)
        return rc;
    if (count <= c->pos.at.lba - stop) {
        *moved = count;
        return move_to(c, c->pos.at.lba - count, err);
    }
    *moved = c->pos.at.lba - stop;
    if (!mark)
        return at_begin(c, err);
    rc = move_to(c, stop - 1, err);
    return rc ? rc
              : error_set(err, ERR_FILEMARK, "filemark at block %llu",
                          (unsigned long long)(stop - 1));
}

/* |count|, also of INT64_MIN. */
static uint64_t magnitude(int64_t count)
{
    return count < 0 ? -(uint64_t)count : (uint64_t)count;
}

int cartridge_space_blocks(struct cartridge *c, int64_t count, uint64_t *moved, struct error *err)
{
    uint64_t n = magnitude(count);

    *moved = 0;
    c->lost = false;
    if (count == 0)
        return 0;
    return count > 0 ? space_blocks_forward(c, n, moved, err) : space_blocks_back(c, n, moved, err);
}

int cartridge_space_filemarks(struct cartridge *c, int64_t count, uint64_t *moved,
                              struct error *err)
{
    uint64_t n = magnitude(count), file = c->pos.at.file, lba;
    uint64_t there = count > 0 ? end_file(c) - file : file;
    int rc;

    *moved = n < there ? n : there;
    c->lost = false;
    if (count == 0)
        return 0;
    if (n > there)
        return count > 0 ? at_end(c, err) : at_begin(c, err);
    rc = filemark(c, count > 0 ? file + n - 1 : file - n, &lba, err);
    return rc ? rc : move_to(c, count > 0 ? lba + 1 : lba, err);
}

/* Are the n filemarks from number `first` on consecutive? */
static int run_of(struct cartridge *c, uint64_t first, uint64_t n, bool *yes, uint64_t *lba,
                  struct error *err)
{
    uint64_t last;
    int rc = filemark(c, first, lba, err);

    if (rc == 0)
        rc = filemark(c, first + n - 1, &last, err);
    *yes = rc == 0 && last - *lba == n - 1;
    return rc;
}

int cartridge_space_sequential_filemarks(struct cartridge *c, int64_t count, struct error *err)
{
    uint64_t n = magnitude(count), file = c->pos.at.file, total = end_file(c), lba;
    bool found = false;
    int rc;

    c->lost = false;
    if (count == 0)
        return 0;
    if (count > 0) {
        for (; total - file >= n; file++) {
            rc = run_of(c, file, n, &found, &lba, err);
            if (rc || found)
                return rc ? rc : move_to(c, lba + n, err);
        }
        return at_end(c, err);
    }
    for (; file >= n; file--) {
        rc = run_of(c, file - n, n, &found, &lba, err);
        if (rc || found)
            return rc ? rc : move_to(c, lba, err);
    }
    return at_begin(c, err);
}
