/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.h - a tape drive as the engine sees it, wherever it is.
 *
 * A tape is opened by URL:
 *   iscsi://HOST[:PORT]/TARGET/LUN      a drive behind an iSCSI target, by libiscsi
 *   cartridge:DIRECTORY                 straight into a cartridge that no drive holds
 *   file:PATH                           a plain file: the records one after the other, as dump(8)
 *                                       -f writes them; no filemarks; read with the blocking factor
 * (A later back end adds /dev/nstN.)  Back ends are rows of one table of struct tape_ops; layers
 * can be put over any tape (layer.h).
 *
 * Errors: ERR_FILEMARK, ERR_END_OF_DATA, ERR_END_OF_TAPE, ERR_NO_MEDIUM, ERR_PROTECTED, ERR_LENGTH
 * are the tape's own; ERR_IO carries the sense in words ("MEDIUM ERROR, unrecovered read error").
 *
 * Writing is buffered by the drive: what is written is safe only after tape_write_filemarks() or
 * tape_sync() returned 0.  A deferred error surfaces there or on a later call.
 *
 * Thread rule: one thread at a time per tape; different tapes are independent.
 */
#ifndef CAPSTAN_ENGINE_TAPE_TAPE_H
#define CAPSTAN_ENGINE_TAPE_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct tape;

enum tape_mode { TAPE_READ, TAPE_WRITE };

struct tape_position {
    uint64_t block; /* address of the next block, filemarks counted (READ POSITION) */
    uint64_t file;  /* filemarks before it; UINT64_MAX if the drive does not tell */
    bool begin;     /* at the beginning */
};

struct tape_info {
    char product[64];   /* "IBM ULT3580-TD8", "file" */
    char serial[64];    /* of the drive: VPD page 80h */
    char barcode[40];   /* of the cartridge, "" if unknown (MAM 0806h, or the identity file) */
    uint32_t block_max; /* largest block in bytes */
    bool write_protected;
    bool has_filemarks; /* false for file: */
    bool can_locate;
};

/* How an iSCSI drive or changer is reached: who we are, and CHAP.  NULL members: none. */
struct tape_login {
    const char *initiator; /* default iqn.2026-11.capstan:engine.<host>.<pid>, or, with a
                              port, :engine.<host>.user-<uid> */
    /* The initiator port, for a caller who keeps them apart: by number within a group, as an ISID
     * of the random type (RFC 7143 section 4.2.7.2).  port 0: one of the session's own. */
    uint32_t port_group; /* 24 bits */
    uint16_t port;
    const char *user, *secret;
    const char *mutual_user, *mutual_secret;
    unsigned timeout_s; /* per command; 0: 1800, as robots may be slow */
    bool header_digest; /* ask for HeaderDigest=CRC32C (RFC 7143 section 13.1) */
};

/* login may be NULL.  A missing cartridge is not an error here (tape_load, ERR_NO_MEDIUM later).
 * ERR_USAGE for a bad URL, ERR_AUTH, ERR_NOT_FOUND (no such LUN), ERR_UNSUPPORTED (not a tape). */
int tape_open(const char *url, enum tape_mode mode, const struct tape_login *login,
              struct tape **out, struct error *err);
void tape_close(struct tape *t); /* NULL is allowed; does not sync */

int tape_get_info(struct tape *t, struct tape_info *info, struct error *err);

/* Write one block.  *early_warning (may be NULL): the end of the medium is near; the block was
 * written.  ERR_END_OF_TAPE: it was not. */
int tape_write(struct tape *t, const void *data, size_t len, bool *early_warning,
               struct error *err);

/* Read one block of any length up to size; *got is its length.  ERR_LENGTH: it is longer, the
 * position is behind it; ERR_FILEMARK: behind the filemark; ERR_END_OF_DATA: unchanged. */
int tape_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err);

int tape_write_filemarks(struct tape *t, unsigned count, struct error *err); /* and sync */
int tape_sync(struct tape *t, struct error *err);
int tape_rewind(struct tape *t, struct error *err);
/* Forwards to behind the count-th filemark, backwards (count < 0) to before it.  ERR_END_OF_DATA,
 * ERR_BEGIN: the position is there. */
int tape_space_filemarks(struct tape *t, int count, struct error *err);
int tape_space_end(struct tape *t, struct error *err); /* to end of data */
/* ERR_END_OF_DATA: there is no such block; the position is end of data. */
int tape_locate(struct tape *t, uint64_t block, struct error *err);
int tape_tell(struct tape *t, struct tape_position *pos, struct error *err);
int tape_load(struct tape *t, struct error *err);   /* waits until ready */
int tape_unload(struct tape *t, struct error *err); /* rewinds, syncs, lets go of the cartridge */

/* ---- for back ends and layers ------------------------------------------------------------------
 * A NULL operation is ERR_UNSUPPORTED; tape.c has checked arguments (lengths > 0).  Filemark counts
 * of 0 are a sync. */

struct tape_ops {
    const char *scheme; /* "iscsi://", "cartridge:", "file:" */
    int (*open)(const char *rest, enum tape_mode mode, const struct tape_login *login,
                struct tape **out, struct error *err);
    void (*close)(struct tape *t);
    int (*get_info)(struct tape *t, struct tape_info *info, struct error *err);
    int (*write)(struct tape *t, const void *data, size_t len, bool *early_warning,
                 struct error *err);
    int (*read)(struct tape *t, void *buf, size_t size, size_t *got, struct error *err);
    int (*write_filemarks)(struct tape *t, unsigned count, struct error *err);
    int (*rewind)(struct tape *t, struct error *err);
    int (*space_filemarks)(struct tape *t, int count, struct error *err);
    int (*space_end)(struct tape *t, struct error *err);
    int (*locate)(struct tape *t, uint64_t block, struct error *err);
    int (*tell)(struct tape *t, struct tape_position *pos, struct error *err);
    int (*load)(struct tape *t, struct error *err);
    int (*unload)(struct tape *t, struct error *err);
};
struct tape { /* back ends embed it first */
    const struct tape_ops *ops;
};

#endif
