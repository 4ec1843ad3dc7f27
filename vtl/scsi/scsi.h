/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scsi.h - the SCSI target: tasks in; status, sense and data out.
 *
 * A target holds logical units: LUN 0 is the medium changer, LUN 1 .. n are the drives 0 .. n-1,
 * and LUN n+1 may be a disk in memory for test tools.
 *
 * A transport (iSCSI, TCMU) makes a nexus per initiator session, fills a task and submits it; the
 * logical unit's own thread executes tasks in order and calls task->done.  Nothing here knows a
 * transport.
 *
 * Unit attentions, reservations and prevent flags are per nexus (SAM-6 section 5.14).  INQUIRY,
 * REPORT LUNS and REQUEST SENSE are answered as SPC-5 section 5.1 says, also on a LUN that does
 * not exist (peripheral qualifier 3).
 *
 * Thread rule: any thread may call; task->done is called once for each submitted task, on a thread
 * of the target or of whoever submits it or manages it (aborted, queue full), possibly before
 * scsi_target_submit() has returned.  So call none of these functions with a lock held that done
 * takes.  done must not wait for the target: it hands the task on.
 */
#ifndef CAPSTAN_VTL_SCSI_SCSI_H
#define CAPSTAN_VTL_SCSI_SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/library/library.h"
#include "vtl/personality/personality.h"

#define SCSI_SENSE_MAX 252
#define SCSI_CDB_MAX   260

enum scsi_status { /* SAM-6 table 43 */
                   SCSI_GOOD = 0x00,
                   SCSI_CHECK_CONDITION = 0x02,
                   SCSI_BUSY = 0x08,
                   SCSI_RESERVATION_CONFLICT = 0x18,
                   SCSI_TASK_SET_FULL = 0x28,
                   SCSI_TASK_ABORTED = 0x40,
};

struct scsi_target;
struct scsi_nexus;
struct scsi_lu;

struct scsi_task {
    /* filled in by the transport */
    struct scsi_nexus *nexus;
    uint8_t lun[8];            /* as on the wire, SAM-6 section 4.7 */
    uint8_t cdb[SCSI_CDB_MAX]; /* zero-padded behind cdb_len */
    size_t cdb_len;
    const uint8_t *out; /* data-out: out_len bytes have been received */
    size_t out_len;
    uint8_t *in; /* room for data-in: in_size bytes */
    size_t in_size;
    uint64_t tag; /* for task management; unique per nexus while in flight */
    void (*done)(struct scsi_task *task);
    void *transport; /* the transport's own */

    /* filled in by the target before done */
    uint8_t status;
    uint8_t sense[SCSI_SENSE_MAX];
    size_t sense_len;
    size_t in_len;     /* bytes of data-in that are valid: <= in_size */
    uint64_t in_want;  /* bytes the device had to return by the CDB; > in_size is an overflow */
    uint64_t out_want; /* bytes the CDB asked for; > out_len is an overflow, < an underflow */

    /* the target's own */
    struct scsi_task *next;
    struct scsi_lu *lu; /* that has it, whatever the nexus sees meanwhile */
    bool aborted;
    bool no_lu; /* the LUN does not exist */
};

/* What the units say they are.  NULL is PERSONALITY_DEFAULT_CHANGER, PERSONALITY_DEFAULT_DRIVE. */
struct scsi_models {
    const struct personality *changer;
    const struct personality *drives[LIBRARY_DRIVES_MAX];
};

/* Make the target over an open library, with one thread per logical unit.  The library stays the
 * caller's and must outlive it, and so do the personalities in models, which is copied itself;
 * models NULL: all are the default ones. */
int scsi_target_create(struct library *lib, const struct scsi_models *models,
                       struct scsi_target **out, struct error *err);

/* What the drives compress with while a host has compression on, which it is by default:
 * CARTRIDGE_LZ4 (the default), CARTRIDGE_ZSTD; CARTRIDGE_PLAIN stores every block as it is.  Before
 * the first nexus. */
void scsi_target_set_compression(struct scsi_target *target, enum cartridge_compression method);

/* Add a disk of mib MiB (1 .. SCSI_DISK_MIB_MAX) in memory behind the drives, for test tools; once,
 * before the first nexus.  ERR_NO_MEMORY. */
#define SCSI_DISK_MIB_MAX 64
int scsi_target_add_disk(struct scsi_target *target, unsigned mib, struct error *err);

/* Finish or abort what is queued, synchronise the drives, stop the threads and free.  All nexuses
 * must have been removed. */
void scsi_target_destroy(struct scsi_target *target);

unsigned scsi_target_lun_count(const struct scsi_target *target);

