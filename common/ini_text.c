/* SPDX-License-Identifier: Apache-2.0 */
/* ini_text.c - see ini_text.h. */
#include "common/ini_text.h"

#include <ini.h>

int ini_text_fail(struct ini_text *text, const char *why)
{
    text->rc = error_set(text->err, ERR_FORMAT, "%s: line %u: %s", text->path, text->line, why);
    return 0;
}

static char *text_stop(struct ini_text *text, const char *why)
{
    ini_text_fail(text, why);
    return NULL;
}

/* fgets() for inih, with bounds and without bytes that no text has. */
static char *text_line(char *line, int room, void *ctx)
{
    struct ini_text *text = ctx;
    int used = 0, c = EOF;

    if (text->rc)
        return NULL;
    text->line++;
    while (used < room - 1 && (c = getc(text->stream)) != EOF) {
        if (++text->bytes > text->limit)
            return text_stop(text, text->too_large);
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return text_stop(text, "there is a control character in it");
        line[used++] = (char)c;
        if (c == '\n')
            break;
    }
    line[used] = '\0';
    if (ferror(text->stream)) {
        text->rc = error_errno(text->err, "%s cannot be read", text->path);
        return NULL;
    }
    if (used == room - 1 && c != '\n') {
        char why[200];

        snprintf(why, sizeof(why),
                 "it is too long, longer than %d bytes (%.40s...); a list may go on in further "
                 "lines that begin with a blank",
                 room - 2, line);
        return text_stop(text, why);
    }
    text->continued = line[0] == ' ' || line[0] == '\t';
    return used ? line : NULL;
}

int ini_text_parse(struct ini_text *text, ini_text_key_fn *fn, void *ctx)
{
    int fault = ini_parse_stream(text_line, text, fn, ctx);

    /* inih goes on behind a line it does not understand; that one comes first all the same. */
    if (fault && (!text->rc || (unsigned)fault < text->line))
        text->rc = error_set(text->err, fault < 0 ? ERR_NO_MEMORY : ERR_FORMAT,
                             "%s: line %d: it is neither [section], nor key = value, nor a comment",
                             text->path, fault);
    return text->rc;
}
