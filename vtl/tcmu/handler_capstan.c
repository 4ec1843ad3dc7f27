/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_capstan.c - a tcmu-runner handler: the library's drives and changer as LIO backstores.
 *
 * Thin glue on vtl/scsi.  A device's configuration is "capstan/LUN/ROOT": LUN 0 is the changer, LUN
 * n drive n-1, ROOT the absolute path of a library that no daemon serves
 * ("capstan/1/var/lib/capstan"). All devices of one ROOT share one library and one target, opened
 * by the first and closed by the last.
 *
 * What LIO keeps to itself: REPORT LUNS, RESERVE and PERSISTENT RESERVE are answered by the kernel,
 * and commands come without their I_T nexus, so all initiators of a device are one nexus here.
 *
 * The runner calls handle_cmd on the device's own thread and sees one command through before the
 * next (nr_threads 0); the rule of tcmu_set_read_length() below depends on it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "vtl/control/config.h"
#include "vtl/control/models.h"
#include "vtl/library/library.h"
#include "vtl/scsi/cdb.h"
#include "vtl/scsi/scsi.h"
#include "vtl/tcmu/tcmur_abi.h"
#include "vtl/tcmu/unit.h"

#define SUBTYPE "capstan"

static pthread_mutex_t roots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tcmu_root *roots;

int handler_init(void);

/* ---- configuration ----------------------------------------------------------------------------
 */

#define SYNTAX                                                                                     \
    "the configuration must be " SUBTYPE "/LUN/ROOT, such as " SUBTYPE "/1/var/lib/capstan"

/* "capstan/LUN/ROOT" to its parts: LUN of one to three digits; root keeps its leading slash. */
static bool parse_config(const char *config, unsigned *lun, char *root, size_t size)
{
    size_t digits;

    if (strncmp(config, SUBTYPE "/", sizeof(SUBTYPE)) != 0)
        return false;
    config += sizeof(SUBTYPE);
    digits = strspn(config, "0123456789");
    if (digits < 1 || digits > 3 || config[digits] != '/' || config[digits + 1] == '\0')
        return false;
    *lun = (unsigned)strtoul(config, NULL, 10);
    config += digits;
    if (strlen(config) >= size)
        return false;
    snprintf(root, size, "%s", config);
    return true;
}

/* Asked before a device is made, by targetcli and the runner: a good sentence goes to the user. */
static bool capstan_check_config(const char *config, char **reason)
{
    struct error err = ERROR_INIT;
    struct config *loaded = NULL;
    unsigned lun;
    char root[256];

    if (!parse_config(config, &lun, root, sizeof(root)))
        error_set(&err, ERR_USAGE, SYNTAX);
    else if (lun > LIBRARY_DRIVES_MAX)
        error_set(&err, ERR_RANGE, "LUN %u is none: 0 is the changer, n the drive n-1", lun);
    else if (config_load(root, &loaded, &err) == 0) {
        config_free(loaded);
        return true;
    }
    *reason = strdup(err.message);
    return false;
}

/* A tape has no size, so a new one changes nothing; LIO wants to have one all the same.  What a
 * device is can't change under its initiators, and whether writes are buffered is theirs to say
 * (MODE SELECT): these are refused rather than forgotten. */
static int capstan_reconfig(struct tcmu_device *dev, struct tcmulib_cfg_info *change)
{
    switch (change->type) {
    case TCMULIB_CFG_DEV_SIZE:
        return 0;
    case TCMULIB_CFG_DEV_CFGSTR:
        return strcmp(change->data.dev_cfgstring, tcmu_dev_get_cfgstring(dev)) == 0 ? 0
                                                                                    : -EOPNOTSUPP;
    case TCMULIB_CFG_WRITE_CACHE:
        return -EOPNOTSUPP;
    }
    return -EOPNOTSUPP;
}

/* ---- roots -------------------------------------------------------------------------------------
 */

static void root_close(struct tcmu_root *root)
{
    if (root->target)
        scsi_target_destroy(root->target);
    if (root->library)
        library_close(root->library);
    models_free(&root->models);
    free(root);
}

static int root_open(const char *path, struct tcmu_root **out, struct error *err)
{
    struct tcmu_root *root = calloc(1, sizeof(*root));
    struct config *config = NULL;
    int rc;

    if (!root)
        return error_set(err, ERR_NO_MEMORY, "no memory for the library of %s", path);
    snprintf(root->path, sizeof(root->path), "%s", path);
    rc = config_load(path, &config, err);
    if (rc == 0)
        rc = models_load(config, &root->models, err);
    if (rc == 0)
        rc = models_open_library(&root->models, config, &root->library, err);
    if (rc == 0)
        rc = scsi_target_create(root->library, &root->models.scsi, &root->target, err);
    if (rc == 0)
        scsi_target_set_compression(root->target, config_compression(config));
    config_free(config);
    if (rc < 0) {
        root_close(root);
        return rc;
    }
    *out = root;
    return 0;
}

