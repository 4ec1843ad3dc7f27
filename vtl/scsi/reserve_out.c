/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve_out.c - PERSISTENT RESERVE OUT (SPC-5): registering, reserving, preempting.
 *
 * One order is carried out under target->lock, wholly or not at all; only then does PREEMPT AND
 * ABORT abort, without the lock.
 */
#include "vtl/scsi/internal.h"

enum { LIST_LENGTH = 24, MOVE_LIST_MAX = LIST_LENGTH + PORT_NAME_MAX };

/* What a command asks for. */
struct order {
    struct scsi_lu *lu;
    struct scsi_task *task;
    struct persistent *p;
    struct registration *own; /* of the nexus it came on, or NULL */
    uint64_t key, new_key;    /* RESERVATION KEY, SERVICE ACTION RESERVATION KEY */
    unsigned scope, type;
    size_t len;
    bool lost; /* what it changed could not be kept */
};

static void conflict(struct order *o)
{
    o->task->status = SCSI_RESERVATION_CONFLICT;
}

static bool order_failed(const struct order *o)
{
    return o->task->status != SCSI_GOOD;
}

/* SCOPE must be the logical unit and TYPE one of the six. */
static bool type_is_good(struct order *o)
{
    if (o->scope == 0 && reservation_type_valid(o->type))
        return true;
    task_bad_cdb(o->lu, o->task, 2, o->scope ? 7 : 3);
    return false;
}

/* A unit attention for every registered nexus but the one that ordered. */
static void tell_registered(struct order *o, uint16_t code)
{
    for (struct scsi_nexus *n = o->lu->target->nexuses; n; n = n->next) {
        struct registration *r = registration_of_nexus(o->p, n);

        if (r && r != o->own && n != o->task->nexus)
            attention_give(o->lu, n, code);
    }
}

/* ---- REGISTER -------------------------------------------------------------------------------- */

enum { SPEC_I_PT = 0x08, ALL_TG_PT = 0x04, APTPL = 0x01, PORTS_AT = LIST_LENGTH + 4 };

static bool register_options_good(struct order *o, unsigned allowed)
{
    unsigned bad = o->task->out[20] & ~allowed;

    if (bad == 0)
        return true;
    task_bad_list(o->lu, o->task, 20, 31 - __builtin_clz(bad));
    return false;
}

/* ALL_TG_PT: the action is carried out with each target port, else with that of the nexus.  With
 * one port there is no difference but the bit that READ FULL STATUS shows. */
static bool for_all_ports(const struct order *o)
{
    return o->task->out[20] & ALL_TG_PT;
}

/* Target port number i that the order is about; false: there are no more. */
static bool port_of_order(const struct order *o, unsigned i, uint16_t *port)
{
    const struct scsi_target *target = o->lu->target;

    if (!for_all_ports(o) || target->port_count == 0) {
        *port = o->task->nexus->port;
        return i == 0;
    }
    if (i < target->port_count)
        *port = target->ports[i].id;
    return i < target->port_count;
}

static bool port_known(const struct scsi_target *target, uint16_t port)
{
    for (unsigned i = 0; i < target->port_count; i++)
        if (target->ports[i].id == port)
            return true;
    return target->port_count == 0 && port == 1;
}

/* Who gives up its registration gives up its reservation; registrants who lived by it are told. */
static void unregister(struct order *o, struct registration *r)
{
    bool held = reservation_held_by(o->p, r);
    unsigned type = o->p->type;

    registration_remove(o->p, r);
    if (r == o->own)
        o->own = NULL;
    if (held && reservation_is_registrants(type) && !reservation_is_all(type))
        tell_registered(o, ASC_RESERVATIONS_RELEASED);
}

/* One nexus of the initiator port: register it, change its key, or take it out. */
static void register_nexus(struct order *o, const char *name, uint16_t port)
{
    struct registration *r = registration_of(o->p, name, port);

    if (o->new_key == 0) {
        if (r)
            unregister(o, r);
        return;
    }
    if (r)
        r->key = o->new_key;
    else
        r = registration_add(o->p, name, port, o->new_key);
    if (!r)
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_NO_REGISTRATION_RESOURCES);
    else
        r->all_ports = for_all_ports(o) && o->lu->target->port_count <= 1;
}

