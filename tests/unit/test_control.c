/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_control.c - the operations on a library, and the control socket against clients that mean no
 * good: what is no request, too long, too slow, or not for us costs nobody else anything.
 */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/json.h"
#include "vtl/control/control.h"
#include "vtl/control/place.h"
#include "vtl/control/socket.h"

struct fixture {
    char base[64];  /* scratch directory */
    char root[256]; /* of the library, in it */
    struct control control;
    struct config *config;
    struct control_server *server;
    unsigned stops; /* how often a stop was asked for */
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void count_stop(void *ctx)
{
    ((struct fixture *)ctx)->stops++;
}

/* A library of 2 drives, 4 slots, 1 import/export with two cartridges, in base/below. */
static void setup(struct fixture *f, const char *below)
{
    struct library_geometry g;
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    *f = (struct fixture){.base = "/tmp/test_control.XXXXXX"};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->base));
    snprintf(f->root, sizeof(f->root), "%s/%s", f->base, below);
    CU_ASSERT_EQUAL_FATAL(mkdir(f->root, 0700), 0);
    CHECK_OK(config_default(f->root, &f->config, &err), err);
    CHECK_OK(config_set(f->config, "library", "serial", "TEST000001", &err), err);
    CHECK_OK(config_set(f->config, "library", "slots", "4", &err), err);
    CHECK_OK(config_set(f->config, "iscsi", "target", "iqn.2026-11.capstan:test", &err), err);
    CHECK_OK(config_set(f->config, "library", "name", "caf\351", &err), err); /* Latin-1 */
    CHECK_OK(config_write(f->config, &err), err);
    config_geometry(f->config, &g);
    CHECK_OK(library_create(f->root, &g, &err), err);
    CHECK_OK(library_open(f->root, &g, &f->control.library, &err), err);
    for (int i = 1; i <= 2; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "TST00%dL8", i);
        CHECK_OK(cartridge_identity_default(&id, barcode, 0x5e, &err), err);
        CHECK_OK(library_cartridge_create(f->control.library, &id, 0xffff, &err), err);
    }
    f->control.config = f->config;
    f->control.stop = count_stop;
    f->control.stop_ctx = f;
}

static void start(struct fixture *f)
{
    struct error err = ERROR_INIT;

    CHECK_OK(control_server_start(&f->control, &f->server, &err), err);
}

