/* SPDX-License-Identifier: Apache-2.0 */
/* test_catalog.c - images, parts and file history: kept, found, listed, deleted, the same again. */
#include "tests/unit/catalog_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

/* ---- images ---------------------------------------------------------------------------------- */

static void same_image(const struct catalog_image *a, const struct catalog_image *b)
{
    CU_ASSERT_STRING_EQUAL(a->uuid, b->uuid);
    CU_ASSERT_STRING_EQUAL(a->host, b->host);
    CU_ASSERT_STRING_EQUAL(a->path, b->path);
    CU_ASSERT_STRING_EQUAL(a->label, b->label);
    CU_ASSERT_STRING_EQUAL(a->base_uuid, b->base_uuid);
    CU_ASSERT_EQUAL(a->level, b->level);
    CU_ASSERT_EQUAL(a->date_ns, b->date_ns);
    CU_ASSERT_EQUAL(a->ended_ns, b->ended_ns);
    CU_ASSERT_EQUAL(a->blocking, b->blocking);
    CU_ASSERT_EQUAL(a->files, b->files);
    CU_ASSERT_EQUAL(a->directories, b->directories);
    CU_ASSERT_EQUAL(a->bytes, b->bytes);
    CU_ASSERT_EQUAL(a->stream_blocks, b->stream_blocks);
    CU_ASSERT_EQUAL(a->warnings, b->warnings);
    CU_ASSERT_EQUAL(a->state, b->state);
    CU_ASSERT_EQUAL(a->id, b->id);
}

static void same_part(const struct catalog_part *a, const struct catalog_part *b)
{
    CU_ASSERT_EQUAL(a->volume, b->volume);
    CU_ASSERT_STRING_EQUAL(a->barcode, b->barcode);
    CU_ASSERT_EQUAL(a->file, b->file);
    CU_ASSERT_EQUAL(a->first_block, b->first_block);
    CU_ASSERT_EQUAL(a->first_stream, b->first_stream);
    CU_ASSERT_EQUAL(a->stream_blocks, b->stream_blocks);
}

static void test_image_round_trip(void)
{
    struct error err = ERROR_INIT;
    struct catalog_image in = image_of(UUID_A, 1700000000), out;
    struct catalog_part *parts;
    size_t count;
    bool used;

    fixture_begin();
    CHECK_FAILS(catalog_image(fixture, "latest", &out, &err), ERR_NOT_FOUND, err);
    add_image(UUID_A, 1700000000);
    fixture_reopen();
    CHECK_OK(catalog_image(fixture, UUID_A, &out, &err), err);
    in.id = 1;
    same_image(&in, &out);
    CHECK_OK(catalog_parts(fixture, UUID_A, &parts, &count, &err), err);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    same_part(&parts[0], &fixture_parts[0]);
    same_part(&parts[1], &fixture_parts[1]);
    free(parts);
    CHECK_FAILS(catalog_parts(fixture, UUID_B, &parts, &count, &err), ERR_NOT_FOUND, err);
    CHECK_OK(catalog_volume_used(fixture, "ABC002L8", &used, &err), err);
    CU_ASSERT_TRUE(used);
    CHECK_OK(catalog_volume_used(fixture, "ABC003L8", &used, &err), err);
    CU_ASSERT_FALSE(used);
    CHECK_OK(catalog_check(fixture, &err), err);
    fixture_end();
}

static int note_uuid(void *ctx, const struct catalog_image *image)
{
    char *list = ctx;
    struct error err = ERROR_INIT;
    struct catalog_part *parts;
    size_t count;

    /* The catalog may be used inside of its own listing. */
    CHECK_OK(catalog_parts(fixture, image->uuid, &parts, &count, &err), err);
    free(parts);
    strncat(list, image->uuid + 24, 1);
    return strlen(list) == 7 ? 42 : 0;
}

