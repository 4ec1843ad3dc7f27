/* SPDX-License-Identifier: Apache-2.0 */
/* test_restore.c - what comes back is what was dumped: restore, compare, list, images, rebuild. */
#include <grp.h>
#include <sys/wait.h>

#include "catalog/catalog.h"
#include "common/checked.h"
#include "engine/dump/dump.h"
#include "engine/tape/layer.h"
#include "tests/unit/restore_fixture.h"
#include "vtl/cartridge/cartridge.h"

/* ---- the fixture, checked without the engine's own comparison ----------------------------------
 */

/* Whether this file system takes the attribute at all (ext4 has room for 4 KiB in a file). */
static bool can_have(const struct scratch *s, const struct stream_xattr *x, mode_t mode)
{
    char path[100];
    bool can;

    snprintf(path, sizeof(path), "%s/stream.probe", s->dir);
    if (S_ISDIR(mode))
        mkdir(path, 0700);
    else
        close(open(path, O_WRONLY | O_CREAT, 0600));
    can = setxattr(path, x->name, x->value, x->len, 0) == 0;
    remove(path);
    return can;
}

static unsigned check_xattrs(const struct scratch *s, const struct fixture_file *f,
                             const char *path)
{
    static char value[65536];
    unsigned refused = 0;

    for (size_t i = 0; i < f->xattr_count; i++) {
        const struct stream_xattr *x = &f->xattrs[i];
        ssize_t len = lgetxattr(path, x->name, value, sizeof(value));

        if (!can_have(s, x, f->mode)) {
            refused++;
            continue;
        }
        CU_ASSERT_EQUAL(len, (ssize_t)x->len);
        CU_ASSERT_TRUE(len < 0 || memcmp(value, x->value, (size_t)len) == 0);
    }
    return refused;
}

static void check_data(const struct fixture_file *f, const char *path, const struct stat *st)
{
    static uint8_t buf[65536];
    size_t wrong = 0, n;
    uint64_t at = 0;
    FILE *file = fopen(path, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while ((n = fread(buf, 1, sizeof(buf), file)) > 0) {
        for (size_t i = 0; i < n; i++)
            wrong += buf[i] != fixture_expect(f, at + i);
        at += n;
    }
    fclose(file);
    CU_ASSERT_EQUAL(at, f->size);
    CU_ASSERT_EQUAL(wrong, 0);
    if (f->holes[0].len >= FIXTURE_MIB) /* a hole is a hole again */
        CU_ASSERT_TRUE((uint64_t)st->st_blocks * 512 < f->size / 2 + FIXTURE_MIB);
}

static void check_link(const struct fixture_file *f, const char *path)
{
    char target[5000];
    ssize_t n = readlink(path, target, sizeof(target));

    CU_ASSERT_EQUAL(n, (ssize_t)strlen(fixture_target(f)));
    CU_ASSERT_TRUE(n >= 0 && memcmp(target, fixture_target(f), (size_t)n) == 0);
}

/* One row of the fixture; gives the number of attributes that could not be. */
static unsigned check_file(const struct scratch *s, const struct fixture_file *f)
{
    bool root = geteuid() == 0;
    bool device = S_ISCHR(f->mode) || S_ISBLK(f->mode);
    char path[5000];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", s->root, f->path);
    if (device && !root)
        return 0;
    if (lstat(path, &st) != 0) {
        printf("\n    %s is missing\n", path);
        CU_FAIL("missing");
        return 0;
    }
    CU_ASSERT_EQUAL(st.st_mode & S_IFMT, f->mode & S_IFMT);
    if (!S_ISLNK(f->mode) && root)
        CU_ASSERT_EQUAL(st.st_mode & 07777, f->mode & 07777);
    if (root) {
        CU_ASSERT_EQUAL(st.st_uid, f->uid);
        CU_ASSERT_EQUAL(st.st_gid, f->gid);
    }
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
                    FIXTURE_MTIME_NS + f->ino);
    if (device)
        CU_ASSERT_EQUAL(st.st_rdev, f->rdev);
    if (f->ino == 25)
        CU_ASSERT_EQUAL(st.st_nlink, 2);
    if (S_ISLNK(f->mode))
        check_link(f, path);
    if (S_ISREG(f->mode))
        check_data(f, path, &st);
    return check_xattrs(s, f, path);
}

