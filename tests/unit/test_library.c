/* SPDX-License-Identifier: Apache-2.0 */
/* test_library.c - places, moves, crashes, and library.db as hostile input. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/check.h"
#include "vtl/library/library.h"

static const struct library_geometry geometry = {2, 8, 2, "CPTEST0001"};
static char root[64];
static struct error err;

static void fresh(void)
{
    snprintf(root, sizeof(root), "/tmp/capstan-library-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    CHECK_OK(library_create(root, &geometry, &err), err);
}

static void clean(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

static struct library *reopen(const struct library_geometry *g)
{
    struct library *lib = NULL;

    CHECK_OK(library_open(root, g, &lib, &err), err);
    return lib;
}

static int make(struct library *lib, const char *barcode, uint16_t to)
{
    struct cartridge_identity id;
    int rc = cartridge_identity_default(&id, barcode, 0x5e, &err);

    return rc == 0 ? library_cartridge_create(lib, &id, to, &err) : rc;
}

/* ---- geometry and lock ----------------------------------------------------------------------- */

static void test_create_open(void)
{
    struct library *lib, *second;
    struct library_element e;

    fresh();
    CHECK_FAILS(library_create(root, &geometry, &err), ERR_EXISTS, err);
    lib = reopen(&geometry);
    CU_ASSERT_EQUAL(library_geometry(lib)->slots, 8);
    CU_ASSERT_STRING_EQUAL(library_geometry(lib)->serial, "CPTEST0001");
    CHECK_OK(library_element(lib, LIBRARY_ADDRESS_SLOT + 7, &e, &err), err);
    CU_ASSERT_EQUAL(e.type, ELEMENT_SLOT);
    CU_ASSERT_FALSE(e.full);
    CHECK_FAILS(library_element(lib, LIBRARY_ADDRESS_SLOT + 8, &e, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_element(lib, LIBRARY_ADDRESS_DRIVE + 2, &e, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_open(root, &geometry, &second, &err), ERR_BUSY, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, root));
    library_close(lib);
    clean();
    CHECK_FAILS(library_open("/nonexistent/x", NULL, &lib, &err), ERR_NOT_FOUND, err);
}

static void test_geometry_grows(void)
{
    struct library_geometry larger = {4, 20, 3, ""}, smaller = {1, 2, 0, ""},
                            huge = {256, 1, 1, ""};
    struct library *lib;
    struct library_element e;

    fresh();
    lib = reopen(&larger);
    CU_ASSERT_STRING_EQUAL(library_geometry(lib)->serial, "CPTEST0001");
    CHECK_OK(make(lib, "GROW01L8", LIBRARY_ADDRESS_SLOT + 15), err);
    library_close(lib);
    CHECK_FAILS(library_open(root, &smaller, &lib, &err), ERR_STATE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "GROW01L8"));
    CHECK_FAILS(library_open(root, &huge, &lib, &err), ERR_RANGE, err);
    lib = reopen(NULL); /* as stored by the last good open */
    CU_ASSERT_EQUAL(library_geometry(lib)->drives, 4);
    CHECK_OK(library_find(lib, "GROW01L8", &e, &err), err);
    library_close(lib);
    clean();
}

