/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - bytes in and out, with their offsets: what the formats read and write through.
 *
 * Invariants:
 *   1. A source counts every byte that was consumed, so that a message can say where it was.
 *   2. What is consumed or written while a digest runs goes into it exactly once.
 */
#ifndef CAPSTAN_VTL_INTERCHANGE_STREAM_H
#define CAPSTAN_VTL_INTERCHANGE_STREAM_H

#include "common/openssl.h"
#include "vtl/interchange/interchange.h"

#define STREAM_BUFFER (256u * 1024) /* what can be looked at without being consumed */
#define DIGEST_SIZE   32            /* SHA-256 */

struct source {
    interchange_read_fn *read;
    void *ctx;
    uint8_t *buf;
    size_t at, len;
    uint64_t offset; /* of buf[at] in the stream */
    bool end;        /* read() has no more */
    EVP_MD_CTX *digest;
};

int source_open(struct source *s, interchange_read_fn *read, void *ctx, struct error *err);
void source_close(struct source *s);

/* Look at up to want (<= STREAM_BUFFER) bytes; *have < want only at the end of the stream. */
int source_peek(struct source *s, size_t want, const uint8_t **data, size_t *have,
                struct error *err);
/* Consume up to len bytes; *got < len only at the end. */
int source_read(struct source *s, void *buf, size_t len, size_t *got, struct error *err);
/* Consume exactly len bytes; ERR_CORRUPT if the stream ends in the middle of `what`. */
int source_exact(struct source *s, void *buf, size_t len, const char *what, struct error *err);
int source_skip(struct source *s, uint64_t len, const char *what, struct error *err);

struct sink {
    interchange_write_fn *write;
    void *ctx;
    uint8_t *buf;
    size_t len;
    uint64_t offset; /* bytes put */
    EVP_MD_CTX *digest;
};

int sink_open(struct sink *s, interchange_write_fn *write, void *ctx, struct error *err);
void sink_close(struct sink *s);
int sink_put(struct sink *s, const void *data, size_t len, struct error *err);
int sink_flush(struct sink *s, struct error *err);

/* Begin a SHA-256 in *digest; end it, give the value. */
int digest_start(EVP_MD_CTX **digest, struct error *err);
int digest_finish(EVP_MD_CTX **digest, uint8_t out[DIGEST_SIZE], struct error *err);

#endif
