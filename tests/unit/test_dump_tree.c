/* SPDX-License-Identifier: Apache-2.0 */
/* test_dump_tree.c - the walk, the numbers, and reading ahead, on trees of all kinds. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine/dump/reader.h"
#include "engine/dump/tree.h"
#include "engine/dump/walk.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

#define KIB 1024u
#define MIB (1024u * KIB)

/* ---- making trees ------------------------------------------------------------------------------
 */

static char at_buffer[8][4096];

/* The path of name in the scratch directory; good for the next seven calls. */
static const char *at(const char *name)
{
    static unsigned next;
    char *p = at_buffer[next++ % 8];

    snprintf(p, sizeof(at_buffer[0]), "%s/%s", scratch, name);
    return p;
}

static void put_file(const char *name, size_t size)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    uint8_t block[64 * KIB];

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    for (size_t done = 0; done < size;) {
        size_t len = size - done < sizeof(block) ? size - done : sizeof(block);

        for (size_t i = 0; i < len; i++)
            block[i] = (uint8_t)((done + i) * 31 >> 3);
        CU_ASSERT_EQUAL_FATAL(write(fd, block, len), (ssize_t)len);
        done += len;
    }
    close(fd);
}

static void put_dir(const char *name)
{
    CU_ASSERT_EQUAL_FATAL(mkdir(at(name), 0755), 0);
}

/* What a walk said, for the tests to look at. */
struct heard {
    pthread_mutex_t mutex;
    unsigned warnings;
    char last[8192];
};

static void hear(void *ctx, const struct tree *tree, uint32_t node, const char *name,
                 const char *message)
{
    struct heard *h = ctx;
    char path[4096];

    pthread_mutex_lock(&h->mutex);
    tree_path(tree, node, path, sizeof(path));
    snprintf(h->last, sizeof(h->last), "%s/%s: %s", path, name, message);
    h->warnings++;
    pthread_mutex_unlock(&h->mutex);
}

static struct tree *walk(const char *path, unsigned threads, struct heard *heard, uint32_t *last)
{
    struct heard ignored = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct walk_options options = {
        .path = path, .threads = threads, .warning = hear, .ctx = heard ? heard : &ignored};
    struct walk_totals totals;
    struct error err = ERROR_INIT;
    struct tree *t;

    CHECK_OK(walk_tree(&options, &t, &totals, &err), err);
    CHECK_OK(tree_number(t, last, &err), err);
    if (!heard)
        CU_ASSERT_EQUAL(ignored.warnings, 0);
    return t;
}

/* ---- the walk ----------------------------------------------------------------------------------
 */

/* All numbers and names in one text, to compare walks. */
static char *picture(const struct tree *t, uint32_t last)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    struct tree_cursor cursor;
    uint32_t node;
    char path[8192];

    fprintf(f, "last %u\n", last);
    for (uint32_t n = 0; n < tree_directories_numbered(t); n++) {
        uint32_t index = tree_directory(t, tree_directory_at(t, n))->node;

        tree_path(t, index, path, sizeof(path));
        fprintf(f, "%u %s/\n", tree_node(t, index)->number, path);
    }
    tree_files(t, &cursor);
    while (tree_next_file(&cursor, &node)) {
        tree_path(t, node, path, sizeof(path));
        fprintf(f, "%u %s\n", tree_node(t, node)->number, path);
    }
    fclose(f);
    return text;
}

static void test_numbers(void)
{
    uint32_t last;
    struct tree *t;
    char *text;

    put_dir("numbers");
    put_dir("numbers/b");
    put_dir("numbers/b/c");
    put_dir("numbers/a");
    put_file("numbers/z", 10);
    put_file("numbers/a/x", 10);
    CU_ASSERT_EQUAL(link(at("numbers/z"), at("numbers/a/y")), 0);
    CU_ASSERT_EQUAL(link(at("numbers/z"), at("numbers/b/z")), 0);
    CU_ASSERT_EQUAL(mkfifo(at("numbers/b/c/f"), 0600), 0);
    CU_ASSERT_EQUAL(symlink("z", at("numbers/b/l")), 0);
    t = walk(at("numbers"), 1, NULL, &last);
    text = picture(t, last);
    CU_ASSERT_STRING_EQUAL(text, "last 9\n2 ./\n3 a/\n4 b/\n5 b/c/\n"
                                 "6 z\n7 a/x\n8 b/l\n9 b/c/f\n");
    free(text);
    tree_free(t);
}