static void test_serial_is_made(void)
{
    struct library_geometry g = {1, 1, 0, ""};
    struct library *lib;
    char serial[16];

    snprintf(root, sizeof(root), "/tmp/capstan-library-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    CHECK_OK(library_create(root, &g, &err), err);
    lib = reopen(&g);
    memcpy(serial, library_geometry(lib)->serial, sizeof(serial));
    CU_ASSERT_EQUAL(strlen(serial), 10);
    library_close(lib);
    lib = reopen(&g);
    CU_ASSERT_STRING_EQUAL(library_geometry(lib)->serial, serial);
    library_close(lib);
    clean();
}

/* ---- moves ----------------------------------------------------------------------------------- */

static void test_move(void)
{
    const uint16_t slot = LIBRARY_ADDRESS_SLOT, drive = LIBRARY_ADDRESS_DRIVE;
    struct library *lib;
    struct library_element e, empty;
    uint64_t generation;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "ABC001L8", 0xffff), err);
    CHECK_OK(make(lib, "ABC002L8", 0xffff), err);
    CHECK_OK(library_find(lib, "ABC002L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, slot + 1);
    CU_ASSERT_FALSE(e.source_valid);
    CU_ASSERT_FALSE(e.imported);
    generation = e.generation;
    CHECK_FAILS(library_move(lib, slot, slot + 1, &err), ERR_EXISTS, err);
    CHECK_FAILS(library_move(lib, slot + 5, drive, &err), ERR_STATE, err);
    CHECK_FAILS(library_move(lib, slot, 0x300, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_move(lib, 0x300, drive, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_move(lib, slot, LIBRARY_ADDRESS_TRANSPORT, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_move(lib, slot, slot, &err), ERR_EXISTS, err);
    CHECK_OK(library_move(lib, slot + 1, drive, &err), err);
    CHECK_OK(library_element(lib, drive, &e, &err), err);
    CHECK_OK(library_element(lib, slot + 1, &empty, &err), err);
    CU_ASSERT_TRUE(e.full && e.source_valid);
    CU_ASSERT_EQUAL(e.source, slot + 1);
    CU_ASSERT_STRING_EQUAL(e.barcode, "ABC002L8");
    CU_ASSERT_FALSE(empty.full);
    CU_ASSERT_STRING_EQUAL(empty.barcode, "");
    CU_ASSERT(empty.generation > generation);
    CU_ASSERT(e.changed_ns > 1600000000000000000);
    /* From the drive, SOURCE stays the slot it came from, not the drive. */
    CHECK_OK(library_move(lib, drive, slot + 6, &err), err);
    CHECK_OK(library_element(lib, slot + 6, &e, &err), err);
    CU_ASSERT_EQUAL(e.source, slot + 1);
    library_close(lib);
    lib = reopen(&geometry);
    CHECK_OK(library_find(lib, "ABC002L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, slot + 6);
    CU_ASSERT_EQUAL(e.source, slot + 1);
    CU_ASSERT(e.generation > 0);
    library_close(lib);
    clean();
}

static void test_exchange(void)
{
    const uint16_t slot = LIBRARY_ADDRESS_SLOT, drive = LIBRARY_ADDRESS_DRIVE;
    struct library *lib;
    struct library_element e;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "A", slot), err);
    CHECK_OK(make(lib, "B", drive), err);
    CHECK_OK(library_exchange(lib, slot, drive, slot, &err), err); /* swap */
    CHECK_OK(library_element(lib, drive, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "A");
    CHECK_OK(library_element(lib, slot, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "B");
    CHECK_OK(library_exchange(lib, slot, drive, slot + 3, &err), err);
    CHECK_OK(library_element(lib, slot + 3, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "A");
    CHECK_OK(library_element(lib, slot, &e, &err), err);
    CU_ASSERT_FALSE(e.full);
    CHECK_FAILS(library_exchange(lib, slot + 3, drive, drive, &err), ERR_EXISTS, err);
    CHECK_FAILS(library_exchange(lib, slot + 3, slot + 4, slot, &err), ERR_STATE, err);
    library_close(lib);
    lib = reopen(&geometry);
    CHECK_OK(library_find(lib, "B", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, drive);
    library_close(lib);
    clean();
}

static int count_element(void *ctx, const struct library_element *e)
{
    uint16_t *last = ctx;

    CU_ASSERT(*last == 0xffff || e->address > *last);
    *last = e->address;
    return e->address == LIBRARY_ADDRESS_SLOT + 3 ? 42 : 0;
}

static void test_elements_in_order(void)
{
    struct library *lib;
    uint16_t last = 0xffff;

    fresh();
    lib = reopen(&geometry);
    CU_ASSERT_EQUAL(library_elements(lib, 0, 0, 0xffff, count_element, &last, &err), 42);
    last = 0xffff;
    CHECK_OK(library_elements(lib, 0, 0x11, 2, count_element, &last, &err), err);
    CU_ASSERT_EQUAL(last, LIBRARY_ADDRESS_DRIVE);
    last = 0xffff;
    CHECK_OK(library_elements(lib, ELEMENT_DRIVE, 0, 0xffff, count_element, &last, &err), err);
    CU_ASSERT_EQUAL(last, LIBRARY_ADDRESS_DRIVE + 1);
    library_close(lib);
    clean();
}

/* ---- cartridges ------------------------------------------------------------------------------ */

static void test_cartridge_create(void)
{
    struct cartridge_identity id;
    struct library *lib;
    struct library_element e;
    struct store *store;
    char path[256];

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "ABC001L8", LIBRARY_ADDRESS_IMPORT_EXPORT), err);
    CHECK_OK(library_find(lib, "ABC001L8", &e, &err), err);
    CU_ASSERT_TRUE(e.imported);
    CHECK_FAILS(make(lib, "ABC001L8", 0xffff), ERR_EXISTS, err);
    CHECK_FAILS(make(lib, "ABC002L8", LIBRARY_ADDRESS_IMPORT_EXPORT), ERR_EXISTS, err);
    CHECK_FAILS(make(lib, "ABC002L8", 0x7000), ERR_NOT_FOUND, err);
    CHECK_FAILS(make(lib, "ABC002L8", LIBRARY_ADDRESS_TRANSPORT), ERR_NOT_FOUND, err);
    CHECK_OK(cartridge_identity_default(&id, "X", 0x5e, &err), err);
    strcpy(id.barcode, "../../X");
    CHECK_FAILS(library_cartridge_create(lib, &id, 0xffff, &err), ERR_RANGE, err);
    CHECK_FAILS(library_cartridge_path(root, "abc", path, sizeof(path), &err), ERR_RANGE, err);
    CHECK_FAILS(library_cartridge_path(root, "", path, sizeof(path), &err), ERR_RANGE, err);
    CHECK_FAILS(library_cartridge_path(root, "ABC", path, 10, &err), ERR_RANGE, err);
    CHECK_OK(library_cartridge_store(lib, "ABC001L8", &store, &err), err);
    store_close(store);
    CHECK_FAILS(library_cartridge_store(lib, "ZZZ", &store, &err), ERR_NOT_FOUND, err);
    for (int i = 0; i < 8; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "FIL%03dL8", i);
        CHECK_OK(make(lib, barcode, 0xffff), err);
    }
    CHECK_FAILS(make(lib, "FIL008L8", 0xffff), ERR_STATE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "no empty slot"));
    library_close(lib);
    clean();
}

static uint16_t place_of(struct library *lib, const char *barcode)
{
    struct library_element e = {0};

    CHECK_OK(library_find(lib, barcode, &e, &err), err);
    return e.address;
}

/* Who loaded a cartridge carries it back to its slot: that one is given away last. */
static void test_slot_awaiting(void)
{
    struct library *lib;
    uint16_t slot, drive;

    fresh();
    lib = reopen(&geometry);
    slot = library_first(lib, ELEMENT_SLOT);
    drive = library_first(lib, ELEMENT_DRIVE);
    CHECK_OK(make(lib, "ABC001L8", slot), err);
    CHECK_OK(library_move(lib, slot, drive, &err), err);
    for (int i = 1; i < 8; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "FIL%03dL8", i);
        CHECK_OK(make(lib, barcode, 0xffff), err);
        CU_ASSERT_EQUAL(place_of(lib, barcode), slot + i);
    }
    CHECK_OK(make(lib, "LASTONL8", 0xffff), err);
    CU_ASSERT_EQUAL(place_of(lib, "LASTONL8"), slot);
    CHECK_FAILS(make(lib, "NOROOML8", 0xffff), ERR_STATE, err);
    library_close(lib);
    clean();
}

static void test_barcode_media(void)
{
    struct library_media m;

    library_barcode_media("ABC001L7", &m);
    CU_ASSERT(m.density == 0x5c && !m.worm && !m.cleaning);
    library_barcode_media("ABC001LY", &m);
    CU_ASSERT(m.density == 0x5e && m.worm);
    library_barcode_media("CLN001L1", &m);
    CU_ASSERT(m.cleaning);
    library_barcode_media("X", &m);
    CU_ASSERT(m.density == 0x5e && !m.worm && !m.cleaning);
}

/* Another layout moves addresses only: what is stored, and who lies where, stays. */
static void test_layout(void)
{
    const struct library_layout stk = {{0, 0, 1000, 10, 500}, 8}, msl = {{0, 0, 1001, 101, 1}, 32};
    const struct library_layout crowded = {{0, 0, 4, 3, 2}, 8};
    struct library_element e;
    struct library *lib;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "LAYO01L8", LIBRARY_ADDRESS_SLOT + 3), err);
    CHECK_OK(library_move(lib, LIBRARY_ADDRESS_SLOT + 3, LIBRARY_ADDRESS_DRIVE + 1, &err), err);
    library_set_layout(lib, &crowded); /* one behind the other */
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_IMPORT_EXPORT), 1);
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_SLOT), 5);
    CHECK_OK(library_find(lib, "LAYO01L8", &e, &err), err);
    CU_ASSERT(e.address == 4 && e.source == 8);
    library_set_layout(lib, &stk);
    CHECK_OK(library_element(lib, 501, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "LAYO01L8");
    CU_ASSERT(e.type == ELEMENT_DRIVE && e.source_valid && e.source == 1003);
    CHECK_FAILS(library_element(lib, LIBRARY_ADDRESS_DRIVE + 1, &e, &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_move(lib, 501, 1005, &err), err);
    CHECK_OK(library_move(lib, 1005, 500, &err), err);
    CHECK_FAILS(make(lib, "TOOLONG01L8", 0xffff), ERR_RANGE, err);
    library_close(lib);

    lib = reopen(&geometry); /* as it is stored */
    CHECK_OK(library_element(lib, LIBRARY_ADDRESS_DRIVE, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "LAYO01L8");
    CU_ASSERT(e.source_valid && e.source == LIBRARY_ADDRESS_SLOT + 5);
    library_set_layout(lib, &msl); /* drives in front of the rest */
    CHECK_OK(library_element(lib, 1, &e, &err), err);
    CU_ASSERT(e.type == ELEMENT_DRIVE && e.full && e.source == 1006);
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_IMPORT_EXPORT), 101);
    CHECK_OK(library_element(lib, 101, &e, &err), err);
    CU_ASSERT_EQUAL(e.type, ELEMENT_IMPORT_EXPORT);
    library_close(lib);
    clean();
}

