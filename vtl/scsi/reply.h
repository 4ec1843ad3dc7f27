/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h - building parameter data straight into a task's data-in buffer.
 *
 * A reply counts every byte that is put, but stores only those for which there is room: so a
 * builder writes the whole page, lengths included, and the allocation length cuts it (SPC-5
 * section 4.2.5.6) without any check in the builder.  Length fields are patched in afterwards.
 */
#ifndef CAPSTAN_VTL_SCSI_REPLY_H
#define CAPSTAN_VTL_SCSI_REPLY_H

#include <stddef.h>
#include <stdint.h>

struct reply {
    uint8_t *buf;
    size_t room;
    uint64_t len; /* what was put, stored or not */
};

static inline struct reply reply_to(uint8_t *buf, size_t room)
{
    return (struct reply){buf, room, 0};
}

void reply_bytes(struct reply *r, const void *data, size_t len);
void reply_zero(struct reply *r, size_t len);
void reply_u8(struct reply *r, unsigned v);
void reply_be16(struct reply *r, unsigned v);
void reply_be24(struct reply *r, uint32_t v);
void reply_be32(struct reply *r, uint32_t v);
void reply_be64(struct reply *r, uint64_t v);
void reply_be(struct reply *r, uint64_t v, unsigned bytes);       /* any width up to 8 */
void reply_text(struct reply *r, const char *text, size_t width); /* padded with spaces */
void reply_patch(struct reply *r, uint64_t offset, uint64_t v, unsigned bytes);

#endif