/* An initiator port, with all the target ports that are meant. */
static void register_port(struct order *o, const char *name)
{
    uint16_t port = 0;

    for (unsigned i = 0; !order_failed(o) && port_of_order(o, i, &port); i++)
        register_nexus(o, name, port);
}

static void register_key(struct order *o)
{
    o->p->persists = o->task->out[20] & APTPL;
    register_port(o, o->task->nexus->name);
}

/* Whether the key given is that of each nexus that is to be changed; 0 of one that is none yet. */
static bool keys_match(const struct order *o)
{
    const char *name = o->task->nexus->name;
    uint16_t port = 0;

    for (unsigned i = 0; port_of_order(o, i, &port); i++) {
        const struct registration *r = registration_of(o->p, name, port);

        if (o->key != (r ? r->key : 0))
            return false;
    }
    return true;
}

/* Whether the list names an initiator port that is registered already with one of the ports. */
static bool registered_already(const struct order *o, const char *name)
{
    uint16_t port = 0;

    for (unsigned i = 0; port_of_order(o, i, &port); i++)
        if (registration_of(o->p, name, port))
            return true;
    return false;
}

/* SPEC_I_PT: the initiator ports of the list too, all or none (order_run() takes back). */
static void register_ports(struct order *o)
{
    const uint8_t *list = o->task->out;
    char name[PORT_NAME_MAX];
    size_t len;

    if (o->own || o->new_key == 0) { /* only with a first registration */
        task_bad_list(o->lu, o->task, 20, 3);
        return;
    }
    if (o->len < PORTS_AT || get_be32(list + LIST_LENGTH) != o->len - PORTS_AT) {
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return;
    }
    register_key(o);
    for (size_t at = PORTS_AT; !order_failed(o) && at < o->len; at += len) {
        len = o->len - at < 4 ? 0 : 4u + get_be16(list + at + 2);
        if (len > o->len - at || !transport_id_parse(list + at, len, name) ||
            registered_already(o, name))
            task_bad_list(o->lu, o->task, (unsigned)at, -1);
        else
            register_port(o, name);
    }
}

static void do_register(struct order *o)
{
    if (!keys_match(o))
        conflict(o);
    else if (!register_options_good(o, SPEC_I_PT | ALL_TG_PT | APTPL))
        return;
    else if (o->task->out[20] & SPEC_I_PT)
        register_ports(o);
    else if (o->len != LIST_LENGTH)
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    else
        register_key(o);
}

static void do_register_ignoring(struct order *o)
{
    if (register_options_good(o, ALL_TG_PT | APTPL))
        register_key(o);
}

/* ---- RESERVE, RELEASE, CLEAR ----------------------------------------------------------------- */

static void do_reserve(struct order *o)
{
    struct persistent *p = o->p;

    if (!type_is_good(o))
        return;
    if (p->type == TYPE_NONE) {
        p->type = (uint8_t)o->type;
        p->holder = reservation_is_all(o->type) ? NULL : o->own;
    } else if (p->type != o->type || !reservation_held_by(p, o->own)) {
        conflict(o); /* a type is changed by PREEMPT only */
    }
}

static void do_release(struct order *o)
{
    struct persistent *p = o->p;

    if (!reservation_held_by(p, o->own))
        return; /* nothing to release is no error */
    if (o->scope != 0 || o->type != p->type) {
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_INVALID_RELEASE);
        return;
    }
    if (reservation_is_registrants(p->type))
        tell_registered(o, ASC_RESERVATIONS_RELEASED);
    p->type = TYPE_NONE;
    p->holder = NULL;
}

static void do_clear(struct order *o)
{
    tell_registered(o, ASC_RESERVATIONS_PREEMPTED);
    registrations_free(o->p);
}

/* ---- PREEMPT --------------------------------------------------------------------------------- */

/* Its nexuses learn of it, no longer prevent removal (SPC-5, PREVENT ALLOW), and are marked for
 * abort. */
