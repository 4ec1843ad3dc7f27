/* SPDX-License-Identifier: Apache-2.0 */
/* test_view.c - the levels above the images, and the cache of tape blocks. */
#include "tests/unit/catalog_fixture.h"

#include <sqlite3.h>

#include "fuse/records.h"
#include "fuse/tree.h"

static struct tree_cache *cache;

static void begin(void)
{
    struct error err = ERROR_INIT;

    fixture_begin();
    CHECK_OK(view_tree_cache_open(fixture, &cache, &err), err);
}

static void end(void)
{
    view_tree_cache_close(cache);
    fixture_end();
}

static struct tree *get(void)
{
    struct error err = ERROR_INIT;
    struct tree *tree = NULL;

    CHECK_OK(view_tree_get(cache, &tree, &err), err);
    return tree;
}

static void add(const char *uuid, int64_t date_s, const char *host, const char *path,
                const struct catalog_part *parts, size_t count)
{
    struct error err = ERROR_INIT;
    struct catalog_image image = image_of(uuid, date_s);
    struct catalog_writer *w;

    snprintf(image.host, sizeof(image.host), "%s", host);
    snprintf(image.path, sizeof(image.path), "%s", path);
    CHECK_OK(catalog_writer_begin(fixture, uuid, &w, &err), err);
    write_tree(w, false);
    CHECK_OK(catalog_writer_commit(w, &image, parts, count, &err), err);
}

/* Names of the children of a directory, each found again by its name, with one space between. */
static const char *names(const struct tree *tree, uint64_t directory)
{
    static char text[4096];
    struct tree_child child, found;

    text[0] = '\0';
    for (size_t i = 0; view_tree_child(tree, directory, i, &child); i++) {
        size_t used = strlen(text);
        enum tree_type type;
        int64_t changed;

        snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", child.name);
        CU_ASSERT_TRUE_FATAL(view_tree_lookup(tree, directory, child.name, &found));
        CU_ASSERT_EQUAL(found.node, child.node);
        CU_ASSERT_PTR_NULL(strchr(child.name, '/'));
        if (!node_in_image(child.node)) {
            CU_ASSERT_TRUE(view_tree_node(tree, child.node, &type, &changed));
            CU_ASSERT_EQUAL(type, child.type);
        }
    }
    CU_ASSERT_FALSE(view_tree_lookup(tree, directory, "no such name", &child));
    return text;
}

static uint64_t node_of(const struct tree *tree, uint64_t directory, const char *name)
{
    struct tree_child child = {.node = 0};

    CU_ASSERT_TRUE_FATAL(view_tree_lookup(tree, directory, name, &child));
    return child.node;
}

static void test_empty(void)
{
    struct tree *tree;

    begin();
    tree = get();
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_ROOT), "images by-date by-volume .status");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_IMAGES), "");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_BY_VOLUME), "");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_STATUS), "");
    view_tree_put(tree);
    end();
}

