/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve.h - who may use a logical unit: RESERVE/RELEASE (SPC-2) and persistent reservations
 * (SPC-5, persistent reservations model).
 *
 * A registration belongs to an I_T nexus, and a nexus is known by the name of its initiator port
 * and the target port: so registrations and the reservation outlive the session and a reset of the
 * unit, and are the same host's when it logs in again by the same port.  ALL_TG_PT registers the
 * initiator port with each target port, as if it had asked by each.  They end with the target
 * unless the last REGISTER asked for APTPL: then they are kept in the library, durable before the
 * status of each command that changes them.
 *
 *   type 0                        no reservation
 *   type WE, EA, WE-RO, EA-RO     holder is the registration that holds it
 *   type WE-AR, EA-AR             every registration holds it; holder is NULL, and there is one
 *
 * All under target->lock; it changes on the unit's own thread only.
 */
#ifndef CAPSTAN_VTL_SCSI_RESERVE_H
#define CAPSTAN_VTL_SCSI_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct reply;
struct scsi_lu;
struct scsi_nexus;
struct scsi_task;

/* A hostile host can make up as many initiator ports as it likes. */
#define REGISTRATIONS_MAX 128
#define PORT_NAME_MAX     256 /* of an initiator port's name, with its end */

enum reservation_type { /* SPC-5, persistent reservation type codes */
                        TYPE_NONE = 0,
                        TYPE_WRITE_EXCLUSIVE = 1,
                        TYPE_EXCLUSIVE_ACCESS = 3,
                        TYPE_WRITE_EXCLUSIVE_REGISTRANTS = 5,
                        TYPE_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
                        TYPE_WRITE_EXCLUSIVE_ALL = 7,
                        TYPE_EXCLUSIVE_ACCESS_ALL = 8,
                        RESERVATION_TYPES = 16,
};

struct registration {
    struct registration *next; /* in the order of registering */
    uint64_t key;              /* never 0 */
    uint16_t port;             /* relative target port identifier */
    bool all_ports;            /* registered with ALL_TG_PT where there is one target port */
    char name[];               /* of the initiator port */
};

struct persistent {
    uint32_t generation;
    unsigned count;
    struct registration *first;
    struct registration *holder;
    uint8_t type;
    bool persists; /* APTPL */
};

/* ---- reserve_saved.c: through power loss ----------------------------------------------------- */

/* Room for the registrations of a unit, as bytes. */
#define PERSISTENT_MAX (4 + REGISTRATIONS_MAX * (13 + PORT_NAME_MAX))

/* All but PRGENERATION, which begins anew with each start (SPC-5, PRGENERATION field). */
size_t persistent_encode(const struct persistent *p, uint8_t buf[PERSISTENT_MAX]);
/* In place of what *p holds; false: the bytes are damaged (or no memory), and *p is empty. */
bool persistent_decode(struct persistent *p, const uint8_t *buf, size_t len);

/* Keep what the unit holds if it persists, else that nothing is kept; with target->lock held.
 * ERR_IO and the like. */
int persistent_save(struct scsi_lu *lu, struct error *err);
/* Power on: what was kept, instead of what the unit holds.  Takes target->lock. */
void persistent_load(struct scsi_lu *lu);

/* ---- reserve.c: the state and its predicates; with target->lock held ------------------------- */

/* Of the nexus between an initiator port and a target port. */
struct registration *registration_of(const struct persistent *p, const char *name, uint16_t port);
/* The same of a nexus that there is. */
struct registration *registration_of_nexus(const struct persistent *p,
                                           const struct scsi_nexus *nexus);
/* Append one; NULL: there are too many, or no memory. */
struct registration *registration_add(struct persistent *p, const char *name, uint16_t port,
                                      uint64_t key);
/* Take one out and free it; a reservation that nobody holds any more goes with it. */
void registration_remove(struct persistent *p, struct registration *r);
void registrations_free(struct persistent *p);

bool reservation_type_valid(unsigned type);
bool reservation_is_all(unsigned type);         /* all registrants hold it */
bool reservation_is_registrants(unsigned type); /* registrants may use the unit: RO and AR */
bool reservation_held_by(const struct persistent *p, const struct registration *r);

/* Whether a reservation of either kind forbids the nexus a command with these flags of its row.
 * Takes target->lock. */
bool reservation_conflicts(struct scsi_lu *lu, const struct scsi_nexus *nexus, unsigned op_flags);

/* ---- transport_id.c: names of initiator ports (SPC-5, TransportID) --------------------------- */

/* Whether two names are one port's: an iSCSI name and ISID, however the ISID is spelled. */
bool port_name_equal(const char *a, const char *b);
void transport_id_put(struct reply *r, const char *name);
/* Decode the iSCSI TransportID that fills data[0..len); false if it is not one of a port. */
bool transport_id_parse(const uint8_t *data, size_t len, char name[PORT_NAME_MAX]);

/* ---- commands -------------------------------------------------------------------------------- */

void cmd_reserve(struct scsi_lu *lu, struct scsi_task *task);
void cmd_release(struct scsi_lu *lu, struct scsi_task *task);
void cmd_persistent_in(struct scsi_lu *lu, struct scsi_task *task);
void cmd_persistent_out(struct scsi_lu *lu, struct scsi_task *task);

/* clang-format off */
#define PERSISTENT_IN(action, name)                                                                \
    {0x5e, (action), 10, OP_PR_ANY, "PERSISTENT RESERVE IN, " name,                        \
     {0, 0, 0, 0, 0, 0, 0xff, 0xff}, 60, cmd_persistent_in}
#define PERSISTENT_OUT(action, name)                                                               \
    {0x5f, (action), 10, OP_PR_ANY, "PERSISTENT RESERVE OUT, " name,                       \
     {0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}, 60, cmd_persistent_out}

/* The same rows for every kind of unit. */
#define RESERVATION_OPCODES                                                                        \
    {0x16, NO_SERVICE_ACTION, 6, OP_PR_ANY, "RESERVE(6)", {0}, 60, cmd_reserve},           \
    {0x17, NO_SERVICE_ACTION, 6, OP_FREE, "RELEASE(6)", {0}, 60,             \
     cmd_release},                                                                                 \
    {0x56, NO_SERVICE_ACTION, 10, OP_PR_ANY, "RESERVE(10)", {0}, 60, cmd_reserve},         \
    {0x57, NO_SERVICE_ACTION, 10, OP_FREE, "RELEASE(10)", {0}, 60,           \
     cmd_release},                                                                                 \
    PERSISTENT_IN(0x00, "READ KEYS"),                                                              \
    PERSISTENT_IN(0x01, "READ RESERVATION"),                                                       \
    PERSISTENT_IN(0x02, "REPORT CAPABILITIES"),                                                    \
    PERSISTENT_IN(0x03, "READ FULL STATUS"),                                                       \
    PERSISTENT_OUT(0x00, "REGISTER"),                                                              \
    PERSISTENT_OUT(0x01, "RESERVE"),                                                               \
    PERSISTENT_OUT(0x02, "RELEASE"),                                                               \
    PERSISTENT_OUT(0x03, "CLEAR"),                                                                 \
    PERSISTENT_OUT(0x04, "PREEMPT"),                                                               \
    PERSISTENT_OUT(0x05, "PREEMPT AND ABORT"),                                                     \
    PERSISTENT_OUT(0x06, "REGISTER AND IGNORE EXISTING KEY"),                                      \
    PERSISTENT_OUT(0x07, "REGISTER AND MOVE")
/* clang-format on */

#endif
