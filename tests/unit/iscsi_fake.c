/* SPDX-License-Identifier: Apache-2.0 */
/* iscsi_fake.c - see iscsi_fake.h. */
#include "tests/unit/iscsi_fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/checked.h"

#define HISTORY 4096

struct scsi_nexus {
    struct scsi_target *target;
    void (*luns_changed)(void *ctx);
    void *ctx;
};

struct fake_lun {
    struct scsi_target *target;
    unsigned number;
    pthread_t thread;
    struct scsi_task *head, **tail;
    struct scsi_task *running;          /* NULL from the moment done() is called: it may be freed */
    const struct scsi_nexus *busy_with; /* until done() has returned */
    uint8_t *disk;
    uint8_t *kept;
    size_t kept_len;
    uint8_t history[HISTORY];
    size_t history_len;
};

struct scsi_target {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    bool stopping;
    unsigned nexuses, nexus_total;
    struct fake_lun luns[FAKE_LUNS];
};

/* ---- commands ---------------------------------------------------------------------------------*/

static void sense(struct scsi_task *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
    t->status = SCSI_CHECK_CONDITION;
    memset(t->sense, 0, 18);
    t->sense[0] = 0x70;
    t->sense[2] = key;
    t->sense[7] = 10;
    t->sense[12] = asc;
    t->sense[13] = ascq;
    t->sense_len = 18;
}

static void give(struct scsi_task *t, const void *data, size_t len, size_t allocation)
{
    if (len > allocation)
        len = allocation;
    t->in_want = len;
    t->in_len = len < t->in_size ? len : t->in_size;
    if (t->in_len)
        memcpy(t->in, data, t->in_len);
}

static void inquiry(struct scsi_task *t, bool exists)
{
    static const uint8_t pages[][24] = {
        {0, 0x00, 0, 3, 0x00, 0x80, 0x83},
        {0, 0x80, 0, 4, 'F', 'A', 'K', 'E'},
        {0, 0x83, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7},
    };
    uint8_t std[36] = {0, 0, 6, 2, 31, 0, 0, 2};
    size_t allocation = get_be16(t->cdb + 3);

    memcpy(std + 8, "CAPSTAN FAKE DISK       0001", 28);
    if (!exists)
        std[0] = 0x7f;
    if (!(t->cdb[1] & 1)) {
        if (t->cdb[2])
            sense(t, 5, 0x24, 0);
        else
            give(t, std, sizeof(std), allocation);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        if (pages[i][1] == t->cdb[2]) {
            give(t, pages[i], 4u + pages[i][3], allocation);
            return;
        }
    sense(t, 5, 0x24, 0);
}

static void report_luns(struct scsi_task *t)
{
    uint8_t list[8 + 8 * FAKE_LUNS] = {0};

    put_be32(list, 8 * FAKE_LUNS);
    for (unsigned i = 0; i < FAKE_LUNS; i++)
        list[8 + 8 * i + 1] = (uint8_t)i;
    give(t, list, sizeof(list), get_be32(t->cdb + 6));
}

static void disk_range(const uint8_t *cdb, uint64_t *lba, uint32_t *count)
{
    switch (cdb[0] & 0xe0) {
    case 0x00:
        *lba = get_be24(cdb + 1) & 0x1fffff;
        *count = cdb[4] ? cdb[4] : 256;
        break;
    case 0x20:
        *lba = get_be32(cdb + 2);
        *count = get_be16(cdb + 7);
        break;
    case 0x80:
        *lba = get_be64(cdb + 2);
        *count = get_be32(cdb + 10);
        break;
    default:
        *lba = get_be32(cdb + 2);
        *count = get_be32(cdb + 6);
    }
}

static void disk_io(struct fake_lun *l, struct scsi_task *t, bool write)
{
    uint64_t lba;
    uint32_t count;
    size_t len;

    disk_range(t->cdb, &lba, &count);
    if (!range_inside(lba, count, FAKE_BLOCKS)) {
        sense(t, 5, 0x21, 0);
        return;
    }
    len = (size_t)count * FAKE_BLOCK_SIZE;
    if (write) {
        t->out_want = len;
        if (len > t->out_len)
            len = t->out_len;
        if (len)
            memcpy(l->disk + lba * FAKE_BLOCK_SIZE, t->out, len);
    } else {
        give(t, l->disk + lba * FAKE_BLOCK_SIZE, len, len);
    }
}

static void vendor_in(struct scsi_task *t)
{
    size_t want = get_be24(t->cdb + 6), given = get_be24(t->cdb + 9);

    t->in_want = want;
    t->in_len = given < t->in_size ? given : t->in_size;
    for (size_t i = 0; i < t->in_len; i++)
        t->in[i] = fake_pattern(i);
    if (t->cdb[12] == 1) {
        sense(t, 0, 0, 1); /* a filemark was met */
        t->sense[0] |= 0x80;
        t->sense[2] |= 0x80;
    }
}

static void vendor_out(struct fake_lun *l, struct scsi_task *t)
{
    t->out_want = get_be24(t->cdb + 6);
    free(l->kept);
    l->kept = malloc(t->out_len + 1);
    l->kept_len = t->out_len;
    if (t->out_len)
        memcpy(l->kept, t->out, t->out_len);
}

/* Called with the lock held: waits on it, so that an abort can cut it short. */
static void vendor_wait(struct scsi_target *target, struct scsi_task *t)
{
    struct timespec until;
    unsigned ms = get_be16(t->cdb + 2);

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!t->aborted && !target->stopping)
        if (pthread_cond_timedwait(&target->work, &target->lock, &until))
            break;
}

