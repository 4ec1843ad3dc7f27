/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_division.c - how the tape is divided: mode page 11h (SSC-5 8.5.4), which hosts choose with,
 * and the sizes that LTO drives make of it (IBM LTO reference 4.4, tables 7 .. 10).
 *
 * The tape is divided by wraps.  A partition has a whole number of units of two wraps; between two
 * partitions lies one unit of guard wraps, two since LTO-9, which needs none if it makes an even
 * number of equal partitions by itself (SDP).
 *
 *   FDP   two: the second has one unit, the first the rest
 *   SDP   as many as ADDITIONAL PARTITIONS DEFINED says, of equal size
 *   IDP   the same number, sizes by the host: rounded up to units; FFFFh, in one of them, is what
 *         the others leave.  All given: as MODE SENSE told them, together the whole.
 *
 * What is chosen waits for FORMAT MEDIUM (POFM), and until then MODE SENSE shows it; after that,
 * and with another medium, nothing is chosen, and MODE SENSE tells of the tape as it is.
 */
#include <assert.h>

#include "vtl/scsi/drive.h"

enum { FDP = 0x80, SDP = 0x40, IDP = 0x20, METHODS = 0xe0, PSUM = 0x18, POFM = 0x04 };
enum {
    AT_MAXIMUM = 2,
    AT_ADDITIONAL = 3,
    AT_FLAGS = 4,
    AT_RECOGNITION = 5,
    AT_UNITS = 6,
    AT_SIZES = 8
};
enum { REST = 0xffff };

/* Where SET CAPACITY's bytes are kept, among the attributes of the medium: no host's number. */
#define SCALED_ID 0xfff0

const uint8_t division_page[DIVISION_PAGE_SIZE] = {
    0x11, 0x08, [AT_FLAGS] = PSUM | POFM, [AT_RECOGNITION] = 0x03, [AT_UNITS] = 9};
/* Of byte 4 CLEAR and ADDP can't be set; what tells of the drive may come as it likes. */
const uint8_t division_changeable[DIVISION_PAGE_SIZE] = {[AT_MAXIMUM] = 0xff,
                                                         [AT_ADDITIONAL] = 0xff,
                                                         [AT_FLAGS] = METHODS | PSUM | POFM,
                                                         [AT_RECOGNITION] = 0xff,
                                                         [AT_UNITS] = 0xff,
                                                         [7] = 0xff,
                                                         [AT_SIZES... DIVISION_PAGE_SIZE - 1] =
                                                             0xff};

/* ---- the whole ------------------------------------------------------------------------------- */

uint64_t division_total(const struct cartridge *c)
{
    uint8_t value[8];
    size_t len = sizeof(value);
    uint64_t capacity = cartridge_identity(c)->capacity, scaled;

    if (cartridge_attribute_get(c, 0, SCALED_ID, value, &len, NULL) != 0 || len != sizeof(value))
        return capacity;
    scaled = get_be64(value);
    return scaled && scaled < capacity ? scaled : capacity;
}

