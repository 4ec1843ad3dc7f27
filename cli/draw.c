/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.c - see draw.h.
 *
 * A library of up to GRID_MAX places is drawn place by place.  A larger one is a map: a row stands
 * for some hundred places and says where it begins, a character for as many as make the map
 * MAP_ROWS high at most, the darker the fuller.  Full places are named beside it as long as there
 * are no more of them than GRID_MAX.
 */
#include "cli/draw.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/json.h"

enum { GRID_MAX = 100, MAP_ROWS = 16, WIDTH_MIN = 20, WIDTH_DEFAULT = 80, CELL_MAX = 80 };

unsigned draw_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    long width = 0;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width == 0 && columns)
        width = strtol(columns, NULL, 10);
    if (width <= 0 || width > 1000)
        width = WIDTH_DEFAULT;
    return width < WIDTH_MIN ? WIDTH_MIN : (unsigned)width;
}

const char *draw_age(int64_t age_ms, char buf[DRAW_AGE_SIZE])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};

    snprintf(buf, DRAW_AGE_SIZE, "just now");
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (age_ms >= units[i].ms) {
            snprintf(buf, DRAW_AGE_SIZE, "%lld %s ago", (long long)(age_ms / units[i].ms),
                     units[i].unit);
            break;
        }
    }
    return buf;
}

/* ---- place by place -------------------------------------------------------------------------- */

static bool is_full(const json_t *place)
{
    return json_is_true(json_object_get(place, "full"));
}

/* What has to be said about a place beside its cartridge, or NULL. */
static const char *remark(const json_t *place)
{
    const char *state = json_get_text(place, "state", "");
    const char *door = json_get_text(json_object_get(place, "door"), "state", "");

    return strcmp(state, "missing") == 0   ? "missing"
           : strcmp(state, "unknown") == 0 ? "unknown"
           : strcmp(door, "open") == 0     ? "open"
                                           : NULL;
}

static void cell_text(const json_t *place, char text[CELL_MAX])
{
    const char *cartridge = json_get_text(place, "cartridge", NULL), *more = remark(place);

    snprintf(text, CELL_MAX, "%s %s%s%s%s", json_get_text(place, "place", "?"),
             cartridge ? cartridge : "-", more ? " (" : "", more ? more : "", more ? ")" : "");
}

/* The place and what is in it, each in columns of its own. */
static void draw_grid(const json_t *places, unsigned width, bool all)
{
    size_t widest = 0, i;
    unsigned across, column = 0;
    char text[CELL_MAX];
    json_t *place;

    json_array_foreach (places, i, place) {
        cell_text(place, text);
        if ((all || is_full(place)) && strlen(text) > widest)
            widest = strlen(text);
    }
    across = (width - 2 + 3) / ((unsigned)widest + 3);
    json_array_foreach (places, i, place) {
        if (!all && !is_full(place))
            continue;
        cell_text(place, text);
        if (column == 0)
            printf("  ");
        if (++column >= across) {
            printf("%s\n", text);
            column = 0;
        } else {
            printf("%-*s", (int)widest + 3, text);
        }
    }
    if (column)
        printf("\n");
}

/* ---- a map ----------------------------------------------------------------------------------- */

/* From empty to full. */
static const char *shade(size_t full, size_t of)
{
    static const char *const blocks[] = {"\u00b7", "\u2591", "\u2592", "\u2593", "\u2588"},
                             *const plain[] = {".", "-", "+", "*", "#"};
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    size_t step = full == 0 ? 0 : full == of ? 4 : 1 + full * 3 / of;

    return utf8 ? blocks[step] : plain[step];
}

static size_t count_full(const json_t *places, size_t from, size_t to)
{
    size_t full = 0;

    for (size_t i = from; i < to; i++)
        full += is_full(json_array_get(places, i));
    return full;
}

static void draw_map(const json_t *places, unsigned width)
{
    static const size_t steps[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};
    size_t total = json_array_size(places), across = width - 2 - 12, step = 0, each;

    if (across > 100)
        across = 100;
    if (across > 10)
        across -= across % 10;
    while (step + 1 < ARRAY_LENGTH(steps) && total > steps[step] * across * MAP_ROWS)
        step++;
    each = steps[step];
    for (size_t row = 0; row < total; row += across * each) {
        printf("  %-10s ", json_get_text(json_array_get(places, row), "place", "?"));
        for (size_t i = row; i < total && i < row + across * each; i += each) {
            size_t end = i + each < total ? i + each : total;

            printf("%s", shade(count_full(places, i, end), end - i));
        }
        printf("\n");
    }
    printf("  a character is %zu place%s: %s empty, %s full\n", each, each == 1 ? "" : "s",
           shade(0, 1), shade(1, 1));
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* How much is full, how it is known, and what is wrong. */
static void draw_summary(const json_t *places)
{
    size_t total = json_array_size(places), unknown = 0, missing = 0, i;
    int64_t oldest = 0;
    char age[DRAW_AGE_SIZE];
    json_t *place;

    json_array_foreach (places, i, place) {
        const char *state = json_get_text(place, "state", "");
        int64_t since = json_get_integer(place, "age_ms", 0);

        unknown += strcmp(state, "unknown") == 0;
        missing += strcmp(state, "missing") == 0;
        oldest = since > oldest ? since : oldest;
    }
    printf("  %zu of %zu full", count_full(places, 0, total), total);
    if (missing)
        printf(", %zu missing", missing);
    if (unknown)
        printf(", %zu unknown", unknown);
    printf("; seen %s\n", draw_age(oldest, age));
}

void draw_places(const json_t *places, const char *heading, unsigned width)
{
    size_t total = json_array_size(places), full = count_full(places, 0, total);

    if (total == 0)
        return;
    printf("\n%s\n", heading);
    if (total > GRID_MAX)
        draw_map(places, width);
    if (total <= GRID_MAX || full <= GRID_MAX)
        draw_grid(places, width, total <= GRID_MAX);
    else
        printf("  'capstan slot list' names every one\n");
    draw_summary(places);
}