static void make_odd_names(void)
{
    char name[300];

    put_dir("odd");
    put_file("odd/new\nline", 1);
    put_file("odd/\xff\xfe", 1);
    put_file("odd/ ", 1);
    put_file("odd/...", 1);
    put_file("odd/-rf *", 1);
    snprintf(name, sizeof(name), "odd/%0255d", 7);
    put_file(name, 1);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "odd/%02u", i);
        put_dir(name);
        for (unsigned k = 0; k < 30; k++) {
            snprintf(name, sizeof(name), "odd/%02u/%u", i, k);
            put_file(name, k);
        }
    }
}

/* Whatever thread is where, the numbers are the same. */
static void test_threads_agree(void)
{
    uint32_t last;
    struct tree *t;
    char *one, *many;

    make_odd_names();
    t = walk(at("odd"), 1, NULL, &last);
    one = picture(t, last);
    CU_ASSERT_EQUAL(last, STREAM_ROOT_INODE + 40 + 6 + 40 * 30);
    tree_free(t);
    for (unsigned round = 0; round < 5; round++) {
        t = walk(at("odd"), 8, NULL, &last);
        many = picture(t, last);
        CU_ASSERT_STRING_EQUAL(one, many);
        free(many);
        tree_free(t);
    }
    free(one);
}

