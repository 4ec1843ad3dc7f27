/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pdu.h - the wire format of iSCSI PDUs (RFC 7143 chapter 11): fields, bits, codes.
 *
 * A PDU is a 48-byte basic header segment (BHS), additional header segments (AHS), an optional
 * header digest, a data segment padded to 4 bytes and an optional data digest.  Nothing here
 * allocates or keeps state; every field is read and written by the accessors below, big-endian.
 */
#ifndef CAPSTAN_VTL_ISCSI_PDU_H
#define CAPSTAN_VTL_ISCSI_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define BHS_SIZE    48
#define AHS_MAX     (255 * 4) /* TotalAHSLength counts words in one byte */
#define DIGEST_SIZE 4

#define TAG_NONE 0xffffffffu /* the reserved ITT and TTT */

enum pdu_opcode { /* RFC 7143 section 11.2.1.2 */
                  OP_NOP_OUT = 0x00,
                  OP_SCSI_COMMAND = 0x01,
                  OP_TASK_REQUEST = 0x02,
                  OP_LOGIN_REQUEST = 0x03,
                  OP_TEXT_REQUEST = 0x04,
                  OP_DATA_OUT = 0x05,
                  OP_LOGOUT_REQUEST = 0x06,
                  OP_SNACK = 0x10,
                  OP_NOP_IN = 0x20,
                  OP_SCSI_RESPONSE = 0x21,
                  OP_TASK_RESPONSE = 0x22,
                  OP_LOGIN_RESPONSE = 0x23,
                  OP_TEXT_RESPONSE = 0x24,
                  OP_DATA_IN = 0x25,
                  OP_LOGOUT_RESPONSE = 0x26,
                  OP_R2T = 0x31,
                  OP_ASYNC = 0x32,
                  OP_REJECT = 0x3f,
};
#define OP_MASK      0x3f
#define OP_IMMEDIATE 0x40

#define FLAG_FINAL 0x80 /* byte 1 of most PDUs; T of Login */

/* SCSI Command, 11.3.1 */
#define COMMAND_READ  0x40
#define COMMAND_WRITE 0x20
#define BHS_EDTL      20
#define BHS_CDB       32
#define BHS_CDB_SIZE  16

/* SCSI Response and Data-In, 11.4 and 11.7 */
#define RESIDUAL_OVERFLOW  0x04
#define RESIDUAL_UNDERFLOW 0x02
#define DATA_IN_STATUS     0x01

/* Login, 11.12, and Text, 11.10 */
#define LOGIN_TRANSIT 0x80
#define TEXT_CONTINUE 0x40 /* C of Login and of Text */

/* Login status: class in the high byte, 11.13.5 */
enum login_status {
    LOGIN_SUCCESS = 0x0000,
    LOGIN_MOVED_TEMPORARILY = 0x0101,
    LOGIN_INITIATOR_ERROR = 0x0200,
    LOGIN_AUTH_FAILED = 0x0201,
    LOGIN_FORBIDDEN = 0x0202,
    LOGIN_NOT_FOUND = 0x0203,
    LOGIN_BAD_VERSION = 0x0205,
    LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
    LOGIN_MISSING_PARAMETER = 0x0207,
    LOGIN_BAD_SESSION_TYPE = 0x0209,
    LOGIN_NO_SESSION = 0x020a,
    LOGIN_INVALID_REQUEST = 0x020b,
    LOGIN_TARGET_ERROR = 0x0300,
    LOGIN_UNAVAILABLE = 0x0301,
    LOGIN_NO_RESOURCES = 0x0302,
};

enum reject_reason { /* 11.17.1 */
                     REJECT_DATA_DIGEST = 0x02,
                     REJECT_SNACK = 0x03,
                     REJECT_PROTOCOL = 0x04,
                     REJECT_NOT_SUPPORTED = 0x05,
                     REJECT_IMMEDIATE = 0x06,
                     REJECT_TASK_IN_PROGRESS = 0x07,
                     REJECT_INVALID_FIELD = 0x09,
                     REJECT_WAITING_FOR_LOGOUT = 0x0c,
};

/* Which of the fields StatSN an outgoing PDU has, 11.x.  ExpCmdSN and MaxCmdSN are in all. */
enum stat_sn_rule {
    STAT_SN_NONE,  /* reserved: Data-In without status */
    STAT_SN_SHOW,  /* the next one, not used up: R2T, NOP-In that asks */
    STAT_SN_COUNT, /* used up: every answer */
};

/* The phases of a connection, as a mask for the table of legal opcodes. */
enum pdu_phase {
    PHASE_LOGIN = 1,
    PHASE_DISCOVERY = 2, /* full feature phase of a discovery session, 4.3 */
    PHASE_NORMAL = 4,    /* full feature phase of a normal session */
};

struct pdu_rule {
    const char *name;
    uint8_t phases; /* 0: never legal from an initiator */
    bool cmd_sn;    /* carries CmdSN */
    bool ahs;       /* may carry additional header segments */
};

/* The rule of an opcode (6 bits); never NULL: an opcode that no initiator may send has phases 0. */
const struct pdu_rule *pdu_rule(uint8_t opcode);

static inline uint8_t bhs_opcode(const uint8_t *bhs)
{
    return bhs[0] & OP_MASK;
}
static inline bool bhs_immediate(const uint8_t *bhs)
{
    return bhs[0] & OP_IMMEDIATE;
}
static inline bool bhs_final(const uint8_t *bhs)
{
    return bhs[1] & FLAG_FINAL;
}
static inline uint32_t bhs_ahs_len(const uint8_t *bhs)
{
    return (uint32_t)bhs[4] * 4;
}
static inline uint32_t bhs_data_len(const uint8_t *bhs)
{
    return get_be24(bhs + 5);
}
static inline uint32_t bhs_itt(const uint8_t *bhs)
{
    return get_be32(bhs + 16);
}
static inline uint32_t bhs_ttt(const uint8_t *bhs)
{
    return get_be32(bhs + 20);
}
static inline uint32_t bhs_cmd_sn(const uint8_t *bhs)
{
    return get_be32(bhs + 24);
}

/* Bytes that pad a data segment of len to a multiple of 4: 0 .. 3. */
static inline uint32_t pdu_pad(uint32_t len)
{
    return (0u - len) & 3;
}

/* Fill a header for an answer: opcode, the flag byte, the ITT; everything else zero. */
void pdu_init(uint8_t *bhs, uint8_t opcode, uint8_t flags, uint32_t itt);

/* Serial number arithmetic (RFC 1982) as CmdSN uses it: a is before b. */
static inline bool sn_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* One additional header segment: *type and *len (of its specific data at *body) are set and the
 * cursor (*at, *left) is moved behind it.  False at the end; *bad is set if lengths do not fit. */
bool pdu_next_ahs(const uint8_t **at, size_t *left, uint8_t *type, const uint8_t **body,
                  size_t *len, bool *bad);
#define AHS_EXTENDED_CDB 1
#define AHS_BIDI_LENGTH  2

#endif
