/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer.h - the medium changer (SMC-3): the library's elements as a SCSI unit.
 *
 * It keeps no places: they are the library's, and so is how they are known.  INITIALIZE ELEMENT
 * STATUS looks whether the cartridges are really there.
 */
#ifndef CAPSTAN_VTL_SCSI_CHANGER_H
#define CAPSTAN_VTL_SCSI_CHANGER_H

#include "vtl/scsi/internal.h"

#define CHANGER_ADDRESSES 65536

/* What log pages 14h and 15h tell. */
struct changer_counters {
    uint32_t moves, picks, places, inventories, failures;
    uint32_t tags_read, tags_unreadable, doors_opened;
};
struct element_counters {
    uint32_t places, picks;
};

struct volume_search;

struct changer {
    /* Sum of the generations of the import/export elements when hosts last knew them: a change
     * that the robot did not make is an access by an operator. */
    uint64_t import_export_seen;
    struct changer_counters counters;
    struct element_counters *elements; /* by address; pages that are not touched cost nothing */
    struct volume_search *searches;    /* at most one per nexus */
    /* What an operator may see while a job runs; changed with lu->device and lu->lock held. */
    struct scsi_robot_state robot;
    struct scsi_door_state doors[LIBRARY_IMPORT_EXPORT_MAX];
};

int changer_create(struct scsi_lu *lu, struct error *err);
void changer_destroy(struct scsi_lu *lu);

/* A move that somebody asked for.  With the changer's lu->device held. */
struct robot_job {
    struct scsi_target *target;
    const struct scsi_task *task; /* NULL: an operator's */
    uint16_t from, first, second; /* second: of an exchange only */
    struct scsi_failure failure;  /* key 0, or what a layer says went wrong */
};

/* Carry from `from` to `first`, unloading a drive that is the source.  ERR_BUSY: its removal is
 * prevented, or an import/export element is open; ERR_IO: see failure.  Errors else as
 * library_move(). */
int robot_move(struct robot_job *job, struct error *err);

/* The drive at an element address, or NULL. */
struct scsi_lu *changer_drive_at(struct scsi_target *target, uint16_t address);

/* A robot's move is no operator's access: note the state of the import/export elements. */
uint64_t changer_import_export(struct scsi_target *target);

/* ---- element status (changer_status.c) ------------------------------------------------------- */

/* One report of elements: filled in by the command, then by changer_report(). */
struct element_report {
    struct scsi_lu *lu;
    uint32_t allocation;
    bool voltag, dvcid;
    bool alternates; /* cartridges have alternate volume tags; filled in by changer_report() */
    unsigned only;   /* element type, 0: all */
    uint16_t start;  /* lowest address */
    unsigned count;  /* at most so many elements */
    uint8_t action;  /* byte 4 of the header */
    bool (*wanted)(const void *ctx, const struct library_element *e); /* NULL: every one */
    const void *wanted_ctx;

    struct reply *r;
    enum element_type type; /* of the open page, 0: none */
    uint64_t page;          /* offset of the open page */
    size_t designator;      /* room for one in the descriptor of a drive */
    unsigned elements;
    uint16_t first;
    uint64_t whole; /* length up to which descriptors are handed over whole */
    uint16_t last;  /* the last element of those */
};

/* Answer the task with header, pages and descriptors. */
void changer_report(struct element_report *w, struct scsi_task *task);

/* What is wrong with an element: an additional sense code, or 0. */
uint16_t changer_exception(struct scsi_lu *lu, const struct library_element *e);

bool changer_is_open(const struct scsi_lu *lu, uint16_t address);

/* The nexus goes (NULL: all). */
void changer_forget_search(struct changer *c, const struct scsi_nexus *nexus);

/* ---- commands -------------------------------------------------------------------------------- */

void cmd_initialize_element_status(struct scsi_lu *lu, struct scsi_task *task);
void cmd_initialize_range(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_element_status(struct scsi_lu *lu, struct scsi_task *task);
void cmd_move_medium(struct scsi_lu *lu, struct scsi_task *task);
void cmd_exchange_medium(struct scsi_lu *lu, struct scsi_task *task);
void cmd_position_to_element(struct scsi_lu *lu, struct scsi_task *task);

void cmd_send_volume_tag(struct scsi_lu *lu, struct scsi_task *task);
void cmd_request_volume_address(struct scsi_lu *lu, struct scsi_task *task);
void cmd_open_close(struct scsi_lu *lu, struct scsi_task *task);

void log_changer_statistics(struct log_reply *l);
void log_element_statistics(struct log_reply *l);
void log_element_reset(struct scsi_lu *lu);

#define CHANGER_MODE_PAGES 10
extern const struct mode_page changer_mode_pages[CHANGER_MODE_PAGES];

#endif