/* Deeper than a path may be long: every directory can be opened, and paths are cut at the front. */
static void test_deep(void)
{
    int fd = open(scratch, O_RDONLY | O_DIRECTORY);
    char path[64];
    uint32_t last;
    struct tree *t;

    for (unsigned i = 0; i < 1000; i++) {
        int next;

        CU_ASSERT_EQUAL_FATAL(mkdirat(fd, "deep-level", 0755), 0);
        next = openat(fd, "deep-level", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    t = walk(at("deep-level"), 2, NULL, &last);
    CU_ASSERT_EQUAL(last, STREAM_ROOT_INODE + 999);
    for (uint32_t n = 0; n < tree_directories_numbered(t); n++) {
        uint32_t d = tree_directory_at(t, n);
        struct stat st;

        fd = tree_open(t, d);
        CU_ASSERT_TRUE_FATAL(fd >= 0);
        fstat(fd, &st);
        CU_ASSERT_EQUAL(st.st_ino, tree_node(t, tree_directory(t, d)->node)->ino);
        close(fd);
    }
    tree_path(t, tree_directory(t, tree_directory_at(t, 999))->node, path, sizeof(path));
    CU_ASSERT_EQUAL(strncmp(path, ".../deep-level", 14), 0);
    tree_path(t, 0, path, TREE_PATH_MIN);
    CU_ASSERT_STRING_EQUAL(path, ".");
    tree_free(t);
}

static void test_mounts(void)
{
    struct heard heard = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct walk_options options = {
        .path = "/dev", .threads = 2, .one_file_system = true, .warning = hear, .ctx = &heard};
    struct walk_totals totals;
    struct error err = ERROR_INIT;
    struct stat dev, pts;
    struct tree *t;
    bool seen = false;

    if (stat("/dev", &dev) != 0 || stat("/dev/pts", &pts) != 0 || dev.st_dev == pts.st_dev) {
        printf("(nothing is mounted below /dev) ");
        return;
    }
    CHECK_OK(walk_tree(&options, &t, &totals, &err), err);
    for (uint32_t i = 0; i < tree_directory_count(t); i++) {
        const struct tree_directory *d = tree_directory(t, i);
        char path[64];

        tree_path(t, d->node, path, sizeof(path));
        if (strcmp(path, "pts") == 0) {
            CU_ASSERT_EQUAL(d->count, 0);
            seen = true;
        }
    }
    CU_ASSERT_TRUE(seen);
    tree_free(t);
}

static void test_walk_refuses(void)
{
    struct walk_options options = {.threads = 1};
    struct walk_totals totals;
    struct error err = ERROR_INIT;
    struct tree *t;
    atomic_bool cancel = true;

    options.path = at("no-such-directory");
    CHECK_FAILS(walk_tree(&options, &t, &totals, &err), ERR_NOT_FOUND, err);
    put_file("a-file", 1);
    options.path = at("a-file");
    CHECK_FAILS(walk_tree(&options, &t, &totals, &err), ERR_USAGE, err);
    options.path = scratch;
    options.cancel = &cancel;
    CHECK_FAILS(walk_tree(&options, &t, &totals, &err), ERR_CANCELLED, err);
}

/* A symlink put in the place of a directory is not followed. */
static void test_swapped_directory(void)
{
    uint32_t last, index;
    struct tree *t;

    put_dir("swap");
    put_dir("swap/d");
    put_dir("swap/d/e");
    t = walk(at("swap"), 1, NULL, &last);
    CU_ASSERT_EQUAL(rename(at("swap/d"), at("swap/elsewhere")), 0);
    CU_ASSERT_EQUAL(symlink("elsewhere", at("swap/d")), 0);
    index = tree_directory_at(t, 2);
    CU_ASSERT_EQUAL(tree_open(t, index), -1);
    tree_free(t);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static struct reader *read_tree(const struct tree *t, unsigned threads, size_t window)
{
    struct reader_options options = {.tree = t, .threads = threads, .window = window};
    struct error err = ERROR_INIT;
    struct reader *r;

    CHECK_OK(reader_open(&options, &r, &err), err);
    return r;
}

/* Read the rest of the present file into memory; holes as zeros.  *holes: bytes in them. */
static uint8_t *take_all(struct reader *r, size_t size, size_t *got, size_t *holes)
{
    uint8_t *data = calloc(1, size + 1);
    struct reader_chunk chunk;

    *got = *holes = 0;
    while (reader_chunk(r, &chunk)) {
        CU_ASSERT_TRUE_FATAL(*got + chunk.len <= size);
        if (chunk.data)
            memcpy(data + *got, chunk.data, chunk.len);
        else
            *holes += chunk.len;
        *got += chunk.len;
    }
    return data;
}

static void test_read_in_order(void)
{
    static const struct {
        unsigned threads;
        size_t window;
    } ways[] = {{1, 64 * KIB}, {8, 64 * KIB}, {4, MIB}, {16, 0}};
    uint32_t last;
    struct tree *t;
    char name[64];

    put_dir("many");
    for (unsigned i = 0; i < 700; i++) { /* more than the reader begins at once */
        snprintf(name, sizeof(name), "many/%03u", i);
        put_file(name, i % 50 == 49 ? 700 * KIB + i : i * 3);
    }
    t = walk(at("many"), 4, NULL, &last);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        struct reader *r = read_tree(t, ways[w].threads, ways[w].window);
        const struct reader_file *f;
        uint32_t expected = STREAM_ROOT_INODE + 1;

        while ((f = reader_next(r)) != NULL) {
            size_t got, holes;
            uint8_t *data = take_all(r, f->inode.size, &got, &holes);

            CU_ASSERT_EQUAL(f->inode.ino, expected++);
            CU_ASSERT_EQUAL(got, f->inode.size);
            CU_ASSERT_EQUAL(f->outcome, 0);
            for (size_t i = 0; i < got; i++)
                if (data[i] != (uint8_t)(i * 31 >> 3)) {
                    CU_FAIL("wrong data");
                    break;
                }
            free(data);
            reader_end(r);
        }
        CU_ASSERT_EQUAL(expected, last + 1);
        reader_close(r);
    }
    /* Left in the middle, of a file and of the tree. */
    for (unsigned stop = 0; stop < 60; stop += 7) {
        struct reader *r = read_tree(t, 4, 128 * KIB);
        struct reader_chunk chunk;

        for (unsigned i = 0; i <= stop && reader_next(r); i++) {
            reader_chunk(r, &chunk);
            if (i < stop)
                reader_end(r);
        }
        reader_close(r);
    }
    tree_free(t);
}

static void test_sparse(void)
{
    const size_t size = 3 * MIB + 5;
    uint32_t last;
    struct tree *t;
    struct reader *r;
    const struct reader_file *f;
    uint8_t *data;
    size_t got, holes;
    int fd;

    put_dir("sparse");
    fd = open(at("sparse/f"), O_RDWR | O_CREAT, 0600);
    CU_ASSERT_EQUAL(ftruncate(fd, (off_t)size), 0);
    CU_ASSERT_EQUAL(pwrite(fd, "middle", 6, MIB), 6);
    close(fd);
    put_dir("sparse/z");
    fd = open(at("sparse/z/empty"), O_RDWR | O_CREAT, 0600);
    CU_ASSERT_EQUAL(ftruncate(fd, (off_t)1 << 40), 0);
    close(fd);
    t = walk(at("sparse"), 1, NULL, &last);
    r = read_tree(t, 1, 0);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->inode.size, size);
    data = take_all(r, size, &got, &holes);
    CU_ASSERT_EQUAL(got, size);
    CU_ASSERT_TRUE(holes >= 2 * MIB);
    CU_ASSERT_EQUAL(memcmp(data + MIB, "middle", 6), 0);
    CU_ASSERT_EQUAL(data[0] | data[MIB - 1] | data[size - 1], 0);
    free(data);
    reader_end(r);
    f = reader_next(r); /* a TiB of nothing: one chunk */
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    {
        struct reader_chunk chunk;
        uint64_t total = 0;
        unsigned chunks = 0;

        while (reader_chunk(r, &chunk)) {
            CU_ASSERT_PTR_NULL(chunk.data);
            total += chunk.len;
            chunks++;
        }
        CU_ASSERT_EQUAL(total, (uint64_t)1 << 40);
        CU_ASSERT_EQUAL(chunks, 1);
    }
    reader_end(r);
    CU_ASSERT_PTR_NULL(reader_next(r));
    reader_close(r);
    tree_free(t);
}

static void test_attributes(void)
{
    uint32_t last;
    struct tree *t;
    struct reader *r;
    const struct reader_file *f;
    struct timespec times[2] = {{1000000000, 123456789}, {-86400, 999999999}};
    bool xattrs;

    put_dir("attributes");
    put_file("attributes/f", 5);
    CU_ASSERT_EQUAL(symlink("target\n", at("attributes/l")), 0);
    CU_ASSERT_EQUAL(chmod(at("attributes/f"), 04751), 0);
    xattrs = setxattr(at("attributes/f"), "user.one", "1", 1, 0) == 0 &&
             setxattr(at("attributes/f"), "user.two", "", 0, 0) == 0;
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, at("attributes/f"), times, 0), 0);
    t = walk(at("attributes"), 1, NULL, &last);
    r = read_tree(t, 1, 0);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->inode.mode, S_IFREG | 04751);
    CU_ASSERT_EQUAL(f->inode.nlink, 1);
    CU_ASSERT_EQUAL(f->inode.uid, geteuid());
    CU_ASSERT_EQUAL(f->inode.atime_ns, 1000000000123456789);
    CU_ASSERT_EQUAL(f->inode.mtime_ns, -86400 * 1000000000ll + 999999999);
    if (xattrs) {
        CU_ASSERT_EQUAL_FATAL(f->xattrs.count, 2);
        for (size_t i = 0; i < 2; i++)
            CU_ASSERT_EQUAL(f->xattrs.list[i].len,
                            strcmp(f->xattrs.list[i].name, "user.one") == 0 ? 1u : 0u);
    }
    reader_end(r);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->inode.size, 7);
    CU_ASSERT_EQUAL(memcmp(f->link, "target\n", 7), 0);
    reader_end(r);
    reader_close(r);
    tree_free(t);
}