static unsigned check_tree(const struct scratch *s)
{
    unsigned refused = 0;
    char name[STREAM_NAME_MAX + 1], path[300];

    for (size_t i = 0; i < FIXTURE_COUNT; i++)
        refused += check_file(s, &fixture_files[i]);
    for (uint32_t i = 0; i < FIXTURE_MANY; i++) {
        fixture_many_name(i, name);
        snprintf(path, sizeof(path), "many/%s", name);
        CU_ASSERT_TRUE(scratch_exists(s, path, NULL));
    }
    return refused;
}

/* No temporary file is left anywhere. */
static int look_for_temp(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag;
    CU_ASSERT_PTR_NULL(strstr(path + ftw->base, ".capstan-"));
    return 0;
}

static void test_everything(void)
{
    struct scratch s;
    unsigned refused;
    int rc;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    rc = scratch_restore(&s);
    refused = check_tree(&s);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(s.result.warnings, refused);
        CU_ASSERT_EQUAL(rc, refused ? -ERR_PARTIAL : 0);
    }
    if (s.result.warnings != refused)
        scratch_show(&s);
    nftw(s.root, look_for_temp, 20, FTW_PHYS);
    CU_ASSERT_TRUE(outside_intact(&s));
    s.options.compare = true;
    rc = scratch_restore(&s);
    if (geteuid() == 0)
        CU_ASSERT_EQUAL(s.result.warnings, refused); /* exactly the same attributes */
    scratch_end(&s);
}

/* Once more over what is there: files are replaced, directories stay. */
static void test_again(void)
{
    struct stat before, after;
    struct scratch s;
    char path[200];

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    scratch_restore(&s);
    snprintf(path, sizeof(path), "%s/d/own-file", s.root);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    snprintf(path, sizeof(path), "%s/d/e", s.root);
    CU_ASSERT_EQUAL(chmod(path, 0711), 0);
    CU_ASSERT_TRUE(scratch_exists(&s, "hard", &before));
    snprintf(path, sizeof(path), "%s/one", s.root);
    unlink(path);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0); /* in the way of a file: stays, is told */
    snprintf(path, sizeof(path), "%s/many", s.root);
    scratch_restore(&s);
    CU_ASSERT_TRUE(scratch_warned(&s, "one", "could not be put in its place"));
    CU_ASSERT_TRUE(scratch_exists(&s, "hard", &after));
    CU_ASSERT_NOT_EQUAL(before.st_ino, after.st_ino);
    CU_ASSERT_EQUAL(after.st_nlink, 2);
    CU_ASSERT_TRUE(scratch_exists(&s, "d/own-file", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "d/e", &after));
    CU_ASSERT_EQUAL(after.st_mode & 0777, 0711);
    nftw(s.root, look_for_temp, 20, FTW_PHYS);
    scratch_end(&s);
}

static void test_names(void)
{
    static const char *const names[] = {"/d/*/3?", "many/", "./lin[k]", "hard", "no/such"};
    struct scratch s;
    struct stat st;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    s.options.names = names;
    s.options.name_count = ARRAY_LENGTH(names);
    CU_ASSERT_EQUAL(scratch_restore(&s), -ERR_PARTIAL);
    CU_ASSERT_EQUAL(s.result.warnings, 1);
    CU_ASSERT_TRUE(scratch_warned(&s, "no/such", "no such name"));
    CU_ASSERT_EQUAL(s.result.files, 3 + FIXTURE_MANY);
    CU_ASSERT_TRUE(scratch_exists(&s, "d/e/3m", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "link", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "hard", &st));
    CU_ASSERT_EQUAL(st.st_nlink, 1);
    CU_ASSERT_FALSE(scratch_exists(&s, "d/e/hard-too", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "d/half", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "d/e/empty-directory", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "d", &st)); /* made on the way: as in the dump */
    CU_ASSERT_EQUAL(st.st_mode & 07777, 01777);
    s.options.names = names + 4;
    s.options.name_count = 1;
    CHECK_FAILS(scratch_restore(&s), ERR_NOT_FOUND, s.err);
    scratch_end(&s);
}

