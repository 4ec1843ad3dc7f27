/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - see stream.h. */
#include "vtl/interchange/stream.h"

#include <stdlib.h>
#include <string.h>

/* ---- digest ------------------------------------------------------------------------------ */

int digest_start(EVP_MD_CTX **digest, struct error *err)
{
    *digest = EVP_MD_CTX_new();
    if (*digest && EVP_DigestInit_ex(*digest, EVP_sha256(), NULL) == 1)
        return 0;
    return error_set(err, ERR_INTERNAL, "SHA-256 is not to be had from OpenSSL");
}

int digest_finish(EVP_MD_CTX **digest, uint8_t out[DIGEST_SIZE], struct error *err)
{
    bool good = EVP_DigestFinal_ex(*digest, out, NULL) == 1;

    EVP_MD_CTX_free(*digest);
    *digest = NULL;
    return good ? 0 : error_set(err, ERR_INTERNAL, "SHA-256 can't be finished");
}

static int digest_add(EVP_MD_CTX *digest, const void *data, size_t len, struct error *err)
{
    if (!digest || EVP_DigestUpdate(digest, data, len) == 1)
        return 0;
    return error_set(err, ERR_INTERNAL, "SHA-256 can't be continued");
}

/* ---- in ---------------------------------------------------------------------------------- */

int source_open(struct source *s, interchange_read_fn *read, void *ctx, struct error *err)
{
    *s = (struct source){.read = read, .ctx = ctx, .buf = malloc(STREAM_BUFFER)};
    return s->buf ? 0 : error_set(err, ERR_NO_MEMORY, "there is no memory left for a stream");
}

void source_close(struct source *s)
{
    EVP_MD_CTX_free(s->digest);
    free(s->buf);
}

int source_peek(struct source *s, size_t want, const uint8_t **data, size_t *have,
                struct error *err)
{
    if (s->len - s->at < want && s->at > 0) {
        memmove(s->buf, s->buf + s->at, s->len - s->at);
        s->len -= s->at;
        s->at = 0;
    }
    while (s->len - s->at < want && !s->end) {
        size_t got = 0;
        int rc = s->read(s->ctx, s->buf + s->len, STREAM_BUFFER - s->len, &got, err);

        if (rc)
            return rc;
        s->end = got == 0;
        s->len += got;
    }
    *data = s->buf + s->at;
    *have = s->len - s->at < want ? s->len - s->at : want;
    return 0;
}

/* Consume what is in the buffer. */
static int source_take(struct source *s, void *buf, size_t len, struct error *err)
{
    int rc = digest_add(s->digest, s->buf + s->at, len, err);

    if (buf && len > 0)
        memcpy(buf, s->buf + s->at, len);
    s->at += len;
    s->offset += len;
    return rc;
}

/* buf NULL: the bytes are not wanted. */
static int source_consume(struct source *s, void *buf, uint64_t len, uint64_t *got,
                          struct error *err)
{
    for (*got = 0; *got < len;) {
        size_t part = len - *got < STREAM_BUFFER ? (size_t)(len - *got) : STREAM_BUFFER, have;
        const uint8_t *data;
        int rc = source_peek(s, part, &data, &have, err);

        if (!rc)
            rc = source_take(s, buf ? (uint8_t *)buf + *got : NULL, have, err);
        if (rc)
            return rc;
        *got += have;
        if (have < part)
            break;
    }
    return 0;
}

int source_read(struct source *s, void *buf, size_t len, size_t *got, struct error *err)
{
    uint64_t consumed;
    int rc = source_consume(s, buf, len, &consumed, err);

    *got = (size_t)consumed;
    return rc;
}

static int ends_early(const struct source *s, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT,
                     "the stream ends at byte %llu, in the middle of %s: it is truncated",
                     (unsigned long long)s->offset, what);
}

int source_exact(struct source *s, void *buf, size_t len, const char *what, struct error *err)
{
    size_t got;
    int rc = source_read(s, buf, len, &got, err);

    return rc || got == len ? rc : ends_early(s, what, err);
}

int source_skip(struct source *s, uint64_t len, const char *what, struct error *err)
{
    uint64_t got;
    int rc = source_consume(s, NULL, len, &got, err);

    return rc || got == len ? rc : ends_early(s, what, err);
}

/* ---- out --------------------------------------------------------------------------------- */

int sink_open(struct sink *s, interchange_write_fn *write, void *ctx, struct error *err)
{
    *s = (struct sink){.write = write, .ctx = ctx, .buf = malloc(STREAM_BUFFER)};
    return s->buf ? 0 : error_set(err, ERR_NO_MEMORY, "there is no memory left for a stream");
}

void sink_close(struct sink *s)
{
    EVP_MD_CTX_free(s->digest);
    free(s->buf);
}

int sink_flush(struct sink *s, struct error *err)
{
    int rc = s->len ? s->write(s->ctx, s->buf, s->len, err) : 0;

    s->len = 0;
    return rc;
}

int sink_put(struct sink *s, const void *data, size_t len, struct error *err)
{
    int rc = digest_add(s->digest, data, len, err);

    if (!rc && len > STREAM_BUFFER - s->len)
        rc = sink_flush(s, err);
    if (rc || len == 0)
        return rc;
    s->offset += len;
    if (len > STREAM_BUFFER)
        return s->write(s->ctx, data, len, err);
    memcpy(s->buf + s->len, data, len);
    s->len += len;
    return 0;
}
