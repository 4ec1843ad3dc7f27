/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_model.c - the drive against a model of a tape that is an array.
 *
 * Random sequences of READ, WRITE, WRITE FILEMARKS, SPACE, LOCATE, REWIND, ERASE and block lengths
 * go to both; status, sense key and code, FM, EOM, ILI, VALID, INFORMATION, the data and the
 * position must agree after every command.  The model is written from SSC-5 and knows nothing of
 * how the drive does it.  What differs is printed with the seed and the last commands.
 */
#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/sense.h"

#define OBJECTS_MAX 4096
#define FILEMARK    0
#define SEQUENCES   60
#define COMMANDS    120

/* ---- the model ------------------------------------------------------------------------------- */

struct object {
    uint32_t len; /* FILEMARK: a filemark */
    uint8_t fill;
};

static struct object tape[OBJECTS_MAX];
static uint64_t at, end;      /* position, end of data */
static uint32_t block_length; /* 0: variable */

struct expected {
    unsigned key, code; /* both 0, and no bit: GOOD */
    bool good, filemark, eom, ili;
    int64_t information;
    size_t in_len;
    uint8_t fill; /* of the last byte of data-in */
};

static struct expected good(void)
{
    return (struct expected){.good = true};
}

static struct expected stop(unsigned key, unsigned code, int64_t information)
{
    return (struct expected){.key = key,
                             .code = code,
                             .information = information,
                             .filemark = code == ASC_FILEMARK_DETECTED,
                             .eom = code == ASC_BEGINNING_OF_MEDIUM};
}

static struct expected model_read_variable(uint32_t want, bool sili)
{
    struct expected e = good();
    uint32_t len;

    if (want == 0)
        return e;
    if (at == end)
        return stop(KEY_BLANK_CHECK, ASC_END_OF_DATA, want);
    len = tape[at].len;
    e.fill = tape[at++].fill;
    if (len == FILEMARK)
        return stop(KEY_NO_SENSE, ASC_FILEMARK_DETECTED, want);
    e.in_len = len < want ? len : want;
    if ((len < want && !sili) || (len > want && !(sili && block_length == 0))) {
        e.good = false;
        e.ili = true;
        e.information = (int64_t)want - len;
    }
    return e;
}

static struct expected model_read_fixed(uint32_t blocks)
{
    struct expected e = good();

    for (uint32_t done = 0; done < blocks; done++) {
        int64_t left = (int64_t)blocks - done;
        struct expected s;

        if (at == end) {
            s = stop(KEY_BLANK_CHECK, ASC_END_OF_DATA, left);
        } else if (tape[at].len == FILEMARK) {
            s = stop(KEY_NO_SENSE, ASC_FILEMARK_DETECTED, left);
            at++;
        } else if (tape[at].len != block_length) {
            s = (struct expected){.ili = true, .information = left};
            at++;
        } else {
            e.in_len += block_length;
            e.fill = tape[at++].fill;
            continue;
        }
        s.in_len = e.in_len;
        s.fill = e.fill;
        return s;
    }
    return e;
}

static void model_write(uint32_t len, uint8_t fill)
{
    tape[at++] = (struct object){len, fill};
    end = at;
}

static struct expected model_space_blocks(int64_t count)
{
    for (; count > 0; count--) {
        if (at == end)
            return stop(KEY_BLANK_CHECK, ASC_END_OF_DATA, count);
        if (tape[at++].len == FILEMARK)
            return stop(KEY_NO_SENSE, ASC_FILEMARK_DETECTED, count);
    }
    for (; count < 0; count++) {
        if (at == 0)
            return stop(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM, -count);
        if (tape[--at].len == FILEMARK)
            return stop(KEY_NO_SENSE, ASC_FILEMARK_DETECTED, -count);
    }
    return good();
}

static struct expected model_space_filemarks(int64_t count)
{
    while (count > 0) {
        if (at == end)
            return stop(KEY_BLANK_CHECK, ASC_END_OF_DATA, count);
        count -= tape[at++].len == FILEMARK;
    }
    while (count < 0) {
        if (at == 0)
            return stop(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM, -count);
        count += tape[--at].len == FILEMARK;
    }
    return good();
}

