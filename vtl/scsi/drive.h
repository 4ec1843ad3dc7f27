/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive.h - a tape drive: the medium in it and what it remembers beside its mode pages.
 *
 * The medium:
 *
 *            cartridge appears          LOAD (HOLD=0)
 *    NONE ----------------------> READY <------------ HELD, EJECTED
 *      ^          |  can't be opened  |  UNLOAD            |
 *      |          v                   v                    |
 *      |        FAILED             EJECTED (HOLD=1: HELD)  |
 *      +---------------------------------------------------+  cartridge is moved away
 *
 * A cleaning cartridge is in CLEANING for a while, and then EJECTED; one that is used up is FAILED.
 * What goes on after the status of a command (IMMED) is a state beside this one:
 * drive_background.h.
 *
 * READY has an open cartridge, no other state has.  The drive learns what is in it from the
 * library: refresh compares the generation of its element before every command.
 *
 * Writing is buffered (SSC-5 4.2.16): GOOD for WRITE means "in the buffer".  What is buffered is
 * synchronised before any command that moves, reads or reports otherwise, after every
 * DRIVE_SYNC_BYTES, and when the drive was idle for a second.  If that fails, the blocks lost are
 * reported once, as a deferred error (71h), to the nexus that wrote; and WRITE is refused until the
 * host has positioned anew, so that commands already under way do not append behind the gap.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_H
#define CAPSTAN_VTL_SCSI_DRIVE_H

#include "vtl/scsi/drive_life.h"
#include "vtl/scsi/internal.h"

/* Below the window at which the cartridge itself would synchronise, within a WRITE: so it happens
 * between commands, while the initiator sends the next. */
#define DRIVE_SYNC_BYTES (24u * 1024 * 1024)

/* TapeAlert flags (SSC-5 annex A) that the medium raises. */
enum tape_alert {
    ALERT_HARD_ERROR = 3,
    ALERT_MEDIUM = 4,
    ALERT_READ_FAILURE = 5,
    ALERT_WRITE_FAILURE = 6,
    ALERT_WRITE_PROTECTED = 9,
    ALERT_REMOVAL_PREVENTED = 10,
    ALERT_CLEANING_MEDIUM = 11,
    ALERT_UNSUPPORTED_FORMAT = 12,
    ALERT_FORCED_EJECT = 16,
    ALERT_READ_ONLY_FORMAT = 17,
    ALERT_CLEANING_EXPIRED = 22,
    ALERT_CLEANING_INVALID = 23,
    ALERT_WORM_INTEGRITY = 59,
    ALERT_WORM_OVERWRITE = 60,
};

/* What ALLOW OVERWRITE has let pass (drive_protect.c). */
enum allow_overwrite { ALLOW_DISABLED, ALLOW_POSITION, ALLOW_FORMAT };

struct rao;
struct usage;

enum medium_state {
    MEDIUM_NONE,
    MEDIUM_READY,
    MEDIUM_HELD,
    MEDIUM_EJECTED,
    MEDIUM_FAILED,
    MEDIUM_CLEANING,
};

/* Since power on or LOG SELECT; what log pages 02h, 03h, 0Ch and 14h tell. */
struct drive_counters {
    uint64_t bytes_written, bytes_read;   /* as the host has them */
    uint64_t stored_written, stored_read; /* as they are on the medium */
    uint64_t write_errors, read_errors;
    uint64_t loads;
};

struct background;  /* drive_background.h */
struct drive_codec; /* drive_codec.h */
struct security;    /* security.h */

struct drive {
    unsigned number;
    uint16_t address;    /* of its element */
    uint64_t generation; /* of the element when it was last looked at */
    enum medium_state medium;
    uint16_t failure;       /* MEDIUM_FAILED: additional sense code */
    int64_t clean_until_ms; /* MEDIUM_CLEANING: monotonic time */
    bool try_again;         /* MEDIUM_FAILED: another process has the cartridge, it may let go */
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    struct store *store; /* MEDIUM_READY: the open cartridge and its store */
    struct cartridge *cartridge;
    bool written;               /* since it was loaded */
    bool change_read;           /* the volume change reference, since it last rose */
    struct usage *usage;        /* MEDIUM_READY: what the cartridge remembers */
    bool usage_dirty;           /* it has not been stored */
    struct rao *rao;            /* the last recommended access order, or NULL */
    enum allow_overwrite allow; /* for the next command at the position below */
    uint32_t allow_partition;
    uint64_t allow_lba;
    bool append_only;                /* as of the last command */
    bool recovering;                 /* blocks come from what was lost, not from the tape */
    bool write_blocked;              /* blocks were lost: no WRITE until the host positions */
    bool warned;                     /* early warning was reported since the last positioning */
    struct scsi_nexus *writer;       /* who wrote last; compared, never followed */
    bool deferred_pending;           /* a deferred error not yet reported ... */
    struct scsi_nexus *deferred_for; /* ... to this nexus; NULL: to whoever comes first */
    struct sense deferred;
    bool reading;                  /* the last command was a READ that got what it wanted */
    struct background *background; /* owned */
    struct drive_codec *codec;     /* owned */
    struct security *security;     /* owned */
    struct drive_counters counters;
    struct drive_counters compression_since; /* as they were when log page 1Bh or 32h was reset */
    uint64_t total_written, total_read;      /* never reset: for observers */
    uint64_t load_written, load_read;        /* the totals when the cartridge was loaded */
    uint64_t load_write_errors, load_read_errors; /* the counters then */
    struct drive_life life;
};

