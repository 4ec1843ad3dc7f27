/* SPDX-License-Identifier: Apache-2.0 */
/* format.c - the table of formats, and finding out which one a stream has. */
#include <string.h>

#include "common/checked.h"
#include "vtl/interchange/internal.h"

/* In the order in which they are tried: from the most certain to the least.  A stream that fits
 * AWSTAPE is read as HET, which is AWSTAPE and more. */
static const struct interchange_format *const formats[] = {
    &format_capstan, &format_het, &format_aws, &format_tap, &format_raw,
};

int interchange_format_find(const char *name, const struct interchange_format **out,
                            struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            *out = formats[i];
            return 0;
        }
    }
    return error_set(err, ERR_USAGE,
                     "there is no format '%.20s'; there are capstan, tap, aws, het and raw", name);
}

const char *interchange_format_name(const struct interchange_format *format)
{
    return format->name;
}

int format_detect(struct source *s, const struct interchange_format **out, struct error *err)
{
    const uint8_t *data;
    size_t have;
    int rc = source_peek(s, STREAM_BUFFER, &data, &have, err);

    if (rc)
        return rc;
    if (have == 0)
        return error_set(err, ERR_FORMAT, "the stream is empty");
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        if (formats[i]->detect && formats[i]->detect(data, have, have < STREAM_BUFFER)) {
            *out = formats[i];
            return 0;
        }
    }
    return error_set(err, ERR_FORMAT,
                     "the stream is not in a format that can be told by its beginning; say it with "
                     "--format (raw: blocks without any structure)");
}