/* What a crash leaves: half made, made but not placed, foreign; and a row whose directory is gone.
 */
static void test_strays(void)
{
    struct library *lib;
    struct library_element e;
    char command[512], path[256];
    struct stat st;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "ABC001L8", 0xffff), err);
    CHECK_OK(make(lib, "ABC002L8", 0xffff), err);
    library_close(lib);
    snprintf(command, sizeof(command),
             "cd %s/cartridges && mkdir new.ABC003L8 FOREIGN lower && echo x > new.ABC003L8/y &&"
             " cp -r ABC001L8 COPY01L8 && cd .. &&"
             " sqlite3 library.db \"DELETE FROM place WHERE barcode='ABC002L8'\"",
             root);
    if (system(command) != 0) { /* no sqlite3 program: delete by the library's own file instead */
        sqlite3 *db;

        snprintf(path, sizeof(path), "%s/library.db", root);
        CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
        CU_ASSERT_EQUAL(
            sqlite3_exec(db, "DELETE FROM place WHERE barcode='ABC002L8'", NULL, NULL, NULL),
            SQLITE_OK);
        sqlite3_close(db);
    }
    lib = reopen(&geometry);
    CHECK_OK(library_find(lib, "ABC002L8", &e, &err), err); /* adopted */
    CHECK_FAILS(library_find(lib, "FOREIGN", &e, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_find(lib, "COPY01L8", &e, &err), ERR_NOT_FOUND, err); /* says ABC001L8 */
    snprintf(path, sizeof(path), "%s/cartridges/new.ABC003L8", root);
    CU_ASSERT_NOT_EQUAL(stat(path, &st), 0);
    snprintf(path, sizeof(path), "%s/cartridges/FOREIGN", root);
    CU_ASSERT_EQUAL(stat(path, &st), 0); /* nothing of a stranger is removed */
    library_close(lib);
    clean();
}