static void test_compare_finds(void)
{
    static const struct {
        const char *path, *part;
    } expected[] = {
        {"k", "data differs"},
        {"k+1", "size"},
        {"link", "leads elsewhere"},
        {"setuid", "mode"},
        {"empty", "missing"},
        {"one", "another type"},
        {"hard", "modification time"},
        {"d/e/hard-too", "no hard link"},
        {"attributes", "user.a differs"},
        {"attributes", "user.new is not in the dump"},
        {"d/half", "owner"},
        {"sparse", "data differs"},
    };
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct scratch s;
    int fd, root;

    if (geteuid() != 0)
        return;
    scratch_begin(&s);
    scratch_fixture(&s, 20);
    scratch_restore(&s);
    root = open(s.root, O_RDONLY | O_DIRECTORY);
    fd = openat(root, "k", O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, "\0", 1, 1023), 1);
    close(fd);
    fd = openat(root, "sparse", O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 7 * FIXTURE_MIB), 1);
    close(fd);
    fd = openat(root, "k+1", O_WRONLY);
    CU_ASSERT_EQUAL(ftruncate(fd, 1024), 0);
    close(fd);
    unlinkat(root, "link", 0);
    CU_ASSERT_EQUAL(symlinkat("d/e/4m", root, "link"), 0);
    fchmodat(root, "setuid", 0755, 0);
    unlinkat(root, "empty", 0);
    unlinkat(root, "one", 0);
    CU_ASSERT_EQUAL(symlinkat("k", root, "one"), 0);
    unlinkat(root, "d/e/hard-too", 0);
    fd = openat(root, "d/e/hard-too", O_WRONLY | O_CREAT, 0644);
    close(fd);
    utimensat(root, "hard", now, 0);
    fd = openat(root, "attributes", O_RDONLY);
    CU_ASSERT_EQUAL(fsetxattr(fd, "user.a", "other", 5, 0), 0);
    CU_ASSERT_EQUAL(fsetxattr(fd, "user.new", "", 0, 0), 0);
    close(fd);
    CU_ASSERT_EQUAL(fchownat(root, "d/half", 3, 4, 0), 0);
    close(root);
    s.options.compare = true;
    CU_ASSERT_EQUAL(scratch_restore(&s), -ERR_PARTIAL);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        bool told = scratch_warned(&s, expected[i].path, expected[i].part);

        if (!told)
            printf("\n    not found: %s %s\n", expected[i].path, expected[i].part);
        CU_ASSERT_TRUE(told);
    }
    scratch_end(&s);
}

/* Somebody who is not root: what can't be set is told, setuid is dropped, the rest comes back. */
static void test_without_root(void)
{
    struct scratch s;
    struct stat st;
    int status = 0;
    pid_t pid;

    if (geteuid() != 0)
        return;
    scratch_begin(&s);
    scratch_fixture(&s, 20);
    CU_ASSERT_EQUAL(chmod(s.dir, 0777), 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct error err = ERROR_INIT;
        struct tape *tape;

        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            _exit(9);
        s.options.keep_owner = s.options.devices = false;
        if (tape_open(s.url, TAPE_READ, NULL, &tape, &err) != 0)
            _exit(8);
        status = -restore_stream(&s.options, tape, 0, &s.result, &err);
        tape_close(tape);
        if (!scratch_warned(&s, "null", "device nodes are not made") ||
            scratch_warned(&s, NULL, "owner"))
            _exit(7);
        _exit(status);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == ERR_PARTIAL);
    CU_ASSERT_FALSE(scratch_exists(&s, "null", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "setuid", &st));
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
    CU_ASSERT_EQUAL(st.st_uid, 65534);
    CU_ASSERT_TRUE(scratch_exists(&s, "d/e/empty-directory", &st));
    CU_ASSERT_TRUE(scratch_exists(&s, "sparse", &st));
    CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, (FIXTURE_MTIME_NS + 17) % 1000000000);
    scratch_end(&s);
}

