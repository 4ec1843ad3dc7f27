/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - see device.h: names, descriptors, sessions. */
#include "preload/device.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "preload/preload.h"

#define FDS_MAX    4096
#define SECRET_MAX 255
#define ST_MAJOR   9
#define SG_MAJOR   21
#define NOT_REWIND 128 /* in st's minor number */
#define SLOT(d)                                                                                    \
    ((uint16_t)((unsigned)(d).kind << 12 | (unsigned)(d).access << 10 | (d).mode << 8 | (d).lun))
#define SLOT_KIND(s) ((enum device_kind)((s) >> 12))
#define SLOT_DEVICE(s)                                                                             \
    ((struct device){.kind = SLOT_KIND(s),                                                         \
                     .access = (s) >> 10 & O_ACCMODE,                                              \
                     .mode = (s) >> 8 & 3,                                                         \
                     .lun = (s)&0xff})

static _Atomic uint16_t slots[FDS_MAX]; /* by descriptor: SLOT(), 0 for none of ours */

/* Set up once, before the program runs. */
static struct {
    bool active;
    const char *url; /* HOST:PORT/TARGET */
    const char *run; /* ROOT/run */
    unsigned drives;
    _Atomic pid_t owner; /* the process that the sessions belong to */
    struct unit units[UNITS_MAX];
} house;

static __thread struct unit *logging_in; /* the unit whose session this thread makes */

/* ---- names ------------------------------------------------------------------------------- */

static const struct {
    const char *prefix;
    enum device_kind kind;
    unsigned first; /* the LUN of number 0 */
} names[] = {
    {"/dev/sg", DEVICE_SG, 0},
    {"/dev/nst", DEVICE_NST, 1},
    {"/dev/st", DEVICE_ST, 1},
};

/* The letters behind the names of tapes: /dev/nst0l and so on.  4: no such mode. */
static unsigned mode_of(const char *letter, enum device_kind kind)
{
    static const char letters[] = "lma";
    const char *found = *letter ? strchr(letters, *letter) : NULL;

    if (!*letter)
        return 0;
    return kind != DEVICE_SG && found && !letter[1] ? (unsigned)(found - letters) + 1 : 4;
}

/* The other names of a descriptor: to open them is to open its device once more. */
static struct device device_of_link(const char *path)
{
    static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    for (int fd = 0; fd < 3; fd++)
        if (strcmp(path, standard[fd]) == 0)
            return device_of_fd(fd);
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        const char *digits = path + strlen(folders[i]);

        if (strncmp(path, folders[i], strlen(folders[i])) == 0 && *digits && strlen(digits) < 6 &&
            digits[strspn(digits, "0123456789")] == '\0')
            return device_of_fd((int)strtoul(digits, NULL, 10));
    }
    return (struct device){.kind = DEVICE_NONE};
}

struct device device_of_path(const char *path)
{
    struct device device = device_of_name(path);

    if (device.kind || !house.active || !path || path[0] != '/' ||
        (path[1] != 'd' && path[1] != 'p'))
        return device;
    return device_of_link(path);
}

struct device device_of_name(const char *path)
{
    if (!house.active || !path || strncmp(path, "/dev/", 5) != 0)
        return (struct device){.kind = DEVICE_NONE};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        size_t len = strlen(names[i].prefix);
        const char *digits = path + len;
        size_t number = strncmp(path, names[i].prefix, len) ? 0 : strspn(digits, "0123456789");
        unsigned lun, mode = number ? mode_of(digits + number, names[i].kind) : 4;

        if (mode > 3)
            continue;
        lun = (unsigned)strtoul(digits, NULL, 10);
        lun =
            number <= 3 && lun + names[i].first <= house.drives ? lun + names[i].first : UINT32_MAX;
        return (struct device){.kind = names[i].kind, .lun = lun, .mode = mode};
    }
    return (struct device){.kind = DEVICE_NONE};
}

/* Of the running kernel's st.c: bits above the fifth lie above those for mode and rewind. */
static unsigned st_minor(unsigned drive)
{
    return (drive & 31) | (drive & ~31u) << 3;
}

void device_stat(struct device device, struct stat *st)
{
    unsigned drive = device.lun - 1;

    *st = (struct stat){.st_mode = S_IFCHR | 0600,
                        .st_nlink = 1,
                        .st_uid = geteuid(),
                        .st_gid = getegid(),
                        .st_blksize = 4096,
                        .st_ino = 1000u * ((unsigned)device.kind + 8 * device.mode) + device.lun};
    if (device.kind == DEVICE_SG)
        st->st_rdev = makedev(SG_MAJOR, device.lun);
    else
        st->st_rdev =
            makedev(ST_MAJOR, st_minor(drive) + (device.kind == DEVICE_NST ? NOT_REWIND : 0) +
                                  device.mode * 32);
}