static void teardown(struct fixture *f)
{
    control_server_stop(f->server);
    library_close(f->control.library);
    config_free(f->config);
    nftw(f->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- operations -------------------------------------------------------------------------- */

/* Perform op with the arguments in JSON; the result is the caller's. */
static int perform(struct fixture *f, const char *op, const char *args, json_t **result,
                   struct error *err)
{
    json_t *parsed = args ? json_loads(args, 0, NULL) : NULL;
    int rc;

    CU_ASSERT_TRUE_FATAL(!args || parsed);
    *result = NULL;
    rc = control_perform(&f->control, op, parsed, result, err);
    json_decref(parsed);
    return rc;
}

static void check_place(struct fixture *f, const char *barcode, const char *place)
{
    struct library_element e;
    struct error err = ERROR_INIT;
    char text[PLACE_TEXT_SIZE];

    CHECK_OK(library_find(f->control.library, barcode, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(place_text(f->control.library, e.address, text), place);
}

static const struct {
    const char *op, *args;
    enum error_code code;
} refused[] = {
    {"fly", NULL, ERR_USAGE},
    {"move", NULL, ERR_USAGE},
    {"move", "{\"from\": \"slot:1\"}", ERR_USAGE},
    {"move", "{\"from\": 1, \"to\": \"slot:3\"}", ERR_USAGE},
    {"move", "{\"from\": \"slot:1\", \"to\": \"slot:3\", \"fast\": true}", ERR_USAGE},
    {"move", "{\"from\": \"slot:1\", \"to\": \"slot:2\"}", ERR_EXISTS},
    {"move", "{\"from\": \"slot:3\", \"to\": \"slot:4\"}", ERR_STATE},
    {"move", "{\"from\": \"slot:1\", \"to\": \"slot:1\"}", ERR_STATE},
    {"move", "{\"from\": \"slot:0\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"slot:5\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"slot:-1\", \"to\": \"slot:3\"}", ERR_USAGE},
    {"move", "{\"from\": \"slot:99999999999999999999\", \"to\": \"slot:3\"}", ERR_USAGE},
    {"move", "{\"from\": \"slot:65537\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"66560\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"0\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"\", \"to\": \"slot:3\"}", ERR_USAGE},
    {"move", "{\"from\": \"NOPE\", \"to\": \"slot:3\"}", ERR_NOT_FOUND},
    {"move", "{\"from\": \"slot:1\\n\", \"to\": \"slot:3\"}", ERR_USAGE},
    {"load", "{\"cartridge\": \"TST001L8\", \"drive\": \"2\"}", ERR_NOT_FOUND},
    {"load", "{\"cartridge\": \"TST001L8\", \"drive\": \"slot:3\"}", ERR_USAGE},
    {"load", "{\"cartridge\": \"3\"}", ERR_STATE},
    {"drive.remove", "{\"drive\": 4294967296}", ERR_NOT_FOUND},
    {"drive.remove", "{\"drive\": 2}", ERR_NOT_FOUND},
    {"drive.eject", "{\"drive\": 0}", ERR_STATE},
    {"slot.change", "{\"count\": 9223372036854775807}", ERR_USAGE},
    {"slot.change", "{\"count\": 0}", ERR_USAGE},
    {"slot.change", "{\"count\": 4, \"remove\": true}", ERR_USAGE},
    {"slot.change", "{\"count\": 3, \"remove\": true}", ERR_STATE},
    {"slot.export", "{\"from\": \"slot:1\"}", ERR_STATE},
    {"slot.import", "{\"barcode\": \"TST001L8\"}", ERR_NOT_FOUND},
    {"cartridge.vault", "{\"cartridge\": \"TST001L8\", \"place\": \"\"}", ERR_RANGE},
    {"cartridge.vault", "{\"cartridge\": \"TST001L8\", \"place\": \"a\\nb\"}", ERR_RANGE},
    {"cartridge.unvault", "{\"barcode\": \"../x\"}", ERR_NOT_FOUND},
    {"cartridge.delete", "{\"barcode\": \"../x\"}", ERR_RANGE},
    {"fault.set", "{\"name\": \"robot-jam\"}", ERR_STATE},
    {"unload", NULL, ERR_STATE},
    {"unload", "{\"drive\": \"0\"}", ERR_STATE},
    {"cartridge.create", "{\"barcode\": \"a b\"}", ERR_USAGE},
    {"cartridge.create", "{\"barcode\": \"\"}", ERR_USAGE},
    {"cartridge.create", "{\"barcode\": \"TST001L8\"}", ERR_EXISTS},
    {"cartridge.create", "{\"barcode\": \"TST003L8\", \"capacity\": -1}", ERR_USAGE},
    {"cartridge.create", "{\"barcode\": \"TST003L8\", \"capacity\": 999}", ERR_USAGE},
    {"cartridge.create", "{\"barcode\": \"TST003L8\", \"to\": \"drive:0\"}", ERR_USAGE},
    {"cartridge.create", "{\"barcode\": \"TST003L8\", \"to\": \"slot:1\"}", ERR_EXISTS},
    {"cartridge.create", "{\"barcode\": \"TST003L8\", \"media\": \"L4\"}", ERR_USAGE},
    {"cartridge.show", "{\"barcode\": \"NOPE\"}", ERR_NOT_FOUND},
    {"cartridge.show", "{\"barcode\": \"slot:3\"}", ERR_STATE},
};

static void test_operations(void)
{
    struct error err = ERROR_INIT;
    struct fixture f;
    json_t *result;

    setup(&f, "lib");
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        err.message[0] = '\0';
        if (perform(&f, refused[i].op, refused[i].args, &result, &err) != -(int)refused[i].code)
            printf("\n    %s %s: %s\n", refused[i].op, refused[i].args, err.message);
        CU_ASSERT_EQUAL(err.code, refused[i].code);
        CU_ASSERT_PTR_NULL(result);
        CU_ASSERT_PTR_NULL(strchr(err.message, '\n'));
    }
    check_place(&f, "TST001L8", "slot:1");
    check_place(&f, "TST002L8", "slot:2");
    CHECK_OK(perform(&f, "load", "{\"cartridge\": \"2\"}", &result, &err), err);
    CU_ASSERT_STRING_EQUAL(json_get_text(result, "to", ""), "drive:0");
    json_decref(result);
    CHECK_OK(perform(&f, "load", "{\"cartridge\": \"TST001L8\"}", &result, &err), err);
    json_decref(result);
    check_place(&f, "TST001L8", "drive:1");
    CHECK_FAILS(perform(&f, "unload", NULL, &result, &err), ERR_USAGE, err); /* which one? */
    CHECK_OK(perform(&f, "unload", "{\"drive\": \"drive:1\"}", &result, &err), err);
    json_decref(result);
    check_place(&f, "TST001L8", "slot:1");
    /* Its home is taken meanwhile: the first empty slot. */
    CHECK_OK(perform(&f, "move", "{\"from\": \"1024\", \"to\": \"slot:2\"}", &result, &err), err);
    json_decref(result);
    CHECK_OK(perform(&f, "unload", NULL, &result, &err), err);
    json_decref(result);
    check_place(&f, "TST002L8", "slot:1");
    check_place(&f, "TST001L8", "slot:2");
    teardown(&f);
}

static void test_status(void)
{
    struct error err = ERROR_INIT;
    struct fixture f;
    json_t *result, *daemon, *cartridges;

    setup(&f, "lib");
    CHECK_OK(perform(&f, "status", NULL, &result, &err), err);
    daemon = json_object_get(result, "daemon");
    CU_ASSERT_TRUE(json_is_false(json_object_get(daemon, "running")));
    CU_ASSERT_STRING_EQUAL(json_get_text(json_object_get(result, "library"), "name", ""),
                           "caf\\xe9");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "drives")), 2);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "slots")), 4);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "import_export")), 1);
    json_decref(result);
    CHECK_OK(perform(&f, "cartridge.list", NULL, &result, &err), err);
    cartridges = json_object_get(result, "cartridges");
    CU_ASSERT_EQUAL(json_array_size(cartridges), 2);
    CU_ASSERT_STRING_EQUAL(json_get_text(json_array_get(cartridges, 1), "barcode", ""), "TST002L8");
    CU_ASSERT_EQUAL(json_get_integer(json_array_get(cartridges, 1), "objects", -1), 0);
    CU_ASSERT_STRING_EQUAL(json_get_text(json_array_get(cartridges, 1), "state", ""), "good");
    json_decref(result);
    teardown(&f);
}

