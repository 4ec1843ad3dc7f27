/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - what log.c, log_adjust.c and log_select.c share.
 *
 * A page's builder runs for more than LOG SENSE: to reset a page, to look for one parameter, to
 * compare with thresholds.  What it is run for is the `control` of struct log_reply: one of the
 * page control values of SPC-5 table 132, or one of ours behind them.
 */
#ifndef CAPSTAN_VTL_SCSI_LOG_H
#define CAPSTAN_VTL_SCSI_LOG_H

#include "vtl/scsi/internal.h"

enum log_control {
    LOG_THRESHOLD,
    LOG_CUMULATIVE,
    LOG_DEFAULT_THRESHOLD,
    LOG_DEFAULT_CUMULATIVE,
    LOG_RESET,  /* each counter to zero */
    LOG_FORGET, /* each threshold and control byte to the default */
    LOG_FIND,   /* log_find_counter() */
    LOG_CHECK,  /* log_check() */
    LOG_SAVE,   /* log_save() */
};

/* The parameter control byte (SPC-5 7.3.2.2). */
enum {
    LOG_DU = 0x80,     /* the value stands still */
    LOG_TSD = 0x20,    /* not saved by itself */
    LOG_ETC = 0x10,    /* compared with the threshold */
    LOG_TMC = 0x0c,    /* how: below */
    LOG_FORMAT = 0x03, /* 0: bounded data counter */
    LOG_COUNTER_CONTROL = LOG_TSD,
};

/* What the values of one counter differ in from those counted. */
struct log_adjustment {
    uint8_t page, subpage;
    uint16_t code;
    uint8_t control;    /* parameter control byte */
    uint64_t base;      /* shown is what was counted since, modulo 2^64; with DU: itself */
    uint64_t threshold; /* UINT64_MAX: never met */
    uint64_t seen;      /* when it was last compared with the threshold */
};

struct log_adjust {
    size_t count, room;
    struct log_adjustment *rows;
    bool compare; /* a row has ETC */
};

const struct log_page *log_page_find(const struct scsi_lu *lu, uint8_t code, uint8_t subcode);

/* For SP: save the parameters; false, with the status set, if they can't be. */
bool log_save_parameters(struct scsi_lu *lu, struct scsi_task *task);

/* Run a page's builder for something else than LOG SENSE. */
void log_walk(struct scsi_lu *lu, const struct log_page *page, enum log_control control,
              struct reply *r);

/* A counter as seen by a host: what is shown of the counted value for l->control. */
uint64_t log_shown(const struct log_reply *l, uint16_t code, uint64_t counted, uint8_t *control);

/* What a walk does at a counter. */
void log_visit(const struct log_reply *l, uint16_t code, uint64_t counted, unsigned bytes);

/* The row of a counter, made if it is not there; NULL: no memory. */
struct log_adjustment *log_adjustment(struct scsi_lu *lu, uint8_t page, uint8_t subpage,
                                      uint16_t code);

/* The counter's width in bytes and counted value; false: the page has no such counter. */
bool log_find_counter(struct scsi_lu *lu, const struct log_page *page, uint16_t code,
                      unsigned *bytes, uint64_t *counted);

/* What a host sets: the value to be shown now, and the parameter control byte. */
void log_set_value(struct log_adjustment *a, uint64_t counted, uint64_t shown);
void log_set_control(struct log_adjust *adjust, struct log_adjustment *a, uint64_t counted,
                     uint8_t control);

#endif
