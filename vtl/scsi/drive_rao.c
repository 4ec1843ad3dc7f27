/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_rao.c - GENERATE and RECEIVE RECOMMENDED ACCESS ORDER (SSC-5; IBM LTO reference 4.6, 5.2.4,
 * 5.2.24): a host names the parts of the tape it wants, and learns in which order they are read
 * with the least winding.
 *
 * The tape is a serpentine: a wrap goes from one end of the tape to the other, the next one comes
 * back.  So two objects far apart by address may lie side by side.  The cost model:
 *
 *   wrap      = bytes before the object / bytes a wrap holds (a partition begins on a wrap of its
 *               own, behind two guard wraps)
 *   place     = how far along the tape: forwards in even wraps, backwards in odd ones
 *   cost(a,b) = |place(a) - place(b)| x the time to wind the whole tape
 *               + a turn, if the motion to b is not the direction in which b's wrap is read
 *               + a step of the head, if b is in another wrap
 *
 * From what ends the nearest is gone to next; then single segments are moved as long as that makes
 * the whole way shorter.  Binding points (4.6.3.4) stay where they are: a first segment of a single
 * object is where the way begins, a last one where it ends; of these, partition 0 object 0 as the
 * last stands for unloading.  The list is kept until the next one or until the medium goes.
 */
#include <stdlib.h>

#include "vtl/scsi/drive.h"

enum {
    RAO_HEADER = 8,
    UDS_SIZE = 32, /* with its length field; UDS_TYPE 000b: without geometry */
    UDS_MAX = 2000,
    RAO_LIST_VALID = 1,
};
enum rao_process { RAO_KEEP_ORDER = 1, RAO_REORDER = 2 };

/* The cost model, in milliseconds. */
enum { WIND_MS = 90000, TURN_MS = 2500, STEP_MS = 1200, UNTHREAD_MS = 8000 };

#define IMPROVEMENTS_MAX 20000000u /* cost comparisons: some tenths of a second */

/* Where an object lies. */
struct spot {
    uint32_t wrap;
    double place; /* 0: the beginning of the tape, 1: its end */
};

struct segment {
    uint8_t descriptor[UDS_SIZE];
    struct spot from, to;
};

struct rao {
    uint8_t process;
    uint32_t count;
    struct segment segments[];
};

/* ---- where things lie ------------------------------------------------------------------------ */

/* The spot of the position. */
static struct spot spot_here(const struct cartridge *c)
{
    uint64_t bytes = drive_wrap_bytes(c);
    struct cartridge_position pos;
    struct spot s;

    cartridge_tell(c, &pos);
    s.wrap = drive_first_wrap(c, pos.partition) + (uint32_t)(pos.used / bytes);
    s.place = (double)(pos.used % bytes) / (double)bytes;
    if (s.wrap & 1)
        s.place = 1 - s.place;
    return s;
}

static int spot_of(struct cartridge *c, uint32_t partition, uint64_t lba, struct spot *s)
{
    struct error err = ERROR_INIT;
    int rc = cartridge_locate(c, partition, lba, &err);

    *s = spot_here(c);
    return rc;
}

/* ---- the way --------------------------------------------------------------------------------- */

static uint32_t locate_ms(const struct spot *a, const struct spot *b)
{
    double way = b->place - a->place;
    bool forwards = !(b->wrap & 1);
    double ms = (way < 0 ? -way : way) * WIND_MS;

    if (way != 0 && (way > 0) != forwards)
        ms += TURN_MS;
    if (a->wrap != b->wrap)
        ms += STEP_MS;
    return (uint32_t)ms;
}

static bool is_single(const struct segment *s)
{
    return memcmp(s->descriptor + 16, s->descriptor + 24, 8) == 0;
}

static bool is_unload(const struct segment *s)
{
    return is_single(s) && s->descriptor[15] == 0 && get_be64(s->descriptor + 16) == 0;
}

/* Which segments may be moved: [*first, *end). */
static void movable(const struct rao *rao, uint32_t *first, uint32_t *end)
{
    *first = rao->count && is_single(&rao->segments[0]) ? 1 : 0;
    *end = rao->count;
    if (*end > *first && is_unload(&rao->segments[*end - 1]))
        --*end;
    if (*end > *first && is_single(&rao->segments[*end - 1]))
        --*end;
}