/* ---- crashes --------------------------------------------------------------------------------- */

static int count_full(void *ctx, const struct library_element *e)
{
    *(unsigned *)ctx += e->full;
    return 0;
}

/* Elements that come and go beside those that the moves use. */
static void churn_elements(struct library *lib, unsigned *seed)
{
    unsigned drive, n = (unsigned)rand_r(seed);

    switch (rand_r(seed) % 5) {
    case 0:
        library_drive_add(lib, &drive, NULL);
        break;
    case 1:
        library_drive_remove(lib, 2 + n % 3, NULL);
        break;
    case 2:
        library_resize(lib, 8 + n % 4, n / 4 % 4, NULL);
        break;
    case 3:
        library_set_alternate(lib, (uint16_t)(LIBRARY_ADDRESS_SLOT + rand_r(seed) % 8), "T", 1,
                              NULL);
        break;
    default:
        break;
    }
}

/* Moves, exchanges, creations, elements and tags without end, until it is killed. */
static void churn(void)
{
    struct library *lib;
    unsigned seed = (unsigned)getpid();

    log_set_level(LOG_LEVEL_ERROR);
    if (library_open(root, NULL, &lib, NULL) != 0)
        _exit(3);
    for (;;) {
        churn_elements(lib, &seed);
        uint16_t a = (uint16_t)(LIBRARY_ADDRESS_SLOT + rand_r(&seed) % 8);
        uint16_t b = (uint16_t)(LIBRARY_ADDRESS_DRIVE + rand_r(&seed) % 2);
        char barcode[16];

        library_move(lib, a, b, NULL);
        library_exchange(lib, a, b, a, NULL);
        library_move(lib, b, a, NULL);
        snprintf(barcode, sizeof(barcode), "N%05u", rand_r(&seed) % 100000);
        if (rand_r(&seed) % 8 == 0)
            make(lib, barcode, 0xffff);
    }
}

/* After each kill: every directory has exactly one place, every place its directory. */
static unsigned check_places(void)
{
    char command[256];
    unsigned full = 0, directories = 0;
    struct library *lib = reopen(NULL);
    const struct library_geometry *g = library_geometry(lib);
    FILE *p;

    CU_ASSERT(g->drives >= 2 && g->slots >= 8 && g->slots < 12 && g->import_export < 4);
    CU_ASSERT_FALSE(library_drive_removed(lib, 0) || library_drive_removed(lib, 1));
    CU_ASSERT_TRUE(library_drive_removed(lib, g->drives));

    CHECK_OK(library_elements(lib, 0, 0, 0xffff, count_full, &full, &err), err);
    snprintf(command, sizeof(command), "ls %s/cartridges | wc -l", root);
    p = popen(command, "r");
    CU_ASSERT_EQUAL_FATAL(fscanf(p, "%u", &directories), 1);
    pclose(p);
    CU_ASSERT_EQUAL(full, directories);
    library_close(lib);
    return full;
}

