/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_personality.c - the data files of models: that each is whole and right, that what is wrong
 * in one is named, and the facts of media against a table of their own.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "vtl/personality/personality.h"

/* ---- media ----------------------------------------------------------------------------------- */

/* Written by hand from the LTO programme's tables, not from medium.c. */
static void test_media(void)
{
    static const struct {
        const char *name;
        unsigned density, type, worm_type, gigabytes;
    } expected[] = {
        {"LTO-3", 0x44, 0x38, 0x3c, 400},   {"LTO-4", 0x46, 0x48, 0x4c, 800},
        {"LTO-5", 0x58, 0x58, 0x5c, 1500},  {"LTO-6", 0x5a, 0x68, 0x6c, 2500},
        {"LTO-7", 0x5c, 0x78, 0x7c, 6000},  {"LTO-M8", 0x5d, 0x78, 0, 9000},
        {"LTO-8", 0x5e, 0x88, 0x8c, 12000}, {"LTO-9", 0x60, 0x98, 0x9c, 18000},
        {"LTO-10", 0x62, 0xa8, 0, 30000},   {"LTO-P10", 0x63, 0xa8, 0, 40000},
    };
    size_t count;
    const struct medium *table = medium_table(&count);

    CU_ASSERT_EQUAL(count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < count; i++) {
        const struct medium *m = medium_by_name(expected[i].name);

        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        CU_ASSERT_EQUAL(m->density, expected[i].density);
        CU_ASSERT_EQUAL(m->type, expected[i].type);
        CU_ASSERT_EQUAL(m->worm_type, expected[i].worm_type);
        CU_ASSERT_EQUAL(m->capacity, expected[i].gigabytes * 1000000000ull);
        CU_ASSERT_PTR_EQUAL(medium_by_density(m->density), m);
        CU_ASSERT_PTR_EQUAL(medium_by_name(m->barcode), m);
        CU_ASSERT_EQUAL(strlen(m->barcode), 2);
        CU_ASSERT(strlen(m->density_name) <= 8 && strlen(m->description) + 5 <= 20);
        CU_ASSERT_EQUAL(m->worm_type != 0, m->worm_barcode != NULL);
        CU_ASSERT(i == 0 || table[i - 1].density < table[i].density);
    }
    CU_ASSERT_PTR_NULL(medium_by_density(0x5f));
    CU_ASSERT_PTR_NULL(medium_by_name("LTO-99"));
    CU_ASSERT_PTR_EQUAL(medium_by_name("9"), medium_by_density(0x60));
}

static void test_barcodes(void)
{
    static const struct {
        const char *barcode;
        unsigned density; /* 0: it does not say */
        bool worm, cleaning;
    } expected[] = {
        {"ABC001L3", 0x44, false, false}, {"ABC001L5", 0x58, false, false},
        {"ABC001L8", 0x5e, false, false}, {"ABC001L9", 0x60, false, false},
        {"ABC001LA", 0x62, false, false}, {"ABC001PA", 0x63, false, false},
        {"ABC001M8", 0x5d, false, false}, {"ABC001LT", 0x44, true, false},
        {"ABC001LU", 0x46, true, false},  {"ABC001LV", 0x58, true, false},
        {"ABC001LW", 0x5a, true, false},  {"ABC001LX", 0x5c, true, false},
        {"ABC001LY", 0x5e, true, false},  {"ABC001LZ", 0x60, true, false},
        {"CLN001CU", 0, false, true},     {"ABC001CU", 0, false, true},
        {"CLNU01L1", 0, false, true},     {"ABC001", 0, false, false},
        {"L8", 0, false, false},          {"", 0, false, false},
    };

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct medium_label label = medium_of_barcode(expected[i].barcode);

        CU_ASSERT_EQUAL(label.medium ? label.medium->density : 0, expected[i].density);
        CU_ASSERT_EQUAL(label.worm, expected[i].worm);
        CU_ASSERT_EQUAL(label.cleaning, expected[i].cleaning);
    }
}

