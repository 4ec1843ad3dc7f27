/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpd.c - the vendor's VPD pages in a data file, as a row of pieces:
 *
 *   "text"     ASCII                       "text":12  padded with blanks to 12 bytes
 *   00 1f ff   bytes in hexadecimal        00*12      the same byte 12 times
 *   serial:10  the unit's serial number, padded or cut to 10 bytes; at most twice a page
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/personality/internal.h"

static int page_room(const struct personality_vpd *page, unsigned long want, struct error *err)
{
    if (want > PERSONALITY_VPD_MAX - (unsigned)page->length)
        return error_set(err, ERR_RANGE, "the page would have more than %u bytes",
                         PERSONALITY_VPD_MAX);
    return 0;
}

/* The number behind a ':' or '*' at *at, 1 to 128, or fallback if there is none. */
static int piece_count(const char **at, char mark, unsigned long fallback, unsigned long *out,
                       struct error *err)
{
    char *end;

    *out = fallback;
    if (**at != mark)
        return 0;
    *out = strtoul(*at + 1, &end, 10);
    if (end == *at + 1 || *out < 1 || *out > PERSONALITY_VPD_MAX)
        return error_set(err, ERR_RANGE, "behind '%c' there must be a number from 1 to %u", mark,
                         PERSONALITY_VPD_MAX);
    *at = end;
    return 0;
}

static int add_text(struct personality_vpd *page, const char **at, struct error *err)
{
    const char *text = *at + 1, *end = strchr(text, '"');
    unsigned long len, width;
    int rc;

    if (!end)
        return error_set(err, ERR_RANGE, "a text has no closing quotation mark");
    len = (unsigned long)(end - text);
    *at = end + 1;
    if ((rc = piece_count(at, ':', len, &width, err)) != 0 ||
        (rc = page_room(page, width, err)) != 0)
        return rc;
    if (len > width)
        return error_set(err, ERR_RANGE, "a text of %lu bytes does not fit into %lu", len, width);
    memset(page->bytes + page->length, ' ', width);
    memcpy(page->bytes + page->length, text, len);
    page->length = (uint8_t)(page->length + width);
    return 0;
}

static int add_serial(struct personality_vpd *page, const char **at, struct error *err)
{
    unsigned long width;
    int n = 0, rc;

    *at += strlen("serial");
    if ((rc = piece_count(at, ':', PERSONALITY_SERIAL_MAX, &width, err)) != 0 ||
        (rc = page_room(page, width, err)) != 0)
        return rc;
    while (n < PERSONALITY_VPD_SERIALS && page->serial[n].width)
        n++;
    if (n == PERSONALITY_VPD_SERIALS)
        return error_set(err, ERR_RANGE, "a page holds the serial number at most %d times", n);
    page->serial[n].at = page->length;
    page->serial[n].width = (uint8_t)width;
    memset(page->bytes + page->length, ' ', width);
    page->length = (uint8_t)(page->length + width);
    return 0;
}

static int add_bytes(struct personality_vpd *page, const char **at, struct error *err)
{
    char digits[3] = {(*at)[0], (*at)[0] ? (*at)[1] : '\0', '\0'};
    unsigned long count;
    int rc;

    if (strspn(digits, "0123456789abcdefABCDEF") != 2)
        return error_set(err, ERR_RANGE,
                         "'%.20s' is neither \"text\", nor serial:N, nor two hexadecimal digits",
                         *at);
    *at += 2;
    if ((rc = piece_count(at, '*', 1, &count, err)) != 0 || (rc = page_room(page, count, err)) != 0)
        return rc;
    memset(page->bytes + page->length, (int)strtoul(digits, NULL, 16), count);
    page->length = (uint8_t)(page->length + count);
    return 0;
}

static int add_piece(struct personality_vpd *page, const char **at, struct error *err)
{
    int rc = **at == '"'                      ? add_text(page, at, err)
             : strncmp(*at, "serial", 6) == 0 ? add_serial(page, at, err)
                                              : add_bytes(page, at, err);

    if (rc == 0 && **at && **at != ' ' && **at != '\t')
        return error_set(err, ERR_RANGE, "there must be a blank in front of '%.20s'", *at);
    return rc;
}

static int page_begin(struct personality *p, const char *key, struct error *err)
{
    char *end;
    unsigned long code = strtoul(key, &end, 16);

    if (strlen(key) != 2 || *end || code < 0xc0 || code > 0xff)
        return error_set(err, ERR_RANGE, "a vendor's page is c0 to ff, not '%.20s'", key);
    if (p->vpd_count == PERSONALITY_VPD_PAGES)
        return error_set(err, ERR_RANGE, "there are at most %u pages", PERSONALITY_VPD_PAGES);
    if (p->vpd_count > 0 && p->vpd[p->vpd_count - 1].code >= code)
        return error_set(err, ERR_RANGE, "pages must stand in rising order, each once");
    p->vpd[p->vpd_count++] = (struct personality_vpd){.code = (uint8_t)code};
    return 0;
}

int personality_set_vpd(struct personality *p, const char *key, const char *value, bool again,
                        struct error *err)
{
    int rc = again ? 0 : page_begin(p, key, err);

    while (rc == 0 && *(value += strspn(value, " \t")))
        rc = add_piece(&p->vpd[p->vpd_count - 1], &value, err);
    return rc;
}

void personality_vpd_fill(const struct personality_vpd *page, const char *serial,
                          uint8_t out[PERSONALITY_VPD_MAX])
{
    memcpy(out, page->bytes, page->length);
    for (unsigned i = 0; i < PERSONALITY_VPD_SERIALS; i++)
        memcpy(out + page->serial[i].at, serial, strnlen(serial, page->serial[i].width));
}
