/* SPDX-License-Identifier: Apache-2.0 */
/* test_dump.c - whole dumps: to cartridges and back, over several volumes, and when things fail. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/bytes.h"
#include "engine/dump/dump.h"
#include "engine/restore/restore.h"
#include "engine/tape/layer.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include "vtl/cartridge/cartridge.h"

#define KIB         1024u
#define MIB         (1024u * KIB)
#define VOLUMES_MAX 16

/* ---- trees -------------------------------------------------------------------------------------
 */

static const char *at(const char *name)
{
    static char buffers[8][4096];
    static unsigned next;
    char *p = buffers[next++ % 8];

    snprintf(p, sizeof(buffers[0]), "%s/%s", scratch, name);
    return p;
}

static void put_file(const char *name, size_t size)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    uint32_t block[4 * KIB], seed = (uint32_t)size;

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    for (size_t done = 0; done < size;) {
        size_t len = size - done < sizeof(block) ? size - done : sizeof(block);

        for (size_t i = 0; i < 4 * KIB; i++)
            block[i] = seed = seed * 1664525 + 1013904223;
        CU_ASSERT_EQUAL_FATAL(write(fd, block, len), (ssize_t)len);
        done += len;
    }
    close(fd);
}

static void make_tree(const char *name, size_t large)
{
    char path[512];
    int fd;

    CU_ASSERT_EQUAL_FATAL(mkdir(at(name), 0755), 0);
#define IN(x) (snprintf(path, sizeof(path), "%s/%s", name, x), path)
    CU_ASSERT_EQUAL(mkdir(at(IN("dir")), 02751), 0);
    CU_ASSERT_EQUAL(mkdir(at(IN("dir/empty")), 0700), 0);
    put_file(IN("plain"), 5000);
    put_file(IN("nothing"), 0);
    put_file(IN("dir/large"), large);
    put_file(IN("dir/new\nline \xff"), 1);
    CU_ASSERT_EQUAL(mkfifo(at(IN("fifo")), 0600), 0);
    CU_ASSERT_EQUAL(mknod(at(IN("dir/socket")), S_IFSOCK | 0755, 0), 0);
    CU_ASSERT_EQUAL(symlink("plain/not/there", at(IN("dir/link"))), 0);
    snprintf(path, sizeof(path), "%s/dir/empty/another", name);
    {
        char first[512];

        snprintf(first, sizeof(first), "%s/plain", name);
        CU_ASSERT_EQUAL(link(at(first), at(path)), 0);
    }
    fd = open(at(IN("dir/sparse")), O_RDWR | O_CREAT, 0600);
    CU_ASSERT_EQUAL(ftruncate(fd, 3 * MIB), 0);
    CU_ASSERT_EQUAL(pwrite(fd, "here", 4, 2 * MIB), 4);
    close(fd);
    setxattr(at(IN("plain")), "user.colour", "green", 5, 0);
    setxattr(at(IN("dir")), "user.colour", "blue", 4, 0);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(mknod(at(IN("null")), S_IFCHR | 0666, makedev(1, 3)), 0);
        CU_ASSERT_EQUAL(chown(at(IN("dir/large")), 12345, 54321), 0);
    }
#undef IN
}

/* ---- cartridges --------------------------------------------------------------------------------
 */

struct rack {
    struct tape *tape, *inner; /* the magazine, and what is in it */
    char barcodes[VOLUMES_MAX][40];
    unsigned count, present;
    unsigned warnings;
    char warning[8192];
    void (*in_phase)(enum dump_phase phase); /* something happens under the dump's hands */
    enum dump_phase phase;
};

static void make_cartridge(const char *barcode, uint64_t capacity)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;
    struct store *store;

    CHECK_OK(cartridge_identity_default(&id, barcode, 0x5e, &err), err);
    if (capacity) {
        id.capacity = capacity;
        id.early_warning = capacity / 8;
        id.segment_size = MIB;
    }
    CHECK_OK(store_directory_open(at(barcode), true, &store, &err), err);
    CHECK_OK(cartridge_create(store, &id, &err), err);
    store_close(store);
}

