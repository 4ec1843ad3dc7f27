/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c - capstan.conf: what is read, what is refused and how, and the secret files. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/checked.h"
#include "vtl/control/config.h"

#define GOOD "[library]\nserial = CAP0000001\n[iscsi]\ntarget = iqn.2026-11.capstan:test\n"

static int parse(const char *text, size_t len, struct config **out, struct error *err)
{
    FILE *f = fmemopen((void *)text, len, "r");
    int rc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    rc = config_read(f, "/lib/capstan.conf", "/lib", out, err);
    fclose(f);
    return rc;
}

static struct config *parse_good(const char *text)
{
    struct config *c = NULL;
    struct error err = ERROR_INIT;

    CHECK_OK(parse(text, strlen(text), &c, &err), err);
    return c;
}

/* The text is refused, and the sentence holds each of the words (separated by '|'). */
static void parse_bad(const char *text, size_t len, const char *words)
{
    struct config *c = NULL;
    struct error err = ERROR_INIT;
    char copy[200], *rest = NULL;

    CHECK_FAILS(parse(text, len, &c, &err), ERR_FORMAT, err);
    CU_ASSERT_PTR_NULL(c);
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok_r(copy, "|", &rest); w; w = strtok_r(NULL, "|", &rest)) {
        if (!strstr(err.message, w))
            printf("\n    '%s' is not in: %s\n", w, err.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, w));
    }
}

static void test_defaults(void)
{
    struct config *c = parse_good(GOOD);
    struct library_geometry g;
    struct iscsid_options o;

    CU_ASSERT_STRING_EQUAL(c->name, "capstan");
    CU_ASSERT_STRING_EQUAL(c->root, "/lib");
    config_geometry(c, &g);
    CU_ASSERT_EQUAL(g.drives, 2);
    CU_ASSERT_EQUAL(g.slots, 8);
    CU_ASSERT_EQUAL(g.import_export, 1);
    CU_ASSERT_STRING_EQUAL(g.serial, "CAP0000001");
    config_iscsi_options(c, &o);
    CU_ASSERT_EQUAL(o.portal_count, 1);
    CU_ASSERT_STRING_EQUAL(o.portals[0], "127.0.0.1:3260");
    CU_ASSERT_EQUAL(o.initiator_count, 0);
    CU_ASSERT_PTR_NULL(o.chap.user);
    CU_ASSERT_PTR_NULL(o.redirect);
    config_free(c);
}

/* A portal's group, and where a view puts each unit. */
static void test_groups_and_views(void)
{
    struct config *c = parse_good(GOOD "portals = 127.0.0.1:1, 7=[::1]:2 65535=0.0.0.0:3\n"
                                       "views = iqn.a:one=changer+1@drive:1\n"
                                       "  iqn.a:*=0@drive:0-1+disk, *=none iqn.b:z=2@all\n");
    struct iscsid_options o;
    const uint16_t *u;

    config_iscsi_options(c, &o);
    CU_ASSERT_STRING_EQUAL(o.portals[1], "[::1]:2");
    CU_ASSERT_EQUAL(o.portal_groups[0], 1);
    CU_ASSERT_EQUAL(o.portal_groups[1], 7);
    CU_ASSERT_EQUAL(o.portal_groups[2], 65535);
    CU_ASSERT_EQUAL_FATAL(o.view_count, 4);
    CU_ASSERT_STRING_EQUAL(o.views[0].initiator, "iqn.a:one");
    u = o.views[0].luns.unit;
    CU_ASSERT(u[0] == 0 && u[1] == 2 && u[2] == SCSI_NO_UNIT);
    CU_ASSERT_STRING_EQUAL(o.views[1].initiator, "iqn.a:*");
    u = o.views[1].luns.unit;
    CU_ASSERT(u[0] == 1 && u[1] == 2 && u[2] == SCSI_NO_UNIT && u[3] == 3); /* 2 drives: disk 3 */
    CU_ASSERT_STRING_EQUAL(o.views[2].initiator, "*");
    for (unsigned i = 0; i < SCSI_LUNS_MAX; i++) {
        CU_ASSERT_EQUAL(o.views[2].luns.unit[i], SCSI_NO_UNIT);
        CU_ASSERT_EQUAL(o.views[3].luns.unit[i], i < 2 ? SCSI_NO_UNIT : i - 2);
    }
    config_free(c);
}

