/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - see fault.h. */
#include "vtl/store/fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"

#define RULES_MAX 16

struct active_rule {
    struct fault_rule rule;
    uint64_t seen; /* matching calls since it was added */
};

struct fault {
    struct store store;
    struct store *below;     /* owned */
    const _Atomic int *code; /* of fault_open_switched(); NULL: none */
    pthread_mutex_t mutex;   /* protects all that follows; a leaf */
    struct active_rule rules[RULES_MAX];
    size_t count;
    uint64_t rng, calls, hits;
};

static struct fault *fault_of(struct store *s)
{
    return (struct fault *)s;
}

static uint32_t chance(struct fault *f)
{
    f->rng = f->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((f->rng >> 33) % 1000000);
}

static bool rule_applies(struct fault *f, struct active_rule *a)
{
    const struct fault_rule *r = &a->rule;

    a->seen++;
    if (r->nth == 0)
        return chance(f) < r->per_million;
    return a->seen >= r->nth && (r->count == 0 || a->seen - r->nth < r->count);
}

/* The rule that decides this call; false: none. */
static bool fault_pick(struct fault *f, enum fault_op op, struct fault_rule *out)
{
    bool found = false;
    CLEANUP_UNLOCK(&f->mutex);

    f->calls++;
    for (size_t i = 0; i < f->count; i++)
        if (f->rules[i].rule.ops & (unsigned)op && rule_applies(f, &f->rules[i]) && !found) {
            *out = f->rules[i].rule;
            found = true;
        }
    f->hits += found;
    return found;
}

static void fault_wait(int64_t ns)
{
    struct timespec ts = {ns / 1000000000, ns % 1000000000};

    while (nanosleep(&ts, &ts) != 0)
        ;
}

/* True if the call ends here, with *rc. */
static bool fault_strikes(struct fault *f, enum fault_op op, struct fault_rule *r, int *rc,
                          struct error *err)
{
    int code = f->code ? *f->code : 0;

    *r = (struct fault_rule){.kind = FAULT_DELAY};
    if (code && (op & (FAULT_PUT | FAULT_APPEND | FAULT_SYNC))) {
        *rc = error_set(err, (enum error_code)code, "fault layer: switched on");
        return true;
    }
    if (!fault_pick(f, op, r))
        return false;
    switch (r->kind) {
    case FAULT_ERROR:
        *rc = error_set(err, ERR_IO, "fault layer: input/output error");
        return true;
    case FAULT_FULL:
        *rc = error_set(err, ERR_NO_SPACE, "fault layer: no space left");
        return true;
    case FAULT_SWALLOW:
        *rc = 0;
        return true;
    case FAULT_DELAY:
        fault_wait(r->delay_ns);
        return false;
    case FAULT_SHORT:
    case FAULT_RETRY:
    case FAULT_ROT:
        break;
    }
    return false;
}

static int fault_put(struct store *s, const char *object, const void *data, size_t len,
                     struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_PUT, &r, &rc, err))
        return rc;
    return store_put(f->below, object, data, len, err);
}

static int append_half(struct fault *f, const char *object, uint64_t offset,
                       const struct iovec *iov, int iov_count, struct error *err)
{
    struct iovec half;
    int rc = 0;

    for (int i = 0; rc == 0 && i < (iov_count + 1) / 2; i++) {
        half = iov[i];
        if (i == (iov_count + 1) / 2 - 1)
            half.iov_len /= 2;
        rc = store_append(f->below, object, offset, &half, 1, err);
        offset += half.iov_len;
    }
    return rc ? rc : error_set(err, ERR_IO, "fault layer: only a part was written");
}

static int fault_append(struct store *s, const char *object, uint64_t offset,
                        const struct iovec *iov, int iov_count, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_APPEND, &r, &rc, err))
        return rc;
    if (r.kind == FAULT_SHORT)
        return append_half(f, object, offset, iov, iov_count, err);
    return store_append(f->below, object, offset, iov, iov_count, err);
}

static int fault_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
                      size_t *got, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    *got = 0;
    if (fault_strikes(f, FAULT_READ, &r, &rc, err))
        return rc;
    rc = store_read(f->below, object, offset, buf, r.kind == FAULT_SHORT ? len / 2 : len, got, err);
    if (rc == 0 && r.kind == FAULT_ROT && *got > 0)
        ((uint8_t *)buf)[offset % *got] ^= (uint8_t)(1u << offset % 8);
    return rc;
}

static int fault_size(struct store *s, const char *object, uint64_t *size, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    *size = 0;
    if (fault_strikes(f, FAULT_SIZE, &r, &rc, err))
        return rc;
    return store_size(f->below, object, size, err);
}

