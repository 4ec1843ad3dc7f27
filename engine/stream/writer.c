/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - the stream writer: blocks into records, files into headers and data.
 *
 *      NEW --maps--> MAPPED <--finish-- / --inode--> INODE
 *                    MAPPED --end--> ENDED          any failure of the callback --> FAILED
 *
 * A header says which of the following blocks are data and which are holes, so the data of up to
 * 512 blocks (a group) is gathered before its header can be written.
 *
 * Invariants:
 *   1. group_used <= TP_NINDIR; group_map[i] is 1 if block i has data; group memory behind the data
 *      of the last block is zero.
 *   2. A header and its blocks are put into the record one after the other: `owed` counts the
 * blocks of the last header that are still to come.
 *   3. The last group of a file holds the extension too, and at least one block of the file's data
 *      unless it has none: older readers skip the extension only there.
 */
#include "engine/stream/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "engine/stream/format.h"
#include "engine/stream/header.h"
#include "engine/stream/xattr.h"

enum writer_state { WRITER_NEW, WRITER_MAPPED, WRITER_INODE, WRITER_ENDED, WRITER_FAILED };

struct stream_writer {
    struct stream_writer_options options;
    struct stream_image image;
    char label[16], *host, *path, *device;
    enum writer_state state;
    int failure; /* WRITER_FAILED: what the callback returned */
    struct error failure_error;

    /* the record under construction */
    uint8_t *record;
    size_t record_used;      /* blocks */
    uint64_t position;       /* number of the next block */
    size_t first_header;     /* index >= 1 of the first header in the record; 0: none yet */
    uint32_t owed;           /* data blocks of the last header still to come */
    uint32_t owed_at_second; /* as owed was when the record's second block was to come */

    /* the inode being written */
    struct stream_inode inode;
    uint64_t offset; /* bytes taken so far */
    bool addr;       /* its TS_INODE is out: TS_ADDR next */
    uint8_t *extension;
    size_t extension_len, extension_capacity;
    uint8_t *ea; /* EA records to come: u32 length and data, one after the other */
    size_t ea_len, ea_capacity;

    /* the group: blocks of the file that have no header yet */
    uint8_t *group;
    uint8_t group_map[TP_NINDIR];
    size_t group_used;
    uint64_t group_offset;
};

/* ---- records -----------------------------------------------------------------------------------
 */

static int writer_fail(struct stream_writer *w, int rc, struct error *err)
{
    w->state = WRITER_FAILED;
    w->failure = rc;
    if (err)
        w->failure_error = *err;
    return rc;
}

static int require_state(struct stream_writer *w, enum writer_state state, struct error *err)
{
    if (w->state == WRITER_FAILED) {
        if (err)
            *err = w->failure_error;
        return w->failure;
    }
    if (w->state != state)
        return error_set(err, ERR_INTERNAL, "the stream writer was called out of order");
    return 0;
}

static int flush_record(struct stream_writer *w, struct error *err)
{
    size_t blocking = w->image.blocking;
    struct error own = ERROR_INIT;
    struct stream_record record = {
        .data = w->record,
        .len = blocking * STREAM_BLOCK,
        .first = w->position - blocking,
        .resume = w->first_header ? (uint32_t)w->first_header - 1 : w->owed_at_second,
        .unfinished = w->owed,
    };
    int rc = w->options.write(w->options.ctx, &record, &own);

    if (rc) {
        if (err)
            *err = own;
        return writer_fail(w, rc, &own);
    }
    w->record_used = 0;
    w->first_header = 0;
    return 0;
}

/* Append one block; owed is counted by the callers. */
static int put_block(struct stream_writer *w, const uint8_t *block, struct error *err)
{
    memcpy(w->record + w->record_used * STREAM_BLOCK, block, STREAM_BLOCK);
    w->record_used++;
    w->position++;
    if (w->record_used == 1)
        w->owed_at_second = w->owed;
    return w->record_used == w->image.blocking ? flush_record(w, err) : 0;
}

/* Append a header that announces `follow` blocks. */
static int put_header(struct stream_writer *w, uint8_t *block, size_t follow, struct error *err)
{
    assert(w->owed == 0);
    header_seal(block, w->position);
    if (w->record_used > 0 && w->first_header == 0)
        w->first_header = w->record_used;
    w->owed = (uint32_t)follow;
    return put_block(w, block, err);
}

