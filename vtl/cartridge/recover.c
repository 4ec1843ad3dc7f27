/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c - what a failed sync has lost for the tape is still in memory: it can be handed back.
 *
 * The records are set aside as the writer has them, when it gives them up, and given out in the
 * order they were written; until something is written again or something else is lost.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/internal.h"

void recover_drop(struct cartridge *c)
{
    free(c->kept.buf);
    c->kept = (struct kept){.buf = NULL};
}

void recover_keep(struct cartridge *c, struct writer *w, size_t from, uint64_t first_lba)
{
    recover_drop(c);
    c->kept = (struct kept){.buf = w->buf, .len = w->len, .at = from, .lba = first_lba};
    w->buf = NULL;
    w->room = 0;
}

/* The next record of those that the tape has not; its payload follows the header. */
static bool next_kept(struct kept *k, struct record *r)
{
    for (; k->at + RECORD_HEADER_SIZE <= k->len; k->at += record_extent(r->stored)) {
        if (!record_decode(k->buf + k->at, r) || record_extent(r->stored) > k->len - k->at)
            return false;
        if (r->count > k->given && r->lba + k->given >= k->lba)
            return true;
        k->given = 0;
    }
    return false;
}

int cartridge_recover_block(struct cartridge *c, void *stored, size_t size,
                            struct cartridge_block *block, struct error *err)
{
    struct kept *k = &c->kept;
    const uint8_t *payload;
    struct record r;

    memset(block, 0, sizeof(*block));
    if (!next_kept(k, &r))
        return error_set(err, ERR_NOT_FOUND, "cartridge %s: nothing is left to be recovered",
                         c->identity.barcode);
    payload = k->buf + k->at + RECORD_HEADER_SIZE;
    if (++k->given >= r.count) {
        k->given = 0;
        k->at += record_extent(r.stored);
    }
    if (r.type == RECORD_FILEMARK)
        return error_set(err, ERR_FILEMARK, "a filemark");
    *block = block_of(&r);
    if (size > 0)
        memcpy(stored, payload, size < r.stored ? size : r.stored);
    return r.stored > size ? error_set(err, ERR_LENGTH, "a block of %u bytes", r.stored) : 0;
}