static int fault_truncate(struct store *s, const char *object, uint64_t size, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_TRUNCATE, &r, &rc, err))
        return rc;
    return store_truncate(f->below, object, size, err);
}

static int fault_sync(struct store *s, const char *object, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_SYNC, &r, &rc, err))
        return rc;
    rc = store_sync(f->below, object, err);
    if (rc && r.kind == FAULT_RETRY)
        rc = store_sync(f->below, object, err);
    return rc;
}

static int fault_sync_names(struct store *s, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_SYNC_NAMES, &r, &rc, err))
        return rc;
    return store_sync_names(f->below, err);
}

static int fault_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_LIST, &r, &rc, err))
        return rc;
    return store_list(f->below, fn, ctx, err);
}

static int fault_names(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_LIST, &r, &rc, err))
        return rc;
    return store_list_names(f->below, fn, ctx, err);
}

static int fault_remove(struct store *s, const char *object, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_REMOVE, &r, &rc, err))
        return rc;
    return store_delete(f->below, object, err);
}

static int fault_clone(struct store *s, const char *object, struct store *from, uint64_t size,
                       bool *shared, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_APPEND, &r, &rc, err))
        return rc;
    rc = store_clone(f->below, object, from, r.kind == FAULT_SHORT ? size / 2 : size, shared, err);
    if (rc == 0 && r.kind == FAULT_SHORT)
        rc = error_set(err, ERR_IO, "fault layer: only a part was cloned");
    return rc;
}

static int fault_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err)
{
    return store_free(fault_of(s)->below, bytes, total, err);
}

static int64_t fault_now(struct store *s)
{
    return store_now(fault_of(s)->below);
}

static int fault_random(struct store *s, void *buf, size_t len, struct error *err)
{
    return store_random(fault_of(s)->below, buf, len, err);
}

static int fault_lock(struct store *s, struct error *err)
{
    struct fault *f = fault_of(s);
    struct fault_rule r;
    int rc;

    if (fault_strikes(f, FAULT_LOCK, &r, &rc, err))
        return rc;
    return store_lock(f->below, err);
}

static void fault_unlock(struct store *s)
{
    store_unlock(fault_of(s)->below);
}

static int fault_guard(struct store *s, const char *object, struct error *err)
{
    return store_guard(fault_of(s)->below, object, err);
}

static void fault_unguard(struct store *s)
{
    store_unguard(fault_of(s)->below);
}

static void fault_close(struct store *s)
{
    struct fault *f = fault_of(s);

    store_close(f->below);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

static const struct store_ops fault_ops = {
    .kind = "fault",
    .put = fault_put,
    .append = fault_append,
    .read = fault_read,
    .size = fault_size,
    .truncate = fault_truncate,
    .sync = fault_sync,
    .sync_names = fault_sync_names,
    .list = fault_list,
    .names = fault_names,
    .remove = fault_remove,
    .clone = fault_clone,
    .free = fault_free,
    .now = fault_now,
    .random = fault_random,
    .lock = fault_lock,
    .unlock = fault_unlock,
    .guard = fault_guard,
    .unguard = fault_unguard,
    .close = fault_close,
};

int fault_open(struct store *below, uint64_t seed, struct store **out, struct error *err)
{
    struct fault *f = calloc(1, sizeof(*f));

    if (!f)
        return error_set(err, ERR_NO_MEMORY, "no memory for a fault layer");
    f->store.ops = &fault_ops;
    f->below = below;
    f->rng = seed;
    pthread_mutex_init(&f->mutex, NULL);
    *out = &f->store;
    return 0;
}

int fault_open_switched(struct store *below, const _Atomic int *code, struct store **out,
                        struct error *err)
{
    int rc = fault_open(below, 0, out, err);

    if (rc == 0)
        fault_of(*out)->code = code;
    return rc;
}

int fault_add(struct store *s, const struct fault_rule *rule, struct error *err)
{
    struct fault *f = fault_of(s);
    CLEANUP_UNLOCK(&f->mutex);

    if (f->count == RULES_MAX)
        return error_set(err, ERR_RANGE, "fault layer: %d rules are in force already", RULES_MAX);
    f->rules[f->count++] = (struct active_rule){*rule, 0};
    return 0;
}

void fault_clear(struct store *s)
{
    struct fault *f = fault_of(s);
    CLEANUP_UNLOCK(&f->mutex);

    f->count = 0;
}

uint64_t fault_calls(struct store *s)
{
    struct fault *f = fault_of(s);
    CLEANUP_UNLOCK(&f->mutex);

    return f->calls;
}

uint64_t fault_hits(struct store *s)
{
    struct fault *f = fault_of(s);
    CLEANUP_UNLOCK(&f->mutex);

    return f->hits;
}
