/* SPDX-License-Identifier: Apache-2.0 */
/* file_data.c - see file_data.h. */
#include "fuse/file_data.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "fuse/part.h"

#define STREAM_BLOCK_SIZE 1024u
#define READ_AHEAD        2u /* records */

struct file_data {
    pthread_mutex_t lock; /* everything that changes: reader, last_record */
    struct volumes *volumes;
    struct tree_image image; /* a copy; parts is its own, names are not used */
    uint64_t address, size;
    uint32_t ino;
    struct file_reader *reader; /* NULL before the first read */
    uint64_t last_record;       /* number in the stream of the record read last */
    struct part_proof *proofs;  /* for each part */
};

/* Reads that go from record to record get the next ones fetched while they use this one. */
static void read_ahead(struct file_data *file, uint64_t record)
{
    const uint64_t blocking = file->image.blocking;
    bool sequential = record == file->last_record + 1;

    file->last_record = record;
    if (!sequential)
        return;
    for (uint64_t next = record + 1; next <= record + READ_AHEAD; next++) {
        uint64_t tape_block;
        const struct catalog_part *part =
            view_image_locate(&file->image, next * blocking, &tape_block);

        if (part)
            view_volumes_prefetch(file->volumes, part->barcode, tape_block,
                                  blocking * STREAM_BLOCK_SIZE);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

#define TRIES_MAX 4

/* The record of a stream block, which is proved to be the image's: the cartridge may change while
 * that is done, and then it is another record that is to be looked at. */
static int read_record(struct file_data *file, const struct catalog_part *part, uint64_t tape_block,
                       uint64_t stream_block, struct record **out, struct error *err)
{
    const size_t size = (size_t)file->image.blocking * STREAM_BLOCK_SIZE;
    struct part_proof *proof = &file->proofs[part - file->image.parts];

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        int rc = view_volumes_read(file->volumes, part->barcode, tape_block, size, out, err);

        if (rc != 0 || (proof->volume == (*out)->volume && stream_block < proof->until))
            return rc;
        *proof = (struct part_proof){.volume = (*out)->volume};
        record_cache_put(*out);
        rc = view_part_prove(file->volumes, &file->image, part, stream_block, proof, err);
        if (rc != 0)
            return rc;
    }
    return error_set(err, ERR_BUSY, "Cartridge %s is being changed", part->barcode);
}

/* A stream_source_fn: from stream block first to the end of its tape record at most. */
static int source(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                  struct error *err)
{
    struct file_data *file = ctx;
    const size_t blocking = file->image.blocking;
    struct record *record;
    uint64_t tape_block;
    const struct catalog_part *part = view_image_locate(&file->image, first, &tape_block);
    size_t skip, have, left;
    int rc;

    if (!part)
        return error_set(err, ERR_CORRUPT, "Image %s has no stream block %llu", file->image.uuid,
                         (unsigned long long)first);
    rc = read_record(file, part, tape_block, first, &record, err);
    if (rc != 0)
        return rc;
    skip = (size_t)((first - part->first_stream) % blocking);
    have = record->len / STREAM_BLOCK_SIZE;
    have = have > skip ? have - skip : 0;
    left = part->stream_blocks - (first - part->first_stream) < have
               ? (size_t)(part->stream_blocks - (first - part->first_stream))
               : have;
    *got = count < left ? count : left;
    memcpy(buf, record->data + skip * STREAM_BLOCK_SIZE, *got * STREAM_BLOCK_SIZE);
    record_cache_put(record);
    if (*got == 0)
        return error_set(err, ERR_CORRUPT, "Block %llu of cartridge %s is too short",
                         (unsigned long long)tape_block, part->barcode);
    read_ahead(file, first / blocking);
    return 0;
}

int view_file_data_open(struct volumes *volumes, const struct tree_image *image,
                        const struct catalog_inode *inode, struct file_data **out,
                        struct error *err)
{
    struct file_data *file = calloc(1, sizeof(*file));

    if (file)
        file->image.parts = calloc(image->part_count + 1, sizeof(*image->parts));
    if (file)
        file->proofs = calloc(image->part_count + 1, sizeof(*file->proofs));
    if (!file || !file->image.parts || !file->proofs) {
        if (file) {
            free(file->image.parts);
            free(file->proofs);
        }
        free(file);
        return error_set(err, ERR_NO_MEMORY, "No memory to open a file");
    }
    pthread_mutex_init(&file->lock, NULL);
    memcpy(file->image.parts, image->parts, image->part_count * sizeof(*image->parts));
    memcpy(file->image.uuid, image->uuid, sizeof(file->image.uuid));
    file->image.part_count = image->part_count;
    file->image.blocking = image->blocking;
    file->image.date_ns = image->date_ns;
    file->volumes = volumes;
    file->address = inode->address;
    file->size = inode->size;
    file->ino = inode->ino;
    file->last_record = inode->address / image->blocking;
    *out = file;
    return 0;
}

void view_file_data_close(struct file_data *file)
{
    if (!file)
        return;
    if (file->reader)
        file_reader_close(file->reader);
    pthread_mutex_destroy(&file->lock);
    free(file->image.parts);
    free(file->proofs);
    free(file);
}

static int reader_open(struct file_data *file, struct error *err)
{
    if (file->reader)
        return 0;
    if (file->address == UINT64_MAX)
        return error_set(err, ERR_NOT_FOUND,
                         "The data of inode %u is not in image %s, only its attributes", file->ino,
                         file->image.uuid);
    return file_reader_open(source, file, file->address, file->ino, file->size, &file->reader, err);
}

int view_file_data_read(struct file_data *file, uint64_t offset, void *buf, size_t len, size_t *got,
                        struct error *err)
{
    CLEANUP_UNLOCK(&file->lock);
    int rc = 0;

    *got = 0;
    if (offset >= file->size)
        return 0;
    if (len > file->size - offset)
        len = (size_t)(file->size - offset);
    rc = reader_open(file, err);
    while (rc == 0 && *got < len) {
        size_t part = 0;

        rc = file_reader_read(file->reader, offset + *got, (uint8_t *)buf + *got, len - *got, &part,
                              err);
        if (rc == 0 && part == 0)
            return error_set(err, ERR_CORRUPT,
                             "The data of inode %u in image %s ends at byte %llu of %llu",
                             file->ino, file->image.uuid, (unsigned long long)(offset + *got),
                             (unsigned long long)file->size);
        *got += part;
    }
    return rc;
}

int view_file_data_seek(struct file_data *file, uint64_t offset, enum file_reader_part part,
                        uint64_t *found, struct error *err)
{
    CLEANUP_UNLOCK(&file->lock);
    int rc = 0;

    *found = UINT64_MAX;
    if (offset >= file->size)
        return 0;
    rc = reader_open(file, err);
    if (rc == 0)
        rc = file_reader_seek(file->reader, offset, part, found, err);
    return rc;
}
