/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - see table.h; libsmartcols does the layout.
 *
 * Cells are made harmless here, not by libsmartcols: it would escape the backslashes of names that
 * json_set_bytes() has escaped already, and show \x5cxff for \xff.
 */
#include "common/table.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

char *size_text(char *buf, uint64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    unsigned unit = 0;

    if (bytes < 1000) {
        snprintf(buf, 16, "%u B", (unsigned)bytes);
        return buf;
    }
    for (v /= 1000; v >= 999.95 && unit < 5; unit++)
        v /= 1000;
    snprintf(buf, 16, "%.1f %s", v, units[unit]);
    return buf;
}

static const char *integer_text(const json_t *value, enum table_kind kind, char *buf, size_t size)
{
    json_int_t n = json_integer_value(value);

    if (kind == TABLE_SIZE && n >= 0)
        return size_text(buf, (uint64_t)n);
    snprintf(buf, size, "%" JSON_INTEGER_FORMAT, n);
    return buf;
}

/* What a person sees of one member; buf is used if it has to be made. */
static const char *cell_text(const json_t *value, enum table_kind kind, char *buf, size_t size)
{
    if (json_is_string(value) && kind == TABLE_TIME) {
        const char *text = json_string_value(value);

        if (strlen(text) < 16)
            return "-";
        snprintf(buf, size, "%.10s %.5s", text, text + 11);
        return buf;
    }
    if (json_is_string(value))
        return *json_string_value(value) ? json_string_value(value) : "-";
    if (json_is_integer(value))
        return integer_text(value, kind, buf, size);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (json_is_real(value)) {
        snprintf(buf, size, "%.1f", json_real_value(value));
        return buf;
    }
    return "-";
}

/* The text with every byte that could do something to a terminal as \xNN: control characters, and
 * what this locale can't show.  The caller's; NULL without memory. */
static char *harmless(const char *text)
{
    size_t left = strlen(text);
    char *out = malloc(left * 4 + 1), *p = out;
    mbstate_t state = {0};

    while (out && left > 0) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, left, &state);

        if (n > 0 && n <= left && iswprint((wint_t)c)) {
            memcpy(p, text, n);
            p += n;
        } else {
            n = 1;
            memset(&state, 0, sizeof(state));
            p += snprintf(p, sizeof("\\xff"), "\\x%02x", (unsigned char)*text);
        }
        text += n;
        left -= n;
    }
    if (out)
        *p = '\0';
    return out;
}

static int fill(struct libscols_table *table, const struct table_column *columns, size_t count,
                const json_t *rows)
{
    size_t index;
    json_t *row;

    for (size_t i = 0; i < count; i++) {
        int right = columns[i].kind == TABLE_NUMBER || columns[i].kind == TABLE_SIZE;

        if (!scols_table_new_column(table, columns[i].heading, 0, right ? SCOLS_FL_RIGHT : 0))
            return -1;
    }
    json_array_foreach (rows, index, row) {
        struct libscols_line *line = scols_table_new_line(table, NULL);

        if (!line)
            return -1;
        for (size_t i = 0; i < count; i++) {
            char buf[40];
            const json_t *value = json_object_get(row, columns[i].key);

            char *text = harmless(cell_text(value, columns[i].kind, buf, sizeof(buf)));

            if (!text || scols_line_refer_data(line, i, text)) {
                free(text);
                return -1;
            }
        }
    }
    return 0;
}

/* An empty table still shows what it would hold; libsmartcols prints nothing then. */
static void print_headings(FILE *stream, const struct table_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s%s", columns[i].heading, i + 1 < count ? " " : "\n");
}

int table_print(FILE *stream, const struct table_column *columns, size_t count, const json_t *rows,
                struct error *err)
{
    struct libscols_table *table;
    int rc;

    if (json_array_size(rows) == 0) {
        print_headings(stream, columns, count);
        return 0;
    }
    table = scols_new_table();
    if (!table || fill(table, columns, count, rows)) {
        scols_unref_table(table);
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for a table");
    }
    scols_table_set_stream(table, stream);
    scols_table_enable_noencoding(table, 1);
    rc = scols_print_table(table);
    scols_unref_table(table);
    if (rc || fflush(stream) == EOF)
        return error_set(err, ERR_IO, "the output could not be written");
    return 0;
}