static void test_kill(void)
{
    struct library *lib;
    struct library_element e;
    unsigned kills = 0, full = 0;

    fresh();
    log_set_level(LOG_LEVEL_ERROR);
    lib = reopen(&geometry);
    for (int i = 0; i < 4; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "KIL%03dL8", i);
        CHECK_OK(make(lib, barcode, 0xffff), err);
    }
    library_close(lib);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        int status;

        if (pid == 0)
            churn();
        usleep(10000 + (useconds_t)(i * 1771 % 40000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        CU_ASSERT_TRUE(WIFSIGNALED(status));
        kills++;
        full = check_places();
    }
    CU_ASSERT_EQUAL(kills, 40);
    CU_ASSERT(full >= 4);
    lib = reopen(NULL);
    for (int i = 0; i < 4; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "KIL%03dL8", i);
        CHECK_OK(library_find(lib, barcode, &e, &err), err);
    }
    library_close(lib);
    log_set_level(LOG_LEVEL_INFO);
    clean();
}

/* ---- values ---------------------------------------------------------------------------------- */

static void test_values(void)
{
    static uint8_t large[LIBRARY_VALUE_MAX], got[LIBRARY_VALUE_MAX];
    struct library *lib;
    size_t len = 0;

    fresh();
    lib = reopen(&geometry);
    memset(large, 0xa5, sizeof(large));
    CHECK_FAILS(library_value_get(lib, "drive.0.mode", got, 8, &len, &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_value_set(lib, "drive.0.mode", "\0\1\2", 3, &err), err);
    CHECK_OK(library_value_set(lib, "drive.1.mode", large, sizeof(large), &err), err);
    CHECK_FAILS(library_value_set(lib, "x", large, sizeof(large) + 1, &err), ERR_RANGE, err);
    CHECK_FAILS(library_value_set(lib, "", "x", 1, &err), ERR_RANGE, err);
    CHECK_FAILS(library_value_set(lib, "A B", "x", 1, &err), ERR_RANGE, err);
    library_close(lib);
    lib = reopen(&geometry);
    CHECK_OK(library_value_get(lib, "drive.0.mode", got, 3, &len, &err), err);
    CU_ASSERT(len == 3 && memcmp(got, "\0\1\2", 3) == 0);
    CHECK_FAILS(library_value_get(lib, "drive.0.mode", got, 2, &len, &err), ERR_LENGTH, err);
    CU_ASSERT_EQUAL(len, 3);
    CHECK_OK(library_value_get(lib, "drive.1.mode", got, sizeof(got), &len, &err), err);
    CU_ASSERT(len == sizeof(large) && memcmp(got, large, len) == 0);
    CHECK_OK(library_value_set(lib, "drive.0.mode", "z", 1, &err), err);
    CHECK_OK(library_value_get(lib, "drive.0.mode", got, 9, &len, &err), err);
    CU_ASSERT(len == 1 && got[0] == 'z');
    CHECK_OK(library_value_set(lib, "drive.0.mode", NULL, 0, &err), err);
    CHECK_FAILS(library_value_get(lib, "drive.0.mode", got, 9, &len, &err), ERR_NOT_FOUND, err);
    library_close(lib);
    clean();
}

/* Count up in a value and say each one that is durable, until killed. */
static void count_up(int say)
{
    uint8_t bytes[512];
    struct library *lib;

    if (library_open(root, NULL, &lib, NULL) != 0)
        _exit(3);
    for (uint32_t n = 1;; n++) {
        memset(bytes, (int)(n & 0xff), sizeof(bytes));
        memcpy(bytes, &n, sizeof(n));
        if (library_value_set(lib, "changer.mode", bytes, sizeof(bytes), NULL) != 0 ||
            write(say, &n, sizeof(n)) != sizeof(n))
            _exit(4);
    }
}

/* The value that was said last, or the one that was being written; never a mixture. */
static void test_values_kill(void)
{
    fresh();
    for (int i = 0; i < 10; i++) {
        uint8_t bytes[512] = "";
        uint32_t said = 0, kept;
        struct library *lib;
        int ends[2];
        size_t len = 0;
        pid_t pid;

        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        if ((pid = fork()) == 0)
            count_up(ends[1]);
        close(ends[1]);
        for (int heard = 0; heard < 3 + i; heard++)
            CU_ASSERT_EQUAL(read(ends[0], &said, sizeof(said)), sizeof(said));
        usleep((useconds_t)(i * 531));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(ends[0], &kept, sizeof(kept)) == sizeof(kept))
            said = kept;
        close(ends[0]);
        lib = reopen(NULL);
        CHECK_OK(library_value_get(lib, "changer.mode", bytes, sizeof(bytes), &len, &err), err);
        memcpy(&kept, bytes, sizeof(kept));
        CU_ASSERT(len == sizeof(bytes) && (kept == said || kept == said + 1));
        for (size_t k = sizeof(kept); k < sizeof(bytes); k++)
            CU_ASSERT_EQUAL_FATAL(bytes[k], kept & 0xff);
        library_close(lib);
    }
    clean();
}

/* ---- hostile files --------------------------------------------------------------------------- */

