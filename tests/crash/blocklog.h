/* SPDX-License-Identifier: Apache-2.0 */
/* blocklog.h - what blockdisk writes and blockcut plays: entries, each followed by its data. */
#ifndef CAPSTAN_TESTS_CRASH_BLOCKLOG_H
#define CAPSTAN_TESTS_CRASH_BLOCKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct blocklog_entry {
    uint64_t offset;
    uint32_t len;
    uint32_t flush; /* 1: no data; everything before is on the platter */
};

#endif