static int rack_insert(struct rack *r, unsigned n, enum tape_mode mode, struct error *err)
{
    char url[4200];
    struct tape *next;
    int rc;

    if (n >= r->count)
        return error_set(err, ERR_OPERATOR, "no cartridge is left");
    tape_close(r->inner);
    r->inner = NULL;
    snprintf(url, sizeof(url), "cartridge:%s", at(r->barcodes[n]));
    rc = tape_open(url, mode, NULL, &next, err);
    if (rc)
        return rc;
    r->inner = next;
    r->present = n;
    if (r->tape)
        tape_magazine_set(r->tape, next);
    return 0;
}

/* count cartridges of this capacity (0: large), the first one in the drive. */
static void rack_make(struct rack *r, const char *prefix, unsigned count, uint64_t capacity)
{
    struct error err = ERROR_INIT;

    memset(r, 0, sizeof(*r));
    r->count = count;
    for (unsigned i = 0; i < count; i++) {
        snprintf(r->barcodes[i], sizeof(r->barcodes[i]), "%s%03uL8", prefix, i);
        make_cartridge(r->barcodes[i], capacity);
    }
    CHECK_OK(rack_insert(r, 0, TAPE_WRITE, &err), err);
    CHECK_OK(tape_magazine_open(r->inner, &r->tape, &err), err);
}

static void rack_close(struct rack *r)
{
    tape_close(r->tape);
    tape_close(r->inner);
    r->tape = r->inner = NULL;
}

static int rack_next(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    struct rack *r = ctx;
    int rc = rack_insert(r, r->present + 1, TAPE_WRITE, err);

    (void)volume;
    if (!rc)
        snprintf(barcode, 40, "%s", r->barcodes[r->present]);
    return rc;
}

static int rack_volume(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                       struct error *err)
{
    struct rack *r = ctx;
    unsigned n = volume - 1;

    for (unsigned i = 0; i < r->count && barcode[0]; i++)
        if (strcmp(r->barcodes[i], barcode) == 0)
            n = i;
    *out = r->tape;
    return rack_insert(r, n, TAPE_READ, err);
}

static void hear_warning(void *ctx, const char *path, const char *message)
{
    struct rack *r = ctx;

    snprintf(r->warning, sizeof(r->warning), "%s: %s", path, message);
    r->warnings++;
}

static void hear_progress(void *ctx, const struct dump_progress *p)
{
    struct rack *r = ctx;

    CU_ASSERT_TRUE(p->phase >= r->phase);
    CU_ASSERT_TRUE(p->bytes_done <= p->bytes_total);
    if (p->phase != r->phase && r->in_phase)
        r->in_phase(p->phase);
    r->phase = p->phase;
}

static struct dump_options options_for(struct rack *r, const char *tree)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s", at(tree));
    return (struct dump_options){.path = path,
                                 .blocking = 64,
                                 .warning = hear_warning,
                                 .progress = hear_progress,
                                 .next_volume = rack_next,
                                 .ctx = r};
}

static struct catalog *open_catalog(const char *name)
{
    struct error err = ERROR_INIT;
    struct catalog *cat;

    CHECK_OK(catalog_open(at(name), true, &cat, &err), err);
    return cat;
}