static void spoil(const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/library.db", root);
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_hostile_db(void)
{
    static const struct {
        const char *sql;
        enum error_code code;
    } cases[] = {
        {"PRAGMA user_version = 99", ERR_FORMAT},
        {"PRAGMA application_id = 1", ERR_FORMAT},
        {"CREATE TRIGGER t AFTER DELETE ON place BEGIN DELETE FROM place; END", ERR_FORMAT},
        {"DROP TABLE place", ERR_FORMAT},
        {"DROP TABLE place; CREATE VIEW place AS SELECT 1", ERR_FORMAT},
        {"DELETE FROM library", ERR_CORRUPT},
        {"UPDATE library SET drives = -1", ERR_CORRUPT},
        {"UPDATE library SET slots = 65533", ERR_CORRUPT}, /* with two drives: too many */
        {"INSERT INTO place VALUES('FAR', 70000, NULL, 0)", ERR_STATE},
        {"UPDATE library SET serial = '0123456789abcdefghij'", ERR_CORRUPT},
        {"INSERT INTO place VALUES('../etc', 1024, NULL, 0)", ERR_CORRUPT},
        {"INSERT INTO place VALUES('FAR', 5000, NULL, 0)", ERR_STATE},
        {"PRAGMA ignore_check_constraints = 1; INSERT INTO place VALUES('X', 140000, NULL, 0)",
         ERR_CORRUPT},
    };
    struct library *lib;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh();
        spoil(cases[i].sql);
        CHECK_FAILS(library_open(root, &geometry, &lib, &err), cases[i].code, err);
        clean();
    }
}

static void test_damaged_file(void)
{
    char path[128];
    struct library *lib;
    int fd, rc;

    fresh();
    snprintf(path, sizeof(path), "%s/library.db", root);
    fd = open(path, O_WRONLY | O_TRUNC);
    CU_ASSERT_EQUAL(write(fd, "this is a text file\n", 20), 20);
    close(fd);
    CHECK_FAILS(library_open(root, &geometry, &lib, &err), ERR_FORMAT, err);
    clean();
    fresh();
    fd = open(path[0] ? (snprintf(path, sizeof(path), "%s/library.db", root), path) : path,
              O_WRONLY);
    for (int i = 1; i < 4; i++)
        CU_ASSERT_EQUAL(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 4096 * i), 8);
    close(fd);
    rc = library_open(root, &geometry, &lib, &err);
    CU_ASSERT(rc == -ERR_CORRUPT || rc == -ERR_FORMAT);
    clean();
}

/* A library.db of version 1 has neither vault, values nor tags and knows elements by 16 bits; it is
 * taken over as it is. */
static void test_version_1(void)
{
    uint64_t generation;
    struct library *lib;
    struct library_element e;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "OLD001L8", LIBRARY_ADDRESS_SLOT + 2), err);
    CHECK_OK(library_move(lib, LIBRARY_ADDRESS_SLOT + 2, LIBRARY_ADDRESS_SLOT + 3, &err), err);
    CHECK_OK(library_find(lib, "OLD001L8", &e, &err), err);
    generation = e.generation;
    library_close(lib);
    spoil("ALTER TABLE element RENAME TO e; ALTER TABLE place RENAME TO p;"
          "CREATE TABLE element("
          " address INTEGER PRIMARY KEY CHECK(address BETWEEN 0 AND 65534),"
          " generation INTEGER NOT NULL, changed_ns INTEGER NOT NULL) STRICT;"
          "CREATE TABLE place("
          " barcode TEXT PRIMARY KEY NOT NULL,"
          " element INTEGER NOT NULL UNIQUE CHECK(element BETWEEN 0 AND 65534),"
          " source INTEGER CHECK(source BETWEEN 0 AND 65534),"
          " imported INTEGER NOT NULL CHECK(imported IN (0, 1))) STRICT, WITHOUT ROWID;"
          "INSERT INTO element SELECT * FROM e; INSERT INTO place SELECT * FROM p;"
          "DROP TABLE e; DROP TABLE p; DROP TABLE tag; DROP TABLE vault; DROP TABLE value;"
          "PRAGMA user_version = 1");
    lib = reopen(&geometry);
    CHECK_OK(library_find(lib, "OLD001L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, LIBRARY_ADDRESS_SLOT + 3);
    CU_ASSERT(e.source_valid && e.source == LIBRARY_ADDRESS_SLOT + 2);
    CU_ASSERT_EQUAL(e.generation, generation);
    CHECK_OK(library_value_set(lib, "x", "y", 1, &err), err);
    CHECK_OK(library_set_alternate(lib, e.address, "tag", 1, &err), err);
    library_close(lib);
    clean();
}

/* ---- as large as it can be ------------------------------------------------------------------- */

/* All 65,535 elements: more slots than 16 bits leave behind the first address of slots. */
static void test_all_elements(void)
{
    const struct library_geometry all = {255, 65279, 0, ""}, more = {255, 65280, 0, ""},
                                  doors = {1, 65293, 240, ""};
    const struct library_layout layout = {{0, 0, 1024, 16, 256}, 32};

    struct library *lib;
    struct library_element e;

    fresh();
    CHECK_FAILS(library_open(root, &more, &lib, &err), ERR_RANGE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "it can have 65279 slots"));
    lib = reopen(&all);
    library_set_layout(lib, &layout);
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_DRIVE), 1);
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_SLOT), 256);
    CHECK_OK(make(lib, "LAST01L8", 0xfffe), err);
    CHECK_OK(library_move(lib, 0xfffe, 255, &err), err);
    library_close(lib);

    lib = reopen(&all);
    CHECK_OK(library_find(lib, "LAST01L8", &e, &err), err);
    CU_ASSERT(e.type == ELEMENT_DRIVE && e.address == 255);
    CU_ASSERT(e.source_valid && e.source == 0xfffe);
    CHECK_OK(library_move(lib, 255, 0xfffe, &err), err);
    CHECK_FAILS(library_element(lib, 0xffff, &e, &err), ERR_NOT_FOUND, err);
    library_close(lib);

    CHECK_FAILS(library_open(root, &geometry, &lib, &err), ERR_STATE, err);
    lib = reopen(&doors);
    CHECK_OK(library_find(lib, "LAST01L8", &e, &err), err);
    CU_ASSERT(e.type == ELEMENT_SLOT && e.address == 242 + 65278);
    CU_ASSERT_EQUAL(library_first(lib, ELEMENT_IMPORT_EXPORT), 1);
    library_close(lib);
    clean();
}