static void test_everything(void)
{
    struct config *c = parse_good("; a comment\r\n[library]\r\nname = The Cellar \r\n"
                                  "serial=ABCD\ndrives = 255\nslots = 65533\nimport_export=0\n"
                                  "test_disk = 64\ncompression = zstd\n"
                                  "[iscsi]\ntarget = naa.52004567ba64678d\n"
                                  "portals = 127.0.0.1:0, [::1]:3260\n    0.0.0.0:65535\n"
                                  "initiators = iqn.1993-08.org.debian:01:*\n\tiqn.a:b, *\n"
                                  "initiator = iqn.a:b\nredirect = [2001:db8::7]:3260\n"
                                  "[chap]\nuser = u\nsecret_file = s\nmutual_user = m\n"
                                  "mutual_secret_file = /t\ndiscovery = yes\n");

    struct iscsid_options o;

    CU_ASSERT_STRING_EQUAL(c->name, "The Cellar");
    CU_ASSERT_EQUAL(c->drives, 255);
    CU_ASSERT_EQUAL(c->slots, 65533);
    CU_ASSERT_EQUAL(c->test_disk, 64);
    CU_ASSERT_EQUAL(config_compression(c), CARTRIDGE_ZSTD);
    CU_ASSERT_EQUAL(c->portals.count, 3);
    CU_ASSERT_STRING_EQUAL(c->portals.item[1], "[::1]:3260");
    CU_ASSERT_STRING_EQUAL(c->portals.item[2], "0.0.0.0:65535");
    CU_ASSERT_EQUAL(c->initiators.count, 3);
    CU_ASSERT_STRING_EQUAL(c->initiators.item[2], "*");
    CU_ASSERT_TRUE(c->discovery);
    config_iscsi_options(c, &o);
    CU_ASSERT_STRING_EQUAL(o.redirect, "[2001:db8::7]:3260");
    config_free(c);
}

/* The example that we hand out is right. */
static void test_example(void)
{
    const char *srcdir = getenv("CAPSTAN_SRCDIR");
    struct error err = ERROR_INIT;
    struct config *c = NULL;
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/examples/capstan.conf", srcdir ? srcdir : "..");
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CHECK_OK(config_read(f, path, "/lib", &c, &err), err);
    CU_ASSERT_EQUAL(c->portals.count, 2);
    CU_ASSERT_EQUAL(c->initiators.count, 2);
    CU_ASSERT_STRING_EQUAL(c->mutual_user, "cellar");
    config_free(c);
    fclose(f);
}

