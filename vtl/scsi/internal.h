/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of vtl/scsi share: logical units, nexuses, opcode tables.
 *
 * A task's way: scsi_target_submit() finds the logical unit and appends the task to its queue
 * (lu.c); the unit's thread takes it, and dispatch.c checks unit attentions, reservations, the CDB
 * and the medium as the opcode's row says, and calls its handler; lu.c calls done.
 *
 * Locks, in this order (a holder of a later one takes no earlier one):
 *   1. lu->device    held while a command of the unit runs: medium, mode pages, counters.  The
 *                    changer, holding its own, takes a drive's to unload it; never the reverse.
 *   2. target->lock  nexuses: unit attentions, reservations, prevent flags.
 *   3. lu->lock      the queue, what runs, the published state.
 * The library's lock lies inside of all of them.
 */
#ifndef CAPSTAN_VTL_SCSI_INTERNAL_H
#define CAPSTAN_VTL_SCSI_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/personality/personality.h"
#include "vtl/scsi/reply.h"
#include "vtl/scsi/reserve.h"
#include "vtl/scsi/scsi.h"
#include "vtl/scsi/sense.h"

#define NEXUS_ATTENTIONS_MAX 16            /* as many as there are different ones */
#define TARGET_LUNS          SCSI_LUNS_MAX /* changer, drives, test disk */
#define LU_QUEUE_MAX         4096
#define SERIAL_MAX           PERSONALITY_SERIAL_MAX
#define ECHO_MAX             4096

struct scsi_lu;
struct drive;
struct changer;
struct disk;

/* ---- opcodes --------------------------------------------------------------------------------- */

enum opcode_flag {
    OP_NO_ATTENTION = 1 << 0, /* runs in spite of a unit attention, which stays (SPC-5 5.1) */
    OP_SHARED = 1 << 1, /* runs in spite of another's RESERVE (SPC-2 table 9, SSC-2 table 5) */
    OP_MEDIUM = 1 << 2, /* needs a loaded medium */
    OP_SYNC = 1 << 3,   /* synchronises buffered writes first (SSC-5 4.2.16) */
    /* In spite of another's persistent reservation (as SPC-5, SSC-5 and SMC-3 list them): */
    OP_PR_ANY = 1 << 4,  /* of any type */
    OP_PR_READ = 1 << 5, /* of a write exclusive type */
    OP_QUICK = 1 << 6,   /* neither moves the tape nor waits for a sync, as a rule: see lu.c */
    OP_FREE = OP_SHARED | OP_PR_ANY, /* no reservation stops it */
    OP_ALWAYS = OP_FREE | OP_NO_ATTENTION,
};

#define NO_SERVICE_ACTION (-1)

/* One command: its row answers REPORT SUPPORTED OPERATION CODES and checks the CDB. */
struct opcode {
    uint8_t code;
    int16_t service_action; /* in byte 1 bits 4..0 */
    uint8_t length;         /* of the CDB */
    unsigned flags;
    const char *name;
    uint8_t usage[16]; /* CDB usage data (SPC-5 6.36.3) from byte 1 on: the bits that we look at */
    uint16_t seconds;  /* recommended command time-out; a tenth of it is the nominal time */
    void (*run)(struct scsi_lu *lu, struct scsi_task *task);
};

const struct opcode *opcode_find(const struct scsi_lu *lu, const uint8_t *cdb);
bool opcode_has_actions(const struct scsi_lu *lu, uint8_t code);

/* ---- kinds of logical unit ------------------------------------------------------------------- */

/*
 * A mode page.  Its current values live in lu->mode, by row; what a host saves (SP) is the
 * changeable bits of every page that is not `unsaved`, and comes back at start and after a reset.
 * Rows may be written with designated initializers; what is left out is "no".
 */
