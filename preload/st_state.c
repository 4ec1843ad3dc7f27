/* SPDX-License-Identifier: Apache-2.0 */
/* st_state.c - see st.h: what is kept of a drive between calls and processes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "preload/st.h"

#define ATTRIBUTE_BARCODE 0x0806 /* SPC-5 7.4.2.3.8 */
#define POSITION_LONG     0x06
#define NOWHERE           UINT64_MAX

static bool state_plausible(const struct st_state *state)
{
    return memcmp(state->magic, ST_MAGIC, sizeof(state->magic)) == 0 && state->eof >= 0 &&
           state->eof < ST_EOF_COUNT && state->rw >= ST_IDLE && state->rw <= ST_WRITING &&
           memchr(state->barcode, '\0', sizeof(state->barcode)) != NULL;
}

static void state_unknown(struct st_state *state)
{
    *state = (struct st_state){.file = -1, .block = -1, .address = NOWHERE};
    memcpy(state->magic, ST_MAGIC, sizeof(state->magic));
}

void st_state_load(struct st *st)
{
    CLEANUP_CLOSE int fd = device_open_lock(st->unit->lun, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || pread(fd, &st->state, sizeof(st->state), 0) != sizeof(st->state) ||
        !state_plausible(&st->state))
        state_unknown(&st->state);
}

void st_state_save(struct st *st)
{
    CLEANUP_CLOSE int fd = device_open_lock(st->unit->lun, O_WRONLY | O_CLOEXEC);

    /* If it can't be kept, the next one asks the drive. */
    if (fd >= 0 && pwrite(fd, &st->state, sizeof(st->state), 0) != sizeof(st->state))
        (void)!ftruncate(fd, 0);
}

int st_position(struct st *st, uint64_t *address, uint64_t *file)
{
    uint8_t data[32];
    struct session_command c = {.cdb = {0x34, POSITION_LONG},
                                .cdb_len = 10,
                                .in = data,
                                .len = sizeof(data),
                                .what = "read position"};

    if (st_run(st, &c) || c.got < 24 || (data[0] & 0x04)) /* LONU */
        return -EIO;
    *address = get_be64(data + 8);
    if (file)
        *file = data[0] & 0x08 ? NOWHERE : get_be64(data + 16); /* MPU */
    return 0;
}

static void barcode_read(struct st *st, char *barcode, size_t size)
{
    uint8_t data[4 + 5 + 64];
    struct session_command c = {.cdb = {0x8c},
                                .cdb_len = 16,
                                .in = data,
                                .len = sizeof(data),
                                .use = SESSION_NEUTRAL,
                                .what = "read attribute"};

    barcode[0] = '\0';
    put_be16(c.cdb + 8, ATTRIBUTE_BARCODE);
    put_be32(c.cdb + 10, sizeof(data));
    if (st_run(st, &c) == 0 && c.got > 9 && get_be16(data + 4) == ATTRIBUTE_BARCODE) {
        size_t len = get_be16(data + 7);

        session_text(barcode, size, data + 9, len < c.got - 9 ? len : c.got - 9);
    }
}

int st_state_resume(struct st *st)
{
    struct st_state *state = &st->state;
    uint64_t address, file;
    char barcode[sizeof(state->barcode)];
    int rc = st_position(st, &address, &file);

    if (rc)
        return rc;
    barcode_read(st, barcode, sizeof(barcode));
    if (state->address == address && strcmp(state->barcode, barcode) == 0)
        return 0;
    state_unknown(state);
    memcpy(state->barcode, barcode, sizeof(barcode));
    state->address = address;
    if (file <= INT32_MAX)
        state->file = (int32_t)file;
    if (file == 0 && address <= INT32_MAX)
        state->block = (int32_t)address;
    return 0;
}