static int count_image(void *ctx, const struct catalog_image *image)
{
    (void)image;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned images_in(struct catalog *cat)
{
    struct error err = ERROR_INIT;
    unsigned count = 0;

    CHECK_OK(catalog_images(cat, count_image, &count, &err), err);
    return count;
}

/* ---- and back ----------------------------------------------------------------------------------
 */

struct rebuild {
    struct rack *rack;
    unsigned next;
};

static int rebuild_next(void *ctx, struct tape **out, char barcode[40], struct error *err)
{
    struct rebuild *b = ctx;
    int rc;

    *out = NULL;
    if (b->next == b->rack->count)
        return 0;
    rc = rack_insert(b->rack, b->next, TAPE_READ, err);
    if (rc)
        return rc;
    snprintf(barcode, 40, "%s", b->rack->barcodes[b->next++]);
    *out = b->rack->tape;
    return 0;
}

/* A catalog made from the cartridges is the same as the one that the dump made. */
static void expect_same_rebuilt(struct rack *r, struct catalog *cat, const char *name)
{
    struct rebuild b = {.rack = r};
    struct catalog *other = open_catalog(name);
    struct error err = ERROR_INIT;
    uint8_t one[32], two[32];
    uint64_t images;
    int rc = restore_rebuild(other, rebuild_next, hear_warning, &b, &images, &err);

    if (rc)
        printf("\n    rebuild: %s", err.message);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(images, images_in(cat));
    CHECK_OK(catalog_digest(cat, one, &err), err);
    CHECK_OK(catalog_digest(other, two, &err), err);
    CU_ASSERT_EQUAL(memcmp(one, two, 32), 0);
    CHECK_OK(catalog_check(cat, &err), err);
    catalog_close(other);
}

/* Restore by the stream alone or by the catalog, then compare with the tree. */
static void expect_restored(struct rack *r, struct catalog *cat, const char *uuid, const char *tree,
                            unsigned blocking, const char *to)
{
    char destination[4096];
    struct restore_options options = {.destination = destination,
                                      .keep_owner = geteuid() == 0,
                                      .devices = geteuid() == 0,
                                      .warning = hear_warning,
                                      .volume = rack_volume,
                                      .ctx = r};
    struct restore_result result;
    struct error err = ERROR_INIT;
    unsigned before = r->warnings;

    for (unsigned round = 0; round < 3; round++) {
        /* by the catalog; by the stream; compare with what was dumped, by the stream */
        options.compare = round == 2;
        snprintf(destination, sizeof(destination), "%s",
                 at(round == 0   ? to
                    : round == 1 ? "by-stream"
                                 : tree));
        if (round == 0) {
            CHECK_OK(restore_image(&options, cat, uuid, &result, &err), err);
        } else {
            CHECK_OK(rack_insert(r, 0, TAPE_READ, &err), err);
            CHECK_OK(restore_stream(&options, r->tape, blocking, &result, &err), err);
        }
    }
    if (r->warnings != before)
        printf("\n    %s", r->warning);
    CU_ASSERT_EQUAL(r->warnings, before);
    scratch_remove(at("by-stream"));
}

/* Each part begins where it says: there is a record whose first header has that number. */
static void check_parts(struct rack *r, const struct dump_result *result)
{
    const size_t size = result->image.blocking * 1024u;
    uint8_t *record = malloc(size);
    uint64_t next = 0;

    for (size_t i = 0; i < result->part_count; i++) {
        const struct catalog_part *p = &result->parts[i];
        struct tape_position pos;
        struct error err = ERROR_INIT;
        size_t got;

        CU_ASSERT_EQUAL(p->volume, i + 1);
        CU_ASSERT_EQUAL(p->first_stream, next);
        CU_ASSERT_TRUE(p->stream_blocks > 0);
        next += p->stream_blocks;
        for (unsigned n = 0; n < r->count; n++)
            if (strcmp(r->barcodes[n], p->barcode) == 0)
                CHECK_OK(rack_insert(r, n, TAPE_READ, &err), err);
        CHECK_OK(tape_locate(r->tape, p->first_block, &err), err);
        CHECK_OK(tape_tell(r->tape, &pos, &err), err);
        CU_ASSERT_EQUAL(pos.file, p->file);
        CHECK_OK(
            tape_locate(r->tape, p->first_block + p->stream_blocks / result->image.blocking, &err),
            err);
        CHECK_FAILS(tape_read(r->tape, record, size, &got, &err), ERR_FILEMARK, err);
    }
    CU_ASSERT_EQUAL(next, result->image.stream_blocks);
    free(record);
}

/* ---- good dumps --------------------------------------------------------------------------------
 */

static void dump_and_restore(const char *name, unsigned blocking)
{
    struct catalog *cat = open_catalog("catalog-one");
    struct dump_options options;
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct rack r;

    rack_make(&r, "ONE", 1, 0);
    options = options_for(&r, name);
    options.blocking = blocking;
    CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
    CU_ASSERT_EQUAL(r.warnings, 0);
    CU_ASSERT_EQUAL(result.image.state, CATALOG_COMPLETE);
    CU_ASSERT_EQUAL(result.image.directories, 3);
    CU_ASSERT_EQUAL(result.image.files, geteuid() == 0 ? 9 : 8);
    CU_ASSERT_EQUAL(result.image.stream_blocks % blocking, 0);
    CU_ASSERT_EQUAL(r.phase, DUMP_PHASE_FILES);
    CU_ASSERT_EQUAL(images_in(cat), 1);
    check_parts(&r, &result);
    expect_restored(&r, cat, result.image.uuid, name, blocking, "back");
    expect_same_rebuilt(&r, cat, "catalog-two");
    free(result.parts);
    catalog_close(cat);
    rack_close(&r);
    scratch_remove(at("back"));
    scratch_remove(at("catalog-one"));
    scratch_remove(at("catalog-two"));
    scratch_remove(at("ONE000L8"));
}

static void test_dump_and_restore(void)
{
    static const unsigned factors[] = {4, 10, 64, 256};

    make_tree("tree", 700001);
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++)
        dump_and_restore("tree", factors[i]);
}

