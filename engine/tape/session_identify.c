/* SPDX-License-Identifier: Apache-2.0 */
/* session_identify.c - what a logical unit says it is: INQUIRY, SPC-5 section 6.6 (session.h). */
#include "engine/tape/session.h"

#include <stdio.h>

#define INQUIRY_LENGTH    96
#define VPD_SERIAL_LENGTH (4 + 252)

void session_text(char *dst, size_t size, const uint8_t *src, size_t len)
{
    size_t out = 0;

    while (len && (src[0] == ' ' || src[0] == '\0')) {
        src++;
        len--;
    }
    for (size_t i = 0; i < len && src[i] && out + 1 < size; i++)
        dst[out++] = src[i] >= 0x20 && src[i] < 0x7f ? (char)src[i] : '?';
    while (out && dst[out - 1] == ' ')
        out--;
    dst[out] = '\0';
}

int session_identify(struct session *s, uint8_t type, char product[64], char serial[64],
                     struct error *err)
{
    uint8_t data[VPD_SERIAL_LENGTH];
    char vendor[9], model[17];
    struct session_command inquiry = {.cdb = {0x12, 0, 0, 0, INQUIRY_LENGTH, 0},
                                      .cdb_len = 6,
                                      .in = data,
                                      .len = INQUIRY_LENGTH,
                                      .use = SESSION_NEUTRAL,
                                      .what = "inquiry"};
    struct session_command vpd = {.cdb = {0x12, 1, 0x80, 0, VPD_SERIAL_LENGTH - 1, 0},
                                  .cdb_len = 6,
                                  .in = data,
                                  .len = VPD_SERIAL_LENGTH - 1,
                                  .use = SESSION_NEUTRAL,
                                  .what = "inquiry (unit serial number)"};
    int rc = session_run(s, &inquiry, err);

    if (rc)
        return rc;
    if (inquiry.got < 36 || data[0] >> 5 == 3 || (data[0] & 0x1f) == 0x1f)
        return error_set(err, ERR_NOT_FOUND, "%s has no such logical unit", session_target(s));
    if ((data[0] & 0x1f) != type)
        return error_set(err, ERR_UNSUPPORTED, "this LUN of %s is not a %s (device type %02Xh)",
                         session_target(s), type == 1 ? "tape drive" : "medium changer",
                         data[0] & 0x1f);
    session_text(vendor, sizeof(vendor), data + 8, 8);
    session_text(model, sizeof(model), data + 16, 16);
    snprintf(product, 64, "%s %s", vendor, model);
    serial[0] = '\0';
    rc = session_run(s, &vpd, NULL);
    if (rc == -ERR_CLOSED || rc == -ERR_TIMEOUT)
        return session_run(s, &vpd, err); /* the session is lost, and this says why */
    if (rc == 0 && vpd.got >= 4 && data[1] == 0x80) {
        size_t len = data[3] < vpd.got - 4 ? data[3] : vpd.got - 4;

        session_text(serial, 64, data + 4, len);
    }
    return 0;
}