/* ---- the socket -------------------------------------------------------------------------- */

static int connect_raw(struct fixture *f)
{
    struct error err = ERROR_INIT;
    int fd = -1;

    CHECK_OK(control_socket_connect(f->root, &fd, &err), err);
    return fd;
}

/* Send bytes and give the answer (one line, NUL-terminated in buf), or "" if the other end closes
 * or says nothing for two seconds. */
static const char *say(int fd, const char *text, size_t len, char *buf, size_t size)
{
    size_t used = 0;

    if (send(fd, text, len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        CU_FAIL("send");
    while (used < size - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, 2000) == 1 ? recv(fd, buf + used, size - 1 - used, 0) : 0;

        if (n <= 0)
            break;
        used += (size_t)n;
        if (memchr(buf, '\n', used))
            break;
    }
    buf[used] = '\0';
    return buf;
}

static bool answers(struct fixture *f)
{
    json_t *result = NULL;
    struct error err = ERROR_INIT;
    int rc = control_request(f->root, "ping", NULL, &result, NULL, &err);

    json_decref(result);
    return rc == 0;
}

#define EURO_4        "\342\202\254\342\202\254\342\202\254\342\202\254"
#define EURO_16       EURO_4 EURO_4 EURO_4 EURO_4
#define REQUEST(text) (text), sizeof(text) - 1

/* Each is answered by an error with this code (or the connection is closed), and the daemon lives.
 */
static void test_hostile(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *code;
    } cases[] = {
        {REQUEST("\n"), "\"protocol\""},
        {REQUEST("hello\n"), "\"protocol\""},
        {REQUEST("{}\n"), "\"protocol\""},
        {REQUEST("[]\n"), "\"protocol\""},
        {REQUEST("null\n"), "\"protocol\""},
        {REQUEST("{\"op\": 1}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"ping\", \"op\": \"stop\"}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"ping\", \"args\": []}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"ping\", \"x\": 1}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"ping\"}{\"op\": \"stop\"}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"pi\\u0000ng\"}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"p\0ng\"}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"\377\376\"}\n"), "\"protocol\""},
        {REQUEST("{\"op\": \"fly\"}\n"), "\"usage\""},
        {REQUEST("{\"op\": \"move\", \"args\": {\"from\": {}}}\n"), "\"usage\""},
        {REQUEST("GET / HTTP/1.1\r\n"), "\"protocol\""},
        /* quoted in the answer, but cut off in the middle of a character */
        {REQUEST("{\"op\": \"xx" EURO_16 EURO_16 EURO_16 "\"}\n"), "\"usage\""},
    };
    struct fixture f;
    char buf[4096];

    setup(&f, "lib");
    start(&f);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int fd = connect_raw(&f);

        say(fd, cases[i].text, cases[i].len, buf, sizeof(buf));
        if (!strstr(buf, cases[i].code))
            printf("\n    case %zu: %s\n", i, buf);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf, cases[i].code));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\"ok\":false"));
        /* The connection is still good for a proper request. */
        CU_ASSERT_PTR_NOT_NULL(
            strstr(say(fd, "{\"op\":\"ping\"}\n", 14, buf, sizeof(buf)), "\"ok\":true"));
        close(fd);
    }
    CU_ASSERT_EQUAL(f.stops, 0);
    CU_ASSERT_TRUE(answers(&f));
    teardown(&f);
}