/* Two dumps behind one another on one cartridge. */
static void test_append(void)
{
    struct catalog *cat = open_catalog("append-catalog");
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct dump_options options;
    struct rack r;

    make_tree("append", 100);
    rack_make(&r, "APP", 1, 0);
    options = options_for(&r, "append");
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(tape_space_end(r.tape, &err), err);
        CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
        CU_ASSERT_EQUAL_FATAL(result.part_count, 1);
        CU_ASSERT_EQUAL(result.parts[0].file, i);
        free(result.parts);
        r.phase = 0;
    }
    CU_ASSERT_EQUAL(images_in(cat), 3);
    expect_same_rebuilt(&r, cat, "append-catalog-2");
    catalog_close(cat);
    rack_close(&r);
}

/* ---- several volumes ---------------------------------------------------------------------------
 */

static void test_volumes(void)
{
    struct catalog *cat = open_catalog("volumes-catalog");
    struct dump_options options;
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct rack r;

    make_tree("volumes", 5 * MIB + 77);
    rack_make(&r, "VOL", 4, 2 * MIB);
    options = options_for(&r, "volumes");
    options.blocking = 10;
    CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
    CU_ASSERT_TRUE(result.part_count >= 3);
    check_parts(&r, &result);
    expect_restored(&r, cat, result.image.uuid, "volumes", 10, "volumes-back");
    expect_same_rebuilt(&r, cat, "volumes-catalog-2");
    free(result.parts);
    catalog_close(cat);
    rack_close(&r);
}

/* A fault layer over the magazine; the first cartridge ends at n bytes without early warning, so
 * the break falls everywhere in a record and in a file. */
static void test_volume_breaks_anywhere(void)
{
    make_tree("breaks", 300 * KIB);
    for (unsigned records = 0; records < 40; records += 3) {
        struct catalog *cat = open_catalog("breaks-catalog");
        struct tape_faults faults = {.end_at = 4096ull * records + 1};
        struct dump_options options;
        struct dump_result result;
        struct error err = ERROR_INIT;
        struct tape *first, *fault;
        struct rack r;

        rack_make(&r, "BRK", 2, 0);
        first = r.inner;
        CHECK_OK(tape_fault_open(first, &faults, &fault, &err), err);
        tape_magazine_set(r.tape, fault);
        r.inner = NULL; /* stays open under the fault layer */
        options = options_for(&r, "breaks");
        options.blocking = 4;
        CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
        CU_ASSERT_EQUAL(result.part_count, records ? 2 : 1);
        CU_ASSERT_EQUAL(result.parts[0].stream_blocks,
                        records ? records * 4 : result.image.stream_blocks);
        CU_ASSERT_STRING_EQUAL(result.parts[0].barcode, records ? "BRK000L8" : "BRK001L8");
        tape_close(fault);
        tape_close(first);
        check_parts(&r, &result);
        expect_same_rebuilt(&r, cat, "breaks-catalog-2");
        free(result.parts);
        catalog_close(cat);
        rack_close(&r);
        scratch_remove(at("breaks-catalog"));
        scratch_remove(at("breaks-catalog-2"));
        scratch_remove(at("BRK000L8"));
        scratch_remove(at("BRK001L8"));
    }
}

/* At early warning the record is written, and the next one goes onto the next cartridge: so there
 * is room for the filemark. */
