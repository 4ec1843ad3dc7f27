/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iscsi_fake.h - a stand-in for vtl/scsi under tests of the transport: it implements scsi.h with
 * disks in memory, so that stock disk conformance tests run against our iSCSI code, and with a few
 * vendor commands that make rare answers common.
 *
 * LUN 0 and 1 are disks of FAKE_BLOCKS x 512 bytes.  On each:
 *   C0h  wait CDB[2..3] milliseconds, or until aborted, then GOOD
 *   C1h  data-in: CDB[6..8] bytes wanted, CDB[9..11] bytes given (pattern), sense if CDB[12] is 1
 *   C2h  data-out: CDB[6..8] bytes wanted; they are kept, C3h returns them
 *   C3h  data-in: what C2h got last
 */
#ifndef CAPSTAN_TESTS_UNIT_ISCSI_FAKE_H
#define CAPSTAN_TESTS_UNIT_ISCSI_FAKE_H

#include "vtl/scsi/scsi.h"

#define FAKE_LUNS       2
#define FAKE_BLOCKS     65536u
#define FAKE_BLOCK_SIZE 512u

struct scsi_target *fake_target_create(void);
void fake_target_destroy(struct scsi_target *target);

/* Things the tests ask about. */
unsigned fake_nexus_count(struct scsi_target *target);
unsigned fake_nexus_total(struct scsi_target *target); /* ever made */
/* The last C2h data, copied; returns its length. */
size_t fake_last_out(struct scsi_target *target, uint8_t *buf, size_t size);
/* First CDB byte and CDB[1] of every command executed on a LUN, in order: CDB[1] is the tests'. */
size_t fake_history(struct scsi_target *target, unsigned lun, uint8_t *cdb1, size_t size);

static inline uint8_t fake_pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

#endif
