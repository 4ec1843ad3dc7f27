/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iscsi_libiscsi.c - an initiator that is not ours (libiscsi) against the server, which runs as a
 * program of its own (iscsi_fake_server): libiscsi and vtl/scsi have types of the same names.
 */
#include "tests/unit/check.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define INITIATOR     "iqn.2026-01.test:initiator"
#define TARGET        "iqn.2026-01.test:fake"
#define LUNS          2
#define USER          "user"
#define SECRET        "a-secret-of-24-bytes-...."
#define MUTUAL_USER   "tape"
#define MUTUAL_SECRET "another-secret-of-24-bytes"

struct rig {
    pid_t pid;
    int stop_fd; /* the server lives while this is open */
    char portal[64];
};

static void server_main(int in, int out, bool chap)
{
    const char *dir = getenv("CAPSTAN_BUILDDIR");
    char path[4096];

    snprintf(path, sizeof(path), "%s/tests/interop/iscsi_fake_server", dir ? dir : ".");
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (chap)
        execl(path, path, "-u", USER, "-s", SECRET, "-U", MUTUAL_USER, "-S", MUTUAL_SECRET,
              (char *)NULL);
    else
        execl(path, path, (char *)NULL);
    _exit(127);
}

static void rig_up(struct rig *rig, bool chap)
{
    int in[2], out[2];
    ssize_t n;

    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    rig->pid = fork();
    if (rig->pid == 0)
        server_main(in[0], out[1], chap);
    CU_ASSERT_TRUE_FATAL(rig->pid > 0);
    close(in[0]);
    close(out[1]);
    rig->stop_fd = in[1];
    n = read(out[0], rig->portal, sizeof(rig->portal) - 1);
    CU_ASSERT_TRUE_FATAL(n > 0);
    rig->portal[n - 1] = '\0';
    close(out[0]);
}

static void rig_down(struct rig *rig)
{
    int status = -1;

    close(rig->stop_fd);
    waitpid(rig->pid, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13);
}

static struct iscsi_context *context_new(enum iscsi_session_type type)
{
    struct iscsi_context *i = iscsi_create_context(INITIATOR);

    CU_ASSERT_PTR_NOT_NULL_FATAL(i);
    iscsi_set_session_type(i, type);
    if (type == ISCSI_SESSION_NORMAL)
        iscsi_set_targetname(i, TARGET);
    iscsi_set_noautoreconnect(i, 1);
    iscsi_set_timeout(i, 10);
    return i;
}

static void log_in(struct iscsi_context *i, const struct rig *rig)
{
    int rc = iscsi_full_connect_sync(i, rig->portal, 0);

    if (rc)
        printf("\n    %s\n", iscsi_get_error(i));
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static void log_out(struct iscsi_context *i)
{
    CU_ASSERT_EQUAL(iscsi_logout_sync(i), 0);
    iscsi_destroy_context(i);
}

static void test_discovery(void)
{
    struct rig rig;
    struct iscsi_context *i;
    struct iscsi_discovery_address *found;

    rig_up(&rig, false);
    i = context_new(ISCSI_SESSION_DISCOVERY);
    CU_ASSERT_EQUAL_FATAL(iscsi_connect_sync(i, rig.portal), 0);
    CU_ASSERT_EQUAL_FATAL(iscsi_login_sync(i), 0);
    found = iscsi_discovery_sync(i);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_STRING_EQUAL(found->target_name, TARGET);
    CU_ASSERT_PTR_NULL(found->next);
    iscsi_free_discovery_data(i, found);
    log_out(i);
    rig_down(&rig);
}

static void check_good(struct scsi_task *task)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    CU_ASSERT_EQUAL(task->status, SCSI_STATUS_GOOD);
}