static int put_data(struct stream_writer *w, const uint8_t *block, struct error *err)
{
    assert(w->owed > 0);
    w->owed--;
    return put_block(w, block, err);
}

/* ---- open and close ----------------------------------------------------------------------------
 */

void stream_writer_close(struct stream_writer *w)
{
    if (!w)
        return;
    free(w->host);
    free(w->path);
    free(w->device);
    free(w->record);
    free(w->extension);
    free(w->ea);
    free(w->group);
    free(w);
}

static int copy_image(struct stream_writer *w, const struct stream_image *image, struct error *err)
{
    const char *label = image->label ? image->label : "none";
    size_t label_len = strlen(label);

    w->image = *image;
    memcpy(w->label, label, label_len < sizeof(w->label) ? label_len : sizeof(w->label) - 1);
    w->image.label = w->label;
    w->image.host = w->host = strdup(image->host ? image->host : "");
    w->image.path = w->path = strndup(image->path ? image->path : "", 4096);
    w->image.device = w->device = strdup(image->device ? image->device : w->path ? w->path : "");
    w->record = calloc(image->blocking, STREAM_BLOCK);
    w->group = calloc(TP_NINDIR, STREAM_BLOCK);
    if (!w->host || !w->path || !w->device || !w->record || !w->group)
        return error_set(err, ERR_NO_MEMORY, "no memory for the stream writer");
    return 0;
}

int stream_writer_open(const struct stream_writer_options *options, struct stream_writer **out,
                       struct error *err)
{
    const struct stream_image *image = options->image;
    uint8_t block[STREAM_BLOCK];
    struct stream_writer *w;
    int rc;