/* ---- how it grows ---------------------------------------------------------------------------- */

static double cpu_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

/* A cartridge in every slot: rows and directories, made faster than by library_cartridge_create().
 */
static void fill_slots(unsigned slots)
{
    char sql[512], path[256];

    for (unsigned i = 0; i < slots; i++) {
        snprintf(path, sizeof(path), "%s/cartridges/S%06u", root, i);
        CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    }
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %u)"
             "INSERT INTO place SELECT printf('S%%06d', i), %u + i, NULL, 0 FROM n",
             slots, LIBRARY_ADDRESS_SLOT);
    spoil(sql);
}

struct cost {
    double lookup, status; /* CPU time of as many lookups, and of as many elements reported */
};

static struct cost cost_of(unsigned slots, unsigned most)
{
    const struct library_geometry g = {2, slots, 0, ""};
    struct library *lib;
    struct library_element e;
    struct cost cost;
    char barcode[16];
    unsigned full = 0;
    double start;

    fresh();
    fill_slots(slots);
    lib = reopen(&g);
    start = cpu_ms();
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(barcode, sizeof(barcode), "S%06u", i * 7919 % slots);
        if (library_find(lib, barcode, &e, NULL) != 0 ||
            library_element(lib, e.address, &e, NULL) != 0 || strcmp(e.barcode, barcode) != 0)
            CU_FAIL_FATAL("a cartridge was not found");
    }
    cost.lookup = cpu_ms() - start;
    start = cpu_ms();
    for (unsigned i = 0; i < 16 * most / slots; i++)
        library_elements(lib, 0, 0, 0xffff, count_full, &full, NULL);
    cost.status = cpu_ms() - start;
    CU_ASSERT_EQUAL(full, 16 * most);
    library_close(lib);
    clean();
    return cost;
}

/* Sixteen times as many elements: a lookup costs the same and the status of all sixteen times as
 * much, but for what the processor's caches make of it.  What went through all of them for each
 * would cost sixteen times as much. */
static void test_scale(void)
{
    struct cost small = cost_of(1024, 16384), large = cost_of(16384, 16384);

    printf("lookup %.1f -> %.1f ms, status %.1f -> %.1f ms: ", small.lookup, large.lookup,
           small.status, large.status);
    CU_ASSERT(large.lookup < 8 * small.lookup);
    CU_ASSERT(large.status < 8 * small.status);
}

/* ---- what is known, and how ------------------------------------------------------------------ */