struct mode_page {
    uint8_t code, subcode;
    uint8_t size;              /* whole page with its header */
    const uint8_t *initial;    /* size bytes, header included */
    const uint8_t *changeable; /* size bytes: bits that MODE SELECT may change; NULL: none */
    /* Fill in what is not a constant. */
    void (*refresh)(struct scsi_lu *lu, uint8_t *page);
    /* Before new values are taken, each bit being changeable: 0, or the byte of the page that holds
     * what can't be done (26h/00h).  Must change nothing: another page of the list may be bad. */
    unsigned (*check)(struct scsi_lu *lu, const uint8_t *page);
    /* Behind check: the same meaning has the same values, so that no change is told that is none.
     */
    void (*settle)(uint8_t *page);
    /* The new values are the current ones, which it may amend. */
    void (*changed)(struct scsi_lu *lu, uint8_t *page);
    bool unsaved; /* the page is of the medium or the moment: SP leaves it out */
    /* Its length varies: size is the most, refresh says in byte 1 what it is now, and MODE SELECT
     * may bring any from 8 bytes on; what is not brought is 0. */
    bool variable;
};

#define MODE_PAGES_MAX 32
#define MODE_PAGE_MAX  64

/* A LOG SENSE under way: what builders put parameters into. */
struct log_reply {
    struct scsi_lu *lu;
    struct scsi_nexus *nexus;
    uint8_t page, subpage;
    uint8_t control; /* PC */
    uint16_t first;  /* parameter pointer: lower codes are left out */
    struct reply *r;
    struct log_found *found; /* log.h: of walks that look for something */
};

/*
 * A log page: builders put its parameters in rising order of their codes, with the functions below.
 * Values come from what the unit counts and are never written to: what a host sets or resets is a
 * difference that the page has from them (log_adjust.c).
 */
struct log_page {
    uint8_t code, subcode;
    void (*build)(struct log_reply *l);
    bool fixed; /* LOG SELECT sets nothing on it: lifetime counters, states */
    void (*reset)(struct scsi_lu *lu); /* what a reset does to values that are no counters */
};

struct vpd_page {
    uint8_t code;
    void (*build)(struct scsi_lu *lu, struct reply *r);
};

/* Work in the background: when it is to be done. */
enum chores {
    CHORES_NONE,
    CHORES_LATER, /* when there was no command for a second */
    CHORES_NOW,   /* before the next command */
};

struct lu_kind {
    const struct opcode *opcodes;
    size_t opcode_count;
    const struct mode_page *mode_pages;
    size_t mode_page_count;
    const struct log_page *log_pages;
    size_t log_page_count;
    const struct vpd_page *vpd_pages;
    size_t vpd_page_count;
    /* All with lu->device held. */
    void (*refresh)(struct scsi_lu *lu); /* see what happened in the library */
    /* false, with the task's status set: the command must not run (deferred error, no medium). */
    bool (*admit)(struct scsi_lu *lu, struct scsi_task *task, const struct opcode *op);
    bool (*sense)(struct scsi_lu *lu, struct scsi_nexus *nexus, struct sense *s); /* not ready? */
    /* It goes on with a command whose status was sent: a layer in front of it has had its say. */
    bool (*occupied)(struct scsi_lu *lu);
    void (*publish)(struct scsi_lu *lu); /* copy the state for observers; with lu->lock held too */
    enum chores (*chores)(struct scsi_lu *lu); /* what is left to do; both or none */
    void (*do_chores)(struct scsi_lu *lu);
    /* After an answer, on the thread that gave it: prepare the next one; NULL: nothing. */
    void (*afterwards)(struct scsi_lu *lu);
    void (*reset)(struct scsi_lu *lu);
    void (*forget)(struct scsi_lu *lu, const struct scsi_nexus *nexus); /* it goes */
    bool saves; /* mode pages and log parameters, in the library */
    /* A command ends with CHECK CONDITION. */
    void (*failed)(struct scsi_lu *lu, const struct scsi_task *task, const struct sense *s);
    /* MODE parameter header; both NULL: no block descriptor either. */
    uint8_t (*medium_type)(struct scsi_lu *lu);
    uint8_t (*device_specific)(struct scsi_lu *lu);
};