static void execute(struct fake_lun *l, struct scsi_task *t)
{
    static const uint8_t mode[4] = {3, 0, 0, 0};
    uint8_t capacity[32] = {0};

    switch (t->cdb[0]) {
    case 0x00:
    case 0x35:
        break;
    case 0x12:
        inquiry(t, true);
        break;
    case 0x1a:
        give(t, mode, sizeof(mode), t->cdb[4]);
        break;
    case 0x25:
        put_be32(capacity, FAKE_BLOCKS - 1);
        put_be32(capacity + 4, FAKE_BLOCK_SIZE);
        give(t, capacity, 8, 8);
        break;
    case 0x9e:
        put_be64(capacity, FAKE_BLOCKS - 1);
        put_be32(capacity + 8, FAKE_BLOCK_SIZE);
        give(t, capacity, 32, get_be32(t->cdb + 10));
        break;
    case 0xa0:
        report_luns(t);
        break;
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0x88:
        disk_io(l, t, false);
        break;
    case 0x0a:
    case 0x2a:
    case 0xaa:
    case 0x8a:
        disk_io(l, t, true);
        break;
    case 0xc1:
        vendor_in(t);
        break;
    case 0xc2:
        vendor_out(l, t);
        break;
    case 0xc3:
        give(t, l->kept, l->kept_len, l->kept_len);
        break;
    default:
        sense(t, 5, 0x20, 0);
    }
}

void scsi_nexus_set_view(struct scsi_nexus *nexus, const struct scsi_view *view)
{
    (void)view;
    nexus->luns_changed(nexus->ctx);
}

bool scsi_nexus_sees_all(const struct scsi_nexus *nexus)
{
    (void)nexus;
    return true;
}

int scsi_target_add_port(struct scsi_target *target, uint16_t id, const char *name,
                         struct error *err)
{
    (void)target;
    (void)id;
    (void)name;
    (void)err;
    return 0;
}

size_t scsi_nexus_transfer_bound(const struct scsi_nexus *nexus, const uint8_t lun[8],
                                 const uint8_t *cdb, size_t cdb_len)
{
    (void)nexus;
    (void)lun;
    uint64_t lba;
    uint32_t count;

    if (cdb_len < 16)
        return 0;
    switch (cdb[0]) {
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0x88:
    case 0x0a:
    case 0x2a:
    case 0xaa:
    case 0x8a:
        disk_range(cdb, &lba, &count);
        return count > 32768 ? 16u << 20 : (size_t)count * FAKE_BLOCK_SIZE;
    case 0xc1:
    case 0xc2:
        return get_be24(cdb + 6);
    case 0xc3:
        return 16u << 20;
    default:
        return 65536;
    }
}

