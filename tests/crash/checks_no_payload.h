/* SPDX-License-Identifier: Apache-2.0 */
/* checks_no_payload.h - a planted bug: the checksum of payloads is not compared (main.c). */
#ifndef CAPSTAN_TESTS_CRASH_CHECKS_NO_PAYLOAD_H
#define CAPSTAN_TESTS_CRASH_CHECKS_NO_PAYLOAD_H

#include "common/crc32c.h"
#include "vtl/cartridge/format.h"

static inline bool check_chain(const struct record *r, uint64_t epoch, uint32_t chain)
{
    return r->epoch == epoch && r->chain == chain;
}

static inline bool check_payload(const struct record *r, const void *payload)
{
    (void)r;
    (void)payload;
    return true;
}

#endif