static void test_refused(void)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {GOOD "nokey = 1\n", "/lib/capstan.conf|line 5|[iscsi] has no key 'nokey'"},
        {"[nosection]\na = 1\n", "line 2|no section [nosection]"},
        {"serial = X\n", "line 1|no section []"},
        {"[library]\ndrives = 0\n", "line 2|[library] drives = 0|from 1 to 255"},
        {"[library]\ndrives = 256\n", "from 1 to 255"},
        {"[library]\ndrives = -1\n", "drives = -1"},
        {"[library]\ndrives = 2x\n", "drives = 2x"},
        {"[library]\ndrives =\n", "a number from"},
        {"[library]\ndrives = 0x2\n", "a number from"},
        {"[library]\nslots = 99999999999999999999999\n", "slots|from 1 to 65533"},
        {"[library]\nslots = 4294967297\n", "from 1 to 65533"},
        {"[library]\nserial = abc\n", "serial|4 to 10"},
        {"[library]\nserial = CAP00000001\n", "serial|4 to 10 characters, not 11"},
        {"[library]\nserial = CAP-00001\n", "A-Z and 0-9"},
        {"[library]\ndrives = 2\ndrives = 2\n", "line 3|drives|second time"},
        {"[library]\ndrives = 2\n 3\n", "line 3|drives|second time"},
        {"[iscsi]\nportals = 127.0.0.1:1\nportals = 127.0.0.1:2\n", "line 3|second time"},
        {"[iscsi]\ntarget = Iqn.x\n", "iqn., eui. or naa."},
        {"[iscsi]\ntarget = iqn.UPPER\n", "a-z, 0-9"},
        {"[iscsi]\nportals = localhost\n", "ADDRESS:PORT"},
        {"[iscsi]\nportals = 127.0.0.1:65536\n", "ADDRESS:PORT"},
        {"[iscsi]\nportals = ::1:3260\n", "brackets"},
        {"[iscsi]\nportals = [::1:3260\n", "ADDRESS:PORT"},
        {"[iscsi]\nportals = 1.1.1.1:\n", "ADDRESS:PORT"},
        {"[iscsi]\nportals =\n", "at least 1"},
        {"[iscsi]\nportals = 0=127.0.0.1:1\n", "portal group|1 to 65535"},
        {"[iscsi]\nportals = 65536=127.0.0.1:1\n", "portal group|1 to 65535"},
        {"[iscsi]\nportals = 4294967297=127.0.0.1:1\n", "portal group|1 to 65535"},
        {"[iscsi]\nportals = 2=\n", "ADDRESS:PORT"},
        {"[iscsi]\nportals = =127.0.0.1:1\n", "portal group"},
        {"[iscsi]\nviews = iqn.a:b\n", "INITIATOR=LUNS"},
        {"[iscsi]\nviews = =changer\n", "INITIATOR=LUNS"},
        {"[iscsi]\nviews = host=changer\n", "iqn., eui. or naa."},
        {"[iscsi]\nviews = iqn.a:b=\n", "NAME=PART+PART"},
        {"[iscsi]\nviews = iqn.a:b=changer+\n", "NAME=PART+PART"},
        {"[iscsi]\nviews = iqn.a:b=changer drive:1\n", "INITIATOR=LUNS"},
        {"[iscsi]\nviews = iqn.a:b=nonesuch\n", "NAME=PART+PART"},
        {"[iscsi]\nviews = iqn.a:b=changerx\n", "joined by +"},
        {"[iscsi]\nviews = iqn.a:b=drive:255\n", "no so many drives"},
        {"[iscsi]\nviews = iqn.a:b=drive:3-1\n", "smaller number"},
        {"[iscsi]\nviews = iqn.a:b=drive:0-\n", "NAME=PART+PART"},
        {"[iscsi]\nviews = iqn.a:b=drive:99999999999\n", "no so many drives"},
        {"[iscsi]\nviews = iqn.a:b=99999999999@drive:0\n", "no so many LUNs"},
        {"[iscsi]\nviews = iqn.a:b=257@changer\n", "no so many LUNs"},
        {"[iscsi]\nviews = iqn.a:b=250@drive:0-20\n", "no so many LUNs"},
        {"[iscsi]\nviews = iqn.a:b=1@changer+drive:0\n", "a LUN stands twice"},
        {"[iscsi]\nviews = iqn.a:b=drive:0+5@drive:0\n", "a unit stands twice"},
        {"[iscsi]\nviews = iqn.a:b=all+changer\n", "twice"},
        {"[iscsi]\nredirect = elsewhere\n", "ADDRESS:PORT"},
        {"[iscsi]\nredirect = 192.0.2.7:0\n", "ADDRESS:PORT"},
        {"[iscsi]\nredirect = 192.0.2.7:3260,1\n", "ADDRESS:PORT"},
        {"[iscsi]\ninitiators = a b\n", "iqn., eui. or naa."},
        {"[iscsi]\ninitiators = iqn.a:b*c\n", "may end in '*'"},
        {"[chap]\ndiscovery = maybe\n", "yes or no"},
        {"[library\nserial = ABCD\n", "line 1|neither [section]"},
        {"[library]\nno value here\n", "line 2|neither [section]"},
        {"[library]\nname = a\001b\n", "line 2|control character"},
        {"[iscsi]\ntarget = iqn.x:y\n", "[library] serial is missing"},
        {"[library]\nserial = ABCD\n", "[iscsi] target is missing"},
        {"", "serial is missing"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        /* fmemopen() takes no empty buffer. */
        const char *text = *cases[i].text ? cases[i].text : "\n";

        parse_bad(text, strlen(text), cases[i].words);
    }
    parse_bad("[library]\nname = a\0b\n", 21, "line 2|control character");
}

/* A line of 10 MiB is refused after its first 200 bytes; and a file without end is, too. */
static void test_long(void)
{
    size_t len = 10u << 20;
    char *text = malloc(len + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'a', len);
    memcpy(text, "[library]\nname = ", 17);
    parse_bad(text, len, "line 2|longer than 198 bytes|name = ");
    for (size_t i = 0; i < len; i++)
        text[i] = i % 100 == 99 ? '\n' : i % 100 == 0 ? '#' : 'x';
    parse_bad(text, len, "larger than 1 MiB");
    free(text);
}

static void test_many_items(void)
{
    char text[8192] = GOOD "portals = ";

    for (int i = 0; i < 17; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s127.0.0.1:%d\n",
                 i ? "    " : "", i);
    parse_bad(text, strlen(text), "line 21|at most 16");
}