/* An informational exception to be reported, or being so (alert.c). */
struct lu_exception {
    uint16_t code; /* 0: none */
    uint32_t reports;
    int64_t reported_ms;
};

/* ---- logical units --------------------------------------------------------------------------- */

/*
 * One queue, one thread.  A task is in exactly one of: the queue; running; done.
 *
 *   submit -> queued -> running -> done(status)
 *                |         +-----> done(TASK ABORTED)   the abort waits for it
 *                +---------------> done(TASK ABORTED)   never ran
 */
struct scsi_lu {
    struct scsi_target *target; /* NULL: there never was such a unit */
    _Atomic bool present;       /* it has a LUN now; without, it stays for who has seen it */
    unsigned lun;
    const struct lu_kind *kind;
    const struct personality *personality; /* what it says it is; of the target's models */
    char serial[SERIAL_MAX + 1];
    uint64_t naa; /* NAA 3h, locally assigned: of the unit; the port's is in the target */

    pthread_mutex_t device;
    uint8_t mode[MODE_PAGES_MAX][MODE_PAGE_MAX]; /* current values, by row of kind->mode_pages */
    struct sense last_sense;  /* of the last command that ended with CHECK CONDITION */
    uint64_t hardware_errors; /* commands that ended with HARDWARE ERROR: log page 06h */
    struct lu_exception exception;
    struct log_adjust *log_adjust; /* what hosts set of log parameters; the unit's (log_adjust.c) */
    uint32_t block_length;         /* of the block descriptor; 0: variable */
    bool buffered;
    int64_t clock_offset_ms; /* SET TIMESTAMP: to be added to the machine's time */
    bool clock_set;
    uint8_t echo[ECHO_MAX]; /* WRITE BUFFER, echo mode */
    size_t echo_len;
    const struct scsi_nexus *echo_owner; /* compared, never followed */
    uint8_t *data_buffer;                /* WRITE BUFFER, data mode; the unit's; NULL: never */
    struct drive *drive;                 /* one of the three is set */
    struct changer *changer;
    struct disk *disk;

    uint64_t alerts;                /* TapeAlert flags that are active; target->lock */
    struct scsi_nexus *reserved_by; /* RESERVE(6/10); target->lock */
    struct persistent persistent;   /* target->lock */
    bool persistent_kept;           /* the library has registrations of ours; target->lock */

    pthread_mutex_t lock;
    pthread_cond_t wake;     /* for the thread: work, stop */
    pthread_cond_t finished; /* a task was done */
    struct scsi_task *head, **tail;
    unsigned queued;
    struct scsi_task *running;
    _Atomic bool laborious; /* WRITE is work now: what came last was compressed or encrypted */
    bool ending; /* done() is being called; the task is the transport's again, so here is */
    struct scsi_task last; /* only who it was: nexus, tag, no_lu */
    uint64_t turns;        /* tasks whose done() has returned */
    bool stop;
    enum chores chores;
    struct scsi_drive_state state; /* published by drives */
    pthread_t thread;
    bool started; /* the thread: at the first command that needs it */
};

struct scsi_target {
    struct library *library;
    struct scsi_models models;        /* every entry is set */
    struct personality_set *defaults; /* owned: where those come from that its creator left open */
    uint64_t port_naa;                /* of the device, and of port 1 */
    struct scsi_port {                /* constant once there are nexuses */
        uint16_t id;
        char *name;
    } ports[SCSI_PORTS_MAX];
    unsigned port_count;                    /* 0: a port 1 without a name */
    uint64_t power_cycles, power_seconds;   /* with this start; before it (power.c) */
    struct timespec power_started;          /* CLOCK_MONOTONIC */
    enum cartridge_compression compression; /* of the drives; constant once there are nexuses */
    struct scsi_lu *lus;       /* TARGET_LUNS of them; what is not used costs no memory */
    _Atomic unsigned lu_count; /* LUNs below it may be present */
    pthread_mutex_t topology;  /* one drive comes or goes at a time; outside of all others */
    pthread_mutex_t lock;
    struct scsi_nexus *nexuses;
    const struct scsi_layer *_Atomic layer; /* in front of the devices; NULL: none */
};

