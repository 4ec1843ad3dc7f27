/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - see parse.h; the layouts are in format.h and doc/stream-format.md. */
#include "engine/stream/parse.h"

#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "engine/stream/header.h"

#define NS_PER_SECOND  INT64_C(1000000000)
#define MAP_BLOCKS_MAX (UINT32_MAX / 8 / STREAM_BLOCK + 1) /* of a map of all 32-bit numbers */

static uint16_t field16(const struct parsed_header *h, size_t offset)
{
    return h->big_endian ? get_be16(h->block + offset) : get_le16(h->block + offset);
}

static uint32_t field32(const struct parsed_header *h, size_t offset)
{
    return h->big_endian ? get_be32(h->block + offset) : get_le32(h->block + offset);
}

static uint64_t field64(const struct parsed_header *h, size_t offset)
{
    return h->big_endian ? get_be64(h->block + offset) : get_le64(h->block + offset);
}

/* Byte order and dialect by the magic; the checksum must hold. */
static bool parse_magic(const uint8_t *block, struct parsed_header *h)
{
    uint32_t le = get_le32(block + C_MAGIC), be = get_be32(block + C_MAGIC);

    h->block = block;
    h->big_endian = be == NFS_MAGIC || be == FS_UFS2_MAGIC;
    h->ufs2 = (h->big_endian ? be : le) == FS_UFS2_MAGIC;
    if (!h->big_endian && le != NFS_MAGIC && le != FS_UFS2_MAGIC)
        return false;
    return (h->big_endian ? header_sum_be(block) : header_sum_le(block)) == CHECKSUM;
}

static bool parse_counts(struct parsed_header *h)
{
    uint32_t count = field32(h, C_COUNT);

    h->count = h->follow = 0;
    switch (h->type) {
    case TS_TAPE: /* blocks of the interrupted header that open a later volume */
        h->count = count <= TP_NINDIR ? count : 0;
        return true;
    case TS_CLRI:
    case TS_BITS:
        h->count = h->follow = count;
        return count <= MAP_BLOCKS_MAX;
    case TS_INODE:
    case TS_ADDR:
        if (count > TP_NINDIR)
            return false;
        h->count = count;
        for (size_t i = 0; i < count; i++)
            h->follow += parsed_present(h, i);
        return true;
    default:
        return true;
    }
}

bool parse_header(const uint8_t *block, struct parsed_header *h)
{
    uint32_t type;

    if (!parse_magic(block, h))
        return false;
    type = field32(h, C_TYPE);
    if (type < TS_TAPE || type > TS_CLRI)
        return false;
    h->type = (int)type;
    h->volume = field32(h, C_VOLUME);
    h->ino = field32(h, C_INUMBER);
    h->flags = field32(h, C_FLAGS);
    h->ext_attributes = field32(h, C_EXTATTRIBUTES);
    h->tapea = field32(h, C_TAPEA);
    h->date = h->ufs2 ? (int64_t)field64(h, C_UFS2_DATE) : field32(h, C_DATE);
    h->base_date = h->ufs2 ? (int64_t)field64(h, C_UFS2_DDATE) : field32(h, C_DDATE);
    h->firstrec = h->ufs2 ? (int64_t)field64(h, C_UFS2_FIRSTREC) : (int32_t)field32(h, C_FIRSTREC);
    h->ours = !h->big_endian && !h->ufs2 && get_le32(block + P_MAGIC) == PRIVATE_MAGIC &&
              block[P_VERSION] == PRIVATE_VERSION && block[P_TYPE] == type &&
              get_le32(block + P_CRC) == header_crc(block);
    return parse_counts(h);
}

bool stream_header_follow(const uint8_t *block, size_t *follow)
{
    struct parsed_header h;

    if (!parse_header(block, &h))
        return false;
    *follow = h.follow;
    return true;
}

/* Seconds and a fraction in ns; nonsense is cut to what int64_t holds. */
static int64_t make_time(int64_t seconds, int64_t fraction)
{
    if (fraction < 0 || fraction >= NS_PER_SECOND)
        fraction = 0;
    if (seconds > INT64_MAX / NS_PER_SECOND - 1 || seconds < INT64_MIN / NS_PER_SECOND + 1)
        seconds = 0;
    return seconds * NS_PER_SECOND + fraction;
}

static int64_t classic_time(const struct parsed_header *h, size_t offset)
{
    uint32_t microseconds = field32(h, offset + 4);

    return make_time(field32(h, offset), microseconds < 1000000 ? (int64_t)microseconds * 1000 : 0);
}

/* Which numbers are the owner's (dump-format: Linux and 4.4BSD; V7; Solaris). */
static void parse_owner(const struct parsed_header *h, bool old_ids, struct stream_inode *inode)
{
    inode->uid = field32(h, DI_UID);
    inode->gid = field32(h, DI_GID);
    if (old_ids) {
        inode->uid = field16(h, DI_OUID);
        inode->gid = field16(h, DI_OGID);
        if (inode->uid == UINT16_MAX)
            inode->uid = field32(h, DI_SOLARIS_UID);
        if (inode->gid == UINT16_MAX)
            inode->gid = field32(h, DI_SOLARIS_GID);
    }
}

/* ext2/3/4 keeps device numbers of the small form in the first block pointer, others in the second,
 * and dump(8) copies both. */
static uint64_t parse_rdev(const struct parsed_header *h)
{
    uint32_t small = field32(h, DI_RDEV);

    return small ? small : field32(h, DI_RDEV + 4);
}

