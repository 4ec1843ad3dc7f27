/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a tape drive that is an array: what SSC-5 and SPC-5 say a host must be told.
 *
 * It is written from the standards and knows nothing of how the drive does it; not even the numbers
 * of sense.h are shared, so that a wrong one there is seen.  A model is plain data: it is copied
 * and compared as bytes (start from model_init()).  The bytes of a block are not kept but computed,
 * from the seed of the data-out that they came with and their offset in it.
 *
 * Where a standard leaves a choice, the comment at the place says which one the drive makes.
 */
#ifndef CAPSTAN_TESTS_ORACLE_MODEL_H
#define CAPSTAN_TESTS_ORACLE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_OBJECTS       384 /* per partition: a command that would need more is not sent */
#define MODEL_PARTITIONS    4
#define MODEL_NEXUSES       2
#define MODEL_DATA_MAX      65536 /* no command of the oracle moves more */
#define MODEL_FILEMARK      0     /* as a length; and it takes this of the capacity: */
#define MODEL_FILEMARK_COST 64

enum model_status { MODEL_GOOD = 0x00, MODEL_CHECK_CONDITION = 0x02 };

enum model_key {
    MODEL_NO_SENSE = 0x0,
    MODEL_NOT_READY = 0x2,
    MODEL_ILLEGAL_REQUEST = 0x5,
    MODEL_UNIT_ATTENTION = 0x6,
    MODEL_DATA_PROTECT = 0x7,
    MODEL_BLANK_CHECK = 0x8,
    MODEL_VOLUME_OVERFLOW = 0xd,
    MODEL_MISCOMPARE = 0xe,
};

struct model_object {
    uint32_t len;    /* MODEL_FILEMARK: a filemark */
    uint32_t offset; /* of its first byte in that data-out */
    uint32_t seed;   /* of the data-out it came with */
};

struct model_partition {
    struct model_object objects[MODEL_OBJECTS];
    uint32_t count; /* end of data */
    uint64_t capacity;
};

struct model_tape {
    struct model_partition partitions[MODEL_PARTITIONS];
    uint32_t partition_count;
    uint64_t whole, total;  /* native bytes: as it was made, and what SET CAPACITY leaves of it */
    uint64_t early_warning; /* bytes before the end of a partition */
    bool worm, protect;     /* protect: by the tab, or a format that the drive only reads */
};

enum model_medium { MODEL_READY, MODEL_ABSENT, MODEL_HELD, MODEL_EJECTED };

/* What went wrong behind the status of a command with IMMED, not yet told. */
struct model_deferred {
    uint8_t pending, key;
    uint16_t code;
    uint8_t filemark, eom, ili, valid, eom_free, unused;
    uint32_t nexus; /* whose command it was */
    int64_t information;
};

struct model {
    struct model_tape tape; /* what lies in the drive, whatever its state */
    uint32_t medium;        /* enum model_medium */
    uint32_t partition;
    uint32_t at; /* position: the object that READ would read */
    uint32_t block_length;
    bool buffered, software_protect, descriptors;
    uint16_t pews; /* programmable early warning, 10^6 bytes */
    bool append_only;
    uint8_t allow;                      /* ALLOW OVERWRITE: enum model_allow, for one command ... */
    uint32_t allow_partition, allow_at; /* ... here */
    bool prevents[MODEL_NEXUSES];
    uint32_t attentions[MODEL_NEXUSES]; /* pending, oldest first */
    uint16_t attention[MODEL_NEXUSES][8];
    struct model_deferred deferred;
};

enum model_allow { MODEL_DISABLED, MODEL_CURRENT_POSITION, MODEL_FORMAT };

enum model_action { MODEL_COMMAND, MODEL_LUN_RESET };

/* One thing a host does. */
struct model_request {
    uint32_t action; /* enum model_action */
    unsigned nexus;
    uint8_t cdb[16];
    size_t cdb_len;
    const uint8_t *out; /* parameter list; NULL: bytes of `seed` */
    size_t out_len;
    uint32_t seed;
    bool differs;   /* the last byte of data-out is another than the seed says */
    size_t in_size; /* room for data-in */
};

/* What must come of it. */
struct model_answer {
    bool unknown; /* the model has no opinion, and its state is no longer the drive's */
    uint8_t status;
    uint8_t key;
    uint16_t code;
    bool deferred; /* it is about a command whose status was sent before */
    bool filemark, eom, ili, valid;
    bool eom_free; /* the standard does not say */
    int64_t information;
    uint64_t in_want; /* bytes the command had to return; the first in_size of them are in `in` */
    uint8_t in[MODEL_DATA_MAX];
    size_t buffer_at; /* READ POSITION: what comes from here on tells of the buffer; 0: nothing */
};

/* An empty tape of one partition in a drive after power-on whose attentions were taken. */
void model_init(struct model *m, uint64_t capacity, uint64_t early_warning);

/* What the drive must do now.  Changes *m to the state it must be in then. */
void model_run(struct model *m, const struct model_request *r, struct model_answer *a);

/* Byte i of data-out with this seed: noise, which no compression makes smaller. */
uint8_t model_byte(uint32_t seed, uint32_t i);

/* The objects before the position, and the native bytes they take. */
uint64_t model_file(const struct model *m);
uint64_t model_used(const struct model *m);
bool model_beyond_early_warning(const struct model *m);
bool model_beyond_pews(const struct model *m);

/* ---- between the files of the model ---------------------------------------------------------- */

static inline struct model_partition *model_here(struct model *m)
{
    return &m->tape.partitions[m->partition];
}

/* At end of data. */
static inline bool model_at_end(const struct model *m)
{
    return m->at == m->tape.partitions[m->partition].count;
}

void model_fail(struct model_answer *a, enum model_key key, uint16_t code);
void model_bad_cdb(struct model_answer *a);
/* A stream command that stopped: with INFORMATION, and EOM or FILEMARK as the code has it. */
void model_stop(const struct model *m, struct model_answer *a, enum model_key key, uint16_t code,
                int64_t information);

/* What is left of a command with IMMED is done behind its status, before the next command: if the
 * answer tells of an error, keep it for later. */
void model_defer(struct model *m, const struct model_request *r, struct model_answer *a);

typedef void model_command(struct model *m, const struct model_request *r, struct model_answer *a);
model_command model_read, model_read_reverse, model_verify, model_write, model_write_filemarks,
    model_erase, model_rewind, model_space6, model_space16, model_locate10, model_locate16,
    model_read_position, model_load_unload, model_allow_overwrite, model_format, model_set_capacity,
    model_prevent, model_mode_select;

/* Go to the object that a CDB of 16 bytes names; false, with the answer set, if it is not there. */
bool model_go(struct model *m, const struct model_request *r, struct model_answer *a);
void model_attention(struct model *m, uint16_t code, unsigned except);

#define MODEL_END_OF_DATA    0x0005
#define MODEL_FILEMARK_FOUND 0x0001
#define MODEL_END_OF_MEDIUM  0x0002
#define MODEL_BEGINNING      0x0004
#define MODEL_NOBODY         MODEL_NEXUSES /* model_attention(): to all */

#endif