/* What a logical unit holds for one nexus. */
struct nexus_lu {
    uint16_t attention[NEXUS_ATTENTIONS_MAX]; /* oldest first, no code twice */
    unsigned attentions;
    bool prevents;   /* PREVENT ALLOW MEDIUM REMOVAL */
    bool preempted;  /* by the PERSISTENT RESERVE OUT that runs; for the unit's thread */
    uint64_t alerts; /* TapeAlert flags not yet read, bit n-1 for flag n */
};

struct scsi_nexus {
    struct scsi_target *target;
    char *name;
    uint16_t port;                   /* relative target port identifier */
    void (*luns_changed)(void *ctx); /* with target->lock held; or NULL */
    void *ctx;
    struct scsi_nexus *next;
    _Atomic uint16_t units[TARGET_LUNS]; /* by LUN (view.c); changed under target->lock */
    struct nexus_lu lu[];                /* by the unit's own number */
};

/* ---- lu.c ------------------------------------------------------------------------------------ */

void lu_stop(struct scsi_lu *lu);
void lu_submit(struct scsi_lu *lu, struct scsi_task *task);

/* Run a quick command on this thread, done() with it; false: it must be submitted. */
bool lu_run_here(struct scsi_lu *lu, struct scsi_task *task);

/* Abort the tasks for which match is true, queued or running, and wait until each is done;
 * returns how many there were. */
unsigned lu_abort(struct scsi_lu *lu, bool (*match)(const struct scsi_task *task, const void *ctx),
                  const void *ctx);

/* Whether somebody waits for the running task to end: for handlers that may take long. */
bool lu_aborted(struct scsi_lu *lu, const struct scsi_task *task);

/* ---- lu_log.c -------------------------------------------------------------------------------- */

/* A line of the log about a unit: begins with its name and its serial number, as the libraries that
 * a daemon serves all have a drive 0. */
