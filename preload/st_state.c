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

#define TIMEOUT      900 /* seconds: st_options.h's defaults */
#define LONG_TIMEOUT 14000

static bool within(int32_t value, int32_t end)
{
    return value >= 0 && value < end;
}

static bool state_plausible(const struct st_state *state)
{
    return memcmp(state->magic, ST_MAGIC, sizeof(state->magic)) == 0 &&
           within(state->eof, ST_EOF_COUNT) && within(state->rw, ST_WRITING + 1) &&
           within(state->partition, ST_PARTITIONS) &&
           within(state->next_partition, ST_PARTITIONS) && within(state->mode, ST_MODES) &&
           within(state->door, ST_LOCKED + 1) &&
           memchr(state->barcode, '\0', sizeof(state->barcode)) != NULL;
}

/* Nothing is known of where the tape is. */
static void place_unknown(struct st_state *state)
{
    state->eof = ST_NOEOF;
    state->rw = ST_IDLE;
    state->file = state->block = -1;
    state->rewind = 0;
    state->address = ST_NOWHERE;
    state->partition = state->next_partition = 0;
    for (int i = 0; i < ST_PARTITIONS; i++) {
        state->left[i].address = ST_NOWHERE;
        state->left[i].rw = ST_IDLE;
    }
}

/* As the driver starts. */
static void state_initial(struct st_state *state)
{
    const struct st_mode mode = {.options =
                                     MT_ST_BUFFER_WRITES | MT_ST_ASYNC_WRITES | MT_ST_READ_AHEAD,
                                 .block_size = ST_UNSET,
                                 .density = ST_UNSET,
                                 .compression = ST_UNSET};

    *state = (struct st_state){.options = MT_ST_CAN_BSR,
                               .buffering = ST_UNSET,
                               .timeout = TIMEOUT,
                               .long_timeout = LONG_TIMEOUT,
                               .modes = {mode, mode, mode, mode}};
    state->modes[0].defined = 1;
    memcpy(state->magic, ST_MAGIC, sizeof(state->magic));
    place_unknown(state);
}

void st_state_load(struct st *st)
{
    CLEANUP_CLOSE int fd = device_open_lock(st->unit->lun, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || pread(fd, &st->state, sizeof(st->state), 0) != sizeof(st->state) ||
        !state_plausible(&st->state))
        state_initial(&st->state);
}

void st_state_save(struct st *st)
{
    CLEANUP_CLOSE int fd = device_open_lock(st->unit->lun, O_WRONLY | O_CLOEXEC);

    /* If it can't be kept, the next one asks the drive. */
    if (fd >= 0 && pwrite(fd, &st->state, sizeof(st->state), 0) != sizeof(st->state))
        (void)!ftruncate(fd, 0);
}

int st_position(struct st *st, uint64_t *address, uint64_t *file, uint32_t *partition)
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
        *file = data[0] & 0x08 ? ST_NOWHERE : get_be64(data + 16); /* MPU */
    if (partition)
        *partition = get_be32(data + 4);
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

int st_state_resume(struct st *st, bool *fresh)
{
    struct st_state *state = &st->state;
    uint64_t address, file;
    uint32_t partition;
    char barcode[sizeof(state->barcode)];
    int rc = st_position(st, &address, &file, &partition);

    if (rc)
        return rc;
    barcode_read(st, barcode, sizeof(barcode));
    *fresh = strcmp(state->barcode, barcode) != 0;
    if (state->address == address && (uint32_t)state->partition == partition && !*fresh)
        return 0;
    place_unknown(state);
    if (*fresh)
        state->cleaning = 0;
    memcpy(state->barcode, barcode, sizeof(barcode));
    state->address = address;
    if (partition < ST_PARTITIONS)
        state->partition = state->next_partition = (int32_t)partition;
    if (file <= INT32_MAX)
        state->file = (int32_t)file;
    if (file == 0 && address <= INT32_MAX)
        state->block = (int32_t)address;
    return 0;
}