/* ---- the built-in ones ----------------------------------------------------------------------- */

static struct personality_set *load(const char *directory)
{
    struct personality_set *set = NULL;
    struct error err = ERROR_INIT;

    CHECK_OK(personality_set_load(directory, &set, &err), err);
    return set;
}

static void check_serials(const struct personality *p)
{
    char one[PERSONALITY_SERIAL_MAX + 1], two[PERSONALITY_SERIAL_MAX + 1];

    for (unsigned unit = 0; unit < 240; unit++) {
        personality_serial(p, "CPRIG00001", unit, one);
        CU_ASSERT(strlen(one) >= 8);
        CU_ASSERT_EQUAL(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), strlen(one));
        personality_serial(p, "CPRIG00001", unit, two);
        CU_ASSERT_STRING_EQUAL(one, two);
        personality_serial(p, "CPRIG00002", unit, two);
        CU_ASSERT_STRING_NOT_EQUAL(one, two);
        personality_serial(p, "CPRIG00001", unit + 1, two);
        CU_ASSERT(p->type != PERSONALITY_DRIVE || strcmp(one, two) != 0);
    }
}

static void check_changer(const struct personality *p)
{
    for (unsigned a = 1; a <= 4; a++) {
        CU_ASSERT(p->elements[a].max >= 1);
        CU_ASSERT(p->elements[a].first + p->elements[a].max <= 0x10000);
        for (unsigned b = 1; b <= 4; b++) {
            if (a == b)
                continue;
            CU_ASSERT(p->elements[a].first + p->elements[a].max <= p->elements[b].first ||
                      p->elements[b].first + p->elements[b].max <= p->elements[a].first);
        }
    }
    CU_ASSERT(p->elements[4].max >= 8);
    CU_ASSERT(p->slots <= p->elements[2].max && p->import_export <= p->elements[3].max);
}

/* Every file in the source tree is built in, and each is whole. */
static void test_builtin(void)
{
    struct personality_set *set = load(NULL);
    const struct personality *p;
    unsigned drives = 0, changers = 0;

    for (size_t i = 0; (p = personality_set_at(set, i)) != NULL; i++) {
        CU_ASSERT_TRUE(p->builtin);
        CU_ASSERT(p->vendor[0] && p->product[0] && strlen(p->revision) == 4 && p->summary[0]);
        CU_ASSERT(p->versions[0] != 0);
        check_serials(p);
        if (p->type == PERSONALITY_DRIVE) {
            drives++;
            CU_ASSERT(personality_writes(p, p->native) && p->block_max >= 1 << 20);
        } else {
            changers++;
            check_changer(p);
        }
    }
    CU_ASSERT(drives >= 20 && changers >= 8);
    personality_set_free(set);
}

static void test_source_files(void)
{
    const char *srcdir = getenv("CAPSTAN_SRCDIR");
    char command[300];

    if (!srcdir)
        return;
    /* In the tree and built in: the same names. */
    for (const struct personality_file *f = personality_files; f->name; f++) {
        snprintf(command, sizeof(command), "%s/personalities/%s.conf", srcdir, f->name);
        CU_ASSERT_EQUAL(access(command, R_OK), 0);
    }
    snprintf(command, sizeof(command), "%s/personalities", srcdir);
    personality_set_free(load(command)); /* takes the place of all */
}