int drive_create(struct scsi_lu *lu, struct error *err);
void drive_destroy(struct scsi_lu *lu);

/* All below with lu->device held. */

/* As after power on: nothing is known of hosts and cartridges. */
void drive_forget_all(struct scsi_lu *lu);

void drive_refresh(struct scsi_lu *lu);

/* Make what is buffered durable.  False: blocks were lost, *s says what the host must be told. */
bool drive_sync(struct scsi_lu *lu, struct sense *s);

/* The same for a command: on failure its status is set to the deferred error. */
bool drive_flush(struct scsi_lu *lu, struct scsi_task *task);

/* Synchronise, close the cartridge and go to state after (EJECTED or HELD).  On failure the lost
 * blocks are left as a deferred error, and the medium is unloaded all the same; returns false. */
bool drive_unload(struct scsi_lu *lu, enum medium_state after);

/* Whether the medium may be written at the position, or formatted; else the task's status is set.
 * A command that changes the medium asks once, just before it does (drive_protect.c). */
bool drive_may_write(struct scsi_lu *lu, struct scsi_task *task);
bool drive_may_format(struct scsi_lu *lu, struct scsi_task *task);

/* What ALLOW OVERWRITE let pass ends: now; or, before each command, if the one before moved the
 * medium. */
void drive_disallow(struct drive *d);
void drive_settle_allow(struct scsi_lu *lu);

/* The partitions of the medium (drive_partition.c). */
void drive_partition_tell(struct cartridge *c, uint32_t partition, struct cartridge_position *pos);
uint64_t drive_partition_remaining(struct cartridge *c, uint32_t partition);
bool drive_is_blank(const struct drive *d); /* nothing is written in any of them */

/* How long an attribute of a partition is; 0 if it is not there. */
size_t drive_attribute_size(const struct cartridge *c, uint32_t partition, uint16_t id);

void drive_forget_rao(struct drive *d);

/* Where a real tape would have what is written (drive_wraps.c): native bytes of a wrap, and the
 * number of the first one of a partition. */
uint64_t drive_wrap_bytes(const struct cartridge *c);
uint32_t drive_first_wrap(const struct cartridge *c, uint32_t partition);

/* Mode page 11h, the medium partition page, and what hosts have chosen with it (drive_division.c).
 */
#define DIVISION_PAGE_SIZE (8 + 2 * CARTRIDGE_PARTITIONS)
extern const uint8_t division_page[DIVISION_PAGE_SIZE], division_changeable[DIVISION_PAGE_SIZE];
void division_refresh(struct scsi_lu *lu, uint8_t *page);
unsigned division_check(struct scsi_lu *lu, const uint8_t *page);
void division_settle(uint8_t *page);
#define MODE_PAGE_PARTITION                                                                        \
    {                                                                                              \
        .code = 0x11, .size = DIVISION_PAGE_SIZE, .initial = division_page,                        \
        .changeable = division_changeable, .refresh = division_refresh, .check = division_check,   \
        .settle = division_settle, .unsaved = true, .variable = true                               \
    }
/* What is chosen no longer holds: another medium, another division. */
void division_forget(struct scsi_lu *lu);
/* The division that is chosen; 0 partitions: none is. */
unsigned division_chosen(struct scsi_lu *lu, uint64_t capacity[CARTRIDGE_PARTITIONS]);
/* Native bytes to be divided: the medium's, or what SET CAPACITY has left of them. */
uint64_t division_total(const struct cartridge *c);
int division_scale(struct cartridge *c, uint64_t bytes, struct error *err);

/* What a failed call of the cartridge means to a host; residual is for INFORMATION. */
#define DRIVE_NO_RESIDUAL INT64_MIN /* which is then not valid */
void drive_error(struct scsi_lu *lu, struct scsi_task *task, int rc, const struct error *err,
                 int64_t residual);

/* The host has positioned: a lost write no longer blocks writing. */
static inline void drive_positioned(struct drive *d)
{
    d->write_blocked = d->warned = false;
}

/* Whether the position is behind the programmable early warning (mode page 10h/01h), if one is
 * set. */
bool drive_beyond_pews(struct scsi_lu *lu, const struct cartridge_position *pos);

/* Keep an error for the nexus whose blocks were lost, or whose command went on in the background;
 * NULL: for whoever comes first.  The first one is the one to know. */
