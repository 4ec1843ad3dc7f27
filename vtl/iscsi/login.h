/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login.h - the login of one connection (RFC 7143 sections 6.2, 6.3 and 11.12), without sockets.
 *
 *               first request, CSG 0            auth done, NSG 1
 *      START ────────────────────> SECURITY ────────────────────> OPERATIONAL
 *        │                             │ auth done, NSG 3             │ NSG 3
 *        │ first request, CSG 1        v                              v
 *        └───────(no CHAP asked)──> OPERATIONAL                  ADMISSION ──login_admit──> DONE
 *      any state ──anything wrong──> FAILED
 *
 * Invariants:
 *   1. A login holds a fixed amount of memory, whatever the peer sends; text beyond it fails.
 *   2. Rounds are bounded by LOGIN_ROUNDS_MAX.
 *   3. ADMISSION is reached only with authentication done and all names checked.
 */
#ifndef CAPSTAN_VTL_ISCSI_LOGIN_H
#define CAPSTAN_VTL_ISCSI_LOGIN_H

#include <stddef.h>
#include <stdint.h>

#include "vtl/iscsi/chap.h"
#include "vtl/iscsi/iscsid.h"
#include "vtl/iscsi/keys.h"
#include "vtl/iscsi/offer.h"
#include "vtl/iscsi/pdu.h"

#define LOGIN_TEXT_MAX   16384 /* of one message over all its PDUs, and of an answer */
#define LOGIN_ROUNDS_MAX 64

enum login_state {
    LOGIN_START,
    LOGIN_SECURITY,
    LOGIN_OPERATIONAL,
    LOGIN_ADMISSION,
    LOGIN_DONE,
    LOGIN_FAILED,
};

enum login_auth { AUTH_OPEN, AUTH_CHAP, AUTH_DONE };

struct login {
    const struct directory *directory; /* the server's; outlives the login */
    unsigned portal;                   /* that it came by */
    const struct offer *offer;         /* of the target, once it is known; NULL: discovery */
    uint64_t discoverable;             /* of discovery: a bit per target that may be told of */
    enum login_state state;
    enum login_auth auth;
    struct params params;
    struct chap chap;
    unsigned rounds;
    enum login_status status; /* why it failed */

    /* what must stay the same in all requests (6.3.1) */
    uint8_t isid[6];
    uint16_t tsih, cid;
    uint32_t itt;

    bool names_checked;   /* the first complete text has been seen */
    bool length_declared; /* MaxRecvDataSegmentLength has been sent */
    bool transit;         /* the answer being sent ends the stage */
    uint8_t stage, next;  /* CSG and NSG of the answer */
    uint8_t asked;        /* byte 1 of the request */
    size_t text_len;      /* of the message collected so far */
    size_t answer_len, answer_sent;
    char text[LOGIN_TEXT_MAX];
    char answer[LOGIN_TEXT_MAX];

    /* the response to be sent: header and data_len bytes at data */
    uint8_t bhs[BHS_SIZE];
    const char *data;
    size_t data_len;
};

void login_init(struct login *login, const struct directory *directory, unsigned portal);

/* Where the data segment of the next request goes; NULL if len bytes are too many. */
char *login_room(struct login *login, size_t len);

/* One Login Request whose len bytes of data are at login_room().  Afterwards bhs, data and data_len
 * are the answer to be sent, except in LOGIN_ADMISSION, which waits for login_admit() or
 * login_refuse().  0, or the error that made the state FAILED (the answer then says so). */
int login_request(struct login *login, const uint8_t *bhs, size_t len, struct error *err);

/* Fill in the last answer: the session has this TSIH. */
void login_admit(struct login *login, uint16_t tsih);

/* Fail with a status, at any time; the answer is the refusal. */
void login_refuse(struct login *login, enum login_status status);

/* The target's number and the portal group tag; 0 in a discovery session. */
static inline unsigned login_target(const struct login *login)
{
    return login->offer ? (unsigned)(login->offer - login->directory->offers) : 0;
}
static inline uint16_t login_group(const struct login *login)
{
    return login->offer ? login->offer->at.tags[login->portal] : 0;
}

#endif
