/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rx.c - receiving: from a stream of bytes to PDUs whose data is where it belongs.
 *
 * Headers and small PDUs come through rx.buf, many with one read; a data segment is read straight
 * to its destination, and the same readv() takes what follows it into rx.buf.
 *
 *      RX_HEADER ──BHS, AHS, digest here: pdu_begin()──> RX_DATA ──data, pad, digest: pdu_end()──┐
 *          ^──────────────────────────────────────────────────────────────────────────────────────┘
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/crc32c.h"
#include "vtl/iscsi/conn.h"

static bool digests_active(const struct conn *c)
{
    return c->phase == CONN_FULL_FEATURE;
}

static bool header_digest(const struct conn *c)
{
    return digests_active(c) && c->params.header_digest;
}

static bool data_digest(const struct conn *c)
{
    return digests_active(c) && c->params.data_digest && c->rx.data_len > 0;
}

/* Bytes of the data segment that can be read straight to their place now. */
static size_t direct_room(const struct rx *rx)
{
    if (rx->state != RX_DATA || rx->start != rx->end || rx->got >= rx->dest_len)
        return 0;
    return (rx->dest_len < rx->data_len ? rx->dest_len : rx->data_len) - rx->got;
}

static void took_data(struct conn *c, const uint8_t *data, size_t len)
{
    if (data_digest(c))
        c->rx.crc = crc32c_update(c->rx.crc, data, len);
    c->rx.got += (uint32_t)len;
}

static int rx_read(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    size_t direct = direct_room(rx);
    struct iovec iov[2];
    size_t room;
    ssize_t n;

    if (rx->start == rx->end) {
        rx->start = rx->end = 0;
    } else if (rx->end == sizeof(rx->buf)) {
        memmove(rx->buf, rx->buf + rx->start, rx->end - rx->start);
        rx->end -= rx->start;
        rx->start = 0;
    }
    room = sizeof(rx->buf) - rx->end;
    iov[0] = (struct iovec){direct ? rx->dest + rx->got : NULL, direct};
    iov[1] = (struct iovec){rx->buf + rx->end, room};
    n = readv(c->fd, direct ? iov : iov + 1, direct ? 2 : 1);
    rx->more = false;
    if (n == 0)
        return error_set(err, ERR_CLOSED, "the initiator closed the connection");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : error_set(err, ERR_CLOSED, "the connection broke: %s", strerror(errno));
    rx->more = (size_t)n == direct + room;
    c->received_ns = clock_ns();
    c->nop_outstanding = false;
    if ((size_t)n > direct)
        rx->end += (size_t)n - direct;
    if (direct)
        took_data(c, iov[0].iov_base, (size_t)n < direct ? (size_t)n : direct);
    return 0;
}

/* Reset what belongs to one PDU. */
static void start_pdu(struct rx *rx)
{
    rx->state = RX_HEADER;
    rx->ahs_len = rx->data_len = rx->got = 0;
    rx->dest = NULL;
    rx->dest_len = 0;
    rx->crc = 0;
    rx->trailer_len = rx->trailer_got = 0;
    rx->ignore = false;
    rx->task = NULL;
    rx->r2t = NULL;
    rx->echo = NULL;
}

/* 11.2.1: lengths are checked before a byte of the rest is looked at. */
static int check_lengths(const struct conn *c, struct error *err)
{
    const struct rx *rx = &c->rx;
    const struct pdu_rule *rule = pdu_rule(bhs_opcode(rx->bhs));

    if (rx->data_len > c->recv_length)
        return error_set(err, ERR_PROTOCOL,
                         "%s PDU with a data segment of %u bytes; %u are the most here", rule->name,
                         rx->data_len, c->recv_length);
    if (rx->ahs_len > 0 && !rule->ahs)
        return error_set(err, ERR_PROTOCOL, "%s PDU with additional header segments", rule->name);
    return 0;
}

/* A complete header at the front of buf: 1; more bytes are needed: 0. */
static int take_header(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    const uint8_t *at = rx->buf + rx->start;
    size_t have = rx->end - rx->start, need = BHS_SIZE;
    bool digest = header_digest(c);
    int rc;

    if (have < need)
        return 0;
    need += bhs_ahs_len(at) + (digest ? DIGEST_SIZE : 0u);
    if (have < need)
        return 0;
    /* A wrong header digest leaves nothing to be trusted, not even lengths (7.8). */
    if (digest && get_le32(at + need - DIGEST_SIZE) != crc32c(at, need - DIGEST_SIZE))
        return error_set(err, ERR_PROTOCOL, "header digest error");
    start_pdu(rx);
    memcpy(rx->bhs, at, BHS_SIZE);
    rx->ahs_len = bhs_ahs_len(at);
    memcpy(rx->ahs, at + BHS_SIZE, rx->ahs_len);
    rx->data_len = bhs_data_len(at);
    rx->start += need;
    rc = check_lengths(c, err);
    if (!rc)
        rc = pdu_begin(c, err);
    if (rc)
        return rc;
    rx->trailer_len = pdu_pad(rx->data_len) + (data_digest(c) ? DIGEST_SIZE : 0u);
    rx->state = RX_DATA;
    return 1;
}

/* Move data that came through buf to its place, or past it. */
static void take_data(struct conn *c)
{
    struct rx *rx = &c->rx;
    size_t n = rx->end - rx->start, kept;

    if (n > rx->data_len - rx->got)
        n = rx->data_len - rx->got;
    if (n == 0)
        return;
    kept = rx->got < rx->dest_len ? rx->dest_len - rx->got : 0;
    if (kept > n)
        kept = n;
    if (kept)
        memcpy(rx->dest + rx->got, rx->buf + rx->start, kept);
    took_data(c, rx->buf + rx->start, n);
    rx->start += n;
}

static void take_trailer(struct rx *rx)
{
    while (rx->trailer_got < rx->trailer_len && rx->start < rx->end)
        rx->trailer[rx->trailer_got++] = rx->buf[rx->start++];
}

static bool data_digest_good(const struct conn *c)
{
    const struct rx *rx = &c->rx;
    uint32_t pad = pdu_pad(rx->data_len);

    return !data_digest(c) ||
           get_le32(rx->trailer + pad) == crc32c_update(rx->crc, rx->trailer, pad);
}

/* 7.8: a PDU whose data is damaged is rejected and discarded; its header can be trusted. */
static void bad_data(struct conn *c)
{
    pdu_reject(c, REJECT_DATA_DIGEST);
    free(c->rx.echo);
    c->rx.echo = NULL;
    if (c->rx.task && bhs_opcode(c->rx.bhs) == OP_SCSI_COMMAND)
        command_bad_digest(c);
    else if (c->rx.task)
        data_out_bad_digest(c);
}

/* Data, pad and digest are here: 1 when the PDU is done. */
static int take_body(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    int rc = 0;

    take_data(c);
    if (rx->got < rx->data_len)
        return 0;
    take_trailer(rx);
    if (rx->trailer_got < rx->trailer_len)
        return 0;
    if (!data_digest_good(c) && !rx->ignore)
        bad_data(c);
    else if (!rx->ignore)
        rc = pdu_end(c, err);
    start_pdu(rx);
    return rc ? rc : 1;
}

int rx_run(struct conn *c, struct error *err)
{
    int rc = rx_read(c, err);

    if (rc)
        return rc;
    do
        rc = c->rx.state == RX_HEADER ? take_header(c, err) : take_body(c, err);
    while (rc > 0 && c->phase != CONN_CLOSING);
    return rc < 0 ? rc : 0;
}
