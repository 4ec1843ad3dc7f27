/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_escape.c - names of files and hosts on their way to a person (error_escape): whatever the
 * bytes are, the result fits, ends, and has no control byte that could forge a line of a log.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the room for the result, the rest the name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = size ? (size_t)data[0] + 1 : 1;
    char *out = malloc(room);
    const char *name = size ? (const char *)data + 1 : "";

    if (!out)
        return 0;
    error_escape(out, room, name, size ? size - 1 : 0);
    if (!memchr(out, '\0', room))
        abort();
    for (const char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            abort();
    }
    free(out);
    return 0;
}
