/* SPDX-License-Identifier: Apache-2.0 */
/* file_data.c - see file_data.h. */
#include "fuse/file_data.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "engine/stream/decoder.h"

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
    uint64_t *checked; /* for each part: the volume number (records.h) that it was checked on */
};

const struct catalog_part *view_image_locate(const struct tree_image *image, uint64_t stream_block,
                                             uint64_t *tape_block)
{
    for (size_t i = 0; i < image->part_count; i++) {
        const struct catalog_part *part = &image->parts[i];

        if (stream_block >= part->first_stream &&
            stream_block - part->first_stream < part->stream_blocks) {
            *tape_block = part->first_block + (stream_block - part->first_stream) / image->blocking;
            return part;
        }
    }
    return NULL;
}

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

/* ---- is it still this image's? ----------------------------------------------------------------
 */

/* The volume record of an image, by its UUID and volume number. */
static bool is_volume_record(const struct record *record, const char *want, unsigned volume)
{
    char uuid[STREAM_UUID_TEXT] = "";
    struct stream_decoder *decoder;
    struct stream_event event;

    if (record->len < STREAM_BLOCK_SIZE || stream_decoder_open(&decoder, NULL) != 0)
        return false;
    stream_decoder_feed(decoder, record->data, 1);
    if (stream_decoder_next(decoder, &event) && event.type == STREAM_EVENT_VOLUME &&
        event.volume.capstan && event.volume.volume == volume)
        stream_uuid_format(event.volume.uuid, uuid);
    stream_decoder_close(decoder);
    return strcmp(uuid, want) == 0;
}

/* A cartridge that was overwritten after the dump may hold a header of the same inode and size at
 * the same place (the next dump of the same tree): so the part's volume record is looked at, once
 * for each state of the cartridge that is seen.  On the first volume it is stream block 0, on the
 * others the record before the part (stream.h). */
static int check_part(struct file_data *file, const struct catalog_part *part, uint64_t number,
                      struct error *err)
{
    const size_t index = (size_t)(part - file->image.parts);
    uint64_t block = part->first_stream == 0 ? part->first_block : part->first_block - 1;
    struct record *record;
    bool good;
    int rc;

    if (file->checked[index] == number ||
        view_volumes_known(file->volumes, number, block, file->image.uuid)) {
        file->checked[index] = number;
        return 0;
    }
    rc = view_volumes_read(file->volumes, part->barcode, block,
                           (size_t)file->image.blocking * STREAM_BLOCK_SIZE, &record, err);
    if (rc != 0)
        return rc;
    good = is_volume_record(record, file->image.uuid, part->volume);
    if (good) {
        view_volumes_learn(file->volumes, record->volume, block, file->image.uuid);
        file->checked[index] = record->volume;
    }
    record_cache_put(record);
    if (good)
        return 0;
    return error_set(err, ERR_CORRUPT,
                     "Cartridge %s does not hold volume %u of image %s at block %llu any more: it "
                     "was overwritten",
                     part->barcode, part->volume, file->image.uuid, (unsigned long long)block);
}

/* ---- reading --------------------------------------------------------------------------------- */

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
    rc = view_volumes_read(file->volumes, part->barcode, tape_block, blocking * STREAM_BLOCK_SIZE,
                           &record, err);
    if (rc == 0 && (rc = check_part(file, part, record->volume, err)) != 0)
        record_cache_put(record);
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
        file->checked = calloc(image->part_count + 1, sizeof(*file->checked));
    if (!file || !file->image.parts || !file->checked) {
        if (file) {
            free(file->image.parts);
            free(file->checked);
        }
        free(file);
        return error_set(err, ERR_NO_MEMORY, "No memory to open a file");
    }
    pthread_mutex_init(&file->lock, NULL);
    memcpy(file->image.parts, image->parts, image->part_count * sizeof(*image->parts));
    memcpy(file->image.uuid, image->uuid, sizeof(file->image.uuid));
    file->image.part_count = image->part_count;
    file->image.blocking = image->blocking;
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
    free(file->checked);
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