/* The root at path, opened if this is its first user. */
static int root_get(const char *path, struct tcmu_root **out, struct error *err)
{
    CLEANUP_UNLOCK(&roots_lock);
    struct tcmu_root *root = roots;
    int rc;

    while (root && strcmp(root->path, path) != 0)
        root = root->next;
    if (!root) {
        rc = root_open(path, &root, err);
        if (rc < 0)
            return rc;
        root->next = roots;
        roots = root;
    }
    root->users++;
    *out = root;
    return 0;
}

static void root_put(struct tcmu_root *root)
{
    CLEANUP_UNLOCK(&roots_lock);

    if (--root->users > 0)
        return;
    for (struct tcmu_root **p = &roots; *p; p = &(*p)->next) {
        if (*p == root) {
            *p = root->next;
            break;
        }
    }
    root_close(root);
}

/* ---- devices -----------------------------------------------------------------------------------
 */

static void unit_free(struct tcmu_unit *unit)
{
    if (unit->nexus)
        scsi_nexus_destroy(unit->nexus);
    if (unit->root)
        root_put(unit->root);
    free(unit->buffer);
    pthread_cond_destroy(&unit->finished);
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

/* A tape answers a READ of 64 KiB with the 512 bytes that the block has.  Only kernels that take a
 * read length from user space can tell the initiator so; on others it would see stale bytes. */
static int find_mailbox(struct tcmu_device *dev, struct tcmu_unit *unit, struct error *err)
{
    void *base = NULL;
    size_t len;
    off_t offset;
    CLEANUP_FREE __attribute__((unused)) char *name =
        tcmu_dev_get_memory_info(dev, &base, &len, &offset);

    unit->mailbox = base;
    if (!unit->mailbox || !(unit->mailbox->flags & TCMU_MAILBOX_FLAG_CAP_READ_LEN))
        return error_set(err, ERR_UNSUPPORTED,
                         "the kernel's TCMU can't report short reads, which tape needs; "
                         "use a kernel that offers TCMU_MAILBOX_FLAG_CAP_READ_LEN");
    return 0;
}

static int unit_open(struct tcmu_device *dev, struct tcmu_unit *unit, struct error *err)
{
    char root[256], name[64];
    int rc;

    if (!parse_config(tcmu_dev_get_cfgstring(dev), &unit->lun, root, sizeof(root)))
        return error_set(err, ERR_USAGE, SYNTAX);
    rc = find_mailbox(dev, unit, err);
    if (rc == 0)
        rc = root_get(root, &unit->root, err);
    if (rc < 0)
        return rc;
    if (unit->lun >= scsi_target_lun_count(unit->root->target))
        return error_set(err, ERR_NOT_FOUND, "%s has no logical unit %u", root, unit->lun);
    snprintf(name, sizeof(name), "tcmu,lun-%u", unit->lun);
    rc = scsi_nexus_create(unit->root->target, name, &unit->nexus, err);
    return rc < 0 ? rc : unit_take_up_past(unit, err);
}

static int capstan_open(struct tcmu_device *dev, bool reopen)
{
    struct tcmu_unit *unit = calloc(1, sizeof(*unit));
    struct error err = ERROR_INIT;

    (void)reopen; /* the runner passes false even when it has found the device after a restart */
    if (!unit)
        return -ENOMEM;
    pthread_mutex_init(&unit->lock, NULL);
    pthread_cond_init(&unit->finished, NULL);
    if (unit_open(dev, unit, &err) < 0) {
        tcmu_err_message(dev, __func__, __LINE__, "%s: %s\n", tcmu_dev_get_cfgstring(dev),
                         err.message);
        unit_free(unit);
        return -EINVAL;
    }
    tcmur_dev_set_private(dev, unit);
    return 0;
}

static void capstan_close(struct tcmu_device *dev)
{
    struct tcmu_unit *unit = tcmur_dev_get_private(dev);

    unit_leave_past(unit);
    unit_free(unit);
}

/* ---- commands
 * ------------------------------------------------------------------------------------ */

static size_t iovec_length(const struct iovec *iov, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += iov[i].iov_len;
    return sum;
}

static void gather(uint8_t *to, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}

/* Copy len bytes out and zero the rest: the pages may hold data of other commands. */
static void scatter(const struct iovec *iov, size_t count, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = len < iov[i].iov_len ? len : iov[i].iov_len;

        memcpy(iov[i].iov_base, from, n);
        memset((uint8_t *)iov[i].iov_base + n, 0, iov[i].iov_len - n);
        from += n;
        len -= n;
    }
}