    if (image->blocking < STREAM_BLOCKING_MIN || image->blocking > STREAM_BLOCKING_MAX)
        return error_set(err, ERR_RANGE, "a blocking factor of %u is not possible",
                         image->blocking);
    w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, ERR_NO_MEMORY, "no memory for the stream writer");
    w->options = *options;
    rc = copy_image(w, image, err);
    if (!rc) {
        header_volume(block, 1, &w->image);
        rc = put_header(w, block, 0, err);
    }
    if (rc) {
        stream_writer_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

uint64_t stream_writer_position(const struct stream_writer *w)
{
    return w->position;
}

/* ---- maps and end ------------------------------------------------------------------------------
 */

static int put_map(struct stream_writer *w, int type, uint32_t ino, const uint8_t *map, size_t size,
                   struct error *err)
{
    size_t blocks = (size + STREAM_BLOCK - 1) / STREAM_BLOCK;
    uint8_t block[STREAM_BLOCK];
    int rc;

    header_begin(block, type, ino, &w->image);
    put_le32(block + C_COUNT, (uint32_t)blocks);
    memset(block + C_ADDR, 1, blocks < TP_NINDIR ? blocks : TP_NINDIR);
    rc = put_header(w, block, blocks, err);
    for (size_t i = 0; i < blocks && !rc; i++) {
        size_t rest = size - i * STREAM_BLOCK;

        memset(block, 0, sizeof(block));
        memcpy(block, map + i * STREAM_BLOCK, rest < STREAM_BLOCK ? rest : STREAM_BLOCK);
        rc = put_data(w, block, err);
    }
    return rc;
}

int stream_writer_maps(struct stream_writer *w, const uint8_t *used, const uint8_t *dumped,
                       uint32_t max_inode, struct error *err)
{
    int rc = require_state(w, WRITER_NEW, err);

    if (rc)
        return rc;
    if (max_inode < STREAM_ROOT_INODE)
        return error_set(err, ERR_RANGE, "a map without the root inode");
    rc = put_map(w, TS_CLRI, max_inode, used, stream_map_size(max_inode), err);
    if (!rc)
        rc = put_map(w, TS_BITS, STREAM_ROOT_INODE, dumped, stream_map_size(max_inode), err);
    if (!rc)
        w->state = WRITER_MAPPED;
    return rc;
}

int stream_writer_end(struct stream_writer *w, struct stream_totals *totals, struct error *err)
{
    uint8_t block[STREAM_BLOCK];
    int rc = require_state(w, WRITER_MAPPED, err);

    if (rc)
        return rc;
    totals->stream_blocks = round_up(w->position + 1, w->image.blocking);
    while (!rc && w->position < totals->stream_blocks) {
        header_begin(block, TS_END, 0, &w->image);
        header_end(block, &w->image, totals);
        rc = put_header(w, block, 0, err);
    }
    if (!rc)
        w->state = WRITER_ENDED;
    return rc;
}

void stream_volume_record(const struct stream_image *image, unsigned volume,
                          const struct stream_record *previous, uint8_t *out)
{
    uint64_t blocks = previous->len / STREAM_BLOCK;
    uint64_t next = previous->first + blocks;
    /* Readers of the old format count every block they have read, volume records too; they skip
     * (count - c_firstrec - 1) blocks behind the header as read before.  Beyond 2^31 the field
     * can't say it (doc/stream-format.md). */
    uint64_t count = next + (volume - 2) * blocks;
    uint64_t firstrec = count - (blocks - 1);

    header_volume(out, volume, image);
    put_le32(out + C_FIRSTREC, firstrec <= INT32_MAX ? (uint32_t)firstrec : 0);
    put_le32(out + C_COUNT, previous->resume);
    put_le64(out + P_FIRST_STREAM, next);
    put_le32(out + P_DUPLICATES, (uint32_t)(blocks - 1));
    put_le32(out + P_RESUME, previous->unfinished);
    header_seal(out, count);
    memcpy(out + STREAM_BLOCK, previous->data + STREAM_BLOCK, previous->len - STREAM_BLOCK);
}

/* ---- extension and EA records ------------------------------------------------------------------
 */

static int append(uint8_t **buf, size_t *len, size_t *capacity, const void *data, size_t size,
                  struct error *err)
{
    if (size > *capacity - *len) {
        size_t larger = *capacity ? *capacity : 4096;
        uint8_t *p;

        while (larger - *len < size)
            larger *= 2;
        p = realloc(*buf, larger);
        if (!p)
            return error_set(err, ERR_NO_MEMORY, "no memory for extended attributes");
        *buf = p;
        *capacity = larger;
    }
    if (size)
        memcpy(*buf + *len, data, size);
    *len += size;
    return 0;
}

static int add_item(struct stream_writer *w, uint16_t type, const char *name, const void *value,
                    size_t len, struct error *err)
{
    uint8_t head[EXTENSION_ITEM_HEADER];
    size_t name_len = strlen(name);
    int rc;

    if (name_len > STREAM_NAME_MAX || len > STREAM_EXTENSION_MAX ||
        w->extension_len + sizeof(head) + name_len + len > STREAM_EXTENSION_MAX)
        return error_set(err, ERR_RANGE,
                         "the extended attributes are larger than the %u bytes that the stream "
                         "can carry for a file",
                         STREAM_EXTENSION_MAX);
    put_le16(head, type);
    put_le16(head + 2, (uint16_t)name_len);
    put_le32(head + 4, (uint32_t)len);
    rc = append(&w->extension, &w->extension_len, &w->extension_capacity, head, sizeof(head), err);
    if (!rc)
        rc = append(&w->extension, &w->extension_len, &w->extension_capacity, name, name_len, err);
    if (!rc)
        rc = append(&w->extension, &w->extension_len, &w->extension_capacity, value, len, err);
    return rc;
}

static int collect_extension(struct stream_writer *w, const struct stream_inode *inode,
                             const struct stream_xattr *xattrs, size_t count, struct error *err)
{
    int rc = 0;

    w->extension_len = 0;
    if (inode->ino == STREAM_ROOT_INODE) {
        rc = add_item(w, EXTENSION_PATH, "", w->path, strlen(w->path), err);
        if (!rc)
            rc = add_item(w, EXTENSION_HOST, "", w->host, strlen(w->host), err);
    }
    for (size_t i = 0; i < count && !rc; i++)
        if (w->options.no_ea_records || !xattr_fits_record(&xattrs[i]))
            rc = add_item(w, EXTENSION_XATTR, xattrs[i].name, xattrs[i].value, xattrs[i].len, err);
    return rc;
}

static int collect_ea(struct stream_writer *w, const struct stream_xattr *xattrs, size_t count,
                      struct error *err)
{
    uint8_t record[EA_RECORD_MAX], head[4];
    size_t next = 0, size;
    int rc = 0;

    w->ea_len = 0;
    while (!rc && !w->options.no_ea_records &&
           (size = xattr_build_record(xattrs, count, &next, record)) > 0) {
        put_le32(head, (uint32_t)size);
        rc = append(&w->ea, &w->ea_len, &w->ea_capacity, head, sizeof(head), err);
        if (!rc)
            rc = append(&w->ea, &w->ea_len, &w->ea_capacity, record, size, err);
    }
    return rc;
}

static int write_ea_record(struct stream_writer *w, const uint8_t *data, size_t size,
                           struct error *err)
{
    size_t blocks = (size + STREAM_BLOCK - 1) / STREAM_BLOCK;
    uint8_t block[STREAM_BLOCK], padded[EA_RECORD_MAX] = {0};
    struct stream_inode inode = w->inode;
    int rc;

    memcpy(padded, data, size);
    inode.size = size;
    header_begin(block, TS_INODE, inode.ino, &w->image);
    header_inode(block, &inode);
    put_le32(block + C_FLAGS, DR_NEWINODEFMT | DR_EXTATTRIBUTES);
    put_le32(block + C_EXTATTRIBUTES, EXT_XATTR);
    put_le32(block + C_COUNT, (uint32_t)blocks);
    memset(block + C_ADDR, 1, blocks);
    put_le32(block + P_DATA_CRC, crc32c(padded, blocks * STREAM_BLOCK));
    rc = put_header(w, block, blocks, err);
    for (size_t i = 0; i < blocks && !rc; i++)
        rc = put_data(w, padded + i * STREAM_BLOCK, err);
    return rc;
}

static int write_ea_records(struct stream_writer *w, struct error *err)
{
    size_t at = 0;
    int rc = 0;

    while (at < w->ea_len && !rc) {
        size_t size = get_le32(w->ea + at);

        rc = write_ea_record(w, w->ea + at + 4, size, err);
        at += 4 + size;
    }
    return rc;
}

/* ---- inodes ------------------------------------------------------------------------------------
 */

int stream_writer_inode(struct stream_writer *w, const struct stream_inode *inode,
                        const struct stream_xattr *xattrs, size_t xattr_count, uint64_t *address,
                        struct error *err)
{
    int rc = require_state(w, WRITER_MAPPED, err);

    if (!rc)
        rc = collect_extension(w, inode, xattrs, xattr_count, err);
    if (!rc)
        rc = collect_ea(w, xattrs, xattr_count, err);
    if (rc)
        return rc;
    w->inode = *inode;
    w->offset = 0;
    w->addr = false;
    w->group_used = 0;
    w->group_offset = 0;
    w->state = WRITER_INODE;
    if (address)
        *address = w->position;
    return 0;
}

/* CRC of the blocks that will follow a header for the first `blocks` of the group (and ext). */
static uint32_t group_crc(const struct stream_writer *w, size_t blocks, const uint8_t *ext,
                          size_t ext_blocks)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < blocks; i++)
        if (w->group_map[i])
            crc = crc32c_update(crc, w->group + i * STREAM_BLOCK, STREAM_BLOCK);
    return crc32c_update(crc, ext, ext_blocks * STREAM_BLOCK);
}