static void test_too_long(void)
{
    size_t len = 200000;
    char *text = malloc(len), buf[4096];
    struct fixture f;
    int fd;

    setup(&f, "lib");
    start(&f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, '[', len);
    fd = connect_raw(&f);
    say(fd, text, len, buf, sizeof(buf)); /* without a newline */
    CU_ASSERT_TRUE(*buf == '\0' || strstr(buf, "\"range\""));
    close(fd);
    /* As deep as a line allows. */
    text[60000] = '\n';
    fd = connect_raw(&f);
    CU_ASSERT_PTR_NOT_NULL(strstr(say(fd, text, 60001, buf, sizeof(buf)), "\"protocol\""));
    close(fd);
    CU_ASSERT_TRUE(answers(&f));
    free(text);
    teardown(&f);
}

/* Several requests at once are answered in order; half a request and silence keeps nobody waiting,
 * and the end of the daemon does not wait for it either. */
static void test_slow(void)
{
    struct timespec begin, end;
    struct fixture f;
    char buf[4096];
    int slow, fd;

    setup(&f, "lib");
    start(&f);
    slow = connect_raw(&f);
    CU_ASSERT_EQUAL(send(slow, "{\"op\":", 6, MSG_NOSIGNAL), 6);
    fd = connect_raw(&f);
    say(fd, "{\"op\":\"fly\"}\n{\"op\":\"ping\"}\n", 27, buf, sizeof(buf));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "there is no operation 'fly'"));
    if (!strstr(buf, "\"ok\":true"))
        CU_ASSERT_PTR_NOT_NULL(strstr(say(fd, "", 0, buf, sizeof(buf)), "\"ok\":true"));
    close(fd);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    teardown(&f);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CU_ASSERT_TRUE(end.tv_sec - begin.tv_sec < 5);
    close(slow);
}

/* More connections than there is room for: the next one is told so, and when they go, there is room
 * again. */
static void test_crowd(void)
{
    int fds[CONTROL_CONNECTIONS_MAX], extra;
    struct fixture f;
    char buf[4096];
    bool room = false;

    setup(&f, "lib");
    start(&f);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        fds[i] = connect_raw(&f);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(say(fds[i], "{\"op\":\"ping\"}\n", 14, buf, sizeof(buf)), "\"ok\":true"));
    }
    extra = connect_raw(&f);
    CU_ASSERT_PTR_NOT_NULL(strstr(say(extra, "", 0, buf, sizeof(buf)), "\"busy\""));
    close(extra);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        close(fds[i]);
    /* The server frees their places one by one, when it gets to it. */
    for (int i = 0; i < 200 && !room; i++) {
        room = answers(&f);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CU_ASSERT_TRUE(room);
    teardown(&f);
}