/* ---- list --------------------------------------------------------------------------------------
 */

struct list {
    unsigned count, wrong;
    char last[5000];
};

static int list_name(void *ctx, const char *path, const struct catalog_inode *inode)
{
    struct list *l = ctx;

    l->count++;
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        const struct fixture_file *f = &fixture_files[i];

        if (strcmp(f->path[0] ? f->path : ".", path) != 0)
            continue;
        l->wrong += f->ino != inode->ino || f->mode != inode->mode ||
                    inode->mtime_ns != FIXTURE_MTIME_NS + f->ino;
        if (f->target)
            l->wrong += inode->link_len != strlen(fixture_target(f)) ||
                        memcmp(inode->link, fixture_target(f), inode->link_len) != 0;
        return 0;
    }
    l->wrong += strncmp(path, "many/xxx", 8) != 0;
    return l->count == 1 && path[0] != '.' ? 1 : 0; /* the root comes first */
}

static void test_list(void)
{
    struct list l = {0};
    struct scratch s;
    struct tape *tape;

    scratch_begin(&s);
    scratch_fixture(&s, 64);
    CHECK_OK(tape_open(s.url, TAPE_READ, NULL, &tape, &s.err), s.err);
    CHECK_OK(restore_list(tape, 64, list_name, &l, &s.err), s.err);
    CU_ASSERT_EQUAL(l.count, FIXTURE_COUNT + FIXTURE_MANY);
    CU_ASSERT_EQUAL(l.wrong, 0);
    tape_close(tape);
    scratch_end(&s);
}

/* ---- cartridges --------------------------------------------------------------------------------
 */

#define CARTRIDGES 10

struct library {
    struct scratch *s;
    struct tape *tape; /* the one open now */
    struct tape *fault;
    struct tape *writing;
    unsigned order[CARTRIDGES], next, count;
    unsigned refuse; /* this volume can't be brought */
};

static void cartridge_url(const struct library *l, unsigned number, char url[150])
{
    snprintf(url, 150, "cartridge:%s/cart%u", l->s->dir, number);
}

static void make_cartridges(struct library *l, struct scratch *s, uint64_t capacity)
{
    memset(l, 0, sizeof(*l));
    l->s = s;
    for (unsigned i = 1; i <= (capacity < 10000000 ? CARTRIDGES : 1); i++) {
        struct cartridge_identity id;
        struct store *store;
        char barcode[16], path[120];

        snprintf(barcode, sizeof(barcode), "CART%02uL8", i);
        snprintf(path, sizeof(path), "%s/cart%u", s->dir, i);
        CHECK_OK(cartridge_identity_default(&id, barcode, 0x5e, &s->err), s->err);
        id.capacity = capacity;
        id.early_warning = capacity / 8;
        CHECK_OK(store_directory_open(path, true, &store, &s->err), s->err);
        CHECK_OK(cartridge_create(store, &id, &s->err), s->err);
        store_close(store);
    }
}

static int load(struct library *l, unsigned number, enum tape_mode mode, struct error *err)
{
    char url[150];

    cartridge_url(l, number, url);
    tape_close(l->tape);
    l->tape = NULL;
    return tape_open(url, mode, NULL, &l->tape, err);
}

static int next_blank(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    struct library *l = ctx;
    int rc = load(l, volume, TAPE_WRITE, err);

    if (!rc && l->writing)
        tape_magazine_set(l->writing, l->tape);
    snprintf(barcode, 40, "CART%02uL8", volume);
    return rc;
}

static int bring(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                 struct error *err)
{
    struct library *l = ((struct scratch *)ctx)->library;
    unsigned number = volume;
    int rc;

    if (barcode[0] && sscanf(barcode, "CART%2uL8", &number) != 1)
        return error_set(err, ERR_NOT_FOUND, "no cartridge %s", barcode);
    if (number == l->refuse)
        return error_set(err, ERR_OPERATOR, "cartridge %u is not here", number);
    rc = load(l, number, TAPE_READ, err);
    *out = l->tape;
    return rc;
}