/* ---- descriptors ------------------------------------------------------------------------- */

static void lock_path(unsigned lun, char *path, size_t size)
{
    snprintf(path, size, "%s/drive-%u.lock", house.run, lun - 1);
}

int device_open_lock(unsigned lun, int flags)
{
    char path[4200];

    lock_path(lun, path, sizeof(path));
    return open(path, flags | O_CREAT | O_NOFOLLOW, 0600);
}

int device_open_sg(int flags)
{
    return open(house.run, O_RDONLY | O_DIRECTORY | (flags & O_CLOEXEC));
}

/* What a descriptor of the device is an open file of. */
static bool device_behind(struct device device, struct stat *st)
{
    char path[4200];

    if (device.kind == DEVICE_SG)
        return preload_stat(house.run, st) == 0;
    lock_path(device.lun, path, sizeof(path));
    return preload_stat(path, st) == 0;
}

struct device device_of_fd(int fd)
{
    struct device device = {.kind = DEVICE_NONE};
    struct stat is, should;
    int saved = errno;
    uint16_t slot;

    if (fd < 0 || fd >= FDS_MAX || !(slot = atomic_load(&slots[fd])))
        return device;
    device = SLOT_DEVICE(slot);
    if (preload_fstat(fd, &is) != 0 || !device_behind(device, &should) ||
        is.st_ino != should.st_ino || is.st_dev != should.st_dev) {
        atomic_store(&slots[fd], 0); /* closed and made anew behind our back */
        device.kind = DEVICE_NONE;
    }
    errno = saved;
    return device;
}

int device_note(int fd, struct device device)
{
    if (fd >= FDS_MAX) {
        errno = EMFILE;
        return -1;
    }
    atomic_store(&slots[fd], SLOT(device));
    return 0;
}

void device_forget(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        atomic_store(&slots[fd], 0);
}

void device_copied(int from, int to)
{
    if (from >= 0 && from < FDS_MAX && to >= 0 && to < FDS_MAX)
        atomic_store(&slots[to], atomic_load(&slots[from]));
}

void device_close_between(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd < FDS_MAX && fd <= last; fd++)
        if (device_of_fd((int)fd).kind)
            close((int)fd);
}

void device_close_all(bool tapes[UNITS_MAX])
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        struct device device = device_of_fd(fd);

        if (device.kind == DEVICE_NONE)
            continue;
        device_forget(fd);
        preload_close(fd);
        if (device.kind != DEVICE_SG)
            tapes[device.lun] = true;
    }
}

off_t device_offset(struct device device)
{
    return PRELOAD_OFFSET +
           (off_t)((device.kind == DEVICE_ST) | (unsigned)device.access << 1 | device.mode << 3);
}

static void adopt_tape(int fd, unsigned lun)
{
    off_t what = preload_lseek(fd, 0, SEEK_CUR) - PRELOAD_OFFSET;

    if (what >= 0 && what < 32)
        device_note(fd, (struct device){.kind = what & 1 ? DEVICE_ST : DEVICE_NST,
                                        .lun = lun,
                                        .access = what >> 1 & O_ACCMODE,
                                        .mode = (unsigned)what >> 3});
}

/* Lock files that a shell opened for us before exec: the offset says which kind (st.c). */
static void adopt(void)
{
    for (int fd = 0; fd < 256; fd++) {
        char link[32], path[4200], *end;
        size_t len = strlen(house.run);
        ssize_t n;
        unsigned long drive;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n <= 0)
            continue;
        path[n] = '\0';
        if (strncmp(path, house.run, len) != 0 || strncmp(path + len, "/drive-", 7) != 0)
            continue;
        drive = strtoul(path + len + 7, &end, 10);
        if (strcmp(end, ".lock") == 0 && drive < house.drives)
            adopt_tape(fd, (unsigned)drive + 1);
    }
}

/* ---- sessions ---------------------------------------------------------------------------- */

/* In a child: the sessions, and perhaps held locks, are the parent's. */
static void forked(void)
{
    house.owner = getpid();
    for (unsigned i = 0; i <= house.drives; i++) {
        struct unit *unit = &house.units[i];

        pthread_mutex_init(&unit->lock, NULL);
        if (unit->session && unit->socket >= 0)
            preload_close(unit->socket);
        unit->session =
            NULL; /* its memory stays: its lock may be held by a thread that is not here */
        unit->socket = -1;
        port_drop(&unit->port, house.run, i);
        unit->checked = false;
        unit->rest_len = 0;
    }
}