static void test_levels(void)
{
    struct tree *tree;
    uint64_t date, volume, link;
    char target[256];

    begin();
    add(UUID_C, 1000000000, "web1", "/srv/data/", fixture_parts, 2);
    add(UUID_A, 1700000000, "web1", "/", fixture_parts, 2);
    tree = get();
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_ROOT), "images by-date by-volume .status latest");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_IMAGES),
                           "2001-09-09T014640Z-99999999 2023-11-14T221320Z-11111111");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_BY_DATE), "2001-09-09T014640Z 2023-11-14T221320Z");
    date = node_of(tree, NODE_BY_DATE, "2001-09-09T014640Z");
    CU_ASSERT_STRING_EQUAL(names(tree, date), "web1_srv_data");
    CU_ASSERT_EQUAL(node_of(tree, date, "web1_srv_data"), node_make(NODE_DATED, 1, 2));
    date = node_of(tree, NODE_BY_DATE, "2023-11-14T221320Z");
    CU_ASSERT_STRING_EQUAL(names(tree, date), "web1_rootfs");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_BY_VOLUME), "ABC001L8 ABC002L8");
    volume = node_of(tree, NODE_BY_VOLUME, "ABC002L8");
    CU_ASSERT_STRING_EQUAL(names(tree, volume),
                           "2001-09-09T014640Z-99999999 2023-11-14T221320Z-11111111");
    link = node_of(tree, volume, "2001-09-09T014640Z-99999999");
    CU_ASSERT_TRUE(view_tree_link(tree, link, target, sizeof(target)));
    CU_ASSERT_STRING_EQUAL(target, "../../images/2001-09-09T014640Z-99999999");
    link = node_of(tree, NODE_ROOT, "latest");
    CU_ASSERT_TRUE(view_tree_link(tree, link, target, sizeof(target)));
    CU_ASSERT_STRING_EQUAL(target, "images/2023-11-14T221320Z-11111111");
    CU_ASSERT_FALSE(view_tree_link(tree, NODE_ROOT, target, sizeof(target)));
    view_tree_put(tree);
    end();
}

static void test_names_that_meet(void)
{
    char path[600];
    struct tree *tree;
    uint64_t date;

    begin();
    add(UUID_A, 1000000000, "web1", "/srv/data", fixture_parts, 2);
    add(UUID_B, 1000000000, "web1", "/srv_data", fixture_parts, 2); /* and of one uuid8 */
    add(UUID_C, 1000000000, "we/b1", "//x//y/", fixture_parts, 2);
    tree = get();
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_IMAGES),
                           "2001-09-09T014640Z-11111111 2001-09-09T014640Z-" UUID_B
                           " 2001-09-09T014640Z-99999999");
    date = node_of(tree, NODE_BY_DATE, "2001-09-09T014640Z");
    CU_ASSERT_STRING_EQUAL(names(tree, date), "web1_srv_data web1_srv_data-11111111 we_b1_x__y");
    view_tree_put(tree);
    end();

    begin();
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    add(UUID_A, 1000000000, "web1", path, fixture_parts, 2);
    tree = get();
    date = node_of(tree, NODE_BY_DATE, "2001-09-09T014640Z");
    CU_ASSERT_TRUE(strlen(names(tree, date)) <= CATALOG_NAME_MAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(names(tree, date), "p-11111111"));
    view_tree_put(tree);
    end();
}

static void test_one_link_for_many_parts(void)
{
    static const struct catalog_part parts[] = {
        {.volume = 1, .barcode = "ABC001L8", .stream_blocks = 100},
        {.volume = 2, .barcode = "ABC002L8", .first_stream = 100, .stream_blocks = 100},
        {.volume = 3, .barcode = "ABC001L8", .first_stream = 200, .stream_blocks = 800},
    };
    struct tree *tree;

    begin();
    add(UUID_A, 1000000000, "web1", "/a", parts, 3);
    tree = get();
    CU_ASSERT_STRING_EQUAL(names(tree, node_of(tree, NODE_BY_VOLUME, "ABC001L8")),
                           "2001-09-09T014640Z-11111111");
    view_tree_put(tree);
    end();
}