/* What a killed daemon leaves is replaced; what is no socket is not. */
static void test_stale(void)
{
    struct error err = ERROR_INIT;
    struct fixture f;
    char path[300];
    int fd = -1;

    setup(&f, "lib");
    CU_ASSERT_FALSE(answers(&f));
    CHECK_OK(control_socket_listen(f.root, &fd, &err), err);
    close(fd); /* the name stays */
    CU_ASSERT_FALSE(answers(&f));
    start(&f);
    CU_ASSERT_TRUE(answers(&f));
    control_server_stop(f.server);
    f.server = NULL;
    CU_ASSERT_FALSE(answers(&f));
    snprintf(path, sizeof(path), "%s/run/control.sock", f.root);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    CHECK_FAILS(control_server_start(&f.control, &f.server, &err), ERR_EXISTS, err);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    f.server = NULL;
    teardown(&f);
}

static void test_long_path(void)
{
    struct error err = ERROR_INIT;
    struct control_session *session;
    struct fixture f;
    char below[151];

    memset(below, 'd', sizeof(below) - 1);
    below[sizeof(below) - 1] = '\0';
    setup(&f, below);
    start(&f);
    CU_ASSERT_TRUE(answers(&f));
    CHECK_OK(control_session_open(f.root, &session, &err), err);
    CU_ASSERT_TRUE(control_session_daemon(session, NULL));
    control_session_close(session);
    teardown(&f);
}

/* A session on a stopped library opens it itself; the same requests, the same answers. */
static void test_session_stopped(void)
{
    struct error err = ERROR_INIT;
    struct control_session *session;
    struct fixture f;
    json_t *result = NULL;

    setup(&f, "lib");
    library_close(f.control.library);
    f.control.library = NULL;
    CHECK_OK(control_session_open(f.root, &session, &err), err);
    CU_ASSERT_FALSE(control_session_daemon(session, NULL));
    CHECK_OK(control_session_request(session, "move",
                                     json_pack("{ssss}", "from", "TST001L8", "to", "ie:1"), &result,
                                     &err),
             err);
    CU_ASSERT_STRING_EQUAL(json_get_text(result, "to", ""), "ie:1");
    json_decref(result);
    CHECK_FAILS(control_session_request(session, "stop", NULL, &result, &err), ERR_STATE, err);
    control_session_close(session);
    config_free(f.config);
    nftw(f.base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_stop(void)
{
    struct error err = ERROR_INIT;
    struct fixture f;
    json_t *result = NULL;
    pid_t pid = 0;

    setup(&f, "lib");
    start(&f);
    CHECK_OK(control_request(f.root, "stop", NULL, &result, &pid, &err), err);
    CU_ASSERT_EQUAL(pid, getpid());
    CU_ASSERT_EQUAL(f.stops, 1);
    json_decref(result);
    teardown(&f);
}

/* Another user is not answered, even if the modes of the path would let him in. */
static void test_other_user(void)
{
    struct fixture f;
    char path[300];
    int status = -1;
    pid_t child;

    if (geteuid() != 0) {
        printf("(needs root) ");
        return;
    }
    setup(&f, "lib");
    start(&f);
    chmod(f.base, 0755);
    chmod(f.root, 0755);
    snprintf(path, sizeof(path), "%s/run", f.root);
    chmod(path, 0755);
    snprintf(path, sizeof(path), "%s/run/control.sock", f.root);
    chmod(path, 0666);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        char buf[4096];
        int fd;

        if (setgid(65534) || setuid(65534) || control_socket_connect(f.root, &fd, NULL))
            _exit(2);
        say(fd, "{\"op\":\"stop\"}\n", 14, buf, sizeof(buf));
        _exit(strstr(buf, "\"permission\"") ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(f.stops, 0);
    teardown(&f);
}

static const struct check_test tests[] = {
    {"operations", test_operations},
    {"status", test_status},
    {"hostile", test_hostile},
    {"too_long", test_too_long},
    {"slow", test_slow},
    {"crowd", test_crowd},
    {"stale", test_stale},
    {"long_path", test_long_path},
    {"session_stopped", test_session_stopped},
    {"stop", test_stop},
    {"other_user", test_other_user},
};

CHECK_MAIN("control", tests)
