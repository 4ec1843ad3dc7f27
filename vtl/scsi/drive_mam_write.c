/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_mam_write.c - WRITE ATTRIBUTE (SPC-5 6.50): the list is checked as a whole, and whether
 * there is room for it, before the first attribute is stored; so a refused list changes nothing.
 * WTC is always true: what has its GOOD is durable.
 */
#include "vtl/scsi/drive_mam.h"

struct list {
    uint32_t partition, len;
    int64_t growth; /* what it adds to what host attributes take */
    int32_t last;   /* the id before: they must rise */
};

static bool short_list(struct scsi_lu *lu, struct scsi_task *task)
{
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    return false;
}

static int64_t stored_size(struct scsi_lu *lu, uint32_t partition, uint16_t id)
{
    size_t len = drive_attribute_size(lu->drive->cartridge, partition, id);

    return len ? (int64_t)len - 1 + MAM_HEADER : 0;
}

/* The attribute at `at`; its header and all of its value must lie in the list. */
static bool check_attribute(struct scsi_lu *lu, struct scsi_task *task, struct list *list,
                            uint32_t at)
{
    const uint8_t *a = task->out + at;
    const struct mam_row *row;
    unsigned id, len;

    if (list->len - at < MAM_HEADER)
        return short_list(lu, task);
    id = get_be16(a);
    len = get_be16(a + 3);
    row = mam_find(id);
    if (!mam_is_host(id) || (int32_t)id <= list->last) {
        task_bad_list(lu, task, at, 7);
    } else if ((a[2] & 0x03) == 3 || (a[2] & 0xfc) || (row && row->format != a[2])) {
        task_bad_list(lu, task, at + 2, 1);
    } else if (len > MAM_VALUE_MAX || (row && len > row->length)) {
        task_bad_list(lu, task, at + 3, 7);
    } else if (list->len - at - MAM_HEADER < len) {
        return short_list(lu, task);
    } else {
        list->last = (int32_t)id;
        list->growth +=
            (len ? (int64_t)len + MAM_HEADER : 0) - stored_size(lu, list->partition, (uint16_t)id);
        return true;
    }
    return false;
}

/* Length 0 deletes (SPC-5 6.50). */
static int store_attribute(struct scsi_lu *lu, uint32_t partition, const uint8_t *a,
                           struct error *err)
{
    uint8_t stored[1 + MAM_VALUE_MAX];
    size_t len = get_be16(a + 3);

    stored[0] = a[2];
    memcpy(stored + 1, a + MAM_HEADER, len);
    return cartridge_attribute_set(lu->drive->cartridge, partition, get_be16(a), stored,
                                   len ? len + 1 : 0, err);
}

static uint32_t next_attribute(const struct scsi_task *task, uint32_t at)
{
    return at + MAM_HEADER + get_be16(task->out + at + 3);
}

static bool check_list(struct scsi_lu *lu, struct scsi_task *task, struct list *list)
{
    if (list->len < 4 || list->len > 65536)
        return short_list(lu, task);
    if (!task_list(lu, task, list->len))
        return false;
    if (get_be32(task->out) != list->len - 4) {
        task_bad_list(lu, task, 0, 7);
        return false;
    }
    for (uint32_t at = 4; at < list->len; at = next_attribute(task, at)) {
        if (!check_attribute(lu, task, list, at))
            return false;
    }
    if (list->growth > 0 && mam_used(lu) + list->growth > MAM_CAPACITY) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_MEMORY_OUT_OF_SPACE);
        return false;
    }
    return true;
}

void cmd_write_attribute(struct scsi_lu *lu, struct scsi_task *task)
{
    struct list list = {.partition = task->cdb[7], .len = get_be32(task->cdb + 10), .last = -1};
    struct error err = ERROR_INIT;

    if (list.partition >= cartridge_partition_count(lu->drive->cartridge)) {
        task_bad_cdb(lu, task, 7, 7);
        return;
    }
    if (list.len == 0 || !check_list(lu, task, &list))
        return;
    for (uint32_t at = 4; at < list.len; at = next_attribute(task, at)) {
        int rc = store_attribute(lu, list.partition, task->out + at, &err);

        if (rc != 0) {
            drive_error(lu, task, rc, &err, 0);
            return;
        }
    }
}