static void swap_segments(struct segment *a, struct segment *b)
{
    struct segment t = *a;

    *a = *b;
    *b = t;
}

/* Always to the nearest. */
static void order_greedily(struct rao *rao, uint32_t first, uint32_t end, struct spot at)
{
    for (uint32_t i = first; i < end; i++) {
        uint32_t best = i, best_ms = UINT32_MAX;

        for (uint32_t j = i; j < end; j++) {
            uint32_t ms = locate_ms(&at, &rao->segments[j].from);

            if (ms < best_ms) {
                best = j;
                best_ms = ms;
            }
        }
        swap_segments(&rao->segments[i], &rao->segments[best]);
        at = rao->segments[i].to;
    }
}

/* Move segment i to before segment j (of the order without it). */
static void move_segment(struct rao *rao, uint32_t i, uint32_t j)
{
    struct segment moved = rao->segments[i];

    if (j > i)
        memmove(&rao->segments[i], &rao->segments[i + 1], (j - i - 1) * sizeof(moved));
    else
        memmove(&rao->segments[j + 1], &rao->segments[j], (i - j) * sizeof(moved));
    rao->segments[j > i ? j - 1 : j] = moved;
}

/* What it costs to go by way of s between a and b (b may be NULL: the end of the way). */
static int64_t detour(const struct spot *a, const struct segment *s, const struct spot *b)
{
    int64_t ms = locate_ms(a, &s->from);

    return b ? ms + locate_ms(&s->to, b) - locate_ms(a, b) : ms;
}

/* The best place for segment i: gained is how much shorter the way gets. */
static uint32_t better_place(const struct rao *rao, uint32_t first, uint32_t end, uint32_t i,
                             const struct spot *start, int64_t *gained)
{
    const struct segment *s = rao->segments;
    const struct spot *before = i > first ? &s[i - 1].to : start;
    const struct spot *after = i + 1 < rao->count ? &s[i + 1].from : NULL;
    int64_t now = detour(before, &s[i], after);
    uint32_t best = i;

    *gained = 0;
    for (uint32_t j = first; j <= end; j++) {
        const struct spot *a = j > first ? &s[j - 1].to : start;
        int64_t saved;

        if (j == i || j == i + 1)
            continue;
        saved = now - detour(a, &s[i], j < rao->count ? &s[j].from : NULL);
        if (saved > *gained) {
            *gained = saved;
            best = j;
        }
    }
    return best;
}

static void order_improve(struct rao *rao, uint32_t first, uint32_t end, const struct spot *start)
{
    uint64_t work = 0;
    bool better = true;

    while (better) {
        better = false;
        for (uint32_t i = first; i < end; i++) {
            int64_t gained;
            uint32_t place = better_place(rao, first, end, i, start, &gained);

            work += end - first + 1;
            if (work > IMPROVEMENTS_MAX)
                return;
            if (gained > 0) {
                move_segment(rao, i, place);
                better = true;
            }
        }
    }
}

/* ESTIMATED LOCATE TIME TO UDS, in milliseconds, from the end of the one before. */
static void put_times(struct rao *rao, struct spot at)
{
    const struct spot beginning = {0, 0};

    for (uint32_t i = 0; i < rao->count; i++) {
        struct segment *s = &rao->segments[i];
        bool unload = i + 1 == rao->count && is_unload(s);
        uint32_t ms = locate_ms(&at, unload ? &beginning : &s->from) + (unload ? UNTHREAD_MS : 0);

        put_be24(s->descriptor + 2, ms < 0xffffff ? ms : 0xffffff);
        at = s->to;
    }
}

static void rao_order(struct rao *rao, const struct spot *here)
{
    uint32_t first, end;
    struct spot start = *here;

    movable(rao, &first, &end);
    if (first == 1)
        start = rao->segments[0].to;
    if (rao->process == RAO_REORDER && end > first) {
        order_greedily(rao, first, end, start);
        order_improve(rao, first, end, &start);
    }
    put_times(rao, *here);
}

/* ---- commands -------------------------------------------------------------------------------- */

void drive_forget_rao(struct drive *d)
{
    free(d->rao);
    d->rao = NULL;
}

