/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve_saved.c - registrations and the reservation through a power loss (SPC-5, preserving
 * persistent reservations and registrations).
 *
 *   version 2 | TYPE | holder: its place among the registrations, FFh: none | count |
 *   count x { key 8 | all_ports 1 | target port 2 | length 2 | name }
 *
 * Version 1 had no target port: it was 1.
 */
#include "vtl/scsi/internal.h"

enum { VERSION = 2, WITHOUT_PORT = 1, HEADER = 4, ROW = 13, NO_HOLDER = 0xff };

size_t persistent_encode(const struct persistent *p, uint8_t buf[PERSISTENT_MAX])
{
    struct reply r = reply_to(buf, PERSISTENT_MAX);
    unsigned place = 0;

    reply_u8(&r, VERSION);
    reply_u8(&r, p->type);
    reply_u8(&r, NO_HOLDER); /* below */
    reply_u8(&r, p->count);
    for (const struct registration *g = p->first; g; g = g->next, place++) {
        if (g == p->holder)
            reply_patch(&r, 2, place, 1);
        reply_be64(&r, g->key);
        reply_u8(&r, g->all_ports);
        reply_be16(&r, g->port);
        reply_be16(&r, (unsigned)strlen(g->name));
        reply_bytes(&r, g->name, strlen(g->name));
    }
    return (size_t)r.len;
}

/* One registration from *at on; false: it does not fit into what is there. */
static bool decode_row(struct persistent *p, const uint8_t *buf, size_t len, size_t *at)
{
    bool with_port = buf[0] != WITHOUT_PORT;
    size_t row = with_port ? ROW : ROW - 2, name_len;
    char name[PORT_NAME_MAX] = "";
    struct registration *g;
    uint16_t port;

    if (len - *at < row)
        return false;
    port = with_port ? get_be16(buf + *at + 9) : 1;
    name_len = get_be16(buf + *at + row - 2);
    if (name_len == 0 || name_len >= sizeof(name) || len - *at - row < name_len ||
        get_be64(buf + *at) == 0 || port == 0)
        return false;
    memcpy(name, buf + *at + row, name_len);
    if (strlen(name) != name_len || registration_of(p, name, port) ||
        !(g = registration_add(p, name, port, get_be64(buf + *at))))
        return false;
    g->all_ports = buf[*at + 8] & 1;
    *at += row + name_len;
    return true;
}

static struct registration *registration_at(const struct persistent *p, unsigned place)
{
    struct registration *g = p->first;

    while (g && place--)
        g = g->next;
    return g;
}

bool persistent_decode(struct persistent *p, const uint8_t *buf, size_t len)
{
    size_t at = HEADER;
    bool good = len >= HEADER && (buf[0] == VERSION || buf[0] == WITHOUT_PORT) &&
                buf[3] <= REGISTRATIONS_MAX;

    registrations_free(p);
    for (unsigned i = 0; good && i < buf[3]; i++)
        good = decode_row(p, buf, len, &at);
    if (good && buf[1] != TYPE_NONE) {
        p->holder = buf[2] == NO_HOLDER ? NULL : registration_at(p, buf[2]);
        p->type = buf[1];
        good = reservation_type_valid(p->type) && p->first &&
               reservation_is_all(p->type) == (p->holder == NULL);
    }
    if (!good)
        registrations_free(p);
    return good;
}

int persistent_save(struct scsi_lu *lu, struct error *err)
{
    uint8_t buf[PERSISTENT_MAX];
    size_t len = lu->persistent.persists ? persistent_encode(&lu->persistent, buf) : 0;

    if (len == 0 && !lu->persistent_kept)
        return 0;
    lu->persistent_kept = len != 0;
    return lu_value_set(lu, "reserve", buf, len, err);
}

void persistent_load(struct scsi_lu *lu)
{
    uint8_t buf[PERSISTENT_MAX];
    struct error err = ERROR_INIT;
    size_t len = 0;
    int rc = lu_value_get(lu, "reserve", buf, sizeof(buf), &len, &err);
    CLEANUP_UNLOCK(&lu->target->lock);

    registrations_free(&lu->persistent);
    lu->persistent = (struct persistent){0};
    lu->persistent_kept = false;
    if (rc == -ERR_NOT_FOUND)
        return;
    if (rc == 0 && persistent_decode(&lu->persistent, buf, len))
        lu->persistent.persists = lu->persistent_kept = true;
    else
        lu_log(lu, LOG_LEVEL_ERROR, "its registrations can't be read and are lost: %s",
               rc ? err.message : "they are damaged");
}
