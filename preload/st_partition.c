/* SPDX-License-Identifier: Apache-2.0 */
/*
 * st_partition.c - see st.h: partitions of a medium, once MT_ST_CAN_PARTITIONS is on.
 *
 * MTSETPART only chooses; the tape moves at the next operation, to where that partition was left,
 * or, by MTSEEK, straight to a block of it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mtio.h>

#include "common/bytes.h"
#include "preload/st.h"

#define PAGE_PARTITION 0x11 /* SSC-5 8.3.6: medium partition mode page */
#define PAGE_FIXED     8    /* its length without the sizes */
#define FDP            0x80
#define IDP            0x20
#define PSUM           0x18
#define PSUM_UNITS     0x18
#define PSUM_MB        0x10
#define POFM           0x04
#define REST           0xffff
#define UNITS_GB       9

/* LOCATE(10): SSC-5 7.4. */
static int locate(struct st *st, uint32_t block, int32_t partition)
{
    struct session_command c = {
        .cdb = {0x2b}, .cdb_len = 10, .use = SESSION_SETS_POSITION, .what = "locate"};

    if (st_option(st, MT_ST_NOWAIT))
        c.cdb[1] |= 0x01;
    if (partition != st->state.partition) {
        c.cdb[1] |= 0x02; /* CP */
        c.cdb[8] = (uint8_t)partition;
    }
    put_be32(c.cdb + 3, block);
    return st_run(st, &c);
}

/* The tape did not get there: where is it? */
static void find_partition(struct st *st)
{
    uint64_t address;
    uint32_t partition;

    if (st_position(st, &address, NULL, &partition) == 0 && partition < ST_PARTITIONS)
        st->state.partition = (int32_t)partition;
}

static int go_to(struct st *st, uint32_t block, int32_t partition)
{
    struct st_state *state = &st->state;
    bool leaves = partition != state->partition;
    uint64_t address;
    int rc;

    if (leaves) {
        state->left[state->partition].address =
            st_position(st, &address, NULL, NULL) == 0 ? address : ST_NOWHERE;
        state->left[state->partition].rw = state->rw;
    }
    rc = locate(st, block, partition);
    st_is_at(st, rc || block ? -1 : 0, rc || block ? -1 : 0, ST_NOEOF);
    if (rc) {
        find_partition(st);
        state->next_partition = state->partition;
        return -EIO;
    }
    if (leaves) { /* where a file was being written, it goes on being written */
        state->rw = state->left[partition].address == block ? state->left[partition].rw : ST_IDLE;
        state->address = block;
    }
    state->partition = partition;
    return 0;
}

int st_partition_enter(struct st *st)
{
    const struct st_state *state = &st->state;
    uint64_t address;

    if (state->next_partition == state->partition)
        return 0;
    address = state->left[state->next_partition].address;
    return go_to(st, address > UINT32_MAX ? 0 : (uint32_t)address, state->next_partition);
}

int st_op_seek(struct st *st, int op, int count)
{
    (void)op;
    return go_to(st, (uint32_t)count, st->state.next_partition);
}

int st_op_partition(struct st *st, int op, int count)
{
    struct st_page page;

    (void)op;
    if (!st_option(st, MT_ST_CAN_PARTITIONS) || count < 0 || count >= ST_PARTITIONS)
        return -EINVAL;
    if (st_page_read(st, PAGE_PARTITION, &page) || page.len < PAGE_FIXED)
        return -EIO;
    if (count > page.page[3]) /* ADDITIONAL PARTITIONS DEFINED */
        return -EINVAL;
    st->state.next_partition = count;
    return 0;
}

/* ---- MTMKPART ---------------------------------------------------------------------------- */

/* FORMAT MEDIUM: SSC-5 7.3; 0 one partition, 1 what the mode page says. */
static int format(struct st *st, uint8_t how)
{
    struct session_command c = {.cdb = {0x04, st_option(st, MT_ST_NOWAIT), how},
                                .cdb_len = 6,
                                .use = SESSION_SETS_POSITION,
                                .what = "format medium"};

    return st_run(st, &c);
}

/* Choose two partitions, number `sized` with so many megabytes and the other with the rest. */
static int choose_two(struct st_page *page, int sized, int megabytes)
{
    uint8_t *p = page->page, keep = p[4] & (uint8_t)~PSUM, psum = PSUM_MB, units = 0;
    int size = megabytes;

    if (((p[4] & PSUM) == PSUM_UNITS && size >= 1000 && size % 1000 == 0) || size >= REST - 1) {
        size /= 1000;
        psum = PSUM_UNITS;
        units = UNITS_GB;
    }
    if (size >= REST)
        return -EINVAL;
    page->len = PAGE_FIXED + 4;
    if (page->page + page->len > page->data + sizeof(page->data))
        return -EIO;
    p[3] = 1; /* ADDITIONAL PARTITIONS DEFINED */
    p[4] = (uint8_t)(IDP | psum | (keep & 0x07));
    if (size == 1 && !units) /* a size of 1 MB asks for the smallest that there is */
        p[4] = (uint8_t)(FDP | (keep & 0x07));
    p[6] = units;
    p[7] = 0;
    put_be16(p + PAGE_FIXED, sized ? REST : (uint16_t)size);
    put_be16(p + PAGE_FIXED + 2, sized ? (uint16_t)size : REST);
    return 0;
}

static int make_partitions(struct st *st, int megabytes)
{
    struct st_page page;
    int rc;

    if (st_page_read(st, PAGE_PARTITION, &page) || page.len < PAGE_FIXED)
        return -EIO;
    if (megabytes == 0)
        return format(st, 0);
    rc = choose_two(&page, megabytes > 0, megabytes > 0 ? megabytes : -megabytes);
    if (rc == 0)
        rc = st_page_write(st, &page);
    if (rc == 0 && (page.page[4] & POFM))
        rc = format(st, 1);
    return rc;
}

int st_op_format(struct st *st, int op, int count)
{
    struct st_state *state = &st->state;
    int rc;

    (void)op;
    if (!st_option(st, MT_ST_CAN_PARTITIONS))
        return -EINVAL;
    state->next_partition = 0;
    rc = state->partition ? st_partition_enter(st) : st_rewind(st);
    if (rc == 0 && state->file != 0)
        rc = st_rewind(st);
    if (rc == 0)
        rc = make_partitions(st, count);
    if (rc)
        return rc;
    for (int i = 0; i < ST_PARTITIONS; i++) {
        state->left[i].address = ST_NOWHERE;
        state->left[i].rw = ST_IDLE;
    }
    state->partition = 0;
    st_is_at(st, 0, 0, ST_NOEOF);
    return 0;
}