/* Which generations a drive reads and writes, by the rules of the LTO programme. */
static void test_compatibility(void)
{
    static const struct {
        const char *name, *reads, *writes;
    } expected[] = {
        {"IBM-ULT3580-TD5", "3 4 5", "4 5"},     {"IBM-ULT3580-HH6", "4 5 6", "5 6"},
        {"IBM-ULT3580-TD7", "5 6 7", "6 7"},     {"IBM-ULT3580-TD8", "7 M8 8", "7 M8 8"},
        {"IBM-ULT3580-HH8", "7 M8 8", "7 M8 8"}, {"IBM-ULT3580-TD9", "8 9", "8 9"},
        {"HP-ULTRIUM-6", "4 5 6", "5 6"},        {"HPE-ULTRIUM-9", "8 9", "8 9"},
        {"HPE-ULTRIUM-8", "7 M8 8", "7 M8 8"},   {"IBM-ULT3580-TD10", "10 P10", "10 P10"},
    };
    struct personality_set *set = load(NULL);
    size_t count;
    const struct medium *table = medium_table(&count);

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct personality *p = NULL;
        struct error err = ERROR_INIT;

        CHECK_OK(personality_find(set, PERSONALITY_DRIVE, expected[i].name, &p, &err), err);
        for (size_t k = 0; k < count; k++) {
            char reads[40], writes[40], word[12];

            snprintf(reads, sizeof(reads), " %s ", expected[i].reads);
            snprintf(writes, sizeof(writes), " %s ", expected[i].writes);
            snprintf(word, sizeof(word), " %s ", table[k].name + 4);
            CU_ASSERT_EQUAL(personality_reads(p, &table[k]), strstr(reads, word) != NULL);
            CU_ASSERT_EQUAL(personality_writes(p, &table[k]), strstr(writes, word) != NULL);
        }
    }
    personality_set_free(set);
}

static void test_find(void)
{
    struct personality_set *set = load(NULL);
    const struct personality *p = NULL;
    struct error err = ERROR_INIT;

    CHECK_OK(personality_find(set, PERSONALITY_DRIVE, PERSONALITY_DEFAULT_DRIVE, &p, &err), err);
    CU_ASSERT_STRING_EQUAL(p->product, "ULT3580-TD8");
    CHECK_OK(personality_find(set, PERSONALITY_CHANGER, "ibm-3573-tl", &p, &err), err);
    CU_ASSERT_STRING_EQUAL(p->product, "3573-TL");
    CHECK_FAILS(personality_find(set, PERSONALITY_DRIVE, "IBM-3573-TL", &p, &err), ERR_RANGE, err);
    CHECK_FAILS(personality_find(set, PERSONALITY_DRIVE, "ult3580-td", &p, &err), ERR_NOT_FOUND,
                err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "IBM-ULT3580-TD9"));
    CU_ASSERT_PTR_NULL(strstr(err.message, "HPE"));
    CHECK_FAILS(personality_find(set, PERSONALITY_CHANGER, "!", &p, &err), ERR_NOT_FOUND, err);
    personality_set_free(set);
}

/* ---- hostile and wrong files ----------------------------------------------------------------- */

#define MODEL                                                                                      \
    "[model]\ntype = drive\nsummary = s\nvendor = V\nproduct = P\nrevision = 0001\n"               \
    "scsi_version = 6\nversions = 0x0460\nserial = {library}{unit}\n"
#define DRIVE "[drive]\nreads =\nwrites = LTO-8\nblock_max = 8388608\n"
#define C_MODEL                                                                                    \
    "[model]\ntype = changer\nsummary = s\nvendor = V\nproduct = P\nrevision = 0001\n"             \
    "scsi_version = 6\nversions = 0x0460\nserial = {library}\n"

static int read_text(const char *text, struct personality *p, struct error *err)
{
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    int rc = personality_read(stream, "TEST", "file", p, err);

    fclose(stream);
    return rc;
}

static void test_read(void)
{
    struct personality p;
    struct error err = ERROR_INIT;
    uint8_t bytes[PERSONALITY_VPD_MAX];

    CHECK_OK(read_text(MODEL DRIVE "[vpd]\nc0 = \"AB\":4 00*2 ff serial:6 \"Z\"\nc1 = 01\n 02\n",
                       &p, &err),
             err);
    CU_ASSERT_EQUAL(p.vpd_count, 2);
    CU_ASSERT_EQUAL(p.vpd[0].code, 0xc0);
    CU_ASSERT_EQUAL(p.vpd[0].length, 14);
    personality_vpd_fill(&p.vpd[0], "S1", bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, "AB  \0\0\xffS1    Z", 14), 0);
    personality_vpd_fill(&p.vpd[0], "SERIAL789", bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, "AB  \0\0\xffSERIALZ", 14), 0);
    CU_ASSERT_EQUAL(p.vpd[1].length, 2);
    CU_ASSERT_PTR_EQUAL(p.native, medium_by_name("LTO-8"));
}

