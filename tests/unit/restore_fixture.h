/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore_fixture.h - a scratch directory, streams in files, restores with their warnings kept.
 *
 *      scratch/root      what is restored to
 *      scratch/outside   what no restore may touch: outside_intact() says whether one did
 */
#ifndef CAPSTAN_TESTS_UNIT_RESTORE_FIXTURE_H
#define CAPSTAN_TESTS_UNIT_RESTORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine/restore/restore.h"
#include "tests/unit/check.h"
#include "tests/unit/stream_fixture.h"

#define WARNINGS_MAX 400

struct scratch {
    char dir[64], root[80], outside[80], url[200], path[100];
    struct stat secret, outside_stat;
    struct {
        char path[300], message[300];
    } warnings[WARNINGS_MAX];
    unsigned warning_count;
    void *library; /* for the volume callback */
    struct restore_options options;
    struct restore_result result;
    struct error err;
};

static inline int scratch_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline void scratch_warn(void *ctx, const char *path, const char *message)
{
    struct scratch *s = ctx;

    if (s->warning_count < WARNINGS_MAX) {
        snprintf(s->warnings[s->warning_count].path, 300, "%s", path);
        snprintf(s->warnings[s->warning_count].message, 300, "%s", message);
    }
    s->warning_count++;
}

static inline void scratch_begin(struct scratch *s)
{
    char secret[100];
    FILE *f;

    memset(s, 0, sizeof(*s));
    snprintf(s->dir, sizeof(s->dir), "/tmp/capstan-restore-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
    snprintf(s->root, sizeof(s->root), "%s/root", s->dir);
    snprintf(s->outside, sizeof(s->outside), "%s/outside", s->dir);
    snprintf(s->path, sizeof(s->path), "%s/stream", s->dir);
    snprintf(s->url, sizeof(s->url), "file:%s", s->path);
    CU_ASSERT_EQUAL_FATAL(mkdir(s->outside, 0755), 0);
    snprintf(secret, sizeof(secret), "%s/secret", s->outside);
    f = fopen(secret, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("do not touch", f);
    fclose(f);
    CU_ASSERT_EQUAL(stat(secret, &s->secret), 0);
    CU_ASSERT_EQUAL(stat(s->outside, &s->outside_stat), 0);
    s->options = (struct restore_options){.destination = s->root,
                                          .keep_owner = geteuid() == 0,
                                          .devices = geteuid() == 0,
                                          .warning = scratch_warn,
                                          .ctx = s};
}

static inline void scratch_end(struct scratch *s)
{
    nftw(s->dir, scratch_remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* Same inode, mode, owner, size and times (ctime shows every change). */
static inline bool scratch_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
           a->st_size == b->st_size && a->st_nlink == b->st_nlink &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Nothing outside the root changed, and nothing new lies beside it. */
static inline bool outside_intact(struct scratch *s)
{
    char secret[100];
    struct stat now, dir;
    struct dirent *e;
    bool good = true;
    DIR *d;

    snprintf(secret, sizeof(secret), "%s/secret", s->outside);
    good = stat(secret, &now) == 0 && scratch_same(&now, &s->secret) &&
           stat(s->outside, &dir) == 0 && scratch_same(&dir, &s->outside_stat);
    d = opendir(s->dir);
    while (d && (e = readdir(d))) {
        static const char *const known[] = {".", "..", "root", "outside", "stream", "catalog"};
        bool is_known = strncmp(e->d_name, "cart", 4) == 0;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(e->d_name, known[i]) == 0;
        good = good && is_known;
    }
    if (d)
        closedir(d);
    return good;
}

static inline void scratch_stream(struct scratch *s, const void *data, size_t len)
{
    FILE *f = fopen(s->path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(data, 1, len, f), len);
    fclose(f);
}

/* Restore (or compare) the stream; the code is returned, the rest is in s. */
static inline int scratch_restore(struct scratch *s)
{
    struct tape *tape = NULL;
    int rc;

    s->warning_count = 0;
    memset(&s->err, 0, sizeof(s->err));
    CHECK_OK(tape_open(s->url, TAPE_READ, NULL, &tape, &s->err), s->err);
    rc = restore_stream(&s->options, tape, 0, &s->result, &s->err);
    tape_close(tape);
    return rc;
}

static inline bool scratch_warned(const struct scratch *s, const char *path, const char *part)
{
    for (unsigned i = 0; i < s->warning_count && i < WARNINGS_MAX; i++)
        if ((!path || strcmp(s->warnings[i].path, path) == 0) &&
            strstr(s->warnings[i].message, part))
            return true;
    return false;
}

static inline void scratch_show(const struct scratch *s)
{
    printf("\n    %s\n", s->err.message);
    for (unsigned i = 0; i < s->warning_count && i < WARNINGS_MAX; i++)
        printf("    %s: %s\n", s->warnings[i].path, s->warnings[i].message);
}

static inline bool scratch_exists(const struct scratch *s, const char *name, struct stat *st)
{
    char path[5000];
    struct stat own;

    snprintf(path, sizeof(path), "%s/%s", s->root, name);
    return lstat(path, st ? st : &own) == 0;
}

/* The fixture's stream as the scratch's. */
static inline void scratch_fixture(struct scratch *s, unsigned blocking)
{
    struct stream_totals totals;
    struct fixture_buffer b;

    CHECK_OK(fixture_make(&b, blocking, false, &totals, &s->err), s->err);
    scratch_stream(s, b.data, b.len);
    free(b.data);
}

#endif
