/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_oracle.c - the drive must do what the model of it does: exhaustively for short sequences of
 * commands from every place, at random for long ones, and by name for what once was wrong.
 *
 *   ORACLE_SHARE=n       of the sequences of two and three steps only every n-th (1: all)
 *   ORACLE_SEQUENCES=n   random sequences
 *   ORACLE_SEED=n        of the random ones, and where the share begins
 *   ORACLE_DIFFERENCES=n after so many a test ends
 */
#include "tests/oracle/oracle.h"
#include "tests/unit/check.h"

#define RANDOM_STEPS 60

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define USUAL_SHARE 64
#else
#define USUAL_SHARE 16
#endif

#define REACH_STEPS 3

static unsigned long setting(const char *name, unsigned long usual)
{
    const char *value = getenv(name);

    return value && *value ? strtoul(value, NULL, 0) : usual;
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct walk {
    const struct oracle_step *alphabet[ORACLE_STEPS_MAX];
    size_t letters;
    const struct oracle_step *steps[REACH_STEPS];
    unsigned long share, number; /* every share-th is run; of the next */
    unsigned differences;
};

static void walk_init(struct walk *w, bool reduced, unsigned long share)
{
    *w = (struct walk){.share = share ? share : 1, .number = setting("ORACLE_SEED", 0)};
    CU_ASSERT_FATAL(oracle_step_count <= ORACLE_STEPS_MAX);
    for (size_t i = 0; i < oracle_step_count; i++) {
        if (!reduced || oracle_steps[i].reduced)
            w->alphabet[w->letters++] = &oracle_steps[i];
    }
}

/* Every sequence of `length` steps that begins with the `done` that are there. */
static void walk(struct walk *w, const struct oracle_place *place, unsigned done, unsigned length)
{
    if (w->differences >= setting("ORACLE_DIFFERENCES", 8))
        return;
    if (done == length) {
        if (w->number++ % w->share == 0)
            w->differences += !oracle_run(place, w->steps, length);
        return;
    }
    for (size_t i = 0; i < w->letters; i++) {
        w->steps[done] = w->alphabet[i];
        walk(w, place, done + 1, length);
    }
}

static void walk_all(bool reduced, unsigned length, unsigned long share)
{
    struct walk w;

    walk_init(&w, reduced, share);
    oracle_start();
    memset(&oracle_counts, 0, sizeof(oracle_counts));
    for (size_t p = 0; p < oracle_place_count; p++)
        walk(&w, &oracle_places[p], 0, length);
    printf(" %llu sequences, %llu commands ", (unsigned long long)oracle_counts.sequences,
           (unsigned long long)oracle_counts.commands);
    CU_ASSERT_EQUAL(w.differences, 0);
    oracle_stop();
}

static void test_one(void)
{
    walk_all(false, 1, 1);
}

static void test_two(void)
{
    walk_all(false, 2, setting("ORACLE_SHARE", USUAL_SHARE));
}

static void test_three(void)
{
    walk_all(true, 3, setting("ORACLE_SHARE", USUAL_SHARE / 2));
}

/* ---- at random ------------------------------------------------------------------------------- */

static uint64_t random_state;

static size_t random_below(size_t n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (size_t)((random_state * 0x2545f4914f6cdd1dULL) >> 32) % n;
}

static void test_random(void)
{
    unsigned long sequences = setting("ORACLE_SEQUENCES", 2000), seed = setting("ORACLE_SEED", 1);
    const struct oracle_step *steps[RANDOM_STEPS];
    unsigned long differences = 0, most = setting("ORACLE_DIFFERENCES", 8);

    oracle_start();
    random_state = 0x9e3779b97f4a7c15ULL + seed;
    for (unsigned long s = 0; s < sequences && differences < most; s++) {
        const struct oracle_place *place = &oracle_places[random_below(oracle_place_count)];

        for (unsigned i = 0; i < RANDOM_STEPS; i++)
            steps[i] = &oracle_steps[random_below(oracle_step_count)];
        differences += !oracle_run(place, steps, RANDOM_STEPS);
    }
    if (differences)
        printf("    (ORACLE_SEED=%lu)", seed);
    CU_ASSERT_EQUAL(differences, 0);
    oracle_stop();
}

/* ---- by name --------------------------------------------------------------------------------- */

/* Run the named steps from the named place. */
static void run_named(const char *place, const char *const *names)
{
    const struct oracle_step *steps[8];
    unsigned count = 0;

    while (names[count]) {
        steps[count] = oracle_step(names[count]);
        count++;
    }
    CU_ASSERT_TRUE(oracle_run(oracle_place(place), steps, count));
}

#define NAMED(place, ...) run_named((place), (const char *const[]){__VA_ARGS__, NULL})

/* SSC-5, READ, SPACE, VERIFY: end of data at or behind early warning sets EOM with BLANK CHECK. */
static void test_end_of_data_behind_early_warning(void)
{
    oracle_start();
    NAMED("behind early warning", "read 512");
    NAMED("behind early warning", "space 1");
    NAMED("behind early warning", "verify 512");
    NAMED("end of data", "read 512");
    oracle_stop();
}

/* SSC-5, device configuration page: with REW=0 early warning, programmable or not, is told to those
 * who write; reading and spacing through it is as elsewhere. */
static void test_reading_is_not_warned(void)
{
    oracle_start();
    NAMED("within early warning", "read 512", "reverse 512", "space 1", "space -1", "verify 512");
    NAMED("before programmable warning", "write 60000", "space -1", "space 1", "position long");
    NAMED("behind programmable warning", "space -1", "verify fixed 3", "space 1", "write 512");
    oracle_stop();
}

/* SSC-5, READ(16), WRITE(16): an empty transfer does not move the tape, wherever it would be. */
static void test_empty_transfer_stays(void)
{
    oracle_start();
    NAMED("in a file", "read16 0 at 4", "position long");
    NAMED("in a file", "write16 0 at 4", "position long");
    NAMED("in a file", "filemarks16 0 at 4", "position long");
    oracle_stop();
}

/* SSC-5, SPACE: sequential filemarks have no residual, so INFORMATION is not valid. */
static void test_sequential_filemarks_have_no_residual(void)
{
    oracle_start();
    NAMED("bop", "space sequential 4");
    NAMED("end of data", "space sequential -4");
    oracle_stop();
}

/* SSC-5, READ POSITION: service actions other than 00h, 01h, 06h and 08h are reserved. */
static void test_read_position_reserved_form(void)
{
    oracle_start();
    NAMED("bop", "position unknown");
    oracle_stop();
}

static const struct check_test tests[] = {
    {"read_position_reserved_form", test_read_position_reserved_form},
    {"end_of_data_behind_early_warning", test_end_of_data_behind_early_warning},
    {"reading_is_not_warned", test_reading_is_not_warned},
    {"empty_transfer_stays", test_empty_transfer_stays},
    {"sequential_filemarks_have_no_residual", test_sequential_filemarks_have_no_residual},
    {"one_step", test_one},
    {"two_steps", test_two},
    {"three_steps", test_three},
    {"random", test_random},
};

CHECK_MAIN("oracle", tests)
