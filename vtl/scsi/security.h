/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security.h - tape data encryption (SSC-5 4.2.23, 8.5): whose key applies to whom.
 *
 * A drive has one shared set of data encryption parameters, and each I_T nexus may have one of its
 * own.  Which one a nexus uses is its scope:
 *
 *            SET, LOCAL              SET, ALL I_T NEXUS
 *    LOCAL <------------- PUBLIC ----------------------> ALL I_T NEXUS
 *      |    SET, PUBLIC ^        ^   SET, PUBLIC; another nexus sets ALL   |
 *      +----------------+        +---------------------------------------+
 *
 *    LOCAL uses its own set; PUBLIC and ALL I_T NEXUS use the shared one, which the nexus of scope
 *    ALL I_T NEXUS has made.  Without a key from anybody the shared set is the default: neither
 *    encrypt nor decrypt.
 *
 * Who made the shared set and becomes PUBLIC or LOCAL leaves it to the others: ending it would let
 * them write in the clear unawares.
 *
 * A set ends (and the nexuses that used it and have shown that they care get a unit attention) with
 * the volume (CKOD), with the reservation of its maker (CKORP, CKORL), with a reset, and a nexus's
 * own set with the nexus.  The shared set outlives its maker: a program that sets a key for others
 * and ends, as stenc does, is the common case.
 *
 * Each change gives the set a new key instance counter.  A nexus that has locked itself to a
 * counter (LOCK) may not write with another.
 *
 * Keys are in struct codec_key only: never logged, never stored, wiped when they end.
 *
 * All with lu->device held.
 */
#ifndef CAPSTAN_VTL_SCSI_SECURITY_H
#define CAPSTAN_VTL_SCSI_SECURITY_H

#include "vtl/cartridge/codec.h"
#include "vtl/scsi/internal.h"

enum security_scope { SCOPE_PUBLIC, SCOPE_LOCAL, SCOPE_ALL_NEXUS };
enum encryption_mode { ENCRYPTION_DISABLE, ENCRYPTION_EXTERNAL, ENCRYPTION_ENCRYPT };
enum decryption_mode {
    DECRYPTION_DISABLE,
    DECRYPTION_RAW,
    DECRYPTION_DECRYPT,
    DECRYPTION_MIXED,
};
enum external_check { CHECK_VENDOR, CHECK_NOT, CHECK_NOT_EXTERNAL, CHECK_EXTERNAL }; /* CEEM */
enum raw_control { RAW_DEFAULT, RAW_RESERVED, RAW_ENABLED, RAW_DISABLED };           /* RDMC */

#define SECURITY_ALGORITHM 1 /* index of AES-256-GCM, as LTO drives have it */

/* A set of data encryption parameters. */
struct security_set {
    enum encryption_mode encryption;
    enum decryption_mode decryption;
    enum external_check check;
    enum raw_control raw;
    bool clear_on_demount, clear_on_preempt, clear_on_loss; /* CKOD, CKORP, CKORL */
    uint8_t kad_format;
    struct codec_kads kads;
    struct codec_key *key;     /* owned; NULL: none */
    uint32_t instance;         /* key instance counter; 0: never set */
    bool established;          /* by a page, and still in force: not the default */
    char maker[PORT_NAME_MAX]; /* the initiator port that established it */
};

/* What a Set Data Encryption page asks for; key NULL: none was sent. */
struct security_request {
    enum security_scope scope;
    bool lock;
    struct security_set set; /* without the last three */
};

struct security; /* of one drive */

struct security *security_new(struct error *err);
void security_free(struct security *s); /* NULL is allowed */

/* The set that a nexus uses; never NULL. */
const struct security_set *security_of(const struct security *s, const struct scsi_nexus *nexus);
/* The same, to encrypt with: a key's nonce moves on. */
struct codec_key *security_key(struct security *s, const struct scsi_nexus *nexus);

/* What a nexus has said of itself. */
struct security_nexus {
    const struct scsi_nexus *nexus; /* compared, never followed */
    struct security_nexus *next;
    enum security_scope scope;
    bool locked;
    uint32_t locked_to;
    struct security_set own; /* in use while scope is LOCAL */
};

/* NULL: it has never used the security protocol. */
const struct security_nexus *security_nexus_find(const struct security *s,
                                                 const struct scsi_nexus *nexus);
/* It uses the security protocol now, and gets unit attentions of it from here on; NULL: no memory.
 */
struct security_nexus *security_nexus_get(struct security *s, const struct scsi_nexus *nexus);

/* Whether a nexus is locked to parameters that are gone. */
bool security_lock_broken(const struct security *s, const struct scsi_nexus *nexus);

/* Carry out a request of a nexus, whose key it takes over; false: no memory, nothing has changed.
 */
bool security_apply(struct scsi_lu *lu, const struct scsi_nexus *nexus,
                    struct security_request *request);

/* ---- events ---------------------------------------------------------------------------------- */

void security_demounted(struct scsi_lu *lu);
void security_reset(struct scsi_lu *lu);
void security_forget(struct scsi_lu *lu, const struct scsi_nexus *nexus);
/* Before each command: has the maker of a set lost the reservation that the set hangs on? */
void security_check_reservations(struct scsi_lu *lu);
/* Whether an initiator port holds a reservation, of either kind (persistent: that kind only). */
bool security_reserved(struct scsi_lu *lu, const char *port, bool persistent);

/* ---- the pages ------------------------------------------------------------------------------- */

/* Decode the parameter list of SECURITY PROTOCOL OUT, Set Data Encryption page.  False: *at is the
 * byte in error, *bit its most significant bit, *code why.  The key in *out is the caller's.  A
 * pure function; hostile input. */
bool security_parse(const uint8_t *list, size_t len, struct security_request *out, unsigned *at,
                    int *bit, uint16_t *code);

void cmd_security_in(struct scsi_lu *lu, struct scsi_task *task);
void cmd_security_out(struct scsi_lu *lu, struct scsi_task *task);

#endif
