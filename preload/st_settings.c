/* SPDX-License-Identifier: Apache-2.0 */
/* st_settings.c - see st.h: mode parameters of the drive, options and defaults of the driver. */
#include <errno.h>
#include <string.h>
#include <sys/mtio.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "preload/st.h"

#define PAGE_COMPRESSION  0x0f /* SSC-5 8.3.2 */
#define HEADER_LENGTH     4
#define DESCRIPTOR_LENGTH 8
#define WRITE_PROTECTED   0x80
#define THRESHOLD_MAX     (32 * 1024) /* st's buffer in fixed block mode */
#define OPTION_VALUE      (~(uint32_t)MT_ST_OPTIONS)

/* ---- mode pages -------------------------------------------------------------------------- */

/* MODE SELECT(6) of a header, a block descriptor and perhaps a page. */
static int mode_select(struct st *st, const uint8_t *data, size_t len)
{
    struct session_command c = {.cdb = {0x15, 0x10, 0, 0, (uint8_t)len},
                                .cdb_len = 6,
                                .out = data,
                                .len = len,
                                .use = SESSION_NEUTRAL,
                                .what = "mode select"};

    return st_run(st, &c);
}

int st_page_read(struct st *st, uint8_t code, struct st_page *page)
{
    struct session_command c = {.cdb = {0x1a, 0, code, 0, sizeof(page->data)},
                                .cdb_len = 6,
                                .in = page->data,
                                .len = sizeof(page->data),
                                .use = SESSION_NEUTRAL,
                                .what = "mode sense"};
    size_t start;

    if (st_run(st, &c) || c.got < HEADER_LENGTH)
        return -EIO;
    start = HEADER_LENGTH + (size_t)page->data[3];
    if (c.got < start + 2)
        return -EIO;
    page->page = page->data + start;
    page->len = (size_t)page->page[1] + 2;
    return (page->page[0] & 0x3f) == code && start + page->len <= c.got ? 0 : -EIO;
}

int st_page_write(struct st *st, struct st_page *page)
{
    page->data[0] = page->data[1] = 0;
    page->data[2] &= (uint8_t)~WRITE_PROTECTED; /* not for us to set */
    page->page[0] &= 0x3f;                      /* PS */
    page->page[1] = (uint8_t)(page->len - 2);
    return mode_select(st, page->data, (size_t)(page->page - page->data) + page->len);
}

/* ---- block length, density, buffering, compression --------------------------------------- */

static int set_modes(struct st *st, uint8_t buffered, uint8_t density, uint32_t block_size)
{
    struct unit *unit = st->unit;
    uint8_t data[HEADER_LENGTH + DESCRIPTOR_LENGTH] = {0, 0, buffered, DESCRIPTOR_LENGTH, density};
    int rc;

    put_be24(data + 9, block_size);
    rc = mode_select(st, data, sizeof(data));
    if (rc)
        return rc;
    unit->buffered = buffered;
    unit->density = density;
    unit->block_size = block_size;
    return 0;
}

static int check_block(const struct unit *unit, uint32_t size)
{
    if (size &&
        (size > 0xffffff || size < unit->block_min || (unit->block_max && size > unit->block_max)))
        return -EINVAL;
    return 0;
}

int st_op_block(struct st *st, int op, int count)
{
    struct unit *unit = st->unit;
    uint32_t size = op == MTSETBLK ? (uint32_t)count : unit->block_size;
    uint8_t density = op == MTSETDENSITY ? (uint8_t)count : unit->density;

    if (op == MTSETBLK && check_block(unit, size))
        return -EINVAL;
    if (op == MTSETDENSITY && (count < 0 || count > 0xff))
        return -EINVAL;
    if (op == MTSETBLK)
        st->state.block_chosen = 1;
    else
        st->state.density_chosen = 1;
    return set_modes(st, unit->buffered, density, size);
}

/* The buffered mode: SSC-5 8.3.1. */
static int set_buffering(struct st *st, uint32_t mode)
{
    return set_modes(st, (uint8_t)((mode & 7) << 4), st->unit->density, st->unit->block_size);
}

