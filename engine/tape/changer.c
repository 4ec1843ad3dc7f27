/* SPDX-License-Identifier: Apache-2.0 */
/* changer.c - the robot behind an iSCSI target (SMC-3); see changer.h. */
#include "engine/tape/changer.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "engine/tape/element_status.h"
#include "engine/tape/session.h"

#define DEVICE_TYPE_CHANGER 0x08
#define STATUS_FIRST        (64u * 1024) /* enough for some 700 elements */
#define STATUS_MAX          0xffffffu    /* 24-bit allocation length */
#define TRANSPORT_DEFAULT   0            /* address 0: the default medium transport, SMC-3 6.6 */

struct changer {
    struct session *session;
    char product[64], serial[64];
    bool no_identifiers; /* it refuses DVCID */
};

int changer_open(const char *url, const struct tape_login *login, struct changer **out,
                 struct error *err)
{
    static const char scheme[] = "iscsi://";
    struct changer *c;
    int rc;

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return error_set(err, ERR_USAGE,
                         "\"%s\" is not a changer; write "
                         "iscsi://HOST[:PORT]/TARGET/LUN",
                         url);
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_set(err, ERR_NO_MEMORY, "no memory for a changer");
    rc = session_open(url + sizeof(scheme) - 1, login, &c->session, err);
    if (rc == 0)
        rc = session_identify(c->session, DEVICE_TYPE_CHANGER, c->product, c->serial, err);
    if (rc == 0)
        rc = session_ready(c->session, err);
    if (rc) {
        changer_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void changer_close(struct changer *c)
{
    if (c)
        session_close(c->session);
    free(c);
}

/* ---- inventory ---------------------------------------------------------------------------------
 */

/* READ ELEMENT STATUS of all elements: VOLTAG, CURDATA, and DVCID unless refused. */
static int read_status(struct changer *c, uint8_t *data, size_t room, size_t *got,
                       struct error *err)
{
    struct session_command cmd = {.cdb = {0xb8, 0x10, 0, 0, 0xff, 0xff},
                                  .cdb_len = 12,
                                  .in = data,
                                  .len = room,
                                  .use = SESSION_NEUTRAL,
                                  .what = "read element status"};
    int rc;

    cmd.cdb[6] = c->no_identifiers ? 0x02 : 0x03;
    put_be24(cmd.cdb + 7, (uint32_t)room);
    rc = session_run(c->session, &cmd, err);
    if (rc == -ERR_UNSUPPORTED && !c->no_identifiers) {
        c->no_identifiers = true;
        return read_status(c, data, room, got, err);
    }
    *got = cmd.got;
    return rc;
}

int changer_inventory(struct changer *c, struct changer_element **out, size_t *count,
                      struct error *err)
{
    size_t room = STATUS_FIRST, got = 0;

    for (;;) {
        CLEANUP_FREE uint8_t *data = malloc(room);
        int rc;

        if (!data)
            return error_set(err, ERR_NO_MEMORY, "no memory for the inventory");
        rc = read_status(c, data, room, &got, err);
        if (rc)
            return rc;
        if (got < ELEMENT_STATUS_HEADER)
            return error_set(err, ERR_PROTOCOL, "read element status: the answer is too short");
        if (element_status_length(data) <= room || room == STATUS_MAX)
            return element_status_parse(data, got, out, count, err);
        room = element_status_length(data) < STATUS_MAX ? element_status_length(data) : STATUS_MAX;
    }
}

/* ---- moves -------------------------------------------------------------------------------------
 */

int changer_move(struct changer *c, uint16_t from, uint16_t to, struct error *err)
{
    struct session_command cmd = {
        .cdb = {0xa5}, .cdb_len = 12, .use = SESSION_NEUTRAL, .what = "move medium"};

    put_be16(cmd.cdb + 2, TRANSPORT_DEFAULT);
    put_be16(cmd.cdb + 4, from);
    put_be16(cmd.cdb + 6, to);
    return session_run(c->session, &cmd, err);
}

struct inventory {
    struct changer_element *elements;
    size_t count;
};

static struct changer_element *find_drive(const struct inventory *inv, const char *serial)
{
    for (size_t i = 0; i < inv->count; i++)
        if (inv->elements[i].type == CHANGER_DRIVE && serial[0] &&
            strcmp(inv->elements[i].drive_serial, serial) == 0)
            return &inv->elements[i];
    return NULL;
}

static struct changer_element *find_address(const struct inventory *inv, uint16_t address)
{
    for (size_t i = 0; i < inv->count; i++)
        if (inv->elements[i].address == address)
            return &inv->elements[i];
    return NULL;
}

static struct changer_element *find_barcode(const struct inventory *inv, const char *barcode)
{
    for (size_t i = 0; i < inv->count; i++)
        if (inv->elements[i].full && barcode[0] && strcmp(inv->elements[i].barcode, barcode) == 0)
            return &inv->elements[i];
    return NULL;
}

/* Where the cartridge of a drive goes back to: its own slot, else the first empty one. */
static struct changer_element *find_home(const struct inventory *inv,
                                         const struct changer_element *drive)
{
    struct changer_element *home = drive->source_valid ? find_address(inv, drive->source) : NULL;

    if (home && home->type == CHANGER_SLOT && !home->full)
        return home;
    for (size_t i = 0; i < inv->count; i++)
        if (inv->elements[i].type == CHANGER_SLOT && !inv->elements[i].full)
            return &inv->elements[i];
    return NULL;
}

static int put_back(struct changer *c, const struct inventory *inv,
                    const struct changer_element *drive, struct error *err)
{
    const struct changer_element *home = find_home(inv, drive);

    if (!home)
        return error_set(err, ERR_OPERATOR,
                         "every slot is full: take a cartridge out, so that %s can leave the drive",
                         drive->barcode[0] ? drive->barcode : "the cartridge");
    return changer_move(c, drive->address, home->address, err);
}

static int no_such_drive(const char *serial, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "the changer has no drive with the serial number \"%s\"",
                     serial);
}

int changer_load(struct changer *c, const char *barcode, const char *drive_serial,
                 struct error *err)
{
    CLEANUP_FREE struct changer_element *elements = NULL;
    struct inventory inv = {0};
    const struct changer_element *drive, *from;
    int rc = changer_inventory(c, &elements, &inv.count, err);

    if (rc)
        return rc;
    inv.elements = elements;
    drive = find_drive(&inv, drive_serial);
    if (!drive)
        return no_such_drive(drive_serial, err);
    from = find_barcode(&inv, barcode);
    if (!from)
        return error_set(err, ERR_NOT_FOUND, "the library holds no cartridge with the barcode %s",
                         barcode);
    if (from == drive)
        return 0;
    if (from->type == CHANGER_DRIVE)
        return error_set(err, ERR_BUSY, "cartridge %s is in another drive", barcode);
    if (drive->full) {
        rc = put_back(c, &inv, drive, err);
        if (rc)
            return rc;
    }
    return changer_move(c, from->address, drive->address, err);
}

int changer_unload(struct changer *c, const char *drive_serial, struct error *err)
{
    CLEANUP_FREE struct changer_element *elements = NULL;
    struct inventory inv = {0};
    const struct changer_element *drive;
    int rc = changer_inventory(c, &elements, &inv.count, err);

    if (rc)
        return rc;
    inv.elements = elements;
    drive = find_drive(&inv, drive_serial);
    if (!drive)
        return no_such_drive(drive_serial, err);
    if (!drive->full)
        return error_set(err, ERR_STATE, "the drive %s is empty", drive_serial);
    return put_back(c, &inv, drive, err);
}
