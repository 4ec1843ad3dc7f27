/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h - whether a block of a stream is of a certain dump, for those who read a cartridge
 * that may have been overwritten.  Pure.
 */
#ifndef CAPSTAN_ENGINE_STREAM_IDENTITY_H
#define CAPSTAN_ENGINE_STREAM_IDENTITY_H

#include <stdint.h>

enum stream_identity {
    STREAM_IDENTITY_NONE, /* it does not tell: data, or a header of something else */
    STREAM_IDENTITY_DATE, /* a header of ours for this address, of a dump of the same second */
    STREAM_IDENTITY_UUID  /* a header of ours for this address that names the dump */
};

/* block: the 1,024 bytes that are stream block `address` if they are of the dump `uuid` of date_ns.
 * Not for the volume records of later volumes, which have no address. */
enum stream_identity stream_identify(const uint8_t *block, const uint8_t uuid[16], int64_t date_ns,
                                     uint64_t address);

#endif