static void test_early_warning(void)
{
    struct catalog *cat = open_catalog("early-catalog");
    struct tape_faults faults = {.early_warning_at = 4096 * 9 + 1};
    struct dump_options options;
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct tape *first, *fault;
    struct rack r;

    make_tree("early", 300 * KIB);
    rack_make(&r, "EAR", 2, 0);
    first = r.inner;
    CHECK_OK(tape_fault_open(first, &faults, &fault, &err), err);
    tape_magazine_set(r.tape, fault);
    r.inner = NULL;
    options = options_for(&r, "early");
    options.blocking = 4;
    CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
    CU_ASSERT_EQUAL_FATAL(result.part_count, 2);
    CU_ASSERT_EQUAL(result.parts[0].stream_blocks, 10 * 4);
    CU_ASSERT_EQUAL(tape_fault_count(fault).filemarks, 1);
    tape_close(fault);
    tape_close(first);
    check_parts(&r, &result);
    expect_same_rebuilt(&r, cat, "early-catalog-2");
    free(result.parts);
    catalog_close(cat);
    rack_close(&r);
}

static void test_no_next_volume(void)
{
    struct catalog *cat = open_catalog("none-catalog");
    struct dump_options options;
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct rack r;

    make_tree("none", 5 * MIB);
    rack_make(&r, "NON", 2, 2 * MIB);
    options = options_for(&r, "none");
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_OPERATOR, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "no cartridge is left"));
    CHECK_OK(rack_insert(&r, 0, TAPE_WRITE, &err), err);
    options.next_volume = NULL;
    r.phase = 0;
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_OPERATOR, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "NON000L8"));
    CU_ASSERT_EQUAL(images_in(cat), 0);
    catalog_close(cat);
    rack_close(&r);
}

static int full_volume(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    (void)err;
    CU_ASSERT_EQUAL(volume, 1);
    ++*(unsigned *)ctx;
    snprintf(barcode, 40, "FUL000L8");
    return 0;
}

/* An operator who always brings a full one. */
static void test_full_volumes(void)
{
    struct tape_faults faults = {.end_at = 1};
    struct dump_result result;
    struct error err = ERROR_INIT;
    struct dump_options options;
    struct tape *fault;
    struct rack r;
    unsigned asked = 0;

    make_tree("full", 10);
    rack_make(&r, "FUL", 1, 0);
    CHECK_OK(tape_fault_open(r.tape, &faults, &fault, &err), err);
    options = options_for(&r, "full");
    options.next_volume = full_volume;
    options.progress = NULL;
    options.ctx = &asked;
    CHECK_FAILS(dump_run(&options, fault, r.barcodes[0], NULL, &result, &err), ERR_OPERATOR, err);
    CU_ASSERT_TRUE(asked >= 2 && asked <= 5);
    tape_close(fault);
    rack_close(&r);
}

/* ---- when things fail --------------------------------------------------------------------------
 */

static void test_tape_errors(void)
{
    struct catalog *cat = open_catalog("errors-catalog");
    struct error err = ERROR_INIT;
    struct rack r;

    make_tree("errors", 4 * MIB);
    rack_make(&r, "ERR", 1, 0);
    for (unsigned n = 1; n < 70; n += 9) {
        struct tape_faults faults = {.write_error_at = n};
        struct dump_options options = options_for(&r, "errors");
        struct dump_result result;
        struct tape *fault;

        r.phase = 0;
        CHECK_OK(tape_rewind(r.tape, &err), err);
        CHECK_OK(tape_fault_open(r.tape, &faults, &fault, &err), err);
        CHECK_FAILS(dump_run(&options, fault, r.barcodes[0], cat, &result, &err), ERR_IO, err);
        CU_ASSERT_PTR_NULL(result.parts);
        CU_ASSERT_EQUAL(images_in(cat), 0);
        tape_close(fault);
    }
    for (unsigned which = 0; which < 2; which++) { /* the closing filemark; the position */
        struct tape_faults faults = {.filemark_error = which == 0, .lose_position = which == 1};
        struct dump_options options = options_for(&r, "errors");
        struct dump_result result;
        struct tape *fault;

        r.phase = 0;
        CHECK_OK(tape_rewind(r.tape, &err), err);
        CHECK_OK(tape_fault_open(r.tape, &faults, &fault, &err), err);
        CHECK_FAILS(dump_run(&options, fault, r.barcodes[0], cat, &result, &err),
                    which ? ERR_STATE : ERR_IO, err);
        CU_ASSERT_EQUAL(images_in(cat), 0);
        tape_close(fault);
    }
    catalog_close(cat);
    rack_close(&r);
}

static atomic_bool cancel;

static void cancel_in_files(enum dump_phase phase)
{
    if (phase == DUMP_PHASE_FILES)
        atomic_store(&cancel, true);
}

