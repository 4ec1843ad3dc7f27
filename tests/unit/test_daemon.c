/* SPDX-License-Identifier: Apache-2.0 */
/* test_daemon.c - several libraries in one process: each is whole, and none knows of the others. */
#include "tests/unit/check.h"

#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/log.h"
#include "engine/tape/tape.h"
#include "vtl/control/daemon.h"
#include "vtl/control/socket.h"

#define LIBRARIES 8
#define BLOCKS    100
#define BLOCK     65536
#define URL_SIZE  400

/* Libraries in a scratch directory, named a, b, c ... */
static struct {
    char roots[LIBRARIES][96];
    const char *list[LIBRARIES];
    struct daemon *daemon;
    unsigned stops;
} f;
static char base[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void count_stop(void *ctx)
{
    (void)ctx;
    f.stops++;
}

/* Set one key of a library's configuration, in its file. */
static void edit(unsigned i, const char *section, const char *key, const char *value)
{
    struct error err = ERROR_INIT;

    CHECK_OK(config_edit(f.roots[i], section, key, value, &err), err);
}

static void make_library(unsigned i)
{
    struct library_geometry g;
    struct cartridge_identity id;
    struct library *library;
    struct config *config;
    struct error err = ERROR_INIT;
    char text[64];

    snprintf(f.roots[i], sizeof(f.roots[i]), "%s/%c", base, 'a' + i);
    f.list[i] = f.roots[i];
    CU_ASSERT_EQUAL_FATAL(mkdir(f.roots[i], 0700), 0);
    CHECK_OK(config_default(f.roots[i], &config, &err), err);
    snprintf(text, sizeof(text), "TEST00000%u", i);
    CHECK_OK(config_set(config, "library", "serial", text, &err), err);
    snprintf(text, sizeof(text), "iqn.2026-11.test:%c", 'a' + i);
    CHECK_OK(config_set(config, "iscsi", "target", text, &err), err);
    CHECK_OK(config_set(config, "iscsi", "portals", "127.0.0.1:0", &err), err);
    CHECK_OK(config_write(config, &err), err);
    config_geometry(config, &g);
    CHECK_OK(library_create(f.roots[i], &g, &err), err);
    CHECK_OK(library_open(f.roots[i], &g, &library, &err), err);
    CHECK_OK(cartridge_identity_default(&id, "SAME01L8", 0x5e, &err), err);
    CHECK_OK(library_cartridge_create(library, &id, 0xffff, &err), err);
    library_close(library);
    config_free(config);
}

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    log_set_level(LOG_LEVEL_ERROR);
    strcpy(base, "/tmp/test_daemon.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(base));
    for (unsigned i = 0; i < LIBRARIES; i++)
        make_library(i);
}

static void teardown(void)
{
    daemon_close(f.daemon, 1000);
    f.daemon = NULL;
    nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int open_daemon(unsigned count, bool skip, struct error *err)
{
    const struct daemon_options options = {
        .roots = f.list, .count = count, .skip = skip, .stop = count_stop};
    int rc = daemon_open(&options, &f.daemon, err);

    return rc ? rc : daemon_start(f.daemon, err);
}

/* Ask a library's own socket. */
static json_t *ask(unsigned i, const char *op, const char *args)
{
    json_t *parsed = args ? json_loads(args, 0, NULL) : NULL, *result = NULL;
    struct error err = ERROR_INIT;

    CHECK_OK(control_request(f.roots[i], op, parsed, &result, NULL, &err), err);
    json_decref(parsed);
    return result;
}

static void url(unsigned library, unsigned lun, char text[URL_SIZE])
{
    const struct control *c = daemon_library(f.daemon, library);

    snprintf(text, URL_SIZE, "iscsi://%s/%s/%u",
             iscsid_target_portal(c->iscsid, c->number, 0, NULL), c->config->target, lun);
}

/* ---- all at work ------------------------------------------------------------------------- */

struct worker {
    unsigned library;
    char serial[64];
    unsigned failures;
    pthread_t thread;
};

static void fill(unsigned char *block, unsigned library, unsigned n)
{
    for (unsigned i = 0; i < BLOCK; i++)
        block[i] = (unsigned char)(i * 31 + n * 7 + library * 101 + (i >> 9));
}

/* CUnit counts on one thread only, so a worker counts what went wrong itself. */
static void *work(void *ctx)
{
    static const char initiator[] = "iqn.2026-11.test:host";
    const struct tape_login login = {.initiator = initiator};
    struct worker *w = ctx;
    unsigned char *block = malloc(BLOCK), *want = malloc(BLOCK);
    struct error err = ERROR_INIT;
    struct tape_info info;
    struct tape *t = NULL;
    char text[URL_SIZE];
    size_t got;

    url(w->library, 1, text);
    w->failures += !block || !want || tape_open(text, TAPE_WRITE, &login, &t, &err) != 0;
    w->failures += w->failures || tape_load(t, &err) != 0 || tape_get_info(t, &info, &err) != 0;
    if (w->failures == 0)
        memcpy(w->serial, info.serial, sizeof(w->serial));
    for (unsigned n = 0; n < BLOCKS && !w->failures; n++) {
        fill(want, w->library, n);
        w->failures += tape_write(t, want, BLOCK, NULL, &err) != 0;
    }
    w->failures +=
        w->failures || tape_write_filemarks(t, 1, &err) != 0 || tape_rewind(t, &err) != 0;
    for (unsigned n = 0; n < BLOCKS && !w->failures; n++) {
        fill(want, w->library, n);
        w->failures += tape_read(t, block, BLOCK, &got, &err) != 0 || got != BLOCK ||
                       memcmp(block, want, BLOCK) != 0;
    }
    if (w->failures)
        fprintf(stderr, "library %u: %s\n", w->library, err.message);
    tape_close(t);
    free(block);
    free(want);
    return NULL;
}

/* Cartridges of one barcode in each, one host in all, at the same time. */
static void test_all_at_work(void)
{
    struct worker workers[LIBRARIES] = {{0}};
    struct error err = ERROR_INIT;

    setup();
    CHECK_OK(open_daemon(LIBRARIES, false, &err), err);
    CU_ASSERT_EQUAL(daemon_count(f.daemon), LIBRARIES);
    for (unsigned i = 0; i < LIBRARIES; i++) {
        json_decref(ask(i, "load", "{\"cartridge\": \"SAME01L8\", \"drive\": \"0\"}"));
        workers[i].library = i;
    }
    for (unsigned i = 0; i < LIBRARIES; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < LIBRARIES; i++) {
        pthread_join(workers[i].thread, NULL);
        CU_ASSERT_EQUAL(workers[i].failures, 0);
        for (unsigned other = 0; other < i; other++)
            CU_ASSERT_STRING_NOT_EQUAL(workers[i].serial, workers[other].serial);
    }
    teardown();
}

/* status tells of a library's own sessions and portals. */
static void test_status_is_the_librarys(void)
{
    struct error err = ERROR_INIT;
    json_t *status, *sessions;
    struct tape *t;
    char text[URL_SIZE];

    setup();
    CHECK_OK(open_daemon(3, false, &err), err);
    url(1, 1, text);
    CHECK_OK(tape_open(text, TAPE_READ, NULL, &t, &err), err);
    for (unsigned i = 0; i < 3; i++) {
        const char *target;

        status = ask(i, "status", NULL);
        sessions = json_object_get(status, "sessions");
        CU_ASSERT_EQUAL(json_array_size(sessions), i == 1);
        target = json_string_value(json_object_get(json_object_get(status, "daemon"), "target"));
        CU_ASSERT_EQUAL(target[strlen(target) - 1], (char)('a' + i));
        json_decref(status);
    }
    tape_close(t);
    json_decref(ask(2, "stop", NULL));
    CU_ASSERT_EQUAL(f.stops, 1);
    teardown();
}

/* ---- who sees what ------------------------------------------------------------------------ */

static int open_as(const char *initiator, unsigned lun, struct tape **t)
{
    const struct tape_login login = {.initiator = initiator};
    struct error err = ERROR_INIT;
    char text[URL_SIZE];

    url(0, lun, text);
    return tape_open(text, TAPE_READ, &login, t, &err);
}

/* The serial number of the drive that an initiator finds at a LUN. */
static void serial_at(const char *initiator, unsigned lun, char serial[64])
{
    struct error err = ERROR_INIT;
    struct tape_info info;
    struct tape *t = NULL;

    serial[0] = '\0';
    CU_ASSERT_EQUAL(open_as(initiator, lun, &t), 0);
    if (t && tape_get_info(t, &info, &err) == 0)
        memcpy(serial, info.serial, 64);
    tape_close(t);
}

/* The view that status tells of the one session. */
static void check_view(const char *want)
{
    json_t *status = ask(0, "status", NULL);
    const json_t *row = json_array_get(json_object_get(status, "sessions"), 0);
    const char *view = json_string_value(json_object_get(row, "view"));

    CU_ASSERT_PTR_NOT_NULL_FATAL(view);
    CU_ASSERT_STRING_EQUAL(view, want);
    json_decref(status);
}

static void reload(const char *key, const char *value)
{
    json_t *result;

    edit(0, "iscsi", key, value);
    result = ask(0, "reload", NULL);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "pending")), 0);
    json_decref(result);
}