static void one_session(const struct rig *rig, enum iscsi_header_digest digest)
{
    static uint8_t block[262144];
    struct iscsi_context *i = context_new(ISCSI_SESSION_NORMAL);
    struct scsi_task *task;
    struct scsi_reportluns_list *luns;

    iscsi_set_header_digest(i, digest);
    log_in(i, rig);
    check_good(task = iscsi_inquiry_sync(i, 0, 0, 0, 255));
    CU_ASSERT_EQUAL(task->datain.size, 36);
    scsi_free_scsi_task(task);
    check_good(task = iscsi_reportluns_sync(i, 0, 64));
    luns = scsi_datain_unmarshall(task);
    CU_ASSERT_PTR_NOT_NULL_FATAL(luns);
    CU_ASSERT_EQUAL(luns->num, LUNS);
    scsi_free_scsi_task(task);
    for (size_t n = 0; n < sizeof(block); n++)
        block[n] = pattern(n);
    for (uint32_t size = 512; size <= sizeof(block); size *= 2) {
        check_good(task = iscsi_write10_sync(i, 0, 7, block, size, 512, 0, 0, 0, 0, 0));
        CU_ASSERT_EQUAL(task->residual_status, SCSI_RESIDUAL_NO_RESIDUAL);
        scsi_free_scsi_task(task);
        check_good(task = iscsi_read10_sync(i, 0, 7, size, 512, 0, 0, 0, 0, 0));
        CU_ASSERT_EQUAL_FATAL(task->datain.size, (int)size);
        CU_ASSERT_EQUAL(memcmp(task->datain.data, block, size), 0);
        scsi_free_scsi_task(task);
    }
    log_out(i);
}

static void test_sessions(void)
{
    struct rig rig;

    rig_up(&rig, false);
    one_session(&rig, ISCSI_HEADER_DIGEST_NONE);
    one_session(&rig, ISCSI_HEADER_DIGEST_CRC32C);
    one_session(&rig, ISCSI_HEADER_DIGEST_NONE_CRC32C);
    rig_down(&rig);
}

static int chap_connect(const struct rig *rig, const char *secret, const char *mutual)
{
    struct iscsi_context *i = context_new(ISCSI_SESSION_NORMAL);
    int rc;

    if (secret)
        iscsi_set_initiator_username_pwd(i, USER, secret);
    if (mutual)
        iscsi_set_target_username_pwd(i, MUTUAL_USER, mutual);
    rc = iscsi_full_connect_sync(i, rig->portal, 0);
    if (rc == 0)
        iscsi_logout_sync(i);
    iscsi_destroy_context(i);
    return rc;
}

static void test_chap(void)
{
    struct rig rig;

    rig_up(&rig, true);
    CU_ASSERT_EQUAL(chap_connect(&rig, SECRET, NULL), 0);
    CU_ASSERT_EQUAL(chap_connect(&rig, SECRET, MUTUAL_SECRET), 0);
    CU_ASSERT_NOT_EQUAL(chap_connect(&rig, "not-the-secret-at-all", NULL), 0);
    CU_ASSERT_NOT_EQUAL(chap_connect(&rig, SECRET, "not-our-secret-at-all"), 0);
    CU_ASSERT_NOT_EQUAL(chap_connect(&rig, NULL, NULL), 0);
    rig_down(&rig);
}

struct depth {
    unsigned issued, answered;
};

static void answered(struct iscsi_context *i, int status, void *data, void *private_data)
{
    struct depth *d = private_data;

    (void)i;
    CU_ASSERT_EQUAL(status, SCSI_STATUS_GOOD);
    d->answered++;
    scsi_free_scsi_task(data);
}

/* 200 writes, 16 under way at a time. */
static void test_queue_depth(void)
{
    static uint8_t block[65536];
    struct rig rig;
    struct iscsi_context *i;
    struct depth d = {0, 0};

    rig_up(&rig, false);
    i = context_new(ISCSI_SESSION_NORMAL);
    log_in(i, &rig);
    while (d.answered < 200) {
        struct pollfd fd = {.fd = iscsi_get_fd(i)};

        while (d.issued < 200 && d.issued - d.answered < 16) {
            CU_ASSERT_PTR_NOT_NULL_FATAL(iscsi_write10_task(i, 0, d.issued, block, sizeof(block),
                                                            512, 0, 0, 0, 0, 0, answered, &d));
            d.issued++;
        }
        fd.events = (short)iscsi_which_events(i);
        CU_ASSERT_TRUE_FATAL(poll(&fd, 1, 10000) > 0);
        CU_ASSERT_EQUAL_FATAL(iscsi_service(i, fd.revents), 0);
    }
    log_out(i);
    rig_down(&rig);
}

static const struct check_test tests[] = {
    {"discovery", test_discovery},
    {"sessions", test_sessions},
    {"chap", test_chap},
    {"queue_depth", test_queue_depth},
};
CHECK_MAIN("iscsi libiscsi", tests)