/* Between the walk and the reading, all kinds of things happen to the files. */
static void test_changed_since_the_walk(void)
{
    static const struct {
        const char *name;
        unsigned outcome;
    } cases[] = {
        {"a-gone", FILE_VANISHED},           {"b-directory", FILE_OTHER_TYPE},
        {"c-symlink", FILE_OTHER_TYPE},      {"d-fifo", FILE_OTHER_TYPE},
        {"e-replaced", FILE_REPLACED},       {"f-longer", 0},
        {"g-link-to-file", FILE_OTHER_TYPE}, {"h-good", 0},
    };
    uint32_t last;
    struct tree *t;
    struct reader *r;

    put_dir("changing");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[64];

        snprintf(name, sizeof(name), "changing/%s", cases[i].name);
        if (cases[i].name[0] == 'g') {
            CU_ASSERT_EQUAL(symlink("x", at(name)), 0);
        } else {
            put_file(name, 100);
        }
    }
    t = walk(at("changing"), 1, NULL, &last);
    unlink(at("changing/a-gone"));
    unlink(at("changing/b-directory"));
    put_dir("changing/b-directory");
    unlink(at("changing/c-symlink"));
    CU_ASSERT_EQUAL(symlink("/etc/passwd", at("changing/c-symlink")), 0);
    unlink(at("changing/d-fifo"));
    CU_ASSERT_EQUAL(mkfifo(at("changing/d-fifo"), 0600), 0); /* opening it must not hang */
    put_file("changing/new", 33);
    CU_ASSERT_EQUAL(rename(at("changing/new"), at("changing/e-replaced")), 0);
    put_file("changing/f-longer", 5000);
    unlink(at("changing/g-link-to-file"));
    put_file("changing/g-link-to-file", 1);
    r = read_tree(t, 3, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct reader_file *f = reader_next(r);
        struct reader_chunk chunk;
        uint64_t total = 0;

        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        while (reader_chunk(r, &chunk))
            total += chunk.len;
        CU_ASSERT_EQUAL(f->outcome, cases[i].outcome);
        if (!(f->outcome & FILE_LEFT_OUT)) {
            CU_ASSERT_EQUAL(total, i == 4 ? 33u : i == 5 ? 5000u : 100u);
        }
        reader_end(r);
    }
    reader_close(r);
    tree_free(t);
}

