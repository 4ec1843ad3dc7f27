/* SPDX-License-Identifier: Apache-2.0 */
/* element_status.c - see element_status.h. */
#include "engine/tape/element_status.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "engine/tape/session.h"

#define PAGE_HEADER       8
#define DESCRIPTOR_MIN    12 /* up to and with the source element address */
#define VOLUME_TAG        36 /* SMC-3 section 4.2.8 */
#define VOLUME_TAG_TEXT   32
#define IDENTIFIER_HEADER 4
#define ELEMENTS_MAX      65536

#define ID_TYPE_VENDOR 0x00
#define ID_TYPE_T10    0x01
#define ID_T10_SERIAL  24 /* behind vendor (8) and product (16), as LTO drives put it */

struct element_list {
    struct changer_element *elements;
    size_t count, room;
};

size_t element_status_length(const uint8_t *data)
{
    return ELEMENT_STATUS_HEADER + (size_t)get_be24(data + 5);
}

static int element_add(struct element_list *list, const struct changer_element *e,
                       struct error *err)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        struct changer_element *grown;

        if (list->count >= ELEMENTS_MAX)
            return error_set(err, ERR_PROTOCOL, "element status: more elements than there can be");
        grown = reallocarray(list->elements, room, sizeof(*grown));
        if (!grown)
            return error_set(err, ERR_NO_MEMORY, "no memory for %zu elements", room);
        list->elements = grown;
        list->room = room;
    }
    list->elements[list->count++] = *e;
    return 0;
}

/* The device identifier of a drive (DVCID): its serial number, by the designator's type. */
static void parse_identifier(struct changer_element *e, const uint8_t *d, size_t len)
{
    size_t id_len, skip;
    uint8_t type;

    if (len < IDENTIFIER_HEADER)
        return;
    type = d[1] & 0x0f;
    id_len = d[3] < len - IDENTIFIER_HEADER ? d[3] : len - IDENTIFIER_HEADER;
    d += IDENTIFIER_HEADER;
    if (type != ID_TYPE_VENDOR && type != ID_TYPE_T10)
        return;
    skip = type == ID_TYPE_T10 && id_len > ID_T10_SERIAL ? ID_T10_SERIAL : 0;
    session_text(e->drive_serial, sizeof(e->drive_serial), d + skip, id_len - skip);
}

static int parse_descriptor(struct element_list *list, uint8_t type, uint8_t flags,
                            const uint8_t *d, size_t len, struct error *err)
{
    struct changer_element e = {.address = get_be16(d),
                                .type = (enum changer_element_type)type,
                                .full = d[2] & 0x01,
                                .source_valid = d[9] & 0x80,
                                .source = get_be16(d + 10)};
    size_t at = DESCRIPTOR_MIN;

    if (flags & 0x80) { /* PVOLTAG */
        if (at + VOLUME_TAG > len)
            return error_set(err, ERR_PROTOCOL, "element status: no room for a volume tag");
        if (e.full)
            session_text(e.barcode, sizeof(e.barcode), d + at, VOLUME_TAG_TEXT);
        at += VOLUME_TAG;
    }
    if (flags & 0x40) /* AVOLTAG */
        at += VOLUME_TAG;
    if (type == CHANGER_DRIVE && at < len)
        parse_identifier(&e, d + at, len - at);
    return element_add(list, &e, err);
}

static int parse_page(struct element_list *list, const uint8_t *page, size_t descriptors,
                      struct error *err)
{
    uint8_t type = page[0] & 0x0f;
    size_t size = get_be16(page + 2);
    const uint8_t *d = page + PAGE_HEADER;

    if (descriptors == 0)
        return 0;
    if (size < DESCRIPTOR_MIN || descriptors % size != 0)
        return error_set(err, ERR_PROTOCOL, "element status: descriptors of %zu bytes in %zu", size,
                         descriptors);
    if (type < CHANGER_TRANSPORT || type > CHANGER_DRIVE)
        return error_set(err, ERR_PROTOCOL, "element status: there is no element type %u", type);
    for (size_t at = 0; at < descriptors; at += size) {
        int rc = parse_descriptor(list, type, page[1], d + at, size, err);

        if (rc)
            return rc;
    }
    return 0;
}

int element_status_parse(const uint8_t *data, size_t len, struct changer_element **out,
                         size_t *count, struct error *err)
{
    struct element_list list = {0};
    size_t end, at = ELEMENT_STATUS_HEADER;
    int rc = 0;

    if (len < ELEMENT_STATUS_HEADER)
        return error_set(err, ERR_PROTOCOL, "element status: the answer is too short");
    end = element_status_length(data);
    if (end > len)
        return error_set(err, ERR_PROTOCOL, "element status: %zu bytes were told, %zu came", end,
                         len);
    while (rc == 0 && at < end) {
        size_t descriptors;

        if (end - at < PAGE_HEADER) {
            rc = error_set(err, ERR_PROTOCOL, "element status: a page is cut short");
            break;
        }
        descriptors = get_be24(data + at + 5);
        if (descriptors > end - at - PAGE_HEADER)
            rc = error_set(err, ERR_PROTOCOL, "element status: a page is longer than the answer");
        else
            rc = parse_page(&list, data + at, descriptors, err);
        at += PAGE_HEADER + descriptors;
    }
    if (rc) {
        free(list.elements);
        return rc;
    }
    *out = list.elements;
    *count = list.count;
    return 0;
}
