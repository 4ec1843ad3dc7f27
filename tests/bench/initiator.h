/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initiator.h - the least of an iSCSI initiator: one session, one command at a time, all blocking.
 *
 * It is there to measure targets: what the initiator costs is taken from the same cores, so it
 * sends a command and its data with one system call, straight from where they are, and receives
 * data straight to where it belongs.  The rest is what RFC 7143 demands of everyone: it takes
 * whatever the target declares, sends immediate and unsolicited data as far as was agreed, and the
 * rest when it is asked (R2T).  No target is treated differently.
 *
 * Thread rule: one thread at a time.
 */
#ifndef CAPSTAN_TESTS_BENCH_INITIATOR_H
#define CAPSTAN_TESTS_BENCH_INITIATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct initiator;

/* Log in to iscsi://HOST:PORT/TARGET/LUN (LUN 0 .. 255); digests: CRC32C of headers and data. */
int initiator_open(const char *url, bool digests, struct initiator **out, struct error *err);

/* Log out, as far as the target answers; NULL: nothing. */
void initiator_close(struct initiator *i);

/* Carry out a CDB of 6 bytes with out[0..out_len) as its data-out, or with room for in_len bytes of
 * data-in (not both).  Anything but GOOD with all bytes moved is an error that says what came. */
int initiator_command(struct initiator *i, const uint8_t *cdb, const uint8_t *out, uint32_t out_len,
                      uint8_t *in, uint32_t in_len, struct error *err);

#endif