/* Tell the kernel how many bytes of data-in are valid.  libtcmu has no call for it, but completing
 * a command leaves these two fields of its ring entry alone.  That entry is the first command at or
 * behind cmd_tail, because nothing else completes on this device meanwhile. A length of 0 can't
 * be told; the buffer is zeroed then, and the sense says the rest. */
static void tcmu_set_read_length(struct tcmu_unit *unit, uint16_t cmd_id, size_t length)
{
    struct tcmu_mailbox *mb = unit->mailbox;
    uint32_t at = mb->cmd_tail;

    while (at != mb->cmd_head) {
        struct tcmu_cmd_entry *entry = (void *)((uint8_t *)mb + mb->cmdr_off + at);

        if (tcmu_hdr_get_op(entry->hdr.len_op) == TCMU_OP_CMD) {
            if (entry->hdr.cmd_id == cmd_id) {
                entry->rsp.read_len = (uint32_t)length;
                entry->hdr.uflags |= TCMU_UFLAG_READ_LEN;
            }
            return;
        }
        at = (at + tcmu_hdr_get_len(entry->hdr.len_op)) % mb->cmdr_size;
    }
}

static int status_to_runner(struct tcmulib_cmd *cmd, const struct scsi_task *task)
{
    switch (task->status) {
    case SCSI_GOOD:
        return TCMUR_STATUS_OK;
    case SCSI_CHECK_CONDITION:
        memset(cmd->sense_buf, 0, sizeof(cmd->sense_buf));
        memcpy(cmd->sense_buf, task->sense,
               task->sense_len < sizeof(cmd->sense_buf) ? task->sense_len : sizeof(cmd->sense_buf));
        return TCMUR_STATUS_PASSTHROUGH_ERR;
    case SCSI_TASK_SET_FULL:
        return TCMUR_STATUS_NO_RESOURCE;
    default: /* BUSY and what LIO never lets come here (RESERVATION CONFLICT) */
        return TCMUR_STATUS_BUSY;
    }
}

static bool reserve_buffer(struct tcmu_unit *unit, size_t size)
{
    uint8_t *bigger;

    if (size <= unit->buffer_size)
        return true;
    bigger = realloc(unit->buffer, size);
    if (!bigger)
        return false;
    unit->buffer = bigger;
    unit->buffer_size = size;
    return true;
}

static int capstan_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *rcmd)
{
    struct tcmu_unit *unit = tcmur_dev_get_private(dev);
    struct tcmulib_cmd *cmd = rcmd->lib_cmd;
    struct scsi_task *task = &unit->task;
    size_t length = iovec_length(cmd->iovec, cmd->iov_cnt);
    size_t cdb_len = scsi_cdb_length(cmd->cdb[0]);
    bool out = scsi_cdb_is_data_out(cmd->cdb, unit->lun == 0);

    if (unit->lost && unit_position_use(cmd->cdb) == NEEDS_POSITION) {
        unit_refuse_lost(unit);
        return status_to_runner(cmd, task);
    }
    if (!reserve_buffer(unit, length ? length : 1))
        return TCMUR_STATUS_NO_RESOURCE;
    memset(task, 0, sizeof(*task));
    task->nexus = unit->nexus;
    task->lun[1] = (uint8_t)unit->lun; /* peripheral addressing, SAM-6 section 4.7.7.2 */
    memcpy(task->cdb, cmd->cdb, cdb_len);
    task->cdb_len = cdb_len;
    if (out) {
        gather(unit->buffer, cmd->iovec, cmd->iov_cnt);
        task->out = unit->buffer;
        task->out_len = length;
    } else {
        task->in = unit->buffer;
        task->in_size = length;
    }
    unit_run(unit);
    if (task->status == SCSI_GOOD && cmd->cdb[0] == 0x00) /* TEST UNIT READY */
        unit->settled = true;
    if (task->status == SCSI_GOOD && unit_position_use(cmd->cdb) == SETS_POSITION)
        unit->lost = false;
    if (!out && length > 0) {
        scatter(cmd->iovec, cmd->iov_cnt, unit->buffer, task->in_len);
        if (task->in_len < length)
            tcmu_set_read_length(unit, cmd->cmd_id, task->in_len);
    }
    return status_to_runner(cmd, task);
}

static struct tcmur_handler handler = {
    .name = "Capstan virtual tape library",
    .subtype = SUBTYPE,
    .cfg_desc = SUBTYPE "/LUN/ROOT: LUN 0 the changer, n drive n-1; ROOT the library's directory",
    .check_config = capstan_check_config,
    .reconfig = capstan_reconfig,
    .open = capstan_open,
    .close = capstan_close,
    .nr_threads = 0,
    .handle_cmd = capstan_handle_cmd,
};

int handler_init(void)
{
    return tcmur_register_handler(&handler);
}