static int set_compression(struct st *st, bool on)
{
    struct st_page page;

    if (st_need_ready(st) || st_page_read(st, PAGE_COMPRESSION, &page) || page.len < 16 ||
        !(page.page[2] & 0x40)) /* DCC: it is able to */
        return -EIO;
    page.page[2] = (uint8_t)(on ? page.page[2] | 0x80 : page.page[2] & 0x7f); /* DCE */
    if (st->state.algorithm)
        put_be32(page.page + 4, on ? (uint32_t)st->state.algorithm : 0);
    return st_page_write(st, &page);
}

int st_op_compression(struct st *st, int op, int count)
{
    int rc = set_compression(st, count & 1);

    (void)op;
    if (rc == 0)
        st->state.compression_chosen = 1;
    return rc;
}

/* ---- the door ---------------------------------------------------------------------------- */

int st_door(struct st *st, enum st_door door)
{
    struct session_command c = {.cdb = {0x1e, 0, 0, 0, door != ST_UNLOCKED},
                                .cdb_len = 6,
                                .use = SESSION_NEUTRAL,
                                .what = "prevent or allow medium removal"};
    int rc = st_run(st, &c);

    if (rc == 0)
        st->state.door = (int32_t)door;
    return rc;
}

int st_op_lock(struct st *st, int op, int count)
{
    (void)count;
    return st_door(st, op == MTLOCK ? ST_LOCKED : ST_UNLOCKED);
}

/* ---- defaults ---------------------------------------------------------------------------- */

static struct st_mode *present_mode(struct st *st)
{
    return &st->state.modes[st->state.mode];
}

/* Block length and density of the mode, where the program has not chosen others. */
static int apply_format(struct st *st)
{
    const struct st_mode *mode = present_mode(st);
    struct unit *unit = st->unit;
    uint32_t size = unit->block_size;
    uint8_t density = unit->density;

    if (!st->state.block_chosen && mode->block_size != ST_UNSET)
        size = (uint32_t)mode->block_size;
    if (!st->state.density_chosen && mode->density != ST_UNSET)
        density = (uint8_t)mode->density;
    if (size == unit->block_size && density == unit->density)
        return 0;
    if (check_block(unit, size) || set_modes(st, unit->buffered, density, size))
        return -EINVAL;
    return 0;
}

int st_new_medium(struct st *st)
{
    struct st_state *state = &st->state;
    int rc = 0;

    state->block_chosen = state->density_chosen = state->compression_chosen = 0;
    if (!st_option(st, MT_ST_DEF_WRITES))
        rc = apply_format(st);
    if (rc == 0 && state->buffering != ST_UNSET)
        (void)set_buffering(st, (uint32_t)state->buffering); /* st only warns */
    return rc;
}

int st_write_defaults(struct st *st)
{
    const struct st_mode *mode = present_mode(st);
    int rc = apply_format(st);

    if (rc == 0 && mode->compression != ST_UNSET && !st->state.compression_chosen)
        (void)set_compression(st, mode->compression); /* the same */
    return rc;
}

/* ---- options ----------------------------------------------------------------------------- */

bool st_option(const struct st *st, uint32_t option)
{
    uint32_t of_mode = st->state.modes[st->state.mode].options;

    return ((option & ST_MODE_OPTIONS) ? of_mode : st->state.options) & option;
}

static int set_booleans(struct st *st, uint32_t code, uint32_t value)
{
    struct st_mode *mode = present_mode(st);
    uint32_t now = mode->options | st->state.options;

    if (code == MT_ST_BOOLEANS)
        now = value;
    else if (code == MT_ST_SETBOOLEANS)
        now |= value;
    else
        now &= ~value;
    mode->options = now & ST_MODE_OPTIONS;
    st->state.options = now & ~(uint32_t)ST_MODE_OPTIONS & 0xffff;
    return 0;
}

static int set_threshold(struct st *st, uint32_t code, uint32_t value)
{
    (void)st; /* nothing is kept back: every write goes to the drive at once */
    (void)code;
    return value && value <= THRESHOLD_MAX / 1024 ? 0 : -EIO;
}

