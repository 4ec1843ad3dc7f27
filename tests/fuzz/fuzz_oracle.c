/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_oracle.c - tape commands made by the fuzzer, against the model of tests/oracle.
 *
 * An input is a place (byte 0) and up to 48 commands, each:
 *   byte 0   a step of the oracle's alphabet, whose CDB is taken
 *   byte 1   bits 1..0 how many bytes of the CDB are changed, bit 2 nexus, bits 4..3 data-out: new,
 *            that of the block at the position, the same but for the last byte; bit 5 half the room
 *   then for each change the byte's number and its new value
 *
 * Whatever comes must be answered as the model says; what it has no opinion of is left out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/oracle/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define COMMANDS_MAX 48

struct input {
    const uint8_t *data;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    oracle_start();
    atexit(oracle_stop);
    return 0;
}

static void make_request(struct input *in, uint32_t fresh, struct model_request *r)
{
    struct oracle_step step = oracle_steps[next(in) % oracle_step_count];
    uint8_t how = next(in);

    step.nexus = how >> 2 & 1;
    step.data = (enum oracle_data)((how >> 3 & 3) % 3);
    oracle_request(&step, oracle_now(), fresh, r);
    for (unsigned i = 0; i < (how & 3u) && r->cdb_len; i++) {
        unsigned at = next(in) % (unsigned)r->cdb_len;

        if (at > 0) /* the opcode stays */
            r->cdb[at] = next(in);
    }
    if (r->cdb_len && !r->out)
        oracle_fit(r, oracle_now(), how & 0x20 ? 2 : 1);
}

static void require(bool agrees, const struct oracle_place *place, unsigned command,
                    const struct model_request *r)
{
    if (agrees)
        return;
    fprintf(stderr, "fuzz_oracle: from \"%s\", command %u:", place->name, command);
    for (size_t i = 0; r && i < r->cdb_len; i++)
        fprintf(stderr, " %02x", r->cdb[i]);
    fprintf(stderr, ": %s\n", oracle_said());
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct oracle_place *place = &oracle_places[next(&in) % oracle_place_count];
    struct model_request r;

    require(oracle_reach(place), place, 0, NULL);
    for (unsigned i = 0; in.left > 0 && i < COMMANDS_MAX; i++) {
        make_request(&in, 1 + i, &r);
        require(oracle_send(&r), place, i + 1, &r);
    }
    return 0;
}