static int bring_next(void *ctx, struct tape **out, char barcode[40], struct error *err)
{
    struct library *l = ((struct scratch *)ctx)->library;
    int rc = 0;

    *out = NULL;
    if (l->next == l->count)
        return 0;
    rc = load(l, l->order[l->next], TAPE_READ, err);
    snprintf(barcode, 40, "CART%02uL8", l->order[l->next++]);
    *out = l->tape;
    return rc;
}

static int rebuild(struct library *l, struct catalog *cat, uint64_t *images, struct error *err)
{
    l->next = 0;
    l->s->warning_count = 0;
    return restore_rebuild(cat, bring_next, scratch_warn, l->s, images, err);
}

/* Restore the fixture, move it to scratch/cart-source, dump that onto cartridges with a catalog. */
static struct catalog *dump_fixture(struct scratch *s, struct library *l, uint64_t capacity,
                                    unsigned blocking, struct dump_result *result)
{
    struct dump_options options = {
        .blocking = blocking, .label = "test", .next_volume = next_blank, .ctx = l};
    char source[100], catalog[100], barcode[40];
    struct catalog *cat;

    scratch_fixture(s, 20);
    scratch_restore(s);
    snprintf(source, sizeof(source), "%s/cart-source", s->dir);
    CU_ASSERT_EQUAL_FATAL(rename(s->root, source), 0);
    make_cartridges(l, s, capacity);
    snprintf(catalog, sizeof(catalog), "%s/catalog", s->dir);
    CHECK_OK(catalog_open(catalog, true, &cat, &s->err), s->err);
    CHECK_OK(next_blank(l, 1, barcode, &s->err), s->err);
    CHECK_OK(tape_magazine_open(l->tape, &l->writing, &s->err), s->err);
    options.path = source;
    CHECK_OK(dump_run(&options, l->writing, barcode, cat, result, &s->err), s->err);
    tape_close(l->writing);
    tape_close(l->tape);
    l->tape = l->writing = NULL;
    s->library = l;
    s->options.volume = bring;
    l->count = (unsigned)result->part_count;
    return cat;
}

/* Compare the restored tree with the dumped one by a restore of the same image in compare mode
 * against the other directory. */
static void check_against_source(struct scratch *s, struct catalog *cat, const char *uuid)
{
    char source[100];
    int rc;

    snprintf(source, sizeof(source), "%s/cart-source", s->dir);
    s->options.compare = true;
    s->options.destination = source;
    rc = restore_image(&s->options, cat, uuid, &s->result, &s->err);
    if (rc)
        scratch_show(s);
    CU_ASSERT_EQUAL(rc, 0);
    s->options.destination = s->root;
    rc = restore_image(&s->options, cat, uuid, &s->result, &s->err);
    if (rc)
        scratch_show(s);
    CU_ASSERT_EQUAL(rc, 0);
    s->options.compare = false;
}

/* Whole images over several cartridges, with and without a catalog; then the catalog anew. */
static void test_cartridges(void)
{
    static const struct {
        uint64_t capacity;
        unsigned blocking, volumes;
    } shapes[] = {{50000000, 256, 1}, {1000000, 10, 8}, {2000000, 64, 4}};

    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct dump_result result = {0};
        uint8_t before[32], after[32];
        struct library library;
        struct catalog *cat, *anew;
        struct scratch s;
        char path[100];
        uint64_t images = 0;

        scratch_begin(&s);
        cat = dump_fixture(&s, &library, shapes[i].capacity, shapes[i].blocking, &result);
        CU_ASSERT_TRUE(result.part_count >= shapes[i].volumes);
        CHECK_OK(restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err), s.err);
        check_tree(&s);
        check_against_source(&s, cat, result.image.uuid);
        for (unsigned turn = 0; turn < 3; turn++) { /* in order, backwards, all mixed up */
            for (unsigned k = 0; k < library.count; k++)
                library.order[k] = turn == 0   ? k + 1
                                   : turn == 1 ? library.count - k
                                               : (k * 5 + 2) % library.count + 1;
            if (turn == 2 && library.count % 5 == 0)
                continue;
            snprintf(path, sizeof(path), "%s/cart-catalog%u", s.dir, turn);
            CHECK_OK(catalog_open(path, true, &anew, &s.err), s.err);
            CHECK_OK(rebuild(&library, anew, &images, &s.err), s.err);
            CU_ASSERT_EQUAL(images, 1);
            CU_ASSERT_EQUAL(s.warning_count, 0);
            CHECK_OK(catalog_check(anew, &s.err), s.err);
            CHECK_OK(catalog_digest(cat, before, &s.err), s.err);
            CHECK_OK(catalog_digest(anew, after, &s.err), s.err);
            CU_ASSERT_EQUAL(memcmp(before, after, 32), 0);
            CHECK_OK(rebuild(&library, anew, &images, &s.err), s.err);
            CU_ASSERT_EQUAL(images, 0); /* they are there */
            catalog_close(anew);
        }
        tape_close(library.tape);
        catalog_close(cat);
        free(result.parts);
        scratch_end(&s);
    }
}