static void test_cancel(void)
{
    struct catalog *cat = open_catalog("cancel-catalog");
    struct error err = ERROR_INIT;
    struct dump_options options;
    struct dump_result result;
    uint8_t block[64 * KIB];
    struct rack r;
    size_t got;

    make_tree("cancel", 4 * MIB);
    rack_make(&r, "CAN", 1, 0);
    options = options_for(&r, "cancel");
    options.cancel = &cancel;
    r.in_phase = cancel_in_files;
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_CANCELLED, err);
    CU_ASSERT_EQUAL(images_in(cat), 0);
    /* The next dump does not run into the torso: a filemark ends it, if there is one. */
    CHECK_OK(tape_rewind(r.tape, &err), err);
    while (tape_read(r.tape, block, sizeof(block), &got, &err) == 0)
        ;
    {
        struct tape_position pos;

        CHECK_OK(tape_tell(r.tape, &pos, &err), err);
        CU_ASSERT_TRUE(pos.block == 0 || err.code == ERR_FILEMARK);
    }
    atomic_store(&cancel, true);
    r.phase = 0;
    r.in_phase = NULL;
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_CANCELLED, err);
    atomic_store(&cancel, false);
    r.phase = 0;
    CHECK_OK(tape_space_end(r.tape, &err), err);
    CHECK_OK(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), err);
    free(result.parts);
    expect_same_rebuilt(&r, cat, "cancel-catalog-2");
    catalog_close(cat);
    rack_close(&r);
}

/* Between the walk and the reading. */
static void disturb(enum dump_phase phase)
{
    if (phase != DUMP_PHASE_DIRECTORIES)
        return;
    CU_ASSERT_EQUAL(unlink(at("partial/plain")), 0);
    CU_ASSERT_EQUAL(unlink(at("partial/dir/empty/another")), 0);
    CU_ASSERT_EQUAL(rmdir(at("partial/dir/empty")), 0);
    CU_ASSERT_EQUAL(unlink(at("partial/fifo")), 0);
    CU_ASSERT_EQUAL(mkdir(at("partial/fifo"), 0700), 0);
}

static void test_partial(void)
{
    struct catalog *cat = open_catalog("partial-catalog");
    struct catalog_index *index;
    struct catalog_inode inode;
    struct error err = ERROR_INIT;
    struct dump_options options;
    struct dump_result result;
    struct rack r;
    uint32_t ino;

    make_tree("partial", 10000);
    rack_make(&r, "PAR", 1, 0);
    options = options_for(&r, "partial");
    r.in_phase = disturb;
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_PARTIAL, err);
    CU_ASSERT_EQUAL(result.image.state, CATALOG_PARTIAL);
    CU_ASSERT_EQUAL(result.image.warnings, 3); /* plain, fifo, the directory's attributes */
    CU_ASSERT_EQUAL(r.warnings, 3);
    CU_ASSERT_EQUAL(images_in(cat), 1);
    CHECK_OK(catalog_index_open(cat, result.image.uuid, &index, &err), err);
    CHECK_OK(catalog_index_path(index, "plain", &ino, &err), err);
    CHECK_OK(catalog_index_inode(index, ino, &inode, &err), err);
    CU_ASSERT_EQUAL(inode.address, UINT64_MAX);
    CU_ASSERT_EQUAL(inode.mode, S_IFREG);
    catalog_inode_release(&inode);
    CHECK_OK(catalog_index_path(index, "dir/large", &ino, &err), err);
    catalog_index_close(index);
    expect_same_rebuilt(&r, cat, "partial-catalog-2");
    free(result.parts);
    catalog_close(cat);
    rack_close(&r);
}

/* A tape whose n-th write cuts the file that is being dumped: the reader is at most a window ahead
 * of what is written. */
static const struct tape_ops *real_ops;
static struct tape_ops cutting_ops;
static unsigned writes_until_cut;

static int cutting_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                         struct error *err)
{
    if (writes_until_cut && --writes_until_cut == 0)
        CU_ASSERT_EQUAL(truncate(at("cut/dir/large"), 1000), 0);
    return real_ops->write(t, data, len, early_warning, err);
}

