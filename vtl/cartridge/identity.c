/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.c - the object that says who a cartridge is, and the copy of it.
 *
 * Without its identity no cartridge can be read, so there are two of it.  The first is put first,
 * and makes the cartridge; the copy follows it before anything relies on what it says.  Where they
 * differ the first counts, as long as its checksum holds; who opens the cartridge for writing makes
 * them the same again.  A cartridge of an older program has no copy until then.
 */
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "vtl/cartridge/internal.h"

/* An object as it is on the store: one byte more than there should be is seen. */
struct raw {
    uint8_t data[IDENTITY_SIZE + 1];
    size_t len;
};

int identity_put(struct store *store, const struct cartridge_identity *id, uint32_t features,
                 struct error *err)
{
    uint8_t raw[IDENTITY_SIZE];
    int rc;

    identity_encode(id, features, raw);
    rc = store_put(store, IDENTITY_OBJECT, raw, sizeof(raw), err);
    return rc ? rc : store_put(store, IDENTITY_COPY, raw, sizeof(raw), err);
}

static int raw_read(struct store *store, const char *object, struct raw *raw, struct error *err)
{
    raw->len = 0;
    return store_read(store, object, 0, raw->data, sizeof(raw->data), &raw->len, err);
}

static bool raw_same(const struct raw *a, const struct raw *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Is raw as somebody wrote it?  Then what it says counts, also if that is not understood here. */
static bool raw_holds(const struct raw *raw)
{
    return raw->len == IDENTITY_SIZE && get_le32(raw->data + 252) == crc32c(raw->data, 252);
}

/* The copy in place of one that is missing or damaged, as *err tells. */
static int load_copy(struct cartridge *c, struct error *err)
{
    struct raw raw;

    if (raw_read(c->store, IDENTITY_COPY, &raw, NULL) != 0 || !raw_holds(&raw) ||
        identity_decode(raw.data, raw.len, &c->identity, &c->features, NULL) != 0)
        return -(int)err->code;
    log_warning("cartridge %s: its object '%s' is missing or damaged; the copy of it is used",
                c->identity.barcode, IDENTITY_OBJECT);
    return 0;
}

int cartridge_load_identity(struct cartridge *c, struct error *err)
{
    struct error why = ERROR_INIT;
    struct raw raw;
    int rc = raw_read(c->store, IDENTITY_OBJECT, &raw, &why);

    if (rc == -ERR_NOT_FOUND)
        rc = error_set(&why, ERR_FORMAT, "this is not a Capstan cartridge: it has no object '%s'",
                       IDENTITY_OBJECT);
    else if (rc == 0)
        rc = identity_decode(raw.data, raw.len, &c->identity, &c->features, &why);
    if ((rc == -ERR_FORMAT || rc == -ERR_CORRUPT) && !raw_holds(&raw))
        rc = load_copy(c, &why);
    if (rc && err)
        *err = why;
    return rc;
}

bool identity_whole(struct cartridge *c)
{
    struct raw first, copy;

    return raw_read(c->store, IDENTITY_OBJECT, &first, NULL) == 0 &&
           raw_read(c->store, IDENTITY_COPY, &copy, NULL) == 0 && raw_holds(&first) &&
           raw_same(&first, &copy);
}

void identity_mend(struct cartridge *c)
{
    struct error why = ERROR_INIT;

    if (!identity_whole(c) && identity_put(c->store, &c->identity, c->features, &why) != 0)
        log_warning("cartridge %s: %s", c->identity.barcode, why.message);
}