static void test_refused(void)
{
    static const struct {
        const char *text, *says; /* says: a part of the sentence */
    } wrong[] = {
        {"", "[model] type is missing"},
        {MODEL, "[drive] reads is missing"},
        {MODEL DRIVE "[changer]\ntransport = 0\n", "does not belong to a drive"},
        {MODEL DRIVE "colour = red\n", "line 14: [drive] colour: there is no such key"},
        {MODEL DRIVE "block_max = 8388608\n",
         "line 14: [drive] block_max: it stands here a second"},
        {MODEL "vendor = W\n" DRIVE, "[model] vendor: it stands here a second time"},
        {MODEL DRIVE "nonsense\n", "line 14: it is neither"},
        {MODEL "[drive]\nreads =\nwrites = LTO-8\nblock_max = 16777216\n",
         "from 65536 to 16777215"},
        {MODEL "[drive]\nreads =\nwrites = LTO-8\nblock_max = -1\n", "must be a number"},
        {MODEL "[drive]\nreads = LTO-8\nwrites = LTO-8\nblock_max = 65536\n", "a second time"},
        {MODEL "[drive]\nreads = LTO-8\nwrites =\nblock_max = 65536\n", "at least its own"},
        {MODEL "[drive]\nreads =\nwrites = LTO-77\nblock_max = 65536\n", "'LTO-77' is no kind"},
        {MODEL DRIVE "[vpd]\nb0 = 00\n", "is c0 to ff"},
        {MODEL DRIVE "[vpd]\nc1 = 00\nc1 = 00\n", "each once"},
        {MODEL DRIVE "[vpd]\nc1 = 00*200\n", "a number from 1 to 128"},
        {MODEL DRIVE "[vpd]\nc1 = 00*128 00\n", "more than 128"},
        {MODEL DRIVE "[vpd]\nc1 = \"ab\n", "no closing"},
        {MODEL DRIVE "[vpd]\nc1 = \"ab\":1\n", "does not fit"},
        {MODEL DRIVE "[vpd]\nc1 = 0g\n", "hexadecimal"},
        {MODEL DRIVE "[vpd]\nc1 = serial:4 serial:4 serial:4\n", "at most 2"},
        {MODEL DRIVE "\x01\n", "control character"},
        {C_MODEL "[changer]\ntransport = 0\nimport_export = 10\ndrives = 10\nstorage = 100\n"
                 "dvcid = t10\nbarcode_length = 8\ndefault_slots = 1\ndefault_import_export = 0\n",
         "begins where other elements begin"},
        {C_MODEL "[changer]\ntransport = 0\nimport_export = 10\ndrives = 20\nstorage = 65530\n"
                 "dvcid = t10\nbarcode_length = 8\ndefault_slots = 7\ndefault_import_export = 0\n",
         "more than there are addresses"},
        {C_MODEL "[changer]\ntransport = 65536\n", "from 0 to 65534"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = ERROR_INIT;
        struct personality p;

        CHECK_FAILS(read_text(wrong[i].text, &p, &err), ERR_FORMAT, err);
        if (!strstr(err.message, wrong[i].says) || strncmp(err.message, "file: ", 6) != 0)
            printf("\n    case %zu says: %s\n", i, err.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, wrong[i].says));
        CU_ASSERT_EQUAL(strncmp(err.message, "file: ", 6), 0);
    }
}