/* What config_write() writes is what config_load() reads, whatever the values. */
static void test_round_trip(void)
{
    char root[] = "/tmp/test_config.XXXXXX", path[80];
    struct config *c = NULL, *back = NULL;
    struct error err = ERROR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    CHECK_OK(config_default(root, &c, &err), err);
    CHECK_OK(config_set(c, "library", "serial", "ROUND00001", &err), err);
    CHECK_OK(config_set(c, "library", "slots", "77", &err), err);
    CHECK_OK(config_set(c, "iscsi", "target", "iqn.2026-11.capstan:round", &err), err);
    CHECK_OK(config_set(c, "iscsi", "portals", "127.0.0.1:1,127.0.0.1:2", &err), err);
    CHECK_FAILS(config_set(c, "library", "name", "a\n[chap]\nuser = evil", &err), ERR_RANGE, err);
    CHECK_OK(config_write(c, &err), err);
    CHECK_FAILS(config_write(c, &err), ERR_EXISTS, err);
    CHECK_OK(config_load(root, &back, &err), err);
    CU_ASSERT_STRING_EQUAL(back->serial, "ROUND00001");
    CU_ASSERT_EQUAL(back->slots, 77);
    CU_ASSERT_EQUAL(back->portals.count, 2);
    CU_ASSERT_STRING_EQUAL(back->portals.item[1], "127.0.0.1:2");
    config_free(back);
    config_free(c);
    snprintf(path, sizeof(path), "%s/capstan.conf", root);
    unlink(path);
    CHECK_FAILS(config_load(root, &back, &err), ERR_NOT_FOUND, err);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CHECK_FAILS(config_load(root, &back, &err), ERR_FORMAT, err); /* and does not hang */
    unlink(path);
    rmdir(root);
}

static void write_secret(const char *root, const char *name, const char *text, size_t len,
                         mode_t mode)
{
    char path[120];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
    CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
    close(fd);
}

static void test_secrets(void)
{
    static const char chap[] = GOOD "[chap]\nuser = u\nsecret_file = s\nmutual_user = m\n"
                                    "mutual_secret_file = t\n";
    static const struct {
        const char *text;
        size_t len;
        mode_t mode;
        enum error_code code;
    } cases[] = {
        {"123456789012\n", 13, 0644, ERR_PERMISSION}, {"123456789012\n", 13, 0620, ERR_PERMISSION},
        {"12345678901\n", 12, 0600, ERR_RANGE},       {"", 0, 0600, ERR_RANGE},
        {"1234567\0009012\n", 13, 0600, ERR_RANGE},   {"123456\n890123\n", 14, 0600, ERR_RANGE},
        {"abcdefghijkl", 12, 0600, ERR_USAGE}, /* the same as the other direction's */
        {"123456789012\r\n", 14, 0600, ERR_NONE},     {"123456789012", 12, 0400, ERR_NONE},
    };
    char root[] = "/tmp/test_config.XXXXXX", path[80], big[300];
    struct error err = ERROR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    write_secret(root, "t", "abcdefghijkl\n", 13, 0600);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct config *c = parse_good(chap);

        free(c->root);
        c->root = strdup(root);
        write_secret(root, "s", cases[i].text, cases[i].len, cases[i].mode);
        err.message[0] = '\0';
        if (cases[i].code == ERR_NONE) {
            CHECK_OK(config_load_secrets(c, &err), err);
            CU_ASSERT_STRING_EQUAL(c->secret, "123456789012");
            CU_ASSERT_STRING_EQUAL(c->mutual_secret, "abcdefghijkl");
        } else {
            CHECK_FAILS(config_load_secrets(c, &err), cases[i].code, err);
            CU_ASSERT_PTR_NULL(strstr(err.message, "1234567")); /* never in a message */
        }
        config_free(c);
    }
    {
        struct config *c = parse_good(chap);

        free(c->root);
        c->root = strdup(root);
        memset(big, 'x', sizeof(big));
        write_secret(root, "s", big, sizeof(big), 0600);
        CHECK_FAILS(config_load_secrets(c, &err), ERR_RANGE, err);
        snprintf(path, sizeof(path), "%s/s", root);
        unlink(path);
        CHECK_FAILS(config_load_secrets(c, &err), ERR_NOT_FOUND, err);
        config_free(c);
    }
    snprintf(path, sizeof(path), "%s/t", root);
    unlink(path);
    rmdir(root);
}

static void test_chap_incomplete(void)
{
    static const char *const cases[] = {
        GOOD "[chap]\nuser = u\n",
        GOOD "[chap]\nsecret_file = s\n",
        GOOD "[chap]\nuser = u\nsecret_file = s\nmutual_user = m\n",
        GOOD "[chap]\ndiscovery = yes\n",
    };
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct config *c = parse_good(cases[i]);

        CHECK_FAILS(config_load_secrets(c, &err), ERR_USAGE, err);
        config_free(c);
    }
}

static const struct check_test tests[] = {
    {"defaults", test_defaults},
    {"everything", test_everything},
    {"groups_and_views", test_groups_and_views},
    {"example", test_example},
    {"refused", test_refused},
    {"long", test_long},
    {"many_items", test_many_items},
    {"round_trip", test_round_trip},
    {"secrets", test_secrets},
    {"chap_incomplete", test_chap_incomplete},
};

CHECK_MAIN("config", tests)
