/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks.h - the two checks that crash safety rests on.
 *
 * They stand apart so that the crash explorer can be built with broken ones (tests/crash) and show
 * that it would notice; the shipped code has no switch for them.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_CHECKS_H
#define CAPSTAN_VTL_CARTRIDGE_CHECKS_H

#include "common/crc32c.h"
#include "vtl/cartridge/format.h"

/* Is r of this epoch, and was it written behind the header that chain is the value of?  A record
 * left over from something else is well-formed in itself, and only this tells it apart. */
static inline bool check_chain(const struct record *r, uint64_t epoch, uint32_t chain)
{
    return r->epoch == epoch && r->chain == chain;
}

static inline bool check_payload(const struct record *r, const void *payload)
{
    return crc32c(payload, r->stored) == r->payload_crc;
}

#endif