static struct expected model_locate(uint64_t lba)
{
    at = lba < end ? lba : end;
    return lba <= end ? good()
                      : (struct expected){.key = KEY_BLANK_CHECK,
                                          .code = ASC_END_OF_DATA,
                                          .information = -1 /* not valid */};
}

static struct expected model_locate_file(uint64_t file)
{
    uint64_t seen = 0;

    for (at = 0; seen < file && at < end; at++)
        seen += tape[at].len == FILEMARK;
    return seen == file ? good() : model_locate(end + 1);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static unsigned seed;
static char history[16][64]; /* the last commands, for whoever must find the fault */
static unsigned steps;

static void note(const char *fmt, long a, long b)
{
    char *line = history[steps++ % 16];

    snprintf(line, 64, "%s %ld %ld", fmt, a, b);
}

static void explain(const char *what, long long wanted, long long got)
{
    printf("\n    seed %u, step %u: %s: expected %lld, got %lld; the last commands:", seed, steps,
           what, wanted, got);
    for (unsigned i = steps > 16 ? steps - 16 : 0; i < steps; i++)
        printf(" [%s]", history[i % 16]);
    CU_FAIL("the drive and the model differ");
}

#define SAME(what, wanted, got)                                                                    \
    do {                                                                                           \
        if ((long long)(wanted) != (long long)(got)) {                                             \
            explain(what, (long long)(wanted), (long long)(got));                                  \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool compare(const struct expected *e)
{
    SAME("status", e->good ? SCSI_GOOD : SCSI_CHECK_CONDITION, answer.status);
    SAME("bytes", e->in_len, answer.in_len);
    if (e->in_len)
        SAME("data", e->fill, answer.in[e->in_len - 1]);
    if (!e->good) {
        SAME("key", e->key, answer.sense[2] & 0x0f);
        SAME("code", e->code, get_be16(answer.sense + 12));
        SAME("FM", e->filemark, answer.sense[2] >> 7 & 1);
        SAME("EOM", e->eom, answer.sense[2] >> 6 & 1);
        SAME("ILI", e->ili, answer.sense[2] >> 5 & 1);
    }
    if (!e->good && (e->information >= 0 || e->ili)) {
        SAME("VALID", 1, answer.sense[0] >> 7);
        SAME("INFORMATION", e->information, (int32_t)get_be32(answer.sense + 3));
    }
    rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32);
    SAME("position", at, get_be64(answer.in + 8));
    SAME("BOP", at == 0, answer.in[0] >> 7);
    return true;
}

/* ---- commands -------------------------------------------------------------------------------- */

static unsigned state;

static uint32_t rnd(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

/* Lengths come from a few, so that they often agree and often nearly do. */
static uint32_t rnd_length(void)
{
    static const uint32_t lengths[] = {1, 100, 511, 512, 513, 1024, 4000};

    return lengths[rnd(7)];
}

static void send24(unsigned op, unsigned bits, uint32_t value, const void *out, size_t out_len,
                   size_t in_size)
{
    uint8_t cdb[6] = {(uint8_t)op, (uint8_t)bits};

    put_be24(cdb + 2, value);
    rig_send(rig.a, DRIVE, cdb, 6, out, out_len, in_size);
}

static struct expected do_read(void)
{
    bool sili = rnd(2);
    uint32_t n;

    if (block_length && rnd(2)) {
        n = rnd(6);
        note("READ FIXED", n, block_length);
        send24(0x08, 1, n, NULL, 0, (size_t)n * block_length);
        return model_read_fixed(n);
    }
    n = rnd(20) ? rnd_length() : 0;
    note("READ", n, sili);
    send24(0x08, sili ? 2 : 0, n, NULL, 0, n);
    return model_read_variable(n, sili);
}

static struct expected do_write(void)
{
    static uint8_t data[4 * 4096];
    uint8_t fill = (uint8_t)(1 + rnd(255));
    uint32_t n;

    memset(data, fill, sizeof(data));
    if (block_length && rnd(2)) {
        n = rnd(4);
        note("WRITE FIXED", n, block_length);
        send24(0x0a, 1, n, data, (size_t)n * block_length, 0);
        for (uint32_t i = 0; i < n; i++)
            model_write(block_length, fill);
        return good();
    }
    n = rnd_length();
    note("WRITE", n, fill);
    send24(0x0a, 0, n, data, n, 0);
    model_write(n, fill);
    return good();
}

static struct expected do_filemarks(void)
{
    uint32_t n = rnd(3);

    note("FILEMARKS", n, 0);
    send24(0x10, rnd(2), n, NULL, 0, 0);
    for (uint32_t i = 0; i < n; i++)
        model_write(FILEMARK, 0);
    return good();
}

static struct expected do_space(void)
{
    int32_t n = (int32_t)rnd(17) - 8;
    unsigned code = rnd(8) == 0 ? 3 : rnd(2);

    note("SPACE", (long)code, n);
    send24(0x11, code, (uint32_t)n & 0xffffff, NULL, 0, 0);
    if (code == 0)
        return model_space_blocks(n);
    if (code == 1)
        return model_space_filemarks(n);
    at = end;
    return good();
}

static struct expected do_locate(void)
{
    uint8_t cdb[16] = {0x92};
    bool file = rnd(2);
    uint64_t number = file ? rnd(6) : rnd((uint32_t)end + 3);

    note(file ? "LOCATE FILE" : "LOCATE", (long)number, 0);
    cdb[1] = file ? 1 << 3 : 0;
    put_be64(cdb + 4, number);
    rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
    return file ? model_locate_file(number) : model_locate(number);
}

static struct expected do_other(void)
{
    uint8_t list[12] = {0, 0, 0x10, 8};

    switch (rnd(6)) {
    case 0:
        note("ERASE", 0, 0);
        send24(0x19, 0, 0, NULL, 0, 0);
        end = at;
        return good();
    case 1:
        note("UNLOAD, LOAD", 0, 0);
        rig_good(DRIVE, "1b 00 00 00 00 00");
        rig_good(DRIVE, "1b 00 00 00 01 00");
        rig_cdb(rig.a, DRIVE, "03 00 00 00 12 00", NULL, 0, 18); /* takes the attention */
        send24(0x00, 0, 0, NULL, 0, 0);
        at = 0;
        return good();
    case 2:
        note("REWIND", 0, 0);
        send24(0x01, 0, 0, NULL, 0, 0);
        at = 0;
        return good();
    default:
        block_length = rnd(3) ? rnd_length() : 0;
        note("BLOCK LENGTH", block_length, 0);
        put_be24(list + 9, block_length);
        rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0);
        return good();
    }
}

static bool run_sequence(unsigned with)
{
    static struct expected (*const commands[])(void) = {do_read,   do_read,      do_write, do_write,
                                                        do_write,  do_filemarks, do_space, do_space,
                                                        do_locate, do_other};

    seed = state = with;
    steps = 0;
    at = end = 0;
    for (unsigned i = 0; i < COMMANDS; i++) {
        struct expected e = commands[rnd(10)]();

        if (!compare(&e))
            return false;
    }
    return true;
}

static void test_model(void)
{
    unsigned failed = 0;

    rig_start();
    rig_load(1);
    for (unsigned s = 1; s <= SEQUENCES && failed < 3; s++) {
        rig_good(DRIVE, "01 00 00 00 00 00");
        rig_good(DRIVE, "19 00 00 00 00 00");
        rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", "\0\0\x10\x08\0\0\0\0\0\0\0\0", 12, 0);
        block_length = 0;
        failed += !run_sequence(s * 7919);
    }
    CU_ASSERT_EQUAL(failed, 0);
    rig_stop();
}

static const struct check_test tests[] = {
    {"model", test_model},
};

CHECK_MAIN("drive_model", tests)