void lu_log(const struct scsi_lu *lu, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- view.c: what a nexus sees --------------------------------------------------------------- */

/* The number of a LUN as on the wire (SAM-6 4.7), or -1. */
int lun_number(const uint8_t lun[8]);
/* The unit that is there for this nexus, or NULL. */
struct scsi_lu *nexus_lu(const struct scsi_nexus *nexus, const uint8_t lun[8]);
struct scsi_lu *nexus_unit(const struct scsi_nexus *nexus, unsigned lun);
/* The LUN under which the nexus sees a unit, or -1. */
int nexus_lun(const struct scsi_nexus *nexus, const struct scsi_lu *lu);
/* A new nexus; NULL: all. */
void view_begin(struct scsi_nexus *nexus, const struct scsi_view *view);
/* Its LUNs are others now: a unit attention on the lowest, which is enough (SPC-5 6.33).  With
 * target->lock held. */
void view_tell(struct scsi_nexus *nexus);

/* Drive n, or NULL. */
struct scsi_lu *target_drive(struct scsi_target *target, unsigned drive);

/* ---- power.c: while the target is made and destroyed, else read only ------------------------- */

void power_start(struct scsi_target *target);
void power_save(struct scsi_target *target);
uint64_t power_hours(const struct scsi_target *target);

/* ---- dispatch.c ------------------------------------------------------------------------------ */

void dispatch(struct scsi_lu *lu, struct scsi_task *task);
void dispatch_no_lu(struct scsi_lu *lu, struct scsi_task *task);

/* ---- task.c: what handlers answer with ------------------------------------------------------- */

void task_check(struct scsi_lu *lu, struct scsi_task *task, const struct sense *s);
void task_fail(struct scsi_lu *lu, struct scsi_task *task, enum sense_key key, uint16_t code);
/* ILLEGAL REQUEST, invalid field in the CDB or in the parameter list; bit -1: the whole byte. */
void task_bad_cdb(struct scsi_lu *lu, struct scsi_task *task, unsigned byte, int bit);
void task_bad_list(struct scsi_lu *lu, struct scsi_task *task, unsigned byte, int bit);
/* Parameter data: begin with the allocation length, build, end. */
struct reply task_reply(struct scsi_task *task, uint64_t allocation);
void task_replied(struct scsi_task *task, const struct reply *r, uint64_t allocation);
/* The parameter list of want bytes is there (else false, with the task's status set). */
bool task_list(struct scsi_lu *lu, struct scsi_task *task, size_t want);

/* ---- nexus.c --------------------------------------------------------------------------------- */

/* A unit attention for every nexus but `except` (may be NULL). */
void attention_raise(struct scsi_lu *lu, uint16_t code, const struct scsi_nexus *except);
bool attention_take(struct scsi_lu *lu, struct scsi_nexus *nexus, bool resets_only, uint16_t *code);
/* The nexus knows of it already: none of its units has to say so any more. */
void attention_withdraw(struct scsi_nexus *nexus, uint16_t code);
/* A unit appears: every nexus finds it as after power on. */
void nexus_meet(struct scsi_lu *lu);
/* One for this nexus; with target->lock held. */
void attention_give(struct scsi_lu *lu, struct scsi_nexus *nexus, uint16_t code);
bool lu_prevented(struct scsi_lu *lu);
/* RESERVE, prevent flags and attentions go; persistent reservations stay. */
void nexus_reset(struct scsi_lu *lu);

/* ---- alert.c: TapeAlert (SSC-5 4.2.20) and informational exceptions (mode page 1Ch) ---------- */

void alert_raise(struct scsi_lu *lu, unsigned flag); /* flag 1..64: its condition has come up */
/* Conditions that have gone; flag n is bit n-1. */
void alert_clear(struct scsi_lu *lu, uint64_t flags);
uint64_t alert_active(struct scsi_lu *lu);
bool alert_supported(unsigned flag);
/* Flags that the nexus has not read; NULL (walks): none. */
uint64_t alert_unread(struct scsi_lu *lu, const struct scsi_nexus *nexus);

/* An informational exception that is to be told now: at the end of a command that was GOOD, or in
 * answer to REQUEST SENSE. */
bool exception_after(struct scsi_lu *lu, struct sense *s);
bool exception_on_request(struct scsi_lu *lu, struct sense *s);
/* Of mode page 1Ch: see struct mode_page. */
unsigned exceptions_check(struct scsi_lu *lu, const uint8_t *page);
void exceptions_changed(struct scsi_lu *lu, uint8_t *page);

#define ALERT_BIT(flag) ((uint64_t)1 << ((flag)-1))
/* Those that the mounting of another medium ends. */
#define ALERTS_OF_MEDIUM                                                                           \
    (ALERT_BIT(3) | ALERT_BIT(4) | ALERT_BIT(5) | ALERT_BIT(6) | ALERT_BIT(9) | ALERT_BIT(10) |    \
     ALERT_BIT(11) | ALERT_BIT(12) | ALERT_BIT(16) | ALERT_BIT(17) | ALERT_BIT(22) |               \
     ALERT_BIT(59) | ALERT_BIT(60))

/* Who may set the clock: byte 4 of mode page 0Ah/01h. */
enum { TIMESTAMP_TCMOS = 0x04, TIMESTAMP_SCSIP = 0x02 };

/* ---- commands of both kinds ------------------------------------------------------------------ */

void cmd_test_unit_ready(struct scsi_lu *lu, struct scsi_task *task);
void cmd_request_sense(struct scsi_lu *lu, struct scsi_task *task);
void cmd_inquiry(struct scsi_lu *lu, struct scsi_task *task);
void cmd_report_luns(struct scsi_lu *lu, struct scsi_task *task);
void cmd_report_opcodes(struct scsi_lu *lu, struct scsi_task *task);
void cmd_report_tmfs(struct scsi_lu *lu, struct scsi_task *task);
void cmd_prevent_allow(struct scsi_lu *lu, struct scsi_task *task);
void cmd_mode_sense(struct scsi_lu *lu, struct scsi_task *task);
void cmd_mode_select(struct scsi_lu *lu, struct scsi_task *task);
void cmd_log_sense(struct scsi_lu *lu, struct scsi_task *task);
void cmd_log_select(struct scsi_lu *lu, struct scsi_task *task);
void cmd_receive_diagnostic(struct scsi_lu *lu, struct scsi_task *task);
void cmd_send_diagnostic(struct scsi_lu *lu, struct scsi_task *task);
void cmd_write_buffer(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_buffer(struct scsi_lu *lu, struct scsi_task *task);
/* The unit's clock, ms since 1970, and its TIMESTAMP ORIGIN. */
int64_t lu_clock_ms(const struct scsi_lu *lu, uint8_t *origin);
void cmd_report_identifier(struct scsi_lu *lu, struct scsi_task *task);
void cmd_set_identifier(struct scsi_lu *lu, struct scsi_task *task);
void cmd_report_timestamp(struct scsi_lu *lu, struct scsi_task *task);
void cmd_set_timestamp(struct scsi_lu *lu, struct scsi_task *task);

void inquiry_no_lu(struct scsi_lu *lu, struct scsi_task *task);
void report_luns_any(struct scsi_lu *lu, struct scsi_task *task);

/* T10 vendor designator of a unit: vendor, product, serial (VPD 83h, READ ELEMENT STATUS). */
void reply_t10_designator(struct reply *r, const struct scsi_lu *lu);

/* ---- log.c: parameters of a log page, for builders ------------------------------------------- */

/* A data counter of 1 to 8 bytes: it has a threshold, and LOG SELECT may set and reset it. */
void log_counter(struct log_reply *l, unsigned code, uint64_t value, unsigned bytes);
/* A number that is no counter: a binary list parameter. */
void log_number(struct log_reply *l, unsigned code, uint64_t value, unsigned bytes);
/* A text, padded with spaces to width. */
void log_text(struct log_reply *l, unsigned code, const char *text, unsigned width);
/* Any other list parameter. */
void log_binary(struct log_reply *l, unsigned code, const uint8_t *data, unsigned len);

/* log_adjust.c: what was saved of the parameters; what was set, to be freed; thresholds, after a
 * command. */
int log_save(struct scsi_lu *lu, struct error *err);
void log_load(struct scsi_lu *lu);
void log_free(struct scsi_lu *lu);
void log_check(struct scsi_lu *lu);

void log_tape_alert(struct log_reply *l); /* page 2Eh */
void log_tape_alert_reset(struct scsi_lu *lu);
void log_tape_alert_response(struct log_reply *l); /* page 12h */

/* ---- mode.c, saved.c ------------------------------------------------------------------------- */

uint8_t lu_density(struct scsi_lu *lu); /* DENSITY CODE of the block descriptor */
/* Saved values, or the defaults, become the current ones. */
void mode_reset(struct scsi_lu *lu);
/* Keep the current values; ERR_IO and those of library_value_set(). */
int mode_save(struct scsi_lu *lu, struct error *err);
/* Whether the kind can save at all, and whether of this page: its PS bit. */
bool mode_saves(const struct scsi_lu *lu);
bool mode_page_saves(const struct scsi_lu *lu, const struct mode_page *page);
/* The current values of a page, or NULL. */
uint8_t *mode_page_values(struct scsi_lu *lu, uint8_t code, uint8_t subcode);
bool lu_descriptor_sense(struct scsi_lu *lu);

/* What a unit remembers in the library, by name: "mode" is "drive.0.mode" or "changer.mode".
 * As library_value_set() and _get(); a disk remembers nothing: ERR_NOT_FOUND. */
int lu_value_set(const struct scsi_lu *lu, const char *what, const void *bytes, size_t len,
                 struct error *err);
int lu_value_get(const struct scsi_lu *lu, const char *what, void *buf, size_t size, size_t *len,
                 struct error *err);

/* All that hosts have made it remember goes; what the unit has counted stays. */
void lu_values_forget(const struct scsi_lu *lu);

extern const struct lu_kind drive_kind, changer_kind, disk_kind;

#endif