/* A volume that is missing: the image is not added, and said why. */
static void test_rebuild_incomplete(void)
{
    struct dump_result result = {0};
    struct library library;
    struct catalog *cat, *anew;
    struct scratch s;
    char path[100];
    uint64_t images = 9;

    scratch_begin(&s);
    cat = dump_fixture(&s, &library, 2000000, 64, &result);
    for (unsigned k = 0; k < library.count; k++)
        library.order[k] = k + 1;
    library.order[1] = library.order[--library.count];
    snprintf(path, sizeof(path), "%s/cart-catalog", s.dir);
    CHECK_OK(catalog_open(path, true, &anew, &s.err), s.err);
    CHECK_OK(rebuild(&library, anew, &images, &s.err), s.err);
    CU_ASSERT_EQUAL(images, 0);
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "is not complete"));
    CHECK_OK(catalog_check(anew, &s.err), s.err);
    catalog_close(anew);
    tape_close(library.tape);
    catalog_close(cat);
    free(result.parts);
    scratch_end(&s);
}

static struct tape_fault_counts counts;

/* As bring(), but each tape is counted, and its read number `bad` fails. */
static int bring_counted(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                         struct error *err)
{
    struct library *l = ((struct scratch *)ctx)->library;
    struct tape_faults faults = {.read_error_at = l->refuse};
    unsigned refuse = l->refuse;
    int rc;

    if (l->fault) {
        *out = l->fault;
        return 0;
    }
    l->refuse = 0;
    rc = bring(ctx, volume, barcode, out, err);
    l->refuse = refuse;
    if (!rc)
        rc = tape_fault_open(*out, &faults, &l->fault, err);
    *out = l->fault;
    return rc;
}

/* Single files by their addresses: what lies between is not read. */
static void test_names_by_catalog(void)
{
    static const char *const names[] = {"one", "many/", "d/e", "?/[ef]/3*", "on[e]", "x*", "one/*"};
    struct dump_result result = {0};
    struct library library;
    struct catalog *cat;
    struct scratch s;

    scratch_begin(&s);
    cat = dump_fixture(&s, &library, 50000000, 4, &result);
    s.options.volume = bring_counted;
    s.options.names = names;
    s.options.name_count = 1;
    CHECK_OK(restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err), s.err);
    CU_ASSERT_EQUAL(s.result.files, 1);
    CU_ASSERT_TRUE(scratch_exists(&s, "one", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "empty", NULL));
    counts = tape_fault_count(library.fault);
    CU_ASSERT_TRUE(counts.reads <= 4); /* the volume header, the file */
    s.options.name_count = 3;
    CHECK_OK(restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err), s.err);
    CU_ASSERT_EQUAL(s.result.files, 1 + FIXTURE_MANY + 2);
    CU_ASSERT_EQUAL(s.result.directories, 4);
    s.options.names = names + 3;
    s.options.name_count = 4;
    CU_ASSERT_EQUAL(restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err),
                    -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_exists(&s, "one", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "d/e/3m", NULL));
    CU_ASSERT_EQUAL(s.result.files, 2);
    CU_ASSERT_TRUE(scratch_warned(&s, "x*", "no such name"));
    CU_ASSERT_TRUE(scratch_warned(&s, "one/*", "no such name"));
    tape_close(library.fault);
    tape_close(library.tape);
    catalog_close(cat);
    free(result.parts);
    scratch_end(&s);
}

