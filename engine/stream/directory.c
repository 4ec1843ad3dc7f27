/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c - 4.4BSD directory data, written (stream.h) and read (directory.h).
 *
 *      u32 d_ino, u16 d_reclen, u8 d_type, u8 d_namlen, name, NUL, padding to 4
 *
 * The last entry of a chunk owns the rest of it by its d_reclen.
 */
#include "engine/stream/directory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "engine/stream/format.h"

#define ENTRY_HEADER 8u

enum stream_name_fault stream_name_check(const void *name, size_t len)
{
    const char *n = name;

    if (len == 0)
        return STREAM_NAME_EMPTY;
    if (len > STREAM_NAME_MAX)
        return STREAM_NAME_TOO_LONG;
    if (memchr(n, '/', len))
        return STREAM_NAME_SLASH;
    if (memchr(n, '\0', len))
        return STREAM_NAME_NUL;
    if (n[0] == '.' && (len == 1 || (len == 2 && n[1] == '.')))
        return STREAM_NAME_DOTS;
    return STREAM_NAME_GOOD;
}

const char *stream_name_fault_text(enum stream_name_fault fault)
{
    static const char *const text[] = {
        [STREAM_NAME_GOOD] = "is good",
        [STREAM_NAME_EMPTY] = "is empty",
        [STREAM_NAME_SLASH] = "holds a slash",
        [STREAM_NAME_NUL] = "holds a NUL byte",
        [STREAM_NAME_DOTS] = "is \".\" or \"..\"",
        [STREAM_NAME_TOO_LONG] = "is longer than 255 bytes",
    };

    return text[fault];
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static size_t entry_size(size_t name_len)
{
    return ENTRY_HEADER + (name_len + 4) / 4 * 4; /* name, NUL, padding */
}

static int reserve(struct stream_directory *d, size_t need, struct error *err)
{
    size_t capacity = d->capacity ? d->capacity : 4 * DIRBLKSIZ;
    uint8_t *data;

    while (capacity < need)
        capacity *= 2;
    if (capacity == d->capacity)
        return 0;
    data = realloc(d->data, capacity);
    if (!data)
        return error_set(err, ERR_NO_MEMORY, "no memory for a directory of %zu bytes", need);
    d->data = data;
    d->capacity = capacity;
    return 0;
}

static void put_entry(struct stream_directory *d, uint32_t ino, uint8_t type, const void *name,
                      size_t name_len)
{
    uint8_t *e = d->data + d->len;
    size_t size = entry_size(name_len);

    memset(e, 0, size);
    put_le32(e, ino);
    put_le16(e + 4, (uint16_t)size);
    e[6] = type;
    e[7] = (uint8_t)name_len;
    memcpy(e + ENTRY_HEADER, name, name_len);
    d->last = d->len;
    d->len += size;
}

void stream_directory_finish(struct stream_directory *d)
{
    size_t rest = (DIRBLKSIZ - d->len % DIRBLKSIZ) % DIRBLKSIZ;
    uint8_t *reclen = d->data + d->last + 4;

    put_le16(reclen, (uint16_t)(get_le16(reclen) + rest));
    memset(d->data + d->len, 0, rest);
    d->len += rest;
}

int stream_directory_begin(struct stream_directory *d, uint32_t self, uint32_t parent,
                           struct error *err)
{
    int rc = reserve(d, DIRBLKSIZ, err);

    if (rc)
        return rc;
    d->len = d->last = 0;
    put_entry(d, self, S_IFDIR >> 12, ".", 1);
    put_entry(d, parent, S_IFDIR >> 12, "..", 2);
    return 0;
}

int stream_directory_add(struct stream_directory *d, uint32_t ino, uint32_t mode, const void *name,
                         size_t name_len, struct error *err)
{
    enum stream_name_fault fault = stream_name_check(name, name_len);
    size_t size = entry_size(name_len);
    int rc;

    if (fault != STREAM_NAME_GOOD)
        return error_set(err, ERR_RANGE, "the name '%.*s' %s",
                         (int)(name_len > 255 ? 255 : name_len), (const char *)name,
                         stream_name_fault_text(fault));
    rc = reserve(d, d->len + 2 * DIRBLKSIZ, err);
    if (rc)
        return rc;
    if (d->len % DIRBLKSIZ + size > DIRBLKSIZ || d->len % DIRBLKSIZ == 0)
        stream_directory_finish(d);
    put_entry(d, ino, (uint8_t)((mode & S_IFMT) >> 12), name, name_len);
    return 0;
}

void stream_directory_free(struct stream_directory *d)
{
    free(d->data);
    memset(d, 0, sizeof(*d));
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Take the entry at c->at apart; false if its d_reclen breaks a rule of the format. */
static bool entry_at(struct stream_entry_cursor *c, struct stream_entry *entry, size_t *reclen)
{
    const uint8_t *e = c->data + c->at;
    size_t chunk_end = (c->at / DIRBLKSIZ + 1) * DIRBLKSIZ;
    size_t limit = (chunk_end < c->len ? chunk_end : c->len) - c->at;

    if (limit < ENTRY_HEADER)
        return false;
    entry->ino = c->big_endian ? get_be32(e) : get_le32(e);
    *reclen = c->big_endian ? get_be16(e + 4) : get_le16(e + 4);
    entry->type = c->old_format ? 0 : e[6];
    entry->name_len = e[7];
    if (c->old_format)
        entry->name_len = c->big_endian ? get_be16(e + 6) : get_le16(e + 6);
    entry->name = e + ENTRY_HEADER;
    return *reclen >= ENTRY_HEADER && *reclen % 4 == 0 && *reclen <= limit;
}

bool stream_entry_next(struct stream_entry_cursor *c, struct stream_entry *entry)
{
    size_t reclen;

    while (c->at < c->len) {
        if (!entry_at(c, entry, &reclen)) {
            c->damaged = true;
            c->at = (c->at / DIRBLKSIZ + 1) * DIRBLKSIZ;
            continue;
        }
        c->at += reclen;
        if (entry->ino && entry->name_len <= reclen - ENTRY_HEADER)
            return true;
        /* dump(8) writes a name of 255 bytes as an entry without a name: only that one is lost. */
        if (entry->ino)
            c->damaged = true;
    }
    return false;
}
