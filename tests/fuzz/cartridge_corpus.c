/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cartridge_corpus.c - makes the first inputs of fuzz_cartridge: good and damaged cartridges.
 *   cartridge_corpus DIRECTORY
 * Run when the format changes; the inputs are committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/scrub.h"
#include "vtl/store/simdisk.h"

struct pack {
    struct store *disk;
    FILE *out;
    int sign;
    const char *without; /* this object is left out */
};

static int pack_object(void *ctx, const char *object, uint64_t size)
{
    struct pack *p = ctx;
    uint8_t head[6], *data = malloc((size_t)size + 1);
    size_t got = 0;

    if (!data || store_read(p->disk, object, 0, data, (size_t)size, &got, NULL) != 0)
        abort();
    head[0] =
        (uint8_t)(strcmp(object, "identity") == 0        ? 0
                  : strcmp(object, "super.a") == 0       ? 1
                  : strcmp(object, "super.b") == 0       ? 2
                  : strcmp(object, "identity.copy") == 0 ? 254
                  : strcmp(object, "scrub") == 0         ? 255
                                                 : 2 + strtoul(object + strlen("seg-"), NULL, 16));
    head[1] = (uint8_t)p->sign;
    put_le32(head + 2, (uint32_t)got);
    if (!p->without || strcmp(p->without, object) != 0) {
        fwrite(head, sizeof(head), 1, p->out);
        fwrite(data, got, 1, p->out);
    }
    free(data);
    return 0;
}

static void save(struct store *disk, const char *dir, const char *name, int sign,
                 const char *without)
{
    char path[512];
    struct pack p = {disk, NULL, sign, without};

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    p.out = fopen(path, "wb");
    if (!p.out || store_list(disk, pack_object, &p, NULL) != 0 || fclose(p.out) != 0) {
        perror(path);
        exit(1);
    }
}

static void must(int rc, const struct error *err)
{
    if (rc) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static struct cartridge *make(uint64_t seed, const char *letters, struct store **disk)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;
    struct cartridge *c = NULL;
    uint8_t buf[900];

    must(cartridge_identity_default(&id, "FUZZ01L8", 0x5e, &err), &err);
    id.segment_size = 4096;
    id.capacity = 1 << 20;
    id.early_warning = 1 << 16;
    must(simdisk_open(seed, disk, &err), &err);
    must(cartridge_create(*disk, &id, &err), &err);
    must(cartridge_open(*disk, CARTRIDGE_READ_WRITE, &c, &err), &err);
    for (size_t i = 0; letters[i]; i++) {
        memset(buf, (int)i, sizeof(buf));
        must(letters[i] == 'f'   ? cartridge_write_filemarks(c, 1 + (uint32_t)i % 3, NULL, &err)
             : letters[i] == 's' ? cartridge_sync(c, NULL, &err)
             : letters[i] == 'r' ? cartridge_write_run(c, buf, 100, 50, NULL, &err)
             : letters[i] == '<' ? cartridge_locate(c, 0, 2, &err)
             : letters[i] == 'a'
                 ? cartridge_attribute_set(c, 0, 0x0800, "CAPSTAN", 7, &err)
                 : cartridge_write(c, buf, 1 + (uint32_t)(i * 131 % 900), NULL, &err),
             &err);
    }
    return c;
}

/* It is rotten: there is a quarantine then. */
static void scrub(struct store *disk)
{
    struct cartridge_scrub_options options = {.restart = true};
    struct cartridge_scrub_report report;
    struct cartridge *c = NULL;

    if (cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, NULL) == 0)
        (void)cartridge_scrub(c, &options, &report, NULL);
    cartridge_close(c);
}

/* Each tape as it is open, closed, signed, and without one of its objects. */
static void variants(const char *dir, const char *name, const char *letters)
{
    static const char *const objects[] = {"super.a", "super.b", "identity", "seg-0000000000000001"};
    struct store *disk;
    struct cartridge *c = make(1, letters, &disk);
    char path[64];

    snprintf(path, sizeof(path), "%s-open", name);
    save(disk, dir, path, 0, NULL);
    snprintf(path, sizeof(path), "%s-open-signed", name);
    save(disk, dir, path, 1, NULL);
    cartridge_close(c);
    snprintf(path, sizeof(path), "%s-closed", name);
    save(disk, dir, path, 0, NULL);
    snprintf(path, sizeof(path), "%s-signed", name);
    save(disk, dir, path, 1, NULL);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s-without-%zu", name, i);
        save(disk, dir, path, 0, objects[i]);
    }
    (void)simdisk_flip(disk, "seg-0000000000000001", 40, 3, NULL);
    (void)simdisk_flip(disk, "seg-0000000000000001", 150, 3, NULL);
    (void)simdisk_flip(disk, "super.a", 60, 3, NULL);
    snprintf(path, sizeof(path), "%s-rotten", name);
    save(disk, dir, path, 0, NULL);
    scrub(disk);
    snprintf(path, sizeof(path), "%s-scrubbed", name);
    save(disk, dir, path, 0, NULL);
    snprintf(path, sizeof(path), "%s-scrubbed-signed", name);
    save(disk, dir, path, 1, NULL);
    store_close(disk);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: cartridge_corpus DIRECTORY\n");
        return 2;
    }
    variants(argv[1], "empty", "");
    variants(argv[1], "short", "bbfbs");
    variants(argv[1], "unsynced", "bbsbfb");
    variants(argv[1], "runs", "brfrbs");
    variants(argv[1], "overwritten", "bbbfbbs<bfbs");
    variants(argv[1], "segments", "bbbbbbbbbbbfbbbbbbffbbbbbbsa");
    return 0;
}