/* A record that can't be read costs the files in it, no more. */
static void test_media_error(void)
{
    struct dump_result result = {0};
    struct library library;
    struct catalog *cat;
    struct scratch s;
    int rc;

    scratch_begin(&s);
    cat = dump_fixture(&s, &library, 50000000, 4, &result);
    library.refuse = 400; /* inside d/e/3m */
    s.options.volume = bring_counted;
    s.warning_count = 0;
    rc = restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err);
    CU_ASSERT_EQUAL(rc, -ERR_PARTIAL);
    CU_ASSERT_TRUE(s.result.warnings >= 1 && s.result.warnings <= 4);
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "damaged"));
    CU_ASSERT_TRUE(s.result.files >= FIXTURE_FILES + FIXTURE_MANY - 4);
    tape_close(library.fault);
    tape_close(library.tape);
    catalog_close(cat);
    free(result.parts);
    scratch_end(&s);
}

static void test_missing_cartridge(void)
{
    struct dump_result result = {0};
    struct library library;
    struct catalog *cat;
    struct scratch s;

    scratch_begin(&s);
    cat = dump_fixture(&s, &library, 2000000, 64, &result);
    library.refuse = 3;
    CHECK_FAILS(restore_image(&s.options, cat, result.image.uuid, &s.result, &s.err), ERR_OPERATOR,
                s.err);
    CU_ASSERT_STRING_EQUAL(s.err.message, "cartridge 3 is not here");
    nftw(s.root, look_for_temp, 20, FTW_PHYS);
    tape_close(library.tape);
    catalog_close(cat);
    free(result.parts);
    scratch_end(&s);
}

static void test_cancel(void)
{
    static atomic_bool cancel = true;
    struct scratch s;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    s.options.cancel = &cancel;
    CHECK_FAILS(scratch_restore(&s), ERR_CANCELLED, s.err);
    scratch_end(&s);
}

static void test_truncated(void)
{
    struct scratch s;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    CU_ASSERT_EQUAL(truncate(s.path, 3000 * 1024), 0);
    CHECK_FAILS(scratch_restore(&s), ERR_PARTIAL, s.err);
    CU_ASSERT_TRUE(scratch_warned(&s, "tape", "ends before its end record"));
    CU_ASSERT_TRUE(scratch_warned(&s, "sparse", "not in it"));
    CU_ASSERT_TRUE(scratch_exists(&s, "d/half+1", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "sparse", NULL));
    nftw(s.root, look_for_temp, 20, FTW_PHYS);
    scratch_end(&s);
}

static void test_usage(void)
{
    struct scratch s;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    s.options.destination = s.path; /* a file */
    CHECK_FAILS(scratch_restore(&s), ERR_USAGE, s.err);
    s.options.destination = NULL;
    CHECK_FAILS(scratch_restore(&s), ERR_USAGE, s.err);
    s.options.destination = s.root;
    s.options.compare = true;
    CHECK_FAILS(scratch_restore(&s), ERR_NOT_FOUND, s.err);
    CU_ASSERT_FALSE(scratch_exists(&s, ".", NULL));
    s.options.compare = false;
    scratch_stream(&s, "", 0);
    CHECK_FAILS(scratch_restore(&s), ERR_CORRUPT, s.err);
    scratch_end(&s);
}

static const struct check_test tests[] = {
    {"everything", test_everything},
    {"again", test_again},
    {"names", test_names},
    {"compare_finds", test_compare_finds},
    {"without_root", test_without_root},
    {"list", test_list},
    {"cartridges", test_cartridges},
    {"rebuild_incomplete", test_rebuild_incomplete},
    {"names_by_catalog", test_names_by_catalog},
    {"media_error", test_media_error},
    {"missing_cartridge", test_missing_cartridge},
    {"cancel", test_cancel},
    {"truncated", test_truncated},
    {"usage", test_usage},
};

CHECK_MAIN("restore", tests)
