/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - offsets and numbers of the dump(8) header block, and of our private part of it.
 *
 * Names follow BSD's <protocols/dumprestore.h>.  doc/stream-format.md explains each; the private
 * part is 904..1023, which Linux, BSD and Solaris readers ignore.  Ours is little-endian.
 * Internal to engine/stream.
 */
#ifndef CAPSTAN_ENGINE_STREAM_FORMAT_H
#define CAPSTAN_ENGINE_STREAM_FORMAT_H

enum { TS_TAPE = 1, TS_INODE, TS_BITS, TS_ADDR, TS_END, TS_CLRI, TS_EOM };

#define OFS_MAGIC        60011u
#define NFS_MAGIC        60012u
#define MTB_MAGIC        60013u /* Solaris, tape blocks larger than 1,024 */
#define FS_UFS2_MAGIC    0x19540119u
#define CHECKSUM         84446u
#define TP_NINDIR        512u /* entries of c_addr */
#define TP_NINOS         128u
#define DIRBLKSIZ        512u
#define DR_NEWHEADER     0x0001u
#define DR_NEWINODEFMT   0x0002u /* in TS_TAPE */
#define DR_COMPRESSED    0x0080u
#define DR_METAONLY      0x0100u
#define DR_EXTATTRIBUTES 0x8000u
#define EXT_XATTR        3u

enum { /* the header block */
       C_TYPE = 0,
       C_DATE = 4,
       C_DDATE = 8,
       C_VOLUME = 12,
       C_TAPEA = 16,
       C_INUMBER = 20,
       C_MAGIC = 24,
       C_CHECKSUM = 28,
       C_COUNT = 160,
       C_ADDR = 164,
       C_INOS = 164, /* TS_END */
       C_LABEL = 676,
       C_LEVEL = 692,
       C_FILESYS = 696,
       C_DEV = 760,
       C_HOST = 824,
       C_FLAGS = 888,
       C_FIRSTREC = 892,
       C_NTREC = 896,
       C_EXTATTRIBUTES = 900,
       /* UFS2 (FreeBSD) */
       C_UFS2_DATE = 896,
       C_UFS2_DDATE = 904,
       C_UFS2_TAPEA = 912,
       C_UFS2_FIRSTREC = 920,
       C_LABEL_SIZE = 16,
       C_NAME_SIZE = 64
};

enum { /* the inode in the header, 4.4BSD form */
       DI_MODE = 32,
       DI_NLINK = 34,
       DI_OUID = 36,
       DI_OGID = 38,
       DI_SIZE = 40,
       DI_ATIME = 48,
       DI_MTIME = 56,
       DI_CTIME = 64,
       DI_RDEV = 72,
       DI_FLAGS = 132,
       DI_BLOCKS = 136,
       DI_GEN = 140,
       DI_UID = 144,
       DI_GID = 148,
       /* Solaris */
       DI_SOLARIS_UID = 148,
       DI_SOLARIS_GID = 152,
       /* UFS2 (FreeBSD) */
       DI_UFS2_RDEV = 72,
       DI_UFS2_BIRTHNSEC = 76,
       DI_UFS2_BIRTH = 80,
       DI_UFS2_ATIME = 88,
       DI_UFS2_MTIME = 96,
       DI_UFS2_EXTSIZE = 104
};

#define PRIVATE_MAGIC   0x31535043u /* "CPS1" */
#define PRIVATE_VERSION 1

enum { /* the private part, all headers */
       P_MAGIC = 904,
       P_VERSION = 908, /* u8; then u8 c_type again, u16 zero */
       P_TYPE = 909,
       P_CRC = 1020 /* CRC32C of bytes 0..1019 with c_checksum taken as zero */
};
enum { /* TS_TAPE */
       P_UUID = 912,
       P_BASE_UUID = 928,
       P_DATE = 944,
       P_BASE_DATE = 952,
       P_FIRST_STREAM = 960, /* first block that is new on this volume */
       P_DUPLICATES = 968,   /* blocks of the volume before that follow the header */
       P_RESUME = 972,       /* data blocks from P_FIRST_STREAM up to the next header */
       P_BLOCKING = 976
};
enum { /* TS_INODE, TS_ADDR */
       P_INO = 912,
       P_DEV = 920,
       P_ATIME = 928,
       P_MTIME = 936,
       P_CTIME = 944,
       P_BTIME = 952,
       P_RDEV = 960,
       P_SIZE = 968,
       P_BLOCKS = 976,
       P_FLAGS = 984,
       P_NLINK = 992,
       P_GEN = 996,
       P_EXT_LENGTH = 1000, /* bytes of the extension behind the file's last data block */
       P_EXT_CRC = 1004,
       P_DATA_CRC = 1008, /* of the blocks that follow this header, extension included */
       P_OFFSET = 1012    /* u64: where in the file the first block of this header is */
};
enum { /* TS_END */
       P_END_UUID = 912,
       P_ENDED = 928,
       P_FILES = 936,
       P_DIRECTORIES = 944,
       P_BYTES = 952,
       P_STREAM_BLOCKS = 960,
       P_WARNINGS = 968,
       P_STATE = 976
};

/* Items of the extension: u16 type, u16 length of the name, u32 length of the value, name, value.
 */
enum { EXTENSION_XATTR = 1, EXTENSION_PATH, EXTENSION_HOST };
#define EXTENSION_ITEM_HEADER 8u

/* The block form of ext4's extended attributes, which EXT_XATTR records carry. */
#define EA_MAGIC_BLOCK  0xEA020000u
#define EA_MAGIC_INODE  0xEA020001u
#define EA_BLOCK_HEADER 32u
#define EA_ENTRY_HEADER 16u
#define EA_RECORD_MAX   4096u

#endif