/* Two hosts, two views: each has its own drive as LUN 1, and not the other's. */
static void test_views(void)
{
    char own[64], second[64], all[64];
    struct error err = ERROR_INIT;
    struct tape *t = NULL;

    setup();
    edit(0, "iscsi", "views",
         "iqn.2026-11.test:h1=changer+drive:0, iqn.2026-11.test:h2*=changer+1@drive:1");
    CHECK_OK(open_daemon(1, false, &err), err);
    serial_at("iqn.2026-11.test:h1", 1, own);
    serial_at("iqn.2026-11.test:h22", 1, second);
    CU_ASSERT_STRING_NOT_EQUAL(own, second);
    serial_at("iqn.2026-11.test:else", 1, all);
    CU_ASSERT_STRING_EQUAL(all, own);
    serial_at("iqn.2026-11.test:else", 2, all);
    CU_ASSERT_STRING_EQUAL(all, second);
    CU_ASSERT_NOT_EQUAL(open_as("iqn.2026-11.test:h1", 2, &t), 0);
    /* While it is logged in, it is shown more, and less. */
    CU_ASSERT_EQUAL_FATAL(open_as("iqn.2026-11.test:h1", 1, &t), 0);
    check_view("iqn.2026-11.test:h1");
    reload("views", "iqn.2026-11.test:*=changer+1@drive:0-1");
    CU_ASSERT_EQUAL(tape_load(t, &err), -ERR_NO_MEDIUM); /* it goes on behind the attention */
    check_view("iqn.2026-11.test:*");
    tape_close(t);
    serial_at("iqn.2026-11.test:h1", 2, all);
    CU_ASSERT_STRING_EQUAL(all, second);
    teardown();
}

