/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_view_data.c - what the view reads from cartridges that were overwritten, anywhere and by
 * anything, or are damaged: the right bytes or an error, never others.
 */
#include "common/checked.h"
#include "engine/dump/dump.h"
#include "engine/tape/layer.h"
#include "fuse/file_data.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include "vtl/cartridge/cartridge.h"

#include <glob.h>
#include <stdarg.h>

#define PAGE     4096u
#define BLOCKING 4u

static struct catalog *cat;
static struct tree_cache *trees;
static struct volumes *volumes;

static const struct {
    const char *name;
    size_t size;
} files[] = {{"a", 30000}, {"b", 1500000}, {"c", 5}, {"d", 200000}, {"e", 4096}};

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[512];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

/* What byte i of a file of a version of the tree is. */
static uint8_t byte_of(size_t file, unsigned version, uint64_t i)
{
    return (uint8_t)((i * 2654435761u >> 7) + file * 31 + version * 101 + i / PAGE);
}

static void make_tree(unsigned version)
{
    run("mkdir -p %s/src", scratch);
    for (size_t f = 0; f < ARRAY_LENGTH(files); f++) {
        char path[64];
        FILE *out;

        snprintf(path, sizeof(path), "%s/src/%s", scratch, files[f].name);
        out = fopen(path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(out);
        for (size_t i = 0; i < files[f].size; i++)
            putc(byte_of(f, version, i), out);
        fclose(out);
    }
}

static void cartridge_make(const char *barcode, uint64_t capacity)
{
    struct cartridge_identity identity;
    struct error err = ERROR_INIT;
    struct store *store;
    char path[64];

    snprintf(path, sizeof(path), "%s/cartridges/%s", scratch, barcode);
    CHECK_OK(cartridge_identity_default(&identity, barcode, 0x5e, &err), err);
    identity.capacity = capacity;
    identity.early_warning = 64 << 10;
    identity.segment_size = 1 << 20;
    CHECK_OK(store_directory_open(path, true, &store, &err), err);
    CHECK_OK(cartridge_create(store, &identity, &err), err);
    store_close(store);
}

static void volumes_make(void)
{
    struct error err = ERROR_INIT;

    view_volumes_close(volumes);
    CHECK_OK(view_volumes_open(scratch, &volumes, &err), err);
}

static void begin(void)
{
    struct error err = ERROR_INIT;
    char path[64];

    strcpy(scratch, "/tmp/capstan-test.XXXXXX");
    CU_ASSERT_EQUAL_FATAL(scratch_make(), 0);
    run("mkdir %s/cartridges", scratch);
    snprintf(path, sizeof(path), "%s/catalog", scratch);
    CHECK_OK(catalog_open(path, true, &cat, &err), err);
    CHECK_OK(view_tree_cache_open(cat, &trees, &err), err);
    volumes_make();
}

static void end(void)
{
    view_volumes_close(volumes);
    volumes = NULL;
    view_tree_cache_close(trees);
    catalog_close(cat);
    scratch_remove(scratch);
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static struct tape *tape_at(const char *barcode, uint64_t block)
{
    struct error err = ERROR_INIT;
    struct tape *tape = NULL;
    char url[96];

    snprintf(url, sizeof(url), "cartridge:%s/cartridges/%s", scratch, barcode);
    CHECK_OK(tape_open(url, TAPE_WRITE, NULL, &tape, &err), err);
    CHECK_OK(tape_load(tape, &err), err);
    CHECK_OK(tape_locate(tape, block, &err), err);
    return tape;
}

/* A dump of the present tree from this block on; its uuid. */
static const char *dump_at(struct tape *tape, const char *barcode)
{
    static char uuids[2][CATALOG_UUID_TEXT];
    static unsigned turn;
    char path[64], *uuid = uuids[turn++ % 2];
    struct dump_options options = {.path = path, .blocking = BLOCKING, .readers = 1};
    struct dump_result result = {.parts = NULL};
    struct error err = ERROR_INIT;

    snprintf(path, sizeof(path), "%s/src", scratch);
    CHECK_OK(dump_run(&options, tape, barcode, cat, &result, &err), err);
    memcpy(uuid, result.image.uuid, CATALOG_UUID_TEXT);
    free(result.parts);
    tape_close(tape);
    return uuid;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct seen {
    unsigned good, failed, wrong; /* pages */
    unsigned whole;               /* files without a failure */
};

static void see_file(struct file_data *data, size_t file, unsigned version, struct seen *seen)
{
    unsigned failed = seen->failed;
    uint8_t page[PAGE];

    for (uint64_t at = 0; at < files[file].size; at += PAGE) {
        struct error err = ERROR_INIT;
        unsigned wrong = 0;
        size_t got;

        if (view_file_data_read(data, at, page, PAGE, &got, &err) != 0) {
            seen->failed++;
            continue;
        }
        for (size_t i = 0; i < got; i++)
            wrong += page[i] != byte_of(file, version, at + i);
        seen->wrong += wrong > 0;
        seen->good += wrong == 0;
    }
    seen->whole += seen->failed == failed;
}

/* Every page of every file of the image, which is of this version of the tree. */
static struct seen see(const char *uuid, unsigned version)
{
    struct seen seen = {.good = 0};
    struct error err = ERROR_INIT;
    const struct tree_image *image = NULL;
    struct catalog_index *index;
    struct tree *tree;

    CHECK_OK(view_tree_get(trees, &tree, &err), err);
    for (size_t i = 0; i < view_tree_image_count(tree); i++)
        if (strcmp(view_tree_image_at(tree, i)->uuid, uuid) == 0)
            image = view_tree_image_at(tree, i);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image);
    CHECK_OK(catalog_index_open(cat, uuid, &index, &err), err);
    for (size_t f = 0; f < ARRAY_LENGTH(files); f++) {
        struct catalog_inode inode;
        struct file_data *data;
        uint32_t ino;

        CHECK_OK(catalog_index_lookup(index, TREE_ROOT_INO, files[f].name, 1, &ino, &err), err);
        CHECK_OK(catalog_index_inode(index, ino, &inode, &err), err);
        CHECK_OK(view_file_data_open(volumes, image, &inode, &data, &err), err);
        catalog_inode_release(&inode);
        see_file(data, f, version, &seen);
        view_file_data_close(data);
    }
    catalog_index_close(index);
    view_tree_put(tree);
    return seen;
}

static uint64_t blocks_of(const char *barcode)
{
    struct cartridge_position pos;
    struct error err = ERROR_INIT;
    struct cartridge *c = NULL;
    struct store *store;
    char path[64];

    snprintf(path, sizeof(path), "%s/cartridges/%s", scratch, barcode);
    CHECK_OK(store_directory_open(path, false, &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_ONLY, &c, &err), err);
    cartridge_tell(c, &pos);
    cartridge_close(c);
    store_close(store);
    return pos.eod_lba;
}

/* ---- overwritten ----------------------------------------------------------------------------- */

enum overwriting { BY_DUMP, BY_DATA, BY_FILEMARKS, BY_SHORT_DATA, OVERWRITINGS };

static void overwrite(const char *barcode, uint64_t at, enum overwriting by, const char **uuid)
{
    struct tape *tape = tape_at(barcode, at);
    struct error err = ERROR_INIT;
    uint8_t block[BLOCKING * 1024];

    *uuid = NULL;
    memset(block, 'x', sizeof(block));
    if (by == BY_DUMP) {
        *uuid = dump_at(tape, barcode);
        return;
    }
    if (by == BY_FILEMARKS)
        CHECK_OK(tape_write_filemarks(tape, 50, &err), err);
    for (int i = 0; i < (by == BY_SHORT_DATA ? 3 : 700) && by != BY_FILEMARKS; i++)
        CHECK_OK(tape_write(tape, block, sizeof(block), NULL, &err), err);
    CHECK_OK(tape_sync(tape, &err), err);
    tape_close(tape);
}

/* With a view that has read everything before, or not; the new image must be right, too. */
static void check_overwritten(uint64_t at, enum overwriting by, bool reading_before)
{
    const char *old, *new;
    struct seen seen;

    run("rm -rf %s/cartridges/V", scratch);
    cartridge_make("V", 1 << 30);
    make_tree(1);
    old = dump_at(tape_at("V", 0), "V");
    volumes_make();
    if (reading_before) {
        seen = see(old, 1);
        CU_ASSERT_EQUAL(seen.failed + seen.wrong, 0);
    }
    make_tree(2);
    overwrite("V", at, by, &new);
    seen = see(old, 1);
    CU_ASSERT_EQUAL(seen.wrong, 0);
    if (!reading_before) {
        CU_ASSERT_TRUE(seen.failed > 0);
        /* What lies before, but for a group of 512 KiB, is still there. */
        CU_ASSERT_TRUE(seen.good + 140 + 16 >= at);
        CU_ASSERT_TRUE(at > 0 || seen.good == 0);
    }
    if (new) {
        seen = see(new, 2);
        CU_ASSERT_EQUAL(seen.failed + seen.wrong, 0);
        CU_ASSERT_EQUAL(seen.whole, ARRAY_LENGTH(files));
    }
}

static void test_overwritten(void)
{
    uint64_t blocks;

    begin();
    cartridge_make("V", 1 << 30);
    make_tree(1);
    dump_at(tape_at("V", 0), "V");
    blocks = blocks_of("V");
    CU_ASSERT_TRUE(blocks > 400);
    for (unsigned by = 0; by < OVERWRITINGS; by++)
        for (uint64_t at = 0; at < blocks - 2; at += 61)
            check_overwritten(at, by, (at + by) % 2);
    check_overwritten(0, BY_DUMP, true); /* nothing tells the open handle, all blocks are there */
    check_overwritten(blocks - 2, BY_DATA, false); /* the last record of the stream */
    end();
}

/* ---- two cartridges -------------------------------------------------------------------------- */

struct magazine {
    struct tape *tape, *inner;
};

static int next_volume(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    struct magazine *m = ctx;

    (void)err;
    CU_ASSERT_EQUAL_FATAL(volume, 2);
    tape_close(m->inner);
    m->inner = tape_at("W", 0);
    tape_magazine_set(m->tape, m->inner);
    strcpy(barcode, "W");
    return 0;
}

static void dump_to_two(char uuid[CATALOG_UUID_TEXT])
{
    struct magazine m = {.inner = tape_at("V", 0)};
    char path[64];
    struct dump_options options = {
        .path = path, .blocking = BLOCKING, .readers = 1, .next_volume = next_volume, .ctx = &m};
    struct dump_result result = {.parts = NULL};
    struct error err = ERROR_INIT;

    snprintf(path, sizeof(path), "%s/src", scratch);
    CHECK_OK(tape_magazine_open(m.inner, &m.tape, &err), err);
    CHECK_OK(dump_run(&options, m.tape, "V", cat, &result, &err), err);
    CU_ASSERT_EQUAL_FATAL(result.part_count, 2);
    memcpy(uuid, result.image.uuid, CATALOG_UUID_TEXT);
    free(result.parts);
    tape_close(m.tape);
    tape_close(m.inner);
}

static void test_two_cartridges(void)
{
    char uuid[CATALOG_UUID_TEXT];
    const char *other;
    struct seen whole, seen;
    uint64_t blocks;

    begin();
    cartridge_make("V", 1200000);
    cartridge_make("W", 1 << 30);
    make_tree(1);
    dump_to_two(uuid);
    blocks = blocks_of("V") - 1;
    whole = see(uuid, 1);
    CU_ASSERT_EQUAL(whole.failed + whole.wrong, 0);
    run("mv %s/cartridges/W %s/away", scratch,
        scratch); /* what is on V is there, all but a group */
    volumes_make();
    seen = see(uuid, 1);
    CU_ASSERT_EQUAL(seen.wrong, 0);
    CU_ASSERT_TRUE(seen.good + 140 + 16 >= blocks && seen.good < blocks);
    run("cp -a %s/cartridges/V %s/good", scratch, scratch);
    for (uint64_t at = blocks - 1; at > 100; at -= 50) {
        run("rm -rf %s/cartridges/V && cp -a %s/good %s/cartridges/V", scratch, scratch, scratch);
        overwrite("V", at, BY_SHORT_DATA, &other);
        seen = see(uuid, 1); /* W is away */
        CU_ASSERT_EQUAL(seen.wrong, 0);
        run("mv %s/away %s/cartridges/W", scratch, scratch);
        seen = see(uuid, 1);
        CU_ASSERT_EQUAL(seen.wrong, 0);
        CU_ASSERT_TRUE(seen.failed > 0);
        CU_ASSERT_TRUE(seen.good + 140 + 16 >= at);
        run("mv %s/cartridges/W %s/away", scratch, scratch);
    }
    end();
}

/* ---- damaged --------------------------------------------------------------------------------- */

/* Flip a bit in the middle of the first segment's data. */
static void damage(const char *barcode)
{
    char pattern[96];
    FILE *segment;
    glob_t found;
    int byte;

    snprintf(pattern, sizeof(pattern), "%s/cartridges/%s/*seg*", scratch, barcode);
    CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &found), 0);
    segment = fopen(found.gl_pathv[0], "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
    fseek(segment, 500000, SEEK_SET);
    byte = getc(segment);
    fseek(segment, 500000, SEEK_SET);
    putc(byte ^ 0x10, segment);
    fclose(segment);
    globfree(&found);
}

/* The number of the state in which the view sees the cartridge. */
static uint64_t state_of(const char *barcode)
{
    struct error err = ERROR_INIT;
    struct record *record;
    uint64_t state;

    CHECK_OK(view_volumes_read(volumes, barcode, 0, BLOCKING * 1024, &record, &err), err);
    state = record->volume;
    record_cache_put(record);
    return state;
}

static void test_damaged(void)
{
    const char *uuid;
    struct seen seen;
    uint64_t state;

    begin();
    cartridge_make("V", 1 << 30);
    make_tree(1);
    uuid = dump_at(tape_at("V", 0), "V");
    damage("V");
    state = state_of("V");
    for (int i = 0; i < 3; i++) {
        seen = see(uuid, 1);
        CU_ASSERT_EQUAL(seen.wrong, 0);
        CU_ASSERT_TRUE(seen.failed > 0 && seen.failed <= 2); /* pages may lie across blocks */
    }
    CU_ASSERT_EQUAL(state_of("V"), state); /* it was not opened again for that */
    damage("V");                           /* and back again */
    usleep(1100000);
    seen = see(uuid, 1);
    CU_ASSERT_EQUAL(seen.failed + seen.wrong, 0);
    end();
}

static const struct check_test tests[] = {
    {"two_cartridges", test_two_cartridges},
    {"damaged", test_damaged},
    {"overwritten", test_overwritten},
};

CHECK_MAIN("view_data", tests)
