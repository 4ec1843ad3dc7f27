/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_tool.c - the test tree of tests/unit/stream_fixture.h as a stream in files, for
 * restore(8).
 *
 *   stream_tool [-e] BLOCKING FILE               one file; -e: no EXT_XATTR records
 *   stream_tool BLOCKING PREFIX RECORDS          PREFIX001, PREFIX002, ... of RECORDS records
 *   stream_tool -s FILE                          a small stream with one of each, for the corpora
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/stream_fixture.h"

struct output {
    const char *prefix;
    struct stream_image image;
    FILE *file;
    unsigned volume;
    size_t written, limit; /* records */
    uint8_t *last;         /* the last record written */
    struct stream_record record;
};

static int put(struct output *o, const void *data, size_t len, struct error *err)
{
    if (fwrite(data, 1, len, o->file) != len)
        return error_errno(err, "cannot write %s", o->prefix);
    return 0;
}

static int next_file(struct output *o, struct error *err)
{
    char path[4096];

    if (o->file && fclose(o->file) != 0)
        return error_errno(err, "cannot close %s", o->prefix);
    o->volume++;
    snprintf(path, sizeof(path), o->limit ? "%s%03u" : "%s", o->prefix, o->volume);
    o->file = fopen(path, "w");
    o->written = 0;
    return o->file ? 0 : error_errno(err, "cannot make %s", path);
}

static int write_record(void *ctx, const struct stream_record *record, struct error *err)
{
    struct output *o = ctx;
    int rc = o->file ? 0 : next_file(o, err);

    if (!rc && o->limit && o->written == o->limit) {
        uint8_t *out = malloc(record->len);

        rc = next_file(o, err);
        if (!rc) {
            stream_volume_record(&o->image, o->volume, &o->record, out);
            rc = put(o, out, record->len, err);
        }
        o->written = 1;
        free(out);
    }
    if (!rc)
        rc = put(o, record->data, record->len, err);
    o->written++;
    o->last = realloc(o->last, record->len);
    memcpy(o->last, record->data, record->len);
    o->record = *record;
    o->record.data = o->last;
    return rc;
}

static int small_node(struct stream_writer *w, uint32_t ino, uint32_t mode, const char *data,
                      const struct stream_xattr *xattrs, size_t count, struct error *err)
{
    struct stream_inode inode = {
        .ino = ino, .mode = mode, .size = strlen(data), .mtime_ns = FIXTURE_MTIME_NS};
    int rc = stream_writer_inode(w, &inode, xattrs, count, NULL, err);

    if (!rc)
        rc = stream_writer_data(w, data, strlen(data), err);
    return rc ? rc : stream_writer_finish(w, err);
}

static int small_tree(struct stream_writer *w, struct error *err)
{
    static const struct stream_xattr large = {"user.large", fixture_big_value, 4500};
    struct stream_inode sparse = {.ino = 6, .mode = S_IFREG | 0600, .size = 9000};
    struct stream_inode dir = {.ino = 2, .mode = S_IFDIR | 0755};
    struct stream_directory d = {0};
    struct stream_totals totals = {.state = STREAM_COMPLETE};
    uint8_t map[2] = {0xfe, 1};
    int rc = stream_writer_maps(w, map, map, 9, err);

    if (!rc)
        rc = stream_directory_begin(&d, 2, 2, err);
    for (uint32_t ino = 3; ino < 10 && !rc; ino++) {
        char name[2] = {(char)('a' + ino), '\0'};

        rc = stream_directory_add(&d, ino, ino == 3 ? S_IFDIR : S_IFREG, name, 1, err);
    }
    stream_directory_finish(&d);
    dir.size = d.len;
    if (!rc)
        rc = stream_writer_inode(w, &dir, fixture_dir, 2, NULL, err);
    if (!rc)
        rc = stream_writer_data(w, d.data, d.len, err);
    if (!rc)
        rc = stream_writer_finish(w, err);
    stream_directory_free(&d);
    if (!rc)
        rc = small_node(w, 3, S_IFDIR | 0700, "", NULL, 0, err);
    if (!rc)
        rc = small_node(w, 4, S_IFREG | 0600, "file", fixture_some, 6, err);
    if (!rc)
        rc = small_node(w, 5, S_IFLNK | 0777, "../target", NULL, 0, err);
    if (!rc)
        rc = stream_writer_inode(w, &sparse, &large, 1, NULL, err);
    if (!rc)
        rc = stream_writer_hole(w, 5000, err);
    if (!rc)
        rc = stream_writer_data(w, fixture_big_value, 4000, err);
    if (!rc)
        rc = stream_writer_finish(w, err);
    if (!rc)
        rc = small_node(w, 7, S_IFIFO | 0600, "", NULL, 0, err);
    return rc ? rc : stream_writer_end(w, &totals, err);
}

static int write_small(const struct stream_writer_options *options, struct error *err)
{
    struct stream_writer *w;
    int rc = stream_writer_open(options, &w, err);

    if (rc)
        return rc;
    rc = small_tree(w, err);
    stream_writer_close(w);
    return rc;
}

int main(int argc, char **argv)
{
    struct output o = {0};
    struct stream_writer_options options = {.image = &o.image, .write = write_record, .ctx = &o};
    struct error err = ERROR_INIT;
    struct stream_totals totals;
    bool small = false;
    int option, rc;

    while ((option = getopt(argc, argv, "es")) != -1) {
        options.no_ea_records = options.no_ea_records || option == 'e';
        small = small || option == 's';
    }
    argv += optind;
    argc -= optind;
    if (argc < (small ? 1 : 2))
        return 2;
    o.image = fixture_image(small ? 4 : (unsigned)strtoul(argv[0], NULL, 10));
    o.prefix = small ? argv[0] : argv[1];
    o.limit = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    rc = small ? write_small(&options, &err) : fixture_write(&options, &totals, &err);
    if (!rc && fclose(o.file) != 0)
        rc = error_errno(&err, "cannot close %s", o.prefix);
    free(o.last);
    if (rc)
        fprintf(stderr, "stream_tool: %s\n", err.message);
    return rc ? 1 : 0;
}