/* The target has this port: a relative target port identifier of 1..65535, and its name as a SCSI
 * name string ("iqn...,t,0x0001"), copied.  Before the first nexus; a target that is told of none
 * has a port 1 without a name.  ERR_RANGE: SCSI_PORTS_MAX there are; ERR_NO_MEMORY. */
#define SCSI_PORTS_MAX 16
int scsi_target_add_port(struct scsi_target *target, uint16_t id, const char *name,
                         struct error *err);

/* Which logical units a nexus sees: unit[lun] is the number that the target itself has for what is
 * at this LUN (0: the changer, n + 1: drive n, behind the drives the disk); SCSI_NO_UNIT: nothing.
 * A unit that is not there yet appears when it does. */
#define SCSI_LUNS_MAX (1 + LIBRARY_DRIVES_MAX + 1)
#define SCSI_NO_UNIT  0xffff
struct scsi_view {
    uint16_t unit[SCSI_LUNS_MAX];
};

/* A new I_T nexus: name is the initiator port's name ("iqn...,i,0x..."), copied.  Every logical
 * unit holds a unit attention 29h/00h for it. */
int scsi_nexus_create(struct scsi_target *target, const char *name, struct scsi_nexus **out,
                      struct error *err);

/* The same by a certain target port and with a view of its own. */
struct scsi_nexus_options {
    const char *name;
    uint16_t port;                /* relative target port identifier; 0: 1 */
    const struct scsi_view *view; /* copied; NULL: all units under their own numbers */
    /* A unit has come or gone, or the view is another: the unit attention 3Fh/0Eh waits for the
     * initiator, and a transport may tell it at once (RFC 7143 section 11.9).  On any thread, with
     * locks of the target held: it is only to be noted.  Not any more once scsi_nexus_destroy() has
     * returned.  NULL: nobody. */
    void (*luns_changed)(void *ctx);
    void *ctx; /* of luns_changed */
};
int scsi_nexus_open(struct scsi_target *target, const struct scsi_nexus_options *options,
                    struct scsi_nexus **out, struct error *err);

/* Another view.  If it differs, the nexus is told so (3Fh/0Eh) on the lowest of its LUNs, and lets
 * go of RESERVE and PREVENT on units that it does not see any more; commands under way there end as
 * they would have. */
void scsi_nexus_set_view(struct scsi_nexus *nexus, const struct scsi_view *view);

/* Whether no unit is hidden from it: only then may it reset the target. */
bool scsi_nexus_sees_all(const struct scsi_nexus *nexus);

/* I_T nexus loss: tasks of the nexus are aborted (waits until none runs), its RESERVE(6) and
 * PREVENT are released; its registration and persistent reservation stay, for the next nexus of the
 * same name.  done() is called for each aborted task before this returns. */
void scsi_nexus_destroy(struct scsi_nexus *nexus);

/* Hand over a task; it belongs to the target until done is called. */
void scsi_target_submit(struct scsi_target *target, struct scsi_task *task);

/* As scsi_target_submit(), but a READ or WRITE of a unit that has nothing else to do is carried out
 * on the calling thread: for a transport that has nothing else to do meanwhile. */
void scsi_target_run(struct scsi_target *target, struct scsi_task *task);

enum scsi_tmf { /* SAM-6 section 7 */
                SCSI_TMF_ABORT_TASK,
                SCSI_TMF_ABORT_TASK_SET,
                SCSI_TMF_CLEAR_TASK_SET,
                SCSI_TMF_LUN_RESET,
                SCSI_TMF_TARGET_RESET,
};
enum scsi_tmf_result {
    SCSI_TMF_COMPLETE,
    SCSI_TMF_NO_TASK,
    SCSI_TMF_NO_LUN,
    SCSI_TMF_REJECTED,
};

/* Carry out a task management function; done() of every task it aborts is called with
 * SCSI_TASK_ABORTED set in status (the transport drops the answer of tasks of the same nexus)
 * before this returns. tag: the task for ABORT_TASK.  A target reset of a nexus that does not see
 * all is rejected. */
enum scsi_tmf_result scsi_target_manage(struct scsi_target *target, struct scsi_nexus *nexus,
                                        enum scsi_tmf function, const uint8_t lun[8], uint64_t tag);

/* How many bytes of data-in / data-out the CDB asks for at most, so that a transport can bound its
 * buffers before it allocates: never more than CARTRIDGE_BLOCK_MAX rounded up for tape data and
 * READ ELEMENT STATUS, 64 KiB for other parameter data, 0 for an opcode that moves none. */
size_t scsi_cdb_transfer_bound(const uint8_t *cdb, size_t cdb_len);

/* Whether the CDB has status sent before its work is done (IMMED): it goes on in the background. */
bool scsi_cdb_is_immediate(const uint8_t *cdb);

/* The same for the unit that a nexus has at a LUN: a disk counts in blocks what a tape counts in
 * bytes. */