static void parse_classic(const struct parsed_header *h, bool old_ids, struct stream_inode *inode)
{
    inode->nlink = field16(h, DI_NLINK);
    inode->atime_ns = classic_time(h, DI_ATIME);
    inode->mtime_ns = classic_time(h, DI_MTIME);
    inode->ctime_ns = classic_time(h, DI_CTIME);
    inode->blocks512 = field32(h, DI_BLOCKS);
    inode->generation = field32(h, DI_GEN);
    /* Linux's flags; BSD's and Solaris's mean other things. */
    inode->flags = h->big_endian || old_ids ? 0 : field32(h, DI_FLAGS);
    parse_owner(h, old_ids, inode);
    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        inode->rdev = parse_rdev(h);
}

static void parse_ufs2(const struct parsed_header *h, struct stream_inode *inode)
{
    inode->nlink = 1; /* not in the header */
    inode->atime_ns = make_time((int64_t)field64(h, DI_UFS2_ATIME), field32(h, DI_ATIME + 4));
    inode->mtime_ns = make_time((int64_t)field64(h, DI_UFS2_MTIME), field32(h, DI_MTIME + 4));
    inode->ctime_ns = inode->mtime_ns;
    inode->btime_ns = make_time((int64_t)field64(h, DI_UFS2_BIRTH), field32(h, DI_UFS2_BIRTHNSEC));
    inode->uid = field32(h, DI_UID);
    inode->gid = field32(h, DI_GID);
    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        inode->rdev = field32(h, DI_UFS2_RDEV);
}

static void parse_private(const struct parsed_header *h, struct stream_inode *inode)
{
    const uint8_t *b = h->block;

    inode->original_ino = get_le64(b + P_INO);
    inode->original_dev = get_le64(b + P_DEV);
    inode->atime_ns = (int64_t)get_le64(b + P_ATIME);
    inode->mtime_ns = (int64_t)get_le64(b + P_MTIME);
    inode->ctime_ns = (int64_t)get_le64(b + P_CTIME);
    inode->btime_ns = (int64_t)get_le64(b + P_BTIME);
    inode->rdev = get_le64(b + P_RDEV);
    inode->st_size = get_le64(b + P_SIZE);
    inode->blocks512 = get_le64(b + P_BLOCKS);
    inode->flags = get_le64(b + P_FLAGS);
    inode->nlink = get_le32(b + P_NLINK);
    inode->generation = get_le32(b + P_GEN);
}

void parse_inode(const struct parsed_header *h, bool old_ids, struct stream_inode *inode)
{
    memset(inode, 0, sizeof(*inode));
    inode->ino = h->ino;
    inode->mode = field16(h, DI_MODE);
    inode->size = inode->st_size = field64(h, DI_SIZE);
    if (h->ufs2)
        parse_ufs2(h, inode);
    else
        parse_classic(h, old_ids, inode);
    if (h->ours)
        parse_private(h, inode);
    if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode) && !S_ISLNK(inode->mode))
        inode->size = 0; /* whatever the field says: such an inode has no data */
}

static void copy_text(char *to, const uint8_t *from, size_t size)
{
    memcpy(to, from, size);
    to[size] = '\0';
}

void parse_volume(const struct parsed_header *h, struct stream_volume *volume)
{
    const uint8_t *b = h->block;

    memset(volume, 0, sizeof(*volume));
    volume->volume = h->volume;
    volume->level = (int)field32(h, C_LEVEL);
    volume->date_ns = make_time(h->date, 0);
    volume->base_date_ns = make_time(h->base_date, 0);
    copy_text(volume->label, b + C_LABEL, C_LABEL_SIZE);
    copy_text(volume->filesys, b + C_FILESYS, C_NAME_SIZE);
    copy_text(volume->device, b + C_DEV, C_NAME_SIZE);
    copy_text(volume->host, b + C_HOST, C_NAME_SIZE);
    volume->big_endian = h->big_endian;
    volume->compressed = h->flags & DR_COMPRESSED;
    volume->old_directories = !h->ufs2 && !(h->flags & DR_NEWINODEFMT);
    volume->capstan = h->ours;
    if (!h->ours)
        return;
    memcpy(volume->uuid, b + P_UUID, 16);
    memcpy(volume->base_uuid, b + P_BASE_UUID, 16);
    volume->date_ns = (int64_t)get_le64(b + P_DATE);
    volume->base_date_ns = (int64_t)get_le64(b + P_BASE_DATE);
    volume->blocking = get_le32(b + P_BLOCKING);
    volume->first_stream = get_le64(b + P_FIRST_STREAM);
    volume->duplicates = get_le32(b + P_DUPLICATES);
    volume->resume = get_le32(b + P_RESUME);
}

void parse_totals(const struct parsed_header *h, struct stream_totals *totals)
{
    const uint8_t *b = h->block;

    totals->ended_ns = (int64_t)get_le64(b + P_ENDED);
    totals->files = get_le64(b + P_FILES);
    totals->directories = get_le64(b + P_DIRECTORIES);
    totals->bytes = get_le64(b + P_BYTES);
    totals->stream_blocks = get_le64(b + P_STREAM_BLOCKS);
    totals->warnings = get_le64(b + P_WARNINGS);
    totals->state = get_le32(b + P_STATE) == STREAM_COMPLETE ? STREAM_COMPLETE : STREAM_PARTIAL;
}
