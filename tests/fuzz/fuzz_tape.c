/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tape.c - what a hostile drive or changer may answer: sense data, element status, and a URL
 * from a person.  The first byte says which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tape/element_status.h"
#include "engine/tape/sense.h"
#include "engine/tape/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_sense(const uint8_t *data, size_t size)
{
    struct error err = ERROR_INIT;
    struct sense sense;

    sense_parse(&sense, data, size);
    if (sense_error(&err, &sense, "fuzz") == 0 || err.message[0] == '\0')
        abort();
    if (sense_is_information(&sense) && (sense.deferred || sense.key > SENSE_RECOVERED_ERROR))
        abort();
    if (sense_action(&sense) != SENSE_REPORT && !sense.valid)
        abort();
}

static void try_elements(const uint8_t *data, size_t size)
{
    struct changer_element *elements;
    struct error err = ERROR_INIT;
    size_t count;

    if (element_status_parse(data, size, &elements, &count, &err) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (elements[i].type < CHANGER_TRANSPORT || elements[i].type > CHANGER_DRIVE ||
            !memchr(elements[i].barcode, '\0', sizeof(elements[i].barcode)) ||
            !memchr(elements[i].drive_serial, '\0', sizeof(elements[i].drive_serial)))
            abort();
    free(elements);
}

static void try_url(const uint8_t *data, size_t size)
{
    struct session_url url;
    char *rest = malloc(size + 1);

    if (!rest)
        return;
    memcpy(rest, data, size);
    rest[size] = '\0';
    if (session_url_parse(rest, &url, NULL) == 0 &&
        (url.target[0] == '\0' || url.portal[0] == '\0' || url.lun < 0))
        abort();
    free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        try_sense(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        try_elements(data + 1, size - 1);
    else
        try_url(data + 1, size - 1);
    return 0;
}