/* Write a header for the first `blocks` of the group and what belongs to it, then the extension
 * (padded to whole blocks), and take them off the group. */
static int write_group(struct stream_writer *w, size_t blocks, const uint8_t *ext,
                       size_t ext_blocks, struct error *err)
{
    uint8_t header[STREAM_BLOCK];
    size_t follow = ext_blocks;
    int rc;

    header_begin(header, w->addr ? TS_ADDR : TS_INODE, w->inode.ino, &w->image);
    header_inode(header, &w->inode);
    put_le32(header + C_COUNT, (uint32_t)(blocks + ext_blocks));
    memcpy(header + C_ADDR, w->group_map, blocks);
    memset(header + C_ADDR + blocks, 1, ext_blocks);
    put_le32(header + P_EXT_LENGTH, (uint32_t)w->extension_len);
    put_le32(header + P_EXT_CRC, crc32c(w->extension, w->extension_len));
    put_le32(header + P_DATA_CRC, group_crc(w, blocks, ext, ext_blocks));
    put_le64(header + P_OFFSET, w->group_offset);
    for (size_t i = 0; i < blocks; i++)
        follow += w->group_map[i];
    rc = put_header(w, header, follow, err);
    for (size_t i = 0; i < blocks && !rc; i++)
        if (w->group_map[i])
            rc = put_data(w, w->group + i * STREAM_BLOCK, err);
    for (size_t i = 0; i < ext_blocks && !rc; i++)
        rc = put_data(w, ext + i * STREAM_BLOCK, err);
    w->addr = true;
    w->group_offset += blocks * STREAM_BLOCK;
    w->group_used -= blocks;
    memmove(w->group_map, w->group_map + blocks, w->group_used);
    memmove(w->group, w->group + blocks * STREAM_BLOCK, w->group_used * STREAM_BLOCK);
    return rc;
}