void drive_defer(struct drive *d, const struct sense *s, struct scsi_nexus *nexus);

/* Whether the host of the nexus must be told about it now. */
bool drive_take_deferred(struct drive *d, const struct scsi_nexus *nexus, struct sense *s);

/* Background work (lu.c): bound what is buffered. */
enum chores drive_chores(struct scsi_lu *lu);
void drive_do_chores(struct scsi_lu *lu);

/* Between two READs: the next block (drive_rw.c). */
void drive_read_ahead(struct scsi_lu *lu);

uint16_t drive_not_ready(const struct drive *d); /* additional sense code; 0: it is ready */
/* The same as sense data: NOT READY if it may become ready, with how far it has come, MEDIUM ERROR
 * if the cartridge is not one for this drive. */
struct sense drive_not_ready_sense(const struct drive *d);

/* The cartridge that is open is a cleaning cartridge: use it, true, or it is used up. */
bool drive_clean(struct scsi_lu *lu);
void drive_clean_done(struct scsi_lu *lu); /* look whether it is */

/* commands */
void cmd_read_block_limits(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read(struct scsi_lu *lu, struct scsi_task *task);
void cmd_recover_buffered(struct scsi_lu *lu, struct scsi_task *task);
void cmd_write(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_reverse(struct scsi_lu *lu, struct scsi_task *task);
void cmd_verify(struct scsi_lu *lu, struct scsi_task *task);
void cmd_write_filemarks(struct scsi_lu *lu, struct scsi_task *task);
void cmd_erase(struct scsi_lu *lu, struct scsi_task *task);
void cmd_rewind(struct scsi_lu *lu, struct scsi_task *task);
void cmd_space6(struct scsi_lu *lu, struct scsi_task *task);
void cmd_space16(struct scsi_lu *lu, struct scsi_task *task);
void cmd_locate(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_position(struct scsi_lu *lu, struct scsi_task *task);
void cmd_load_unload(struct scsi_lu *lu, struct scsi_task *task);
void cmd_report_density(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_attribute(struct scsi_lu *lu, struct scsi_task *task);
void cmd_write_attribute(struct scsi_lu *lu, struct scsi_task *task);

void cmd_media_serial(struct scsi_lu *lu, struct scsi_task *task);
void cmd_format_medium(struct scsi_lu *lu, struct scsi_task *task);
void cmd_set_capacity(struct scsi_lu *lu, struct scsi_task *task);
void cmd_allow_overwrite(struct scsi_lu *lu, struct scsi_task *task);
void cmd_generate_rao(struct scsi_lu *lu, struct scsi_task *task);
void cmd_receive_rao(struct scsi_lu *lu, struct scsi_task *task);
void cmd_end_of_wrap(struct scsi_lu *lu, struct scsi_task *task);

/* Whether the model takes cartridges of a density code, and may write them. */
bool drive_reads_density(const struct scsi_lu *lu, uint8_t code);
bool drive_writes_density(const struct scsi_lu *lu, uint8_t code);
uint8_t drive_native_density(const struct scsi_lu *lu);

/* pages (drive_mode.c, drive_log.c) */
#define DRIVE_MODE_PAGES 18
#define DRIVE_LOG_PAGES  24
extern const struct mode_page drive_mode_pages[DRIVE_MODE_PAGES];
extern const struct log_page drive_log_pages[DRIVE_LOG_PAGES];
uint8_t drive_medium_type(struct scsi_lu *lu);
uint8_t drive_device_specific(struct scsi_lu *lu);
/* SWP of the control or the device configuration page. */
bool drive_software_protected(struct scsi_lu *lu);
/* What is in the drive, or NULL. */
const struct cartridge_identity *drive_identity(struct scsi_lu *lu);

/* builders of log pages that are not in drive_log.c */
void log_compression(struct log_reply *l);       /* 1Bh, 32h */
void log_device_statistics(struct log_reply *l); /* 14h (drive_statistics.c, as 17h and 30h) */
void log_diagnostic_data(struct log_reply *l);   /* 16h (drive_life.c) */
void log_volume_statistics(struct log_reply *l); /* 17h */
void log_usage(struct log_reply *l);             /* 30h (drive_log_ibm.c, as those below) */
void log_write_retries(struct log_reply *l);     /* 33h */
void log_read_retries(struct log_reply *l);      /* 34h */
void log_performance(struct log_reply *l);       /* 37h */
void log_transferred(struct log_reply *l);       /* 38h */
void log_port_errors(struct log_reply *l);       /* 39h */

/* There are no data sets: they are counted as LTO-8 has them, in bytes. */
#define DRIVE_DATA_SET UINT64_C(5031936)

/* MAM counters (drive_mam.c) */
#define MAM_SERIAL_SIZE 33
void mam_medium_serial(const struct drive *d, char text[MAM_SERIAL_SIZE]);
uint64_t mam_load_count(const struct drive *d);

#endif