static void test_directory_gone(void)
{
    uint32_t last;
    struct tree *t;
    struct reader *r;
    const struct reader_file *f;

    put_dir("goes");
    put_dir("goes/d");
    put_file("goes/d/f", 1);
    t = walk(at("goes"), 1, NULL, &last);
    unlink(at("goes/d/f"));
    rmdir(at("goes/d"));
    r = read_tree(t, 1, 0);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->outcome, FILE_VANISHED);
    reader_end(r);
    reader_close(r);
    tree_free(t);
}

/* While a file is being read: with a window of two chunks the reader can't be at the end yet when
 * the consumer has the first. */
static unsigned change_while_reading(const char *name, void (*change)(const char *path),
                                     uint64_t *total, uint64_t *size)
{
    const size_t large = 4 * MIB;
    uint32_t last;
    struct tree *t;
    struct reader *r;
    const struct reader_file *f;
    struct reader_chunk chunk;
    unsigned outcome;
    char file[64];

    put_dir(name);
    snprintf(file, sizeof(file), "%s/f", name);
    put_file(file, large);
    t = walk(at(name), 1, NULL, &last);
    r = read_tree(t, 2, 2 * READER_CHUNK);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    *total = 0;
    CU_ASSERT_TRUE_FATAL(reader_chunk(r, &chunk));
    *total += chunk.len;
    change(at(file));
    while (reader_chunk(r, &chunk))
        *total += chunk.len;
    outcome = f->outcome;
    *size = f->inode.size;
    reader_end(r);
    reader_close(r);
    tree_free(t);
    return outcome;
}

static void shrink(const char *path)
{
    CU_ASSERT_EQUAL(truncate(path, 100), 0);
}

static void grow(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);

    CU_ASSERT_EQUAL(write(fd, "more", 4), 4);
    close(fd);
}

