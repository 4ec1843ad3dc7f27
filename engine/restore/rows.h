/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h - the rows of the catalog from the events of a dump.  Internal to engine/restore.
 *
 * A row comes from one header and its blocks only, so parts of a dump can be read in any order:
 * inodes from TS_INODE headers, names from single blocks of directories.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_ROWS_H
#define CAPSTAN_ENGINE_RESTORE_ROWS_H

#include "catalog/catalog.h"
#include "engine/stream/decoder.h"

#define ROWS_LINK_MAX 4096u

struct rows_inode {
    uint32_t ino; /* 0: free */
    uint8_t type; /* DT_* by which an entry names it */
    bool seen;    /* has a row */
};

/* One image under construction. */
struct rows {
    struct catalog_writer *writer; /* owned until committed */
    struct catalog_image image;
    bool ended;                /* the END record was seen */
    struct rows_inode *inodes; /* a hash table: numbers seen, open addressing, at most half full */
    size_t inode_slots, inode_count;
    void (*warning)(void *ctx, const char *path, const char *message);
    void *ctx;

    /* the inode whose events are coming */
    struct stream_inode inode;
    uint64_t address;
    char link[ROWS_LINK_MAX];
    size_t link_len;
};

/* Take one event.  Faults of single rows are told; < 0 is for the catalog's own. */
int rows_event(struct rows *r, const struct stream_event *ev, struct error *err);

/* Rows for names whose inode is not in the dump (it could not be read). */
int rows_finish(struct rows *r, struct error *err);
void rows_free(struct rows *r); /* aborts the writer if it is still there */

#endif