static void test_growing(void)
{
    struct error err = ERROR_INIT;
    struct tree *before, *same, *after;
    uint64_t latest;

    begin();
    add(UUID_A, 1000000000, "web1", "/a", fixture_parts, 2);
    before = get();
    same = get();
    CU_ASSERT_PTR_EQUAL(before, same); /* nothing has changed: nothing is read again */
    latest = node_of(before, NODE_ROOT, "latest");
    add(UUID_C, 1700000000, "web1", "/a", fixture_parts, 2);
    after = get();
    CU_ASSERT_STRING_EQUAL(names(before, NODE_BY_DATE), "2001-09-09T014640Z");
    CU_ASSERT_STRING_EQUAL(names(after, NODE_BY_DATE), "2001-09-09T014640Z 2023-11-14T221320Z");
    CU_ASSERT_NOT_EQUAL(node_of(after, NODE_ROOT, "latest"), latest); /* no cache shows the old */
    CU_ASSERT_EQUAL(node_of(after, NODE_IMAGES, "2001-09-09T014640Z-11111111"),
                    node_of(before, NODE_IMAGES, "2001-09-09T014640Z-11111111"));
    view_tree_put(after);
    CHECK_OK(catalog_image_delete(fixture, UUID_A, &err), err);
    add(UUID_A, 1000000000, "web1", "/a", fixture_parts, 2);
    after = get();
    CU_ASSERT_PTR_NULL(view_tree_image_by_id(after, 1)); /* a number is never used again */
    CU_ASSERT_PTR_NOT_NULL(view_tree_image_by_id(after, 3));
    CU_ASSERT_PTR_NOT_NULL(view_tree_image_by_id(before, 1));
    view_tree_put(after);
    view_tree_put(same);
    view_tree_put(before);
    end();
}

/* A catalog that was tampered with must not lead out of the library. */
static void test_barcodes_that_are_no_names(void)
{
    char path[160];
    sqlite3 *raw;
    struct tree *tree;

    begin();
    add(UUID_A, 1000000000, "web1", "/a", fixture_parts, 2);
    snprintf(path, sizeof(path), "%s/catalog.db", catalog_dir);
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &raw), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(raw,
                                 "UPDATE part SET barcode='../../x' WHERE number=1; "
                                 "UPDATE part SET barcode='..' WHERE number=2; "
                                 "UPDATE change SET generation=generation+1",
                                 NULL, NULL, NULL),
                    SQLITE_OK);
    sqlite3_close(raw);
    tree = get();
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_BY_VOLUME), "");
    CU_ASSERT_STRING_EQUAL(names(tree, NODE_IMAGES), "2001-09-09T014640Z-11111111");
    view_tree_put(tree);
    end();
}

/* ---- records --------------------------------------------------------------------------------- */

static bool cached(struct record_cache *records, uint64_t volume, uint64_t block)
{
    struct record *record = record_cache_find(records, volume, block);

    record_cache_put(record);
    return record != NULL;
}

static void test_records(void)
{
    struct error err = ERROR_INIT;
    struct record_cache *records;
    struct record *record, *kept = NULL;

    CHECK_OK(record_cache_open(10 * 100, &records, &err), err);
    for (uint64_t block = 0; block < 25; block++) {
        record = record_cache_new(1, block, 100);
        CU_ASSERT_PTR_NOT_NULL_FATAL(record);
        memset(record->data, (int)block, 100);
        record_cache_add(records, record);
        if (block == 3)
            kept = record; /* in use: forgotten, but alive */
        else
            record_cache_put(record);
        CU_ASSERT_TRUE(cached(records, 1, 0)); /* used again and again: it stays */
    }
    CU_ASSERT_FALSE(cached(records, 1, 3));
    CU_ASSERT_EQUAL(kept->data[99], 3);
    CU_ASSERT_TRUE(cached(records, 1, 24));
    CU_ASSERT_TRUE(cached(records, 1, 16));
    CU_ASSERT_FALSE(cached(records, 1, 15));
    CU_ASSERT_FALSE(cached(records, 2, 24));
    record_cache_put(kept);
    record = record_cache_new(1, 100, 5000); /* larger than all: it alone */
    record_cache_add(records, record);
    record_cache_put(record);
    CU_ASSERT_TRUE(cached(records, 1, 100));
    CU_ASSERT_FALSE(cached(records, 1, 24));
    record_cache_close(records);
}

static const struct check_test tests[] = {
    {"empty", test_empty},
    {"levels", test_levels},
    {"names that meet", test_names_that_meet},
    {"one link for many parts", test_one_link_for_many_parts},
    {"growing", test_growing},
    {"barcodes that are no names", test_barcodes_that_are_no_names},
    {"records", test_records},
};

CHECK_MAIN("view", tests)