static void preempt_nexuses(struct order *o, const struct registration *r)
{
    for (struct scsi_nexus *n = o->lu->target->nexuses; n; n = n->next) {
        if (n->port != r->port || !port_name_equal(n->name, r->name))
            continue;
        n->lu[o->lu->lun].prevents = false;
        n->lu[o->lu->lun].preempted = true;
        if (n != o->task->nexus)
            attention_give(o->lu, n, ASC_REGISTRATIONS_PREEMPTED);
    }
}

/* Remove who has the key (all: everybody); spare_own: but not who orders it.  How many went. */
static unsigned preempt_registrations(struct order *o, bool all, bool spare_own)
{
    struct registration *next;
    unsigned removed = 0;

    for (struct registration *r = o->p->first; r; r = next) {
        next = r->next;
        if ((!all && r->key != o->new_key) || (spare_own && r == o->own))
            continue;
        preempt_nexuses(o, r);
        if (r == o->own)
            o->own = NULL;
        registration_remove(o->p, r);
        removed++;
    }
    return removed;
}

/* The reservation changes hands, or its type, without a moment in between. */
static void preempt_reservation(struct order *o)
{
    unsigned type = o->p->type;

    if (!type_is_good(o))
        return;
    preempt_registrations(o, o->new_key == 0, true);
    o->p->type = (uint8_t)o->type;
    o->p->holder = reservation_is_all(o->type) ? NULL : o->own;
    if (type != o->type)
        tell_registered(o, ASC_RESERVATIONS_RELEASED);
}

static void do_preempt(struct order *o)
{
    struct persistent *p = o->p;
    bool all = reservation_is_all(p->type);

    if (o->new_key == 0 && !all)
        task_bad_list(o->lu, o->task, 8, 7);
    else if (all ? o->new_key == 0 : p->holder && p->holder->key == o->new_key)
        preempt_reservation(o);
    else if (preempt_registrations(o, false, false) == 0)
        conflict(o); /* nobody has that key */
}

static bool is_preempted(const struct scsi_task *task, const void *ctx)
{
    const struct order *o = ctx;

    return !task->no_lu && task != o->task && task->nexus->lu[o->lu->lun].preempted;
}

/* ---- REGISTER AND MOVE ----------------------------------------------------------------------- */

static bool move_list_good(struct order *o, char name[PORT_NAME_MAX])
{
    const uint8_t *list = o->task->out;
    int bad = -1;

    if (o->new_key == 0)
        bad = 8;
    else if (list[17] & 0xfc) /* reserved; UNREG and APTPL are good */
        bad = 17;
    else if (!port_known(o->lu->target, get_be16(list + 18)))
        bad = 18;
    else if (get_be32(list + 20) != o->len - LIST_LENGTH)
        bad = 20;
    else if (!transport_id_parse(list + LIST_LENGTH, o->len - LIST_LENGTH, name) ||
             (get_be16(list + 18) == o->task->nexus->port &&
              port_name_equal(name, o->task->nexus->name)))
        bad = LIST_LENGTH;
    if (bad >= 0)
        task_bad_list(o->lu, o->task, (unsigned)bad, -1);
    return bad < 0;
}

/* The holder hands the reservation to another port, registering it. */
static void do_move(struct order *o)
{
    struct persistent *p = o->p;
    struct registration *to;
    char name[PORT_NAME_MAX];
    uint16_t port = 0;

    if (p->type == TYPE_NONE) {
        task_bad_cdb(o->lu, o->task, 1, 4);
        return;
    }
    if (p->holder != o->own) { /* all registrants: nobody alone can hand it on */
        conflict(o);
        return;
    }
    if (!move_list_good(o, name))
        return;
    port = get_be16(o->task->out + 18);
    to = registration_of(p, name, port);
    if (to)
        to->key = o->new_key;
    else if (!(to = registration_add(p, name, port, o->new_key))) {
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_NO_REGISTRATION_RESOURCES);
        return;
    }
    p->holder = to;
    p->persists = o->task->out[17] & 0x01; /* APTPL */
    if (o->task->out[17] & 0x02)           /* UNREG */
        registration_remove(p, o->own);
}

/* ---- the command ----------------------------------------------------------------------------- */