/* A host that is busy with a drive is told of another one, and goes on (libiscsi ignores it). */
static void test_drive_comes(void)
{
    struct error err = ERROR_INIT;
    struct tape *t = NULL, *more = NULL;

    setup();
    CHECK_OK(open_daemon(1, false, &err), err);
    CU_ASSERT_EQUAL_FATAL(open_as("iqn.2026-11.test:h1", 1, &t), 0);
    CU_ASSERT_EQUAL(tape_load(t, &err), -ERR_NO_MEDIUM);
    json_decref(ask(0, "drive.add", NULL));
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(tape_load(t, &err), -ERR_NO_MEDIUM);
    CU_ASSERT_EQUAL(open_as("iqn.2026-11.test:h2", 3, &more), 0);
    tape_close(more);
    tape_close(t);
    teardown();
}

/* What a reload lets in is in, what it does not is out at once; a bad file changes nothing. */
static void test_reload_access(void)
{
    struct error err = ERROR_INIT;
    struct tape *t = NULL, *none = NULL;
    json_t *result = NULL;

    setup();
    CHECK_OK(open_daemon(2, false, &err), err);
    CU_ASSERT_EQUAL_FATAL(open_as("iqn.2026-11.test:h1", 1, &t), 0);
    reload("initiators", "iqn.2026-11.test:h2");
    CU_ASSERT_NOT_EQUAL(tape_rewind(t, &err), 0);
    tape_close(t);
    CU_ASSERT_NOT_EQUAL(open_as("iqn.2026-11.test:h1", 1, &none), 0);
    CU_ASSERT_EQUAL(open_as("iqn.2026-11.test:h2", 1, &t), 0);
    tape_close(t);
    edit(0, "iscsi", "initiators", "not a name");
    CHECK_FAILS(control_request(f.roots[0], "reload", NULL, &result, NULL, &err), ERR_FORMAT, err);
    CU_ASSERT_EQUAL(open_as("iqn.2026-11.test:h2", 1, &t), 0);
    tape_close(t);
    edit(0, "iscsi", "initiators", "iqn.2026-11.test:*");
    edit(0, "iscsi", "portals", "127.0.0.1:0 2=127.0.0.2:0");
    result = ask(0, "reload", NULL);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "pending")), 1);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(result, "pending"), 0)),
                           "[iscsi] portals");
    json_decref(result);
    daemon_reload(f.daemon); /* all of them: the other one has not changed */
    CU_ASSERT_EQUAL(open_as("iqn.2026-11.test:h1", 1, &t), 0);
    tape_close(t);
    teardown();
}

