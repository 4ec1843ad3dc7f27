/* SPDX-License-Identifier: Apache-2.0 */
/* header.c - see header.h; the layout is in format.h. */
#include "engine/stream/header.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "engine/stream/format.h"

#define NS_PER_SECOND INT64_C(1000000000)

/* Copy text into a field that must end with a NUL. */
static void put_text(uint8_t *field, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size - 1) : 0;

    memcpy(field, text ? text : "", len);
}

uint32_t header_seconds(int64_t ns)
{
    int64_t seconds = ns / NS_PER_SECOND - (ns % NS_PER_SECOND < 0);

    /* Linux's restore takes the field as unsigned, BSD's as signed: times before 1970 keep their
     * two's complement, which BSD reads right. */
    if (seconds < INT32_MIN)
        return (uint32_t)INT32_MIN;
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void put_time(uint8_t *field, int64_t ns)
{
    int64_t rest = ns % NS_PER_SECOND;

    put_le32(field, header_seconds(ns));
    put_le32(field + 4, (uint32_t)((rest < 0 ? rest + NS_PER_SECOND : rest) / 1000));
}

void header_begin(uint8_t *block, int type, uint32_t ino, const struct stream_image *image)
{
    memset(block, 0, STREAM_BLOCK);
    put_le32(block + C_TYPE, (uint32_t)type);
    put_le32(block + C_DATE, header_seconds(image->date_ns));
    put_le32(block + C_DDATE, image->level ? header_seconds(image->base_date_ns) : 0);
    put_le32(block + C_VOLUME, 1);
    put_le32(block + C_INUMBER, ino);
    put_le32(block + C_MAGIC, NFS_MAGIC);
    put_text(block + C_LABEL, C_LABEL_SIZE, image->label ? image->label : "none");
    put_le32(block + C_LEVEL, (uint32_t)image->level);
    put_text(block + C_FILESYS, C_NAME_SIZE, image->path);
    put_text(block + C_DEV, C_NAME_SIZE, image->device ? image->device : image->path);
    put_text(block + C_HOST, C_NAME_SIZE, image->host);
    /* In TS_END the same bit says that c_inos is filled in, which it is not. */
    put_le32(block + C_FLAGS, type == TS_END ? 0 : DR_NEWINODEFMT);
    put_le32(block + C_NTREC, image->blocking);
    put_le32(block + P_MAGIC, PRIVATE_MAGIC);
    block[P_VERSION] = PRIVATE_VERSION;
    block[P_TYPE] = (uint8_t)type;
}

void header_volume(uint8_t *block, unsigned volume, const struct stream_image *image)
{
    header_begin(block, TS_TAPE, 0, image);
    put_le32(block + C_VOLUME, volume);
    put_le32(block + C_FLAGS, DR_NEWHEADER | DR_NEWINODEFMT);
    memcpy(block + P_UUID, image->uuid, 16);
    memcpy(block + P_BASE_UUID, image->base_uuid, 16);
    put_le64(block + P_DATE, (uint64_t)image->date_ns);
    put_le64(block + P_BASE_DATE, (uint64_t)image->base_date_ns);
    put_le32(block + P_BLOCKING, image->blocking);
}

/* restore(8) hands the field to mknod(2) as it is: the kernel's 32-bit form. */
static uint32_t encode_rdev(uint64_t rdev)
{
    uint32_t maj = major(rdev), min = minor(rdev);

    return (min & 0xff) | (maj & 0xfff) << 8 | (min & 0xfff00) << 12;
}

static void put_dinode(uint8_t *block, const struct stream_inode *inode)
{
    bool device = S_ISCHR(inode->mode) || S_ISBLK(inode->mode);

    put_le16(block + DI_MODE, (uint16_t)inode->mode);
    put_le16(block + DI_NLINK, (uint16_t)(inode->nlink > INT16_MAX ? INT16_MAX : inode->nlink));
    put_le16(block + DI_OUID, (uint16_t)(inode->uid > UINT16_MAX ? UINT16_MAX : inode->uid));
    put_le16(block + DI_OGID, (uint16_t)(inode->gid > UINT16_MAX ? UINT16_MAX : inode->gid));
    put_le64(block + DI_SIZE, inode->size);
    put_time(block + DI_ATIME, inode->atime_ns);
    put_time(block + DI_MTIME, inode->mtime_ns);
    put_time(block + DI_CTIME, inode->ctime_ns);
    if (device)
        put_le32(block + DI_RDEV, encode_rdev(inode->rdev));
    put_le32(block + DI_FLAGS, (uint32_t)inode->flags);
    put_le32(block + DI_BLOCKS, (uint32_t)inode->blocks512);
    put_le32(block + DI_GEN, inode->generation);
    put_le32(block + DI_UID, inode->uid);
    put_le32(block + DI_GID, inode->gid);
}

void header_inode(uint8_t *block, const struct stream_inode *inode)
{
    put_dinode(block, inode);
    put_le64(block + P_INO, inode->original_ino);
    put_le64(block + P_DEV, inode->original_dev);
    put_le64(block + P_ATIME, (uint64_t)inode->atime_ns);
    put_le64(block + P_MTIME, (uint64_t)inode->mtime_ns);
    put_le64(block + P_CTIME, (uint64_t)inode->ctime_ns);
    put_le64(block + P_BTIME, (uint64_t)inode->btime_ns);
    put_le64(block + P_RDEV, inode->rdev);
    put_le64(block + P_SIZE, inode->st_size);
    put_le64(block + P_BLOCKS, inode->blocks512);
    put_le64(block + P_FLAGS, inode->flags);
    put_le32(block + P_NLINK, inode->nlink);
    put_le32(block + P_GEN, inode->generation);
}

void header_end(uint8_t *block, const struct stream_image *image,
                const struct stream_totals *totals)
{
    memcpy(block + P_END_UUID, image->uuid, 16);
    put_le64(block + P_ENDED, (uint64_t)totals->ended_ns);
    put_le64(block + P_FILES, totals->files);
    put_le64(block + P_DIRECTORIES, totals->directories);
    put_le64(block + P_BYTES, totals->bytes);
    put_le64(block + P_STREAM_BLOCKS, totals->stream_blocks);
    put_le64(block + P_WARNINGS, totals->warnings);
    put_le32(block + P_STATE, (uint32_t)totals->state);
}

uint32_t header_crc(const uint8_t *block)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c_update(0, block, C_CHECKSUM);

    crc = crc32c_update(crc, zero, sizeof(zero));
    return crc32c_update(crc, block + C_CHECKSUM + 4, P_CRC - C_CHECKSUM - 4);
}

uint32_t header_sum_le(const uint8_t *block)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < STREAM_BLOCK; i += 4)
        sum += get_le32(block + i);
    return sum;
}

uint32_t header_sum_be(const uint8_t *block)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < STREAM_BLOCK; i += 4)
        sum += get_be32(block + i);
    return sum;
}

void header_seal(uint8_t *block, uint64_t address)
{
    put_le32(block + C_TAPEA, (uint32_t)address);
    put_le32(block + C_CHECKSUM, 0);
    put_le32(block + P_CRC, header_crc(block));
    put_le32(block + C_CHECKSUM, CHECKSUM - header_sum_le(block));
}