static int set_default_block(struct st *st, uint32_t code, uint32_t value)
{
    (void)code;
    if (value == OPTION_VALUE || value == 0xffffff) {
        present_mode(st)->block_size = ST_UNSET;
        return 0;
    }
    present_mode(st)->block_size = (int32_t)(value & 0xffffff);
    st->state.block_chosen = 0;
    return st->unit->ready ? apply_format(st) : 0;
}

static int set_default_density(struct st *st, uint32_t value)
{
    present_mode(st)->density = value == MT_ST_CLEAR_DEFAULT ? ST_UNSET : (int32_t)(value & 0xff);
    st->state.density_chosen = 0;
    return st->unit->ready ? apply_format(st) : 0;
}

static int set_default_buffering(struct st *st, uint32_t value)
{
    st->state.buffering = value == MT_ST_CLEAR_DEFAULT ? ST_UNSET : (int32_t)(value & 7);
    if (st->state.buffering != ST_UNSET && st->unit->ready)
        (void)set_buffering(st, value);
    return 0;
}

static int set_default_compression(struct st *st, uint32_t value)
{
    if (value == MT_ST_CLEAR_DEFAULT) {
        present_mode(st)->compression = ST_UNSET;
        return 0;
    }
    if (value & 0xff00)
        st->state.algorithm = (int32_t)(value >> 8 & 0xff);
    if ((value & 0xff) == 0xff)
        return 0;
    present_mode(st)->compression = value & 1;
    st->state.compression_chosen = 0;
    if (st->unit->ready)
        (void)set_compression(st, value & 1);
    return 0;
}

static int set_default(struct st *st, uint32_t code, uint32_t value)
{
    (void)code;
    switch (value & ~(uint32_t)MT_ST_CLEAR_DEFAULT) {
    case MT_ST_DEF_DENSITY &OPTION_VALUE:
        return set_default_density(st, value & MT_ST_CLEAR_DEFAULT);
    case MT_ST_DEF_COMPRESSION &OPTION_VALUE:
        return set_default_compression(st, value & MT_ST_CLEAR_DEFAULT);
    case MT_ST_DEF_DRVBUFFER &OPTION_VALUE:
        return set_default_buffering(st, value & MT_ST_CLEAR_DEFAULT);
    default:
        return 0;
    }
}

static int set_timeout(struct st *st, uint32_t code, uint32_t value)
{
    const uint32_t is_long = MT_ST_SET_LONG_TIMEOUT & OPTION_VALUE;

    (void)code;
    if (value & is_long)
        st->state.long_timeout = (int32_t)(value & ~is_long);
    else
        st->state.timeout = (int32_t)value;
    return 0;
}

/* Which bytes of vendors' sense data ask for cleaning: our drives say it by 00h 17h. */
static int set_cleaning(struct st *st, uint32_t code, uint32_t value)
{
    uint32_t byte = value & 0xff;

    (void)st;
    (void)code;
    return byte && (byte < 18 || byte >= 96) ? -EINVAL : 0;
}

static const struct {
    uint32_t code;
    int (*set)(struct st *st, uint32_t code, uint32_t value);
} settings[] = {
    {MT_ST_BOOLEANS, set_booleans},         {MT_ST_SETBOOLEANS, set_booleans},
    {MT_ST_CLEARBOOLEANS, set_booleans},    {MT_ST_WRITE_THRESHOLD, set_threshold},
    {MT_ST_DEF_BLKSIZE, set_default_block}, {MT_ST_DEF_OPTIONS, set_default},
    {MT_ST_TIMEOUTS, set_timeout},          {MT_ST_SET_CLN, set_cleaning},
};

/* A mode that was not defined yet starts as a copy of the first. */
static void define_mode(struct st *st)
{
    struct st_mode *mode = present_mode(st);

    if (mode->defined)
        return;
    *mode = st->state.modes[0];
    mode->defined = 1;
}

int st_op_buffer(struct st *st, int op, int count)
{
    uint32_t code = (uint32_t)count & MT_ST_OPTIONS;

    (void)op;
    if (!code)
        return st_need_ready(st) ? st_need_ready(st) : set_buffering(st, (uint32_t)count);
    define_mode(st);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (settings[i].code == code)
            return settings[i].set(st, code, (uint32_t)count & OPTION_VALUE);
    return -EIO;
}