/* ---- one of them is no good --------------------------------------------------------------- */

/* Nobody serves any of the first n, and nobody holds one. */
static void check_none(unsigned n)
{
    struct error err = ERROR_INIT;
    int fd;

    for (unsigned i = 0; i < n; i++) {
        struct control_session *session;

        CHECK_FAILS(control_socket_connect(f.roots[i], &fd, &err), ERR_NOT_FOUND, err);
        CHECK_OK(control_session_open(f.roots[i], &session, &err), err);
        CU_ASSERT_FALSE(control_session_daemon(session, NULL));
        control_session_close(session);
    }
}

static void test_all_or_nothing(void)
{
    struct error err = ERROR_INIT;
    char path[128];

    setup();
    edit(1, "library", "serial", "TEST000002");
    CHECK_FAILS(open_daemon(3, false, &err), ERR_EXISTS, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "none of the 3 libraries is served"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, f.roots[1])); /* both twins are named */
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, f.roots[2]));
    edit(1, "library", "serial", "TEST000001");
    edit(1, "iscsi", "target", "iqn.2026-11.test:a");
    CHECK_FAILS(open_daemon(3, false, &err), ERR_EXISTS, err);
    check_none(3);
    edit(1, "iscsi", "target", "no name");
    CHECK_FAILS(open_daemon(3, false, &err), ERR_FORMAT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "[iscsi] target"));
    edit(1, "iscsi", "target", "iqn.2026-11.test:b");
    edit(1, "iscsi", "portals", "192.0.2.1:0"); /* not ours: seen when all are open */
    CHECK_FAILS(open_daemon(3, false, &err), ERR_RANGE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, f.roots[1]));
    edit(1, "iscsi", "portals", "127.0.0.1:0");
    snprintf(path, sizeof(path), "%s/library.db", f.roots[1]);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_NOT_EQUAL(open_daemon(3, false, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, f.roots[1]));
    /* The others go on if that is what the operator wants. */
    CHECK_OK(open_daemon(3, true, &err), err);
    CU_ASSERT_EQUAL(daemon_count(f.daemon), 2);
    CU_ASSERT_STRING_EQUAL(daemon_library(f.daemon, 1)->config->root, f.roots[2]);
    json_decref(ask(0, "status", NULL));
    json_decref(ask(2, "status", NULL));
    teardown();
}

static void test_named_twice(void)
{
    struct error err = ERROR_INIT;
    char again[128];

    setup();
    snprintf(again, sizeof(again), "%s/../a", f.roots[1]);
    f.list[1] = again;
    CHECK_FAILS(open_daemon(2, false, &err), ERR_USAGE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "named twice"));
    check_none(1);
    teardown();
}

/* Another process has one: theirs it stays, and ours are free again. */
static void test_one_is_busy(void)
{
    struct error err = ERROR_INIT;
    struct daemon *first;

    setup();
    CHECK_OK(open_daemon(1, false, &err), err);
    first = f.daemon;
    f.list[0] = f.roots[1];
    f.list[1] = f.roots[0];
    CHECK_FAILS(open_daemon(2, false, &err), ERR_BUSY, err);
    json_decref(ask(0, "status", NULL)); /* its socket is still there */
    f.daemon = first;
    teardown();
}

static const struct check_test tests[] = {
    {"all_at_work", test_all_at_work},
    {"status_is_the_librarys", test_status_is_the_librarys},
    {"views", test_views},
    {"drive_comes", test_drive_comes},
    {"reload_access", test_reload_access},
    {"all_or_nothing", test_all_or_nothing},
    {"named_twice", test_named_twice},
    {"one_is_busy", test_one_is_busy},
};
CHECK_MAIN("daemon", tests)