/* Take one descriptor of the list; false, with the status set, if it names what is not there. */
static bool take_segment(struct scsi_lu *lu, struct scsi_task *task, uint32_t at, struct segment *s)
{
    const uint8_t *d = task->out + at;
    struct cartridge *c = lu->drive->cartridge;
    uint64_t begin = get_be64(d + 16), end = get_be64(d + 24);

    memcpy(s->descriptor, d, UDS_SIZE);
    if (get_be16(d) != UDS_SIZE - 2)
        task_bad_list(lu, task, at, 7);
    else if (d[15] >= cartridge_partition_count(c))
        task_bad_list(lu, task, at + 15, 7);
    else if (end < begin)
        task_bad_list(lu, task, at + 24, 7);
    else if (spot_of(c, d[15], begin, &s->from) != 0)
        task_bad_list(lu, task, at + 16, 7); /* beyond the end of data */
    else if (spot_of(c, d[15], end, &s->to) != 0)
        task_bad_list(lu, task, at + 24, 7);
    else
        return true;
    return false;
}

/* False, with the status set, if the list is none. */
static bool check_list(struct scsi_lu *lu, struct scsi_task *task, uint32_t len)
{
    if (len < RAO_HEADER || len > RAO_HEADER + UDS_MAX * UDS_SIZE) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return false;
    }
    if (!task_list(lu, task, len))
        return false;
    if (get_be32(task->out + 4) != len - RAO_HEADER || (len - RAO_HEADER) % UDS_SIZE) {
        task_bad_list(lu, task, 4, 7);
        return false;
    }
    return true;
}

void cmd_generate_rao(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    uint32_t len = get_be32(task->cdb + 6), count;
    unsigned process = task->cdb[2] & 7;
    struct error err = ERROR_INIT;
    struct cartridge_position pos;
    struct spot here;
    struct rao *rao;
    bool good = true;

    if (process != RAO_KEEP_ORDER && process != RAO_REORDER) {
        task_bad_cdb(lu, task, 2, 2);
        return;
    }
    if ((task->cdb[3] & 7) != 0) { /* with geometry */
        task_bad_cdb(lu, task, 3, 2);
        return;
    }
    if (len == 0 || !check_list(lu, task, len))
        return;
    count = (len - RAO_HEADER) / UDS_SIZE;
    rao = malloc(sizeof(*rao) + count * sizeof(rao->segments[0]));
    if (!rao) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    rao->process = (uint8_t)process;
    rao->count = count;
    cartridge_tell(d->cartridge, &pos);
    here = spot_here(d->cartridge);
    for (uint32_t i = 0; i < count && good; i++)
        good = take_segment(lu, task, RAO_HEADER + i * UDS_SIZE, &rao->segments[i]);
    cartridge_locate(d->cartridge, pos.partition, pos.lba, &err); /* back: it is there */
    if (!good) {
        free(rao);
        return;
    }
    rao_order(rao, &here);
    drive_forget_rao(d);
    d->rao = rao;
}

/* What can be sent: 16 bits each of how many, and how large. */
static void receive_limits(struct scsi_task *task, uint32_t allocation)
{
    struct reply r = task_reply(task, allocation);

    reply_be16(&r, UDS_MAX);
    reply_be16(&r, UDS_SIZE);
    task_replied(task, &r, allocation);
}

void cmd_receive_rao(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct rao *rao = lu->drive->rao;
    uint32_t offset = get_be32(task->cdb + 2), allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    if ((task->cdb[10] & 7) != 0) { /* with geometry */
        task_bad_cdb(lu, task, 10, 2);
    } else if (task->cdb[1] & 0x80) { /* UDS_LIMITS */
        receive_limits(task, allocation);
    } else if (!rao) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
    } else if (offset % UDS_SIZE || offset / UDS_SIZE > rao->count) {
        task_bad_cdb(lu, task, 2, 7);
    } else {
        reply_u8(&r, rao->process);
        reply_u8(&r, RAO_LIST_VALID);
        reply_be16(&r, 0);
        reply_be32(&r, rao->count * UDS_SIZE);
        for (uint32_t i = offset / UDS_SIZE; i < rao->count; i++)
            reply_bytes(&r, rao->segments[i].descriptor, UDS_SIZE);
        task_replied(task, &r, allocation);
    }
}