static void overwrite(const char *path)
{
    int fd = open(path, O_WRONLY);
    struct timespec now[2] = {{0, UTIME_OMIT}, {1, 2}};

    CU_ASSERT_EQUAL(pwrite(fd, "other", 5, 0), 5);
    futimens(fd, now); /* a clock may be too coarse to tell two changes apart */
    close(fd);
}

static void leave(const char *path)
{
    (void)path;
}

static void test_changed_while_reading(void)
{
    uint64_t total, size;
    unsigned outcome;

    outcome = change_while_reading("shrinks", shrink, &total, &size);
    CU_ASSERT_EQUAL(outcome & (FILE_SHRANK | FILE_GREW), FILE_SHRANK);
    CU_ASSERT_EQUAL(size, 4 * MIB);
    CU_ASSERT_TRUE(total < size);
    outcome = change_while_reading("grows", grow, &total, &size);
    CU_ASSERT_EQUAL(outcome, FILE_CHANGED | FILE_GREW);
    CU_ASSERT_EQUAL(total, 4 * MIB);
    CU_ASSERT_EQUAL(size, 4 * MIB);
    outcome = change_while_reading("changes", overwrite, &total, &size);
    CU_ASSERT_EQUAL(outcome, FILE_CHANGED);
    CU_ASSERT_EQUAL(total, size);
    outcome = change_while_reading("stays", leave, &total, &size);
    CU_ASSERT_EQUAL(outcome, 0);
}

/* A disk with a bad spot, and one that is all bad. */
static off_t bad_from, bad_to;

static ssize_t bad_read(int fd, void *buf, size_t len, off_t offset)
{
    if (offset < bad_to && offset + (off_t)len > bad_from) {
        if (offset >= bad_from) {
            errno = EIO;
            return -1;
        }
        len = (size_t)(bad_from - offset);
    }
    return pread(fd, buf, len, offset);
}

static void read_bad(const struct tree *t, size_t size, size_t expected_holes)
{
    struct reader_options options = {.tree = t, .threads = 1, .read_at = bad_read};
    const struct reader_file *f;
    struct error err = ERROR_INIT;
    struct reader *r;
    uint8_t *data;
    size_t got, holes, wrong = 0;

    CHECK_OK(reader_open(&options, &r, &err), err);
    f = reader_next(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    data = take_all(r, size, &got, &holes);
    CU_ASSERT_EQUAL(got, size);
    CU_ASSERT_EQUAL(holes, expected_holes);
    CU_ASSERT_EQUAL(f->outcome, FILE_READ_ERROR);
    CU_ASSERT_EQUAL(f->error, EIO);
    for (size_t i = 0; i < size; i++)
        if ((off_t)i < bad_from || (off_t)i >= bad_to)
            wrong += data[i] != (uint8_t)(i * 31 >> 3);
    CU_ASSERT_EQUAL(wrong, 0);
    free(data);
    reader_end(r);
    reader_close(r);
}

static void test_read_errors(void)
{
    const size_t size = 3 * MIB;
    uint32_t last;
    struct tree *t;

    put_dir("bad");
    put_file("bad/f", size);
    t = walk(at("bad"), 1, NULL, &last);
    bad_from = 300 * 4096;
    bad_to = 302 * 4096;
    read_bad(t, size, 2 * 4096);
    bad_from = 0;
    bad_to = (off_t)size;
    read_bad(t, size, size);
    tree_free(t);
}

static const struct check_test tests[] = {
    {"numbers", test_numbers},
    {"threads_agree", test_threads_agree},
    {"deep", test_deep},
    {"mounts", test_mounts},
    {"walk_refuses", test_walk_refuses},
    {"swapped_directory", test_swapped_directory},
    {"read_in_order", test_read_in_order},
    {"sparse", test_sparse},
    {"attributes", test_attributes},
    {"changed_since_the_walk", test_changed_since_the_walk},
    {"directory_gone", test_directory_gone},
    {"changed_while_reading", test_changed_while_reading},
    {"read_errors", test_read_errors},
};

int main(int argc, char **argv)
{
    int rc;

    if (scratch_make() != 0)
        return 99;
    rc = check_main("dump_tree", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    scratch_remove(scratch);
    return rc;
}
