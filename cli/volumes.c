/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volumes.c - see robot.h: which cartridge a dump writes to.
 *
 * The order of preference (enum preference) keeps the robot still if it can, then takes blank
 * cartridges, and fills up used ones last.  A cartridge that the catalog knows but that is blank is
 * left alone: somebody should look at it first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/robot.h"
#include "cli/robot_private.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/control.h"

enum preference { IN_DRIVE, BLANK, WITH_ROOM, UNUSABLE };

struct candidate {
    char barcode[40];
    enum preference preference;
};

struct candidates {
    struct candidate *list; /* free() */
    size_t count;
};

static bool is_blank(const json_t *row)
{
    return json_get_integer(row, "objects", -1) == 0;
}

static int preference_of(const struct robot *r, struct catalog *catalog, const json_t *row,
                         enum preference *out, struct error *err)
{
    const char *barcode = json_get_text(row, "barcode", "");
    bool in_drive = strncmp(json_get_text(row, "place", ""), "drive:", 6) == 0;
    bool room = json_get_integer(row, "remaining", 0) > json_get_integer(row, "early_warning", 0);
    bool known = false;
    int rc = 0;

    *out = UNUSABLE;
    if (!robot_in_pool(r, barcode) || strcmp(json_get_text(row, "state", ""), "good") != 0 ||
        json_is_true(json_object_get(row, "protected")) || !room)
        return 0;
    if (is_blank(row) && catalog)
        rc = catalog_volume_used(catalog, barcode, &known, err);
    if (!rc && !known)
        *out = in_drive ? IN_DRIVE : is_blank(row) ? BLANK : WITH_ROOM;
    return rc;
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return strcmp(x->barcode, y->barcode);
}

/* Every cartridge that a dump may begin on (blank_only: go on with), best first. */
static int candidates_find(struct robot *r, struct catalog *catalog, bool blank_only,
                           struct candidates *out, struct error *err)
{
    json_t *answer = NULL, *row;
    const json_t *rows;
    size_t i;
    int rc = control_request(r->options.root, "cartridge.list", NULL, &answer, NULL, err);

    if (rc)
        return rc;
    rows = json_object_get(answer, "cartridges");
    out->list = calloc(json_array_size(rows) + 1, sizeof(*out->list));
    if (!out->list)
        rc = error_set(err, ERR_NO_MEMORY, "there is no memory left");
    json_array_foreach (rows, i, row) {
        struct candidate *c = &out->list[out->count];

        if (rc)
            break;
        rc = preference_of(r, catalog, row, &c->preference, err);
        snprintf(c->barcode, sizeof(c->barcode), "%s", json_get_text(row, "barcode", ""));
        if (!rc && c->preference != UNUSABLE && (is_blank(row) || !blank_only))
            out->count++;
    }
    json_decref(answer);
    if (!rc)
        qsort(out->list, out->count, sizeof(*out->list), compare_candidates);
    return rc;
}

static int none_left(const struct robot *r, bool blank_only, struct error *err)
{
    return error_set(err, ERR_OPERATOR,
                     "no cartridge%s%s is left that is blank%s; add one with 'capstan cartridge"
                     " create BARCODE'",
                     r->options.pool ? " of the pool " : "", r->options.pool ? r->options.pool : "",
                     blank_only ? "" : " or has room");
}

/* The first of the candidates that can be brought: a drive in use by others is no reason to give
 * up while there is another one. */
static int bring_best(struct robot *r, const struct candidates *all, bool blank_only,
                      struct tape **out, char barcode[40], struct error *err)
{
    int rc = none_left(r, blank_only, err);

    for (size_t i = 0; i < all->count; i++) {
        rc = robot_bring_locked(r, all->list[i].barcode, out, err);
        if (rc == -ERR_BUSY)
            continue;
        if (!rc)
            snprintf(barcode, 40, "%s", all->list[i].barcode);
        break;
    }
    return rc;
}

/* Choose and bring; the list of candidates and the drives hold still meanwhile. */
static int choose_and_bring(struct robot *r, struct catalog *catalog, bool blank_only,
                            struct tape **out, char barcode[40], struct error *err)
{
    CLEANUP_CLOSE int lock = -1;
    struct candidates all = {0};
    int rc = robot_lock(r, &lock, err);

    if (!rc)
        rc = candidates_find(r, catalog, blank_only, &all, err);
    if (!rc)
        rc = bring_best(r, &all, blank_only, out, barcode, err);
    free(all.list);
    return rc;
}

int robot_bring_first(struct robot *r, struct catalog *catalog, const char *volume,
                      struct tape **out, char barcode[40], struct error *err)
{
    int rc;

    if (volume) {
        snprintf(barcode, 40, "%.39s", volume);
        rc = robot_bring(r, volume, out, err);
    } else {
        rc = choose_and_bring(r, catalog, false, out, barcode, err);
    }
    return rc ? rc : tape_append_here(*out, err);
}

int robot_bring_blank(struct robot *r, struct catalog *catalog, char barcode[40], struct error *err)
{
    struct tape *tape;
    int rc;

    r->stays = true;
    rc = choose_and_bring(r, catalog, true, &tape, barcode, err);

    return rc ? rc : tape_rewind(tape, err);
}

int tape_append_here(struct tape *tape, struct error *err)
{
    struct tape_position end, mark;
    int rc = tape_space_end(tape, err);

    if (!rc)
        rc = tape_tell(tape, &end, err);
    if (rc || end.block == 0)
        return rc;
    /* One filemark back: the position is in front of the last one. */
    rc = tape_space_filemarks(tape, -1, err);
    if (rc && rc != -ERR_BEGIN)
        return rc;
    rc = tape_tell(tape, &mark, err);
    if (!rc)
        rc = tape_space_end(tape, err);
    if (rc || mark.block + 1 == end.block)
        return rc;
    return tape_write_filemarks(tape, 1, err);
}