/* dump(8) makes its children by a clone() of its own, past pthread_atfork(). */
struct unit *device_unit(unsigned lun)
{
    if (house.owner != getpid())
        forked();
    return &house.units[lun];
}

/* ---- the lock ---------------------------------------------------------------------------- */

/* All but those that tell of an error of this very thread. */
static void signals_hold(sigset_t *before, int *cancellation)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        sigdelset(&all, own[i]);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, cancellation);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static void signals_release(const sigset_t *before, int cancellation)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
    pthread_setcancelstate(cancellation, NULL);
}

static bool unit_take(struct unit *unit, bool waits)
{
    sigset_t before;
    int cancellation;

    signals_hold(&before, &cancellation);
    if ((waits ? pthread_mutex_lock(&unit->lock) : pthread_mutex_trylock(&unit->lock)) != 0) {
        signals_release(&before, cancellation);
        return false;
    }
    unit->signals = before;
    unit->cancellation = cancellation;
    return true;
}

void unit_lock(struct unit *unit)
{
    (void)unit_take(unit, true);
}

bool unit_trylock(struct unit *unit)
{
    return unit_take(unit, false);
}

void unit_unlock(struct unit *unit)
{
    sigset_t before = unit->signals;
    int cancellation = unit->cancellation;

    pthread_mutex_unlock(&unit->lock);
    signals_release(&before, cancellation);
}

/* ---- logging in -------------------------------------------------------------------------- */

int device_socket_type(int type)
{
    return logging_in ? type | SOCK_CLOEXEC : type;
}

int device_socket_made(int fd)
{
    if (!logging_in)
        return fd;
    logging_in->socket = preload_fd_aside(fd);
    return logging_in->socket;
}

/* The one line of a secret file; `capstan exec` has checked it. */
static bool secret_read(const char *variable, char secret[SECRET_MAX + 2])
{
    const char *path = getenv(variable);
    CLEANUP_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd < 0 ? -1 : read(fd, secret, SECRET_MAX + 1);

    if (len < 0)
        return false;
    secret[len] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    return true;
}

/* As -errno: what the error of a session means to a program that knows st and sg. */
static int login(struct unit *unit)
{
    char url[600], secret[SECRET_MAX + 2] = "", mutual[SECRET_MAX + 2] = "";
    struct tape_login who = {.initiator = getenv(PRELOAD_INITIATOR),
                             .user = getenv(PRELOAD_USER),
                             .mutual_user = getenv(PRELOAD_MUTUAL_USER),
                             .port_group = unit->lun,
                             .secret = secret,
                             .mutual_secret = mutual};
    sigset_t all, before;
    int rc = -ERR_AUTH;

    if ((who.user && !secret_read(PRELOAD_SECRET, secret)) ||
        (who.mutual_user && !secret_read(PRELOAD_MUTUAL_SECRET, mutual)))
        return -ENXIO;
    snprintf(url, sizeof(url), "%s/%u", house.url, unit->lun);
    port_take(&unit->port, house.run, unit->lun);
    who.port = unit->port.number;
    sigfillset(&all); /* the program's signals are not for the session's own thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    logging_in = unit;
    rc = session_open(url, &who, &unit->session, NULL);
    logging_in = NULL;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(mutual, sizeof(mutual));
    if (rc) {
        unit->session = NULL;
        device_logout(unit);
        return -ENXIO;
    }
    /* What a new session is told at first (29h, 3Fh) is not for programs: the kernel keeps it, too.
     */
    session_ready(unit->session, NULL);
    return 0;
}

void device_logout(struct unit *unit)
{
    session_close(unit->session);
    unit->session = NULL;
    unit->socket = -1;
    port_drop(&unit->port, house.run, unit->lun);
}

int device_session(struct unit *unit)
{
    return unit->session ? 0 : login(unit);
}

bool device_active(void)
{
    return house.active;
}

__attribute__((constructor)) static void start(void)
{
    const char *drives = getenv(PRELOAD_DRIVES);

    house.url = getenv(PRELOAD_URL);
    house.run = getenv(PRELOAD_RUN);
    if (!house.url || !house.run || !drives || strlen(house.run) > 4096)
        return;
    house.url = strdup(house.url); /* the program may change its environment */
    house.run = strdup(house.run);
    house.drives = (unsigned)strtoul(drives, NULL, 10);
    if (!house.url || !house.run || house.drives >= UNITS_MAX)
        return;
    for (unsigned i = 0; i < UNITS_MAX; i++) {
        pthread_mutex_init(&house.units[i].lock, NULL);
        house.units[i].lun = i;
        house.units[i].socket = -1;
        house.units[i].port.fd = -1;
    }
    house.owner = getpid();
    pthread_atfork(NULL, NULL, forked);
    house.active = true;
    adopt();
    preload_streams();
}