/* Make room so that the block at w->offset is in the group: begin it if the offset is its first. */
static int open_block(struct stream_writer *w, struct error *err)
{
    if (w->offset % STREAM_BLOCK)
        return 0;
    if (w->group_used == TP_NINDIR) {
        int rc = write_group(w, TP_NINDIR, NULL, 0, err);

        if (rc)
            return rc;
    }
    memset(w->group + w->group_used * STREAM_BLOCK, 0, STREAM_BLOCK);
    w->group_map[w->group_used++] = 0;
    return 0;
}

/* Take the whole blocks of a hole that go into the group at once: a hole of a terabyte has 2^30.
 * They have no bytes in the group, as nothing reads what the map says is not there. */
static int take_hole_blocks(struct stream_writer *w, uint64_t *len, struct error *err)
{
    uint64_t blocks = *len / STREAM_BLOCK;
    int rc = 0;

    if (w->group_used == TP_NINDIR)
        rc = write_group(w, TP_NINDIR, NULL, 0, err);
    if (rc)
        return rc;
    if (blocks > TP_NINDIR - w->group_used)
        blocks = TP_NINDIR - w->group_used;
    memset(w->group_map + w->group_used, 0, (size_t)blocks);
    w->group_used += (size_t)blocks;
    w->offset += blocks * STREAM_BLOCK;
    *len -= blocks * STREAM_BLOCK;
    return 0;
}

/* Take len bytes; data NULL: a hole. */
static int take(struct stream_writer *w, const uint8_t *data, uint64_t len, struct error *err)
{
    int rc = require_state(w, WRITER_INODE, err);

    if (!rc && len > w->inode.size - w->offset)
        rc = error_set(err, ERR_RANGE, "more data than the %llu bytes that were announced",
                       (unsigned long long)w->inode.size);
    while (!rc && len > 0) {
        size_t in_block = w->offset % STREAM_BLOCK;
        size_t part = STREAM_BLOCK - in_block;

        if (!data && in_block == 0 && len >= STREAM_BLOCK) {
            rc = take_hole_blocks(w, &len, err);
            continue;
        }
        if (part > len)
            part = (size_t)len;
        rc = open_block(w, err);
        if (rc)
            break;
        if (data) {
            memcpy(w->group + (w->group_used - 1) * STREAM_BLOCK + in_block, data, part);
            w->group_map[w->group_used - 1] = 1;
            data += part;
        }
        w->offset += part;
        len -= part;
    }
    return rc;
}

int stream_writer_data(struct stream_writer *w, const void *data, size_t len, struct error *err)
{
    return take(w, data, len, err);
}

int stream_writer_hole(struct stream_writer *w, uint64_t len, struct error *err)
{
    return take(w, NULL, len, err);
}

/* The rest of the group and the extension behind it (invariant 3). */
static int write_last_group(struct stream_writer *w, struct error *err)
{
    size_t ext_blocks = (w->extension_len + STREAM_BLOCK - 1) / STREAM_BLOCK;
    size_t padding = ext_blocks * STREAM_BLOCK - w->extension_len;
    static const uint8_t zeros[STREAM_BLOCK];
    size_t real = w->extension_len;
    int rc = append(&w->extension, &w->extension_len, &w->extension_capacity, zeros, padding, err);

    if (rc)
        return writer_fail(w, rc, err);
    w->extension_len = real;
    if (w->group_used + ext_blocks > TP_NINDIR)
        rc = write_group(w, w->group_used - 1, NULL, 0, err);
    if (!rc)
        rc = write_group(w, w->group_used, w->extension, ext_blocks, err);
    return rc;
}

int stream_writer_finish(struct stream_writer *w, struct error *err)
{
    int rc = require_state(w, WRITER_INODE, err);

    if (!rc)
        rc = take(w, NULL, w->inode.size - w->offset, err);
    if (!rc)
        rc = write_last_group(w, err);
    if (!rc)
        rc = write_ea_records(w, err);
    if (!rc)
        w->state = WRITER_MAPPED;
    return rc;
}