size_t scsi_nexus_transfer_bound(const struct scsi_nexus *nexus, const uint8_t lun[8],
                                 const uint8_t *cdb, size_t cdb_len);

/* ---- what the daemon and its operator see and do ------------------------------------------------
 */

struct scsi_drive_state {
    unsigned drive;
    bool loaded;  /* the medium is threaded and ready */
    bool present; /* a cartridge is in the drive, loaded or not */
    bool busy;    /* a command is running */
    bool prevented;
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    struct cartridge_position position; /* as of the last command */
    int64_t observed_ns;
    uint64_t bytes_read, bytes_written, commands;
};
int scsi_target_drive_state(struct scsi_target *target, unsigned drive,
                            struct scsi_drive_state *out, struct error *err);

/* The robot, as its last job left it. */
struct scsi_robot_state {
    bool moving; /* from `from` to `to`, since observed_ns */
    bool failed; /* the last job ended with a HARDWARE ERROR */
    uint16_t from, to;
    uint64_t moves, failures; /* since the start */
    int64_t observed_ns;      /* when it began or ended to be so; the start, if it had no job */
};
void scsi_target_robot_state(struct scsi_target *target, struct scsi_robot_state *out);

/* Whether the door of the import/export element at address is open, since when, and whether by a
 * command; they are shut at a start. */
struct scsi_door_state {
    bool open, commanded;
    int64_t since_ns;
};
void scsi_target_door_state(struct scsi_target *target, uint16_t address,
                            struct scsi_door_state *out);

/* What an operator at the library's panel does: move between any two elements, unloading a drive
 * that is the source first (ERR_BUSY if removal is prevented), raising the unit attentions that
 * hosts expect.  The changer's MOVE MEDIUM goes the same way. */
int scsi_target_move(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err);

/* A new drive in the lowest place that is free; *drive is its number.  Hosts are told that there
 * are other logical units (3Fh/0Eh); their sessions go on.  ERR_STATE: there is no room, or a test
 * disk has the LUN. */
int scsi_target_drive_add(struct scsi_target *target, unsigned *drive, struct error *err);

/* Take a drive out: its commands end with TASK ABORTED, its LUN is gone.  The last drive takes its
 * element with it; the element of another stays, without a drive (3Bh/1Ah).  ERR_NOT_FOUND;
 * ERR_STATE: a cartridge is in it. */
int scsi_target_drive_remove(struct scsi_target *target, unsigned drive, struct error *err);

/* What the eject button of a drive does: unload.  ERR_BUSY: a host prevents it. */
int scsi_target_drive_eject(struct scsi_target *target, unsigned drive, struct error *err);

/* Whether a host prevents the removal of cartridges through the import/export elements. */
bool scsi_target_prevented(struct scsi_target *target);

/* The library has more or fewer elements now (2Ah/01h: the page that says so has changed). */
void scsi_target_elements_changed(struct scsi_target *target);

/* A cartridge was made in an element from outside (28h/01h or 28h/00h to the changer's nexuses). */
void scsi_target_inventory_changed(struct scsi_target *target);

/* ---- a layer in front of the devices --------------------------------------------------------- */

/* What a command or a move is answered with instead of being done. */
struct scsi_failure {
    uint8_t key;   /* sense key */
    uint16_t code; /* ASC << 8 | ASCQ */
    const char *why;
};

/* Sits between the hosts and the devices, to disturb or to watch them; the devices know nothing of
 * it.  Members may be NULL.  They are called on the threads of the logical units, several at a
 * time. */
struct scsi_layer {
    void *ctx;
    /* Before a command of a LUN that exists runs; may wait, as long as !scsi_task_aborted().  True:
     * it does not run, *failure is its answer. */
    bool (*command)(void *ctx, unsigned lun, const struct scsi_task *task,
                    struct scsi_failure *failure);
    /* How many milliseconds longer goes on what a command with IMMED, which `command` was asked
     * about, leaves to the background.  Meanwhile `command` is not asked. */
    unsigned (*background)(void *ctx, unsigned lun, const struct scsi_task *task);
    /* Before a cartridge is carried, for a host or an operator (task is NULL then). */
    bool (*move)(void *ctx, uint16_t from, uint16_t to, const struct scsi_task *task,
                 struct scsi_failure *failure);
    /* What is wrong with an element: an additional sense code for its descriptor, or 0. */
    uint16_t (*element)(void *ctx, const struct library_element *e);
};

/* layer must outlive the target; NULL: none.  At any time: commands under way may still see the
 * layer that was there before. */
void scsi_target_set_layer(struct scsi_target *target, const struct scsi_layer *layer);

/* Whether somebody waits for the task to end (aborted, reset). */
bool scsi_task_aborted(const struct scsi_task *task);

#endif