static void test_evidence(void)
{
    const uint16_t slot = LIBRARY_ADDRESS_SLOT;
    char path[256];
    struct library *lib;
    struct library_element e;
    struct library_inventory seen;
    int64_t before;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(library_element(lib, slot + 7, &e, &err), err);
    CU_ASSERT(e.evidence == EVIDENCE_INVENTORY && e.observed_ns > 0); /* looked at when opened */
    CHECK_OK(make(lib, "EVI001L8", slot), err);
    CHECK_OK(library_element(lib, slot, &e, &err), err);
    CU_ASSERT_EQUAL(e.evidence, EVIDENCE_OPERATOR);
    before = e.observed_ns;
    CHECK_OK(library_move(lib, slot, slot + 1, &err), err);
    CHECK_OK(library_element(lib, slot, &e, &err), err);
    CU_ASSERT(e.evidence == EVIDENCE_MOVE && e.observed_ns > before);
    CHECK_OK(library_inventory(lib, slot + 1, 1, &seen, &err), err);
    CU_ASSERT(seen.seen == 1 && seen.missing == 0 && seen.unknown == 0);
    CHECK_OK(library_element(lib, slot, &e, &err), err);
    CU_ASSERT_EQUAL(e.evidence, EVIDENCE_MOVE); /* not in the range */
    CHECK_OK(library_element(lib, slot + 1, &e, &err), err);
    CU_ASSERT(e.evidence == EVIDENCE_INVENTORY && e.full && !e.missing);

    /* storage that can't be asked: neither there nor missing */
    CHECK_OK(library_cartridge_path(root, "EVI001L8", path, sizeof(path), &err), err);
    CU_ASSERT_EQUAL(rename(path, "/tmp/capstan-evidence"), 0);
    CU_ASSERT_EQUAL(symlink(path, path), 0);
    CHECK_OK(library_inventory(lib, 0, 0x10000, &seen, &err), err);
    CU_ASSERT(seen.seen == 0 && seen.missing == 0 && seen.unknown == 1);
    CHECK_OK(library_element(lib, slot + 1, &e, &err), err);
    CU_ASSERT(e.evidence == EVIDENCE_RECORDED && e.observed_ns == e.changed_ns && !e.missing);
    unlink(path);
    CHECK_OK(library_inventory(lib, 0, 0x10000, &seen, &err), err);
    CHECK_OK(library_element(lib, slot + 1, &e, &err), err);
    CU_ASSERT(seen.missing == 1 && e.missing && e.evidence == EVIDENCE_INVENTORY);
    CU_ASSERT_EQUAL(rename("/tmp/capstan-evidence", path), 0);
    library_close(lib);
    lib = reopen(&geometry);
    CHECK_OK(library_element(lib, slot + 1, &e, &err), err);
    CU_ASSERT(e.evidence == EVIDENCE_INVENTORY && !e.missing);
    library_close(lib);
    clean();
}

/* ---- alternate volume tags ------------------------------------------------------------------- */

static void check_alternate(struct library *lib, const char *tag, uint16_t sequence)
{
    struct library_element e;

    CHECK_OK(library_find(lib, "TAG001L8", &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.alternate, tag);
    CU_ASSERT_EQUAL(e.alternate_sequence, sequence);
}

/* It goes with the cartridge: by moves, to the vault and back, and with the cartridge for good. */
static void test_alternate(void)
{
    const uint16_t slot = LIBRARY_ADDRESS_SLOT;
    static const char *const bad[] = {"", "ends with a space ", "a\nb", "\303\274",
                                      "123456789012345678901234567890123"};
    struct library *lib;

    fresh();
    lib = reopen(&geometry);
    CHECK_OK(make(lib, "TAG001L8", slot), err);
    CU_ASSERT_FALSE(library_has_alternates(lib));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_FAILS(library_set_alternate(lib, slot, bad[i], 0, &err), ERR_RANGE, err);
    CHECK_FAILS(library_set_alternate(lib, slot + 1, "A", 0, &err), ERR_STATE, err);
    CHECK_FAILS(library_set_alternate(lib, slot + 99, "A", 0, &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_set_alternate(lib, slot, "Year end 2026", 7, &err), err);
    CU_ASSERT_TRUE(library_has_alternates(lib));
    CHECK_OK(library_move(lib, slot, slot + 2, &err), err);
    check_alternate(lib, "Year end 2026", 7);
    library_close(lib);
    lib = reopen(&geometry);
    check_alternate(lib, "Year end 2026", 7);
    CHECK_OK(library_vault(lib, slot + 2, "safe", &err), err);
    CU_ASSERT_FALSE(library_has_alternates(lib));
    library_close(lib);
    lib = reopen(&geometry);
    CHECK_OK(library_unvault(lib, "TAG001L8", slot + 3, &err), err);
    check_alternate(lib, "Year end 2026", 7);
    CHECK_OK(library_set_alternate(lib, slot + 3, NULL, 0, &err), err);
    check_alternate(lib, "", 0);
    CHECK_OK(library_set_alternate(lib, slot + 3, "B", 0, &err), err);
    CHECK_OK(library_cartridge_delete(lib, "TAG001L8", &err), err);
    CHECK_OK(make(lib, "TAG001L8", slot), err); /* another one with the same label */
    check_alternate(lib, "", 0);
    library_close(lib);
    clean();
}

static const struct check_test tests[] = {
    {"create_open", test_create_open},
    {"geometry_grows", test_geometry_grows},
    {"serial_is_made", test_serial_is_made},
    {"move", test_move},
    {"exchange", test_exchange},
    {"elements_in_order", test_elements_in_order},
    {"cartridge_create", test_cartridge_create},
    {"slot_awaiting", test_slot_awaiting},
    {"barcode_media", test_barcode_media},
    {"layout", test_layout},
    {"strays", test_strays},
    {"kill", test_kill},
    {"values", test_values},
    {"values_kill", test_values_kill},
    {"version_1", test_version_1},
    {"all_elements", test_all_elements},
    {"scale", test_scale},
    {"evidence", test_evidence},
    {"alternate", test_alternate},
    {"hostile_db", test_hostile_db},
    {"damaged_file", test_damaged_file},
};

CHECK_MAIN("library", tests)