/* By service action. */
static const struct action {
    void (*run)(struct order *o);
    bool any_key; /* the action looks at RESERVATION KEY itself, or not at all */
    bool counts;  /* in PRGENERATION */
    bool aborts;
} actions[] = {
    {do_register, true, true, false},          {do_reserve, false, false, false},
    {do_release, false, false, false},         {do_clear, false, true, false},
    {do_preempt, false, true, false},          {do_preempt, false, true, true},
    {do_register_ignoring, true, true, false}, {do_move, false, true, false},
};

enum { ACTION_REGISTER = 0, ACTION_MOVE = 7, PORTS_MAX = REGISTRATIONS_MAX * PORT_NAME_MAX };

/* The list is exactly as long as the action's is (SPC-5); of two actions what they say themselves.
 */
static bool length_good(size_t len, unsigned action)
{
    if (action == ACTION_MOVE)
        return len > LIST_LENGTH && len <= MOVE_LIST_MAX;
    if (action == ACTION_REGISTER)
        return len >= LIST_LENGTH && len <= PORTS_AT + PORTS_MAX;
    return len == LIST_LENGTH;
}

static bool order_decode(struct order *o, unsigned action)
{
    const uint8_t *cdb = o->task->cdb;

    o->len = get_be32(cdb + 5);
    if (!length_good(o->len, action)) {
        task_fail(o->lu, o->task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return false;
    }
    if (!task_list(o->lu, o->task, o->len))
        return false;
    o->scope = cdb[2] >> 4;
    o->type = cdb[2] & 0x0f;
    o->key = get_be64(o->task->out);
    o->new_key = get_be64(o->task->out + 8);
    return true;
}

/* What the unit held before an order, to be taken back. */
struct kept {
    uint8_t bytes[PERSISTENT_MAX];
    size_t len;
    bool persists;
};

static void kept_take(const struct order *o, struct kept *k)
{
    k->len = persistent_encode(o->p, k->bytes);
    k->persists = o->p->persists;
}

static void kept_restore(struct order *o, const struct kept *k)
{
    persistent_decode(o->p, k->bytes, k->len);
    o->p->persists = k->persists;
    o->own = NULL;
}

static bool kept_differs(const struct order *o, const struct kept *before)
{
    struct kept now;

    kept_take(o, &now);
    return now.persists != before->persists || now.len != before->len ||
           memcmp(now.bytes, before->bytes, now.len) != 0;
}

/* Keep what has changed, before anybody hears of it; what failed, or can't be kept, is taken back.
 */
static void order_keep(struct order *o, const struct kept *before)
{
    struct error err = ERROR_INIT;

    if (!kept_differs(o, before))
        return;
    if (!order_failed(o) && persistent_save(o->lu, &err) != 0) {
        lu_log(o->lu, LOG_LEVEL_ERROR, "registrations can't be kept: %s", err.message);
        o->lost = true;
    }
    if (order_failed(o) || o->lost)
        kept_restore(o, before);
}

static void order_run(struct order *o, const struct action *action)
{
    CLEANUP_UNLOCK(&o->lu->target->lock);
    struct kept before;

    kept_take(o, &before);
    o->own = registration_of_nexus(o->p, o->task->nexus);
    for (struct scsi_nexus *n = o->lu->target->nexuses; n; n = n->next)
        n->lu[o->lu->lun].preempted = false;
    if (o->lu->reserved_by) /* SPC-2 5.5.1 */
        conflict(o);
    else if (!action->any_key && (!o->own || o->own->key != o->key))
        conflict(o);
    else
        action->run(o);
    order_keep(o, &before);
    if (!order_failed(o) && !o->lost && action->counts)
        o->p->generation++;
}

void cmd_persistent_out(struct scsi_lu *lu, struct scsi_task *task)
{
    struct order o = {.lu = lu, .task = task, .p = &lu->persistent};
    const struct action *action = &actions[task->cdb[1] & 0x1f]; /* the opcode table has these */

    if (!order_decode(&o, task->cdb[1] & 0x1f))
        return;
    order_run(&o, action);
    if (o.lost)
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
    if (action->aborts && !order_failed(&o))
        lu_abort(lu, is_preempted, &o);
}