static void refuse_model(const char *key, const char *value, const char *says)
{
    static const char *const keys[][2] = {
        {"type", "drive"},      {"summary", "s"},
        {"vendor", "V"},        {"product", "P"},
        {"revision", "0001"},   {"scsi_version", "6"},
        {"versions", "0x0460"}, {"serial", "{library}{unit}"},
    };
    char text[1000] = "[model]\n";
    struct error err = ERROR_INIT;
    struct personality p;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        sprintf(text + strlen(text), "%s = %s\n", keys[i][0],
                strcmp(keys[i][0], key) == 0 ? value : keys[i][1]);
    strcat(text, DRIVE);
    CHECK_FAILS(read_text(text, &p, &err), ERR_FORMAT, err);
    if (!strstr(err.message, says))
        printf("\n    %s = %s says: %s\n", key, value, err.message);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, says));
}

static void test_refused_values(void)
{
    char line[400];

    refuse_model("type", "disk", "drive or changer");
    refuse_model("vendor", "NINECHARS", "1 to 8 characters");
    refuse_model("vendor", "", "1 to 8 characters");
    refuse_model("product", "\xc3\xa4", "printable ASCII");
    refuse_model("revision", "00001", "1 to 4 characters");
    refuse_model("scsi_version", "9", "from 3 to 7");
    refuse_model("versions", "1 2 3 4 5 6 7 8 9", "at most 8");
    refuse_model("versions", "65536", "from 1 to 65535");
    refuse_model("serial", "{unit}", "all libraries");
    refuse_model("serial", "{library}", "all drives");
    refuse_model("serial", "{library}{library}", "20 characters long");
    refuse_model("serial", "{libary}", "what stands in braces");
    refuse_model("serial", "{hash:}", "what stands in braces");
    refuse_model("serial", "{hash", "what stands in braces");
    refuse_model("serial", "{", "what stands in braces");
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    refuse_model("summary", line, "too long");
}

/* ---- a directory on top ---------------------------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[120];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *directory, const char *name)
{
    char path[120];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    CU_ASSERT_EQUAL(remove(path), 0);
}

static void test_directory(void)
{
    char directory[] = "/tmp/capstan-personality-XXXXXX", path[120];
    struct personality_set *set;
    const struct personality *p = NULL;
    struct error err = ERROR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    write_file(directory, "OWN.conf", MODEL DRIVE);
    write_file(directory, "ibm-ult3580-td8.conf", MODEL DRIVE); /* in the place of the built-in */
    write_file(directory, "notes.txt", "not looked at");
    set = load(directory);
    CHECK_OK(personality_find(set, PERSONALITY_DRIVE, "own", &p, &err), err);
    CU_ASSERT_FALSE(p->builtin);
    CHECK_OK(personality_find(set, PERSONALITY_DRIVE, PERSONALITY_DEFAULT_DRIVE, &p, &err), err);
    CU_ASSERT_STRING_EQUAL(p->vendor, "V");
    personality_set_free(set);

    write_file(directory, "own.conf", MODEL DRIVE);
    CHECK_FAILS(personality_set_load(directory, &set, &err), ERR_FORMAT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "already"));
    remove_file(directory, "own.conf");
    write_file(directory, "two words.conf", MODEL DRIVE);
    CHECK_FAILS(personality_set_load(directory, &set, &err), ERR_FORMAT, err);
    remove_file(directory, "two words.conf");
    snprintf(path, sizeof(path), "%s/pipe.conf", directory);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CHECK_FAILS(personality_set_load(directory, &set, &err), ERR_FORMAT, err);
    remove_file(directory, "pipe.conf");
    remove_file(directory, "OWN.conf");
    remove_file(directory, "ibm-ult3580-td8.conf");
    remove_file(directory, "notes.txt");
    CU_ASSERT_EQUAL(rmdir(directory), 0);
    set = load(directory); /* missing: none on top */
    personality_set_free(set);
}

static const struct check_test tests[] = {
    {"media", test_media},
    {"barcodes", test_barcodes},
    {"builtin", test_builtin},
    {"source_files", test_source_files},
    {"compatibility", test_compatibility},
    {"find", test_find},
    {"read", test_read},
    {"refused", test_refused},
    {"refused_values", test_refused_values},
    {"directory", test_directory},
};

CHECK_MAIN("personality", tests)