static void test_images_in_order(void)
{
    struct error err = ERROR_INIT;
    struct catalog_image out;
    char list[8] = "";

    fixture_begin();
    add_image(UUID_B, 3000);
    add_image(UUID_A, 1000);
    add_image(UUID_C, 3000);
    CHECK_OK(catalog_images(fixture, note_uuid, list, &err), err);
    CU_ASSERT_STRING_EQUAL(list, "567"); /* A, then B and C of one date as they came */
    strcpy(list, "xxxxxx");
    CU_ASSERT_EQUAL(catalog_images(fixture, note_uuid, list, &err), 42);
    CHECK_OK(catalog_image(fixture, "latest", &out, &err), err);
    CU_ASSERT_STRING_EQUAL(out.uuid, UUID_C);
    CHECK_OK(catalog_image(fixture, "9999", &out, &err), err);
    CU_ASSERT_STRING_EQUAL(out.uuid, UUID_C);
    CHECK_FAILS(catalog_image(fixture, "1111", &out, &err), ERR_USAGE, err);
    CHECK_FAILS(catalog_image(fixture, "999", &out, &err), ERR_USAGE, err);
    CHECK_FAILS(catalog_image(fixture, "9%%%", &out, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_image(fixture, "abcd", &out, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_image(fixture, UUID_A "0", &out, &err), ERR_USAGE, err);
    fixture_end();
}

static void test_generation_and_delete(void)
{
    struct error err = ERROR_INIT;
    struct catalog_index *idx;
    struct catalog *other;
    uint64_t before, after;
    struct catalog_image out;
    char path[160];
    uint32_t ino;

    fixture_begin();
    CHECK_OK(catalog_open(catalog_dir, false, &other, &err), err);
    CHECK_OK(catalog_generation(other, &before, &err), err);
    add_image(UUID_A, 1000);
    CHECK_OK(catalog_generation(other, &after, &err), err);
    CU_ASSERT_TRUE(after > before);
    CHECK_OK(catalog_index_open(other, UUID_A, &idx, &err), err);
    before = after;
    CHECK_OK(catalog_image_delete(fixture, UUID_A, &err), err);
    CHECK_OK(catalog_generation(other, &after, &err), err);
    CU_ASSERT_TRUE(after > before);
    CHECK_OK(catalog_index_path(idx, "sub/hard", &ino, &err), err); /* open: still readable */
    catalog_index_close(idx);
    CHECK_FAILS(catalog_index_open(other, UUID_A, &idx, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_image(other, UUID_A, &out, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_image_delete(other, UUID_A, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_image_delete(other, "../../etc/passwd", &err), ERR_USAGE, err);
    index_path(UUID_A, path);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    add_image(UUID_A, 1000); /* and it may come back, under a new number */
    CHECK_OK(catalog_image(other, UUID_A, &out, &err), err);
    CU_ASSERT_EQUAL(out.id, 2);
    CHECK_OK(catalog_index_open(other, UUID_A, &idx, &err), err);
    catalog_index_close(idx);
    catalog_close(other);
    fixture_end();
}

static void test_bad_images_are_refused(void)
{
    struct error err = ERROR_INIT;
    struct catalog_writer *w;
    struct catalog_image image = image_of(UUID_A, 1000);
    struct catalog_part parts[2];

    fixture_begin();
    CHECK_FAILS(catalog_writer_begin(fixture, "no uuid", &w, &err), ERR_USAGE, err);
    CHECK_FAILS(catalog_writer_begin(fixture, "../1111-2222-3333-4444-555555555555xx", &w, &err),
                ERR_USAGE, err);
    for (int bad = 0; bad < 6; bad++) {
        memcpy(parts, fixture_parts, sizeof(parts));
        image = image_of(UUID_A, 1000);
        if (bad == 0)
            parts[1].first_stream = 601; /* a gap */
        if (bad == 1)
            parts[1].first_stream = 599; /* an overlap */
        if (bad == 2)
            parts[1].stream_blocks = UINT64_MAX;
        if (bad == 3)
            image.stream_blocks = 1001;
        if (bad == 4)
            strcpy(image.uuid, UUID_B);
        if (bad == 5)
            parts[0].barcode[0] = '\0';
        CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
        CHECK_FAILS(catalog_writer_commit(w, &image, parts, 2, &err), ERR_RANGE, err);
    }
    add_image(UUID_A, 1000);
    CHECK_FAILS(catalog_writer_begin(fixture, UUID_A, &w, &err), ERR_EXISTS, err);
    fixture_end();
}

/* ---- file history ---------------------------------------------------------------------------- */

struct listing {
    size_t count;
    char names[16][CATALOG_NAME_MAX];
    size_t lens[16];
    uint32_t inos[16];
    size_t stop_after; /* 0: never */
};

static int note_entry(void *ctx, const struct catalog_entry *entry)
{
    struct listing *list = ctx;

    CU_ASSERT_TRUE_FATAL(list->count < 16);
    memcpy(list->names[list->count], entry->name, entry->name_len);
    list->lens[list->count] = entry->name_len;
    list->inos[list->count++] = entry->inode.ino;
    return list->count == list->stop_after ? 7 : 0;
}

static void test_entries(void)
{
    struct error err = ERROR_INIT;
    struct catalog_index *idx;
    static struct listing list;
    size_t odd = sizeof(odd_names) / sizeof(odd_names[0]);
    uint32_t ino;

    fixture_begin();
    add_image(UUID_A, 1000);
    CHECK_OK(catalog_index_open(fixture, UUID_A, &idx, &err), err);
    list = (struct listing){0};
    CHECK_OK(catalog_index_entries(idx, 2, NULL, 0, note_entry, &list, &err), err);
    CU_ASSERT_EQUAL_FATAL(list.count, odd + 1);
    for (size_t i = 0; i + 1 < list.count; i++) { /* in order of bytes */
        size_t shorter = list.lens[i] < list.lens[i + 1] ? list.lens[i] : list.lens[i + 1];

        CU_ASSERT_TRUE(memcmp(list.names[i], list.names[i + 1], shorter) <= 0);
    }
    for (size_t i = 0; i < odd; i++) {
        CHECK_OK(catalog_index_lookup(idx, 2, odd_names[i], strlen(odd_names[i]), &ino, &err), err);
        CU_ASSERT_EQUAL(ino, 10 + i);
    }
    /* On from the third: the rest. */
    ino = list.inos[3];
    memset(list.names[5], 0, 1);
    list.count = 0;
    CHECK_OK(catalog_index_entries(idx, 2, list.names[2], list.lens[2], note_entry, &list, &err),
             err);
    CU_ASSERT_EQUAL(list.count, odd + 1 - 3);
    CU_ASSERT_EQUAL(list.inos[0], ino);
    list = (struct listing){.stop_after = 2};
    CU_ASSERT_EQUAL(catalog_index_entries(idx, 2, NULL, 0, note_entry, &list, &err), 7);
    CU_ASSERT_EQUAL(list.count, 2);
    list = (struct listing){0};
    CHECK_OK(catalog_index_entries(idx, 99, NULL, 0, note_entry, &list, &err), err);
    CU_ASSERT_EQUAL(list.count, 0);
    CHECK_FAILS(catalog_index_lookup(idx, 2, "su", 2, &ino, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_index_lookup(idx, 2, "sub\0", 4, &ino, &err), ERR_NOT_FOUND, err);
    CHECK_OK(catalog_index_path(idx, "//sub///hard/", &ino, &err), err);
    CU_ASSERT_EQUAL(ino, 10);
    CHECK_OK(catalog_index_path(idx, "", &ino, &err), err);
    CU_ASSERT_EQUAL(ino, 2);
    CHECK_FAILS(catalog_index_path(idx, "sub/hard/x", &ino, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_index_path(idx, "sub/../sub", &ino, &err), ERR_NOT_FOUND, err);
    catalog_index_close(idx);
    fixture_end();
}

static int note_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    char *list = ctx;

    strcat(list, name);
    sprintf(list + strlen(list), "=%zu%s;", len, len == 3 && !memcmp(value, "z\0z", 3) ? "ok" : "");
    return 0;
}

static void test_inodes(void)
{
    struct error err = ERROR_INIT;
    struct catalog_index *idx;
    struct catalog_inode inode;
    char list[128] = "";

    fixture_begin();
    add_image(UUID_A, 1000);
    CHECK_OK(catalog_index_open(fixture, UUID_A, &idx, &err), err);
    CHECK_OK(catalog_index_inode(idx, 4, &inode, &err), err);
    CU_ASSERT_EQUAL(inode.ino, 4);
    CU_ASSERT_EQUAL(inode.mode, S_IFLNK | 0777);
    CU_ASSERT_EQUAL(inode.uid, 4294967294u);
    CU_ASSERT_EQUAL(inode.gid, 100);
    CU_ASSERT_EQUAL(inode.nlink, 1);
    CU_ASSERT_EQUAL(inode.rdev, 0x801);
    CU_ASSERT_EQUAL(inode.size, 10000000004ull);
    CU_ASSERT_EQUAL(inode.atime_ns, -1500000000);
    CU_ASSERT_EQUAL(inode.mtime_ns, 1700000000123456789);
    CU_ASSERT_EQUAL(inode.ctime_ns, 1700000000000000001);
    CU_ASSERT_EQUAL(inode.btime_ns, 4);
    CU_ASSERT_EQUAL(inode.blocks512, 8);
    CU_ASSERT_EQUAL(inode.address, 4);
    CU_ASSERT_EQUAL(inode.flags, 0x10);
    CU_ASSERT_EQUAL_FATAL(inode.link_len, 11);
    CU_ASSERT_EQUAL(memcmp(inode.link, "../\xff target", 11), 0);
    catalog_inode_release(&inode);
    CHECK_OK(catalog_index_inode(idx, 2, &inode, &err), err);
    CU_ASSERT_EQUAL(inode.address, UINT64_MAX);
    CU_ASSERT_PTR_NULL(inode.link);
    CHECK_FAILS(catalog_index_inode(idx, 77, &inode, &err), ERR_NOT_FOUND, err);
    CHECK_OK(catalog_index_xattrs(idx, 10, note_xattr, list, &err), err);
    CU_ASSERT_STRING_EQUAL(list, "system.posix_acl_access=0;user.z=3ok;");
    catalog_index_close(idx);
    fixture_end();
}

static void test_bad_rows_are_refused(void)
{
    struct error err = ERROR_INIT;
    struct catalog_writer *w;
    struct catalog_inode inode = {.ino = 5, .mode = S_IFREG};
    static char big[CATALOG_NAME_MAX + 2];

    fixture_begin();
    memset(big, 'n', sizeof(big) - 1);
    CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
    CHECK_FAILS(catalog_writer_entry(w, 2, "", 0, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_entry(w, 2, ".", 1, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_entry(w, 2, "..", 2, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_entry(w, 2, "a/b", 3, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_entry(w, 2, "a\0b", 3, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_entry(w, 2, big, 256, 5, &err), ERR_RANGE, err);
    CHECK_OK(catalog_writer_entry(w, 2, big, 255, 5, &err), err);
    CHECK_OK(catalog_writer_entry(w, 2, "...", 3, 5, &err), err);
    CHECK_FAILS(catalog_writer_entry(w, 2, "...", 3, 6, &err), ERR_EXISTS, err);
    CHECK_OK(catalog_writer_inode(w, &inode, &err), err);
    CHECK_FAILS(catalog_writer_inode(w, &inode, &err), ERR_EXISTS, err);
    inode.ino = 0;
    CHECK_FAILS(catalog_writer_inode(w, &inode, &err), ERR_RANGE, err);
    CHECK_FAILS(catalog_writer_xattr(w, 5, "", "", 0, &err), ERR_RANGE, err);
    catalog_writer_abort(w);
    catalog_writer_abort(NULL);
    fixture_end();
}

enum { MANY = 100000 };

static int count_entry(void *ctx, const struct catalog_entry *entry)
{
    size_t *count = ctx;
    char expected[16];

    snprintf(expected, sizeof(expected), "file%07zu", *count);
    CU_ASSERT_TRUE(entry->name_len == 11 && memcmp(entry->name, expected, 11) == 0);
    CU_ASSERT_EQUAL(entry->inode.ino, 3 + *count);
    (*count)++;
    return 0;
}

static void test_large_directory(void)
{
    struct error err = ERROR_INIT;
    struct catalog_image image = image_of(UUID_A, 1000);
    struct catalog_index *idx;
    struct catalog_writer *w;
    struct timespec begin, end;
    size_t count = 0;
    char name[16];
    double seconds;

    fixture_begin();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    image.stream_blocks = 1 << 20;
    CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
    write_inode(w, 2, S_IFDIR | 0755, NULL);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "file%07u", i);
        CHECK_OK(catalog_writer_entry(w, 2, name, 11, 3 + i, &err), err);
        write_inode(w, 3 + i, S_IFREG | 0644, NULL);
    }
    CHECK_OK(catalog_writer_commit(
                 w, &image,
                 &(struct catalog_part){.volume = 1, .barcode = "A", .stream_blocks = 1 << 20}, 1,
                 &err),
             err);
    clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("(%.0f rows/s) ", 2 * MANY / seconds);
    CHECK_OK(catalog_index_open(fixture, UUID_A, &idx, &err), err);
    CHECK_OK(catalog_index_entries(idx, 2, NULL, 0, count_entry, &count, &err), err);
    CU_ASSERT_EQUAL(count, MANY);
    catalog_index_close(idx);
    CHECK_OK(catalog_check(fixture, &err), err);
    fixture_end();
}

static void test_digest(void)
{
    struct error err = ERROR_INIT;
    struct catalog_image image = image_of(UUID_A, 1000);
    struct catalog_writer *w;
    uint8_t first[32], again[32];

    fixture_begin();
    add_image(UUID_A, 1000);
    add_image(UUID_B, 2000);
    CHECK_OK(catalog_digest(fixture, first, &err), err);
    fixture_end();
    fixture_begin(); /* other order of images and rows, other numbers */
    add_image(UUID_C, 3000);
    add_image(UUID_B, 2000);
    CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
    write_tree(w, true);
    CHECK_OK(catalog_writer_commit(w, &image, fixture_parts, 2, &err), err);
    CHECK_OK(catalog_digest(fixture, again, &err), err);
    CU_ASSERT_NOT_EQUAL(memcmp(first, again, 32), 0);
    CHECK_OK(catalog_image_delete(fixture, UUID_C, &err), err);
    CHECK_OK(catalog_digest(fixture, again, &err), err);
    CU_ASSERT_EQUAL(memcmp(first, again, 32), 0);
    /* One value more in one row is another digest. */
    CHECK_OK(catalog_image_delete(fixture, UUID_A, &err), err);
    CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
    write_tree(w, true);
    CHECK_OK(catalog_writer_xattr(w, 2, "user.one", "", 0, &err), err);
    CHECK_OK(catalog_writer_commit(w, &image, fixture_parts, 2, &err), err);
    CHECK_OK(catalog_digest(fixture, again, &err), err);
    CU_ASSERT_NOT_EQUAL(memcmp(first, again, 32), 0);
    fixture_end();
}

/* ---- crashes and neighbours ------------------------------------------------------------------ */

static size_t files_in_images(void)
{
    char path[96];
    size_t count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/images", catalog_dir);
    dir = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void test_debris(void)
{
    struct error err = ERROR_INIT;
    struct catalog_writer *w;
    char from[160], to[160], keep[160], command[640];
    int status;
    pid_t pid;

    fixture_begin();
    add_image(UUID_A, 1000);
    pid = fork();
    if (pid == 0) { /* dies while it writes */
        _exit(catalog_writer_begin(fixture, UUID_B, &w, &err) != 0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(files_in_images(), 2);
    /* The end between rename and row leaves an index that no row names. */
    index_path(UUID_A, from);
    index_path(UUID_C, to);
    snprintf(keep, sizeof(keep), "%s/images/notes.txt", catalog_dir);
    snprintf(command, sizeof(command), "cp %s %s && touch %s", from, to, keep);
    CU_ASSERT_EQUAL(system(command), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(files_in_images(), 2); /* the index of A and the stranger's file */
    CU_ASSERT_EQUAL(access(from, F_OK), 0);
    CU_ASSERT_EQUAL(access(keep, F_OK), 0);
    CHECK_OK(catalog_check(fixture, &err), err);
    fixture_end();
}

static void test_living_writers_are_no_debris(void)
{
    struct error err = ERROR_INIT;
    struct catalog_image image = image_of(UUID_A, 1000);
    struct catalog_writer *w;
    struct catalog *other;

    fixture_begin();
    CHECK_OK(catalog_writer_begin(fixture, UUID_A, &w, &err), err);
    write_tree(w, false);
    CHECK_OK(catalog_open(catalog_dir, false, &other, &err), err);
    CU_ASSERT_EQUAL(files_in_images(), 1);
    CHECK_OK(try_image(other, UUID_A, 5, &err), err); /* and is faster */
    CHECK_FAILS(catalog_writer_commit(w, &image, fixture_parts, 2, &err), ERR_EXISTS, err);
    CU_ASSERT_EQUAL(files_in_images(), 1);
    CHECK_OK(catalog_check(other, &err), err);
    catalog_close(other);
    fixture_end();
}

/* Kill a process that adds and deletes images, at any moment; what is left is always right. */
static void test_kill(void)
{
    struct error err = ERROR_INIT;
    uint64_t generation, last = 1; /* that of an empty catalog */
    unsigned seed = 1;

    fixture_begin();
    /* On a slow machine it takes more rounds until enough has happened. */
    for (int round = 0; round < 30 || (last <= 30 && round < 600); round++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            struct catalog *own;
            int rc = catalog_open(catalog_dir, false, &own, &err);

            while (rc == 0 || rc == -ERR_EXISTS) {
                rc = try_image(own, UUID_A, round, &err);
                rc = catalog_image_delete(own, UUID_A, &err);
            }
            fprintf(stderr, "%s\n", err.message);
            _exit(1);
        }
        do { /* it must have changed something before it dies */
            usleep(500);
            CHECK_OK(catalog_generation(fixture, &generation, &err), err);
        } while (generation == last && waitpid(pid, &status, WNOHANG) == 0);
        seed = seed * 1103515245 + 12345;
        usleep(seed / 65536 % 8000);
        kill(pid, SIGKILL);
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_TRUE(WIFSIGNALED(status));
        fixture_reopen();
        CHECK_OK(catalog_check(fixture, &err), err);
        CHECK_OK(catalog_generation(fixture, &generation, &err), err);
        CU_ASSERT_TRUE(generation > last);
        last = generation;
    }
    fixture_end();
}

struct census {
    size_t images, entries;
    struct error *err;
};

static int count_any(void *ctx, const struct catalog_entry *entry)
{
    size_t *count = ctx;

    *count += entry->name_len > 0;
    return 0;
}

static int census_image(void *ctx, const struct catalog_image *image)
{
    struct census *census = ctx;
    struct catalog_index *idx;
    int rc = catalog_index_open(fixture, image->uuid, &idx, census->err);

    if (rc != 0)
        return rc;
    rc = catalog_index_entries(idx, 2, NULL, 0, count_any, &census->entries, census->err);
    catalog_index_close(idx);
    census->images++;
    return rc;
}

/* One process adds images, another reads: it never sees a row without its index. */
static void test_two_processes(void)
{
    enum { IMAGES = 40 };
    struct error err = ERROR_INIT;
    struct census census;
    int status;
    pid_t pid;

    fixture_begin();
    pid = fork();
    if (pid == 0) {
        char uuid[CATALOG_UUID_TEXT] = UUID_A;
        struct catalog *own;
        int rc = catalog_open(catalog_dir, false, &own, &err);

        for (int i = 0; i < IMAGES && rc == 0; i++) {
            snprintf(uuid + 24, sizeof(uuid) - 24, "%012d", i);
            rc = try_image(own, uuid, i, &err);
        }
        catalog_close(own);
        _exit(rc != 0);
    }
    do {
        census = (struct census){.err = &err};
        CHECK_OK(catalog_images(fixture, census_image, &census, &err), err);
        CU_ASSERT_EQUAL(census.entries, census.images * 8);
    } while (census.images < IMAGES && waitpid(pid, &status, WNOHANG) == 0);
    if (census.images == IMAGES)
        waitpid(pid, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
    census = (struct census){.err = &err};
    CHECK_OK(catalog_images(fixture, census_image, &census, &err), err);
    CU_ASSERT_EQUAL(census.images, IMAGES); /* more than the cache keeps open */
    fixture_end();
}

static const struct check_test tests[] = {
    {"image round trip", test_image_round_trip},
    {"images in order", test_images_in_order},
    {"generation and delete", test_generation_and_delete},
    {"bad images are refused", test_bad_images_are_refused},
    {"entries", test_entries},
    {"inodes", test_inodes},
    {"bad rows are refused", test_bad_rows_are_refused},
    {"large directory", test_large_directory},
    {"digest", test_digest},
    {"debris", test_debris},
    {"living writers are no debris", test_living_writers_are_no_debris},
    {"kill", test_kill},
    {"two processes", test_two_processes},
};

CHECK_MAIN("catalog", tests)
