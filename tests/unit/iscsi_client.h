/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iscsi_client.h - an initiator that does exactly what a test says, one PDU at a time, also what no
 * initiator should, against a server in this process over the disks of iscsi_fake.h.
 */
#ifndef CAPSTAN_TESTS_UNIT_ISCSI_CLIENT_H
#define CAPSTAN_TESTS_UNIT_ISCSI_CLIENT_H

#include "tests/unit/check.h"
#include "tests/unit/iscsi_fake.h"
#include "vtl/iscsi/iscsid.h"
#include "vtl/iscsi/pdu.h"

#define RIG_TARGET    "iqn.2026-01.test:fake"
#define RIG_INITIATOR "iqn.2026-01.test:initiator"
#define CLIENT_DATA   (1u << 20)

struct rig {
    struct scsi_target *target;
    struct iscsid *server;
    struct iscsid_options options;
};

/* Options with one portal on a free port of 127.0.0.1; change rig.options between the two. */
void rig_init(struct rig *rig);
void rig_up(struct rig *rig);
void rig_down(struct rig *rig);

struct client {
    int fd;
    bool header_digest, data_digest;
    uint32_t itt, cmd_sn, exp_stat_sn, exp_cmd_sn, max_cmd_sn;
    uint8_t isid_last; /* last byte of the ISID */
    uint16_t tsih;
    /* the last PDU received */
    uint8_t bhs[BHS_SIZE];
    uint8_t data[CLIENT_DATA];
    uint32_t len;
};

/* Connect; the client is the caller's: client_free(). */
struct client *client_new(const struct rig *rig);
/* The same at another portal, "127.0.0.1:41873". */
struct client *client_at(const char *address);
void client_free(struct client *c);

/* Send bytes as they are; false if the peer has closed. */
bool client_write(struct client *c, const void *data, size_t len);
/* Send a PDU: lengths, padding and digests are put in. */
bool client_send(struct client *c, uint8_t *bhs, const void *data, uint32_t len);
/* Receive one PDU: 1, 0 at the end of the stream, -1 after timeout_ms without one. */
int client_recv(struct client *c, int timeout_ms);
/* Receive and check that it is of this opcode. */
void client_expect(struct client *c, uint8_t opcode);
/* The peer closes without another PDU. */
void client_expect_close(struct client *c);

static inline uint16_t client_login_status(const struct client *c)
{
    return get_be16(c->bhs + 36);
}

/* Send a Login Request with text ('\n' stands for NUL) and take the response; returns its status
 * or 0xffff if the connection closed. */
unsigned client_login_step(struct client *c, uint8_t flags, const char *text);
/* A whole login of a normal session straight to full feature phase with these keys besides the
 * names; checks that it succeeds and turns on digests that were agreed. */
void client_login(struct client *c, const char *keys);
struct client *client_session(const struct rig *rig, const char *keys);

/* Is this key=value in the data received? */
bool client_has(const struct client *c, const char *pair);

/* Start a request with a new ITT: opcode, flags, LUN, CmdSN (counted unless immediate). */
void client_request(struct client *c, uint8_t *bhs, uint8_t opcode, uint8_t flags, uint8_t lun);
/* A SCSI command whose CDB starts with the bytes given; FINAL, read or write as in flags. */
void client_command(struct client *c, uint8_t *bhs, uint8_t flags, uint8_t lun, uint32_t edtl,
                    const uint8_t *cdb, size_t cdb_len);
/* Send a Data-Out. */
bool client_data_out(struct client *c, uint32_t itt, uint32_t ttt, bool final, uint32_t data_sn,
                     uint32_t offset, const void *data, uint32_t len);
/* TEST UNIT READY is answered GOOD: the session is alive. */
void client_alive(struct client *c);
/* NOP-Out ping is answered. */
void client_ping(struct client *c);

static inline uint8_t client_status(const struct client *c)
{
    return c->bhs[3];
}

#endif