/* ---- the machinery ----------------------------------------------------------------------------*/

static struct scsi_task *take_task(struct fake_lun *l)
{
    struct scsi_task *t = l->head;

    if (t) {
        l->head = t->next;
        if (!l->head)
            l->tail = &l->head;
    }
    return t;
}

static void *lun_thread(void *arg)
{
    struct fake_lun *l = arg;
    struct scsi_target *target = l->target;

    pthread_mutex_lock(&target->lock);
    for (;;) {
        struct scsi_task *t;

        while (!(t = take_task(l)) && !target->stopping)
            pthread_cond_wait(&target->work, &target->lock);
        if (!t)
            break;
        l->running = t;
        l->busy_with = t->nexus;
        if (l->history_len < HISTORY)
            l->history[l->history_len++] = t->cdb[1];
        if (t->cdb[0] == 0xc0)
            vendor_wait(target, t);
        else {
            pthread_mutex_unlock(&target->lock);
            execute(l, t);
            pthread_mutex_lock(&target->lock);
        }
        if (t->aborted)
            t->status = SCSI_TASK_ABORTED;
        l->running = NULL;
        pthread_mutex_unlock(&target->lock);
        t->done(t);
        pthread_mutex_lock(&target->lock);
        l->busy_with = NULL;
        pthread_cond_broadcast(&target->idle);
    }
    pthread_mutex_unlock(&target->lock);
    return NULL;
}

struct scsi_target *fake_target_create(void)
{
    struct scsi_target *target = calloc(1, sizeof(*target));

    if (!target)
        abort();
    pthread_mutex_init(&target->lock, NULL);
    pthread_cond_init(&target->work, NULL);
    pthread_cond_init(&target->idle, NULL);
    for (unsigned i = 0; i < FAKE_LUNS; i++) {
        struct fake_lun *l = &target->luns[i];

        l->target = target;
        l->number = i;
        l->tail = &l->head;
        l->disk = calloc(FAKE_BLOCKS, FAKE_BLOCK_SIZE);
        if (!l->disk || pthread_create(&l->thread, NULL, lun_thread, l))
            abort();
    }
    return target;
}

void fake_target_destroy(struct scsi_target *target)
{
    pthread_mutex_lock(&target->lock);
    target->stopping = true;
    pthread_cond_broadcast(&target->work);
    pthread_mutex_unlock(&target->lock);
    for (unsigned i = 0; i < FAKE_LUNS; i++) {
        pthread_join(target->luns[i].thread, NULL);
        free(target->luns[i].disk);
        free(target->luns[i].kept);
    }
    pthread_mutex_destroy(&target->lock);
    pthread_cond_destroy(&target->work);
    pthread_cond_destroy(&target->idle);
    free(target);
}

int scsi_nexus_open(struct scsi_target *target, const struct scsi_nexus_options *options,
                    struct scsi_nexus **out, struct error *err)
{
    struct scsi_nexus *n = malloc(sizeof(*n));

    if (!n)
        return error_set(err, ERR_NO_MEMORY, "nexus");
    *n = (struct scsi_nexus){target, options->luns_changed, options->ctx};
    pthread_mutex_lock(&target->lock);
    target->nexuses++;
    target->nexus_total++;
    pthread_mutex_unlock(&target->lock);
    *out = n;
    return 0;
}

