/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the checked front of every store: names, sizes and vectors are checked here once, so
 * that a back end can count on them.
 */
#include "vtl/store/store.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"

#define CLONE_STEP (1u << 20)

static bool letter_allowed(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* The alphabet is chosen so that a name is one path component and needs no quoting anywhere. */
static bool name_allowed(const char *name)
{
    size_t len = 0;

    while (name && name[len] && len <= STORE_NAME_MAX)
        if (!letter_allowed(name[len++]))
            return false;
    return len > 0 && len <= STORE_NAME_MAX && name[0] != '.';
}

static int check_name(const char *name, struct error *err)
{
    if (name_allowed(name))
        return 0;
    return error_set(err, ERR_RANGE,
                     "'%.80s' is no object name: 1 to %d letters, digits, '.', '_' or '-' are, not "
                     "beginning with '.'",
                     name ? name : "", STORE_NAME_MAX);
}

int store_put(struct store *s, const char *object, const void *data, size_t len, struct error *err)
{
    int rc = check_name(object, err);

    return rc ? rc : s->ops->put(s, object, data, len, err);
}

int store_append(struct store *s, const char *object, uint64_t offset, const struct iovec *iov,
                 int iov_count, struct error *err)
{
    uint64_t end = offset;
    int rc = check_name(object, err);

    if (rc)
        return rc;
    if (iov_count < 0 || iov_count > IOV_MAX)
        return error_set(err, ERR_RANGE, "an append of %d pieces to %s is not possible", iov_count,
                         object);
    for (int i = 0; i < iov_count; i++)
        if (!checked_add(end, iov[i].iov_len, &end) || end > INT64_MAX)
            return error_set(err, ERR_RANGE, "%s would grow beyond what a file can hold", object);
    return s->ops->append(s, object, offset, iov, iov_count, err);
}

int store_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
               size_t *got, struct error *err)
{
    int rc = check_name(object, err);

    if (rc)
        return rc;
    if (offset > INT64_MAX || len > INT64_MAX - offset)
        return error_set(err, ERR_RANGE, "offset %llu lies behind what a file can hold",
                         (unsigned long long)offset);
    return s->ops->read(s, object, offset, buf, len, got, err);
}

int store_size(struct store *s, const char *object, uint64_t *size, struct error *err)
{
    int rc = check_name(object, err);

    return rc ? rc : s->ops->size(s, object, size, err);
}

int store_truncate(struct store *s, const char *object, uint64_t size, struct error *err)
{
    int rc = check_name(object, err);

    return rc ? rc : s->ops->truncate(s, object, size, err);
}

int store_sync(struct store *s, const char *object, struct error *err)
{
    int rc = check_name(object, err);

    return rc ? rc : s->ops->sync(s, object, err);
}

int store_sync_names(struct store *s, struct error *err)
{
    return s->ops->sync_names(s, err);
}

struct list_filter {
    store_list_fn *fn;
    void *ctx;
};

/* Foreign names in a directory are nobody's objects; they are not shown and not touched. */
static int list_checked(void *ctx, const char *object, uint64_t size)
{
    const struct list_filter *filter = ctx;

    return name_allowed(object) ? filter->fn(filter->ctx, object, size) : 0;
}

int store_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    struct list_filter filter = {fn, ctx};

    return s->ops->list(s, list_checked, &filter, err);
}

int store_list_names(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    struct list_filter filter = {fn, ctx};

    return (s->ops->names ? s->ops->names : s->ops->list)(s, list_checked, &filter, err);
}

int store_delete(struct store *s, const char *object, struct error *err)
{
    int rc = check_name(object, err);

    return rc ? rc : s->ops->remove(s, object, err);
}

/* Read and append, then sync: durable even before it must be. */
static int clone_by_copy(struct store *s, const char *object, struct store *from, uint64_t size,
                         struct error *err)
{
    CLEANUP_FREE uint8_t *buf = malloc(CLONE_STEP);
    uint64_t at = 0;
    size_t got = 1;
    int rc = buf ? 0 : error_set(err, ERR_NO_MEMORY, "no memory to copy %s", object);

    while (rc == 0 && got > 0 && at < size) {
        struct iovec iov = {.iov_base = buf};

        rc = store_read(from, object, at, buf, size - at < CLONE_STEP ? size - at : CLONE_STEP,
                        &got, err);
        iov.iov_len = got;
        if (rc == 0 && (got > 0 || at == 0)) /* an empty one is made as well */
            rc = store_append(s, object, at, &iov, 1, err);
        at += got;
    }
    return rc ? rc : store_sync(s, object, err);
}

int store_clone(struct store *s, const char *object, struct store *from, uint64_t size,
                bool *shared, struct error *err)
{
    struct error why = ERROR_INIT;
    uint64_t there;
    int rc = check_name(object, err);

    *shared = false;
    if (rc)
        return rc;
    if (store_size(s, object, &there, &why) == 0)
        return error_set(err, ERR_EXISTS, "%s is there already", object);
    if (why.code != ERR_NOT_FOUND)
        return error_set(err, why.code, "%s", why.message);
    rc = s->ops->clone ? s->ops->clone(s, object, from, size, shared, err) : -ERR_UNSUPPORTED;
    return rc == -ERR_UNSUPPORTED ? clone_by_copy(s, object, from, size, err) : rc;
}

int store_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err)
{
    if (!s->ops->free)
        return error_set(err, ERR_UNSUPPORTED, "a %s does not tell what room it has", s->ops->kind);
    return s->ops->free(s, bytes, total, err);
}

int64_t store_now(struct store *s)
{
    return s->ops->now(s);
}

int store_random(struct store *s, void *buf, size_t len, struct error *err)
{
    return s->ops->random(s, buf, len, err);
}

int store_lock(struct store *s, struct error *err)
{
    return s->ops->lock(s, err);
}

void store_unlock(struct store *s)
{
    s->ops->unlock(s);
}

int store_guard(struct store *s, const char *object, struct error *err)
{
    int rc = check_name(object, err);

    return rc || !s->ops->guard ? rc : s->ops->guard(s, object, err);
}

void store_unguard(struct store *s)
{
    if (s->ops->unguard)
        s->ops->unguard(s);
}

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}