int division_scale(struct cartridge *c, uint64_t bytes, struct error *err)
{
    uint8_t value[8];

    put_be64(value, bytes);
    return cartridge_attribute_set(
        c, 0, SCALED_ID, value, bytes < cartridge_identity(c)->capacity ? sizeof(value) : 0, err);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* What can be divided. */
struct tape {
    uint64_t whole, unit;
    unsigned units;      /* of the whole tape */
    unsigned guard;      /* units between two partitions */
    unsigned partitions; /* at most */
};

static struct tape tape_of(const struct cartridge_identity *id, uint64_t whole)
{
    const struct medium *m = medium_by_density(id->density);
    unsigned wraps = m && m->tracks ? m->tracks / (m->generation < 7 ? 16 : 32) : 80;
    struct tape t = {.whole = whole, .units = wraps / 2};

    t.unit = whole / t.units ? whole / t.units : 1;
    t.guard = m && m->generation >= 9 ? 2 : 1;
    t.partitions = m ? m->partitions : 1;
    if (t.partitions > CARTRIDGE_PARTITIONS)
        t.partitions = CARTRIDGE_PARTITIONS;
    return t;
}

/* Units for `count` partitions, without the guard wraps. */
static unsigned usable(const struct tape *t, unsigned count)
{
    return t->units - (count - 1) * t->guard;
}

/* PARTITION SIZE n of the page, in bytes; it is in units of PSUM. */
static uint64_t size_of(const uint8_t *page, unsigned n)
{
    static const uint64_t psum[4] = {1, 1000, 1000000};
    uint64_t unit = psum[(page[AT_FLAGS] & PSUM) >> 3], size;

    if (unit == 0) {
        unit = 1;
        for (unsigned i = 0; i < (page[AT_UNITS] & 0x0fu); i++)
            unit *= 10;
    }
    return __builtin_mul_overflow(get_be16(page + AT_SIZES + 2 * n), unit, &size) ? UINT64_MAX
                                                                                  : size;
}

static bool divide_equally(const struct tape *t, unsigned count, uint64_t *capacity)
{
    unsigned each = usable(t, count) / count;
    bool bands = t->guard == 2 && count % 2 == 0;

    for (unsigned p = 0; p < count; p++)
        capacity[p] = bands ? t->whole / count : each * t->unit;
    if (!bands)
        capacity[count - 1] = (usable(t, count) - each * (count - 1)) * t->unit;
    return true;
}

/* The host's sizes; false: they do not fit. */
static bool divide_as_told(const struct tape *t, const uint8_t *page, unsigned count,
                           uint64_t *capacity)
{
    unsigned left = usable(t, count), rest = count;

    for (unsigned p = 0; p < count; p++) {
        uint64_t units = size_of(page, p) / t->unit + (size_of(page, p) % t->unit != 0);

        if (get_be16(page + AT_SIZES + 2 * p) == REST) {
            if (rest < count)
                return false;
            rest = p;
            continue;
        }
        if (units == 0)
            units = 1;
        if (units > left)
            return false;
        left -= (unsigned)units;
        capacity[p] = units * t->unit;
    }
    if (rest == count)
        return left == 0;
    capacity[rest] = left * t->unit;
    return left > 0;
}

/* The division that the page asks for; returns how many partitions, or 0 with the byte of the page
 * that can't be in *bad. */
static unsigned divide(const struct tape *t, const uint8_t *page, uint64_t *capacity, unsigned *bad)
{
    unsigned method = page[AT_FLAGS] & METHODS, count = page[AT_ADDITIONAL] + 1u;
    unsigned sizes = (2u + page[1] - AT_SIZES) / 2;

    *bad = AT_FLAGS;
    if (method != FDP && method != SDP && method != IDP)
        return 0;
    if (method == FDP)
        count = 2;
    *bad = AT_ADDITIONAL;
    if (count > t->partitions)
        return 0;
    if (count == 1) {
        capacity[0] = t->whole;
        return 1;
    }
    if (method == FDP) {
        capacity[0] = (usable(t, 2) - 1) * t->unit;
        capacity[1] = t->unit;
        return 2;
    }
    *bad = AT_SIZES;
    if (method == SDP ? !divide_equally(t, count, capacity)
                      : sizes < count || !divide_as_told(t, page, count, capacity))
        return 0;
    return count;
}

/* ---- mode page 11h --------------------------------------------------------------------------- */

/* Without a medium the page is checked against the one that the drive is made for. */
static struct tape tape_here(struct scsi_lu *lu)
{
    const struct medium *m = lu->personality->native;
    struct cartridge_identity native = {.density = m->density};

    if (lu->drive->medium == MEDIUM_READY)
        return tape_of(cartridge_identity(lu->drive->cartridge),
                       division_total(lu->drive->cartridge));
    return tape_of(&native, m->capacity);
}

unsigned division_check(struct scsi_lu *lu, const uint8_t *page)
{
    uint64_t capacity[CARTRIDGE_PARTITIONS];
    const struct tape t = tape_here(lu);
    unsigned bad;

    if ((page[AT_FLAGS] & METHODS) == 0) /* nothing is chosen: as MODE SENSE tells */
        return 0;
    if (lu->drive->medium == MEDIUM_READY && cartridge_identity(lu->drive->cartridge)->worm &&
        page[AT_ADDITIONAL] != 0)
        return AT_ADDITIONAL;
    return divide(&t, page, capacity, &bad) ? 0 : bad;
}

/* Without a method nothing is chosen, whatever else came: so nothing has changed for a host.  With
 * one the page has a size for each partition chosen; what was sent behind them says nothing. */
void division_settle(uint8_t *page)
{
    unsigned method = page[AT_FLAGS] & METHODS;
    unsigned count = method == FDP ? 2 : page[AT_ADDITIONAL] + 1u;

    if (method == 0) {
        memcpy(page, division_page, sizeof(division_page));
        return;
    }
    assert(count <= CARTRIDGE_PARTITIONS); /* division_check() */
    page[AT_MAXIMUM] = page[7] = 0;        /* division_refresh() has these; they are no choice */
    page[AT_RECOGNITION] = 0x03;
    page[AT_FLAGS] |= POFM;
    page[AT_ADDITIONAL] = (uint8_t)(count - 1);
    page[1] = (uint8_t)(AT_SIZES - 2 + 2 * count);
    memset(page + AT_SIZES + 2 * count, 0, DIVISION_PAGE_SIZE - AT_SIZES - 2 * count);
}

unsigned division_chosen(struct scsi_lu *lu, uint64_t capacity[CARTRIDGE_PARTITIONS])
{
    const struct tape t = tape_here(lu);
    unsigned bad;

    return divide(&t, mode_page_values(lu, 0x11, 0), capacity, &bad);
}

void division_forget(struct scsi_lu *lu)
{
    memcpy(mode_page_values(lu, 0x11, 0), division_page, sizeof(division_page));
}

/* The scale of PARTITION SIZE: LTO's 10^9 bytes, finer for what is smaller than any LTO tape. */
static unsigned units_of(uint64_t whole)
{
    unsigned units = 9;

    for (uint64_t unit = 1000000000; units > 0 && whole / unit < 100; unit /= 10)
        units--;
    return units;
}

static void tell_division(const struct cartridge *c, uint8_t *page)
{
    unsigned count = cartridge_partition_count(c), units = units_of(division_total(c));
    uint64_t unit = 1;

    for (unsigned i = 0; i < units; i++)
        unit *= 10;
    page[1] = (uint8_t)(AT_SIZES - 2 + 2 * count);
    page[AT_ADDITIONAL] = (uint8_t)(count - 1);
    page[AT_UNITS] = (uint8_t)units;
    for (unsigned p = 0; p < count; p++) {
        uint64_t size = cartridge_partition_capacity(c, p) / unit;

        put_be16(page + AT_SIZES + 2 * p, size < REST ? (uint16_t)size : REST - 1);
    }
}

void division_refresh(struct scsi_lu *lu, uint8_t *page)
{
    bool chosen = page[AT_FLAGS] & METHODS;

    if (!chosen) {
        memcpy(page, division_page, DIVISION_PAGE_SIZE);
        if (lu->drive->medium == MEDIUM_READY)
            tell_division(lu->drive->cartridge, page);
    }
    page[AT_MAXIMUM] = (uint8_t)(tape_here(lu).partitions - 1);
    page[AT_FLAGS] |= POFM;
    page[AT_RECOGNITION] = 0x03; /* formats and partitions are recognised */
    page[7] = 0;
}
