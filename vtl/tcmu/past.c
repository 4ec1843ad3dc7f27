/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - past.h's file: one line, "BOOT in-use" or "BOOT ended PARTITION BLOCK [BARCODE]". */
#include "vtl/tcmu/past.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"

#define BOOT_SIZE 37 /* a UUID and its end */

static void past_path(char *path, size_t size, const char *root, unsigned drive)
{
    snprintf(path, size, "%s/run/tcmu-drive-%u", root, drive);
}

/* The name of this boot of the machine; "unknown" never equals another. */
static bool this_boot(char boot[BOOT_SIZE])
{
    CLEANUP_FILE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    snprintf(boot, BOOT_SIZE, "unknown");
    return f && fscanf(f, "%36s", boot) == 1;
}

void past_read(const char *root, unsigned drive, struct past *out)
{
    char path[300], boot[BOOT_SIZE], was[BOOT_SIZE], word[8];
    CLEANUP_FILE FILE *f = NULL;

    memset(out, 0, sizeof(*out));
    past_path(path, sizeof(path), root, drive);
    f = fopen(path, "re");
    if (!f && errno == ENOENT)
        return;
    out->kind = PAST_LOST;
    if (!f || !this_boot(boot) || fscanf(f, "%36s", was) != 1)
        return;
    if (strcmp(boot, was) != 0)
        out->kind = PAST_NONE;
    else if (fscanf(f, "%7s %" SCNu32 " %" SCNu64, word, &out->partition, &out->block) == 3 &&
             strcmp(word, "ended") == 0) {
        out->kind = PAST_ENDED;
        _Static_assert(CARTRIDGE_BARCODE_MAX == 32, "the width in the format below");
        if (fscanf(f, " %32[^\n]", out->barcode) != 1)
            out->barcode[0] = '\0';
    }
}

static int past_write(const char *root, unsigned drive, const char *text, struct error *err)
{
    char path[300], boot[BOOT_SIZE];
    CLEANUP_FILE FILE *f = NULL;

    snprintf(path, sizeof(path), "%s/run", root);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "%s can't be made", path);
    past_path(path, sizeof(path), root, drive);
    this_boot(boot);
    f = fopen(path, "we");
    if (!f || fprintf(f, "%s %s\n", boot, text) < 0 || fflush(f) != 0)
        return error_errno(err, "%s can't be written", path);
    return 0;
}

int past_begin(const char *root, unsigned drive, struct error *err)
{
    return past_write(root, drive, "in-use", err);
}

void past_end(const char *root, unsigned drive, const struct past *past)
{
    struct error ignored = ERROR_INIT;
    char text[CARTRIDGE_BARCODE_MAX + 64];

    snprintf(text, sizeof(text), "ended %" PRIu32 " %" PRIu64 " %s", past->partition, past->block,
             past->barcode);
    past_write(root, drive, text, &ignored);
}