/* Abort the tasks that match; waits until none of them runs. Lock held. Returns how many. */
static unsigned abort_tasks(struct fake_lun *l, const struct scsi_nexus *nexus, const uint64_t *tag)
{
    struct scsi_target *target = l->target;
    struct scsi_task **at = &l->head, *aborted = NULL;
    unsigned found = 0;

    while (*at) {
        struct scsi_task *t = *at;

        if ((nexus && t->nexus != nexus) || (tag && t->tag != *tag)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        t->next = aborted;
        aborted = t;
    }
    l->tail = at;
    if (l->running && (!nexus || l->running->nexus == nexus) && (!tag || l->running->tag == *tag)) {
        l->running->aborted = true;
        found++;
        pthread_cond_broadcast(&target->work);
    }
    while ((!tag || found) && l->busy_with && (!nexus || l->busy_with == nexus))
        pthread_cond_wait(&target->idle, &target->lock);
    while (aborted) {
        struct scsi_task *t = aborted;

        aborted = t->next;
        found++;
        t->status = SCSI_TASK_ABORTED;
        pthread_mutex_unlock(&target->lock);
        t->done(t);
        pthread_mutex_lock(&target->lock);
    }
    return found;
}

void scsi_nexus_destroy(struct scsi_nexus *nexus)
{
    struct scsi_target *target = nexus->target;

    pthread_mutex_lock(&target->lock);
    for (unsigned i = 0; i < FAKE_LUNS; i++)
        abort_tasks(&target->luns[i], nexus, NULL);
    target->nexuses--;
    pthread_mutex_unlock(&target->lock);
    free(nexus);
}

static struct fake_lun *find_lun(struct scsi_target *target, const uint8_t *lun)
{
    if (lun[0] != 0 || lun[1] >= FAKE_LUNS)
        return NULL;
    return &target->luns[lun[1]];
}

void scsi_target_submit(struct scsi_target *target, struct scsi_task *task)
{
    struct fake_lun *l = find_lun(target, task->lun);

    if (!l) {
        if (task->cdb[0] == 0x12)
            inquiry(task, false);
        else if (task->cdb[0] == 0xa0)
            report_luns(task);
        else
            sense(task, 5, 0x25, 0);
        task->done(task);
        return;
    }
    pthread_mutex_lock(&target->lock);
    task->next = NULL;
    *l->tail = task;
    l->tail = &task->next;
    pthread_cond_broadcast(&target->work);
    pthread_mutex_unlock(&target->lock);
}

void scsi_target_run(struct scsi_target *target, struct scsi_task *task)
{
    scsi_target_submit(target, task);
}

enum scsi_tmf_result scsi_target_manage(struct scsi_target *target, struct scsi_nexus *nexus,
                                        enum scsi_tmf function, const uint8_t lun[8], uint64_t tag)
{
    struct fake_lun *l = find_lun(target, lun);
    unsigned found = 0;

    if (function != SCSI_TMF_TARGET_RESET && !l)
        return SCSI_TMF_NO_LUN;
    pthread_mutex_lock(&target->lock);
    if (function == SCSI_TMF_ABORT_TASK)
        found = abort_tasks(l, nexus, &tag);
    else if (function == SCSI_TMF_ABORT_TASK_SET)
        abort_tasks(l, nexus, NULL);
    else if (function != SCSI_TMF_TARGET_RESET)
        abort_tasks(l, NULL, NULL);
    else
        for (unsigned i = 0; i < FAKE_LUNS; i++)
            abort_tasks(&target->luns[i], NULL, NULL);
    pthread_mutex_unlock(&target->lock);
    return function == SCSI_TMF_ABORT_TASK && found == 0 ? SCSI_TMF_NO_TASK : SCSI_TMF_COMPLETE;
}

/* ---- questions of the tests -------------------------------------------------------------------*/

unsigned fake_nexus_count(struct scsi_target *target)
{
    unsigned n;

    pthread_mutex_lock(&target->lock);
    n = target->nexuses;
    pthread_mutex_unlock(&target->lock);
    return n;
}

unsigned fake_nexus_total(struct scsi_target *target)
{
    unsigned n;

    pthread_mutex_lock(&target->lock);
    n = target->nexus_total;
    pthread_mutex_unlock(&target->lock);
    return n;
}

size_t fake_last_out(struct scsi_target *target, uint8_t *buf, size_t size)
{
    const struct fake_lun *l = &target->luns[0];
    size_t len;

    pthread_mutex_lock(&target->lock);
    len = l->kept_len;
    if (len && len <= size)
        memcpy(buf, l->kept, len);
    pthread_mutex_unlock(&target->lock);
    return len;
}

size_t fake_history(struct scsi_target *target, unsigned lun, uint8_t *cdb1, size_t size)
{
    const struct fake_lun *l = &target->luns[lun];
    size_t len;

    pthread_mutex_lock(&target->lock);
    len = l->history_len < size ? l->history_len : size;
    memcpy(cdb1, l->history, len);
    pthread_mutex_unlock(&target->lock);
    return len;
}
