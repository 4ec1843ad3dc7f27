/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_attribute.c - WRITE ATTRIBUTE lists (SPC-5 6.47).
 *
 * An input is lists: a length byte in units of 4, bit 7: ADDITIONAL LENGTH is put right, and that
 * many bytes; each is sent to the drive as a whole.
 *
 * A list that is taken is read back as it was, one that is refused changes nothing; what READ
 * ATTRIBUTE tells is in rising order and fills its length, and its list of ids agrees with it.
 */
#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define LISTS_MAX  16
#define VALUES_MAX 65536

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

struct values {
    uint8_t data[VALUES_MAX];
    size_t len;
};

static size_t ask(uint8_t action, uint16_t first, uint8_t *buf)
{
    uint8_t cdb[16] = {0x8c, action};
    const struct target_answer *a;

    put_be16(cdb + 8, first);
    put_be32(cdb + 10, VALUES_MAX);
    a = target_run(0, 1, cdb, 16, NULL, 0, VALUES_MAX);
    if (a->status != SCSI_GOOD)
        return 0;
    memcpy(buf, a->in, a->in_len);
    return a->in_len;
}

/* The attributes of the host alone: those of the drive count what happens. */
static void read_host_values(struct values *v)
{
    static uint8_t all[VALUES_MAX], ids[VALUES_MAX];
    size_t len = ask(0, 0, all), ids_len = ask(1, 0, ids), count = 0;
    long last = -1;

    v->len = 0;
    REQUIRE(len >= 4 && len == 4 + get_be32(all) && ids_len == 4 + get_be32(ids));
    for (size_t at = 4; at < len; count++) {
        uint16_t id = get_be16(all + at);
        size_t size;

        REQUIRE(at + 5 <= len && id > last);
        size = 5u + get_be16(all + at + 3);
        REQUIRE(at + size <= len && get_be16(ids + 4 + 2 * count) == id);
        if (id >= 0x0800) {
            memcpy(v->data + v->len, all + at, size);
            v->len += size;
        }
        last = id;
        at += size;
    }
    REQUIRE(ids_len == 4 + 2 * count);
}

static const uint8_t *find(const struct values *v, uint16_t id)
{
    for (size_t at = 0; at < v->len; at += 5u + get_be16(v->data + at + 3)) {
        if (get_be16(v->data + at) == id)
            return v->data + at;
    }
    return NULL;
}

/* A value of no length takes the attribute away; 0806h is the barcode then.  Of an id that comes
 * twice the last counts. */
static void check_taken(const uint8_t *list, size_t len, const struct values *now)
{
    for (size_t at = 4; at < len;) {
        uint16_t id = get_be16(list + at), value_len = get_be16(list + at + 3);
        const uint8_t *got = find(now, id);
        bool again = false;

        for (size_t later = at + 5u + value_len; later < len;
             later += 5u + get_be16(list + later + 3))
            again = again || get_be16(list + later) == id;
        if (!again && value_len == 0)
            REQUIRE(!got || id == 0x0806);
        else if (!again)
            REQUIRE(got && get_be16(got + 3) >= value_len &&
                    memcmp(got + 5, list + at + 5, value_len) == 0);
        at += 5u + value_len;
    }
}

static void one_list(struct fuzz_input *in)
{
    static struct values before, after;
    uint8_t how = fuzz_u8(in), list[4 * 128], cdb[16] = {0x8d};
    size_t len = fuzz_bytes(in, list, (size_t)(how & 0x7f) * 4);
    const struct target_answer *a;

    if ((how & 0x80) && len >= 4)
        put_be32(list, (uint32_t)len - 4);
    put_be32(cdb + 10, (uint32_t)len);
    read_host_values(&before);
    a = target_run(0, 1, cdb, 16, list, len, 0);
    if (a->status == SCSI_GOOD) {
        read_host_values(&after);
        check_taken(list, len, &after);
        return;
    }
    REQUIRE(a->key == 5);
    read_host_values(&after);
    REQUIRE(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    target_rig_reset();
    for (unsigned i = 0; in.left > 0 && i < LISTS_MAX; i++)
        one_list(&in);
    return 0;
}
