/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header.h - build the header blocks of a dump stream.  Internal to engine/stream.
 *
 * A header is begun from the image (header_begin), gets its type's fields, and is closed with the
 * private CRC and the checksum (header_seal): after that it must not be changed.
 */
#ifndef CAPSTAN_ENGINE_STREAM_HEADER_H
#define CAPSTAN_ENGINE_STREAM_HEADER_H

#include <stdint.h>

#include "engine/stream/stream.h"

/* Zero the block and fill in what all headers of the dump have in common. */
void header_begin(uint8_t *block, int type, uint32_t ino, const struct stream_image *image);
void header_volume(uint8_t *block, unsigned volume, const struct stream_image *image);
/* The dinode and its private part; size is that of the data in the stream. */
void header_inode(uint8_t *block, const struct stream_inode *inode);
void header_end(uint8_t *block, const struct stream_image *image,
                const struct stream_totals *totals);
/* address: number of this block. */
void header_seal(uint8_t *block, uint64_t address);

/* CRC of the block as P_CRC holds it, and the sum of its 256 words in the given order. */
uint32_t header_crc(const uint8_t *block);
uint32_t header_sum_le(const uint8_t *block);
uint32_t header_sum_be(const uint8_t *block);

/* c_date: the seconds of ns as the format can say them (0..UINT32_MAX). */
uint32_t header_seconds(int64_t ns);

#endif
