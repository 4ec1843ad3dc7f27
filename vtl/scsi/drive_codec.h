/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_codec.h - between the bytes on the wire and the blocks of a cartridge: protection,
 * compression, encryption.
 *
 *    WRITE:  wire -> check and take off the protection -> compress -> encrypt -> cartridge
 *    READ:   cartridge -> decrypt -> decompress -> check or put on the protection -> wire
 *
 * The work is done on the thread that runs the command, before its status: so a block that can't be
 * taken is refused and nothing of it is recorded, and GOOD stays "in the buffer" (drive.h).  It
 * overlaps with receiving what the initiator sends meanwhile, as soon as two commands are under
 * way: while blocks are work (lu->laborious) a WRITE is not run on the transport's thread.  With
 * one command at a time only a copy of each block would let them overlap, and errors that the host
 * must see at the command (protection, key, end of medium) would come deferred.
 *
 * What is refused here is an enum block_refusal, beside the errors of the cartridge; drive_error()
 * makes sense data of both.  After a refusal of 74h the position is before the block; after one of
 * 10h, on reading, behind it.
 *
 * All with lu->device held.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_CODEC_H
#define CAPSTAN_VTL_SCSI_DRIVE_CODEC_H

#include "vtl/cartridge/protection.h"
#include "vtl/scsi/drive.h"

/* Returned negated where an enum error_code could be. */
enum block_refusal {
    REFUSED_ENCRYPTED = ERR_CODE_COUNT + 1, /* 74h/01h: and the nexus may not or can't decrypt */
    REFUSED_PLAIN,                          /* 74h/02h: only encrypted blocks are wanted */
    REFUSED_KEY,                            /* 74h/03h: encrypted with another key */
    REFUSED_INTEGRITY,                      /* 74h/04h: the key, but not what was written */
    REFUSED_MODE,                           /* 74h/09h: written in the mode that CEEM excludes */
    REFUSED_RAW,                            /* 74h/0Ah: its owner does not want it read raw */
    REFUSED_EXTERNAL,                       /* 74h/0Bh: EXTERNAL mode, and not an encrypted block */
    REFUSED_GUARD,                          /* 10h/01h: the protection does not fit the block */
    REFUSED_METHOD,                         /* 10h/05h: not protected by the method asked for */
};

/* What the control data protection mode page says (SSC-5 8.5.9). */
struct drive_protection {
    enum protection_method method;
    bool write, read; /* the blocks of these commands are followed by a CRC */
};
struct drive_protection drive_protection(struct scsi_lu *lu);

/* Values that the page may take. */
bool drive_protection_valid(const uint8_t *page, unsigned *byte);

/* Is what is written compressed?  Mode pages 0Fh and 10h are two handles of one switch: the one
 * that was moved last counts, and the other follows.  Called before each command. */
bool drive_compresses(struct scsi_lu *lu);

int drive_codec_create(struct drive *d, struct error *err);
void drive_codec_destroy(struct drive *d);

/* Record one block that came as len bytes, of which the last `crc` (0 or PROTECTION_SIZE) are its
 * protection.  Errors as cartridge_write(), and refusals. */
int drive_put_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, const uint8_t *wire,
                    uint32_t len, uint32_t crc, bool *early_warning, struct error *err);

/* Read one block as it goes to the wire: the first `room` bytes of it into target, *len how many
 * there are, with crc (0 or PROTECTION_SIZE) bytes of protection.  Errors as
 * cartridge_read_block(), ERR_LENGTH if *len > room, and refusals. */
int drive_get_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint8_t *target,
                    size_t room, uint32_t crc, uint32_t *len, struct error *err);

/* Whether drive_get_block() has left the block for another to read: one of the 74h. */
bool drive_refused_block(int rc);

/* Read a block, of *len bytes, to check it and the protection that was sent with it; method: which
 * must be by the method of the mode page. */
int drive_check_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, bool method,
                      uint32_t *len, struct error *err);

#endif