static void test_file_shrinks(void)
{
    struct catalog *cat = open_catalog("cut-catalog");
    struct error err = ERROR_INIT;
    char destination[4096];
    struct restore_options back = {
        .destination = destination, .devices = geteuid() == 0, .warning = hear_warning};
    struct restore_result restored;
    struct dump_options options;
    struct dump_result result;
    struct stat st;
    struct rack r;

    make_tree("cut", 8 * MIB);
    rack_make(&r, "CUT", 1, 0);
    real_ops = r.tape->ops;
    cutting_ops = *real_ops;
    cutting_ops.write = cutting_write;
    r.tape->ops = &cutting_ops;
    writes_until_cut = 500; /* of 4 KiB: in the middle of the large file */
    options = options_for(&r, "cut");
    options.blocking = 4;
    options.window = 256 * KIB;
    CHECK_FAILS(dump_run(&options, r.tape, r.barcodes[0], cat, &result, &err), ERR_PARTIAL, err);
    CU_ASSERT_EQUAL(result.image.warnings, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.warning, "dir/large: shrank"));
    r.tape->ops = real_ops;
    CHECK_OK(tape_rewind(r.tape, &err), err);
    back.ctx = &r;
    snprintf(destination, sizeof(destination), "%s", at("cut-back"));
    CHECK_OK(restore_stream(&back, r.tape, 4, &restored, &err), err);
    CU_ASSERT_EQUAL(stat(at("cut-back/dir/large"), &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 8 * MIB);
    expect_same_rebuilt(&r, cat, "cut-catalog-2");
    free(result.parts);
    catalog_close(cat);
    rack_close(&r);
}

/* ---- refusals ----------------------------------------------------------------------------------
 */

static void test_refusals(void)
{
    static const unsigned bad[] = {0, 1, 3, 257, 1000000, UINT32_MAX};
    struct catalog *cat = open_catalog("refusals-catalog");
    struct error err = ERROR_INIT;
    struct dump_options options, good;
    struct dump_result result;
    struct rack r;

    make_tree("refusals", 10);
    rack_make(&r, "REF", 1, 0);
    good = options_for(&r, "refusals");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options = good;
        options.blocking = bad[i];
        CHECK_FAILS(dump_run(&options, r.tape, "X", cat, &result, &err), ERR_RANGE, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "blocking factor"));
    }
    options = good;
    options.label = "sixteen letters.";
    CHECK_FAILS(dump_run(&options, r.tape, "X", cat, &result, &err), ERR_RANGE, err);
    CHECK_FAILS(dump_run(&good, r.tape, "", cat, &result, &err), ERR_USAGE, err);
    options = good;
    options.path = at("no/such/place");
    CHECK_FAILS(dump_run(&options, r.tape, "X", cat, &result, &err), ERR_NOT_FOUND, err);
    options.path = at("refusals/plain");
    CHECK_FAILS(dump_run(&options, r.tape, "X", cat, &result, &err), ERR_USAGE, err);
    rack_close(&r);
    {
        struct store *store;
        struct cartridge *c;

        CHECK_OK(store_directory_open(at("REF000L8"), false, &store, &err), err);
        CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
        CHECK_OK(cartridge_set_protected(c, true, &err), err);
        cartridge_close(c);
        store_close(store);
    }
    CHECK_OK(rack_insert(&r, 0, TAPE_WRITE, &err), err);
    CHECK_OK(tape_magazine_open(r.inner, &r.tape, &err), err);
    r.phase = 0;
    CHECK_FAILS(dump_run(&good, r.tape, "X", cat, &result, &err), ERR_PROTECTED, err);
    CU_ASSERT_EQUAL(images_in(cat), 0);
    catalog_close(cat);
    rack_close(&r);
}

static const struct check_test tests[] = {
    {"dump_and_restore", test_dump_and_restore},
    {"append", test_append},
    {"volumes", test_volumes},
    {"volume_breaks_anywhere", test_volume_breaks_anywhere},
    {"early_warning", test_early_warning},
    {"no_next_volume", test_no_next_volume},
    {"full_volumes", test_full_volumes},
    {"tape_errors", test_tape_errors},
    {"cancel", test_cancel},
    {"partial", test_partial},
    {"file_shrinks", test_file_shrinks},
    {"refusals", test_refusals},
};

int main(int argc, char **argv)
{
    int rc;

    if (scratch_make() != 0)
        return 99;
    rc = check_main("dump", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    scratch_remove(scratch);
    return rc;
}
